import { Pending } from "jelling/async";
import { AttError, AttErrorCode } from "jelling/att";
import { type CgmFeature, decodeCgmFeature } from "../../cgm/feature.ts";
import { MeasurementAssembler } from "../../cgm/fragments.ts";
import { type CgmMeasurement, decodeCgmMeasurement } from "../../cgm/measurement.ts";
import {
  decodeRecordAccessResponse,
  FILTER_TIME_OFFSET,
  RecordAccessOpcode,
  RecordAccessOperator,
  type RecordAccessResponse,
} from "../../cgm/record-access.ts";
import {
  type CgmStatus,
  decodeCgmStatus,
  decodeSessionRunTime,
  decodeSessionStartTime,
  remainingSessionSeconds,
  type SessionStartTime,
} from "../../cgm/session.ts";
import {
  type CalibrationValue,
  decodeSpecificOpsResponse,
  type SensorDetails,
  SpecificOpsOpcode,
  type SpecificOpsResponse,
} from "../../cgm/specific-ops.ts";
import type { LocalDateTime } from "../../data/date-time.ts";
import { PumpDataError } from "../../data/error.ts";
import { PumpError } from "../../error.ts";
import type { PumpChannel } from "../pump-channel.ts";
import { claimedAtMs, type GlucoseReading, type LatestGlucose, type NoGlucoseValue, type ReadingTimes, readingOf } from "../reading.ts";
import type { DeviceReader } from "./device.ts";
import { orNone, refused } from "./refusal.ts";
import { transfer } from "./transfer.ts";

/** A record may come behind the response that ends its transfer. */
const LATE_RECORD_MS = 1000;
/** Clocks are read to the second; more than that is another session. */
const FUTURE_MS = 60_000;
/** A record that is new is hardly older: the pump's clock was set, or another session runs. */
const OLD_MS = 15 * 60_000;
/** One record was asked for. A pump that sends on and on is stopped. */
const MOST_LATEST = 16;
/** Beyond one a minute of the range that was asked for. */
const MOST_EXTRA = 16;
const LATEST_RECORD = Uint8Array.of(RecordAccessOperator.Last);
/** Which calibration record: the latest. */
const LATEST_CALIBRATION = 0xffff;
const ABORT = { opcode: RecordAccessOpcode.Abort, operand: Uint8Array.of(RecordAccessOperator.Null) };
const SPECIFIC_OPS_RESPONSE_OFFSET = 1;
const LARGEST_OFFSET_MIN = 0xffff;

/** Times of the sensor's session; all undefined while none runs. */
export interface SensorSession {
  readonly start: SessionStartTime | undefined;
  readonly runTimeHours: number | undefined;
  /** By the pump's clock. Negative after its end; undefined without that clock. */
  readonly remainingMs: number | undefined;
}

/** Levels at which the CGM service alerts; each undefined where the pump does not give it. */
export interface AlertLevels {
  readonly patientHighMgdl: number | undefined;
  readonly patientLowMgdl: number | undefined;
  readonly hypoMgdl: number | undefined;
  readonly hyperMgdl: number | undefined;
  /** mg/dL a minute. */
  readonly rateOfDecrease: number | undefined;
  /** mg/dL a minute. */
  readonly rateOfIncrease: number | undefined;
}

/** The latest calibration, and what the sensor makes of it; either undefined where the pump does not give it. */
export interface SensorCalibration {
  readonly value: CalibrationValue | undefined;
  readonly context:
    | {
        readonly changeSensorNeeded: boolean;
        readonly noFurtherCalibrations: boolean;
        readonly statusBits: number;
        readonly calibrationFactor: number;
      }
    | undefined;
}

/** When a sensor's session began, by the pump's number of it. */
export interface SessionStart {
  readonly sessionId: number;
  readonly start: SessionStartTime;
}

/** Minutes since the sensor's session began, both included; without one of them the range is open on that side. */
export interface ReadingRange {
  readonly fromOffsetMin?: number | undefined;
  readonly toOffsetMin?: number | undefined;
}

