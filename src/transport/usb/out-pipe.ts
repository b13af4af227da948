import type { WebUsbDevice, WebUsbEndpoint, WebUsbOutResult } from "./web-usb.ts";

/** Transfers that are under way at the same time. */
const MOST_FLYING = 4;
/** Halts one after the other, with nothing taken between them, after which the endpoint is given up. */
const MOST_HALTS = 3;

interface Flight {
  readonly octets: Uint8Array;
  state: "flying" | "taken" | "stalled";
}

export interface OutPipeOptions {
  /** Nothing is under way and nothing waits. */
  readonly onIdle: () => void;
  /** Something was taken. */
  readonly onTaken: () => void;
  /** It is over. @param what completes a sentence about the device */
  readonly onEnd: (what: string, cause?: unknown) => void;
}

/**
 * One bulk OUT endpoint: a packet a transfer, several under way, in order. After a halt those that were not taken are sent again - if the
 * device took one behind them, nobody knows what it has, and that is the end.
 */
export class OutPipe {
  readonly #device: WebUsbDevice;
  readonly #endpoint: WebUsbEndpoint;
  readonly #options: OutPipeOptions;
  #queue: Uint8Array[] = [];
  #flying: Flight[] = [];
  #halts = 0;
  #isHalted = false;
  #isStopped = false;
  /** Octets that the device has not taken yet. */
  waitingOctets = 0;

  constructor(device: WebUsbDevice, endpoint: WebUsbEndpoint, options: OutPipeOptions) {
    this.#device = device;
    this.#endpoint = endpoint;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#isStopped || (this.#queue.length === 0 && this.#flying.length === 0);
  }

  send(octets: Uint8Array): void {
    this.waitingOctets += octets.length;
    this.#queue.push(octets);
    this.#pump();
  }

  stop(): void {
    this.#isStopped = true;
    this.#queue = [];
  }

  #pump(): void {
    while (!this.#isStopped && !this.#isHalted && this.#flying.length < MOST_FLYING && this.#queue.length > 0) {
      const flight: Flight = { octets: this.#queue.shift()!, state: "flying" };
      this.#flying.push(flight);
      void this.#fly(flight);
    }
  }

  async #fly(flight: Flight): Promise<void> {
    let result: WebUsbOutResult;
    try {
      result = await this.#device.transferOut(this.#endpoint.endpointNumber, flight.octets as Uint8Array<ArrayBuffer>);
    } catch (error) {
      return this.#end("is gone: it was unplugged, or its transfers fail", error);
    }
    if (this.#isStopped) return;
    const { status = "ok", bytesWritten } = result;
    if (status === "ok" && bytesWritten === flight.octets.length) {
      flight.state = "taken";
      this.#halts = 0;
    } else if (status === "stall" && bytesWritten === 0) {
      flight.state = "stalled";
      this.#isHalted = true;
    } else return this.#end("ended: it took a part of a packet");
    this.#settle();
  }

  #settle(): void {
    if (this.#isHalted) {
      if (this.#flying.every(({ state }) => state !== "flying")) void this.#clear();
      return;
    }
    while (this.#flying[0]?.state === "taken") this.waitingOctets -= this.#flying.shift()!.octets.length;
    this.#pump();
    this.#options.onTaken();
    if (this.isIdle) this.#options.onIdle();
  }

  async #clear(): Promise<void> {
    const first = this.#flying.findIndex(({ state }) => state === "stalled");
    const refused = this.#flying.slice(first);
    if (refused.some(({ state }) => state === "taken")) return this.#end("ended: it refused a packet and took the next");
    if (++this.#halts > MOST_HALTS) return this.#end("ended: an endpoint halts again and again");
    try {
      await this.#device.clearHalt("out", this.#endpoint.endpointNumber);
    } catch (error) {
      return this.#end("ended: an endpoint that has halted cannot be cleared", error);
    }
    if (this.#isStopped) return;
    this.#queue.unshift(...refused.map(({ octets }) => octets));
    this.#flying = this.#flying.slice(0, first);
    this.#isHalted = false;
    this.#settle();
  }

  #end(what: string, cause?: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.onEnd(what, cause);
  }
}
