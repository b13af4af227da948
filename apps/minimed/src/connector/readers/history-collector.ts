import { Pending } from "jelling/async";
import { equalBytes } from "jelling/bytes";
import type { Logger } from "jelling/core";
import { PumpDataError } from "../../data/error.ts";
import { RecordAssembler } from "../../history/fragments.ts";
import { decodeHistoryRecord, eventNameOf } from "../../history/record.ts";
import type { HistoryPage, ReceivedRecord } from "../../history/source.ts";
import { openProtected } from "../../idd/protection.ts";
import type { PumpChannel } from "../pump-channel.ts";

/** Records may come behind the response that ends their transfer. */
const LATE_RECORD_MS = 1000;
const HEADER_OCTETS = 8;
/** Counter and CRC. */
const PROTECTION_OCTETS = 3;
/** A gap in the numbers that is taken for one, where it tells a record's beginning from another's rest. */
const LARGEST_GAP = 64;

/** Sequence numbers, both included. */
export interface Span {
  readonly first: number;
  readonly last: number;
}
/** What one transfer is about, and where it is cut. */
export interface Wanted extends Span {
  /** Set: all from `first` on was asked for. Pages have so many records then, not numbers, and none that does not ascend is taken. */
  readonly isOpen?: boolean | undefined;
  /** Of an open one: records that must come first, since they came before, by number; they are not given again. */
  readonly after?: readonly ReceivedRecord[] | undefined;
  readonly pageSize: number;
  readonly onPage?: ((page: HistoryPage) => void) | undefined;
  /** A record came behind one with a higher number, or is not what has to be at its place. */
  readonly onDisorder?: (() => void) | undefined;
}

/** What a transfer brought behind the pages that it finished, and how far it is known to be whole. */
export interface Collected {
  /** Where these records begin: the pages before are given. */
  readonly first: number;
  /** The lowest number that came behind a higher one; its page may be given without it. */
  readonly misplaced: number | undefined;
  readonly records: ReceivedRecord[];
  /** Of an open one: what must come first has come. */
  readonly isBegun: boolean;
  /** All numbers up to this one came, or the pump has them not; undefined: nothing is known. */
  readonly wholeUpTo: number | undefined;
}

export interface CollectorOptions extends Wanted {
  /** Of plaintext, in one notification. */
  readonly largest: number;
  readonly e2e: boolean;
  /** So many records, and what is none, are taken for a page. */
  readonly most: number;
  readonly logger: Logger;
  readonly onTooMany: () => void;
}

