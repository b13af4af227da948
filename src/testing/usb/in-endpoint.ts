import type { Clock } from "../../async/clock.ts";
import type { WebUsbInResult } from "../../transport/index.ts";

interface Transfer {
  readonly length: number;
  have: Uint8Array;
  readonly resolve: (result: WebUsbInResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Packets that wait for a host that does not ask for them; a device has room for few, and then stops its radio. */
const MOST_PACKETS = 65_536;

/**
 * An IN endpoint of a simulated device: USB packets of at most `packetSize`, and the host's transfers, each of which ends with a packet that
 * is shorter, or when it is full (USB 2.0, 5.8.3).
 */
export class InEndpoint {
  readonly #packetSize: number;
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  #packets: Uint8Array[] = [];
  #transfers: Transfer[] = [];
  /** Those that are done and take their time. */
  readonly #late = new Set<Transfer>();
  #isHalted = false;
  #lastDueMs = 0;

  constructor(packetSize: number, clock: Clock, delayMs: () => number) {
    this.#packetSize = packetSize;
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /**
   * Queues octets as USB packets.
   *
   * @param end whether a short packet ends them, of no octet where the last one is full; else what comes next follows in the same transfer
   */
  push(octets: Uint8Array, end: boolean): void {
    const last = this.#packets.at(-1);
    let rest = octets;
    if (!end && last && last.length > 0 && last.length < this.#packetSize) {
      // The one before waits still: the device fills it up.
      rest = new Uint8Array(last.length + octets.length);
      rest.set(last);
      rest.set(octets, last.length);
      this.#packets.pop();
    }
    let at = 0;
    for (; at < rest.length; at += this.#packetSize) this.#packets.push(rest.slice(at, at + this.#packetSize));
    if (end && at === rest.length) this.#packets.push(new Uint8Array());
    if (this.#packets.length > MOST_PACKETS) this.#packets = [];
    this.#serve();
  }

  ask(length: number): Promise<WebUsbInResult> {
    return new Promise((resolve, reject) => {
      this.#transfers.push({ length, have: new Uint8Array(), resolve, reject });
      this.#serve();
    });
  }

  halt(): void {
    this.#isHalted = true;
    this.#serve();
  }

  clear(): void {
    this.#isHalted = false;
    this.#serve();
  }

  /** Ends what waits, and what is on its way. */
  fail(error: unknown): void {
    for (const { reject } of this.#transfers.splice(0)) reject(error);
    for (const { reject } of this.#late) reject(error);
    this.#late.clear();
  }

  #serve(): void {
    for (;;) {
      const [transfer] = this.#transfers;
      if (!transfer) return;
      if (this.#isHalted) {
        this.#finish({ status: "stall" });
        continue;
      }
      const packet = this.#packets.shift();
      if (!packet) return;
      if (transfer.have.length + packet.length > transfer.length) {
        this.#finish({ status: "babble" });
        continue;
      }
      const together = new Uint8Array(transfer.have.length + packet.length);
      together.set(transfer.have);
      together.set(packet, transfer.have.length);
      transfer.have = together;
      if (packet.length < this.#packetSize || together.length === transfer.length)
        this.#finish({ status: "ok", data: new DataView(together.buffer) });
    }
  }

  /** Later, and in order. */
  #finish(result: WebUsbInResult): void {
    const transfer = this.#transfers.shift()!;
    const delayMs = this.#delayMs();
    const nowMs = this.#clock.now();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + delayMs);
    if (this.#lastDueMs === nowMs) transfer.resolve(result);
    else {
      this.#late.add(transfer);
      this.#clock.setTimer(this.#lastDueMs - nowMs, "a USB transfer", () => {
        if (this.#late.delete(transfer)) transfer.resolve(result);
      });
    }
  }
}
