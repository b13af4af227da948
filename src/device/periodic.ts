import type { Address } from "../core/address.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import {
  PeriodicAdvertiser,
  type PeriodicSync,
  type Radio,
  type ReceptionParameters,
  type Scanner,
  type SynchronizeOptions,
  Syncs,
  type SyncTarget,
  trainInfo,
} from "../gap/index.ts";
import {
  type ControllerError,
  type Hci,
  HciErrorCode,
  LeFeature,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSubeventDataRequest,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
} from "../hci/index.ts";
import type { LinkSyncs } from "./link-syncs.ts";
import type { ConnectionPolicy } from "./policy.ts";
import { checkTransferTerms, transferParameters } from "./transfer-terms.ts";

interface DevicePeriodicParts {
  readonly hci: Hci;
  readonly radio: Radio;
  readonly scanner: Scanner;
  readonly resolve: (address: Address) => Address | undefined;
  /** Whether a device of this identity is on the air under other addresses. */
  readonly isPrivate: (identity: Address) => boolean;
  readonly logger: Logger;
  /** Of the device: what becomes of what peers hand over, on every new link. */
  readonly transfers: ConnectionPolicy["syncTransfers"];
  readonly link: (handle: number) => { readonly syncs: LinkSyncs } | undefined;
  /** The controller cannot be brought to a known state any more. */
  readonly onStuck: (error: ControllerError) => void;
}

/** What a device does in periodic advertising: sends it, and follows that of others. */
export class DevicePeriodic {
  readonly advertiser: PeriodicAdvertiser;
  readonly syncs: Syncs;

  readonly #parts: DevicePeriodicParts;
  readonly #policies = new WeakMap<PeriodicSync, ConnectionPolicy>();
  /** What the controller does on new links, as far as it has said. */
  #default: ConnectionPolicy["syncTransfers"] = "ignore";

  constructor(parts: DevicePeriodicParts) {
    this.#parts = parts;
    const { hci, radio, scanner, resolve, isPrivate, logger, onStuck } = parts;
    this.advertiser = new PeriodicAdvertiser({ port: hci, radio, logger });
    this.syncs = new Syncs({
      port: hci,
      clock: hci.clock,
      radio,
      logger,
      scanner,
      onStuck,
      resolve,
      isPrivate,
    });
    hci.on(LePeriodicAdvertisingSubeventDataRequest, this.advertiser.onSubeventDataRequest);
    hci.on(LePeriodicAdvertisingResponseReport, this.advertiser.onResponseReport);
    hci.on(LePeriodicAdvertisingSyncEstablished, this.syncs.onEstablished);
    hci.on(LePeriodicAdvertisingSyncEstablishedV2, this.syncs.onEstablished);
    hci.on(LePeriodicAdvertisingReport, this.syncs.onReport);
    hci.on(LePeriodicAdvertisingReportV2, this.syncs.onReport);
    hci.on(LePeriodicAdvertisingSyncLost, this.syncs.onLost);
    hci.on(LePeriodicAdvertisingSyncTransferReceived, this.#onTransfer);
    hci.on(LePeriodicAdvertisingSyncTransferReceivedV2, this.#onTransfer);
    void this.#begin();
  }

  /** @param policy of links that the sender makes; without it they are not taken */
  async synchronize(
    target: SyncTarget | readonly SyncTarget[],
    options: SynchronizeOptions,
    policy: ConnectionPolicy | undefined,
  ): Promise<PeriodicSync> {
    const sync = await this.syncs.synchronize(target, options);
    if (policy) this.#policies.set(sync, policy);
    return sync;
  }

  /** Of links through a train that is followed, which begin on its PHY; `undefined`: they are not wanted. */
  linkTerms(syncHandle: number): { readonly policy: ConnectionPolicy; readonly phy: PeriodicSync["phy"] } | undefined {
    const sync = this.syncs.get(syncHandle);
    const policy = sync && this.#policies.get(sync);
    return policy && { policy, phy: sync.phy };
  }

  /** Whether new links take what peers hand over on these terms by themselves. */
  isDefault(transfers: ConnectionPolicy["syncTransfers"]): boolean {
    return transfers === this.#default;
  }

  /** Tells the controller what it does on new links (Vol 4 Part E 7.8.92), so that nothing that comes in their first moment is lost. */
  async #begin(): Promise<void> {
    const { hci, transfers = "ignore", logger } = this.#parts;
    this.#default = "ignore";
    if (transfers === "ignore" || !hci.hasLeFeature(LeFeature.PeriodicAdvertisingSyncTransferRecipient)) return;
    try {
      await this.syncs.prepare();
      const terms = checkTransferTerms("policy: syncTransfers", transfers);
      await hci.send(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, transferParameters(hci, terms));
      this.#default = transfers;
    } catch (error) {
      logger.info(() => `new links take periodic advertising of peers a moment later: ${String(error)}`);
    }
  }

  readonly #onTransfer = (
    event: LePeriodicAdvertisingSyncTransferReceived & Partial<LePeriodicAdvertisingSyncTransferReceivedV2>,
  ): void => {
    const { status, connectionHandle, serviceData, syncHandle } = event;
    const link = this.#parts.link(connectionHandle);
    const discard = (): void => void this.syncs.discard(syncHandle);
    const adopt = (terms: ReceptionParameters): PeriodicSync => this.syncs.adopt(syncHandle, trainInfo(event), terms);
    if (link) link.syncs.onTransfer({ status, serviceData, adopt, discard });
    else if (status === HciErrorCode.Success) discard(); // who would have told of it is gone
  };

  /** The controller was reset. */
  onReset(cause: BleError): void {
    this.syncs.reset(cause);
    void this.#begin();
  }

  /** The device is closed by its user. */
  close(reason: BleError): void {
    this.syncs.close(reason);
  }

  /** The controller is gone. */
  gone(reason: BleError): void {
    this.syncs.gone(reason);
  }
}
