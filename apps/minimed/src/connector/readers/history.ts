import { type Clock, Deadline, onAbort, Pending } from "jelling/async";
import { type Logger, StateError } from "jelling/core";
import { PumpDataError } from "../../data/error.ts";
import { PumpError } from "../../error.ts";
import { RecordAssembler } from "../../history/fragments.ts";
import { decodeHistoryRecord, eventNameOf } from "../../history/record.ts";
import {
  decodeHistoryAccessResponse,
  HistoryAccessOpcode,
  type HistoryAccessResponse,
  HistoryOperator,
  rangeOperand,
  recordsOperand,
} from "../../history/record-access.ts";
import type { HistoryBounds, HistoryPage, HistoryRange, ReceivedRecord } from "../../history/source.ts";
import { openProtected } from "../../idd/protection.ts";
import type { PumpChannel } from "../pump-channel.ts";
import type { DeliveryReader } from "./delivery.ts";
import { orNone, refused } from "./refusal.ts";
import { type TransferEnd, transfer } from "./transfer.ts";

export const DEFAULT_PAGE_SIZE = 400;
export const LARGEST_PAGE_SIZE = 1000;
export const LARGEST_SEQUENCE_NUMBER = 0xffff_ffff;
/** A pump may record on during a transfer. One that sends more than so many beyond what it was asked for is stopped. */
const MOST_EXTRA = 256;
/** Records may come behind the response that ends their transfer. */
const LATE_RECORD_MS = 1000;
const HEADER_OCTETS = 8;
/** Counter and CRC. */
const PROTECTION_OCTETS = 3;
/** A gap in the numbers that is taken for one, where it tells a record's beginning from another's rest. */
const LARGEST_GAP = 64;
const ABORT = { opcode: HistoryAccessOpcode.Abort, operand: Uint8Array.of(HistoryOperator.Null) };
/** So many pages are held for who reads them. */
const MOST_PAGES = 4;
/** Why a transfer is stopped that goes on later. */
const PAUSE = new StateError("another operation has its turn");
/** Why one is stopped that is asked for anew, page by page. */
const DISORDER = new StateError("the records do not ascend");
/** Refusals that say that the pump has no such thing. */
const NOT_THERE: ReadonlySet<unknown> = new Set([
  "opcode_not_supported",
  "operator_not_supported",
  "operand_not_supported",
  "invalid_operator",
]);

/** What a transfer brought behind the pages that it finished, and how far it is known to be whole. */
interface Received {
  /** Where these records begin: the pages before are given. */
  readonly first: number;
  /** The lowest number that came behind a higher one; its page may be given without it. */
  readonly misplaced: number | undefined;
  readonly records: ReceivedRecord[];
  /** Why there may be more than came; undefined: all that the pump has came. */
  readonly failure: unknown;
  /** All numbers up to this one came, or the pump has them not; undefined: nothing is known. */
  readonly wholeUpTo: number | undefined;
  /** Of the pump, where it refused. */
  readonly code: string | number;
}

interface Span {
  readonly first: number;
  readonly last: number;
}
/** What is asked for in one transfer, and where it is cut. */
interface Wanted extends Span {
  readonly operand: Uint8Array;
  readonly pageSize: number;
  readonly onPage?: ((page: HistoryPage) => void) | undefined;
  /** A record came behind one with a higher number. */
  readonly onDisorder?: (() => void) | undefined;
}

/** Reads a pump's history. */
export class HistoryReader {
  readonly #channel: PumpChannel;
  readonly #delivery: DeliveryReader;

  constructor(channel: PumpChannel, delivery: DeliveryReader) {
    this.#channel = channel;
    this.#delivery = delivery;
  }

