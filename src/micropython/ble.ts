import { type Clock, Semaphore, SystemClock } from "../async/index.ts";
import { checkChoice, checkFunction, checkOptions, kindOf, Logger, optionNames, type RandomSource, systemRandom } from "../core/index.ts";
import type { Capture, Device, OpenController } from "../device/index.ts";
import { type HciTransport, TransportClosed } from "../hci/index.ts";
import type { BondStore } from "../smp/index.ts";
import { ActiveBle, type BleContext } from "./active-ble.ts";
import { parseAddress } from "./addresses.ts";
import { checkCid, checkConnHandle, checkInt, checkTruth } from "./arguments.ts";
import { type Bytes, toOctets, toWritable } from "./bytes.ts";
import { AddrType, type PasskeyAction } from "./constants.ts";
import { Dispatcher, type IrqHandler, type TupleHandler } from "./dispatcher.ts";
import { BleArgumentError, OsErrors } from "./errors.ts";
import type { BleEvent } from "./events.ts";
import { checkAdvertising } from "./gap-advertise.ts";
import { GattMethods } from "./gatt-methods.ts";
import { type HciCommandResult, sendHciCommand } from "./hci-command.ts";
import { Secrets } from "./secrets.ts";
import { type BleConfig, type BleConfigSettable, checkConfigName, Settings } from "./settings.ts";
import { TransportLease } from "./transport-lease.ts";

export interface BleOptions {
  /**
   * A transport, or what opens one. A transport is kept over `active(false)` and closed by `close`; one that is opened is opened by each
   * `active(true)` and closed by each `active(false)`.
   */
  readonly controller: HciTransport | OpenController;
  /**
   * "fixed" (default) repairs what programs can only suffer from. "strict" keeps what a program could depend on: negative numbers of errors,
   * a handler that is removed when it throws, EIO for a second connection to a peer, and `leSecure` on by default.
   */
  readonly compat?: "strict" | "fixed" | undefined;
  /** What the handler throws, rejects with, or does not answer in 30 s. Without it the logger is told. */
  readonly onHandlerError?: ((error: unknown, event: BleEvent) => void) | undefined;
  /** Where bonds are kept, in place of the program's handler of `getSecret` and `setSecret`. Give `irk`, too. */
  readonly bonds?: BondStore | undefined;
  /** Identity resolving key, 16 octets, most significant first: of the own resolvable private addresses, and of the static random address. */
  readonly irk?: Uint8Array | undefined;
  /** Pairs with LE Secure Connections or not at all, whatever `leSecure` is; false by default, as `leSecure` demands nothing of the peer. */
  readonly secureConnectionsOnly?: boolean | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** The platform's generator by default. */
  readonly random?: RandomSource | undefined;
  readonly logger?: Logger | undefined;
  /** Sees every HCI packet in both directions. */
  readonly capture?: Capture | undefined;
}

const OPTIONS = optionNames<BleOptions>({
  controller: true,
  compat: true,
  onHandlerError: true,
  bonds: true,
  irk: true,
  secureConnectionsOnly: true,
  clock: true,
  random: true,
  logger: true,
  capture: true,
});

export interface GapAdvertiseOptions {
  /** Scan response: at most 31 octets; nothing: what was given before. */
  readonly respData?: Bytes | null | undefined;
  /** True by default; otherwise scannable (ADV_SCAN_IND). */
  readonly connectable?: boolean | number | undefined;
}

const ADVERTISE_OPTIONS = optionNames<GapAdvertiseOptions>({ respData: true, connectable: true });

const LONGEST = 0xffff_ffff;

/**
 * MicroPython's `bluetooth.BLE` on one controller: connections, attributes and channels by their numbers, and one handler of events.
 *
 * A method that talks to the controller or a peer resolves when the request was accepted; what becomes of it is told by an event. Methods
 * throw BleOsError and BleArgumentError; those that return a promise reject with them.
 */
