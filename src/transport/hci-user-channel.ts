import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, delay, SystemClock } from "../async/clock.ts";
import { Address, AddressType } from "../core/address.ts";
import { type HciTransport, TransportError } from "../hci/transport.ts";
import { DescriptorTransport, HciChannel, NO_DEVICE, openBluetoothSocket } from "./linux-socket.ts";
import { Errno, type LinuxCalls, loadLinuxCalls, SystemError } from "./linux-socket-calls.ts";
import { describeFailure } from "./socket-failure.ts";

/** Commands of the management API; all that is needed to borrow an adapter. */
const Management = Object.freeze({ ReadControllerInformation: 0x0004, SetPowered: 0x0005 });
/** Status codes of the management API. */
const Status = Object.freeze({ Success: 0, Busy: 10, InvalidIndex: 17, PermissionDenied: 20 });
const POWERED = 1;
const HCIDEVUP = 0x400448c9;
const HCIDEVDOWN = 0x400448ca;

/** How long an adapter may take to be set up, to power down, to be given back. Firmware is loaded in that time. */
const PATIENCE_MS = 10_000;
/** How long a bind is tried again while the adapter is busy: it is, for a moment, after it was plugged in or powered off. */
const BUSY_MS = 3_000;
const BUSY_PAUSE_MS = 100;
/** Between two looks for a reply. */
const PAUSE_MS = 5;

export interface UserChannelOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
  /** The C library; another one in tests. */
  readonly calls?: LinuxCalls;
}

/**
 * Opens adapter hciN for exclusive use: the kernel's own stack leaves it to this process. An adapter that is powered is powered off before
 * through the management API, and on again when the transport is disposed of, when a signal ends the process that nobody else
 * handles, and, after a crash, when this process' user opens and closes the adapter the next time.
 *
 * The controller arrives as the kernel left it; nothing is initialised, not even reset.
 *
 * @param index N of hciN
 * @throws {TransportError} one sentence: no such adapter, no permission, in use, switched off, no Bluetooth, koffi missing
 */
export async function openHciUserChannel(
  index: number,
  { clock = new SystemClock(), signal, calls = loadLinuxCalls(`hci:${index}`) }: UserChannelOptions = {},
): Promise<HciTransport> {
  signal?.throwIfAborted();
  const spec = `hci:${index}`;
  const marker = new Marker(index);
  let giveBack = marker.wasLeftBehind() ? () => powerOn(calls, spec, index, clock) : undefined;
  let transport: HciTransport | undefined;
  const afterClose = async (): Promise<void> => {
    if (transport) forgetBorrowed(transport);
    await giveBack?.();
    marker.remove();
  };
  try {
    const deadline = clock.now() + BUSY_MS;
    for (;;) {
      const { address, undo } = await powerOff(calls, spec, index, clock, signal);
      giveBack ??= undo;
      const descriptor = tryUserChannel(calls, spec, index, marker, clock.now() >= deadline);
      if (descriptor === undefined) {
        await delay(clock, BUSY_PAUSE_MS, { signal, name: `${spec} busy` });
        continue;
      }
      marker.write(giveBack !== undefined);
      const info = address === undefined ? { spec } : { spec, address };
      transport = await DescriptorTransport.open(calls, descriptor, { info, afterClose });
      if (giveBack) rememberBorrowed(transport);
      return transport;
    }
  } catch (error) {
    await Promise.allSettled([afterClose()]); // what stood in the way first is what the caller is told
    throw error;
  }
}

/** Binds, or says undefined when the adapter is busy for a reason that may pass; at the `last` attempt that is an error too. */
function tryUserChannel(calls: LinuxCalls, spec: string, index: number, marker: Marker, last: boolean): number | undefined {
  try {
    return openBluetoothSocket(calls, spec, index, HciChannel.User);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    if (error.reason === "not-found") throw describeMissing(index);
    if (error.reason !== "busy") throw error;
    const holder = marker.holder();
    if (holder !== undefined) throw new TransportError("busy", `hci${index} is used by process ${holder}`, { cause: error.cause });
    if (last) throw error;
    return undefined;
  }
}

