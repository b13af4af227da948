import { Deadline, delay, type OperationOptions, Pending } from "jelling/async";
import type { Address } from "jelling/core";
import { type CgmFeature, decodeCgmFeature } from "../cgm/feature.ts";
import { MeasurementAssembler } from "../cgm/fragments.ts";
import { type CgmMeasurement, decodeCgmMeasurement } from "../cgm/measurement.ts";
import { decodeRecordAccessResponse, RecordAccessOpcode, RecordAccessOperator, type RecordAccessResponse } from "../cgm/record-access.ts";
import { decodeSessionRunTime, decodeSessionStartTime, remainingSessionSeconds, type SessionStartTime } from "../cgm/session.ts";
import { decodeSpecificOpsResponse, type SensorDetails, SpecificOpsOpcode, type SpecificOpsResponse } from "../cgm/specific-ops.ts";
import type { LocalDateTime } from "../data/date-time.ts";
import { PumpDataError } from "../data/error.ts";
import { decodeBatteryLevel, decodeCurrentTime, decodeInformationString } from "../data/standard.ts";
import { PumpError } from "../error.ts";
import type { PumpChannel } from "./pump-channel.ts";
import type { PumpValueName } from "./pump-handles.ts";
import { type LatestGlucose, readingOf } from "./reading.ts";

/** A record may come behind the response that ends its transfer. */
const LATE_RECORD_MS = 1000;
const DEFAULT_POLL_MS = 60_000;
/** Clocks are read to the second; more than that is another session. */
const FUTURE_MS = 60_000;
const LATEST_RECORD = Uint8Array.of(RecordAccessOperator.Last);
const SPECIFIC_OPS_RESPONSE_OFFSET = 1;

/** Texts of the pump's device information; absent ones are undefined. `serial` names a person's device: redact it in logs. */
export interface PumpInformation {
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly serial: string | undefined;
  readonly hardware: string | undefined;
  readonly firmware: string | undefined;
  readonly software: string | undefined;
}

/** Times of the sensor's session; all undefined while none runs. */
export interface SensorSession {
  readonly start: SessionStartTime | undefined;
  readonly runTimeHours: number | undefined;
  /** Negative after its end; undefined without the pump's clock. */
  readonly remainingMs: number | undefined;
}

/** What the first reads of a session bring. */
export interface PumpSnapshot {
  readonly information: PumpInformation;
  readonly batteryPercent: number | undefined;
  readonly feature: CgmFeature;
  readonly sensor: SensorSession;
  readonly latest: LatestGlucose;
}

/**
 * An authenticated pump. Everything here reads; nothing of the link, its attributes or its handles is to be had. Operations run one after the
 * other, and all of them fail once the session ends: with the link, with eight bad frames in a row, or when the pump no longer answers.
 */
export class PumpSession {
  /** Identity of the pump; it names a person's device. */
  readonly identity: Address;
  readonly #channel: PumpChannel;
  readonly #feature: CgmFeature;
  readonly #assembler = new MeasurementAssembler();
  #records: CgmMeasurement[] = [];
  #onRecord: (() => void) | undefined;
  #pumpClock: { readonly local: LocalDateTime; readonly atMs: number } | undefined;
  #sensorStart: LocalDateTime | undefined;
  #lastOffsetMin = 0;

  /** Made by the connector, by `prepareSession`. */
  constructor(channel: PumpChannel, feature: CgmFeature) {
    this.identity = channel.identity;
    this.#channel = channel;
    this.#feature = feature;
    channel.onMeasurement = (plaintext) => this.#onMeasurement(plaintext);
  }

  /** Why it is over; `undefined` while it is up. */
  get ended(): PumpError | undefined {
    return this.#channel.ended;
  }

  /** Calls `listener` once, when the session is over. */
  onEnded(listener: (reason: PumpError) => void): Disposable {
    return this.#channel.onEnded(listener);
  }

