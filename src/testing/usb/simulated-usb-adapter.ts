import { type Clock, delay } from "../../async/clock.ts";
import { SystemClock } from "../../async/index.ts";
import { SeededRandom } from "../../core/random.ts";
import { type HciTransport, PacketType } from "../../hci/transport.ts";
import {
  type AttachableController,
  createTransportPair,
  type WebUsbAlternate,
  type WebUsbConfiguration,
  type WebUsbDevice,
  type WebUsbEndpoint,
  type WebUsbInResult,
  type WebUsbOutResult,
  type WebUsbSetup,
} from "../../transport/index.ts";
import { InEndpoint } from "./in-endpoint.ts";

export interface SimulatedUsbAdapterOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** Of the delays and the cuts. */
  readonly seed?: number | undefined;
  readonly vendorId?: number | undefined;
  readonly productId?: number | undefined;
  readonly productName?: string | undefined;
  readonly serialNumber?: string | undefined;
  /** One function of several: the device says nothing of Bluetooth, its interface does. */
  readonly isComposite?: boolean | undefined;
  /** The class of vendors in place of that of Bluetooth. */
  readonly hasVendorClass?: boolean | undefined;
  /** Octets of a USB packet of the interrupt endpoint, and of the bulk ones; 16 and 64 by default. */
  readonly eventPacketSize?: number | undefined;
  readonly dataPacketSize?: number | undefined;
  /** Each transfer takes up to so long, by chance; 0 by default, in the same turn. */
  readonly maxDelayMs?: number | undefined;
  /** An HCI packet comes in several transfers, cut by chance. */
  readonly isCut?: boolean | undefined;
  /** HCI packets follow each other without an end of the transfer between them. */
  readonly isGlued?: boolean | undefined;
  /** Wants commands at its interface, or at the device, whatever the specification says for its kind. */
  readonly commandsAt?: "device" | "interface" | undefined;
  /** As a browser that gives no page the class of Bluetooth. */
  readonly isProtected?: boolean | undefined;
  /** The system's driver, or another program, has the interface. */
  readonly isTaken?: boolean | undefined;
  /** The user may not open it. */
  readonly isForbidden?: boolean | undefined;
}

const INTERFACE = 1;
const EVENTS_IN = 1;
const DATA = 2;

/**
 * A USB adapter as WebUSB shows it, with a virtual controller inside, for tests of what stands on USB: as strict as the real thing, whose
 * transfers fail on a device that is not open, an interface that is not claimed, an endpoint that is not there or has halted.
 */
export class SimulatedUsbAdapter implements WebUsbDevice {
  readonly usbVersionMajor = 2;
  readonly vendorId: number;
  readonly productId: number;
  readonly deviceClass: number;
  readonly deviceSubclass: number;
  readonly deviceProtocol: number;
  readonly manufacturerName = "Jelling";
  readonly productName: string;
  readonly serialNumber: string | null;
  readonly configurations: readonly WebUsbConfiguration[];
  configuration: WebUsbConfiguration | null = null;
  opened = false;
  /** What was asked of the device, in order, by the names of WebUSB. */
  readonly calls: string[] = [];
  readonly #controller: AttachableController;
  readonly #options: SimulatedUsbAdapterOptions;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #commandsAt: "device" | "interface";
  #host: HciTransport | undefined;
  #events!: InEndpoint;
  #data!: InEndpoint;
  #isClaimed = false;
  #isOutHalted = false;
  #lastOutMs = 0;
  /** Counts openings: what is under way when the device is closed belongs to the one before. */
  #opening = 0;

