import { concat } from "../../bytes/index.ts";

interface Unfinished {
  readonly pieces: Uint8Array[];
  octets: number;
  isOverfull: boolean;
}

/** What became of data that came in pieces. */
export interface WholeData {
  readonly data: Uint8Array;
  /** There was more than is kept of one. */
  readonly isOverfull: boolean;
}

/** Puts together data that a controller reports in pieces, each kind by its key; bounded in octets and in number. */
export class DataPieces {
  readonly #mostOctets: number;
  readonly #most: number;
  readonly #partials = new Map<number, Unfinished>();

  /** @param at.mostOctets of one; @param at.most how many at a time, of more the oldest is dropped */
  constructor({ mostOctets, most }: { mostOctets: number; most: number }) {
    this.#mostOctets = mostOctets;
    this.#most = most;
  }

  /** What is not whole yet. */
  get size(): number {
    return this.#partials.size;
  }

  /** More is to come behind this piece. */
  add(key: number, piece: Uint8Array): void {
    let partial = this.#partials.get(key);
    if (!partial) {
      if (this.#partials.size >= this.#most) this.#partials.delete(this.#partials.keys().next().value!);
      partial = { pieces: [], octets: 0, isOverfull: false };
      this.#partials.set(key, partial);
    }
    const taken = Math.min(piece.length, this.#mostOctets - partial.octets);
    if (taken < piece.length) partial.isOverfull = true;
    if (taken === 0) return;
    partial.pieces.push(piece.slice(0, taken));
    partial.octets += taken;
  }

  /** The last piece is here. */
  finish(key: number, piece: Uint8Array): WholeData {
    const isAlone = !this.#partials.has(key) && piece.length <= this.#mostOctets;
    if (isAlone) return { data: piece, isOverfull: false };
    this.add(key, piece);
    const { pieces, isOverfull } = this.#partials.get(key)!;
    this.#partials.delete(key);
    return { data: concat(...pieces), isOverfull };
  }

  /** What came of it will not become whole. */
  drop(key: number): void {
    this.#partials.delete(key);
  }
}