export class BLE extends GattMethods implements AsyncDisposable {
  readonly #options: BleOptions;
  readonly #context: BleContext;
  readonly #switching: Semaphore;
  #activation: ActiveBle | undefined;
  #lease: TransportLease | undefined;
  /** Why a transport that is kept is of no use any more. */
  #transportEnd: TransportClosed | undefined;
  /** What is left of an activation that was lost is being given back: the transport is not free before. */
  #leaving: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @throws {ArgumentError} unknown options, or of another kind */
  constructor(options: BleOptions) {
    super();
    checkOptions("BLE", options ?? null, OPTIONS);
    const { controller, compat = "fixed", onHandlerError, bonds, irk, capture } = options;
    const { clock = new SystemClock(), random = systemRandom, logger = Logger.silent } = options;
    if (typeof controller !== "function" && typeof (controller as Partial<HciTransport> | null | undefined)?.send !== "function")
      throw new BleArgumentError("TypeError", `BLE: controller: expected a transport or what opens one, got ${kindOf(controller)}`);
    checkChoice("BLE: compat", compat, ["strict", "fixed"]);
    checkFunction("BLE: onHandlerError", onHandlerError);
    const secureConnectionsOnly = checkTruth("BLE: secureConnectionsOnly", options.secureConnectionsOnly ?? false);
    this.#options = options;
    const errors = new OsErrors(compat === "strict");
    const settings = new Settings(errors);
    const ownLogger = logger.child("micropython");
    const dispatcher = new Dispatcher({
      clock,
      logger: ownLogger,
      isStrict: errors.isStrict,
      onHandlerError,
      rxbuf: () => settings.rxbuf,
    });
    const secrets = bonds ? undefined : new Secrets({ clock, random, logger: ownLogger, dispatcher });
    this.#context = { clock, random, logger: ownLogger, dispatcher, settings, errors, bonds, irk, secrets, secureConnectionsOnly, capture };
    this.#switching = new Semaphore(clock);
  }

  /** The device that this stands on while it is active: for what this API does not have. */
  get device(): Device | undefined {
    return this.#activation?.device;
  }

  // --- general --------------------------------------------------------------------------------------------------------------------

  /** Whether Bluetooth is on. */
  active(): boolean;
  /**
   * Switches it on or off; on twice is once. Off ends everything and tells the peers, and the handler of a scan's end alone.
   *
   * @returns whether it is on now
   * @throws {BleOsError} ETIMEDOUT: the controller does not answer · EIO: it cannot be opened or started · ENODEV: this object was closed
   */
  active(on: boolean | number): Promise<boolean>;
  active(on?: boolean | number): boolean | Promise<boolean> {
    if (on === undefined) return this.#activation !== undefined;
    return this.#switch(on);
  }

  /**
   * Reads a parameter.
   *
   * @throws {BleArgumentError} ValueError: no such parameter · {BleOsError} ENODEV: `mac`, `addrMode` and `mtu` are there while it is active
   */
  config<K extends keyof BleConfig>(name: K): BleConfig[K];
  /**
   * Sets parameters: all, or where one of them is refused none.
   *
   * @throws {BleArgumentError} · {BleOsError} EINVAL: out of range · ENODEV: `addrMode` and `mtu` can be set while it is active
   */
  config(values: Partial<BleConfigSettable>): Promise<void>;
  config(given: string | Partial<BleConfigSettable>, ...more: unknown[]): unknown {
    if (more.length > 0) throw new BleArgumentError("TypeError", "config: expected one name, or an object of values");
    if (typeof given === "string") return this.#read(given);
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return this.#set(given);
    throw new BleArgumentError("TypeError", `config: expected a name, or an object of values, got ${kindOf(given)}`);
  }

  /** Sets the handler of events, in place of the one before; null drops them. @throws {BleArgumentError} ValueError: no function */
  irq(handler: IrqHandler | null): void {
    checkHandler(handler);
    this.#context.dispatcher.setHandler(handler ?? undefined);
  }

