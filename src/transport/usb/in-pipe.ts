import type { WebUsbDevice, WebUsbEndpoint, WebUsbInResult } from "./web-usb.ts";

/** Halts one after the other, with no octet between them, after which the endpoint is given up. */
const MOST_HALTS = 8;

type Outcome = { readonly generation: number; readonly result: WebUsbInResult } | { readonly error: unknown };

export interface InPipeOptions {
  /** Octets of a transfer; rounded up to whole packets, since a device that sends more than was asked for fails ("babble"). */
  readonly transferOctets: number;
  /** Transfers that wait at the same time, so that the device is asked again before the one before is looked at. */
  readonly transfers: number;
  readonly onOctets: (octets: Uint8Array) => void;
  /** It is over. @param what completes a sentence about the device */
  readonly onEnd: (what: string, cause?: unknown) => void;
}

/** One IN endpoint, read until it is stopped. What comes is handed on in the order in which it was asked for. */
export class InPipe {
  readonly #device: WebUsbDevice;
  readonly #endpoint: WebUsbEndpoint;
  readonly #options: InPipeOptions;
  readonly #length: number;
  readonly #waiting: Promise<Outcome>[] = [];
  /** Counts halts that were cleared: a transfer that was asked for before that tells of an old one. */
  #generation = 0;
  #halts = 0;
  #isStopped = false;
  #resume: (() => void) | undefined;
  #isPaused = false;

  constructor(device: WebUsbDevice, endpoint: WebUsbEndpoint, options: InPipeOptions) {
    this.#device = device;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#length = Math.ceil(options.transferOctets / endpoint.packetSize) * endpoint.packetSize;
    void this.#run();
  }

  /** What is on its way still comes. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#resume?.();
    this.#resume = undefined;
  }

  /** Nothing is handed on any more. */
  stop(): void {
    this.#isStopped = true;
    this.resume();
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#isPaused) await new Promise<void>((resolve) => (this.#resume = resolve));
      if (this.#isStopped) return;
      while (this.#waiting.length < this.#options.transfers) this.#waiting.push(this.#ask());
      const outcome = await this.#waiting.shift()!;
      if (this.#isStopped) return;
      if ("error" in outcome) return this.#end("is gone: it was unplugged, or its transfers fail", outcome.error);
      const { status = "ok", data } = outcome.result;
      if (status === "stall") {
        if (!(await this.#clear(outcome.generation))) return;
        continue;
      }
      if (status !== "ok") return this.#end("ended: it sends more than it is asked for");
      this.#halts = 0;
      if (data) this.#options.onOctets(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  }

  #ask(): Promise<Outcome> {
    const generation = this.#generation;
    // Nothing of the platform is thrown past this: not every WebUSB rejects where it might throw.
    return (async (): Promise<Outcome> => {
      try {
        return { generation, result: await this.#device.transferIn(this.#endpoint.endpointNumber, this.#length) };
      } catch (error) {
        return { error };
      }
    })();
  }

  /** @returns false: it is over */
  async #clear(generation: number): Promise<boolean> {
    if (generation < this.#generation) return true;
    this.#generation++;
    if (++this.#halts > MOST_HALTS) {
      this.#end("ended: an endpoint halts again and again");
      return false;
    }
    try {
      await this.#device.clearHalt("in", this.#endpoint.endpointNumber);
    } catch (error) {
      if (!this.#isStopped) this.#end("ended: an endpoint that has halted cannot be cleared", error);
      return false;
    }
    return !this.#isStopped;
  }

  #end(what: string, cause?: unknown): void {
    this.#isStopped = true;
    this.#options.onEnd(what, cause);
  }
}
