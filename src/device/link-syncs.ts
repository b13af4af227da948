import type { Emitter } from "../async/index.ts";
import { UnsupportedError } from "../core/error.ts";
import type { PeriodicSync, ReceptionParameters, SyncReception, Syncs } from "../gap/index.ts";
import {
  type Hci,
  HciError,
  HciErrorCode,
  LeFeature,
  LePeriodicAdvertisingSyncTransfer,
  LeSetPeriodicAdvertisingSyncTransferParameters,
} from "../hci/index.ts";
import type { ConnectionEvents } from "./connection-events.ts";
import type { LinkCommands } from "./link-commands.ts";
import type { ConnectionPolicy } from "./policy.ts";
import { checkTransferTerms, transferParameters } from "./transfer-terms.ts";

interface LinkSyncsParts {
  readonly hci: Hci;
  readonly handle: number;
  readonly commands: LinkCommands;
  readonly syncs: Syncs;
  readonly events: Emitter<ConnectionEvents>;
}

/** What the peer of a link hands over of periodic advertising (Vol 4 Part E 7.7.65.24, 7.8.91). */
export class LinkSyncs {
  readonly #parts: LinkSyncsParts;
  /** As they were taken last; what comes without them nobody wants. */
  #terms: ReceptionParameters | undefined;

  /** @param policy of the link: what the controller is told for every new one, or for this one by `accept` */
  constructor(parts: LinkSyncsParts, policy: ConnectionPolicy["syncTransfers"] = "ignore") {
    this.#parts = parts;
    this.#terms = checkTransferTerms("policy: syncTransfers", policy);
  }

  async accept(given: SyncReception | "ignore"): Promise<void> {
    const terms = checkTransferTerms("acceptSyncs", given);
    const { hci, handle, commands, syncs } = this.#parts;
    if (
      !hci.hasLeFeature(LeFeature.PeriodicAdvertisingSyncTransferRecipient) ||
      !hci.supports(LeSetPeriodicAdvertisingSyncTransferParameters)
    ) {
      if (!terms) return; // it takes nothing anyhow
      throw new UnsupportedError("acceptSyncs: the controller takes no synchronization from peers");
    }
    if (terms) await syncs.prepare();
    const before = this.#terms;
    this.#terms = terms; // one may come before the command's own answer
    try {
      const parameters = { connectionHandle: handle, ...transferParameters(hci, terms) };
      await commands.ask(LeSetPeriodicAdvertisingSyncTransferParameters, parameters, {});
    } catch (error) {
      if (error instanceof HciError && this.#terms === terms) this.#terms = before;
      throw error;
    }
  }

  /** The controller has followed what the peer handed over, or could not. */
  onTransfer({ status, serviceData, adopt, discard }: Transfer): void {
    const { events } = this.#parts;
    const terms = this.#terms;
    if (status !== HciErrorCode.Success) {
      if (terms) events.emit("syncFailure", new HciError({ status, command: LePeriodicAdvertisingSyncTransfer.name }));
    } else if (terms && events.count("sync") > 0) events.emit("sync", { sync: adopt(terms), serviceData });
    else discard(); // nobody would ever end it
  }
}

/** What HCI_LE_Periodic_Advertising_Sync_Transfer_Received says, and what can be done about it. */
export interface Transfer {
  readonly status: number;
  readonly serviceData: number;
  adopt(terms: ReceptionParameters): PeriodicSync;
  discard(): void;
}