  /**
   * As `irq`, for a handler in MicroPython's form: a number and a tuple.
   *
   * @param options.own also Jelling's own events, of number 100 and above; false by default
   */
  irqTuple(handler: TupleHandler | null, { own = false }: { readonly own?: boolean } = {}): void {
    checkHandler(handler);
    if (handler) this.#context.dispatcher.setTupleHandler(handler, own);
    else this.#context.dispatcher.setHandler(undefined);
  }

  /**
   * Sends a raw HCI command.
   *
   * @param params the parameters of the command
   * @param maxLen octets of return parameters to keep
   * @throws {BleOsError} it could not be carried out; a refusal of the controller is a `status`
   */
  async hciCmd(ogf: number, ocf: number, params: Bytes, maxLen = 255): Promise<HciCommandResult> {
    checkInt("hciCmd: ogf", ogf, 0, 0x3f);
    checkInt("hciCmd: ocf", ocf, 0, 0x3ff);
    checkInt("hciCmd: maxLen", maxLen, 0, LONGEST);
    const parameters = toOctets("hciCmd: params", params);
    if (parameters.length > 255)
      throw new BleArgumentError("ValueError", `hciCmd: ${parameters.length} octets of parameters: at most 255 fit`);
    const { device, errors } = this.#running("hciCmd");
    try {
      const { status, data } = await sendHciCommand(device, ogf, ocf, parameters);
      return { status, data: data.slice(0, maxLen) };
    } catch (error) {
      throw errors.of("hciCmd", error);
    }
  }

  // --- GAP ------------------------------------------------------------------------------------------------------------------------

  /**
   * Advertises; what was advertised before is replaced. A connection ends it.
   *
   * @param intervalUs microseconds, 20,000 to 10,240,000; 500,000 by default; 0 leaves it to the host; null stops, and is never an error
   * @param advData at most 31 octets; null or nothing: what was given before
   * @throws {BleOsError} ENODEV · EINVAL · ENOMEM: no room for the connection that could come of it
   */
  async gapAdvertise(intervalUs: number | null = 500_000, advData: Bytes | null = null, options: GapAdvertiseOptions = {}): Promise<void> {
    checkNamed("gapAdvertise", options, ADVERTISE_OPTIONS);
    if (intervalUs === null) {
      await this.#activation?.advertising.stop();
      return;
    }
    checkInt("gapAdvertise: intervalUs", intervalUs, 0, LONGEST);
    const { respData, connectable = true } = options;
    const given = {
      intervalUs,
      data: toOptionalOctets("gapAdvertise: advData", advData),
      respData: toOptionalOctets("gapAdvertise: respData", respData),
      connectable: checkTruth("gapAdvertise: connectable", connectable),
    };
    const { advertising, errors } = this.#running("gapAdvertise");
    checkAdvertising(given, errors);
    await advertising.start(given);
  }

  /**
   * Scans: a `scanResult` for each report, and a `scanDone` at the end.
   *
   * @param durationMs milliseconds; 0 (default) until it is stopped; null stops, and raises `scanDone` before it resolves
   * @param intervalUs microseconds, 1,280,000 by default @param windowUs microseconds, 11,250 by default; both are held within 2.5 ms to 10.24 s
   * @param active asks for scan responses, which are reported by themselves; false by default
   * @throws {BleOsError} ENODEV · EALREADY: scanning · EBUSY: connecting · EINVAL: a window longer than the interval
   */
  async gapScan(durationMs: number | null = 0, intervalUs = 1_280_000, windowUs = 11_250, active: boolean | number = false): Promise<void> {
    if (durationMs === null) {
      await this.#activation?.scanning.stop();
      return;
    }
    checkInt("gapScan: durationMs", durationMs, 0, LONGEST);
    checkInt("gapScan: intervalUs", intervalUs, 0, LONGEST);
    checkInt("gapScan: windowUs", windowUs, 0, LONGEST);
    const isActive = checkTruth("gapScan: active", active);
    await this.#running("gapScan").scanning.start({ durationMs, intervalUs, windowUs, active: isActive });
  }

