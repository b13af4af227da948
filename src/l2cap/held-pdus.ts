import type { Clock } from "../async/clock.ts";

/** How long a PDU waits for an event that it may have overtaken, in milliseconds. In the field 10 ms were seen. */
const HOLD_MS = 20;
/** How long the event may be expected: longer than the link layer's own limit, after which it ends the link (Vol 6 Part B 5.2). */
const EXPECTED_MS = 45_000;
/** What may wait; with more, all of it is delivered. */
const MOST_PDUS = 32;
const MOST_OCTETS = 8192;

/**
 * PDUs that came while an event is expected which may already be true for them: on USB data and events come by two endpoints, with no order
 * between them (Vol 4 Part B 2.1). Each waits a few milliseconds for it, in order.
 */
export class HeldPdus {
  readonly #clock: Clock;
  readonly #deliver: (pdu: Uint8Array) => void;
  #pdus: { readonly pdu: Uint8Array; readonly dueMs: number }[] = [];
  #octets = 0;
  #expectedUntilMs: number | undefined;
  #timer: Disposable | undefined;

  constructor(clock: Clock, deliver: (pdu: Uint8Array) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** PDUs are to be handed to `hold` first. */
  get isActive(): boolean {
    return this.#expectedUntilMs !== undefined || this.#pdus.length > 0;
  }

  /** The event may come from now on. */
  expect(): void {
    this.#expectedUntilMs = this.#clock.now() + EXPECTED_MS;
  }

  /** The event is here, or will not come: what waits is delivered. */
  release(): void {
    this.#expectedUntilMs = undefined;
    this.#drain(Number.POSITIVE_INFINITY);
  }

  /** @returns false: it need not wait */
  hold(bytes: Uint8Array, offset: number, end: number): boolean {
    const now = this.#clock.now();
    if (this.#expectedUntilMs !== undefined && now > this.#expectedUntilMs) this.#expectedUntilMs = undefined;
    if (this.#expectedUntilMs === undefined && this.#pdus.length === 0) return false;
    if (this.#pdus.length >= MOST_PDUS || this.#octets + end - offset > MOST_OCTETS) {
      this.#drain(Number.POSITIVE_INFINITY);
      return false;
    }
    this.#pdus.push({ pdu: bytes.slice(offset, end), dueMs: now + HOLD_MS });
    this.#octets += end - offset;
    this.#arm();
    return true;
  }

  /** The link is gone. */
  clear(): void {
    this.#expectedUntilMs = undefined;
    this.#pdus = [];
    this.#octets = 0;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(): void {
    const first = this.#pdus[0];
    if (!first || this.#timer) return;
    this.#timer = this.#clock.setTimer(Math.max(0, first.dueMs - this.#clock.now()), "an event that data has overtaken", () => {
      this.#timer = undefined;
      this.#drain(this.#clock.now());
    });
  }

  #drain(untilMs: number): void {
    for (let first = this.#pdus[0]; first !== undefined && first.dueMs <= untilMs; first = this.#pdus[0]) {
      this.#pdus.shift();
      this.#octets -= first.pdu.length;
      this.#deliver(first.pdu);
    }
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#arm();
  }
}
