import { type Clock, VirtualClock } from "../async/index.ts";
import { ArgumentError, checkInteger, SeededRandom, StateError } from "../core/index.ts";
import { type AnyMgmtEvent, DisconnectReason, events, type GivenTo } from "../mgmt-protocol/index.ts";
import type { BlockingKernelSocket, KernelSocket } from "../transport/index.ts";
import { DeviceInRange } from "./simulated-kernel/air/device-in-range.ts";
import { closeLink, linkTo, openLink } from "./simulated-kernel/air/links.ts";
import { updateEveryListener } from "./simulated-kernel/air/listening.ts";
import { checkConnect, checkController, checkDevice, checkKernel, checkSilence, checkSocket } from "./simulated-kernel/check-options.ts";
import { handlers } from "./simulated-kernel/commands/handlers.ts";
import type { Controller } from "./simulated-kernel/controller.ts";
import { KernelCore } from "./simulated-kernel/core.ts";
import { Dispatcher } from "./simulated-kernel/dispatcher.ts";
import type {
  KernelControllerOptions,
  KernelDeviceOptions,
  KernelSilence,
  KernelSocketOptions,
  SimulatedKernelOptions,
} from "./simulated-kernel/options.ts";
import { PairingProcedure } from "./simulated-kernel/pairing/procedure.ts";
import { losePower } from "./simulated-kernel/power.ts";
import { SimulatedBlockingSocket } from "./simulated-kernel/sockets/blocking-socket.ts";
import type { QueuedSocket } from "./simulated-kernel/sockets/queued-socket.ts";

const RECEIVE_QUEUE_PACKETS = 8192;
const ROUND_TRIP_MS = 2;
const SEED = 1;

/**
 * Linux's Bluetooth management interface without Linux, for tests of programs that use `jelling/mgmt`: as many sockets as wanted, with and
 * without privileges, controllers that come and go, devices in range. It answers as Linux 6.1 does, and the same inputs give the same
 * packets every time.
 *
 * ```ts
 * const kernel = new SimulatedKernel({ devices: [{ address: "C0:11:22:33:44:55", addressType: "LERandom" }] });
 * await using mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
 * ```
 */
export class SimulatedKernel {
  readonly clock: Clock;
  readonly #core: KernelCore;
  readonly #dispatcher: Dispatcher;

  /** @throws {ArgumentError} an unknown name, or a value of another kind; so do `plug`, `addDevice`, `openSocket` and `silence` */
  constructor(options: SimulatedKernelOptions = {}) {
    checkKernel(options);
    const { clock = new VirtualClock(), random = new SeededRandom(SEED, "kernel"), controllers = [{}], devices = [] } = options;
    const { receiveQueuePackets = RECEIVE_QUEUE_PACKETS, roundTripMs = ROUND_TRIP_MS } = options;
    this.clock = clock;
    this.#core = new KernelCore({ clock, random, roundTripMs, receiveQueuePackets });
    this.#dispatcher = new Dispatcher(this.#core, handlers);
    for (const controller of controllers) this.plug(controller);
    for (const device of devices) this.addDevice(device);
  }

