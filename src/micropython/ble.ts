import { type Clock, Semaphore, SystemClock } from "../async/index.ts";
import { checkChoice, checkFunction, checkOptions, kindOf, Logger, optionNames, type RandomSource, systemRandom } from "../core/index.ts";
import type { Capture, Device, OpenController } from "../device/index.ts";
import { type HciTransport, TransportClosed } from "../hci/index.ts";
import type { BondStore } from "../smp/index.ts";
import { ActiveBle, type BleContext } from "./active-ble.ts";
import { checkInt, checkNamed, checkTruth } from "./arguments.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { ChannelMethods } from "./channel-methods.ts";
import { Dispatcher, type IrqHandler, type TupleHandler } from "./dispatcher.ts";
import { BleArgumentError, OsErrors } from "./errors.ts";
import type { BleEvent } from "./events.ts";
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
  /** Where bonds are kept, in place of the program's handler of `getSecret` and `setSecret`. Give `irk`, too: without it every start has a new one, and bonded peers no longer resolve our private addresses. */
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

interface IrqTupleOptions {
  /** Also Jelling's own events, of number 100 and above; false by default. */
  readonly own?: boolean | number | undefined;
}

const TUPLE_OPTIONS = optionNames<IrqTupleOptions>({ own: true });

/**
 * MicroPython's `bluetooth.BLE` on one controller: connections, attributes and channels by their numbers, and one handler of events.
 *
 * A method that talks to the controller or a peer resolves when the request was accepted; what becomes of it is told by an event. Methods
 * throw BleOsError and BleArgumentError; those that return a promise reject with them.
 */
export class BLE extends ChannelMethods implements AsyncDisposable {
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
   * @throws {BleArgumentError} ValueError: no function · TypeError: unknown options, or of another kind
   */
  irqTuple(handler: TupleHandler | null, options: IrqTupleOptions = {}): void {
    checkHandler(handler);
    checkNamed("irqTuple", options, TUPLE_OPTIONS);
    const withOwn = checkTruth("irqTuple: own", options.own ?? false);
    if (handler) this.#context.dispatcher.setTupleHandler(handler, withOwn);
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
    checkInt("hciCmd: maxLen", maxLen, 0, 0xffff_ffff);
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
