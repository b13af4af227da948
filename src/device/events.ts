import { Address } from "../core/address.ts";
import { type Advertiser, type LinkParameters, linkParameters, type Scanner } from "../gap/index.ts";
import {
  DisconnectedError,
  DisconnectionComplete,
  EncryptionChange,
  EncryptionChangeV2,
  EncryptionKeyRefreshComplete,
  type Hci,
  HciError,
  HciErrorCode,
  LeAdvertisingSetTerminated,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeDataLengthChange,
  LeEnhancedConnectionComplete,
  LeLongTermKeyRequest,
  LePhyUpdateComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
  LeScanRequestReceived,
  LeScanTimeout,
} from "../hci/index.ts";
import type { Connection } from "./connection.ts";

/** A link that the controller reports. */
export interface NewLink {
  readonly handle: number;
  readonly role: "central" | "peripheral";
  readonly peerAddress: Address;
  readonly parameters: LinkParameters;
}

/** Leads what a controller tells of advertising and scanning to them: reports in place, and the events of the extended commands. */
export function bindRadioEvents(hci: Hci, { advertiser, scanner }: { advertiser: Advertiser; scanner: Scanner }): void {
  hci.onAdvertisingReport = scanner.onReport;
  hci.onExtendedAdvertisingReport = scanner.onExtendedReport;
  hci.on(LeScanTimeout, scanner.timedOut);
  hci.on(LeAdvertisingSetTerminated, advertiser.terminated);
  hci.on(LeScanRequestReceived, ({ advertisingHandle, scannerAddressType, scannerAddress }) =>
    advertiser.scanRequested(advertisingHandle, new Address(scannerAddress, scannerAddressType)),
  );
}

export interface EventTargets {
  onLink(link: NewLink): void;
  /** A connection complete event with an error status; the peer is all zeros where the controller does not say. */
  onNoLink(status: number, peerAddress: Address): void;
  onGone(handle: number, error: DisconnectedError): void;
  /** A Disconnection Complete event with an error status: the link is still there (Vol 4 Part E 7.7.5). */
  onDisconnectFailed(handle: number, error: HciError): void;
  link(handle: number): Connection | undefined;
}

const CENTRAL = 0;

/** Leads the controller's events to the links they are about. They end with the Hci. Events about unknown links are dropped. */
export function bindEvents(hci: Hci, targets: EventTargets): void {
  const onConnection = (event: Pick<LeConnectionComplete, "status" | "connectionHandle" | "role" | "peerAddress"> & Units): void => {
    if (event.status !== HciErrorCode.Success) targets.onNoLink(event.status, event.peerAddress);
    else {
      const role = event.role === CENTRAL ? "central" : "peripheral";
      targets.onLink({ handle: event.connectionHandle, role, peerAddress: event.peerAddress, parameters: linkParameters(event) });
    }
  };
  hci.on(LeConnectionComplete, onConnection);
  hci.on(LeEnhancedConnectionComplete, ({ peerAddressType, peerAddress, ...event }) =>
    onConnection({ ...event, peerAddress: new Address(peerAddress, peerAddressType) }),
  );
  hci.on(DisconnectionComplete, ({ status, connectionHandle, reason }) => {
    if (status === HciErrorCode.Success) targets.onGone(connectionHandle, new DisconnectedError(reason));
    else targets.onDisconnectFailed(connectionHandle, new HciError({ status, command: "Disconnect" }));
  });
  const onEncryption = ({ status, connectionHandle, encryptionEnabled }: EncryptionChange): void =>
    targets.link(connectionHandle)?.onEncryptionChange(status, encryptionEnabled !== 0);
  hci.on(EncryptionChange, onEncryption);
  hci.on(EncryptionChangeV2, onEncryption);
  hci.on(EncryptionKeyRefreshComplete, ({ status, connectionHandle }) => targets.link(connectionHandle)?.onEncryptionChange(status, true));
  hci.on(LeLongTermKeyRequest, ({ connectionHandle, randomNumber, encryptedDiversifier }) =>
    targets.link(connectionHandle)?.onLongTermKeyRequest(randomNumber, encryptedDiversifier),
  );
  hci.on(LeConnectionUpdateComplete, ({ status, connectionHandle, ...units }) =>
    targets.link(connectionHandle)?.onConnectionUpdate(status, linkParameters(units)),
  );
  hci.on(LeRemoteConnectionParameterRequest, ({ connectionHandle, maxLatency: latency, ...request }) =>
    targets.link(connectionHandle)?.procedures.onRemoteParameterRequest({ ...request, latency }),
  );
  hci.on(LeReadRemoteFeaturesComplete, ({ status, connectionHandle, leFeatures }) =>
    targets.link(connectionHandle)?.procedures.onRemoteFeatures(status, leFeatures),
  );
  hci.on(LePhyUpdateComplete, ({ status, connectionHandle, txPhy, rxPhy }) =>
    targets.link(connectionHandle)?.onPhyUpdate(status, txPhy, rxPhy),
  );
  hci.on(LeDataLengthChange, ({ connectionHandle, maxTxOctets: txOctets, maxRxOctets: rxOctets }) =>
    targets.link(connectionHandle)?.onDataLength({ txOctets, rxOctets }),
  );
}

type Units = Parameters<typeof linkParameters>[0];