  /** A socket of the management channel. */
  openSocket(options: KernelSocketOptions = {}): KernelSocket {
    checkSocket(options);
    const { privileged = true, command = "program" } = options;
    return this.#core.openSocket(
      { isPrivileged: privileged, command },
      (socket, packet) => this.#dispatcher.write(socket, packet),
      (socket) => this.#dispatcher.closed(socket),
    ).queue;
  }

  /**
   * A socket of the management channel for a program that blocks: `openMgmtSync({ socket: kernel.openBlockingSocket() })`.
   *
   * @throws {StateError} the kernel's clock is no VirtualClock: time cannot pass while a program blocks
   */
  openBlockingSocket(options: KernelSocketOptions = {}): BlockingKernelSocket {
    if (!(this.clock instanceof VirtualClock))
      throw new StateError("a program that blocks needs a kernel in simulated time: expected a VirtualClock");
    return new SimulatedBlockingSocket(this.openSocket(options) as QueuedSocket, this.clock);
  }

  /** A socket of the monitor channel: everything that passes on the management channel, and controllers that come and go. */
  openMonitor(): KernelSocket {
    return this.#core.openMonitor();
  }

  /** Every management socket fails under its program. */
  loseSockets(reason = "the kernel closed it"): void {
    this.#core.loseSockets(reason);
  }

  /** Plugs a controller in. @returns its index */
  plug(options: KernelControllerOptions = {}): number {
    checkController(options);
    const controller = this.#core.add(options);
    this.#core.monitors.plugged(controller);
    this.#core.indexAdded(controller);
    updateEveryListener(this.#core);
    return controller.index;
  }

  /** Pulls a controller out: what is pending is answered, what was on is off, and it is gone. */
  unplug(index: number): void {
    const controller = this.#controller(index);
    this.#leave(controller);
    this.#core.controllers.delete(index);
    updateEveryListener(this.#core);
    this.#core.monitors.unplugged(index);
    this.#core.indexRemoved(controller);
  }

  /** A switch of the computer, or "rfkill block". Unblocking does not power on. */
  blockRadio(index: number, isBlocked: boolean): void {
    const controller = this.#controller(index);
    controller.isRadioBlocked = isBlocked;
    if (isBlocked) losePower(this.#core, controller);
  }

  /** Another program takes the controller for itself; it gives it back when the result is disposed. */
  takeUserChannel(index: number): Disposable {
    const controller = this.#controller(index);
    this.#leave(controller);
    controller.isTaken = true;
    updateEveryListener(this.#core);
    this.#core.indexRemoved(controller);
    return {
      [Symbol.dispose]: () => {
        if (!controller.isTaken || this.#core.controllers.get(index) !== controller) return;
        controller.isTaken = false;
        controller.letGo();
        this.#core.indexAdded(controller);
      },
    };
  }

  /** The system goes to sleep, or wakes up. */
  suspend(index: number, isSuspended: boolean): void {
    const controller = this.#controller(index);
    controller.isSuspended = isSuspended;
    updateEveryListener(this.#core);
    if (isSuspended) this.#core.send(events.controllerSuspend, index, { suspendState: 1 });
    else this.#core.send(events.controllerResume, index, { wakeReason: 0, address: "00:00:00:00:00:00", addressType: 0 });
  }

  /** Brings a device into range. @returns takes it away again, and changes it meanwhile */
  addDevice(options: KernelDeviceOptions): SimulatedKernelDevice {
    checkDevice(options);
    const device = new DeviceInRange(options);
    this.#core.devices.set(device.key, device);
    updateEveryListener(this.#core);
    return new SimulatedKernelDevice(this.#core, device);
  }

  /** From now on commands to a controller, or of one kind, or both, are swallowed: no effect, no answer. Dispose the result to stop. */
  silence(what: KernelSilence): Disposable {
    checkSilence(what);
    const silence = { index: what.index, command: what.command };
    this.#core.silenced.add(silence);
    return { [Symbol.dispose]: () => void this.#core.silenced.delete(silence) };
  }

  /** Sends any event to the sockets that get such events. */
  send<E extends AnyMgmtEvent>(event: E, index: number, parameters: GivenTo<E["parameters"]>): void {
    this.#core.send(event, index, parameters);
  }

  #controller(index: number): Controller {
    const controller = this.#core.controllers.get(index);
    if (!controller) throw new ArgumentError(`controller ${index}: there are ${[...this.#core.controllers.keys()].join(", ") || "none"}`);
    return controller;
  }

  #leave(controller: Controller): void {
    for (const pending of [...controller.pending]) pending.abandon("InvalidIndex");
    losePower(this.#core, controller);
    for (const { timer } of controller.instances.values()) timer?.[Symbol.dispose]();
    controller.instances.clear();
  }
}

/** A device in range of a simulated kernel's controllers. */
export class SimulatedKernelDevice implements Disposable {
  readonly #core: KernelCore;
  readonly #device: DeviceInRange;

  constructor(core: KernelCore, device: DeviceInRange) {
    this.#core = core;
    this.#device = device;
  }

  get address(): string {
    return this.#device.address;
  }

  /** dBm. */
  get rssi(): number {
    return this.#device.rssi;
  }
  set rssi(dbm: number) {
    checkInteger("rssi", dbm, -127, 127);
    this.#device.rssi = dbm;
  }

  /**
   * It connects to a controller that is connectable, and pairs if that is wanted; programs are asked by events.
   *
   * @throws {StateError} the controller is off, not connectable, or connected to it already
   */
  connect(index: number, options: { readonly pair?: boolean } = {}): void {
    checkConnect(options);
    const { pair = false } = options;
    const controller = this.#core.controllers.get(index);
    const { address, addressType, isLe } = this.#device;
    const isReady = controller?.isPowered && controller.has(isLe ? "LowEnergy" : "BREDR") && controller.has("Connectable");
    if (!isReady || linkTo(this.#core, controller, address, addressType))
      throw new StateError(
        `hci${index} does not take a connection: expected one that is powered, connectable and not connected to ${address}`,
      );
    const link = openLink(this.#core, controller, this.#device, false);
    if (!pair || !link) return;
    const { ioCapability } = controller;
    new PairingProcedure(this.#core, link, { ioCapability, issuer: undefined, ended: () => undefined });
  }

  /** It ends its links. */
  disconnect(): void {
    this.#closeLinks(DisconnectReason.RemoteHost);
  }

  /** Takes it out of range: its links time out at once. */
  [Symbol.dispose](): void {
    if (this.#core.devices.get(this.#device.key) === this.#device) this.#core.devices.delete(this.#device.key);
    this.#closeLinks(DisconnectReason.Timeout);
    updateEveryListener(this.#core);
  }

  #closeLinks(reason: number): void {
    for (const links of [...this.#core.links.values()]) {
      for (const link of [...links.values()]) if (link.device === this.#device) closeLink(this.#core, link, reason);
    }
  }
}
