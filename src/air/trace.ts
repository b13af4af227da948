import { toHex } from "../bytes/index.ts";
import { Redactor } from "../hci/index.ts";
import { phyName } from "./phy.ts";
import { TraceColumns } from "./trace-columns.ts";
import type { TraceEntry } from "./trace-entry.ts";

/**
 * Every packet, in order, the newest `capacity` of them. An empty data packet and advertising that no listener could receive are in it only
 * where the air simulates idle time.
 */
export class Trace {
  readonly capacity: number;
  /** Entries that were given up for newer ones. */
  dropped = 0;
  #columns = new TraceColumns();
  #size = 0;
  #head = 0;
  readonly #listeners = new Set<(entry: TraceEntry) => void>();
  readonly #onTold: () => void;

  /** @param onTold called whenever listeners were, who may have woken code that waits */
  constructor(capacity: number, onTold: () => void = () => {}) {
    this.capacity = capacity;
    this.#onTold = onTold;
  }

  /** Whether anybody wants entries; without a capacity and a listener they need not be made. */
  get isOn(): boolean {
    return this.capacity > 0 || this.#listeners.size > 0;
  }

  /** Copies: they and their octets are the caller's. */
  get entries(): TraceEntry[] {
    return Array.from({ length: this.#size }, (_, i) => this.#columns.get((this.#head + i) % this.#size));
  }

  /** Notes a packet; its octets are copied. */
  add(entry: TraceEntry): void {
    if (this.#size < this.capacity) this.#columns.set(this.#size++, entry);
    else if (this.capacity > 0) {
      this.#columns.set(this.#head, entry);
      this.#head = (this.#head + 1) % this.capacity;
      this.dropped++;
    }
    if (this.#listeners.size === 0) return;
    const told: TraceEntry = entry.kind === "air" ? { ...entry, pdu: entry.pdu.slice() } : { ...entry, packet: entry.packet.slice() };
    for (const listener of this.#listeners) listener(told);
    this.#onTold();
  }

  /** Calls `listener` for each entry from now on; it must not change the bytes. */
  on(listener: (entry: TraceEntry) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  clear(): void {
    this.#columns = new TraceColumns();
    this.#size = 0;
    this.#head = 0;
    this.dropped = 0;
  }

  /** One line per packet. Equal scenarios with equal seeds give equal text. Keys are left out unless `secrets`. */
  text({ secrets = false }: { secrets?: boolean } = {}): string {
    const redactors = new Map<string, Redactor>();
    const redactorOf = (controller: string): Redactor => {
      const redactor = redactors.get(controller) ?? new Redactor();
      redactors.set(controller, redactor);
      return redactor;
    };
    return this.entries.map((entry) => `${line(entry, secrets ? undefined : redactorOf)}\n`).join("");
  }
}

/**
 * "1.234567 air phone > pump ch37 1M 8e89bed6 4012..." or "1.234567 hci phone < 040e04...". Keys are left out unless `secrets`, and so is a continuation
 * of an L2CAP frame, which by itself may be part of a key.
 */
export function traceLine(entry: TraceEntry, { secrets = false }: { secrets?: boolean } = {}): string {
  return line(entry, secrets ? undefined : () => new Redactor());
}

function line(entry: TraceEntry, redactorOf: ((controller: string) => Redactor) | undefined): string {
  const time = (entry.timeUs / 1e6).toFixed(6);
  if (entry.kind === "hci") {
    const arrow = entry.direction === "to-controller" ? ">" : "<";
    const direction = entry.direction === "to-controller" ? "host-to-controller" : "controller-to-host";
    const packet = redactorOf?.(entry.controller).redact(direction, entry.packet) ?? entry.packet;
    return `${time} hci ${entry.controller} ${arrow} ${toHex(packet)}${entry.fault ? ` ${entry.fault}` : ""}`;
  }
  const to = entry.receivedBy.length > 0 ? entry.receivedBy.join(",") : "-";
  const address = entry.accessAddress.toString(16).padStart(8, "0");
  const trouble = entry.trouble ? ` ${entry.trouble}` : "";
  return `${time} air ${entry.from} > ${to} ch${entry.channel} ${phyName(entry.phy)} ${address} ${toHex(entry.pdu)}${trouble}`;
}
