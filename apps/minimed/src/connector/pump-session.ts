import { type Clock, delay, Emitter, type OperationOptions, Pending, Semaphore } from "jelling/async";
import { AttError, AttErrorCode, AttReadReq, AttReadRsp } from "jelling/att";
import { type Address, type BleError, type Logger, TimeoutError } from "jelling/core";
import type { Connection } from "jelling/device";
import type { HandleValue } from "jelling/gatt";
import { attRequest } from "../att-request.ts";
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
import { SakeFrameError, type SakeSession } from "../sake/session.ts";
import { ControlPoint } from "./control-point.ts";
import { PumpHandles, type PumpValueName, SUBSCRIPTIONS, type SubscribedName } from "./pump-handles.ts";
import { type LatestGlucose, readingOf } from "./reading.ts";
import { type ControlPointName, RequestEncoder } from "./requests.ts";

/** Between the handshake and the first request, as the pump likes it. */
const SETTLE_MS = 250;
/** Between two exchanges with control points. */
const PACE_MS = 200;
const READ_TIMEOUT_MS = 10_000;
/** A record may come behind the response that ends its transfer. */
const LATE_RECORD_MS = 1000;
/** After so long without anything from the pump it is asked for something small; one that does not answer is gone, whatever the controller says. */
const PROBE_AFTER_MS = 5 * 60_000;
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

export interface PumpSessionOptions {
  readonly connection: Connection;
  /** Belongs to the session from now on. */
  readonly sake: SakeSession;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes the link down. */
  readonly hangUp: () => Promise<void>;
}

/**
 * An authenticated pump. Everything here reads: what may be written is a table, and raw writes are not part of it. Operations run one after
 * the other, and all of them fail once the session ends: with the link, with eight bad frames in a row, or when the pump no longer answers.
 */
export class PumpSession {
  /** Identity of the pump; it names a person's device. */
  readonly identity: Address;
  readonly #connection: Connection;
  readonly #sake: SakeSession;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #hangUp: () => Promise<void>;
  readonly #encoder: RequestEncoder;
  readonly #lock: Semaphore;
  readonly #controlPoints: Readonly<Record<ControlPointName, ControlPoint>>;
  readonly #assembler = new MeasurementAssembler();
  readonly #events = new Emitter<{ ended: PumpError }>();
  readonly #ending = new AbortController();
  readonly #listeners: Disposable[] = [];
  #records: CgmMeasurement[] = [];
  #onRecord: (() => void) | undefined;
  #silence: Disposable | undefined;
  #handles: PumpHandles | undefined;
  #feature: CgmFeature | undefined;
  #pumpClock: { readonly local: LocalDateTime; readonly atMs: number } | undefined;
  #sensorStart: LocalDateTime | undefined;
  #lastOffsetMin = 0;
  #ended: PumpError | undefined;

  constructor({ connection, sake, clock, logger, hangUp }: PumpSessionOptions) {
    this.identity = connection.peerIdentity;
    this.#connection = connection;
    this.#sake = sake;
    this.#clock = clock;
    this.#logger = logger;
    this.#hangUp = hangUp;
    this.#encoder = new RequestEncoder(sake, logger);
    this.#lock = new Semaphore(clock);
    const write = (name: PumpValueName) => (value: Uint8Array, options?: OperationOptions) =>
      connection.gatt.write(this.#of(name), value, options);
    this.#controlPoints = {
      cgmRecordAccess: new ControlPoint("CGM record access", { write: write("cgmRecordAccess"), clock, logger }),
      cgmSpecificOps: new ControlPoint("CGM specific ops", { write: write("cgmSpecificOps"), clock, logger }),
    };
    sake.onFramesLost = (count) => logger.warn(`${count} frames of the pump were lost`);
    this.#listeners.push(connection.gatt.onValue((value) => this.#onValue(value)));
    this.#listeners.push(connection.on("disconnected", (reason) => this.#end(reason)));
    this.#onActivity();
    if (connection.ended) this.#end(connection.ended);
  }