  /** Within an operation of the channel. undefined where the pump has no records, or no history. */
  async bounds(): Promise<HistoryBounds | undefined> {
    if (!this.#has()) return undefined;
    const count = await this.#count();
    if (count === undefined || count === 0) return undefined;
    const first = await this.#one("First");
    const last = await this.#one("Last");
    return first === undefined || last === undefined ? undefined : { count, first, last };
  }

  /** A transfer is an operation of the channel. It goes over several pages for as long as nobody else waits for a turn. */
  async *pages({
    first,
    last,
    pageSize = DEFAULT_PAGE_SIZE,
    order = "newest",
    ...options
  }: HistoryRange): AsyncGenerator<HistoryPage, void> {
    if (!this.#has()) return;
    using deadline = new Deadline({ clock: this.#channel.clock, operation: "reading the history", ...options });
    // A transfer brings its records by ascending numbers: the newest first takes one for each page.
    if (order === "oldest") yield* this.#transfers({ first, last }, pageSize, deadline.signal);
    else for (const page of downwards(first, last, pageSize)) yield* this.#transfers(page, pageSize, deadline.signal);
  }

  #has(): boolean {
    return this.#channel.has("iddRecordAccess") && this.#channel.has("iddHistoryData");
  }

  /** The pages of a range, upwards, in as many transfers as it takes. */
  async *#transfers({ first, last }: Span, pageSize: number, signal: AbortSignal): AsyncGenerator<HistoryPage, void> {
    let isByPage = last - first < pageSize;
    for (let from = first; ; ) {
      const to = isByPage ? Math.min(last, from + pageSize - 1) : last;
      const stop = new AbortController();
      using _ = onAbort(signal, () => stop.abort(signal.reason));
      if (signal.aborted) stop.abort(signal.reason);
      const pages = new Pages(this.#channel.clock);
      const onPage = (page: HistoryPage): void => {
        pages.push(page);
        // Somebody else waits for a turn, or nobody takes what is here: it goes on later.
        if (this.#channel.isWanted || pages.size >= MOST_PAGES) stop.abort(PAUSE);
      };
      // Records that do not ascend belong to any page: then one is asked for at a time.
      const onDisorder = (): void => {
        if (!isByPage) stop.abort(DISORDER);
      };
      const wanted = { first: from, last: to, operand: rangeOperand(from, to), pageSize, onPage, onDisorder };
      const transferring = this.#channel.exclusively("reading the history", { signal }, () => this.#report(wanted, stop));
      pages.endWith(transferring);
      try {
        for (let page = await pages.next(); page && !signal.aborted; page = await pages.next()) yield* cut(page, pageSize);
      } finally {
        stop.abort(new StateError("the reader of the history has left"));
      }
      const received = await transferring;
      isByPage ||= received.failure === DISORDER;
      if (received.failure === PAUSE || received.failure === DISORDER) {
        from = Math.max(from, Math.min(received.first, received.misplaced ?? received.first));
        continue;
      }
      yield* this.#rest(received, to, pageSize);
      if (to === last) return;
      from = to + 1;
    }
  }

  /** The last pages of a transfer. @throws why it did not end well, behind what is known to be whole: who reads again goes on behind it */
  *#rest({ first, records, failure, wholeUpTo, code }: Received, last: number, pageSize: number): Generator<HistoryPage, void> {
    const isOver = code === "success" || code === "no_records_found";
    if (failure === undefined && isOver) {
      yield* cut({ first, last, records }, pageSize);
      return;
    }
    if (wholeUpTo !== undefined && wholeUpTo >= first) yield* cut({ first, last: Math.min(last, wholeUpTo), records }, pageSize);
    throw failure ?? refused("its history", code);
  }

  /** Number of the first or the last record. */
  async #one(operator: "First" | "Last"): Promise<number | undefined> {
    const wanted = { first: 0, last: LARGEST_SEQUENCE_NUMBER, operand: recordsOperand(operator), pageSize: LARGEST_SEQUENCE_NUMBER };
    const { records, failure, code } = await this.#report(wanted, new AbortController(), 1);
    if (failure !== undefined) throw failure;
    if (code !== "success" && code !== "no_records_found" && !NOT_THERE.has(code)) throw refused("its history", code);
    return records[operator === "First" ? 0 : records.length - 1]?.record.sequenceNumber;
  }

  async #count(): Promise<number | undefined> {
    const opcode = HistoryAccessOpcode.Count;
    const response = await orNone(this.#channel, "the number of its records", () =>
      this.#channel.exchange("iddRecordAccess", { opcode, operand: recordsOperand("All"), e2eCrc: false }, (plaintext) =>
        answerTo(plaintext, opcode),
      ),
    );
    if (response?.kind === "number_of_records") return response.count;
    if (!response || response.code === "no_records_found" || NOT_THERE.has(response.code)) return undefined;
    throw refused("the number of its records", response.code);
  }

  /** Has records sent. @param expected at most so many in a page */
  async #report(
    wanted: Wanted,
    stop: AbortController,
    expected: number = Math.min(wanted.pageSize, wanted.last - wanted.first + 1),
  ): Promise<Received> {
    await this.#delivery.features(); // whether records end with counter and CRC
    const channel = this.#channel;
    const collector = new RecordCollector({
      ...wanted,
      largest: channel.largestPlaintext,
      e2e: channel.delivery.isOn,
      most: expected + MOST_EXTRA,
      logger: channel.logger,
      onTooMany: () => stop.abort(new PumpError("ERR_PUMP_PROTOCOL", "The pump sends more records than it was asked for.")),
    });
    channel.onHistoryData = (plaintext) => collector.push(plaintext);
    channel.onLoss = () => {
      collector.onLoss();
      stop.abort(new PumpError("ERR_PUMP_PROTOCOL", "A part of the history was lost on its way: read it again."));
    };
    try {
      const end = await orNone(channel, "its history", () =>
        transfer<HistoryAccessResponse>(channel, {
          name: "iddRecordAccess",
          opcode: HistoryAccessOpcode.Report,
          operand: wanted.operand,
          abort: ABORT,
          read: answerTo,
          signal: stop.signal,
        }),
      );
      if (end?.kind === "answered" && isSuccess(end.response)) {
        collector.finish();
        if (collector.isEmpty) await collector.late(channel);
      }
      return receivedOf(collector, end);
    } finally {
      channel.onHistoryData = undefined;
      channel.onLoss = undefined;
    }
  }
}