/** Powers the adapter off if it is on; `undo` powers it on again. */
async function powerOff(calls: LinuxCalls, spec: string, index: number, clock: Clock, signal: AbortSignal | undefined) {
  const management = new ManagementSocket(calls, spec, index, clock, signal);
  try {
    const { status, data } = await management.request(Management.ReadControllerInformation);
    if (status === Status.InvalidIndex && !adapterExists(index)) throw describeMissing(index);
    // Being set up, or in somebody's hands: the bind will tell.
    if (status !== Status.Success || data.length < 17) return { address: undefined, undo: undefined };
    const address = new Address(data.subarray(0, 6), AddressType.Public).toHex();
    const settings = new DataView(data.buffer, data.byteOffset).getUint32(13, true);
    if ((settings & POWERED) === 0) return { address, undo: undefined };
    const off = await management.requestPatiently(Management.SetPowered, Uint8Array.of(0));
    if (off === Status.PermissionDenied) throw describeFailure(spec, new SystemError("bind", Errno.EPERM));
    if (off === Status.Success || off === Status.InvalidIndex) return { address, undo: () => powerOn(calls, spec, index, clock) };
    // The management API is not the only way down.
    bringUp(calls, spec, index, false);
    return { address, undo: async () => bringUp(calls, spec, index, true) };
  } finally {
    management.close();
  }
}

/** Powers an adapter on that has just been given back. One that is gone needs nothing. */
async function powerOn(calls: LinuxCalls, spec: string, index: number, clock: Clock): Promise<void> {
  const management = new ManagementSocket(calls, spec, index, clock, undefined);
  try {
    const status = await management.requestPatiently(Management.SetPowered, Uint8Array.of(1));
    if (status === Status.Success || (status === Status.InvalidIndex && !adapterExists(index))) return;
    throw new TransportError("io", `hci${index} could not be powered on again (management status ${status})`);
  } finally {
    management.close();
  }
}

function bringUp(calls: LinuxCalls, spec: string, index: number, up: boolean): void {
  const descriptor = openBluetoothSocket(calls, spec, NO_DEVICE, HciChannel.Raw);
  const failed = calls.ioctl(descriptor, up ? HCIDEVUP : HCIDEVDOWN, index) < 0;
  const error = new SystemError("ioctl", calls.errno());
  calls.close(descriptor);
  if (failed && error.errno !== Errno.EALREADY) throw describeFailure(spec, error);
}

function adapterExists(index: number): boolean {
  return existsSync(`/sys/class/bluetooth/hci${index}`);
}

function describeMissing(index: number): TransportError {
  const present = existsSync("/sys/class/bluetooth") ? readdirSync("/sys/class/bluetooth").filter((name) => /^hci\d+$/.test(name)) : [];
  const there = present.length === 0 ? "there is none" : `there is ${present.sort().join(", ")}`;
  return new TransportError("not-found", `there is no Bluetooth adapter hci${index}: ${there}`);
}

const signalNames = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Transports whose adapters have to be given back before a signal ends the process. */
const borrowed = new Set<HciTransport>();

/** Gives every adapter back, then lets the signal do its work. A program that handles the signal itself is left alone. */
function onSignal(name: NodeJS.Signals): void {
  if (process.listenerCount(name) > 1) return;
  const transports = [...borrowed];
  for (const transport of transports) forgetBorrowed(transport); // a second signal ends the process at once
  void Promise.allSettled(transports.map((transport) => transport[Symbol.asyncDispose]())).then(() => process.kill(process.pid, name));
}

function rememberBorrowed(transport: HciTransport): void {
  if (borrowed.size === 0) for (const name of signalNames) process.on(name, onSignal);
  borrowed.add(transport);
}

function forgetBorrowed(transport: HciTransport): void {
  if (borrowed.delete(transport) && borrowed.size === 0) for (const name of signalNames) process.off(name, onSignal);
}

/** A note in the runtime folder about who has an adapter, and whether it was powered: for a message now, and to mend things after a crash. */
class Marker {
  readonly #path: string | undefined;

  constructor(index: number) {
    const folder = process.getuid?.() === 0 ? "/run" : process.env.XDG_RUNTIME_DIR;
    this.#path = folder ? join(folder, "jelling", `hci${index}`) : undefined;
  }

  /** Whether a process that is no more had powered this adapter off. */
  wasLeftBehind(): boolean {
    const { pid, powered } = this.#read();
    return powered && !isAlive(pid);
  }

