import { Address, AddressType } from "../core/address.ts";
import { type Advertiser, type LinkParameters, linkParameters, type Scanner } from "../gap/index.ts";
import {
  AuthenticatedPayloadTimeoutExpired,
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
  LeDirectedAdvertisingReport,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  LeLongTermKeyRequest,
  LePathLossThreshold,
  LePhyUpdateComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
  LeScanRequestReceived,
  LeScanTimeout,
  LeSubrateChange,
  LeTransmitPowerReporting,
  ReadRemoteVersionInformationComplete,
} from "../hci/index.ts";
import type { Connection } from "./connection.ts";
import { createRemoteVersion } from "./remote-version.ts";

/** A link that the controller reports. */
export interface NewLink {
  readonly handle: number;
  readonly role: "central" | "peripheral";
  /** As on the air. */
  readonly peerAddress: Address;
  /** Who the controller says that is, where it has resolved a private address. */
  readonly peerIdentity: Address | undefined;
  /** The own address, where the controller has made it. */
  readonly localAddress: Address | undefined;
  readonly parameters: LinkParameters;
  /** The periodic advertising whose sender has asked for it; `undefined`: it answers an advertisement. */
  readonly syncHandle: number | undefined;
}

/** Leads what a controller tells of advertising and scanning to them: reports in place, and the events of the extended commands. */
export function bindRadioEvents(hci: Hci, { advertiser, scanner }: { advertiser: Advertiser; scanner: Scanner }): void {
  hci.onAdvertisingReport = scanner.onReport;
  hci.onExtendedAdvertisingReport = scanner.onExtendedReport;
  hci.on(LeDirectedAdvertisingReport, ({ reports }) => reports.forEach(scanner.onDirectedReport));
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
/** Sync_Handle of a link that was not made through periodic advertising. */
const NO_TRAIN = 0xffff;

interface LinkEvent
  extends Pick<LeConnectionComplete, "status" | "connectionHandle" | "role">,
    Pick<NewLink, "peerAddress" | "peerIdentity" | "localAddress" | "syncHandle">,
    Units {}

/** The addresses on the air, which pairing needs (Vol 3 Part H 2.2), and who that is. */
function addressesOf(event: LeEnhancedConnectionComplete): Pick<NewLink, "peerAddress" | "peerIdentity" | "localAddress"> {
  const { peerAddressType, localResolvablePrivateAddress: local, peerResolvablePrivateAddress: onAir } = event;
  const peer = new Address(event.peerAddress, peerAddressType);
  const isResolved = peerAddressType === AddressType.PublicIdentity || peerAddressType === AddressType.RandomIdentity;
  return {
    peerAddress: isResolved && !onAir.isZero ? onAir : peer,
    peerIdentity: isResolved ? peer : undefined,
    localAddress: local.isZero ? undefined : local,
  };
}

/** Leads the controller's events to the links they are about. They end with the Hci. Events about unknown links are dropped. */
export function bindEvents(hci: Hci, targets: EventTargets): void {
  const onConnection = (event: LinkEvent): void => {
    if (event.status !== HciErrorCode.Success) targets.onNoLink(event.status, event.peerIdentity ?? event.peerAddress);
    else {
      const { connectionHandle: handle, peerAddress, peerIdentity, localAddress, syncHandle } = event;
      const role = event.role === CENTRAL ? "central" : "peripheral";
      targets.onLink({ handle, role, peerAddress, peerIdentity, localAddress, syncHandle, parameters: linkParameters(event) });
    }
  };
  const onEnhanced = (event: LeEnhancedConnectionComplete & { readonly syncHandle?: number }): void => {
    const syncHandle = event.syncHandle === NO_TRAIN ? undefined : event.syncHandle;
    onConnection({ ...event, ...addressesOf(event), syncHandle });
  };
  hci.on(LeConnectionComplete, (event) =>
    onConnection({ ...event, peerIdentity: undefined, localAddress: undefined, syncHandle: undefined }),
  );
  hci.on(LeEnhancedConnectionComplete, onEnhanced);
  hci.on(LeEnhancedConnectionCompleteV2, onEnhanced);
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
  hci.on(ReadRemoteVersionInformationComplete, ({ status, connectionHandle, ...version }) =>
    targets.link(connectionHandle)?.procedures.onRemoteVersion(status, createRemoteVersion(version)),
  );
  hci.on(LeSubrateChange, (event) => targets.link(event.connectionHandle)?.onSubrateChange(event));
  hci.on(LeTransmitPowerReporting, (event) => targets.link(event.connectionHandle)?.onTransmitPower(event));
  hci.on(LePathLossThreshold, (event) => targets.link(event.connectionHandle)?.onPathLoss(event));
  hci.on(AuthenticatedPayloadTimeoutExpired, ({ connectionHandle }) => targets.link(connectionHandle)?.onAuthenticatedPayloadTimeout());
}

type Units = Parameters<typeof linkParameters>[0];
