import { Air, type AirFault, type AirOptions, type AirPacket, type InAir } from "../air/index.ts";
import { type Clock, delay, turn, VirtualClock } from "../async/index.ts";
import { Controller, type ControllerOptions, featuresForDevice } from "../controller/index.ts";
import { ArgumentError, type RandomSource, SeededRandom, StateError } from "../core/index.ts";
import { type Connection, Device, type DeviceAdvertiseOptions, type DeviceConnectOptions, type DeviceOptions } from "../device/index.ts";
import { HciError, HciErrorCode } from "../hci/index.ts";
import { PairEnd } from "./pair-end.ts";
import { type TracedPacket, tracedPackets } from "./traced-packet.ts";

export interface SimulatedAirOptions extends Omit<AirOptions, "clock"> {
  /** Default: a virtual clock of its own, which runs by itself whenever all code waits. */
  clock?: Clock | undefined;
  /** What its controllers have where they are not told otherwise: `{ pathSkewMs: 10 }`, `{ address: "00:00:00:00:00:00" }`, … */
  controller?: Omit<ControllerOptions, "air" | "name">;
}

export interface SimulatedDeviceOptions extends Omit<DeviceOptions, "clock" | "signal"> {
  /** Its controller: position, power, clock accuracy, features, buffers, … */
  readonly controller?: Omit<ControllerOptions, "air">;
}

export interface ConnectedPairOptions {
  readonly central?: SimulatedDeviceOptions;
  readonly peripheral?: SimulatedDeviceOptions;
  /** What the peripheral advertises with; every 20 ms unless said otherwise. */
  readonly advertise?: DeviceAdvertiseOptions;
  /** How the central connects; at 15 ms unless said otherwise. */
  readonly connect?: DeviceConnectOptions;
}

/** Names and octets of the packets so far; see `SimulatedAir.trace`. */
const TRACE_CAPACITY = 100_000;

/** How long the two of a pair may take to find each other. */
const PAIR_TIMEOUT_MS = 60_000;
const PAIR_ATTEMPTS = 32;

/**
 * An air with a clock, for programs and tests that want Bluetooth Low Energy without a radio: devices in it scan, connect and pair as with
 * real controllers, in simulated time, and the same seed gives the same packets every time.
 *
 * ```ts
 * await using air = new SimulatedAir({ seed: 1 });
 * const { central, peripheral } = await air.connectedPair();
 * ```
 *
 * Leaving its scope closes every device, and throws if something is then still waiting for a timer.
 */
export class SimulatedAir implements AsyncDisposable {
  readonly clock: Clock;
  /** The medium itself: `air.trace.text()` is the raw trace. */
  readonly air: Air;
  readonly #ownClock: VirtualClock | undefined;
  readonly #devices: Device[] = [];
  readonly #controllers = new Map<Device, Controller>();
  readonly #controllerDefaults: Omit<ControllerOptions, "air" | "name">;
  #count = 0;
  #isDisposed = false;

  constructor(options: SimulatedAirOptions = {}) {
    const { clock, controller = {}, ...rest } = options;
    this.#controllerDefaults = controller;
    this.#ownClock = clock ? undefined : new VirtualClock();
    this.clock = clock ?? this.#ownClock!;
    this.air = new Air({ traceCapacity: TRACE_CAPACITY, ...rest, clock: this.clock });
  }

  /** Milliseconds since the air was made. */
  get nowMs(): number {
    return this.air.nowUs / 1000;
  }

  /** A reproducible stream of random octets, the same for the same label. */
  random(label: string): RandomSource {
    return new SeededRandom(this.air.seed, label);
  }

