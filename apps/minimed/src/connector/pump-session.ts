import { Deadline, delay, type OperationOptions, onAbort } from "jelling/async";
import {
  type Address,
  BleError,
  checkChoice,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOperation,
  optionNames,
} from "jelling/core";
import type { CgmFeature } from "../cgm/feature.ts";
import type { CgmStatus } from "../cgm/session.ts";
import type { SensorDetails } from "../cgm/specific-ops.ts";
import type { NextCalibration } from "../cgm/vendor.ts";
import type { LocalDateTime } from "../data/date-time.ts";
import { PumpDataError } from "../data/error.ts";
import type { PnpId } from "../data/standard.ts";
import { PumpError } from "../error.ts";
import type { HistoryBounds, HistoryPage, HistoryRange, HistorySource } from "../history/source.ts";
import type { AnnunciationStatus } from "../idd/annunciation-status.ts";
import type { HighLowSettings } from "../idd/command-reads.ts";
import type { IddFeatures } from "../idd/features.ts";
import type { IddStatus } from "../idd/status.ts";
import type { ActiveBasalRate, DisplayFormat, InsulinOnBoard, TherapyAlgorithmStates, TimeInRange } from "../idd/status-reader.ts";
import type { PumpChannel } from "./pump-channel.ts";
import { type BolusUnderWay, type CounterSelection, type CounterType, DeliveryReader, type InsulinAmounts } from "./readers/delivery.ts";
import { DeviceReader, type PumpDetails, type PumpInformation } from "./readers/device.ts";
import {
  type AlertLevels,
  GlucoseReader,
  type ReadingRange,
  readCgmFeature,
  type SensorCalibration,
  type SensorSession,
  type SessionStart,
} from "./readers/glucose.ts";
import { DEFAULT_PAGE_SIZE, HistoryReader, LARGEST_PAGE_SIZE, LARGEST_SEQUENCE_NUMBER } from "./readers/history.ts";
import { VENDOR_VALUE_NAMES, VendorReader, type VendorValue, type VendorValueName } from "./readers/vendor.ts";
import type { GlucoseReading, LatestGlucose, NoGlucoseValue } from "./reading.ts";
import { registerChanges } from "./session-changes.ts";
import { firstReads, type PumpSnapshot } from "./snapshot.ts";

export type { PumpInformation } from "./readers/device.ts";
export type { SensorSession } from "./readers/glucose.ts";
export type { PumpSnapshot } from "./snapshot.ts";

const DEFAULT_POLL_MS = 60_000;
const SHORTEST_POLL_MS = 1000;
const LONGEST_POLL_MS = 24 * 3600_000;
const LARGEST_U16 = 0xffff;

const HISTORY_OPTIONS = optionNames<HistoryRange>({ first: true, last: true, pageSize: true, order: true, signal: true, timeoutMs: true });
const RANGE_OPTIONS = optionNames<ReadingRange & OperationOptions>({
  fromOffsetMin: true,
  toOffsetMin: true,
  signal: true,
  timeoutMs: true,
});

/** Of `readings`. */
export interface PollOptions {
  readonly signal?: AbortSignal | undefined;
  /** 1 s to a day; a minute by default. */
  readonly pollMs?: number | undefined;
}
const POLL_OPTIONS = optionNames<PollOptions>({ signal: true, pollMs: true });

/** @throws {ArgumentError} */
export function checkPollMs(what: string, pollMs: number | undefined): void {
  if (pollMs !== undefined) checkMilliseconds(`${what}: pollMs`, pollMs, SHORTEST_POLL_MS, LONGEST_POLL_MS);
}

const CALIBRATION_OPTIONS = optionNames<{ readonly recordNumber?: number | undefined } & OperationOptions>({
  recordNumber: true,
  signal: true,
  timeoutMs: true,
});

/** @throws {ArgumentError} */
function checkedRange(
  what: string,
  options: ReadingRange & OperationOptions,
): { readonly range: ReadingRange; readonly terms: OperationOptions } {
  checkOperation(what, options, RANGE_OPTIONS);
  const { fromOffsetMin, toOffsetMin, ...terms } = options;
  if (toOffsetMin !== undefined) checkInteger(`${what}: toOffsetMin`, toOffsetMin, 0, LARGEST_U16);
  if (fromOffsetMin !== undefined) checkInteger(`${what}: fromOffsetMin`, fromOffsetMin, 0, toOffsetMin ?? LARGEST_U16);
  return { range: { fromOffsetMin, toOffsetMin }, terms };
}