  /** Why it is over; `undefined` while it is up. */
  get ended(): PumpError | undefined {
    return this.#ended;
  }
  /** Handles of the pump's values, once known; keep them with the bond and give them to the next session. */
  get handles(): PumpHandles | undefined {
    return this.#handles;
  }

  /** Calls `listener` once, when the session is over. */
  onEnded(listener: (reason: PumpError) => void): Disposable {
    return this.#events.on("ended", listener);
  }

  /**
   * Gets ready: learns where the values are, or tries the handles of an earlier connection with one read; then subscribes.
   *
   * @returns whether the known handles held
   */
  async prepare({ known, ...options }: OperationOptions & { known?: PumpHandles | undefined } = {}): Promise<{ cached: boolean }> {
    return await this.#exclusively("preparing the session", options, async () => {
      await delay(this.#clock, SETTLE_MS, { signal: this.#ending.signal });
      const cached = known !== undefined && (await this.#fits(known));
      if (cached) this.#handles = known;
      else {
        this.#handles = await PumpHandles.discover(this.#connection.gatt, { signal: this.#ending.signal });
        this.#onActivity();
        this.#feature = decodeCgmFeature(await this.#readPlain("cgmFeature"));
      }
      for (const name of Object.keys(SUBSCRIPTIONS) as SubscribedName[]) await this.#subscribe(name);
      return { cached };
    });
  }

  /** Device information; values the pump lacks are undefined. */
  readInformation(options: OperationOptions = {}): Promise<PumpInformation> {
    return this.#exclusively("reading the device information", options, async () => {
      const text = async (name: PumpValueName): Promise<string | undefined> => {
        const value = await this.#optional(name, () => this.#readPlain(name));
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
    return this.#exclusively("reading the battery", options, () =>
      this.#optional("batteryLevel", async () => decodeBatteryLevel(await this.#readPlain("batteryLevel"))),
    );
  }

  /** What the pump's display shows as date and time; undefined where it has no clock to read. Ages of readings rest on it. */
  readClock(options: OperationOptions = {}): Promise<LocalDateTime | undefined> {
    return this.#exclusively("reading the pump's clock", options, () => this.#readClock());
  }

  readSensorSession(options: OperationOptions = {}): Promise<SensorSession> {
    return this.#exclusively("reading the sensor session", options, () => this.#readSensorSession());
  }

  /** The newest record, with trend and age. @throws {PumpError} ERR_PUMP_REFUSED the pump does not give it */
  readLatest(options: OperationOptions = {}): Promise<LatestGlucose> {
    return this.#exclusively("reading the latest glucose", options, () => this.#readLatest());
  }