  constructor(controller: AttachableController, options: SimulatedUsbAdapterOptions = {}) {
    this.#controller = controller;
    this.#options = options;
    this.#clock = options.clock ?? new SystemClock();
    this.#random = new SeededRandom(options.seed ?? 1, "usb");
    const { vendorId = 0x1209, productId = 0x0001, productName = "Simulated adapter", serialNumber, isComposite = false } = options;
    const plain = !isComposite && !options.hasVendorClass;
    this.vendorId = vendorId;
    this.productId = productId;
    this.productName = productName;
    this.serialNumber = serialNumber ?? null;
    [this.deviceClass, this.deviceSubclass, this.deviceProtocol] = plain ? [0xe0, 1, 1] : isComposite ? [0xef, 2, 1] : [0xff, 1, 1];
    this.#commandsAt = options.commandsAt ?? (isComposite ? "interface" : "device");
    this.configurations = [this.#describe()];
    this.plug();
  }

  get isPlugged(): boolean {
    return this.#host !== undefined;
  }

  /** The device has power, and its controller a host. */
  plug(): void {
    if (this.#host) return;
    const { eventPacketSize = 16, dataPacketSize = 64, maxDelayMs = 0 } = this.#options;
    const delayMs = (): number => (maxDelayMs === 0 ? 0 : this.#random.unit() * maxDelayMs);
    this.#events = new InEndpoint(eventPacketSize, this.#clock, delayMs);
    this.#data = new InEndpoint(dataPacketSize, this.#clock, delayMs);
    this.configuration = null;
    const [host, end] = createTransportPair({ spec: "usb: inside" });
    this.#host = host;
    host.onPacket = (packet) => this.#onControllerPacket(packet);
    this.#controller.attach(end);
  }

  /** Everything pending fails, and everything else from now on. */
  unplug(): void {
    const gone = failure("NotFoundError", "The device was disconnected.");
    void this.#host?.[Symbol.asyncDispose]();
    this.#host = undefined;
    this.#close(gone);
  }

  /** Halts an endpoint, until the host clears it. */
  halt(which: "events" | "data in" | "data out"): void {
    if (which === "events") this.#events.halt();
    else if (which === "data in") this.#data.halt();
    else this.#isOutHalted = true;
  }

  /** Octets of an endpoint that no controller sent. */
  inject(which: "events" | "data in", octets: Uint8Array): void {
    (which === "events" ? this.#events : this.#data).push(octets, true);
  }

  async open(): Promise<void> {
    this.calls.push("open");
    this.#checkPlugged();
    if (this.#options.isForbidden) throw failure("SecurityError", "Failed to execute 'open' on 'USBDevice': Access denied.");
    this.opened = true;
  }

  async close(): Promise<void> {
    this.calls.push("close");
    if (this.opened) this.#close(failure("AbortError", "The transfer was cancelled."));
  }

  async forget(): Promise<void> {
    await this.close();
  }

  async selectConfiguration(configurationValue: number): Promise<void> {
    this.calls.push(`selectConfiguration ${configurationValue}`);
    this.#checkOpen();
    const chosen = this.configurations.find((configuration) => configuration.configurationValue === configurationValue);
    if (!chosen) throw failure("NotFoundError", "The configuration value provided is not supported by the device.");
    this.configuration = chosen;
  }

  async claimInterface(interfaceNumber: number): Promise<void> {
    this.calls.push(`claimInterface ${interfaceNumber}`);
    this.#checkOpen();
    if (!this.configuration) throw failure("InvalidStateError", "The device must have a configuration selected.");
    const found = this.configuration.interfaces.find((each) => each.interfaceNumber === interfaceNumber);
    if (!found)
      throw failure("NotFoundError", "The interface number provided is not supported by the device in its current configuration.");
    if (this.#options.isProtected && found.alternate.interfaceClass === 0xe0)
      throw failure("SecurityError", "The requested interface implements a protected class.");
    if (this.#options.isTaken) throw failure("NetworkError", "Unable to claim interface.");
    if (interfaceNumber === INTERFACE) this.#isClaimed = true;
  }

  async releaseInterface(interfaceNumber: number): Promise<void> {
    this.calls.push(`releaseInterface ${interfaceNumber}`);
    this.#checkOpen();
    if (interfaceNumber !== INTERFACE) throw failure("NotFoundError", "The interface number provided is not supported by the device.");
    if (!this.#isClaimed) return;
    this.#isClaimed = false;
    this.#failTransfers(failure("AbortError", "The transfer was cancelled."));
  }

  async selectAlternateInterface(interfaceNumber: number, alternateSetting: number): Promise<void> {
    this.calls.push(`selectAlternateInterface ${interfaceNumber} ${alternateSetting}`);
    this.#checkOpen();
    if (interfaceNumber !== INTERFACE || !this.#isClaimed)
      throw failure("InvalidStateError", "The specified interface has not been claimed.");
    if (alternateSetting !== 0) throw failure("NotFoundError", "The alternate setting provided is not supported by the device.");
  }

  async controlTransferOut(setup: WebUsbSetup, data: Uint8Array = new Uint8Array()): Promise<WebUsbOutResult> {
    this.#checkOpen();
    if (!this.configuration) throw failure("InvalidStateError", "The device must have a configuration selected.");
    if (setup.recipient === "interface") {
      if (!this.configuration.interfaces.some(({ interfaceNumber }) => interfaceNumber === (setup.index & 0xff)))
        throw failure("NotFoundError", "The interface number provided is not supported by the device in its current configuration.");
      if ((setup.index & 0xff) !== INTERFACE || !this.#isClaimed)
        throw failure("InvalidStateError", "The specified interface has not been claimed.");
    }
    const octets = data.slice();
    await this.#whileOpen();
    const isMeant =
      setup.requestType === "class" &&
      setup.recipient === this.#commandsAt &&
      setup.request === 0 &&
      setup.value === 0 &&
      setup.index === (setup.recipient === "interface" ? INTERFACE : 0);
    if (!isMeant || octets.length < 3 || octets.length !== 3 + octets[2]!) return { status: "stall", bytesWritten: 0 };
    this.#host?.send(withType(PacketType.Command, octets));
    return { status: "ok", bytesWritten: octets.length };
  }

  async clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void> {
    this.calls.push(`clearHalt ${direction} ${endpointNumber}`);
    this.#checkEndpoint(direction, endpointNumber);
    if (direction === "out") this.#isOutHalted = false;
    else this.#inEndpoint(endpointNumber).clear();
  }

  async transferIn(endpointNumber: number, length: number): Promise<WebUsbInResult> {
    this.#checkEndpoint("in", endpointNumber);
    return await this.#inEndpoint(endpointNumber).ask(length);
  }

  async transferOut(endpointNumber: number, data: Uint8Array): Promise<WebUsbOutResult> {
    this.#checkEndpoint("out", endpointNumber);
    const octets = data.slice();
    await this.#whileOpen();
    if (this.#isOutHalted) return { status: "stall", bytesWritten: 0 };
    const length = octets.length < 4 ? -1 : 4 + (octets[2]! | (octets[3]! << 8));
    if (length !== octets.length) {
      this.#isOutHalted = true; // what a device does with half a packet is its own affair; this one halts
      return { status: "stall", bytesWritten: 0 };
    }
    this.#host?.send(withType(PacketType.AclData, octets));
    return { status: "ok", bytesWritten: octets.length };
  }

  /** Time that a transfer takes, one after the other. @throws an AbortError: the device was closed meanwhile */
  async #whileOpen(): Promise<void> {
    const opening = this.#opening;
    const { maxDelayMs = 0 } = this.#options;
    if (maxDelayMs > 0) {
      const nowMs = this.#clock.now();
      this.#lastOutMs = Math.max(this.#lastOutMs, nowMs + this.#random.unit() * maxDelayMs);
      await delay(this.#clock, this.#lastOutMs - nowMs, { name: "a USB transfer" });
    }
    if (opening !== this.#opening) throw failure("AbortError", "The transfer was cancelled.");
    this.#checkPlugged();
  }

  #onControllerPacket(packet: Uint8Array): void {
    const endpoint = packet[0] === PacketType.Event ? this.#events : this.#data;
    const octets = packet.subarray(1);
    const { isCut, isGlued } = this.#options;
    const at = isCut && octets.length > 1 ? 1 + Math.floor(this.#random.unit() * (octets.length - 1)) : octets.length;
    endpoint.push(octets.subarray(0, at), !isGlued || at < octets.length);
    if (at < octets.length) endpoint.push(octets.subarray(at), !isGlued);
  }

  #close(error: unknown): void {
    this.opened = false;
    this.#isClaimed = false;
    this.#failTransfers(error);
  }

  #failTransfers(error: unknown): void {
    this.#opening++;
    this.#events.fail(error);
    this.#data.fail(error);
  }

  #checkPlugged(): void {
    if (!this.#host) throw failure("NotFoundError", "The device was disconnected.");
  }

  #checkOpen(): void {
    this.#checkPlugged();
    if (!this.opened) throw failure("InvalidStateError", "The device must be opened first.");
  }

  #checkEndpoint(direction: "in" | "out", endpointNumber: number): void {
    this.#checkOpen();
    const isThere = endpointNumber === DATA || (direction === "in" && endpointNumber === EVENTS_IN);
    if (!isThere || !this.#isClaimed)
      throw failure("NotFoundError", "The specified endpoint is not part of a claimed and selected alternate interface.");
  }

  #inEndpoint(endpointNumber: number): InEndpoint {
    return endpointNumber === EVENTS_IN ? this.#events : this.#data;
  }

  #describe(): WebUsbConfiguration {
    const { eventPacketSize = 16, dataPacketSize = 64, hasVendorClass = false, isComposite = false } = this.#options;
    const interfaceClass = hasVendorClass ? 0xff : 0xe0;
    const alternate = (alternateSetting: number, endpoints: WebUsbEndpoint[], ofClass = interfaceClass): WebUsbAlternate => {
      return { alternateSetting, interfaceClass: ofClass, interfaceSubclass: 1, interfaceProtocol: 1, endpoints };
    };
    const hci = alternate(0, [
      { endpointNumber: EVENTS_IN, direction: "in", type: "interrupt", packetSize: eventPacketSize },
      { endpointNumber: DATA, direction: "in", type: "bulk", packetSize: dataPacketSize },
      { endpointNumber: DATA, direction: "out", type: "bulk", packetSize: dataPacketSize },
    ]);
    const voice = alternate(0, [
      { endpointNumber: 3, direction: "in", type: "isochronous", packetSize: 0 },
      { endpointNumber: 3, direction: "out", type: "isochronous", packetSize: 0 },
    ]);
    const other = alternate(0, [], 0x03);
    return {
      configurationValue: 1,
      interfaces: [
        isComposite
          ? { interfaceNumber: 0, alternate: other, alternates: [other] }
          : { interfaceNumber: 0, alternate: voice, alternates: [voice] },
        { interfaceNumber: INTERFACE, alternate: hci, alternates: [hci] },
      ],
    };
  }
}

function withType(type: number, octets: Uint8Array): Uint8Array {
  const packet = new Uint8Array(1 + octets.length);
  packet[0] = type;
  packet.set(octets, 1);
  return packet;
}

const failure = (name: string, message: string): DOMException => new DOMException(message, name);