/**
 * An authenticated pump. Everything here reads; nothing of the link, its attributes or its handles is to be had. Operations run one after the
 * other, and all of them fail once the session ends: with the link, with eight bad frames in a row, or when the pump no longer answers.
 *
 * What a pump has not, does not give at present (no sensor), or refuses to tell is undefined, which is no error. Numbers of unknown meaning
 * stay numbers. A malformed answer is a `PumpDataError`.
 */
export class PumpSession implements HistorySource {
  /** Identity of the pump; it names a person's device. */
  readonly identity: Address;
  readonly #channel: PumpChannel;
  readonly #device: DeviceReader;
  readonly #glucose: GlucoseReader;
  readonly #delivery: DeliveryReader;
  readonly #vendor: VendorReader;
  readonly #history: HistoryReader;

  /** Made by the connector, by `prepareSession`. */
  constructor(channel: PumpChannel, feature: CgmFeature | "unread" | undefined, delivery: DeliveryReader = new DeliveryReader(channel)) {
    this.identity = channel.identity;
    this.#channel = channel;
    this.#device = new DeviceReader(channel);
    this.#glucose = new GlucoseReader(channel, this.#device, feature);
    this.#delivery = delivery;
    this.#vendor = new VendorReader(channel);
    this.#history = new HistoryReader(channel, delivery);
    registerChanges(this, channel, delivery);
  }

  /** Why it is over; `undefined` while it is up. */
  get ended(): PumpError | undefined {
    return this.#channel.ended;
  }
  /** When anything came from the pump for the last time, on the connector's clock. */
  get heardAtMs(): number {
    return this.#channel.heardAtMs;
  }

  /** Calls `listener` once, when the session is over. */
  onEnded(listener: (reason: PumpError) => void): Disposable {
    checkFunction("PumpSession.onEnded", listener ?? null);
    return this.#channel.onEnded(listener);
  }

  // --- the device ---------------------------------------------------------------------------------------------------------------

  /** Device information; values the pump lacks are undefined. */
  readInformation(options: OperationOptions = {}): Promise<PumpInformation> {
    return this.#read("reading the device information", options, () => this.#device.information());
  }
  /** Name, appearance and numbers that are of no use to anything else. */
  readDetails(options: OperationOptions = {}): Promise<PumpDetails> {
    return this.#read("reading what else the pump says of itself", options, () => this.#device.details());
  }
  readPnpId(options: OperationOptions = {}): Promise<PnpId | undefined> {
    return this.#read("reading the PnP ID", options, () => this.#device.pnpId());
  }
  /** Charge of the pump's battery in percent, in coarse steps. */
  readBattery(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the battery", options, () => this.#device.battery());
  }
  /** Charge of the glucose sensor's transmitter in percent; undefined without one. */
  readTransmitterBattery(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the transmitter's battery", options, () => this.#device.transmitterBattery());
  }
  /** What the pump's display shows as date and time; undefined where it has no clock to read. Ages of readings rest on it. */
  readClock(options: OperationOptions = {}): Promise<LocalDateTime | undefined> {
    return this.#read("reading the pump's clock", options, () => this.#device.clock());
  }

  // --- glucose ------------------------------------------------------------------------------------------------------------------

