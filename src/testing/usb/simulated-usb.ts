import type { WebUsb, WebUsbConnectionEvent, WebUsbDevice, WebUsbDeviceFilter } from "../../transport/index.ts";
import type { SimulatedUsbAdapter } from "./simulated-usb-adapter.ts";

type Listener = (event: WebUsbConnectionEvent) => void;

export interface SimulatedUsbOptions {
  /** The user chooses so; the first of what is shown by default, undefined for none. */
  readonly choose?: ((devices: readonly SimulatedUsbAdapter[]) => SimulatedUsbAdapter | undefined) | undefined;
  /** Whether a click is being handled; true by default. A browser shows its list only then. */
  readonly isClicked?: (() => boolean) | undefined;
}

/** `navigator.usb` with simulated adapters: a page sees those that its user has chosen. */
export class SimulatedUsb implements WebUsb {
  readonly #options: SimulatedUsbOptions;
  readonly #plugged: SimulatedUsbAdapter[] = [];
  readonly #given = new Set<SimulatedUsbAdapter>();
  readonly #listeners = { connect: new Set<Listener>(), disconnect: new Set<Listener>() };

  constructor(options: SimulatedUsbOptions = {}) {
    this.#options = options;
  }

  /** Whoever listens is told, of one that was given to the page before. */
  plug(adapter: SimulatedUsbAdapter): void {
    if (this.#plugged.includes(adapter)) return;
    adapter.plug();
    this.#plugged.push(adapter);
    this.#tell("connect", adapter);
  }

  unplug(adapter: SimulatedUsbAdapter): void {
    const at = this.#plugged.indexOf(adapter);
    if (at < 0) return;
    this.#plugged.splice(at, 1);
    adapter.unplug();
    this.#tell("disconnect", adapter);
  }

  /** As if the user had chosen it in an earlier visit. */
  give(adapter: SimulatedUsbAdapter): void {
    this.#given.add(adapter);
  }

  async getDevices(): Promise<SimulatedUsbAdapter[]> {
    return this.#plugged.filter((adapter) => this.#given.has(adapter));
  }

  async requestDevice({ filters }: { filters: WebUsbDeviceFilter[] }): Promise<SimulatedUsbAdapter> {
    if (!(this.#options.isClicked?.() ?? true))
      throw new DOMException("Must be handling a user gesture to show a permission request.", "SecurityError");
    for (const { classCode, subclassCode, protocolCode, vendorId, productId } of filters)
      if ((protocolCode !== undefined && subclassCode === undefined) || (subclassCode !== undefined && classCode === undefined))
        throw new TypeError("A filter containing a protocolCode or subclassCode must also contain what is above it.");
      else if (productId !== undefined && vendorId === undefined)
        throw new TypeError("A filter containing a productId must also contain a vendorId.");
    const shown = this.#plugged.filter((adapter) => filters.length === 0 || filters.some((filter) => matches(adapter, filter)));
    const { choose = ([first]) => first } = this.#options;
    const chosen = choose(shown);
    if (!chosen) throw new DOMException("No device selected.", "NotFoundError");
    this.#given.add(chosen);
    return chosen;
  }

  addEventListener(type: "connect" | "disconnect", listener: Listener): void {
    this.#listeners[type].add(listener);
  }

  removeEventListener(type: "connect" | "disconnect", listener: Listener): void {
    this.#listeners[type].delete(listener);
  }

  #tell(type: "connect" | "disconnect", device: SimulatedUsbAdapter): void {
    if (this.#given.has(device)) for (const listener of [...this.#listeners[type]]) listener({ device });
  }
}

/** Whether the device, or one of its interfaces, is of the kind (WebUSB 4.1). */
function matches(device: WebUsbDevice, filter: WebUsbDeviceFilter): boolean {
  const { vendorId, productId, serialNumber, classCode, subclassCode, protocolCode } = filter;
  if (vendorId !== undefined && vendorId !== device.vendorId) return false;
  if (productId !== undefined && productId !== device.productId) return false;
  if (serialNumber !== undefined && serialNumber !== device.serialNumber) return false;
  if (classCode === undefined) return true;
  const isOf = (ofClass: number, ofSubclass: number, ofProtocol: number): boolean =>
    classCode === ofClass &&
    (subclassCode === undefined || subclassCode === ofSubclass) &&
    (protocolCode === undefined || protocolCode === ofProtocol);
  return (
    isOf(device.deviceClass, device.deviceSubclass, device.deviceProtocol) ||
    device.configurations.some(({ interfaces }) =>
      interfaces.some(({ alternates }) =>
        alternates.some((each) => isOf(each.interfaceClass, each.interfaceSubclass, each.interfaceProtocol)),
      ),
    )
  );
}
