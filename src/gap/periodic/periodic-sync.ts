import { Broadcast, type Flow } from "../../async/broadcast.ts";
import type { Address } from "../../core/address.ts";
import { checkBoolean, checkChoice, checkInteger, checkOptions, checkSignal, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, StateError, UnsupportedError } from "../../core/error.ts";
import { LeSetPeriodicAdvertisingResponseData, LeSetPeriodicSyncSubevent } from "../../hci/commands/le-periodic-advertising.ts";
import { LePeriodicAdvertisingSyncTransfer, LeSetPeriodicAdvertisingReceiveEnable } from "../../hci/commands/le-periodic-sync.ts";
import type { CommandDeclaration } from "../../hci/declare.ts";
import { HciError, HciErrorCode } from "../../hci/error.ts";
import type { LePeriodicAdvertisingReport, LePeriodicAdvertisingReportV2 } from "../../hci/events/le-periodic-advertising.ts";
import { LeFeature } from "../../hci/features.ts";
import { AdvertisingData, type AdvertisingDataLike } from "../advertising-data.ts";
import { MAX_ADVERTISING_DATA_OCTETS } from "../radio-abilities.ts";
import { DataPieces } from "./data-pieces.ts";
import { MAX_SUBEVENTS } from "./periodic-options.ts";
import type { PeriodicPort, SyncLink } from "./periodic-port.ts";
import { ReportStatus, valueOrUndefined } from "./report-values.ts";
import { SyncLostError } from "./sync-lost-error.ts";
import { transferSync } from "./sync-transfer.ts";
import type { SyncSubevents, TrainInfo } from "./train-info.ts";

/** Reports kept for a loop that is behind, and for one that has not begun; then the oldest are lost. */
const CAPACITY = 256;
const BACKLOG = 32;
/** Octets of a response in one command: 255 less its head (Vol 4 Part E 7.8.126). */
const RESPONSE_OCTETS = 247;
const NO_SUBEVENT = 0xff;
/** Bit of Periodic_Advertising_Properties. */
const INCLUDE_TX_POWER = 0x40;
/** Bits of Enable of HCI_LE_Set_Periodic_Advertising_Receive_Enable. */
const REPORTS = 1;
const NO_DUPLICATES = 2;
const SIGNAL_OPTION = optionNames<{ signal?: AbortSignal | undefined }>({ signal: true });
const SUBEVENT_OPTIONS = optionNames<{ includeTxPower?: boolean | undefined }>({ includeTxPower: true });
const RESPONSE_OPTIONS = optionNames<PeriodicAnswer>({ to: true, subevent: true, slot: true, data: true });

/** What was received in one periodic advertising event, or in one of its subevents. */
export interface PeriodicReport {
  /** "truncated": there was more than was received; "missed": the subevent was not heard. */
  readonly status: "complete" | "truncated" | "missed";
  /** Empty where it was missed. */
  readonly data: AdvertisingData;
  readonly rssiDbm: number | undefined;
  readonly txPowerDbm: number | undefined;
  /** Number of the event, 0 to 0xFFFF, where the controller tells (periodic advertising with responses). */
  readonly eventCounter: number | undefined;
  /** Where it was received; `undefined` without subevents. */
  readonly subevent: number | undefined;
}

/** A response to what was received. */
export interface PeriodicAnswer {
  /** What is answered. */
  readonly to: PeriodicReport;
  /** In whose slots; by default those of the subevent that is answered. */
  readonly subevent?: number | undefined;
  readonly slot: number;
  /** At most 247 octets: what one HCI command holds. */
  readonly data: AdvertisingDataLike;
}

/** Why a synchronization is over. */
export interface SyncEnded {
  /** "stopped" by the program, or because the device closed; "lost" with the train or the controller. */
  readonly reason: "stopped" | "lost";
  readonly error: SyncLostError | undefined;
}

interface PeriodicSyncParts {
  readonly port: PeriodicPort;
  readonly handle: number;
  readonly train: TrainInfo;
  /** Who sends it, where its address tells or its key is known. */
  readonly identity: Address | undefined;
  readonly receives: boolean;
  readonly isFiltered: boolean;
  /** Has the controller end it; resolves when it has. */
  readonly terminate: () => Promise<void>;
}