  /** Start and run time, and what remains by the pump's clock, which is read as well. */
  readSensorSession(options: OperationOptions = {}): Promise<SensorSession> {
    return this.#read("reading the sensor session", options, () => this.#glucose.sensorSession());
  }
  /** The newest record, with trend and age. @throws {PumpError} ERR_PUMP_REFUSED the pump does not give it · ERR_PUMP_PROTOCOL none came · {PumpDataError} */
  readLatest(options: OperationOptions = {}): Promise<LatestGlucose> {
    return this.#read("reading the latest glucose", options, () => this.#glucose.latest());
  }
  /**
   * Records of the running sensor session, by time offset, ascending; empty where there are none, undefined where the pump does not give
   * ranges.
   *
   * @throws {ArgumentError} an offset that is not 0 to 65,535 · {PumpError} ERR_PUMP_PROTOCOL: too many came, or not all
   */
  async readReadings(options: ReadingRange & OperationOptions = {}): Promise<readonly (GlucoseReading | NoGlucoseValue)[] | undefined> {
    const { range, terms } = checkedRange("readReadings", options);
    return await this.#read("reading a range of glucose", terms, () => this.#glucose.readings(range));
  }
  /** How many records `readReadings` would give; undefined where the pump does not tell. @throws {ArgumentError} as `readReadings` */
  async countReadings(options: ReadingRange & OperationOptions = {}): Promise<number | undefined> {
    const { range, terms } = checkedRange("countReadings", options);
    return await this.#read("counting readings", terms, () => this.#glucose.count(range));
  }
  /** CGM Status: the sensor's state at a time offset. */
  readCgmStatus(options: OperationOptions = {}): Promise<CgmStatus | undefined> {
    return this.#read("reading the CGM status", options, () => this.#glucose.status());
  }
  /** What the CGM service can do; it is read when the session begins. undefined: the pump has no such value, or it could not be read yet. */
  get cgmFeature(): CgmFeature | undefined {
    return this.#glucose.feature;
  }
  /** What the sensor is, as far as the pump says. */
  readSensorDetails(options: OperationOptions = {}): Promise<SensorDetails | undefined> {
    return this.#read("reading the sensor details", options, () => this.#glucose.sensorDetails());
  }
  /** Levels of the CGM service's own alerts. Those of the pump are its high and low settings. */
  readAlertLevels(options: OperationOptions = {}): Promise<AlertLevels | undefined> {
    return this.#read("reading the alert levels", options, () => this.#glucose.alertLevels());
  }
  /** The latest calibration, or that of a record's number. @throws {ArgumentError} a number that is not 0 to 65,535 */
  async readCalibration(
    options: { readonly recordNumber?: number | undefined } & OperationOptions = {},
  ): Promise<SensorCalibration | undefined> {
    checkOperation("readCalibration", options, CALIBRATION_OPTIONS);
    const { recordNumber, ...terms } = options;
    if (recordNumber !== undefined) checkInteger("readCalibration: recordNumber", recordNumber, 0, LARGEST_U16);
    return await this.#read("reading the calibration", terms, () => this.#glucose.calibration(recordNumber));
  }
  /** Minutes between two readings. */
  readCommunicationInterval(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the communication interval", options, () => this.#glucose.communicationIntervalMin());
  }
  readCgmSessionId(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the sensor session's number", options, () => this.#glucose.sessionId());
  }

  /**
   * When a sensor session of that number began; undefined where the pump does not tell, as a 780G that answered with 0x80.
   *
   * @throws {ArgumentError} a number that is not 0 to 65,535
   */
  async readCgmSessionStart(sessionId: number, options: OperationOptions = {}): Promise<SessionStart | undefined> {
    checkInteger("readCgmSessionStart", sessionId, 0, LARGEST_U16);
    return await this.#read("reading the start of a sensor session", options, () => this.#glucose.sessionStart(sessionId));
  }

  // --- what is hardly known -----------------------------------------------------------------------------------------------------

  /**
   * Octets that nobody has explained, as the pump gives them; undefined where it does not. Nothing in this program asks for them or depends on
   * them. `sensorExpiration` and `sensorCalibrationTime` can only be had by subscribing, which this does, and waits a few seconds.
   *
   * @throws {ArgumentError} another name
   */
  async readVendorValue(name: VendorValueName, options: OperationOptions = {}): Promise<VendorValue | undefined> {
    checkChoice("readVendorValue", name, VENDOR_VALUE_NAMES);
    return await this.#read(`reading ${name}`, options, () => this.#vendor.value(name));
  }
  /** Minutes, of Time of Sensor Expiration, which was never seen. As `readVendorValue("sensorExpiration")`. */
  readSensorExpiration(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the sensor's expiration", options, () => this.#vendor.sensorExpirationMin());
  }
  /** When the next calibration is recommended, which was never seen. As `readVendorValue("nextCalibration")`. */
  readNextCalibration(options: OperationOptions = {}): Promise<NextCalibration | undefined> {
    return this.#read("reading the next calibration", options, () => this.#vendor.nextCalibration());
  }

  // --- insulin delivery ---------------------------------------------------------------------------------------------------------

