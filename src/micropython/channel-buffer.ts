import type { IrqResult } from "./event-queue.ts";

export interface ChannelBufferOptions {
  /** So many SDUs have been read. */
  readonly consumed: (sdus: number) => void;
  /** Tells the program of an SDU. */
  readonly tell: () => IrqResult | Promise<IrqResult>;
}

/**
 * What was received on a channel and not read: a stream of octets. The peer may send more when all of it has been read, and the program is
 * done with its handler: so what one handler reads makes room at once.
 */
export class ChannelBuffer {
  readonly #options: ChannelBufferOptions;
  #sdus: Uint8Array[] = [];
  /** Octets of the first that were read. */
  #at = 0;
  #available = 0;
  /** SDUs that were received since the peer was last told that it may send more. */
  #owed = 0;
  /** Handlers that are under way, or wait for their turn. */
  #telling = 0;

  constructor(options: ChannelBufferOptions) {
    this.#options = options;
  }

  /** Octets that can be read. */
  get available(): number {
    return this.#available;
  }

  push(sdu: Uint8Array): void {
    this.#owed++;
    this.#available += sdu.length;
    if (sdu.length > 0) this.#sdus.push(sdu);
    this.#telling++;
    const told = this.#options.tell();
    const done = (): void => {
      this.#telling--;
      this.#settle();
    };
    if (told instanceof Promise) void told.then(done);
    else done();
  }

  /** @returns octets that were copied */
  read(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length && this.#available > 0) {
      const first = this.#sdus[0]!;
      const part = first.subarray(this.#at, this.#at + into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#at += part.length;
      this.#available -= part.length;
      if (this.#at < first.length) continue;
      this.#sdus.shift();
      this.#at = 0;
    }
    this.#settle();
    return filled;
  }

  #settle(): void {
    if (this.#telling > 0 || this.#available > 0 || this.#owed === 0) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#options.consumed(owed);
  }
}