  /** The living process that has the adapter, if it has left a note. */
  holder(): number | undefined {
    const { pid } = this.#read();
    return isAlive(pid) ? pid : undefined;
  }

  write(powered: boolean): void {
    if (this.#path === undefined) return;
    try {
      mkdirSync(join(this.#path, ".."), { recursive: true, mode: 0o700 });
      writeFileSync(this.#path, `${process.pid} ${powered ? "powered" : "down"}\n`);
    } catch {
      // Without a runtime folder an adapter stays off after a crash; that is no reason not to work.
    }
  }

  /** Removes this process' note, and nobody else's. */
  remove(): void {
    if (this.#path !== undefined && this.#read().pid === process.pid) rmSync(this.#path, { force: true });
  }

  #read(): { pid: number | undefined; powered: boolean } {
    const text = this.#path !== undefined && existsSync(this.#path) ? readFileSync(this.#path, "utf8") : "";
    const [, pid, state] = /^(\d+) (powered|down)$/m.exec(text) ?? [];
    return { pid: pid === undefined ? undefined : Number(pid), powered: state === "powered" };
  }
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

interface ManagementReply {
  readonly status: number;
  readonly data: Uint8Array;
}

/**
 * As much of the management API as borrowing an adapter takes: one command at a time, its reply found by opcode and index. The reply is
 * nearly always there when the write returns, so it is looked for at short intervals and no thread is started.
 */
class ManagementSocket {
  readonly #calls: LinuxCalls;
  readonly #index: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(0x10000 + 6);

  constructor(calls: LinuxCalls, spec: string, index: number, clock: Clock, signal: AbortSignal | undefined) {
    this.#calls = calls;
    this.#index = index;
    this.#clock = clock;
    this.#signal = signal;
    this.#descriptor = openBluetoothSocket(calls, spec, NO_DEVICE, HciChannel.Control);
  }

  close(): void {
    this.#calls.close(this.#descriptor);
  }

  /** Repeats a command while the adapter is busy or not back yet. */
  async requestPatiently(opcode: number, parameters: Uint8Array): Promise<number> {
    const deadline = this.#clock.now() + PATIENCE_MS;
    for (;;) {
      const { status } = await this.request(opcode, parameters);
      const passes = status === Status.Busy || (status === Status.InvalidIndex && adapterExists(this.#index));
      if (!passes || this.#clock.now() >= deadline) return status;
      await this.#pause();
    }
  }

  async request(opcode: number, parameters: Uint8Array = new Uint8Array()): Promise<ManagementReply> {
    const command = new Uint8Array(6 + parameters.length);
    const view = new DataView(command.buffer);
    view.setUint16(0, opcode, true);
    view.setUint16(2, this.#index, true);
    view.setUint16(4, parameters.length, true);
    command.set(parameters, 6);
    if (this.#calls.write(this.#descriptor, command, command.length) < 0) {
      throw describeFailure(`hci:${this.#index}`, new SystemError("write", this.#calls.errno()));
    }
    const deadline = this.#clock.now() + PATIENCE_MS;
    for (;;) {
      const length = this.#calls.read(this.#descriptor, this.#buffer, this.#buffer.length);
      const reply = length < 0 ? undefined : this.#match(opcode, length);
      if (reply) return reply;
      if (length >= 0) continue;
      const errno = this.#calls.errno();
      if (errno !== Errno.EAGAIN && errno !== Errno.EINTR) throw describeFailure(`hci:${this.#index}`, new SystemError("read", errno));
      if (this.#clock.now() >= deadline) {
        throw new TransportError("io", `hci${this.#index} did not answer the management command 0x${opcode.toString(16)}`);
      }
      await this.#pause();
    }
  }

  /** Command Complete (1) or Command Status (2) for the opcode: header, opcode, status, data. Everything else is somebody else's news. */
  #match(opcode: number, length: number): ManagementReply | undefined {
    if (length < 9) return undefined;
    const view = new DataView(this.#buffer.buffer);
    const event = view.getUint16(0, true);
    if ((event !== 1 && event !== 2) || view.getUint16(2, true) !== this.#index || view.getUint16(6, true) !== opcode) return undefined;
    return { status: view.getUint8(8), data: this.#buffer.slice(9, length) };
  }

  #pause(): Promise<void> {
    return delay(this.#clock, PAUSE_MS, { signal: this.#signal, name: `hci${this.#index} management` });
  }
}
