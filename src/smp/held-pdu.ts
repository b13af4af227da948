import type { Clock } from "../async/clock.ts";
import type { SmpPdu } from "./pdus.ts";

/**
 * One PDU that is judged when it is known whether the link is encrypted: it may have overtaken the event, since events and data come by
 * different ways. The last one counts.
 */
export class HeldPdu {
  readonly #clock: Clock;
  readonly #release: (pdu: SmpPdu) => void;
  #held: { readonly pdu: SmpPdu; readonly timer: Disposable } | undefined;

  constructor(clock: Clock, release: (pdu: SmpPdu) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  hold(pdu: SmpPdu, forMs: number): void {
    this.drop();
    this.#held = { pdu, timer: this.#clock.setTimer(forMs, "held PDU of the Security Manager", () => this.release()) };
  }

  /** It is known now, or has been waited for long enough. */
  release(): void {
    const held = this.#held;
    this.drop();
    if (held) this.#release(held.pdu);
  }

  drop(): void {
    this.#held?.timer[Symbol.dispose]();
    this.#held = undefined;
  }
}