  /** What the pump can do. It does not change, and is read once. */
  readFeatures(options: OperationOptions = {}): Promise<IddFeatures | undefined> {
    return this.#read("reading the pump's features", options, () => this.#delivery.features());
  }
  readStatus(options: OperationOptions = {}): Promise<IddStatus | undefined> {
    return this.#read("reading the pump's status", options, () => this.#delivery.status());
  }
  /** What the pump shows as an alarm; undefined: nothing. */
  readAnnunciation(options: OperationOptions = {}): Promise<AnnunciationStatus | undefined> {
    return this.#read("reading the annunciation", options, () => this.#delivery.annunciation());
  }
  readInsulinOnBoard(options: OperationOptions = {}): Promise<InsulinOnBoard | undefined> {
    return this.#read("reading the insulin on board", options, () => this.#delivery.insulinOnBoard());
  }
  readTimeInRange(options: OperationOptions = {}): Promise<TimeInRange | undefined> {
    return this.#read("reading the time in range", options, () => this.#delivery.timeInRange());
  }
  /** What closed loop and the suspensions before and on low are at. */
  readTherapy(options: OperationOptions = {}): Promise<TherapyAlgorithmStates | undefined> {
    return this.#read("reading the therapy algorithm's states", options, () => this.#delivery.therapyAlgorithmStates());
  }
  readBasalRate(options: OperationOptions = {}): Promise<ActiveBasalRate | undefined> {
    return this.#read("reading the basal rate", options, () => this.#delivery.basalRate());
  }
  /** Boluses that are being delivered; empty: none. */
  readBoluses(options: OperationOptions = {}): Promise<readonly BolusUnderWay[] | undefined> {
    return this.#read("reading the active boluses", options, () => this.#delivery.boluses());
  }
  readDisplayFormat(options: OperationOptions = {}): Promise<DisplayFormat | undefined> {
    return this.#read("reading the display format", options, () => this.#delivery.displayFormat());
  }
  /** Limits of the pump's high or low alerts through the day. @throws {ArgumentError} another type */
  async readHighLowSettings(type: "high" | "low", options: OperationOptions = {}): Promise<HighLowSettings | undefined> {
    checkChoice("readHighLowSettings", type, ["high", "low"]);
    return await this.#read(`reading the ${type} settings`, options, () => this.#delivery.highLowSettings(type));
  }
  /** IU of the day so far. */
  readTotalDailyInsulin(options: OperationOptions = {}): Promise<(InsulinAmounts & { readonly sumIu: number | undefined }) | undefined> {
    return this.#read("reading the total daily insulin", options, () => this.#delivery.totalDailyInsulin());
  }
  /** IU of the pump's life. */
  readDeliveredInsulin(options: OperationOptions = {}): Promise<InsulinAmounts | undefined> {
    return this.#read("reading the delivered insulin", options, () => this.#delivery.deliveredInsulin());
  }
  /** Minutes that one of the pump's counters has run, or has left. @throws {ArgumentError} another counter */
  async readCounter(type: CounterType, selection: CounterSelection, options: OperationOptions = {}): Promise<number | undefined> {
    checkChoice("readCounter: type", type, ["lifetime", "warranty", "loaner", "reservoir"]);
    checkChoice("readCounter: selection", selection, ["remaining", "elapsed"]);
    return await this.#read("reading a counter", options, () => this.#delivery.counter(type, selection));
  }
  /** IU. */
  readMaximumBolus(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the maximum bolus", options, () => this.#delivery.maximumBolusIu());
  }
  /** Hours until a new sensor gives readings; a 780G does not tell. */
  readSensorWarmUp(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the warm-up time", options, () => this.#delivery.sensorWarmUpHours());
  }
  /** Which calibration icon the pump shows, as a number; a 780G does not tell. */
  readCalibrationIcon(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the calibration icon", options, () => this.#delivery.calibrationIcon());
  }
  /** Minutes; a 780G does not tell. */
  readEarlyCalibrationTime(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#read("reading the early calibration time", options, () => this.#delivery.earlyCalibrationMin());
  }

  // --- history ------------------------------------------------------------------------------------------------------------------

  historyBounds(options: OperationOptions = {}): Promise<HistoryBounds | undefined> {
    return this.#read("asking for the history's bounds", options, () => this.#history.bounds());
  }

  /**
   * Pages of a range, or of all from `first` on; other reads get their turn between two of them. None where the pump has no history. A transfer that
   * is cut short gives the part of its page that is whole, then throws.
   *
   * @throws {ArgumentError} · {TimeoutError} nothing came for 10 s in the middle of a transfer, which was aborted; the session goes on, unless the
   * pump does not answer that either · {PumpError} ERR_PUMP_PROTOCOL: a part was lost, more came than was asked for, or, where that was all from a number
   * on, numbers fell · ERR_PUMP_REFUSED: also where the pump gives ranges only · ERR_PUMP_SESSION_ENDED · `signal.reason`, the pump being told to stop
   * behind the caller's back
   */
  history(range: HistoryRange): AsyncGenerator<HistoryPage, void> {
    checkOperation("history", range ?? null, HISTORY_OPTIONS);
    const { first, last, pageSize = DEFAULT_PAGE_SIZE, order = "newest" } = range;
    if (last !== undefined) checkInteger("history: last", last, 0, LARGEST_SEQUENCE_NUMBER);
    checkInteger("history: first", first, 0, last ?? LARGEST_SEQUENCE_NUMBER);
    checkInteger("history: pageSize", pageSize, 1, LARGEST_PAGE_SIZE);
    checkChoice("history: order", order, ["newest", "oldest"]);
    return this.#history.pages({ ...range, pageSize, order });
  }

