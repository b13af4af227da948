import { addressKeyAt } from "./advertisement.ts";
import { MAX_ADVERTISING_DATA_OCTETS } from "./radio-abilities.ts";
import { DATA_STATUS, DataStatus, EXTENDED_REPORT, LEGACY_PDU, SCAN_RESPONSE, SID_AT } from "./report-layout.ts";

/** Advertisements put together at a time; of more the oldest is given out as it is. */
const CAPACITY = 64;
const HEAD_OCTETS = EXTENDED_REPORT.dataAt;

interface Unfinished {
  readonly pieces: Uint8Array[];
  octets: number;
  /** There was more than an advertisement can have. */
  isOverfull: boolean;
  /** Head of the last report, a copy. */
  head: Uint8Array;
}

/** Receives a report, whole. */
export type OnReport = (packet: Uint8Array, offset: number, end: number) => void;

/**
 * Puts together the data of extended advertisements that a controller reports in pieces (Vol 4 Part E 7.7.65.13): of up to 1650 octets, of at
 * most 64 advertisers at a time. A whole report passes as it is; one put together has its own octets, its Data_Length being of no meaning then.
 */
export class ReportAssembler {
  readonly #onReport: OnReport;
  readonly #partials = new Map<string, Unfinished>();

  constructor(onReport: OnReport) {
    this.#onReport = onReport;
  }

  /** Advertisements that are not whole yet. */
  get size(): number {
    return this.#partials.size;
  }

  /** One report in place, `offset` at Event_Type and `end` behind its data: the hot path. */
  add(packet: Uint8Array, offset: number, end: number): void {
    const bits = packet[offset]!;
    const status = bits & DATA_STATUS;
    const isLegacy = (bits & LEGACY_PDU) !== 0;
    if (isLegacy || (status !== DataStatus.MoreToCome && this.#partials.size === 0)) this.#onReport(packet, offset, end);
    else this.#assemble(packet, offset, end);
  }

  #assemble(packet: Uint8Array, offset: number, end: number): void {
    const bits = packet[offset]!;
    const status = bits & DATA_STATUS;
    const key = `${addressKeyAt(packet, offset + EXTENDED_REPORT.addressAt)} ${packet[offset + EXTENDED_REPORT.addressAt]} ${packet[offset + SID_AT]} ${bits & SCAN_RESPONSE}`;
    const partial = this.#partials.get(key);
    if (status === DataStatus.MoreToCome) this.#keep(key, partial, packet, offset, end);
    else if (!partial) this.#onReport(packet, offset, end);
    else {
      this.#partials.delete(key);
      append(partial, packet, offset, end);
      this.#giveOut(partial, status === DataStatus.Truncated);
    }
  }

  #keep(key: string, known: Unfinished | undefined, packet: Uint8Array, offset: number, end: number): void {
    let partial = known;
    if (!partial) {
      if (this.#partials.size >= CAPACITY) {
        const [oldestKey, oldest] = this.#partials.entries().next().value!;
        this.#partials.delete(oldestKey);
        this.#giveOut(oldest, true);
      }
      partial = { pieces: [], octets: 0, isOverfull: false, head: packet };
      this.#partials.set(key, partial);
    }
    append(partial, packet, offset, end);
  }

  #giveOut(partial: Unfinished, isTruncated: boolean): void {
    const report = new Uint8Array(HEAD_OCTETS + partial.octets);
    report.set(partial.head);
    const status = isTruncated || partial.isOverfull ? DataStatus.Truncated : DataStatus.Complete;
    report[0] = (report[0]! & ~DATA_STATUS) | status;
    let at = HEAD_OCTETS;
    for (const piece of partial.pieces) {
      report.set(piece, at);
      at += piece.length;
    }
    this.#onReport(report, 0, report.length);
  }

  /** What is not whole will not become so: scanning has ended. */
  clear(): void {
    this.#partials.clear();
  }
}

function append(partial: Unfinished, packet: Uint8Array, offset: number, end: number): void {
  partial.head = packet.slice(offset, offset + HEAD_OCTETS);
  const room = MAX_ADVERTISING_DATA_OCTETS - partial.octets;
  const octets = end - offset - HEAD_OCTETS;
  if (octets > room) partial.isOverfull = true;
  const taken = Math.min(room, octets);
  if (taken <= 0) return;
  partial.pieces.push(packet.slice(offset + HEAD_OCTETS, offset + HEAD_OCTETS + taken));
  partial.octets += taken;
}