function receivedOf(collector: RecordCollector, end: TransferEnd<HistoryAccessResponse> | undefined): Received {
  const taken = collector.taken();
  if (!end) return { ...taken, failure: undefined, code: "opcode_not_supported" };
  if (end.kind === "stopped") return { ...taken, failure: end.error, code: "" };
  const { response } = end;
  return { ...taken, failure: undefined, code: response.kind === "response_code" ? response.code : response.kind };
}

function isSuccess(response: HistoryAccessResponse): boolean {
  return response.kind === "response_code" && response.code === "success";
}

/** The response to `opcode`, or undefined: it answers something else. */
function answerTo(plaintext: Uint8Array, opcode: number): HistoryAccessResponse | undefined {
  const response = decodeHistoryAccessResponse(plaintext);
  const answers = response.kind === "response_code" ? response.requestOpcode : HistoryAccessOpcode.Count;
  return answers === opcode ? response : undefined;
}

/** Pages between the transfer that makes them and who reads them. */
class Pages {
  readonly #clock: Clock;
  readonly #pages: HistoryPage[] = [];
  #isOver = false;
  #waiting: Pending<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#pages.length;
  }

  push(page: HistoryPage): void {
    this.#pages.push(page);
    this.#waiting?.resolve();
  }

  /** No more come when it has settled, however it did. */
  endWith(transferring: Promise<unknown>): void {
    const end = (): void => {
      this.#isOver = true;
      this.#waiting?.resolve();
    };
    transferring.then(end, end);
  }

  /** undefined: there are no more. */
  async next(): Promise<HistoryPage | undefined> {
    if (this.#pages.length === 0 && !this.#isOver) {
      this.#waiting = new Pending<void>({ clock: this.#clock, operation: "a page of the history" });
      await this.#waiting.promise;
      this.#waiting = undefined;
    }
    return this.#pages.shift();
  }
}

interface CollectorOptions extends Wanted {
  /** Of plaintext, in one notification. */
  readonly largest: number;
  readonly e2e: boolean;
  /** So many records, and what is none, are taken for a page. */
  readonly most: number;
  readonly logger: Logger;
  readonly onTooMany: () => void;
}

/** Makes records of the notifications of one transfer, and pages of the records. */
class RecordCollector {
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

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#first = options.first;
    const { largest, e2e } = options;
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
  taken(): Pick<Received, "first" | "misplaced" | "records" | "wholeUpTo"> {
    const misplaced = this.#misplaced;
    const wholeUpTo = misplaced === undefined ? this.#highest : undefined;
    return { first: this.#first, misplaced, records: inOrder(this.#records), wholeUpTo };
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
    if (received) this.#turnPage(received.record.sequenceNumber);
    if (++this.#count > this.#options.most) {
      this.#options.onTooMany();
      return;
    }
    if (!received) return;
    const { sequenceNumber } = received.record;
    if (this.#highest !== undefined && sequenceNumber < this.#highest) {
      this.#misplaced = Math.min(this.#misplaced ?? sequenceNumber, sequenceNumber);
      this.#options.onDisorder?.();
    }
    this.#highest = Math.max(this.#highest ?? 0, sequenceNumber);
    this.#records.push(received);
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
      if (equal(records[before]!.bytes, bytes)) return false;
    return true;
  });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Ranges of at most `pageSize` numbers, the last one first. */
function* downwards(first: number, last: number, pageSize: number): Generator<Span, void> {
  for (let at = last; at >= first; at -= pageSize) yield { first: Math.max(first, at - pageSize + 1), last: at };
}

/** Pages of at most `pageSize` numbers. What is outside of all of them, since the pump recorded on, is in the last one. */
function* cut({ first, last, records }: HistoryPage, pageSize: number): Generator<HistoryPage, void> {
  let next = 0;
  for (let at = first; at <= last; at += pageSize) {
    const end = Math.min(last, at + pageSize - 1);
    const begin = next;
    while (next < records.length && (end === last || records[next]!.record.sequenceNumber <= end)) next++;
    yield { first: at, last: end, records: records.slice(begin, next) };
  }
}
