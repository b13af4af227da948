import type { Medium } from "./medium.ts";
import { Phy } from "./phy.ts";
import type { Radio } from "./radio.ts";

/** An interferer this much weaker does no harm: the stronger packet is received all the same. */
const CAPTURE_DB = 8;

/** Who else sends at some moment of a transmission, and where that spoils it. One object serves question after question. */
export class Interference {
  readonly #medium: Medium;
  #from: Radio | undefined;
  #row = 0;
  /** The first `#count` of them are of the present question. */
  readonly #radios: Radio[] = [];
  readonly #rows: number[] = [];
  #count = 0;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  /** Another question: what interferes with a transmission of this radio. */
  begin(from: Radio): void {
    this.#from = from;
    this.#row = from.row;
    this.#count = 0;
  }

  add(radio: Radio): void {
    const at = this.#count++;
    this.#radios[at] = radio;
    this.#rows[at] = radio.row;
  }

  /** Whether one of them is of comparable strength at the receiver. */
  spoils(to: Radio): boolean {
    if (this.#count === 0) return false;
    const medium = this.#medium;
    const { levels } = medium;
    // All that is known is read here: a call for it is not made part of this, and a crowd asks 240,000 times a second.
    const ownDbm = levels.at(this.#row, to);
    const harmlessDbm = (ownDbm >= Number.NEGATIVE_INFINITY ? ownDbm : medium.meanDbm(this.#from!, to)) - CAPTURE_DB;
    const leastDbm = medium.propagation.leastDbm(Phy.Le1M);
    for (let i = 0; i < this.#count; i++) {
      const known = levels.at(this.#rows[i]!, to);
      // The radio itself, which lies somewhere else in memory, is needed only where nobody asked yet.
      const dbm = known >= Number.NEGATIVE_INFINITY ? known : medium.meanDbm(this.#radios[i]!, to);
      if (dbm > harmlessDbm && dbm >= leastDbm && this.#radios[i] !== to) return true;
    }
    return false;
  }
}