/** Made by the synchronizer, and by nobody else. */
export let createPeriodicSync: (parts: PeriodicSyncParts) => PeriodicSync;
/** What the synchronizer tells it. */
export let periodicSyncInside: {
  report(sync: PeriodicSync, report: LePeriodicAdvertisingReport & Partial<LePeriodicAdvertisingReportV2>): void;
  end(sync: PeriodicSync, reason: SyncEnded["reason"], cause?: unknown): void;
};

/** A periodic advertising that the controller follows, until it is stopped or lost. */
export class PeriodicSync implements AsyncDisposable {
  /** Sync handle of the controller. */
  readonly handle: number;
  /** The advertiser's address, as it was when the controller found it. */
  readonly address: Address;
  /** Who sends it, where the address tells or its key is known. */
  readonly identity: Address | undefined;
  /** Advertising Set Identifier. */
  readonly sid: number;
  readonly phy: "1M" | "2M" | "coded";
  readonly intervalMs: number;
  readonly clockAccuracyPpm: number;
  /** Subevents of periodic advertising with responses; `undefined` where there are none. */
  readonly subevents: SyncSubevents | undefined;
  /** Resolves when it is over, with the reason; never rejects. */
  readonly closed: Promise<SyncEnded>;
  readonly #port: PeriodicPort;
  readonly #terminate: () => Promise<void>;
  readonly #reports = new Broadcast<PeriodicReport>();
  /** For the first loop. */
  #backlog: PeriodicReport[] | undefined = [];
  readonly #pieces = new DataPieces({ mostOctets: MAX_ADVERTISING_DATA_OCTETS, most: MAX_SUBEVENTS });
  /** The event that pieces are of, by subevent. */
  readonly #counters = new Map<number, number>();
  /** What was told last, by subevent, where duplicates are filtered. */
  readonly #told = new Map<number, Uint8Array>();
  #receives: boolean;
  #isFiltered: boolean;
  #ended: SyncEnded | undefined;
  #resolveClosed!: (ended: SyncEnded) => void;

