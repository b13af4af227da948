import type { Clock } from "../../async/clock.ts";
import { ownTerms } from "../../async/own-terms.ts";
import type { WebUsbDevice, WebUsbInResult, WebUsbOutResult, WebUsbSetup } from "./web-usb.ts";

/** A device of the package `usb`, version 3: WebUSB's, with a limit to each transfer, and with what WebUSB does not tell. */
export interface PackageUsbDevice extends WebUsbDevice {
  readonly bus: string;
  readonly ports: readonly number[];
  /** Number on its bus, another one each time that it is plugged in. */
  readonly address: number;
  transferIn(endpointNumber: number, length: number, timeoutMs?: number): Promise<WebUsbInResult>;
  transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>, timeoutMs?: number): Promise<WebUsbOutResult>;
  controlTransferOut(setup: WebUsbSetup, data?: Uint8Array<ArrayBuffer>, timeoutMs?: number): Promise<WebUsbOutResult>;
  /** Linux only. */
  detachKernelDriver(interfaceNumber: number): Promise<void>;
  attachKernelDriver(interfaceNumber: number): Promise<void>;
}

/** How long one transfer of an IN endpoint waits before it is begun again: closing has to wait for it. In milliseconds. */
const IN_MS = 250;
const OUT_MS = 5000;
/** How long closing waits for transfers at most, in milliseconds. */
const SETTLE_MS = 1500;

/**
 * A device of the package as WebUSB has it. The package allows one transfer for each endpoint at a time, cancels each when its time is up -
 * with what has come of it, so that one packet at a time is asked for here, which comes whole or not at all - does not end what is pending
 * when a device is closed, and throws for a halted endpoint.
 *
 * On Linux a kernel driver that has the interface is sent away from it, and called back when it is released. Another program is not.
 */
export class NodeUsbDevice implements WebUsbDevice {
  readonly #device: PackageUsbDevice;
  readonly #clock: Clock;
  readonly #driverOf: (interfaceNumber: number) => Promise<string | undefined>;
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #detached = new Set<number>();
  readonly #packetSizes = new Map<number, number>();
  #isClosed = false;

  /** @param driverOf name of the kernel driver that has an interface, where the platform tells; "usbfs" is another program */
  constructor(device: PackageUsbDevice, clock: Clock, driverOf: (interfaceNumber: number) => Promise<string | undefined>) {
    this.#device = device;
    this.#clock = clock;
    this.#driverOf = driverOf;
  }

  get vendorId(): number {
    return this.#device.vendorId;
  }
  get productId(): number {
    return this.#device.productId;
  }
  get deviceClass(): number {
    return this.#device.deviceClass;
  }
  get deviceSubclass(): number {
    return this.#device.deviceSubclass;
  }
  get deviceProtocol(): number {
    return this.#device.deviceProtocol;
  }
  get configuration(): WebUsbDevice["configuration"] {
    return this.#device.configuration;
  }
  get configurations(): WebUsbDevice["configurations"] {
    return this.#device.configurations;
  }
  get opened(): boolean {
    return this.#device.opened;
  }

  async open(): Promise<void> {
    this.#isClosed = false;
    await this.#device.open();
  }

  async close(): Promise<void> {
    await this.#settle();
    await this.#device.close();
  }

  async selectConfiguration(configurationValue: number): Promise<void> {
    await this.#device.selectConfiguration(configurationValue);
  }

  async claimInterface(interfaceNumber: number): Promise<void> {
    try {
      await this.#device.claimInterface(interfaceNumber);
    } catch (error) {
      if (!/busy|errno 16\b/i.test(messageOf(error))) throw error;
      const driver = await this.#driverOf(interfaceNumber);
      if (driver === undefined || driver === "usbfs") throw error;
      await this.#device.detachKernelDriver(interfaceNumber);
      this.#detached.add(interfaceNumber);
      try {
        await this.#device.claimInterface(interfaceNumber);
      } catch (refusal) {
        await this.#giveBack(interfaceNumber);
        throw refusal;
      }
    }
    for (const { endpoints } of this.#device.configuration?.interfaces.find((each) => each.interfaceNumber === interfaceNumber)
      ?.alternates ?? [])
      for (const { direction, endpointNumber, packetSize } of endpoints)
        if (direction === "in") this.#packetSizes.set(endpointNumber, packetSize);
  }

  async releaseInterface(interfaceNumber: number): Promise<void> {
    await this.#settle();
    await this.#device.releaseInterface(interfaceNumber);
    await this.#giveBack(interfaceNumber);
  }

  async selectAlternateInterface(interfaceNumber: number, alternateSetting: number): Promise<void> {
    await this.#device.selectAlternateInterface(interfaceNumber, alternateSetting);
  }

  async controlTransferOut(setup: WebUsbSetup, data: Uint8Array<ArrayBuffer> = new Uint8Array()): Promise<WebUsbOutResult> {
    return await this.#queued("control", () => outResult(this.#device.controlTransferOut(setup, data, OUT_MS)));
  }

  async clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void> {
    await this.#queued(`${direction}${endpointNumber}`, () => this.#device.clearHalt(direction, endpointNumber));
  }

  async transferIn(endpointNumber: number, length: number): Promise<WebUsbInResult> {
    const octets = this.#packetSizes.get(endpointNumber) ?? length;
    return await this.#queued(`in${endpointNumber}`, async () => {
      for (;;) {
        this.#throwIfClosed();
        try {
          return await this.#device.transferIn(endpointNumber, octets, IN_MS);
        } catch (error) {
          if (isHalt(error)) return { status: "stall" };
          if (!isTimeout(error)) throw error;
        }
      }
    });
  }

  async transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>): Promise<WebUsbOutResult> {
    return await this.#queued(`out${endpointNumber}`, () => outResult(this.#device.transferOut(endpointNumber, data, OUT_MS)));
  }

  /** One after the other for each endpoint. */
  #queued<T>(endpoint: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#queues.get(endpoint) ?? Promise.resolve()).then(() => {
      this.#throwIfClosed();
      return act();
    });
    this.#queues.set(
      endpoint,
      turn.catch(() => undefined),
    );
    return turn;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new DOMException("the USB device was closed", "AbortError");
  }

  async #settle(): Promise<void> {
    this.#isClosed = true;
    const pending = Promise.all(this.#queues.values());
    await ownTerms(this.#clock, "ending transfers", pending, { timeoutMs: SETTLE_MS }).catch(() => undefined);
  }

  async #giveBack(interfaceNumber: number): Promise<void> {
    if (!this.#detached.delete(interfaceNumber)) return;
    await this.#device.attachKernelDriver(interfaceNumber).catch(() => undefined); // of a device that is gone
  }
}

async function outResult(transfer: Promise<WebUsbOutResult>): Promise<WebUsbOutResult> {
  try {
    return await transfer;
  } catch (error) {
    if (isHalt(error)) return { status: "stall", bytesWritten: 0 };
    throw error;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const isHalt = (error: unknown): boolean => /stall/i.test(messageOf(error));
const isTimeout = (error: unknown): boolean => /cancel|timed? ?out/i.test(messageOf(error));
