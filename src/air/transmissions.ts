import type { Interference } from "./interference.ts";
import type { Radio } from "./radio.ts";

/** A question is asked at the end of a packet: what ended before the longest one began (17 ms, S=8) is never asked for again. */
const KEPT_US = 20_000;
/** So many are noted before what is old is looked for. */
const NOTED_BETWEEN = 64;

/**
 * What is on the air on one channel, in order of its beginning. A question costs what begins later than the longest transmission before the time
 * asked for, however much was sent before; and nothing is made for a transmission.
 */
export class Transmissions {
  #startsUs = new Float64Array(8);
  #endsUs = new Float64Array(8);
  readonly #radios: Radio[] = [];
  #count = 0;
  #noted = 0;
  /** No transmission kept is longer. */
  #longestUs = 0;
  /** Transmissions looked at so far. */
  examined = 0;

  /** Notes a transmission, which may be yet to come. */
  note(startUs: number, endUs: number, radio: Radio, nowUs: number): void {
    if (++this.#noted % NOTED_BETWEEN === 0) this.#forgetBefore(nowUs - KEPT_US);
    if (this.#count === this.#startsUs.length) this.#grow();
    const startsUs = this.#startsUs;
    let at = this.#count++;
    // Most begin behind all that are known.
    for (; at > 0 && startsUs[at - 1]! > startUs; at--) this.#move(at - 1, at);
    startsUs[at] = startUs;
    this.#endsUs[at] = endUs;
    this.#radios[at] = radio;
    this.#longestUs = Math.max(this.#longestUs, endUs - startUs);
  }

  /** Finds the other radios that send at some moment of this time. */
  find(startUs: number, endUs: number, except: Radio, found: Pick<Interference, "add">): void {
    const earliestUs = startUs - this.#longestUs;
    let at = this.#count - 1;
    for (; at >= 0 && this.#startsUs[at]! > earliestUs; at--) {
      if (this.#startsUs[at]! < endUs && this.#endsUs[at]! > startUs && this.#radios[at] !== except) found.add(this.#radios[at]!);
    }
    this.examined += this.#count - 1 - at;
  }

  /** What this radio has not begun to send will not be sent. */
  cancel(radio: Radio, nowUs: number): void {
    let at = this.#count;
    while (at > 0 && this.#startsUs[at - 1]! > nowUs) at--;
    let kept = at;
    for (; at < this.#count; at++) if (this.#radios[at] !== radio) this.#move(at, kept++);
    this.#truncate(kept);
  }

  #forgetBefore(timeUs: number): void {
    let kept = 0;
    this.#longestUs = 0;
    for (let at = 0; at < this.#count; at++) {
      if (this.#endsUs[at]! <= timeUs) continue;
      this.#longestUs = Math.max(this.#longestUs, this.#endsUs[at]! - this.#startsUs[at]!);
      this.#move(at, kept++);
    }
    this.#truncate(kept);
  }

  #truncate(count: number): void {
    this.#count = count;
    this.#radios.length = count;
  }

  #move(from: number, to: number): void {
    this.#startsUs[to] = this.#startsUs[from]!;
    this.#endsUs[to] = this.#endsUs[from]!;
    this.#radios[to] = this.#radios[from]!;
  }

  #grow(): void {
    const [startsUs, endsUs] = [this.#startsUs, this.#endsUs];
    this.#startsUs = new Float64Array(2 * this.#count);
    this.#endsUs = new Float64Array(2 * this.#count);
    this.#startsUs.set(startsUs);
    this.#endsUs.set(endsUs);
  }
}