  static {
    createPeriodicSync = (parts) => new PeriodicSync(parts);
    periodicSyncInside = { report: (sync, report) => sync.#onReport(report), end: (sync, reason, cause) => sync.#end(reason, cause) };
  }

  private constructor({ port, handle, train, identity, receives, isFiltered, terminate }: PeriodicSyncParts) {
    this.#port = port;
    this.handle = handle;
    this.address = train.address;
    this.identity = identity;
    this.sid = train.sid;
    this.phy = train.phy;
    this.intervalMs = train.intervalMs;
    this.clockAccuracyPpm = train.clockAccuracyPpm;
    this.subevents = train.subevents;
    this.#receives = receives;
    this.#isFiltered = isFiltered;
    this.#terminate = terminate;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** It is neither stopped nor lost. */
  get active(): boolean {
    return this.#ended === undefined;
  }
  /** Why it is over; `undefined` while it is not. */
  get ended(): SyncEnded | undefined {
    return this.#ended;
  }
  /** Whether reports are told. */
  get receiving(): boolean {
    return this.#receives;
  }

  /**
   * What is received, as a loop; those that came before the first one included. It ends where the program stops the synchronization, and throws
   * a SyncLostError where it is lost. A loop 256 reports behind loses the oldest.
   */
  reports(options: { signal?: AbortSignal | undefined } = {}): Flow<PeriodicReport> {
    checkOptions("reports", options, SIGNAL_OPTION);
    checkSignal("reports: signal", options.signal);
    const subscription = this.#reports.subscribe({ capacity: CAPACITY, signal: options.signal });
    for (const report of this.#backlog ?? []) subscription.push(report);
    this.#backlog = undefined;
    return subscription;
  }

  /**
   * Switches reports off or on; it is followed all the while.
   *
   * @throws {UnsupportedError} the controller cannot
   * @throws {SyncLostError} it is lost · {StateError} it was stopped
   * @throws {HciError} the controller refuses
   */
  async setReceiving(on: boolean, options: { duplicates?: "report" | "filter" | undefined } = {}): Promise<void> {
    checkBoolean("setReceiving", on ?? null);
    checkOptions("setReceiving", options, new Set(["duplicates"]));
    const { duplicates } = options;
    if (duplicates !== undefined) checkChoice("setReceiving: duplicates", duplicates, ["report", "filter"]);
    const isFiltered = duplicates === undefined ? this.#isFiltered : duplicates === "filter";
    const isControllers = isFiltered && this.#port.hasLeFeature(LeFeature.PeriodicAdvertisingAdiSupport);
    const enable = (on ? REPORTS : 0) | (on && isControllers ? NO_DUPLICATES : 0);
    await this.#ask(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle: this.handle, enable });
    this.#receives = on;
    this.#isFiltered = isFiltered;
    this.#told.clear();
  }

  /**
   * Has the peer of a link follow it too, without scanning (Periodic Advertising Sync Transfer).
   *
   * @param serviceData 0 to 0xFFFF, for the program at the other end
   * @throws {UnsupportedError} this controller or the peer's cannot
   * @throws {SyncLostError} it is lost · {StateError} it was stopped
   * @throws {DisconnectedError} the link is lost
   * @throws {HciError} the controller refuses
   */
  async transferTo(connection: SyncLink, serviceData = 0): Promise<void> {
    this.#throwIfEnded();
    const parameters = { connectionHandle: connection.handle, serviceData, syncHandle: this.handle };
    await transferSync(this.#port, connection, serviceData, {
      name: LePeriodicAdvertisingSyncTransfer.name,
      send: () => this.#ask(LePeriodicAdvertisingSyncTransfer, parameters),
    });
  }

  /**
   * Which subevents are listened to; none before the first call (Vol 4 Part E 7.8.127).
   *
   * @param options.includeTxPower responses carry the transmit power
   * @throws {ArgumentError} there are none, or not these
   * @throws {UnsupportedError} the controller cannot
   * @throws {SyncLostError} it is lost · {StateError} it was stopped
   * @throws {HciError} the controller refuses
   */
  async selectSubevents(subevents: readonly number[], options: { includeTxPower?: boolean | undefined } = {}): Promise<void> {
    const { count } = this.#checkSubevents("selectSubevents");
    checkOptions("selectSubevents", options, SUBEVENT_OPTIONS);
    checkBoolean("selectSubevents: includeTxPower", options.includeTxPower);
    if (!Array.isArray(subevents)) throw new ArgumentError(`selectSubevents: expected an array of numbers, got ${kindOf(subevents)}`);
    const selected = [...new Set((subevents as readonly number[]).map((subevent) => checkInteger("subevent", subevent, 0, count - 1)))];
    if (selected.length === 0) throw new ArgumentError("selectSubevents: expected at least one subevent");
    await this.#ask(LeSetPeriodicSyncSubevent, {
      syncHandle: this.handle,
      periodicAdvertisingProperties: options.includeTxPower ? INCLUDE_TX_POWER : 0,
      subevents: selected,
    });
  }

