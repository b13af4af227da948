import { type Clock, Deadline, delay, Emitter, type OperationOptions, Pending, Semaphore } from "jelling/async";
import { AttError, AttErrorCode, AttReadByTypeReq, AttReadByTypeRsp, AttReadReq, AttReadRsp } from "jelling/att";
import { type Address, type BleError, type Logger, StateError, TimeoutError } from "jelling/core";
import type { Connection } from "jelling/device";
import type { HandleValue } from "jelling/gatt";
import { attRequest } from "../att-request.ts";
import { PumpDataError } from "../data/error.ts";
import { PumpError } from "../error.ts";
import { decodeIddStatusChanged } from "../idd/status-changed.ts";
import { FRAME_OVERHEAD } from "../sake/frame.ts";
import { SakeFrameError, type SakeSession } from "../sake/session.ts";
import { CharacteristicUuid } from "../uuids.ts";
import { ControlPoint, type ControlPointExchange } from "./control-point.ts";
import { DeliveryProtection } from "./delivery-protection.ts";
import { PumpHandles, type PumpPlace, type PumpValueName } from "./pump-handles.ts";
import { PumpWriter } from "./pump-writer.ts";
import {
  ASKED_FOR_NAMES,
  type AskedForName,
  type ControlPointName,
  PERMITTED_WRITES,
  RequestEncoder,
  SUBSCRIBED_NAMES,
  type SubscribedName,
} from "./requests.ts";
import { SilenceWatch } from "./silence-watch.ts";
import { StatusPush } from "./status-push.ts";
import type { WriteGate } from "./write-gate.ts";

/** Between the handshake and the first request, as the pump likes it. */
const SETTLE_MS = 250;
/** Between two operations. */
const PACE_MS = 200;
const READ_TIMEOUT_MS = 10_000;
/** What a pump that has been silent is asked for: the first of them that it has. */
const SMALL_VALUES: readonly PumpValueName[] = ["cgmFeature", "batteryLevel", "currentTime", "model", "firmware"];
/** Of a notification or indication: operation code and handle. */
const VALUE_HEADER_OCTETS = 3;

export interface PumpChannelOptions {
  readonly connection: Connection;
  /** Belongs to the channel from now on. */
  readonly sake: SakeSession;
  readonly gate: WriteGate;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes the link down. */
  readonly hangUp: () => Promise<void>;
}

/**
 * An authenticated link to a pump, below what its values mean: reads, the exchanges with control points, what the pump sends, and the end of
 * it all. Operations run one after the other. It stays within the connector: a program gets a `PumpSession`, which only reads.
 */
export class PumpChannel {
  readonly identity: Address;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly #connection: Connection;
  readonly #sake: SakeSession;
  readonly #hangUp: () => Promise<void>;
  readonly #encoder: RequestEncoder;
  readonly #writer: PumpWriter;
  readonly #lock: Semaphore;
  readonly #controlPoints: Readonly<Record<ControlPointName, ControlPoint>>;
  readonly #events = new Emitter<{ ended: PumpError }>();
  readonly #ending = new AbortController();
  readonly #listeners: Disposable[] = [];
  readonly #silence: SilenceWatch;
  /** What the pump pushes. */
  readonly push = new StatusPush();
  /** Of what the insulin delivery service sends. */
  readonly delivery = new DeliveryProtection();
  #handles: PumpHandles | undefined;
  #ended: PumpError | undefined;
  /** Takes a CGM Measurement, decrypted, while its packet is handled. Set once. */
  onMeasurement: ((plaintext: Uint8Array) => void) | undefined;
  /** A fragment of a history record, decrypted. */
  onHistoryData: ((plaintext: Uint8Array) => void) | undefined;
  /** What the command control point was asked for, decrypted. */
  onCommandData: ((plaintext: Uint8Array) => void) | undefined;
  /** What is subscribed to only when somebody asks for it, as it came. */
  onAskedFor: ((name: AskedForName, value: Uint8Array) => void) | undefined;
  /** Something that the pump sent was lost, or could not be opened: what comes in parts is not whole. */
  onLoss: (() => void) | undefined;