/** Makes records of the notifications of one transfer, and pages of the records. */
export class RecordCollector {
  readonly #options: CollectorOptions;
  readonly #assembler: RecordAssembler;
  #records: ReceivedRecord[] = [];
  /** Of the page that is being filled. */
  #first: number;
  #count = 0;
  #hasAny = false;
  #highest: number | undefined;
  /** The lowest number that came behind a higher one. */
  #misplaced: number | undefined;
  #isLossy = false;
  #onRecord: (() => void) | undefined;
  /** Of an open transfer: the last record that is in its place, and how many of those that must come first are there. */
  #newest: ReceivedRecord | undefined;
  #known = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
    const { largest, e2e, after, first } = options;
    const last = after?.at(-1);
    this.#first = last ? last.record.sequenceNumber + 1 : first;
    this.#assembler = new RecordAssembler({
      largest,
      isWhole: (held) => isWhole(held, e2e),
      begins: (part, held) => !e2e && begins(part, held),
    });
  }

  get isEmpty(): boolean {
    return !this.#hasAny;
  }

  push(plaintext: Uint8Array): void {
    if (this.#isLossy) return; // it may be the rest of what was lost; all behind the loss is read again
    for (const bytes of this.#assembler.push(plaintext)) this.#take(bytes);
  }

  /** The end was told: what is held is whole. */
  finish(): void {
    for (const bytes of this.#assembler.finish()) this.#take(bytes);
  }

  onLoss(): void {
    this.#isLossy = true;
  }

  /** Waits for a record that comes behind the end. */
  async late(channel: PumpChannel): Promise<void> {
    const came = new Pending<void>({ clock: channel.clock, operation: "a record", timeoutMs: LATE_RECORD_MS, signal: channel.signal });
    this.#onRecord = () => came.resolve();
    await came.promise.catch(() => undefined);
    this.#onRecord = undefined;
    if (channel.ended) throw channel.ended;
    this.finish();
  }

  /** What is behind the pages that were finished, by number, and how far it is whole. */
  taken(): Collected {
    const misplaced = this.#misplaced;
    const wholeUpTo = misplaced === undefined ? this.#highest : undefined;
    return {
      first: this.#first,
      misplaced,
      records: inOrder(this.#records),
      isBegun: this.#known >= (this.#options.after?.length ?? 0),
      wholeUpTo,
    };
  }

  #take(bytes: Uint8Array): void {
    const { logger, e2e } = this.#options;
    this.#hasAny = true;
    let received: ReceivedRecord | undefined;
    try {
      received = receive(bytes, e2e);
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      logger.warn(() => `what the pump sent as a record is none: ${error.message}`);
    }
    if (this.#options.isOpen) {
      this.#takeNext(received);
      return;
    }
    if (received) this.#turnPage(received.record.sequenceNumber);
    if (this.#isTooMuch() || !received) return;
    const { sequenceNumber } = received.record;
    if (this.#highest !== undefined && sequenceNumber < this.#highest) {
      this.#misplaced = Math.min(this.#misplaced ?? sequenceNumber, sequenceNumber);
      this.#options.onDisorder?.();
    }
    this.#highest = Math.max(this.#highest ?? 0, sequenceNumber);
    this.#records.push(received);
    this.#onRecord?.();
  }

  #isTooMuch(): boolean {
    if (++this.#count <= this.#options.most) return false;
    this.#options.onTooMany();
    return true;
  }

  /**
   * A record of an open transfer. Its numbers only ever ascend; where they do not, the pump may have begun to count anew in the middle, so that nothing
   * from there on is taken: it may be of the other numbering.
   */
  #takeNext(received: ReceivedRecord | undefined): void {
    const { first, after = [], pageSize, onPage, onDisorder } = this.#options;
    if (this.#misplaced !== undefined) return;
    if (!received) {
      this.#isTooMuch();
      return;
    }
    const { sequenceNumber } = received.record;
    const [before, known] = [this.#newest, after[this.#known]];
    const isKnown = (before !== undefined && isSame(before, received)) || (known !== undefined && isSame(known, received));
    const isNext = known === undefined && (before ? sequenceNumber > before.record.sequenceNumber : sequenceNumber >= first);
    if (!isKnown && !isNext) {
      this.#misplaced = sequenceNumber;
      onDisorder?.();
      return;
    }
    if (known && isSame(known, received)) this.#known++;
    if (isNext && this.#records.length >= pageSize && onPage) {
      const page = { first: this.#first, last: this.#highest!, records: this.#records };
      this.#records = [];
      this.#count = 0;
      this.#first = page.last + 1;
      onPage(page);
    }
    if (this.#isTooMuch()) return;
    if (before === undefined && !known) this.#first = sequenceNumber;
    this.#newest = received;
    if (isNext) {
      this.#highest = sequenceNumber;
      this.#records.push(received);
    }
    this.#onRecord?.();
  }

  /** Gives the pages before the one to which the last record belongs, once a higher number has come: nothing more comes for them then. */
  #turnPage(sequenceNumber: number): void {
    const { pageSize, last, onPage } = this.#options;
    const highest = this.#highest;
    if (!onPage || highest === undefined || sequenceNumber <= highest || this.#misplaced !== undefined) return;
    const pages = Math.floor((Math.min(highest, last) - this.#first) / pageSize);
    if (pages <= 0) return;
    const first = this.#first + pages * pageSize;
    const isBefore = ({ record }: ReceivedRecord): boolean => record.sequenceNumber < first;
    const page = { first: this.#first, last: first - 1, records: inOrder(this.#records.filter(isBefore)) };
    this.#records = this.#records.filter((received) => !isBefore(received));
    this.#count = this.#records.length;
    this.#first = first;
    onPage(page);
  }
}

const isSame = (a: ReceivedRecord, b: ReceivedRecord): boolean =>
  a.record.sequenceNumber === b.record.sequenceNumber && equalBytes(a.bytes, b.bytes);

/** A record as it is kept: none is refused because of its checksum, which SAKE makes superfluous; `problem` tells of it. */
function receive(bytes: Uint8Array, e2e: boolean): ReceivedRecord {
  if (!e2e) return { bytes: bytes.slice(), record: decodeHistoryRecord(bytes, { e2e: false }) };
  try {
    const { content } = openProtected("History Data", bytes);
    return { bytes: content.slice(), record: decodeHistoryRecord(content, { e2e: false }) };
  } catch (error) {
    if (!(error instanceof PumpDataError) || bytes.length < HEADER_OCTETS) throw error;
    const content = bytes.slice(0, Math.max(HEADER_OCTETS, bytes.length - PROTECTION_OCTETS));
    return { bytes: content, record: { ...decodeHistoryRecord(content, { e2e: false }), problem: error } };
  }
}

const eventTypeOf = (bytes: Uint8Array): number => bytes[0]! | (bytes[1]! << 8);
const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(2, true);

/** Whether what is held, which fills its notifications, is a whole record. */
function isWhole(held: Uint8Array, e2e: boolean): boolean {
  if (held.length < HEADER_OCTETS) return false;
  try {
    if (e2e) return openProtected("History Data", held).content.length >= HEADER_OCTETS;
    const { data, rest } = decodeHistoryRecord(held, { e2e: false });
    return data !== undefined && rest.length === 0;
  } catch (error) {
    if (error instanceof PumpDataError) return false;
    throw error;
  }
}

/** Whether a part that follows a full one is the next record: its number follows, and its type is known or the number the very next one. */
function begins(part: Uint8Array, held: Uint8Array): boolean {
  if (part.length < HEADER_OCTETS || held.length < HEADER_OCTETS) return false;
  const gap = numberOf(part) - numberOf(held);
  return gap === 1 || (gap > 1 && gap <= LARGEST_GAP && eventNameOf(eventTypeOf(part)) !== undefined);
}

/** By number, without those that came more than once as they are. Two that differ under one number are both kept. */
function inOrder(received: readonly ReceivedRecord[]): ReceivedRecord[] {
  const records = received.toSorted((a, b) => a.record.sequenceNumber - b.record.sequenceNumber);
  return records.filter(({ bytes, record }, i) => {
    for (let before = i - 1; before >= 0 && records[before]!.record.sequenceNumber === record.sequenceNumber; before--)
      if (equalBytes(records[before]!.bytes, bytes)) return false;
    return true;
  });
}