  /**
   * Answers in a response slot (Vol 4 Part E 7.8.126). The slot of the answered subevent comes soon: answer in the loop that reads it.
   *
   * @throws {ArgumentError} no subevents, no such one, or data that do not fit
   * @throws {UnsupportedError} the controller cannot
   * @throws {SyncLostError} it is lost · {StateError} it was stopped
   * @throws {HciError} the controller refuses: Too Late (0x46) where the slot is over
   */
  async respond(answer: PeriodicAnswer): Promise<void> {
    const { count } = this.#checkSubevents("respond");
    checkOptions("respond", answer ?? null, RESPONSE_OPTIONS);
    const { to, slot, data } = answer;
    if (typeof to?.eventCounter !== "number" || typeof to.subevent !== "number")
      throw new ArgumentError('respond: to: expected a report of a subevent, with "eventCounter" and "subevent"');
    const responseData = AdvertisingData.from(data, RESPONSE_OCTETS).bytes;
    await this.#ask(LeSetPeriodicAdvertisingResponseData, {
      syncHandle: this.handle,
      requestEvent: checkInteger("respond: to: eventCounter", to.eventCounter, 0, 0xffff),
      requestSubevent: checkInteger("respond: to: subevent", to.subevent, 0, count - 1),
      responseSubevent: checkInteger("respond: subevent", answer.subevent ?? to.subevent, 0, count - 1),
      responseSlot: checkInteger("respond: slot", slot, 0, 0xff),
      responseData,
    });
  }

  #checkSubevents(what: string): SyncSubevents {
    if (!this.subevents) throw new ArgumentError(`${what}: this periodic advertising has no subevents`);
    return this.subevents;
  }

  /** A command about it. One that fails because it is over fails with that. */
  async #ask<P, R>(declaration: CommandDeclaration<P, R>, parameters: NoInfer<P>): Promise<R> {
    this.#throwIfEnded();
    if (!this.#port.supports(declaration as unknown as CommandDeclaration))
      throw new UnsupportedError(`the controller cannot do this (no ${declaration.name})`);
    try {
      return await this.#port.send(declaration, parameters);
    } catch (error) {
      // What it does not know it does not follow any more; a SyncLost event may have been lost itself.
      if (error instanceof HciError && error.status === HciErrorCode.UnknownAdvertisingIdentifier) this.#end("lost", error);
      this.#throwIfEnded();
      throw error;
    }
  }

  #throwIfEnded(): void {
    if (this.#ended) throw this.#ended.error ?? new StateError("this synchronization was stopped");
  }

  #onReport(event: LePeriodicAdvertisingReport & Partial<LePeriodicAdvertisingReportV2>): void {
    if (this.#ended || !this.#receives) return;
    const { dataStatus, data, periodicEventCounter: eventCounter, subevent: key = NO_SUBEVENT } = event;
    if (eventCounter !== undefined && this.#counters.get(key) !== eventCounter) {
      this.#pieces.drop(key); // the end of another event's never came
      this.#counters.set(key, eventCounter);
    }
    if (dataStatus === ReportStatus.MoreToCome) {
      this.#pieces.add(key, data);
      return;
    }
    const about = {
      rssiDbm: valueOrUndefined(event.rssi),
      txPowerDbm: valueOrUndefined(event.txPower),
      eventCounter,
      subevent: key === NO_SUBEVENT ? undefined : key,
    };
    if (dataStatus === ReportStatus.Missed) {
      this.#pieces.drop(key);
      this.#publish({ status: "missed", data: AdvertisingData.empty, ...about });
      return;
    }
    const whole = this.#pieces.finish(key, data);
    const status = whole.isOverfull || dataStatus === ReportStatus.Truncated ? "truncated" : "complete";
    if (this.#isFiltered && status === "complete") {
      if (isSame(this.#told.get(key), whole.data)) return;
      this.#told.set(key, whole.data);
    }
    this.#publish({ status, data: new AdvertisingData(whole.data), ...about });
  }

  #publish(report: PeriodicReport): void {
    this.#reports.publish(report);
    if (!this.#backlog) return;
    if (this.#backlog.length === BACKLOG) this.#backlog.shift();
    this.#backlog.push(report);
  }

  #end(reason: SyncEnded["reason"], cause?: unknown): void {
    if (this.#ended) return;
    const error = reason === "stopped" ? undefined : new SyncLostError(this, cause === undefined ? {} : { cause });
    this.#ended = { reason, error };
    this.#backlog = undefined;
    this.#told.clear();
    this.#reports.close(error);
    this.#resolveClosed(this.#ended);
  }

  /**
   * Ends it. No report follows, from the call on. While this rejects the controller may still follow it: ending it is tried again, and where that
   * never succeeds the controller is reset.
   *
   * @throws {HciError} the controller refuses
   * @throws {TimeoutError} the controller does not answer
   */
  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#end("stopped");
    await this.#terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((octet, i) => octet === b[i]);
}