  /** Gives up connecting; `peripheralDisconnect` of connection 0xFFFF tells. @throws {BleOsError} ENODEV · EALREADY: nothing to give up */
  gapConnect(cancel: null): Promise<void>;
  /**
   * Connects: `peripheralConnect` tells of the connection, `peripheralDisconnect` of connection 0xFFFF that none came about.
   *
   * @param addrType see AddrType; 2 and 3 are identities that a scan result had
   * @param addr six octets, most significant first, or "C0:11:22:33:44:55"
   * @param scanDurationMs how long to look for the peer, milliseconds; 2000 by default; 0 is 30 s
   * @param minUs @param maxUs bounds of the connection interval, microseconds; 30,000 and 50,000 by default
   * @throws {BleOsError} ENODEV · EALREADY: connecting, or connected to this peer · ENOMEM: no room for another connection · EINVAL
   */
  gapConnect(addrType: number, addr: Bytes, scanDurationMs?: number | null, minUs?: number | null, maxUs?: number | null): Promise<void>;
  async gapConnect(
    addrType: number | null,
    addr?: Bytes,
    scanDurationMs?: number | null,
    minUs?: number | null,
    maxUs?: number | null,
  ): Promise<void> {
    if (addrType === null && addr === undefined) {
      await this.#running("gapConnect").connecting.cancel();
      return;
    }
    if (addr === undefined || addrType === null) throw new BleArgumentError("TypeError", "gapConnect: expected addrType and addr, or null");
    checkInt("gapConnect: addrType", addrType, 0, 0xff);
    const peer = parseAddress(addrType, addr);
    const given = {
      peer,
      scanDurationMs: checkInt("gapConnect: scanDurationMs", scanDurationMs ?? 2000, 0, LONGEST),
      minUs: checkInt("gapConnect: minUs", minUs ?? 0, 0, LONGEST),
      maxUs: checkInt("gapConnect: maxUs", maxUs ?? 0, 0, LONGEST),
    };
    const { connecting, errors } = this.#running("gapConnect");
    if (addrType > AddrType.RandomIdentity) throw errors.create("EINVAL", `gapConnect: addrType ${addrType}: expected 0 to 3`);
    await connecting.start(given);
  }

  /** Begins to end a connection; its event tells when it is over. @returns false: there is no such connection @throws {BleOsError} ENODEV */
  async gapDisconnect(connHandle: number): Promise<boolean> {
    checkConnHandle(connHandle);
    return this.#running("gapDisconnect").links.disconnect(connHandle);
  }

  /**
   * Begins to pair, or to encrypt with the keys of a bond; `encryptionUpdate` tells of the end. A peripheral asks the central for it.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · EALREADY: a pairing of this connection is under way
   */
  async gapPair(connHandle: number): Promise<void> {
    checkConnHandle(connHandle);
    this.#running("gapPair").pairing.start(connHandle);
  }

  /**
   * Answers a `passkeyAction`, in the handler or later.
   *
   * @param action what was asked for: a value of PasskeyAction
   * @param passkey Input: what the user typed; Display: what the program has chosen and shows; NumericComparison: true where both devices show the
   *   same number
   * @throws {BleOsError} ENODEV · ENOTCONN · EINVAL: another action, or more than six digits · ENOENT: no pairing waits · EALREADY: it was answered
   */
  async gapPasskey(connHandle: number, action: PasskeyAction, passkey: number | boolean): Promise<void> {
    checkConnHandle(connHandle);
    checkInt("gapPasskey: action", action, -LONGEST, LONGEST);
    const answer = typeof passkey === "boolean" ? Number(passkey) : checkInt("gapPasskey: passkey", passkey, -LONGEST, LONGEST);
    this.#running("gapPasskey").pairing.answer(connHandle, action, answer);
  }

