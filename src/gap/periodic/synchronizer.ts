import { type Clock, delay } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { Pending } from "../../async/pending.ts";
import type { Address } from "../../core/address.ts";
import { StateError, UnsupportedError } from "../../core/error.ts";
import {
  LeAddDeviceToPeriodicAdvertiserList,
  LeClearPeriodicAdvertiserList,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LeSetPeriodicAdvertisingReceiveEnable,
} from "../../hci/commands/le-periodic-sync.ts";
import type { CommandDeclaration } from "../../hci/declare.ts";
import { HciError, HciErrorCode } from "../../hci/error.ts";
import { LeFeature } from "../../hci/features.ts";
import type { Advertisement, ResolveAddress } from "../advertisement.ts";
import { type CancellableAttempt, CancellableAttempts } from "../cancellable-attempts.ts";
import type { OwnAddressKind } from "../own-addresses.ts";
import { type Radio, type RadioActivity, RadioRank } from "../radio.ts";
import { isSamePeer } from "../same-peer.ts";
import type { Scan } from "../scan.ts";
import type { Scanner } from "../scanner.ts";
import { isDisallowed } from "../switch.ts";
import type { PeriodicPort } from "./periodic-port.ts";
import type { PeriodicSync } from "./periodic-sync.ts";
import {
  checkSynchronize,
  type ReceptionParameters,
  type Synchronization,
  type SynchronizeOptions,
  type SyncTarget,
  type Target,
} from "./sync-options.ts";
import type { TrainInfo } from "./train-info.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
/** A private address seen a moment ago may be gone: after so long without an answer, look for the next one. */
const PRIVATE_ATTEMPT_MS = 20_000;
/** Pause before another try where the first events of a train were not heard. */
const PAUSE_MS = 250;
/** Bits of Options of HCI_LE_Periodic_Advertising_Create_Sync. */
const Option = { List: 1, NotReceiving: 2, NoDuplicates: 4 } as const;
const NO_ADDRESS = new Uint8Array(6);

/** One LE Periodic Advertising Create Sync, from its command to its event. */
interface SyncAttempt extends CancellableAttempt {
  /** One, or the first of several that is heard, which the periodic advertiser list then holds. */
  readonly targets: readonly Target[];
  readonly reception: ReceptionParameters;
  readonly outcome: Pending<PeriodicSync>;
}

interface SynchronizerParts {
  readonly port: PeriodicPort;
  readonly radio: Radio;
  readonly clock: Clock;
  readonly scanner: Scanner;
  readonly resolve: ResolveAddress;
  /** Whether a device of this identity is on the air under other addresses. */
  readonly isPrivate: (identity: Address) => boolean;
  /** Synchronizations that are there. */
  readonly syncs: {
    has(target: Target): boolean;
    adopt(handle: number, train: TrainInfo, reception: ReceptionParameters): PeriodicSync;
    /** Ends one that nobody wants; never rejects. */
    discard(handle: number): Promise<void>;
    /** Switches the events on, once. */
    prepare(): Promise<void>;
  };
}

/** What an established event says, of either version. */
export interface Established {
  readonly status: number;
  readonly handle: number;
  readonly train: TrainInfo;
}

/**
 * Has the controller synchronize to periodic advertising, one attempt at a time, as controllers demand (Vol 4 Part E 7.8.67); callers wait in a
 * queue. A scan runs meanwhile, since without one the controller finds nothing. Every attempt ends by its event, by timeout or by `signal`; the
 * last two cancel it, and a synchronization that wins the race against the cancel is ended.
 */
export class Synchronizer extends CancellableAttempts<SyncAttempt> implements RadioActivity {
  readonly name = "synchronizing";
  readonly rank = RadioRank.Synchronizing;
  // It shows no address.
  readonly ownAddress: OwnAddressKind = "public";
  readonly takesAnyRandomAddress = true;
  readonly hasOwnRandomAddress = true;
  readonly acceptList: readonly Address[] | undefined = undefined;
  readonly isFiltered = false;
  readonly goesWithoutAcceptList = true;
  /** Not while an attempt is pending (Vol 4 Part E 7.8.38). */
  readonly allowsResolvingListChange = false;
  readonly #parts: SynchronizerParts;

  constructor(parts: SynchronizerParts) {
    super(parts.clock, LePeriodicAdvertisingCreateSyncCancel.name);
    this.#parts = parts;
  }

  /**
   * Synchronizes to one periodic advertising, or to the first of several that is heard.
   *
   * @throws {ArgumentError} options out of range
   * @throws {StateError} it is followed already
   * @throws {UnsupportedError} the controller cannot
   * @throws {TimeoutError} it was not found in `timeoutMs` (30 s by default)
   * @throws {HciError} the controller refuses
   * @throws `signal.reason` once `signal` aborts
   */
  async synchronize(target: SyncTarget | readonly SyncTarget[], options: SynchronizeOptions): Promise<PeriodicSync> {
    const wanted = checkSynchronize(target, options);
    this.#checkAbilities(wanted);
    const { clock } = this.#parts;
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const what = `synchronizing to ${wanted.targets.map(({ address, sid }) => `set ${sid} of ${address}`).join(" or ")}`;
    signal?.throwIfAborted();
    using deadline = new Deadline({ clock, operation: what, signal, timeoutMs });
    const turn = await this.turns.acquire({ signal: deadline.signal }, what);
    return await this.#synchronize(wanted, options, deadline.signal, what, turn);
  }

