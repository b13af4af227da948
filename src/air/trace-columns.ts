import { Phy } from "./phy.ts";
import type { AirTraceEntry, HciTraceEntry, TraceEntry } from "./trace-entry.ts";

const CHUNK_OCTETS = 65_536;
const NOBODY: readonly string[] = [];

/**
 * Entries of a trace by their places, in columns and with their octets in large pieces of memory. An object and an array of octets for each
 * of 100,000 packets that stay took the garbage collector longer than all else that a packet costs.
 */
export class TraceColumns {
  /** The sender, or the controller. */
  readonly #who: string[] = [];
  readonly #timesUs: number[] = [];
  /** What became of it: trouble on air, or a fault. */
  readonly #faults: (AirTraceEntry["trouble"] | HciTraceEntry["fault"])[] = [];
  /** Of HCI packets; the columns below are of packets on air. */
  readonly #directions: (HciTraceEntry["direction"] | undefined)[] = [];
  readonly #receivedBy: (readonly string[])[] = [];
  readonly #channels: number[] = [];
  readonly #phys: AirTraceEntry["phy"][] = [];
  readonly #accessAddresses: number[] = [];
  readonly #chunks: Uint8Array[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  #chunk = new Uint8Array(0);
  #used = 0;

  /** Copies an entry, with its octets. @param at a place that is taken, or the first that is free */
  set(at: number, entry: TraceEntry): void {
    this.#timesUs[at] = entry.timeUs;
    const isAir = entry.kind === "air";
    this.#who[at] = isAir ? entry.from : entry.controller;
    this.#faults[at] = isAir ? entry.trouble : entry.fault;
    this.#directions[at] = isAir ? undefined : entry.direction;
    this.#receivedBy[at] = isAir ? entry.receivedBy : NOBODY;
    this.#channels[at] = isAir ? entry.channel : 0;
    this.#phys[at] = isAir ? entry.phy : Phy.Le1M;
    this.#accessAddresses[at] = isAir ? entry.accessAddress : 0;
    this.#keep(at, isAir ? entry.pdu : entry.packet);
  }

  get(at: number): TraceEntry {
    const timeUs = this.#timesUs[at]!;
    const who = this.#who[at]!;
    const direction = this.#directions[at];
    const offset = this.#offsets[at]!;
    const octets = this.#chunks[at]!.slice(offset, offset + this.#lengths[at]!);
    if (direction)
      return { kind: "hci", timeUs, controller: who, direction, packet: octets, fault: this.#faults[at] as HciTraceEntry["fault"] };
    return {
      kind: "air",
      timeUs,
      from: who,
      receivedBy: [...this.#receivedBy[at]!],
      trouble: this.#faults[at] as AirTraceEntry["trouble"],
      channel: this.#channels[at]!,
      phy: this.#phys[at]!,
      accessAddress: this.#accessAddresses[at]!,
      pdu: octets,
    };
  }

  #keep(at: number, octets: Uint8Array): void {
    const { length } = octets;
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.max(CHUNK_OCTETS, length));
      this.#used = 0;
    }
    this.#chunk.set(octets, this.#used);
    this.#chunks[at] = this.#chunk;
    this.#offsets[at] = this.#used;
    this.#lengths[at] = length;
    this.#used += length;
  }
}