  constructor({ connection, sake, gate, clock, logger, hangUp }: PumpChannelOptions) {
    this.identity = connection.peerIdentity;
    this.clock = clock;
    this.logger = logger;
    this.#connection = connection;
    this.#sake = sake;
    this.#hangUp = hangUp;
    this.#encoder = new RequestEncoder(sake, logger);
    this.#writer = new PumpWriter({ att: connection.att, connectionHandle: connection.handle, gate, refusal: () => this.#ended });
    this.#lock = new Semaphore(clock);
    const controlPoint = (name: ControlPointName, text: string): ControlPoint =>
      new ControlPoint(text, {
        write: (request, options) => this.#writer.write(request, this.#of(name), options),
        clock,
        logger,
      });
    this.#controlPoints = {
      cgmRecordAccess: controlPoint("cgmRecordAccess", "CGM record access"),
      cgmSpecificOps: controlPoint("cgmSpecificOps", "CGM specific ops"),
      iddStatusReader: controlPoint("iddStatusReader", "status reader"),
      iddCommand: controlPoint("iddCommand", "command"),
      iddRecordAccess: controlPoint("iddRecordAccess", "history record access"),
    };
    sake.onFramesLost = (count) => {
      logger.warn(`${count} frames of the pump were lost`);
      this.onLoss?.();
    };
    this.#listeners.push(connection.gatt.onValue((value) => this.#onValue(value)));
    this.#listeners.push(connection.gatt.onServiceChanged(() => this.fail(new StateError("the pump says that its services changed"))));
    this.#listeners.push(connection.on("disconnected", (reason) => this.end(reason)));
    this.#silence = new SilenceWatch({
      clock,
      // A read that is not answered in its time ends the session.
      probe: () => {
        this.exclusively("asking whether the pump is there", {}, () => this.#probe()).catch((error: unknown) =>
          this.logger.info(() => `the pump was silent: ${String(error)}`),
        );
      },
      onSilent: () => this.fail(new StateError("nothing has come from the pump for 15 minutes")),
    });
    if (connection.ended) this.end(connection.ended);
  }

  /** Why it is over; `undefined` while it is up. */
  get ended(): PumpError | undefined {
    return this.#ended;
  }
  /** Aborts with the end. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }
  /** When anything came from the pump for the last time, on the program's clock. */
  get heardAtMs(): number {
    return this.#silence.heardAtMs;
  }
  /** Most octets of plaintext that one notification can bring. One that is shorter is the last of what it is a part of. */
  get largestPlaintext(): number {
    return this.#connection.att.mtu - VALUE_HEADER_OCTETS - FRAME_OVERHEAD;
  }
  /** How many services the pump has, once it was asked. */
  get services(): number {
    return this.#handles?.services ?? 0;
  }

  /** Calls `listener` once, when it is over. */
  onEnded(listener: (reason: PumpError) => void): Disposable {
    return this.#events.on("ended", listener);
  }

  /**
   * Learns from the pump's declarations where its values are, calls `first`, and subscribes to what the pump sends; but not to its changes of
   * state, which it begins to send as soon as it is asked to.
   */
  async prepare(first: () => Promise<void>): Promise<void> {
    await this.exclusively("preparing the session", {}, async () => {
      await delay(this.clock, SETTLE_MS, { signal: this.#ending.signal });
      this.#handles = await PumpHandles.discover(this.#connection.gatt, { signal: this.#ending.signal });
      this.#onActivity();
      await first();
      for (const name of SUBSCRIBED_NAMES) if (name !== "iddStatusChanged" && !isAskedFor(name)) await this.#subscribe(name);
    });
  }

  /** Subscribes to the pump's changes of state. @returns whether the pump sends them */
  followChanges(options: OperationOptions = {}): Promise<boolean> {
    return this.exclusively("following the pump's changes", options, () => this.#subscribe("iddStatusChanged"));
  }

  /** Within an operation: has the pump send what it does not give otherwise. @returns whether it sends it */
  askFor(name: AskedForName): Promise<boolean> {
    return this.#subscribe(name);
  }

  async #subscribe(name: SubscribedName): Promise<boolean> {
    if (!this.#handles?.has(name) || !this.#of(name).sends) return false;
    const isDone = await this.#write(() => this.#writer.subscribe(this.#encoder.subscription(name), this.#of(name), this.#reading()));
    this.#onActivity();
    return isDone;
  }

  /**
   * One operation at a time. One that is given up by its caller runs on to its own end, so that its answer is not taken for the next one's.
   */
  async exclusively<T>(operation: string, options: OperationOptions, run: () => Promise<T>): Promise<T> {
    if (this.#ended) throw this.#ended;
    using deadline = new Deadline({ clock: this.clock, operation, ...options });
    const { signal } = deadline;
    const permit = await this.#lock.acquire({ signal }, operation);
    const pending = new Pending<T>({ clock: this.clock, operation, signal });
    const settle = async (): Promise<void> => {
      try {
        pending.resolve(await run());
      } catch (error) {
        // An answer that is late could be taken for the next request's: better to begin afresh.
        if (error instanceof TimeoutError) this.fail(error);
        pending.reject(this.#ended ?? error);
      }
      // The end cuts the pause short.
      await delay(this.clock, PACE_MS, { signal: this.#ending.signal }).catch(() => undefined);
      permit[Symbol.dispose]();
    };
    void settle();
    return await pending.promise;
  }

  /** Whether another operation waits for its turn. */
  get isWanted(): boolean {
    return this.#lock.waiting > 0;
  }

  /** Whether the pump has declared it. */
  has(name: PumpValueName): boolean {
    return this.#handles?.has(name) ?? false;
  }

  // --- reading, within an operation ---------------------------------------------------------------------------------------------

  async readPlain(name: PumpValueName): Promise<Uint8Array> {
    const value = await this.#connection.gatt.read(this.#of(name).value, this.#reading());
    this.#onActivity();
    return value;
  }

  /** Asks for something small; of a pump that offers nothing, any answer will do. */
  async #probe(): Promise<void> {
    const name = SMALL_VALUES.find((each) => this.has(each));
    const everything = { startingHandle: 1, endingHandle: 0xffff, attributeType: CharacteristicUuid.DeviceName };
    try {
      if (name) await this.readPlain(name);
      else await attRequest(this.#connection.att, [AttReadByTypeReq, everything], AttReadByTypeRsp, () => undefined, this.#reading());
    } catch (error) {
      if (!(error instanceof AttError)) throw error;
    }
    this.#onActivity();
  }

  /** An encrypted value. Its frame is opened while its packet is handled, so that it keeps its place among the notifications. */
  async readSealed(name: PumpValueName): Promise<Uint8Array> {
    const { att, gatt } = this.#connection;
    const { value: attributeHandle } = this.#of(name);
    const opened = await attRequest(
      att,
      [AttReadReq, { attributeHandle }],
      AttReadRsp,
      ({ attributeValue }) => {
        this.#onActivity();
        // One that fills the PDU goes on behind it; all that is known is shorter.
        return attributeValue.length < att.mtu - 1 ? this.#open(attributeValue) : attributeValue;
      },
      this.#reading(),
    );
    if (opened.length < att.mtu - 1) return opened;
    const rest = await gatt.readLong(attributeHandle, { ...this.#reading(), offset: opened.length });
    return this.#open(Uint8Array.of(...opened, ...rest));
  }

  /** undefined where the pump has no such value, or none at present. What is malformed is not absent. @throws {PumpDataError} by `read` */
  async optional<T>(name: PumpValueName, read: () => Promise<T>): Promise<T | undefined> {
    if (!this.#handles?.has(name)) return undefined;
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof AttError)) throw error;
      // Read Not Permitted is how the pump says that there is nothing at present.
      if (error.errorCode !== AttErrorCode.ReadNotPermitted) this.logger.info(() => `${name}: ${error.message}`);
      return undefined;
    }
  }

  /**
   * A request to a control point, and the indication that answers it.
   *
   * @param onResponse reads an indication: the result, or undefined when it answers something else. What it throws fails the exchange
   * @throws {PumpError} ERR_PUMP_FORBIDDEN: not in the table · {TimeoutError} 10 s without progress · `signal.reason`
   */
  async exchange<T>(
    name: ControlPointName,
    { opcode, operand, e2eCrc }: { opcode: number; operand: Uint8Array; e2eCrc: boolean },
    onResponse: (plaintext: Uint8Array) => T | undefined,
    how: Pick<ControlPointExchange<T>, "signal" | "prolonged" | "onTaken"> = {},
  ): Promise<T> {
    // Within one operation the look before each write takes longer than the pause that the pump likes between two exchanges.
    const request = this.#encoder.encode(name, opcode, operand, { e2eCrc });
    return await this.#write(() => this.#controlPoints[name].exchange({ request, onResponse, ...how }));
  }

  /** A pump whose attributes are not where it had them is met afresh: nothing that is known of it holds. */
  async #write<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof PumpError && error.code === "ERR_PUMP_MOVED") this.fail(error);
      throw error;
    }
  }

  #of(name: PumpValueName): PumpPlace {
    if (!this.#handles) throw new PumpError("ERR_PUMP_SERVICE_MISSING", "The pump's services are not known yet.");
    return this.#handles.of(name);
  }

  #reading(): OperationOptions {
    return { signal: this.#ending.signal, timeoutMs: READ_TIMEOUT_MS };
  }

  /** What is in octets that may be a frame; undefined where they are none, which is no fault. */
  tryOpen(octets: Uint8Array): Uint8Array | undefined {
    return this.#sake.tryDecrypt(octets);
  }

  /** A value that was read and does not open means that the streams are out of step for good. */
  #open(frame: Uint8Array): Uint8Array {
    try {
      return this.#sake.decrypt(frame);
    } catch (error) {
      if (error instanceof SakeFrameError) this.fail(error);
      throw error;
    }
  }

  // --- what the pump sends ------------------------------------------------------------------------------------------------------

  /** Called while the packet is handled: frames are opened in the order of their arrival, over all characteristics. */
  #onValue({ handle, value, indication }: HandleValue): void {
    this.#onActivity();
    const handles = this.#handles;
    if (!handles) return;
    if (indication && handles.isGenericAttribute(handle)) {
      this.fail(new StateError("the pump says that its services changed"));
      return;
    }
    const name = handles.senderAt(handle);
    if (!name) return;
    if (!PERMITTED_WRITES[name].encrypted && isControlPoint(name)) {
      this.#controlPoints[name].receive(value);
      return;
    }
    if (isAskedFor(name)) {
      this.onAskedFor?.(name, value.slice());
      return;
    }
    let plaintext: Uint8Array;
    try {
      plaintext = this.#sake.decrypt(value);
    } catch (error) {
      if (!(error instanceof SakeFrameError)) throw error;
      this.logger.warn(() => `${indication ? "indication" : "notification"} of ${name}, ${value.length} octets: ${error.message}`);
      if (error.final) this.fail(error);
      else this.onLoss?.();
      return;
    }
    this.#onSent(name, plaintext);
  }

  /** What the pump sends, decrypted. Data of a transfer are progress of the control point that was asked for them. */
  #onSent(name: Exclude<SubscribedName, AskedForName>, plaintext: Uint8Array): void {
    switch (name) {
      case "cgmMeasurement":
        if (!this.onMeasurement) return;
        this.#controlPoints.cgmRecordAccess.progress();
        this.onMeasurement(plaintext);
        return;
      case "iddHistoryData":
        this.#controlPoints.iddRecordAccess.progress();
        this.onHistoryData?.(plaintext);
        return;
      case "iddCommandData":
        this.#controlPoints.iddCommand.progress();
        this.onCommandData?.(plaintext);
        return;
      case "iddStatusChanged":
        this.#onStatusChanged(plaintext);
        return;
      default:
        this.#controlPoints[name].receive(plaintext);
    }
  }

  #onStatusChanged(plaintext: Uint8Array): void {
    try {
      const changed = decodeIddStatusChanged(this.delivery.open("iddStatusChanged", plaintext), { e2e: false });
      this.#encoder.onPushed(changed.bits);
      this.push.receive(changed);
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      this.logger.warn(() => `what the pump pushed was dropped: ${error.message}`);
    }
  }

  // --- life ---------------------------------------------------------------------------------------------------------------------

  #onActivity(): void {
    this.#silence.onHeard();
  }

  /** Ends it and the link, at the user's wish. @throws the controller does not take the link down */
  async disconnect(): Promise<void> {
    this.end(new PumpError("ERR_PUMP_SESSION_ENDED", "The session was ended by its user."));
    await this.#hangUp();
  }

  /** It cannot go on: the link is dropped, and the pump may come back. */
  fail(error: BleError): void {
    this.end(error);
    this.#hangUp().catch((failure: unknown) => this.logger.warn(() => `disconnecting: ${String(failure)}`));
  }

  /** It is over, although the link may be there. */
  end(reason: BleError): void {
    if (this.#ended) return;
    const ended =
      reason instanceof PumpError && reason.code === "ERR_PUMP_SESSION_ENDED"
        ? reason
        : new PumpError("ERR_PUMP_SESSION_ENDED", `The session with the pump is over: ${reason.message.replace(/\.$/, "")}.`, {
            cause: reason,
          });
    this.#ended = ended;
    this.#silence[Symbol.dispose]();
    this.#sake[Symbol.dispose]();
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    this.#ending.abort(ended);
    this.#lock.close(ended);
    for (const controlPoint of Object.values(this.#controlPoints)) controlPoint.fail(ended);
    this.#events.emit("ended", ended);
  }
}

function isAskedFor(name: SubscribedName): name is AskedForName {
  return (ASKED_FOR_NAMES as readonly SubscribedName[]).includes(name);
}

function isControlPoint(name: SubscribedName): name is ControlPointName {
  return Object.keys(PERMITTED_WRITES[name].requests).length > 0;
}
