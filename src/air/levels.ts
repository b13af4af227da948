import type { Radio } from "./radio.ts";

/**
 * How strong what each radio sends arrives at each other one, so far as anybody asked. All of it is one piece of memory, and little: in a crowd
 * everybody who sends at a time is compared at one listener after the other, and to find these numbers took longer than all else about it.
 */
export class Levels {
  /** At each place the mean strength in dBm, minus infinity where nothing arrives, and not a number where nobody asked yet. */
  #dbm = unknown(1);
  /** Behind each strength that is known: the key of the path. */
  #keys = new Int32Array(this.#dbm.buffer);
  #columns = 1;
  readonly #senders = new Places((radio, row) => {
    radio.row = row;
  });
  readonly #receivers = new Places((radio, column) => {
    radio.column = column;
  });

  /** Pairs that there is room for. */
  get size(): number {
    return this.#dbm.length / 2;
  }

  /** Mean strength in dBm at which `to` receives the sender of this row; not a number, which alone is not `>= -Infinity`, where that has to be found out. */
  at(row: number, to: Radio): number {
    return this.#dbm[2 * (row * this.#columns + to.column)]!;
  }

  /** The key of the path, where the strength is known. */
  key(from: Radio, to: Radio): number {
    return this.#keys[2 * (from.row * this.#columns + to.column) + 1]!;
  }

  /** Gives the strength as it is kept: a number of 32 bits. */
  set(from: Radio, to: Radio, dbm: number, key: number): number {
    if (from.row === 0) this.#senders.admit(from);
    if (to.column === 0) this.#receivers.admit(to);
    if (to.column >= this.#columns || from.row * this.#columns >= this.size) this.#grow();
    const place = 2 * (from.row * this.#columns + to.column);
    this.#dbm[place] = dbm;
    this.#keys[place + 1] = key;
    return this.#dbm[place]!;
  }

  /** All that concerns this radio has to be found out anew. */
  forget(radio: Radio): void {
    const step = 2 * this.#columns;
    if (radio.row > 0) this.#dbm.fill(Number.NaN, radio.row * step, (radio.row + 1) * step);
    if (radio.column > 0) for (let at = 2 * radio.column; at < this.#dbm.length; at += step) this.#dbm[at] = Number.NaN;
  }

  /** The radio is gone, its places free. */
  remove(radio: Radio): void {
    this.forget(radio);
    this.#senders.remove(radio, radio.row);
    this.#receivers.remove(radio, radio.column);
  }

  #grow(): void {
    const keys = this.#keys;
    const before = 2 * this.#columns;
    const rows = Math.max(keys.length / before, this.#senders.room);
    this.#columns = Math.max(this.#columns, this.#receivers.room);
    this.#dbm = unknown(rows * this.#columns);
    this.#keys = new Int32Array(this.#dbm.buffer);
    for (let from = 0, to = 0; from < keys.length; from += before, to += 2 * this.#columns)
      this.#keys.set(keys.subarray(from, from + before), to);
  }
}

/** Who has which row, or column. Nobody has the first: there nothing is ever known. */
class Places {
  readonly #radios: (Radio | undefined)[] = [undefined];
  readonly #tell: (radio: Radio, place: number) => void;

  constructor(tell: (radio: Radio, place: number) => void) {
    this.#tell = tell;
  }

  /** For so many there should be room, and for some more: each growth copies all. */
  get room(): number {
    return this.#radios.length + (this.#radios.length >> 2);
  }

  admit(radio: Radio): void {
    const free = this.#radios.indexOf(undefined, 1);
    const place = free < 0 ? this.#radios.length : free;
    this.#radios[place] = radio;
    this.#tell(radio, place);
  }

  remove(radio: Radio, place: number): void {
    if (place === 0) return;
    this.#radios[place] = undefined;
    this.#tell(radio, 0);
  }
}

function unknown(places: number): Float32Array<ArrayBuffer> {
  return new Float32Array(2 * places).fill(Number.NaN);
}
