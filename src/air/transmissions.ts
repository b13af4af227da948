import type { Radio } from "./radio.ts";

interface Transmission {
  readonly startUs: number;
  readonly endUs: number;
  readonly radio: Radio;
}

/** Transmissions are kept by the steps of this length that they touch: a few packets of 31 octets on LE 1M. */
const STEP_US = 1024;
/** A question is asked at the end of a packet: what ended before the longest one began (17 ms, S=8) is never asked for again. */
const KEPT_US = 20_000;
/** So many are noted before what is old is looked for. */
const NOTED_BETWEEN = 64;
/** What is on the air on one channel. It costs what is sent at about the time asked for, however much else is. */
export class Transmissions {
  readonly #steps = new Map<number, Transmission[]>();
  #noted = 0;
  /** Transmissions looked at so far. */
  examined = 0;

  /** Notes a transmission, which may be yet to come. */
  note(startUs: number, endUs: number, radio: Radio, nowUs: number): void {
    const transmission: Transmission = { startUs, endUs, radio };
    const last = Math.floor(endUs / STEP_US);
    for (let step = Math.floor(startUs / STEP_US); step <= last; step++) {
      const known = this.#steps.get(step);
      if (known) known.push(transmission);
      else this.#steps.set(step, [transmission]);
    }
    if (++this.#noted % NOTED_BETWEEN === 0) this.#forgetBefore(nowUs - KEPT_US);
  }

  /** Other radios that send at some moment of this time. */
  during(startUs: number, endUs: number, except: Radio): readonly Radio[] {
    const radios: Radio[] = [];
    const first = Math.floor(startUs / STEP_US);
    const last = Math.floor(endUs / STEP_US);
    for (let step = first; step <= last; step++) {
      const transmissions = this.#steps.get(step);
      if (!transmissions) continue;
      this.examined += transmissions.length;
      for (const { startUs: fromUs, endUs: untilUs, radio } of transmissions) {
        if (untilUs <= startUs || fromUs >= endUs || radio === except) continue;
        // Each one once: in the first step that it shares with this time.
        if (step === first || fromUs >= step * STEP_US) radios.push(radio);
      }
    }
    return radios;
  }

  /** What this radio has not begun to send will not be sent. */
  cancel(radio: Radio, nowUs: number): void {
    const now = Math.floor(nowUs / STEP_US);
    for (const [step, transmissions] of this.#steps) {
      if (step < now) continue;
      const left = transmissions.filter(({ radio: from, startUs }) => from !== radio || startUs <= nowUs);
      if (left.length < transmissions.length) this.#steps.set(step, left);
    }
  }

  #forgetBefore(timeUs: number): void {
    for (const step of this.#steps.keys()) if ((step + 1) * STEP_US <= timeUs) this.#steps.delete(step);
  }
}