  async #synchronize(
    wanted: Synchronization,
    { scanIntervalMs = 60, scanWindowMs = Math.min(30, scanIntervalMs) }: SynchronizeOptions,
    signal: AbortSignal,
    what: string,
    turn: Disposable,
  ): Promise<PeriodicSync> {
    const { clock, scanner, syncs, isPrivate } = this.#parts;
    let scan: Scan | undefined;
    let attempt: SyncAttempt | undefined;
    try {
      const known = wanted.targets.find((target) => syncs.has(target));
      if (known) throw new StateError(`there is a synchronization to set ${known.sid} of ${known.address} already`);
      await syncs.prepare();
      // The address of a peer with private ones is known once it is heard.
      const looksFor = wanted.targets.some(({ address }) => isPrivate(address));
      const found = { next: undefined as Pending<Target> | undefined };
      const listening = { intervalMs: scanIntervalMs, windowMs: scanWindowMs, phys: wanted.phys, active: false } as const;
      scan = await scanner.scan({ ...listening, duplicates: looksFor ? "report" : "once", signal }, (advertisement) => {
        if (found.next && isOneOf(wanted.targets, advertisement))
          found.next.resolve({ address: advertisement.address, sid: advertisement.sid! });
      });
      const whyEnded = (error: unknown): unknown => error ?? this.closed?.error ?? new StateError("the scan was stopped");
      scan.onEnd = (error) => {
        const reason = whyEnded(error);
        found.next?.reject(reason);
        attempt?.outcome.reject(reason);
      };
      for (;;) {
        if (scan.ended) throw whyEnded(scan.ended.error);
        if (looksFor) found.next = new Pending<Target>({ clock, operation: what, signal });
        const targets = found.next ? [await found.next.promise] : wanted.targets;
        if (this.closed) throw this.closed.error;
        attempt = this.#begin(targets, wanted.reception, signal, what, looksFor ? PRIVATE_ATTEMPT_MS : undefined);
        let isNextLook = false;
        try {
          return await attempt.outcome.promise;
        } catch (error) {
          isNextLook = error === ANOTHER_LOOK;
          if (signal.aborted || !(isNextLook || isNotHeard(error))) throw error;
        }
        await this.#finish(attempt);
        if (!isNextLook) await delay(clock, PAUSE_MS, { signal, name: "another try to synchronize" });
      }
    } finally {
      // The caller has its answer now; the turn is given back when the controller is free again.
      if (scan) scanner.abandon(scan);
      void this.#finish(attempt).then(() => turn[Symbol.dispose]());
    }
  }

  #checkAbilities({ targets, reception, phys }: Synchronization): void {
    const { port, radio } = this.#parts;
    const refuse = (what: string): never => {
      throw new UnsupportedError(`synchronize: the controller cannot ${what}`);
    };
    const supports = (declaration: unknown): boolean => port.supports(declaration as CommandDeclaration);
    if (!radio.abilities.isExtended || !port.hasLeFeature(LeFeature.LePeriodicAdvertising) || !supports(LePeriodicAdvertisingCreateSync))
      refuse("follow periodic advertising");
    if (targets.length > 1 && !supports(LeAddDeviceToPeriodicAdvertiserList)) refuse("look for several advertisers");
    if (!reception.receives && !supports(LeSetPeriodicAdvertisingReceiveEnable)) refuse("switch reports off");
    if (phys.every((phy) => phy === "coded") && !radio.abilities.hasCoded) refuse("listen on LE Coded");
  }

  #begin(
    targets: readonly Target[],
    reception: ReceptionParameters,
    signal: AbortSignal,
    operation: string,
    timeoutMs: number | undefined,
  ): SyncAttempt {
    const { clock, radio } = this.#parts;
    const attempt: SyncAttempt = {
      targets,
      reception,
      outcome: new Pending<PeriodicSync>({ clock, operation, signal, timeoutMs, timeoutError: () => ANOTHER_LOOK }),
      completed: undefined,
      discarding: undefined,
    };
    attempt.outcome.promise.catch(() => undefined); // it may be rejected before the caller's turn to look at it
    this.attempt = attempt;
    void radio.update();
    return attempt;
  }

  /** Resolves when the controller is not working on this attempt any more and nothing is left of it. */
  async #finish(attempt: SyncAttempt | undefined): Promise<void> {
    if (!attempt) return;
    if (this.attempt === attempt) this.attempt = undefined;
    await this.#parts.radio.update(); // an attempt that cannot be cancelled is tried again there, and stands in the way of the next one
    await attempt.discarding;
  }

  /** The controller says how an attempt ended, or that it has found what nobody asked for. */
  established({ status, handle, train }: Established): void {
    if (status !== HciErrorCode.Success) {
      this.#ended(status);
      return;
    }
    const { syncs } = this.#parts;
    const attempt = this.running;
    if (!attempt || !this.#isOf(attempt, train)) {
      void syncs.discard(handle); // of an attempt that was given up long ago, or nobody's
      return;
    }
    this.running = undefined;
    this.switch.ended();
    attempt.completed?.resolve();
    if (attempt.outcome.settled) attempt.discarding = syncs.discard(handle);
    else attempt.outcome.resolve(syncs.adopt(handle, train, attempt.reception));
  }

  #isOf({ targets }: SyncAttempt, { address, sid }: TrainInfo): boolean {
    return targets.some((target) => target.sid === sid && isSamePeer(target.address, address, this.#parts.resolve));
  }

  /** It ended without a synchronization. After a cancel the status is Operation Cancelled by Host, which is the answer to that and to nothing else. */
  #ended(status: number): void {
    const attempt = this.running;
    if (!attempt || (status === HciErrorCode.OperationCancelledByHost && !attempt.completed)) return;
    this.running = undefined;
    this.switch.ended();
    // Interrupted for something else: it goes on afterwards. An attempt that failed by itself does not.
    attempt.completed?.resolve();
    if (status !== HciErrorCode.OperationCancelledByHost)
      attempt.outcome.reject(new HciError({ status, command: LePeriodicAdvertisingCreateSync.name }));
  }

  /** Runs it while the controller is not told to synchronize; `undefined`: it is not anyhow. */
  interrupt(act: () => Promise<void>): Promise<void> | undefined {
    if (this.switch.state === "off") return undefined;
    const { radio } = this.#parts;
    const done = radio.inTurn(async () => {
      await this.turnOff();
      await act();
    });
    void radio.update();
    return done;
  }

  async turnOn(): Promise<void> {
    const attempt = this.attempt!;
    const { targets } = attempt;
    try {
      if (targets.length > 1) await this.#fillList(targets);
      attempt.completed = undefined;
      this.running = attempt;
      await this.switch.on(() => this.#create(attempt));
      if (this.switch.state === "on") this.running = attempt; // again, where a reset came between
    } catch (error) {
      if (this.switch.state === "off") this.running = undefined;
      if (isDisallowed(error)) this.switch.distrust(); // refused while another one is under way
      throw error;
    }
  }

  async #create({ targets, reception: { skip, syncTimeout, isFiltered, receives } }: SyncAttempt): Promise<void> {
    const { port } = this.#parts;
    const [{ address, sid } = { address: undefined, sid: 0 }] = targets.length > 1 ? [] : targets;
    const isFilteredThere = isFiltered && port.hasLeFeature(LeFeature.PeriodicAdvertisingAdiSupport);
    await port.send(LePeriodicAdvertisingCreateSync, {
      options: (address ? 0 : Option.List) | (receives ? 0 : Option.NotReceiving) | (isFilteredThere ? Option.NoDuplicates : 0),
      advertisingSid: sid,
      advertiserAddressType: address?.type ?? 0,
      advertiserAddress: address?.bytes ?? NO_ADDRESS,
      skip,
      syncTimeout,
      syncCteType: 0,
    });
  }

  /** Vol 4 Part E 7.8.70, 7.8.72. */
  async #fillList(targets: readonly Target[]): Promise<void> {
    const { port } = this.#parts;
    await port.send(LeClearPeriodicAdvertiserList, {});
    for (const { address, sid } of targets)
      await port.send(LeAddDeviceToPeriodicAdvertiserList, {
        advertiserAddressType: address.type,
        advertiserAddress: address.bytes,
        advertisingSid: sid,
      });
  }

  protected sendCancel(): Promise<unknown> {
    return this.#parts.port.send(LePeriodicAdvertisingCreateSyncCancel, {});
  }
}

/** In place of a timeout: the peer may have another address by now. */
const ANOTHER_LOOK = new StateError("not found under this address");

/** The first events of the train were not heard: it may go better at the next try. */
function isNotHeard(error: unknown): boolean {
  return (
    error instanceof HciError &&
    error.command === LePeriodicAdvertisingCreateSync.name &&
    error.status === HciErrorCode.ConnectionFailedToBeEstablished
  );
}

/** Whether an advertisement tells of one of them. */
function isOneOf(targets: readonly Target[], advertisement: Advertisement): boolean {
  if (advertisement.periodicIntervalMs === undefined || advertisement.isAnonymous) return false;
  const { address, identity } = advertisement;
  return targets.some(
    (target) => target.sid === advertisement.sid && (target.address.equals(address) || (identity?.equals(target.address) ?? false)),
  );
}
