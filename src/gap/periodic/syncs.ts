import type { Clock } from "../../async/clock.ts";
import type { Address } from "../../core/address.ts";
import type { Logger } from "../../core/logger.ts";
import type { EventDeclaration } from "../../hci/declare.ts";
import { type ControllerError, HciError } from "../../hci/error.ts";
import { LeEnhancedConnectionCompleteV2 } from "../../hci/events/le-meta.ts";
import {
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
} from "../../hci/events/le-periodic-advertising.ts";
import { LeFeature } from "../../hci/features.ts";
import type { ResolveAddress } from "../advertisement.ts";
import type { Radio } from "../radio.ts";
import { isSamePeer } from "../same-peer.ts";
import type { Scanner } from "../scanner.ts";
import type { PeriodicPort } from "./periodic-port.ts";
import { createPeriodicSync, type PeriodicSync, periodicSyncInside } from "./periodic-sync.ts";
import { SyncEnder } from "./sync-ender.ts";
import type { ReceptionParameters, SynchronizeOptions, SyncTarget, Target } from "./sync-options.ts";
import { Synchronizer } from "./synchronizer.ts";
import { type TrainInfo, trainInfo } from "./train-info.ts";

interface SyncsParts {
  readonly port: PeriodicPort;
  readonly radio: Radio;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scanner: Scanner;
  readonly resolve: ResolveAddress;
  readonly isPrivate: (identity: Address) => boolean;
  readonly onStuck: (error: ControllerError) => void;
}

/** All synchronizations of a device: those that it asks for, and those that peers hand it. */
export class Syncs {
  readonly #parts: SyncsParts;
  readonly #synchronizer: Synchronizer;
  readonly #ender: SyncEnder;
  readonly #syncs = new Map<number, PeriodicSync>();
  #prepared: Promise<void> | undefined;

  constructor(parts: SyncsParts) {
    this.#parts = parts;
    const { port, radio, clock, logger, onStuck } = parts;
    this.#synchronizer = new Synchronizer({
      ...parts,
      syncs: {
        has: (target) => this.#has(target),
        adopt: (handle, train, reception) => this.adopt(handle, train, reception),
        discard: (handle) => this.discard(handle),
        prepare: () => this.prepare(),
      },
    });
    this.#ender = new SyncEnder({ port, clock, logger, onStuck, interrupt: (act) => this.#synchronizer.interrupt(act) });
    radio.add(this.#synchronizer);
  }

  /** Those that are there. */
  get all(): PeriodicSync[] {
    return [...this.#syncs.values()].filter(({ active }) => active);
  }

  get(syncHandle: number): PeriodicSync | undefined {
    const sync = this.#syncs.get(syncHandle);
    return sync?.active ? sync : undefined;
  }

  /** See Synchronizer.synchronize. */
  async synchronize(target: SyncTarget | readonly SyncTarget[], options: SynchronizeOptions): Promise<PeriodicSync> {
    return await this.#synchronizer.synchronize(target, options);
  }

  #has({ address, sid }: Target): boolean {
    return this.all.some((sync) => sync.sid === sid && isSamePeer(sync.address, address, this.#parts.resolve));
  }

  /**
   * Switches the events on, once: those of version 5.4 too, where the controller follows trains with responses.
   *
   * @throws {HciError} the controller refuses · {TimeoutError} it does not answer
   */
  prepare(): Promise<void> {
    this.#prepared ??= this.#enableEvents().catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async #enableEvents(): Promise<void> {
    const { port } = this.#parts;
    const isRecipient = port.hasLeFeature(LeFeature.PeriodicAdvertisingSyncTransferRecipient);
    const first: EventDeclaration[] = [LePeriodicAdvertisingSyncEstablished, LePeriodicAdvertisingReport, LePeriodicAdvertisingSyncLost];
    // The last one says through which train a link was made.
    const second: EventDeclaration[] = [
      LePeriodicAdvertisingSyncEstablishedV2,
      LePeriodicAdvertisingReportV2,
      LeEnhancedConnectionCompleteV2,
    ];
    if (isRecipient) {
      first.push(LePeriodicAdvertisingSyncTransferReceived);
      second.push(LePeriodicAdvertisingSyncTransferReceivedV2);
    }
    await port.enableEvents(first);
    if (!port.hasLeFeature(LeFeature.PeriodicAdvertisingWithResponsesScanner)) return;
    try {
      await port.enableEvents(second);
    } catch (error) {
      // It follows trains, and cannot answer them.
      if (!(error instanceof HciError)) throw error;
    }
  }

  /** The controller follows it from here on. */
  adopt(handle: number, train: TrainInfo, { receives, isFiltered }: ReceptionParameters): PeriodicSync {
    this.#forget(handle);
    const { port, resolve } = this.#parts;
    const { address } = train;
    const sync = createPeriodicSync({
      port,
      handle,
      train,
      identity: address.isIdentity ? address : resolve(address),
      receives,
      isFiltered,
      terminate: () => this.#ender.terminate(handle),
    });
    this.#syncs.set(handle, sync);
    void sync.closed.then(() => {
      if (this.#syncs.get(handle) === sync) this.#syncs.delete(handle);
    });
    return sync;
  }

  /** Ends one that nobody wants. */
  async discard(handle: number): Promise<void> {
    this.#forget(handle);
    await this.#ender.terminate(handle).catch(() => undefined); // it is tried again, and in the end the controller is given up
  }

  /** The controller gives this handle anew: what was there has been lost, and its event too. */
  #forget(handle: number): void {
    this.#ender.gone(handle);
    const before = this.#syncs.get(handle);
    this.#syncs.delete(handle);
    if (before) periodicSyncInside.end(before, "lost");
  }

  readonly onEstablished = (event: LePeriodicAdvertisingSyncEstablished & Partial<LePeriodicAdvertisingSyncEstablishedV2>): void => {
    this.#synchronizer.established({ status: event.status, handle: event.syncHandle, train: trainInfo(event) });
  };

  readonly onReport = (event: LePeriodicAdvertisingReport & Partial<LePeriodicAdvertisingReportV2>): void => {
    const sync = this.#syncs.get(event.syncHandle);
    if (sync) periodicSyncInside.report(sync, event);
  };

  readonly onLost = ({ syncHandle }: LePeriodicAdvertisingSyncLost): void => this.#forget(syncHandle);

  /** The controller was reset: it follows nothing any more. What is being looked for is looked for anew. */
  reset(cause: unknown): void {
    this.#ender.reset();
    const all = [...this.#syncs.values()];
    this.#syncs.clear();
    for (const sync of all) periodicSyncInside.end(sync, "lost", cause);
  }

  /** Ends everything, and what is asked for from here on; the controller is reset afterwards. */
  close(error: unknown): void {
    this.#synchronizer.close(error);
    this.#ender.close();
    const all = [...this.#syncs.values()];
    this.#syncs.clear();
    for (const sync of all) periodicSyncInside.end(sync, "stopped");
  }

  /** The controller is gone. */
  gone(error: unknown): void {
    this.#synchronizer.close(error);
    this.#ender.close();
    this.reset(error);
  }
}