  // --- L2CAP ----------------------------------------------------------------------------------------------------------------------

  /**
   * Takes channels that peers open, until `l2capUnlisten` or `active(false)`: an `l2capAccept` for each, whose answer may refuse it with a number
   * that is not zero, and an `l2capConnect`.
   *
   * @param psm 1 to 255
   * @param mtu longest SDU that is taken, octets; held within 32 to 65535
   * @throws {BleOsError} ENODEV · EALREADY: listening to this PSM · EINVAL
   */
  async l2capListen(psm: number, mtu: number): Promise<void> {
    checkInt("l2capListen: psm", psm, -LONGEST, LONGEST);
    checkInt("l2capListen: mtu", mtu, -LONGEST, LONGEST);
    this.#running("l2capListen").channels.listen(psm, mtu);
  }

  /** Takes no more channels of this PSM; those that are open stay. @throws {BleOsError} ENODEV · EINVAL: not listening to it */
  async l2capUnlisten(psm: number): Promise<void> {
    checkInt("l2capUnlisten: psm", psm, -LONGEST, LONGEST);
    this.#running("l2capUnlisten").channels.unlisten(psm);
  }

  /**
   * Opens a channel: `l2capConnect` tells of it, `l2capDisconnect` with a status that none came about.
   *
   * @throws {BleOsError} ENODEV · ENOTCONN · EINVAL · ENOMEM: all channels of the connection are in use
   */
  async l2capConnect(connHandle: number, psm: number, mtu: number): Promise<void> {
    checkConnHandle(connHandle);
    checkInt("l2capConnect: psm", psm, -LONGEST, LONGEST);
    checkInt("l2capConnect: mtu", mtu, -LONGEST, LONGEST);
    this.#running("l2capConnect").channels.connect(connHandle, psm, mtu);
  }

  /** Begins to close a channel; `l2capDisconnect` tells when it is over. @throws {BleOsError} ENODEV · EINVAL: no such channel */
  async l2capDisconnect(connHandle: number, cid: number): Promise<void> {
    checkConnHandle(connHandle);
    checkCid(cid);
    this.#running("l2capDisconnect").channels.disconnect(connHandle, cid);
  }

  /**
   * Sends an SDU.
   *
   * @param data octets, copied
   * @returns true: it has gone completely; false: it goes when the peer and the controller have room, and nothing more can be sent until
   *   `l2capSendReady`
   * @throws {BleOsError} ENODEV · EINVAL: no such channel, or longer than the peer takes · EBUSY: until `l2capSendReady`
   */
  l2capSend(connHandle: number, cid: number, data: Bytes): boolean {
    checkConnHandle(connHandle);
    checkCid(cid);
    const sdu = toOctets("l2capSend: data", data);
    return this.#running("l2capSend").channels.send(connHandle, cid, sdu);
  }

  /**
   * Reads what was received, as a stream of octets. The peer may send more when there is nothing left, and the handler of `l2capRecv` is done.
   *
   * @param into where to copy to; null asks how much there is
   * @returns octets copied, or available
   * @throws {BleOsError} ENODEV · EINVAL: no such channel
   */
  l2capRecvInto(connHandle: number, cid: number, into: Uint8Array | ArrayBufferLike | ArrayBufferView | null): number {
    checkConnHandle(connHandle);
    checkCid(cid);
    const target = into === null ? undefined : toWritable("l2capRecvInto: into", into);
    return this.#running("l2capRecvInto").channels.receive(connHandle, cid, target);
  }

  // --- life -----------------------------------------------------------------------------------------------------------------------