  /** Device information; values the pump lacks are undefined. */
  readInformation(options: OperationOptions = {}): Promise<PumpInformation> {
    return this.#channel.exclusively("reading the device information", options, async () => {
      const text = async (name: PumpValueName): Promise<string | undefined> => {
        const value = await this.#channel.optional(name, () => this.#channel.readPlain(name));
        return value && decodeInformationString(value);
      };
      return {
        manufacturer: await text("manufacturer"),
        model: await text("model"),
        serial: await text("serial"),
        hardware: await text("hardware"),
        firmware: await text("firmware"),
        software: await text("software"),
      };
    });
  }

  /** Charge of the pump's battery in percent, in coarse steps. */
  readBattery(options: OperationOptions = {}): Promise<number | undefined> {
    return this.#channel.exclusively("reading the battery", options, () =>
      this.#channel.optional("batteryLevel", async () => decodeBatteryLevel(await this.#channel.readPlain("batteryLevel"))),
    );
  }

  /** What the pump's display shows as date and time; undefined where it has no clock to read. Ages of readings rest on it. */
  readClock(options: OperationOptions = {}): Promise<LocalDateTime | undefined> {
    return this.#channel.exclusively("reading the pump's clock", options, () => this.#readClock());
  }

  readSensorSession(options: OperationOptions = {}): Promise<SensorSession> {
    return this.#channel.exclusively("reading the sensor session", options, () => this.#readSensorSession());
  }

  /** The newest record, with trend and age. @throws {PumpError} ERR_PUMP_REFUSED the pump does not give it */
  readLatest(options: OperationOptions = {}): Promise<LatestGlucose> {
    return this.#channel.exclusively("reading the latest glucose", options, () => this.#readLatest());
  }

  /** What the sensor is, as far as the pump says. @throws {PumpError} ERR_PUMP_REFUSED as without a sensor */
  readSensorDetails(options: OperationOptions = {}): Promise<SensorDetails> {
    return this.#channel.exclusively("reading the sensor details", options, async () => {
      const response = await this.#specificOps(SpecificOpsOpcode.GetSensorDetails);
      if (response.kind === "sensor_details") return response;
      throw refused("sensor details", response.kind === "response_code" ? response.code : response.kind);
    });
  }

  /** The first reads: device information, battery, sensor session, latest glucose. The limit is for all of them. */
  async readSnapshot(options: OperationOptions = {}): Promise<PumpSnapshot> {
    using deadline = new Deadline({ clock: this.#channel.clock, operation: "the first reads", ...options });
    const { signal } = deadline;
    const information = await this.readInformation({ signal });
    const batteryPercent = await this.readBattery({ signal });
    const sensor = await this.readSensorSession({ signal });
    const latest = await this.readLatest({ signal });
    return { information, batteryPercent, feature: this.#feature, sensor, latest };
  }

  /**
   * Each new reading, asked for every `pollMs` (a minute by default): the pump does not send them by itself. Begins with the present one.
   *
   * @throws {PumpError} ERR_PUMP_SESSION_ENDED · `signal.reason` once `signal` aborts
   */
  async *readings({
    signal,
    pollMs = DEFAULT_POLL_MS,
  }: {
    signal?: AbortSignal | undefined;
    pollMs?: number | undefined;
  } = {}): AsyncGenerator<LatestGlucose, void> {
    const { clock, signal: ending } = this.#channel;
    let last = "";
    for (;;) {
      const latest = await this.readLatest({ signal });
      const key = latest.kind === "no-sensor" ? latest.kind : `${latest.kind} ${latest.timeOffsetMin}`;
      if (key !== last) yield latest;
      last = key;
      await delay(clock, pollMs, { signal: signal ? AbortSignal.any([signal, ending]) : ending });
    }
  }

  /** Ends the session and the link. The connector then waits for the pump to come back. @throws the controller does not take the link down */
  disconnect(): Promise<void> {
    return this.#channel.disconnect();
  }

  // --- within an operation ------------------------------------------------------------------------------------------------------

  async #readClock(): Promise<LocalDateTime | undefined> {
    const time = await this.#channel.optional("currentTime", async () => decodeCurrentTime(await this.#channel.readPlain("currentTime")));
    if (time?.local) this.#pumpClock = { local: time.local, atMs: this.#channel.clock.now() - (time.fractions256 / 256) * 1000 };
    return time?.local;
  }

  async #readSensorSession(): Promise<SensorSession> {
    const { e2eCrc } = this.#feature;
    if (!this.#pumpClock) await this.#readClock();
    const start = await this.#channel.optional("cgmSessionStartTime", async () =>
      decodeSessionStartTime(await this.#channel.readSealed("cgmSessionStartTime"), { e2eCrc }),
    );
    this.#sensorStart = start?.local;
    const runTimeHours = await this.#channel.optional("cgmSessionRunTime", async () =>
      decodeSessionRunTime(await this.#channel.readPlain("cgmSessionRunTime"), { e2eCrc }),
    );
    const clock = this.#pumpClock;
    const remainingMs =
      clock && start?.local && runTimeHours !== undefined
        ? 1000 * remainingSessionSeconds(start.local, runTimeHours, clock.local) - (this.#channel.clock.now() - clock.atMs)
        : undefined;
    return { start, runTimeHours, remainingMs };
  }

  async #readLatest(): Promise<LatestGlucose> {
    if (!this.#sensorStart) await this.#readSensorSession();
    this.#assembler.reset();
    this.#records = [];
    const response = await this.#recordAccess(RecordAccessOpcode.Report, LATEST_RECORD);
    const receivedAtMs = this.#channel.clock.now();
    const code = response.kind === "response_code" ? response.code : response.kind;
    if (code === "no_records_found") return { kind: "no-sensor", receivedAtMs };
    if (code !== "success") throw refused("the latest glucose", code);
    if (this.#records.length === 0) await this.#lateRecord();
    const record = this.#records.at(-1);
    if (!record) throw new PumpError("ERR_PUMP_PROTOCOL", "The pump said it sent its latest record, but none came that could be read.");
    const read = () => readingOf(record, { receivedAtMs, sessionStart: this.#sensorStart, pumpClock: this.#pumpClock });
    // A smaller offset than before, or one in the future, is another sensor session's: its start is not the one we know.
    const isOther = record.timeOffsetMin < this.#lastOffsetMin || (read().takenAtMs ?? 0) > receivedAtMs + FUTURE_MS;
    this.#lastOffsetMin = record.timeOffsetMin;
    if (isOther) await this.#readSensorSession();
    return read();
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

  #recordAccess(opcode: number, operand: Uint8Array): Promise<RecordAccessResponse> {
    return this.#channel.exchange("cgmRecordAccess", { opcode, operand, e2eCrc: false }, (plaintext) => {
      const response = decodeRecordAccessResponse(plaintext);
      const answers = response.kind === "response_code" ? response.requestOpcode : RecordAccessOpcode.Count;
      return answers === opcode ? response : undefined;
    });
  }

  #specificOps(opcode: number, operand: Uint8Array = new Uint8Array()): Promise<SpecificOpsResponse> {
    const { e2eCrc } = this.#feature;
    return this.#channel.exchange("cgmSpecificOps", { opcode, operand, e2eCrc }, (plaintext) => {
      const response = decodeSpecificOpsResponse(plaintext, { e2eCrc, expected: opcode + SPECIFIC_OPS_RESPONSE_OFFSET });
      return response.kind === "response_code" && response.requestOpcode !== opcode ? undefined : response;
    });
  }

  #onMeasurement(plaintext: Uint8Array): void {
    try {
      for (const record of this.#assembler.push(plaintext)) this.#records.push(decodeCgmMeasurement(record, this.#feature));
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      this.#channel.logger.warn(() => `a record was dropped: ${error.message}`);
      return;
    }
    // Only the newest is of interest; a pump that sends on and on must not fill memory.
    this.#records.splice(0, this.#records.length - 1);
    if (this.#records.length > 0) this.#onRecord?.();
  }
}

/** Gets an authenticated link ready for reading: where its values are, what its CGM service can do, and its subscriptions. */
export async function prepareSession(channel: PumpChannel): Promise<PumpSession> {
  let feature: CgmFeature | undefined;
  await channel.prepare(async () => {
    feature = decodeCgmFeature(await channel.readPlain("cgmFeature"));
  });
  return new PumpSession(channel, feature!);
}

function refused(what: string, code: string): PumpError {
  return new PumpError("ERR_PUMP_REFUSED", `The pump does not give ${what}: ${code.replaceAll("_", " ")}.`);
}
