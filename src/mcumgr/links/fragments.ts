import type { Clock } from "../../async/clock.ts";
import { LONGEST_MESSAGE } from "./link-base.ts";

const HEADER_OCTETS = 8;

/** A message cut into pieces of at most `maxLength` octets. The pieces are views of it. */
export function fragmentsOf(message: Uint8Array, maxLength: number): Uint8Array[] {
  if (message.length <= maxLength) return [message];
  const fragments: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += maxLength) fragments.push(message.subarray(at, at + maxLength));
  return fragments;
}

export interface MessageAssemblerOptions {
  readonly clock: Clock;
  readonly onMessage: (message: Uint8Array) => void;
  /** What had come of a message was given up: its header claims too much, or its rest did not come. */
  readonly onDropped?: ((octets: number) => void) | undefined;
  /** Longest message in octets; more is claimed by a header that is none. What a header can claim by default. */
  readonly limit?: number | undefined;
  /** The first piece of a message holds its header, and a piece that goes past its end spoils it, as in a server. False by default. */
  readonly isStrict?: boolean | undefined;
  /** A rest that comes later than this belongs to nothing. 4000 by default. */
  readonly patienceMs?: number | undefined;
}

/**
 * Joins pieces to messages by the length in their header, pieces of any size: several messages in one piece, or a header in several. Holds
 * one message at most.
 */
export class MessageAssembler {
  readonly #options: MessageAssemblerOptions;
  readonly #limit: number;
  readonly #patienceMs: number;
  /** Grows with what comes, not with what is claimed. */
  #held = new Uint8Array(256);
  #filled = 0;
  #lastMs = 0;

  constructor(options: MessageAssemblerOptions) {
    this.#options = options;
    this.#limit = options.limit ?? LONGEST_MESSAGE;
    this.#patienceMs = options.patienceMs ?? 4000;
  }

  /** Octets held of a message whose rest has not come. */
  get pending(): number {
    return this.#filled;
  }

  push(piece: Uint8Array): void {
    const nowMs = this.#options.clock.now();
    if (this.#filled > 0 && nowMs - this.#lastMs > this.#patienceMs) this.reset();
    this.#lastMs = nowMs;
    if (this.#options.isStrict && this.#isSpoilt(piece)) {
      this.#drop(piece.length);
      return;
    }
    let left = piece;
    while (left.length > 0) {
      if (this.#filled < HEADER_OCTETS) {
        const length = this.#filled === 0 ? messageLength(left) : undefined;
        if (length !== undefined && length <= left.length && length <= this.#limit) {
          this.#options.onMessage(left.slice(0, length)); // whole, as most are
          left = left.subarray(length);
          continue;
        }
        left = this.#take(left, HEADER_OCTETS);
        if (this.#filled < HEADER_OCTETS) return;
      }
      const length = messageLength(this.#held)!;
      if (length > this.#limit) {
        // No header, or one of a message that nobody could have asked for: nothing tells where the next one begins.
        this.#drop(left.length);
        return;
      }
      left = this.#take(left, length);
      if (this.#filled < length) return;
      this.#filled = 0;
      this.#options.onMessage(this.#held.slice(0, length));
    }
  }

  /** No server takes it, after what is held. */
  #isSpoilt(piece: Uint8Array): boolean {
    const length = messageLength(this.#filled === 0 ? piece : this.#held);
    return length === undefined || this.#filled + piece.length > length;
  }

  /** Forgets what has come of a message. */
  reset(): void {
    if (this.#filled > 0) this.#drop(0);
  }

  /** Takes until so many are held. @returns the rest */
  #take(octets: Uint8Array, until: number): Uint8Array {
    const taken = octets.subarray(0, until - this.#filled);
    const filled = this.#filled + taken.length;
    if (filled > this.#held.length) {
      const longer = new Uint8Array(Math.max(filled, Math.min(this.#held.length * 2, this.#limit)));
      longer.set(this.#held.subarray(0, this.#filled));
      this.#held = longer;
    }
    this.#held.set(taken, this.#filled);
    this.#filled = filled;
    return octets.subarray(taken.length);
  }

  #drop(more: number): void {
    const octets = this.#filled + more;
    this.#filled = 0;
    this.#options.onDropped?.(octets);
  }
}

/** Octets of the message that begins here, by its header; undefined where that is not whole. */
function messageLength(octets: Uint8Array): number | undefined {
  return octets.length < HEADER_OCTETS ? undefined : HEADER_OCTETS + ((octets[2]! << 8) | octets[3]!);
}
