import { callOut } from "../../async/call-out.ts";
import { type Clock, type OperationOptions, Pending } from "../../async/index.ts";
import { copyOctets } from "../../bytes/copy-octets.ts";
import type { BleError } from "../../core/error.ts";
import { framesOf } from "./options.ts";

export interface ReceiverOptions {
  readonly clock: Clock;
  readonly mtu: number;
  readonly mps: number;
  /** K-frames that the peer may have under way. */
  readonly credits: number;
  readonly isManual: boolean;
  /** Gives credits to the peer. */
  readonly onCredits: (credits: number) => void;
}

/**
 * Puts K-frames together (Vol 3 Part A 3.4.3), keeps SDUs for their reader, and gives credits back as the reader consumes them (10.1): what is
 * kept never exceeds what the peer was given credits for.
 */
export class ChannelReceiver {
  mtu: number;
  mps: number;
  readonly #options: ReceiverOptions;
  /** K-frames that the peer may have under way. */
  #window: number;
  /** Credits that the peer has. */
  #granted: number;
  /** K-frames that are kept: of SDUs that are not consumed, and of the one being put together. */
  #held = 0;
  #partial: Uint8Array | undefined;
  #filled = 0;
  #partialFrames = 0;
  readonly #sdus: Uint8Array[] = [];
  /** K-frames of each of `#sdus`. */
  readonly #frames: number[] = [];
  /** K-frames of each SDU that was handed out and is to be told as consumed. */
  readonly #unconsumed: number[] = [];
  readonly #readers: Pending<Uint8Array | undefined>[] = [];
  #onSdu: ((sdu: Uint8Array) => void) | undefined;
  #closed: { readonly error: BleError | undefined } | undefined;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.mtu = options.mtu;
    this.mps = options.mps;
    this.#window = options.credits;
    this.#granted = options.credits;
  }

  /** SDUs that nobody has taken. */
  get available(): number {
    return this.#sdus.length;
  }

  get onSdu(): ((sdu: Uint8Array) => void) | undefined {
    return this.#onSdu;
  }
  set onSdu(onSdu: ((sdu: Uint8Array) => void) | undefined) {
    this.#onSdu = onSdu;
    while (this.#onSdu && this.#sdus.length > 0) this.#handOut(this.#onSdu, this.#sdus.shift()!, this.#frames.shift()!);
  }

  /** A K-frame's payload in `bytes[offset, end)`. @returns what is wrong with it; the channel is then to be closed (10.1) */
  receive(bytes: Uint8Array, offset: number, end: number): string | undefined {
    const size = end - offset;
    if (this.#granted === 0) return "a K-frame for which it had no credit";
    this.#granted--;
    this.#held++;
    if (size > this.mps) return `a K-frame of ${size} octets, with an MPS of ${this.mps}`;
    let partial = this.#partial;
    if (partial === undefined) {
      if (size < 2) return "the first K-frame of an SDU without a length";
      const length = bytes[offset]! | (bytes[offset + 1]! << 8);
      if (length > this.mtu) return `an SDU of ${length} octets, with an MTU of ${this.mtu}`;
      if (size - 2 > length) return `${size - 2} octets of an SDU of ${length}`;
      if (size - 2 === length) {
        this.#deliver(copyOctets(bytes, offset + 2, end), 1);
        return undefined;
      }
      partial = new Uint8Array(length);
      partial.set(bytes.subarray(offset + 2, end));
      this.#partial = partial;
      this.#filled = size - 2;
      this.#partialFrames = 1;
    } else {
      const filled = this.#filled + size;
      if (filled > partial.length) return `${filled} octets of an SDU of ${partial.length}`;
      partial.set(bytes.subarray(offset, end), this.#filled);
      this.#filled = filled;
      this.#partialFrames++;
      if (filled === partial.length) {
        this.#partial = undefined;
        this.#deliver(partial, this.#partialFrames);
        return undefined;
      }
    }
    if (this.#granted === 0) this.#settle();
    return undefined;
  }

  /** The next SDU; nothing when the channel has ended. */
  read(options: OperationOptions): Promise<Uint8Array | undefined> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const sdu = this.#sdus.shift();
    if (sdu) {
      this.#handedOut(this.#frames.shift()!);
      return Promise.resolve(sdu);
    }
    if (this.#closed) return this.#closed.error ? Promise.reject(this.#closed.error) : Promise.resolve(undefined);
    const reader: Pending<Uint8Array | undefined> = new Pending<Uint8Array | undefined>({
      ...options,
      clock: this.#options.clock,
      operation: "waiting for an SDU",
      onSettled: () => {
        const at = this.#readers.indexOf(reader);
        if (at >= 0) this.#readers.splice(at, 1);
      },
    });
    this.#readers.push(reader);
    return reader.promise;
  }

  /** So many SDUs, of those handed out, are done with. */
  consumed(sdus: number): void {
    let frames = 0;
    for (const count of this.#unconsumed.splice(0, sdus)) frames += count;
    this.#release(frames);
  }

  /** What is taken from now on, after a reconfiguration. */
  reconfigure(mtu: number, mps: number): void {
    this.mtu = mtu;
    this.mps = mps;
    this.#window = Math.max(this.#window, framesOf(mtu, mps));
    this.#settle();
  }

  /** Nothing comes any more; what was received can still be taken. @param error what readers get after it; nothing: the end */
  close(error: BleError | undefined): void {
    if (this.#closed) return;
    this.#closed = { error };
    this.#partial = undefined;
    for (const reader of this.#readers.splice(0)) {
      if (error) reader.reject(error);
      else reader.resolve(undefined);
    }
  }

  #deliver(sdu: Uint8Array, frames: number): void {
    if (this.#onSdu) {
      this.#handOut(this.#onSdu, sdu, frames);
      return;
    }
    if (this.#readers.length > 0) this.#readers.shift()!.resolve(sdu);
    else {
      this.#sdus.push(sdu);
      this.#frames.push(frames);
      if (this.#granted === 0) this.#settle();
      return;
    }
    this.#handedOut(frames);
  }

  /** With manual credits the SDU counts as handed out within the call: its reader may be done with it there. */
  #handOut(onSdu: (sdu: Uint8Array) => void, sdu: Uint8Array, frames: number): void {
    const { isManual } = this.#options;
    if (isManual) this.#unconsumed.push(frames);
    callOut(onSdu, sdu);
    if (!isManual) this.#release(frames);
  }

  #handedOut(frames: number): void {
    if (this.#options.isManual) this.#unconsumed.push(frames);
    else this.#release(frames);
  }

  #release(frames: number): void {
    this.#held -= frames;
    this.#settle();
  }

  /** Gives back what is owed: a quarter of the window, or all of it where the peer has none left. */
  #settle(): void {
    if (this.#closed) return;
    let owed = this.#window - this.#granted - this.#held;
    if (owed <= 0) {
      // It made more K-frames of its SDU than it had to, and nothing but the rest of it makes room: it gets what it needs, one at a time.
      if (this.#granted > 0 || this.#partial === undefined || this.#held > this.#partialFrames) return;
      owed = 1;
    } else if (this.#granted > 0 && owed * 4 < this.#window) return;
    this.#granted += owed;
    this.#options.onCredits(owed);
  }
}