  /** A controller without a host: open its `transport`, or `attach` a foreign stack to it. */
  addController(options: Omit<ControllerOptions, "air"> = {}): Controller {
    return new Controller({ ...this.#controllerDefaults, ...options, air: this.air });
  }

  /**
   * A device with a controller of its own, which has extended and periodic advertising and a resolving list unless its `features` say otherwise:
   * `{ extendedAdvertising: false, llPrivacy: false }` is one of version 4. Its randomness comes from the
   * seed; its name, "device1" and so on by default, is the one in traces.
   */
  async device({ controller: controllerOptions = {}, ...options }: SimulatedDeviceOptions = {}): Promise<Device> {
    const name = options.name ?? `device${++this.#count}`;
    const features = featuresForDevice({ ...this.#controllerDefaults.features, ...controllerOptions.features });
    const controller = this.addController({ name, ...controllerOptions, features });
    const random = options.random ?? this.random(`device ${controller.name}`);
    const device = await Device.open(controller.transport, { ...options, name, random, clock: this.clock });
    this.#devices.push(device);
    this.#controllers.set(device, controller);
    return device;
  }

  /** The controller that `device` made for a device. @throws {ArgumentError} not a device of this air */
  controllerOf(device: Device): Controller {
    const controller = this.#controllers.get(device);
    if (!controller) throw new ArgumentError("this device was not made by `device` of this air");
    return controller;
  }

  /** Two devices and a link between them. */
  async connectedPair(options: ConnectedPairOptions = {}): Promise<{ central: PairEnd; peripheral: PairEnd }> {
    const central = await this.device({ name: this.#freeName("central"), ...options.central });
    const peripheral = await this.device({ name: this.#freeName("peripheral"), ...options.peripheral });
    for (let attempt = 0; attempt < PAIR_ATTEMPTS; attempt++) {
      const link = await this.#connect(central, peripheral, options);
      if (!link) continue;
      return {
        central: new PairEnd(central, link.atCentral, this.controllerOf(central)),
        peripheral: new PairEnd(peripheral, link.atPeripheral, this.controllerOf(peripheral)),
      };
    }
    throw new StateError(`no link that lasts in ${PAIR_ATTEMPTS} attempts: too much is lost, or they are out of range`);
  }

  /** Nothing where the link was given up right away, as happens in an air that loses packets (error 0x3E). */
  async #connect(central: Device, peripheral: Device, options: ConnectedPairOptions) {
    // A CONNECT_IND whose first answer is lost makes a link at the peripheral alone, which ends; the central tries again.
    await using advertising = await peripheral.advertise({ intervalMs: 20, restart: "disconnected", ...options.advertise });
    const address = advertising.ownAddress ?? peripheral.address;
    let atCentral: Connection;
    try {
      atCentral = await central.connect(address, { intervalMs: 15, ...options.connect });
    } catch (error) {
      if (error instanceof HciError && error.status === HciErrorCode.ConnectionFailedToBeEstablished) return undefined;
      throw error;
    }
    const connected = advertising.connection({ timeoutMs: PAIR_TIMEOUT_MS });
    connected.catch(() => undefined); // told below, where it matters
    const atPeripheral = await Promise.race([connected, atCentral.closed.then(() => undefined)]);
    return atPeripheral && { atCentral, atPeripheral };
  }

  /** Lets so much time of the clock pass. */
  async advance(ms: number): Promise<void> {
    if (this.clock instanceof VirtualClock) await this.clock.advance(ms);
    else await delay(this.clock, ms, { name: "advance" });
  }

  /**
   * What passed so far, decoded, each packet once: commands and data as hosts send them, events as hosts get them, and what went over the
   * air; the newest 100,000. With `name` those of one kind: "LeExtendedCreateConnection", "AttReadBlobReq", "PairingRequest", "ConnectInd".
   */
  trace(name?: string): TracedPacket[] {
    const packets = tracedPackets(this.air.trace.entries);
    return name === undefined ? packets : packets.filter((packet) => packet.name === name);
  }

  /** Asks `hook` what becomes of each packet on air (empty ones excepted); dispose the result to stop. */
  onAirPacket(hook: (packet: AirPacket) => AirFault | undefined): Disposable {
    return this.air.onPacket(hook);
  }

  /** Lets nothing through between two devices or controllers until the result is disposed. */
  cut(a: Device | InAir, b: Device | InAir): Disposable {
    return this.air.cut(this.#inAir(a), this.#inAir(b));
  }

  /** Closes every device, removes every controller. @throws {StateError} something still waits for a timer of the air's own clock */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const device of this.#devices) await device.close();
    this.air[Symbol.dispose]();
    if (!this.#ownClock) return;
    await turn();
    const pending = this.#ownClock.pending;
    this.#ownClock[Symbol.dispose]();
    if (pending.length > 0) throw new StateError(`everything is closed, and still waiting: ${[...new Set(pending)].join(", ")}`);
  }

  #freeName(name: string): string {
    return this.#devices.some((device) => this.#controllers.get(device)!.name === name) ? `${name}${++this.#count}` : name;
  }

  #inAir(who: Device | InAir): InAir {
    return who instanceof Device ? this.controllerOf(who) : who;
  }
}