  /** What the sensor is, as far as the pump says. @throws {PumpError} ERR_PUMP_REFUSED as without a sensor */
  readSensorDetails(options: OperationOptions = {}): Promise<SensorDetails> {
    return this.#exclusively("reading the sensor details", options, async () => {
      const response = await this.#specificOps(SpecificOpsOpcode.GetSensorDetails);
      if (response.kind === "sensor_details") return response;
      throw refused("sensor details", response.kind === "response_code" ? response.code : response.kind);
    });
  }

  /** The first reads: device information, battery, sensor session, latest glucose. */
  async readSnapshot(options: OperationOptions = {}): Promise<PumpSnapshot> {
    const information = await this.readInformation(options);
    const batteryPercent = await this.readBattery(options);
    const sensor = await this.readSensorSession(options);
    const latest = await this.readLatest(options);
    return { information, batteryPercent, feature: this.#knownFeature, sensor, latest };
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
    signal?: AbortSignal;
    pollMs?: number;
  } = {}): AsyncGenerator<LatestGlucose, void> {
    let last = "";
    for (;;) {
      const latest = await this.readLatest({ signal });
      const key = latest.kind === "no-sensor" ? latest.kind : `${latest.kind} ${latest.timeOffsetMin}`;
      if (key !== last) yield latest;
      last = key;
      await delay(this.#clock, pollMs, { signal: signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal });
    }
  }

  /** Ends the session and the link. The connector then waits for the pump to come back. @throws the controller does not take the link down */
  async disconnect(): Promise<void> {
    this.#end(new PumpError("ERR_PUMP_SESSION_ENDED", "The session was ended by its user."));
    await this.#hangUp();
  }

  /** For the connector: the session is over although the link may be there. */
  end(reason: BleError): void {
    this.#end(reason);
  }

  // --- reading ------------------------------------------------------------------------------------------------------------------

  get #knownFeature(): CgmFeature {
    if (!this.#feature)
      throw new PumpError("ERR_PUMP_SERVICE_MISSING", "The pump's CGM features are not known: prepare the session first.");
    return this.#feature;
  }

  #of(name: PumpValueName): number {
    if (!this.#handles) throw new PumpError("ERR_PUMP_SERVICE_MISSING", "The pump's services are not known: prepare the session first.");
    return this.#handles.of(name).value;
  }

  /** One cheap read tells whether handles of an earlier connection still hold: its value has a checksum. */
  async #fits(known: PumpHandles): Promise<boolean> {
    try {
      this.#feature = decodeCgmFeature(await this.#connection.gatt.read(known.of("cgmFeature").value, this.#reading()));
      this.#onActivity();
      return true;
    } catch (error) {
      if (
        error instanceof AttError ||
        error instanceof PumpDataError ||
        (error instanceof PumpError && error.code === "ERR_PUMP_SERVICE_MISSING")
      )
        return false;
      throw error;
    }
  }

  #reading(): OperationOptions {
    return { signal: this.#ending.signal, timeoutMs: READ_TIMEOUT_MS };
  }

  async #readPlain(name: PumpValueName): Promise<Uint8Array> {
    const value = await this.#connection.gatt.read(this.#of(name), this.#reading());
    this.#onActivity();
    return value;
  }

  /** An encrypted value. Its frame is opened while its packet is handled, so that it keeps its place among the notifications. */
  async #readSealed(name: PumpValueName): Promise<Uint8Array> {
    const { att, gatt } = this.#connection;
    const attributeHandle = this.#of(name);
    const opened = await attRequest(
      att,
      [AttReadReq, { attributeHandle }],
      AttReadRsp,
      ({ attributeValue }) => {
        this.#onActivity();
        // One that fills the PDU goes on behind it; all that is known is shorter.
        return attributeValue.length < att.mtu - 1 ? this.#openRead(attributeValue) : attributeValue;
      },
      this.#reading(),
    );
    if (opened.length < att.mtu - 1) return opened;
    const rest = await gatt.readLong(attributeHandle, { ...this.#reading(), offset: opened.length });
    return this.#openRead(Uint8Array.of(...opened, ...rest));
  }

  /** A value that was read and does not open means that the streams are out of step for good. */
  #openRead(frame: Uint8Array): Uint8Array {
    try {
      return this.#sake.decrypt(frame);
    } catch (error) {
      if (error instanceof SakeFrameError) this.#fail(error);
      throw error;
    }
  }

  /** undefined where the pump has no such value, or none at present. */
  async #optional<T>(name: PumpValueName, read: () => Promise<T>): Promise<T | undefined> {
    if (!this.#handles?.has(name)) return undefined;
    try {
      return await read();
    } catch (error) {
      if (error instanceof AttError) {
        // Read Not Permitted is how the pump says that there is nothing at present.
        if (error.errorCode !== AttErrorCode.ReadNotPermitted) this.#logger.info(() => `${name}: ${error.message}`);
        return undefined;
      }
      if (!(error instanceof PumpDataError)) throw error;
      this.#logger.warn(() => `${name}: ${error.message}`);
      return undefined;
    }
  }

  async #readClock(): Promise<LocalDateTime | undefined> {
    const time = await this.#optional("currentTime", async () => decodeCurrentTime(await this.#readPlain("currentTime")));
    if (time?.local) this.#pumpClock = { local: time.local, atMs: this.#clock.now() - (time.fractions256 / 256) * 1000 };
    return time?.local;
  }

  async #readSensorSession(): Promise<SensorSession> {
    const { e2eCrc } = this.#knownFeature;
    if (!this.#pumpClock) await this.#readClock();
    const start = await this.#optional("cgmSessionStartTime", async () =>
      decodeSessionStartTime(await this.#readSealed("cgmSessionStartTime"), { e2eCrc }),
    );
    this.#sensorStart = start?.local;
    const runTimeHours = await this.#optional("cgmSessionRunTime", async () =>
      decodeSessionRunTime(await this.#readPlain("cgmSessionRunTime"), { e2eCrc }),
    );
    const clock = this.#pumpClock;
    const remainingMs =
      clock && start?.local && runTimeHours !== undefined
        ? 1000 * remainingSessionSeconds(start.local, runTimeHours, clock.local) - (this.#clock.now() - clock.atMs)
        : undefined;
    return { start, runTimeHours, remainingMs };
  }

  async #readLatest(): Promise<LatestGlucose> {
    if (!this.#sensorStart) await this.#readSensorSession();
    this.#assembler.reset();
    this.#records = [];
    const response = await this.#recordAccess(RecordAccessOpcode.Report, LATEST_RECORD);
    const receivedAtMs = this.#clock.now();
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
    const came = new Pending<void>({ clock: this.#clock, operation: "a record", timeoutMs: LATE_RECORD_MS, signal: this.#ending.signal });
    this.#onRecord = () => came.resolve();
    try {
      await came.promise;
    } catch (error) {
      if (this.#ended) throw error;
    } finally {
      this.#onRecord = undefined;
    }
  }

  #recordAccess(opcode: number, operand: Uint8Array): Promise<RecordAccessResponse> {
    return this.#controlPoints.cgmRecordAccess.exchange({
      request: this.#encoder.encode("cgmRecordAccess", opcode, operand, { e2eCrc: false }),
      onResponse: (plaintext) => {
        const response = decodeRecordAccessResponse(plaintext);
        const answers = response.kind === "response_code" ? response.requestOpcode : RecordAccessOpcode.Count;
        return answers === opcode ? response : undefined;
      },
    });
  }

  #specificOps(opcode: number, operand: Uint8Array = new Uint8Array()): Promise<SpecificOpsResponse> {
    const { e2eCrc } = this.#knownFeature;
    return this.#controlPoints.cgmSpecificOps.exchange({
      request: this.#encoder.encode("cgmSpecificOps", opcode, operand, { e2eCrc }),
      onResponse: (plaintext) => {
        const expected = opcode + SPECIFIC_OPS_RESPONSE_OFFSET;
        const response = decodeSpecificOpsResponse(plaintext, { e2eCrc, expected });
        return response.kind === "response_code" && response.requestOpcode !== opcode ? undefined : response;
      },
    });
  }

  // --- what the pump sends ------------------------------------------------------------------------------------------------------

  async #subscribe(name: SubscribedName): Promise<void> {
    if (!this.#handles?.has(name)) return;
    const { cccd } = this.#handles.of(name);
    if (cccd === undefined) return;
    await this.#connection.gatt.write(cccd, Uint8Array.of(SUBSCRIPTIONS[name] === "notify" ? 1 : 2, 0), this.#reading());
    this.#onActivity();
  }

  /** Called while the packet is handled: frames are opened in the order of their arrival, over all characteristics. */
  #onValue({ handle, value }: HandleValue): void {
    this.#onActivity();
    const handles = this.#handles;
    if (!handles) return;
    const is = (name: PumpValueName): boolean => handles.has(name) && handles.of(name).value === handle;
    if (is("cgmRecordAccess")) {
      this.#controlPoints.cgmRecordAccess.receive(value);
      return;
    }
    const isMeasurement = is("cgmMeasurement");
    if (!isMeasurement && !is("cgmSpecificOps")) return;
    let plaintext: Uint8Array;
    try {
      plaintext = this.#sake.decrypt(value);
    } catch (error) {
      if (!(error instanceof SakeFrameError)) throw error;
      this.#logger.warn(() => `${isMeasurement ? "measurement" : "indication"} of ${value.length} octets: ${error.message}`);
      if (error.final) this.#fail(error);
      return;
    }
    if (isMeasurement) this.#onMeasurement(plaintext);
    else this.#controlPoints.cgmSpecificOps.receive(plaintext);
  }

  #onMeasurement(plaintext: Uint8Array): void {
    if (!this.#feature) return; // nothing was asked for yet
    this.#controlPoints.cgmRecordAccess.progress();
    try {
      for (const record of this.#assembler.push(plaintext)) this.#records.push(decodeCgmMeasurement(record, this.#feature));
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      this.#logger.warn(() => `a record was dropped: ${error.message}`);
      return;
    }
    // Only the newest is of interest; a pump that sends on and on must not fill memory.
    this.#records.splice(0, this.#records.length - 1);
    if (this.#records.length > 0) this.#onRecord?.();
  }

  // --- life ---------------------------------------------------------------------------------------------------------------------

  /**
   * One operation at a time. One that is given up by its caller runs on to its own end, so that its answer is not taken for the next one's.
   */
  async #exclusively<T>(operation: string, options: OperationOptions, run: () => Promise<T>): Promise<T> {
    if (this.#ended) throw this.#ended;
    const permit = await this.#lock.acquire(options, operation);
    const pending = new Pending<T>({ clock: this.#clock, operation, ...options });
    const settle = async (): Promise<void> => {
      try {
        const result = await run();
        pending.resolve(result);
      } catch (error) {
        // An answer that is late could be taken for the next request's: better to begin afresh.
        if (error instanceof TimeoutError) this.#fail(error);
        pending.reject(this.#ended ?? error);
      }
      // The session's end cuts the pause short.
      await delay(this.#clock, PACE_MS, { signal: this.#ending.signal }).catch(() => undefined);
      permit[Symbol.dispose]();
    };
    void settle();
    return await pending.promise;
  }

  #onActivity(): void {
    this.#silence?.[Symbol.dispose]();
    if (this.#ended) return;
    this.#silence = this.#clock.setTimer(PROBE_AFTER_MS, "silence of the pump", () => {
      // A read that is not answered in its time ends the session; one that is makes this timer start again.
      this.#exclusively("asking whether the pump is there", {}, async () => {
        this.#onActivity();
        await this.#readPlain("cgmFeature");
      }).catch((error: unknown) => this.#logger.info(() => `the pump was silent: ${String(error)}`));
    });
  }

  /** The session cannot go on: the link is dropped, and the pump may come back. */
  #fail(error: BleError): void {
    this.#end(error);
    this.#hangUp().catch((failure: unknown) => this.#logger.warn(() => `disconnecting: ${String(failure)}`));
  }

  #end(reason: BleError): void {
    if (this.#ended) return;
    const ended =
      reason instanceof PumpError && reason.code === "ERR_PUMP_SESSION_ENDED"
        ? reason
        : new PumpError("ERR_PUMP_SESSION_ENDED", `The session with the pump is over: ${reason.message}.`, { cause: reason });
    this.#ended = ended;
    this.#silence?.[Symbol.dispose]();
    this.#sake[Symbol.dispose]();
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    this.#ending.abort(ended);
    this.#lock.close(ended);
    for (const controlPoint of Object.values(this.#controlPoints)) controlPoint.fail(ended);
    this.#events.emit("ended", ended);
  }
}

function refused(what: string, code: string): PumpError {
  return new PumpError("ERR_PUMP_REFUSED", `The pump does not give ${what}: ${code.replaceAll("_", " ")}.`);
}