  // --- several of them ----------------------------------------------------------------------------------------------------------

  /**
   * The first reads: device information, battery, sensor session, latest glucose. The limit is for all of them. What cannot be read is among the
   * `problems`.
   *
   * @throws {PumpError} ERR_PUMP_SESSION_ENDED · {TimeoutError} · `signal.reason`
   */
  async readSnapshot(options: OperationOptions = {}): Promise<PumpSnapshot> {
    checkOperation("the first reads", options);
    using deadline = new Deadline({ clock: this.#channel.clock, operation: "the first reads", ...options });
    const { signal } = deadline;
    const read = await firstReads(this, signal);
    return { ...read, atMs: this.#channel.clock.now(), feature: this.#glucose.feature };
  }

  /**
   * Each new reading, asked for every `pollMs` (a minute by default): the pump does not send them by itself. Begins with the present one. One that
   * cannot be read is told in the log, and asked for again the next time.
   *
   * @throws {ArgumentError} · {PumpError} ERR_PUMP_SESSION_ENDED · `signal.reason` once `signal` aborts
   */
  readings(options: PollOptions = {}): AsyncGenerator<LatestGlucose, void> {
    checkOperation("readings", options, POLL_OPTIONS);
    checkPollMs("readings", options.pollMs);
    return this.#readings(options);
  }

  async *#readings({ signal, pollMs = DEFAULT_POLL_MS }: PollOptions): AsyncGenerator<LatestGlucose, void> {
    const { clock, signal: ending } = this.#channel;
    const over = new AbortController();
    using _user = onAbort(signal, () => over.abort(signal?.reason));
    using _end = onAbort(ending, () => over.abort(ending.reason));
    let last = "";
    for (;;) {
      const latest = await this.#latestIfAny(signal);
      if (latest) {
        const key = latest.kind === "no-sensor" ? latest.kind : `${latest.kind} ${latest.timeOffsetMin}`;
        if (key !== last) yield latest;
        last = key;
      }
      signal?.throwIfAborted();
      await delay(clock, pollMs, { signal: over.signal });
    }
  }

  async #latestIfAny(signal: AbortSignal | undefined): Promise<LatestGlucose | undefined> {
    try {
      return await this.readLatest({ signal });
    } catch (error) {
      if (signal?.aborted || this.ended || !(error instanceof BleError)) throw error;
      this.#channel.logger.warn(() => `reading the latest glucose: ${error.message}`);
      return undefined;
    }
  }

  /** Ends the session and the link. The connector then waits for the pump to come back. @throws the controller does not take the link down */
  disconnect(): Promise<void> {
    return this.#channel.disconnect();
  }

  async #read<T>(operation: string, options: OperationOptions, run: () => Promise<T>): Promise<T> {
    checkOperation(operation, options);
    return await this.#channel.exclusively(operation, options, run);
  }
}

/**
 * Gets an authenticated link ready for reading: where its values are, what its services can do, and its subscriptions.
 * What they can do is asked for again, where it is needed and was damaged.
 *
 * @param options.needsGlucose a phone's pump has CGM Feature, or it is no pump; what an uploader is offered is not known
 */
export async function prepareSession(channel: PumpChannel, { needsGlucose }: { needsGlucose: boolean }): Promise<PumpSession> {
  let feature: CgmFeature | "unread" | undefined;
  const delivery = new DeliveryReader(channel);
  const orLater = async (read: () => Promise<void>): Promise<void> => {
    try {
      await read();
    } catch (error) {
      const isOfTheValue = error instanceof PumpDataError || (error instanceof PumpError && error.code === "ERR_PUMP_REFUSED");
      if (!isOfTheValue) throw error;
      channel.logger.warn(() => error.message);
    }
  };
  await channel.prepare(async () => {
    if (needsGlucose || channel.has("cgmFeature")) {
      feature = "unread";
      await orLater(async () => {
        feature = await readCgmFeature(channel);
      });
    }
    await orLater(async () => void (await delivery.features()));
  });
  return new PumpSession(channel, feature, delivery);
}
