import { AirEvent, type Scheduler } from "../air/index.ts";
import type { SeededRandom } from "../core/index.ts";

/** From so many packets on their way on, the controller holds back what it can, as with a transport that is not writable. */
const CAPACITY = 256;

/** What a hook did to a packet, for the trace. */
export type HciFault = "dropped" | "corrupted" | "delayed";

export interface HciPathOptions {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  /** Each packet takes 0 to so many microseconds, drawn anew; 0: no time at all, and nothing is drawn. */
  readonly skewUs: number;
  readonly deliver: (packet: Uint8Array, fault: HciFault | undefined) => void;
}

/**
 * One of the four ways of HCI packets: commands, events, and ACL data to and from the controller. Within a way packets keep their order;
 * between two of them there is none where they take time (on USB they are endpoints of their own, Vol 4 Part B 2.1).
 */
export class HciPath {
  readonly #options: HciPathOptions;
  #packets: { readonly packet: Uint8Array; readonly fault: HciFault | undefined; readonly timeUs: number }[] = [];
  readonly #due = new AirEvent(() => this.#drain());
  /** Packets that a hook holds back alone; those behind them pass. */
  readonly #overtaken = new Set<AirEvent>();

  constructor(options: HciPathOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#packets.length >= CAPACITY;
  }

  /** Sends a packet on its way; `delayMs` longer than the way takes, it and those behind it. */
  push(packet: Uint8Array, fault?: HciFault, delayMs = 0): void {
    const { scheduler, skewUs, random, deliver } = this.#options;
    const delayUs = Math.round(delayMs * 1000) + (skewUs > 0 ? Math.floor(random.unit() * (skewUs + 1)) : 0);
    if (delayUs === 0 && this.#packets.length === 0) {
      deliver(packet, fault);
      return;
    }
    const last = this.#packets.at(-1);
    const timeUs = Math.max(scheduler.nowUs + delayUs, last?.timeUs ?? 0);
    this.#packets.push({ packet, fault, timeUs });
    if (!last) scheduler.set(this.#due, timeUs);
  }

  /** Delivers a packet after so long, wherever the others are. */
  pushAside(packet: Uint8Array, delayMs: number): void {
    const { scheduler, deliver } = this.#options;
    const event = new AirEvent(() => {
      this.#overtaken.delete(event);
      scheduler.wake();
      deliver(packet, "delayed");
    });
    this.#overtaken.add(event);
    scheduler.set(event, scheduler.nowUs + Math.round(delayMs * 1000));
  }

  /** What is on its way is lost. */
  clear(): void {
    const { scheduler } = this.#options;
    this.#packets = [];
    scheduler.clear(this.#due);
    for (const event of this.#overtaken) scheduler.clear(event);
    this.#overtaken.clear();
  }

  #drain(): void {
    const { scheduler, deliver } = this.#options;
    scheduler.wake();
    const { packet, fault } = this.#packets.shift()!;
    const next = this.#packets[0];
    if (next) scheduler.set(this.#due, Math.max(next.timeUs, scheduler.nowUs));
    deliver(packet, fault);
  }
}