/** Reads the CGM service of a pump. What the pump has not, or does not give at present, is undefined. Within an operation of the channel. */
export class GlucoseReader {
  #feature: CgmFeature | "unread" | undefined;
  readonly #channel: PumpChannel;
  readonly #device: DeviceReader;
  readonly #assembler = new MeasurementAssembler();
  #records: CgmMeasurement[] = [];
  #onRecord: (() => void) | undefined;
  /** Why a record of the last transfer could not be read. */
  #unreadable: PumpDataError | undefined;
  #sensorStart: LocalDateTime | undefined;
  #lastOffsetMin = 0;

  /** @param feature undefined: the pump has no CGM Feature; "unread": it was not to be had yet */
  constructor(channel: PumpChannel, device: DeviceReader, feature: CgmFeature | "unread" | undefined) {
    this.#channel = channel;
    this.#device = device;
    this.#feature = feature;
    channel.onMeasurement = (plaintext) => this.#onMeasurement(plaintext);
  }

  /** undefined: the pump has no CGM Feature, or it could not be read yet. */
  get feature(): CgmFeature | undefined {
    return this.#feature === "unread" ? undefined : this.#feature;
  }

  get #protection(): { readonly e2eCrc: boolean } {
    return { e2eCrc: this.feature?.e2eCrc ?? true };
  }

  /** CGM Feature says in which form the values of the service come. @throws {PumpDataError} it is damaged · {PumpError} ERR_PUMP_REFUSED */
  async #ready(): Promise<{ readonly e2eCrc: boolean }> {
    if (this.#feature === "unread") this.#feature = await readCgmFeature(this.#channel);
    return this.#protection;
  }

  /** @throws {PumpDataError} start or run time is malformed; the other of them was read all the same */
  async sensorSession(): Promise<SensorSession> {
    const { e2eCrc } = await this.#ready();
    // Its user may have set it since: what is left of a session is counted on it. One that is malformed is told where the clock itself is asked for.
    await this.#orProblem(() => this.#device.clock());
    const start = await this.#orProblem(() =>
      this.#channel.optional("cgmSessionStartTime", async () =>
        decodeSessionStartTime(await this.#channel.readSealed("cgmSessionStartTime"), { e2eCrc }),
      ),
    );
    if (!(start instanceof PumpDataError)) this.#sensorStart = start?.local;
    const runTimeHours = await this.#channel.optional("cgmSessionRunTime", async () =>
      decodeSessionRunTime(await this.#channel.readPlain("cgmSessionRunTime"), { e2eCrc }),
    );
    if (start instanceof PumpDataError) throw start;
    const clock = this.#device.lastClock;
    const remainingMs =
      clock && start?.local && runTimeHours !== undefined
        ? 1000 * remainingSessionSeconds(start.local, runTimeHours, clock.local) - (this.#channel.clock.now() - clock.atMs)
        : undefined;
    return { start, runTimeHours, remainingMs };
  }

  /** What is malformed, where something else can do without it: what is wrong with it, which is logged. */
  async #orProblem<T>(read: () => Promise<T>): Promise<T | PumpDataError> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      this.#channel.logger.warn(() => error.message);
      return error;
    }
  }

  /** Whether the pump offers records at all: one that takes us for an uploader need not. */
  get #isServed(): boolean {
    return this.#channel.has("cgmMeasurement") && this.#channel.has("cgmRecordAccess");
  }

  /** @throws {PumpError} ERR_PUMP_REFUSED, ERR_PUMP_PROTOCOL */
  async latest(): Promise<LatestGlucose> {
    if (!this.#isServed) return { kind: "no-sensor", receivedAtMs: this.#channel.clock.now(), isOffered: false };
    await this.#ready();
    // A reading without its time is worth more than none.
    if (!this.#sensorStart) await this.#orProblem(() => this.sensorSession());
    const response = await this.#report(LATEST_RECORD, MOST_LATEST);
    const receivedAtMs = this.#channel.clock.now();
    if (response === undefined || response === "no_records_found") return { kind: "no-sensor", receivedAtMs };
    if (response !== "success") throw refused("the latest glucose", response);
    if (this.#records.length === 0) await this.#lateRecord();
    const record = this.#records.at(-1);
    if (!record && this.#unreadable) throw this.#unreadable;
    if (!record) throw new PumpError("ERR_PUMP_PROTOCOL", "The pump said it sent its latest record, but none came that could be read.");
    // A smaller offset than before, or one in the future, is another sensor session's: its start is not the one we know. So may be a new one of long ago.
    const takenAtMs = claimedAtMs(record, this.#times(receivedAtMs)) ?? receivedAtMs;
    const isOld = record.timeOffsetMin > this.#lastOffsetMin && takenAtMs < receivedAtMs - OLD_MS;
    const isOther = record.timeOffsetMin < this.#lastOffsetMin || takenAtMs > receivedAtMs + FUTURE_MS || isOld;
    this.#lastOffsetMin = record.timeOffsetMin;
    if (isOther) {
      this.#sensorStart = undefined; // nor is it where the new one cannot be read
      await this.#orProblem(() => this.sensorSession());
    }
    return readingOf(record, this.#times(receivedAtMs));
  }

  /**
   * By time offset, ascending; undefined where the pump does not give ranges.
   *
   * @throws {PumpError} ERR_PUMP_PROTOCOL · {PumpDataError} one of them cannot be read: what is left is not all
   */
  async readings({ fromOffsetMin, toOffsetMin }: ReadingRange): Promise<(GlucoseReading | NoGlucoseValue)[] | undefined> {
    if (!this.#isServed) return undefined;
    await this.#ready();
    if (!this.#sensorStart) await this.#orProblem(() => this.sensorSession());
    const last = toOffsetMin ?? LARGEST_OFFSET_MIN;
    const response = await this.#report(rangeOf(fromOffsetMin, toOffsetMin), last - (fromOffsetMin ?? 0) + 1 + MOST_EXTRA);
    const receivedAtMs = this.#channel.clock.now();
    if (response === "no_records_found") return [];
    if (response !== "success") {
      this.#channel.logger.info(() => `the pump does not give a range of readings: ${response ?? "it does not take the request"}`);
      return undefined;
    }
    if (this.#records.length === 0) await this.#lateRecord();
    if (this.#unreadable) throw this.#unreadable;
    return this.#records.map((record) => readingOf(record, this.#times(receivedAtMs))).sort((a, b) => a.timeOffsetMin - b.timeOffsetMin);
  }

  /** How many records a range has; undefined where the pump does not tell. */
  async count({ fromOffsetMin, toOffsetMin }: ReadingRange): Promise<number | undefined> {
    if (!this.#isServed) return undefined;
    const request = { opcode: RecordAccessOpcode.Count, operand: rangeOf(fromOffsetMin, toOffsetMin), e2eCrc: false };
    const response = await orNone(this.#channel, "the number of readings", () =>
      this.#channel.exchange("cgmRecordAccess", request, (plaintext) => {
        const answer = decodeRecordAccessResponse(plaintext);
        return answer.kind === "response_code" && answer.requestOpcode !== RecordAccessOpcode.Count ? undefined : answer;
      }),
    );
    if (response?.kind === "number_of_records") return response.count;
    if (response?.code === "no_records_found") return 0;
    if (response) this.#channel.logger.info(() => `the pump does not count its readings: ${response.code}`);
    return undefined;
  }

  status(): Promise<CgmStatus | undefined> {
    return this.#channel.optional("cgmStatus", async () => {
      const protection = await this.#ready();
      return decodeCgmStatus(await this.#channel.readSealed("cgmStatus"), protection);
    });
  }

  sensorDetails(): Promise<SensorDetails | undefined> {
    return this.#ask(SpecificOpsOpcode.GetSensorDetails, "sensor_details");
  }

  async communicationIntervalMin(): Promise<number | undefined> {
    return (await this.#ask(SpecificOpsOpcode.GetCommunicationInterval, "communication_interval"))?.minutes;
  }

  async sessionId(): Promise<number | undefined> {
    return (await this.#ask(SpecificOpsOpcode.ReadCurrentSessionId, "session_id"))?.sessionId;
  }

  /** Of a session of that number, as the pump counts them; undefined: it does not tell, or has none. */
  async sessionStart(sessionId: number): Promise<SessionStart | undefined> {
    const response = await this.#ask(SpecificOpsOpcode.ReadSessionStartTime, "session_start_time", u16(sessionId));
    return response && { sessionId: response.sessionId, start: response.start };
  }

  async calibration(recordNumber: number = LATEST_CALIBRATION): Promise<SensorCalibration | undefined> {
    const value = await this.#ask(SpecificOpsOpcode.GetCalibrationValue, "calibration_value", u16(recordNumber));
    const context = await this.#ask(SpecificOpsOpcode.GetCalibrationContext, "calibration_context", u16(recordNumber));
    return value || context ? { value, context } : undefined;
  }

  async alertLevels(): Promise<AlertLevels | undefined> {
    const level = async (opcode: number): Promise<number | undefined> => (await this.#ask(opcode, "alert_level"))?.level;
    const levels: AlertLevels = {
      patientHighMgdl: await level(SpecificOpsOpcode.GetPatientHighAlertLevel),
      patientLowMgdl: await level(SpecificOpsOpcode.GetPatientLowAlertLevel),
      hypoMgdl: await level(SpecificOpsOpcode.GetHypoAlertLevel),
      hyperMgdl: await level(SpecificOpsOpcode.GetHyperAlertLevel),
      rateOfDecrease: await level(SpecificOpsOpcode.GetRateOfDecreaseAlertLevel),
      rateOfIncrease: await level(SpecificOpsOpcode.GetRateOfIncreaseAlertLevel),
    };
    return Object.values(levels).some((value) => value !== undefined) ? levels : undefined;
  }

  #times(receivedAtMs: number): ReadingTimes {
    return { receivedAtMs, sessionStart: this.#sensorStart, pumpClock: this.#device.lastClock };
  }

  // --- records ------------------------------------------------------------------------------------------------------------------

  #mostRecords = MOST_LATEST;
  #stop: AbortController | undefined;

  /**
   * Has records sent. @returns the code that ended it; undefined where the pump has nothing to ask, or does not take the question
   *
   * @throws {PumpError} ERR_PUMP_PROTOCOL too many, or not all of them · ERR_PUMP_REFUSED · why it stopped
   */
  async #report(operand: Uint8Array, mostRecords: number): Promise<string | undefined> {
    if (!this.#channel.has("cgmRecordAccess") || !this.#channel.has("cgmMeasurement")) return undefined;
    const isRange = operand.length > 1;
    const stop = new AbortController();
    this.#assembler.reset();
    this.#records = [];
    this.#unreadable = undefined;
    this.#mostRecords = mostRecords;
    this.#stop = stop;
    if (isRange)
      this.#channel.onLoss = () => stop.abort(new PumpError("ERR_PUMP_PROTOCOL", "Readings were lost on their way: read them again."));
    try {
      const end = await orNone(this.#channel, "readings", () =>
        transfer<RecordAccessResponse>(this.#channel, {
          name: "cgmRecordAccess",
          opcode: RecordAccessOpcode.Report,
          operand,
          abort: ABORT,
          read: (plaintext, opcode) => {
            const response = decodeRecordAccessResponse(plaintext);
            return response.kind === "response_code" && response.requestOpcode === opcode ? response : undefined;
          },
          signal: stop.signal,
        }),
      );
      if (!end) return undefined;
      if (end.kind === "stopped") throw new PumpError("ERR_PUMP_PROTOCOL", reasonOf(end.error), { cause: end.error });
      return end.response.kind === "response_code" ? end.response.code : end.response.kind;
    } finally {
      this.#stop = undefined;
      this.#mostRecords = MOST_LATEST; // what comes unasked
      if (isRange) this.#channel.onLoss = undefined;
    }
  }

  async #lateRecord(): Promise<void> {
    const came = new Pending<void>({
      clock: this.#channel.clock,
      operation: "a record",
      timeoutMs: LATE_RECORD_MS,
      signal: this.#channel.signal,
    });
    this.#onRecord = () => came.resolve();
    try {
      await came.promise;
    } catch (error) {
      if (this.#channel.ended) throw error;
    } finally {
      this.#onRecord = undefined;
    }
  }

  #onMeasurement(plaintext: Uint8Array): void {
    try {
      for (const record of this.#assembler.push(plaintext)) this.#records.push(decodeCgmMeasurement(record, this.#protection));
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      this.#unreadable ??= error;
      this.#channel.logger.warn(() => `a record was dropped: ${error.message}`);
      return;
    }
    // A pump that sends on and on fills no memory, and holds nothing up for ever.
    if (this.#records.length > this.#mostRecords) {
      this.#records.splice(0, this.#records.length - this.#mostRecords);
      this.#stop?.abort(new PumpError("ERR_PUMP_PROTOCOL", "The pump sends more readings than it was asked for."));
    }
    if (this.#records.length > 0) this.#onRecord?.();
  }

  // --- specific operations ------------------------------------------------------------------------------------------------------

  /** undefined where the pump refuses it. */
  async #ask<Kind extends SpecificOpsResponse["kind"]>(
    opcode: number,
    kind: Kind,
    operand: Uint8Array = new Uint8Array(),
  ): Promise<Extract<SpecificOpsResponse, { kind: Kind }> | undefined> {
    if (!this.#channel.has("cgmSpecificOps")) return undefined;
    const { e2eCrc } = await this.#ready();
    const response = await orNone(this.#channel, kind, () =>
      this.#channel.exchange("cgmSpecificOps", { opcode, operand, e2eCrc }, (plaintext) => {
        const answer = decodeSpecificOpsResponse(plaintext, { e2eCrc, expected: opcode + SPECIFIC_OPS_RESPONSE_OFFSET });
        return answer.kind === "response_code" && answer.requestOpcode !== opcode ? undefined : answer;
      }),
    );
    if (response?.kind === kind) return response as Extract<SpecificOpsResponse, { kind: Kind }>;
    if (response?.kind === "response_code") this.#channel.logger.info(() => `the pump does not give ${kind}: ${response.code}`);
    return undefined;
  }
}

/**
 * undefined: the pump does not give it.
 *
 * @throws {PumpDataError} it is damaged · {PumpError} ERR_PUMP_REFUSED the pump refuses it, maybe only now · ERR_PUMP_SERVICE_MISSING it is not there
 */
export async function readCgmFeature(channel: PumpChannel): Promise<CgmFeature | undefined> {
  try {
    return decodeCgmFeature(await channel.readPlain("cgmFeature"));
  } catch (error) {
    if (!(error instanceof AttError)) throw error;
    if (error.errorCode === AttErrorCode.ReadNotPermitted) return undefined;
    throw new PumpError("ERR_PUMP_REFUSED", `The pump does not give CGM Feature: ${error.message}.`, { cause: error });
  }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);

function rangeOf(from: number | undefined, to: number | undefined): Uint8Array {
  const { All, GreaterOrEqual, LessOrEqual, Range } = RecordAccessOperator;
  const offset = (minutes: number): number[] => [minutes & 0xff, minutes >> 8];
  if (from !== undefined && to !== undefined) return Uint8Array.of(Range, FILTER_TIME_OFFSET, ...offset(from), ...offset(to));
  if (from !== undefined) return Uint8Array.of(GreaterOrEqual, FILTER_TIME_OFFSET, ...offset(from));
  if (to !== undefined) return Uint8Array.of(LessOrEqual, FILTER_TIME_OFFSET, ...offset(to));
  return Uint8Array.of(All);
}

function reasonOf(error: unknown): string {
  return error instanceof PumpError
    ? error.message
    : `The transfer of readings was stopped: ${error instanceof Error ? error.message : String(error)}.`;
}
