import { callOut } from "../../async/call-out.ts";
import { type Clock, SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { checkInteger, checkOperation, checkText, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError, BleError, ClosedError, StateError, UnsupportedError } from "../../core/error.ts";
import { NotMcumgrServerError } from "../protocol/error.ts";
import { BleLink, type BleMcumgrPort, MCUMGR_CHARACTERISTIC, MCUMGR_SERVICE } from "./ble.ts";
import { Ending } from "./ending.ts";
import type { McumgrLink, OpenMcumgrLink } from "./link.ts";

// As much of Web Bluetooth as is used here; `navigator.bluetooth` fits.

interface Target {
  addEventListener(type: string, listener: (event: { readonly target: unknown }) => void): void;
  removeEventListener(type: string, listener: (event: { readonly target: unknown }) => void): void;
}
export interface WebBluetoothCharacteristic extends Target {
  readonly properties: { readonly write: boolean; readonly writeWithoutResponse: boolean; readonly notify: boolean };
  /** The last value that came. */
  readonly value?: DataView | undefined;
  startNotifications(): Promise<unknown>;
  stopNotifications(): Promise<unknown>;
  writeValueWithoutResponse(value: Uint8Array<ArrayBuffer>): Promise<void>;
  writeValueWithResponse(value: Uint8Array<ArrayBuffer>): Promise<void>;
}
export interface WebBluetoothService {
  getCharacteristic(uuid: string): Promise<WebBluetoothCharacteristic>;
}
export interface WebBluetoothServer {
  readonly connected: boolean;
  connect(): Promise<unknown>;
  disconnect(): void;
  getPrimaryService(uuid: string): Promise<WebBluetoothService>;
}
export interface WebBluetoothDevice extends Target {
  readonly id: string;
  readonly name?: string | undefined;
  readonly gatt?: WebBluetoothServer | undefined;
}
export interface WebBluetoothRequest {
  filters: { name?: string; namePrefix?: string; services?: string[] }[];
  optionalServices: string[];
}
export interface WebBluetooth {
  requestDevice(options: WebBluetoothRequest): Promise<WebBluetoothDevice>;
}

export interface WebBluetoothLinkOptions extends OperationOptions {
  /** `navigator.bluetooth` by default. */
  readonly bluetooth?: WebBluetooth | undefined;
  /** One that the page has already; the browser asks the user for one by default, which has to be in answer to a click. */
  readonly device?: WebBluetoothDevice | undefined;
  /** Only devices of this name; those that advertise the service by default. */
  readonly name?: string | undefined;
  /** Only devices whose name begins like this. */
  readonly namePrefix?: string | undefined;
  /**
   * Octets of the longest write, where the page knows. The platform does not tell: 20 at first, and what the longest notification shows of
   * the MTU from then on.
   */
  readonly maxWriteLength?: number | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = optionNames<WebBluetoothLinkOptions>({
  signal: true,
  timeoutMs: true,
  bluetooth: true,
  device: true,
  name: true,
  namePrefix: true,
  maxWriteLength: true,
  clock: true,
});
const DEFAULT_TIMEOUT_MS = 30_000;
/** What the smallest MTU, 23, leaves. */
const LEAST_WRITE = 20;
/** No attribute is longer (Vol 3 Part F 3.2.9), and the platforms refuse more. */
const LONGEST_WRITE = 512;
/** Web Bluetooth knows UUIDs in lower case only. */
const SERVICE = MCUMGR_SERVICE.toLowerCase();
const CHARACTERISTIC = MCUMGR_CHARACTERISTIC.toLowerCase();

/**
 * The mcumgr server of a device that the user chooses, in a page. The time limit, 30 s by default, begins when the device is chosen.
 *
 * @throws {UnsupportedError} the browser has no Web Bluetooth · {StateError} it does not let the page ask · {ClosedError} nothing was chosen,
 * or the device could not be connected · {NotMcumgrServerError} · {TimeoutError} · `signal.reason`
 */
export async function openWebBluetoothLink(options: WebBluetoothLinkOptions = {}): Promise<McumgrLink> {
  return await createWebBluetoothOpener(options)();
}

/**
 * The same each time it is called, for a client that connects again: the user is asked once. `signal` and `timeoutMs` of a call take the
 * place of those here.
 *
 * @throws {ArgumentError}
 */
export function createWebBluetoothOpener(options: WebBluetoothLinkOptions = {}): OpenMcumgrLink {
  checkOperation("openWebBluetoothLink", options, OPTIONS);
  const { name, namePrefix, maxWriteLength, clock = new SystemClock() } = options;
  if (name !== undefined) checkText("openWebBluetoothLink: name", name);
  if (namePrefix !== undefined) checkText("openWebBluetoothLink: namePrefix", namePrefix);
  if (maxWriteLength !== undefined) checkInteger("openWebBluetoothLink: maxWriteLength", maxWriteLength, LEAST_WRITE, LONGEST_WRITE);
  if (options.device !== undefined && typeof options.device.gatt?.connect !== "function")
    throw new ArgumentError(`openWebBluetoothLink: device: expected a BluetoothDevice with gatt, got ${kindOf(options.device)}`);
  let chosen = options.device;
  return async (given = {}) => {
    checkOperation("openWebBluetoothLink", given);
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = { ...options, ...given };
    signal?.throwIfAborted();
    // The user may think for as long as it takes.
    chosen ??= await settled(clock, "choosing a device", requestDevice(options), { signal });
    using deadline = new Deadline({ clock, operation: `opening the mcumgr link to ${labelOf(chosen)}`, signal, timeoutMs });
    return await connect(chosen, clock, maxWriteLength, deadline.signal);
  };
}

async function requestDevice({ bluetooth, name, namePrefix }: WebBluetoothLinkOptions): Promise<WebBluetoothDevice> {
  const platform = bluetooth ?? (globalThis as { navigator?: { bluetooth?: WebBluetooth } }).navigator?.bluetooth;
  if (!platform) throw new UnsupportedError("there is no Web Bluetooth here: the browser lacks it, or the page is not served over HTTPS");
  const filter = name !== undefined ? { name } : namePrefix !== undefined ? { namePrefix } : { services: [SERVICE] };
  try {
    return await platform.requestDevice({ filters: [filter], optionalServices: [SERVICE] });
  } catch (cause) {
    if (nameOf(cause) === "SecurityError") throw new StateError("the browser asks for a device only in answer to a click", { cause });
    throw new ClosedError("no device was chosen", { cause });
  }
}

async function connect(
  device: WebBluetoothDevice,
  clock: Clock,
  maxWriteLength: number | undefined,
  signal: AbortSignal,
): Promise<McumgrLink> {
  const port = new WebBluetoothPort(device, maxWriteLength);
  try {
    await settled(clock, "connecting", port.open(), { signal });
  } catch (error) {
    await port[Symbol.asyncDispose](); // which waits for nobody
    throw error;
  }
  return new BleLink(port, { clock });
}

class WebBluetoothPort extends Ending implements BleMcumgrPort {
  readonly target: string;
  onValue: ((value: Uint8Array) => void) | undefined;
  readonly #device: WebBluetoothDevice;
  readonly #server: WebBluetoothServer;
  #characteristic: WebBluetoothCharacteristic | undefined;
  readonly #isFixed: boolean;
  #maxWriteLength: number;

  constructor(device: WebBluetoothDevice, maxWriteLength: number | undefined) {
    super();
    this.target = labelOf(device);
    this.#device = device;
    if (!device.gatt) throw new UnsupportedError(`${this.target} has no GATT server that the page may use`);
    this.#server = device.gatt;
    this.#isFixed = maxWriteLength !== undefined;
    this.#maxWriteLength = maxWriteLength ?? LEAST_WRITE;
    device.addEventListener("gattserverdisconnected", this.#onDisconnected);
  }

  get maxWriteLength(): number {
    return this.#maxWriteLength;
  }

  async open(): Promise<void> {
    let isConnected = false;
    try {
      if (!this.#server.connected) await this.#server.connect();
      isConnected = true;
      this.#throwIfOver();
      const service = await this.#server.getPrimaryService(SERVICE);
      this.#throwIfOver();
      const characteristic = await service.getCharacteristic(CHARACTERISTIC);
      this.#throwIfOver();
      const { write, writeWithoutResponse, notify } = characteristic.properties;
      if (!notify || !(write || writeWithoutResponse))
        throw new NotMcumgrServerError(`${this.target} is no mcumgr server: its characteristic cannot be written and subscribed to`);
      this.#characteristic = characteristic;
      characteristic.addEventListener("characteristicvaluechanged", this.#onValueChanged);
      await characteristic.startNotifications();
      this.#throwIfOver();
    } catch (cause) {
      if (this.reason) {
        // A connection that came too late. Where none came, another attempt may be under way, which is not this one's to end.
        if (isConnected) this.#server.disconnect();
        throw this.reason;
      }
      if (cause instanceof BleError) throw cause;
      if (nameOf(cause) === "NotFoundError")
        throw new NotMcumgrServerError(`${this.target} is no mcumgr server: it lacks the service or its characteristic`, { cause });
      throw new ClosedError(`${this.target} could not be opened: ${cause instanceof Error ? cause.message : kindOf(cause)}`, { cause });
    }
  }

  async write(value: Uint8Array): Promise<void> {
    this.#throwIfOver();
    const characteristic = this.#characteristic!;
    const octets = value.slice();
    try {
      if (characteristic.properties.writeWithoutResponse) await characteristic.writeValueWithoutResponse(octets);
      else await characteristic.writeValueWithResponse(octets);
    } catch (cause) {
      // Half of a message has left perhaps. A platform tells of a lost link in this way too, before or after its event.
      this.end(
        new ClosedError(`${this.target} did not take a write: ${cause instanceof Error ? cause.message : kindOf(cause)}`, { cause }),
      );
      throw this.reason;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close(new ClosedError(`the link to ${this.target} was closed`));
  }

  #throwIfOver(): void {
    if (this.reason) throw this.reason;
  }

  readonly #onDisconnected = (): void => this.end(new ClosedError(`${this.target} has disconnected`));

  readonly #onValueChanged = ({ target }: { readonly target: unknown }): void => {
    const view = (target as WebBluetoothCharacteristic | null)?.value;
    if (!view) return;
    // The MTU has room for it, and so for a write of that length.
    if (!this.#isFixed) this.#maxWriteLength = Math.min(LONGEST_WRITE, Math.max(this.#maxWriteLength, view.byteLength));
    callOut(this.onValue, new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice());
  };

  protected leave(): void {
    this.#device.removeEventListener("gattserverdisconnected", this.#onDisconnected);
    this.#characteristic?.removeEventListener("characteristicvaluechanged", this.#onValueChanged);
    this.#server.disconnect(); // ends the notifications too
  }
}

/** What the platform does, on the caller's own terms: it knows none. */
function settled<T>(clock: Clock, operation: string, work: Promise<T>, options: OperationOptions): Promise<T> {
  const pending = new Pending<T>({ clock, operation, ...options });
  work.then(
    (value) => pending.resolve(value),
    (error: unknown) => pending.reject(error),
  );
  return pending.promise;
}

function labelOf({ name, id }: WebBluetoothDevice): string {
  return name ? `${name} (${id})` : id;
}

function nameOf(error: unknown): string | undefined {
  return (error as { name?: string } | null | undefined)?.name;
}