  /** Switches off for good, and closes the transport that was given. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { controller } = this.#options;
    try {
      using _turn = await this.#switching.acquire();
      await this.#stop();
      await this.#leaving;
    } finally {
      this.#context.dispatcher.close();
      if (typeof controller !== "function") await controller[Symbol.asyncDispose]();
    }
  }

  async #switch(on: boolean | number): Promise<boolean> {
    const isOn = checkTruth("active", on);
    using _turn = await this.#switching.acquire();
    if (!isOn) await this.#stop();
    else if (!this.#activation) await this.#start();
    return this.#activation !== undefined;
  }

  async #start(): Promise<void> {
    const { errors } = this.#context;
    if (this.#closing) throw errors.create("ENODEV", "this BLE object was closed");
    if (this.#transportEnd) throw errors.create("EIO", this.#transportEnd.message, { cause: this.#transportEnd });
    await this.#leaving;
    try {
      const activation = await ActiveBle.open((signal) => this.#lend(signal), this.#context);
      activation.onLost = (error) => this.#lost(activation, error);
      this.#activation = activation;
    } catch (error) {
      const { code } = errors.of("active", error);
      const name = code === "ETIMEDOUT" ? code : "EIO";
      throw errors.create(name, `active: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  /** The transport, for as long as it stays on. */
  async #lend(signal: AbortSignal): Promise<HciTransport> {
    const { controller } = this.#options;
    const { clock, logger, random } = this.#context;
    const isKept = typeof controller !== "function";
    const transport = isKept ? controller : await controller({ clock, logger, random, signal });
    this.#lease = new TransportLease(transport, { isKept });
    return this.#lease;
  }

  /** @throws {BleOsError} ETIMEDOUT: the controller has not confirmed that everything is off */
  async #stop(): Promise<void> {
    const activation = this.#activation;
    if (!activation) return;
    this.#activation = undefined;
    await activation.close();
    if (!this.#lease?.isReset) throw this.#context.errors.create("ETIMEDOUT", "active: the controller did not confirm that it is off");
  }

  /** The controller is gone, and all that was there with it. */
  #lost(activation: ActiveBle, error: Error): void {
    if (this.#activation !== activation) return;
    this.#activation = undefined;
    if (error instanceof TransportClosed && typeof this.#options.controller !== "function") this.#transportEnd = error;
    this.#context.logger.error(() => `Bluetooth has ended: ${error.message}`);
    this.#leaving = activation.close();
  }

  /** @internal */
  protected override get activation(): ActiveBle | undefined {
    return this.#activation;
  }

  /** @internal */
  protected override running(method: string): ActiveBle {
    return this.#running(method);
  }

  #running(method: string): ActiveBle {
    if (!this.#activation) throw this.#context.errors.create("ENODEV", `${method}: Bluetooth is not active`);
    return this.#activation;
  }

  // --- config ---------------------------------------------------------------------------------------------------------------------

  #read(name: string): unknown {
    checkConfigName(name);
    const { settings } = this.#context;
    if (name === "mac") return this.#running("config").mac;
    if (name === "addrMode" || name === "mtu") this.#running("config");
    return name === "gapName" ? settings.gapName.slice() : settings[name];
  }

  async #set(values: Partial<BleConfigSettable>): Promise<void> {
    const { settings } = this.#context;
    const checked = settings.check(values);
    if (checked.addrMode !== undefined || checked.mtu !== undefined) this.#running("config").checkSettings(checked);
    Object.assign(settings, checked);
    this.#activation?.onSettings(checked);
  }
}

function checkHandler(handler: unknown): void {
  if (handler !== null && typeof handler !== "function")
    throw new BleArgumentError("ValueError", `invalid handler: expected a function or null, got ${kindOf(handler)}`);
}

function toOptionalOctets(what: string, value: Bytes | null | undefined): Uint8Array | undefined {
  return value === null || value === undefined ? undefined : toOctets(what, value);
}

/** Named arguments. @throws {BleArgumentError} TypeError: an unknown one */
function checkNamed(what: string, options: unknown, names: ReadonlySet<string>): void {
  try {
    checkOptions(what, options ?? null, names);
  } catch (error) {
    throw new BleArgumentError("TypeError", (error as Error).message, { cause: error });
  }
}
