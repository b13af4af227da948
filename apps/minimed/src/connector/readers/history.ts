import { type Clock, Deadline, onAbort, Pending } from "jelling/async";
import { StateError, TimeoutError } from "jelling/core";
import { PumpError } from "../../error.ts";
import {
  decodeHistoryAccessResponse,
  HistoryAccessOpcode,
  type HistoryAccessResponse,
  HistoryOperator,
  rangeOperand,
  recordsOperand,
} from "../../history/record-access.ts";
import type { HistoryBounds, HistoryPage, HistoryRange, ReceivedRecord } from "../../history/source.ts";
import type { PumpChannel } from "../pump-channel.ts";
import type { DeliveryReader } from "./delivery.ts";
import { type Collected, RecordCollector, type Span, type Wanted } from "./history-collector.ts";
import { orNone, refused } from "./refusal.ts";
import { type TransferEnd, transfer } from "./transfer.ts";

export const DEFAULT_PAGE_SIZE = 400;
export const LARGEST_PAGE_SIZE = 1000;
export const LARGEST_SEQUENCE_NUMBER = 0xffff_ffff;
/** A pump may record on during a transfer. One that sends more than so many beyond what it was asked for is stopped. */
const MOST_EXTRA = 256;
const ABORT = { opcode: HistoryAccessOpcode.Abort, operand: Uint8Array.of(HistoryOperator.Null) };
/** No pump's memory has so many records, and no transfer takes so long. */
const MOST_RECORDS = 1_000_000;
const LONGEST_MS = 3_600_000;
/** Records by which a transfer shows that it goes on where another ended. A reference comes every hour, about forty records. */
const LONGEST_TAIL = 128;
const UNDATED_TAIL = 4;
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

/** Of a transfer of all from a number on; anything else says that the pump does not know such a request. */
const ENDS: ReadonlySet<unknown> = new Set(["success", "no_records_found", "procedure_not_completed", "abort_unsuccessful"]);

/** What a transfer brought, and how it ended. */
interface Received extends Collected {
  /** Why there may be more than came; undefined: all that the pump has came. */
  readonly failure: unknown;
  /** Of the pump, where it refused. */
  readonly code: string | number;
}

/** Reads a pump's history. */
export class HistoryReader {
  readonly #channel: PumpChannel;
  readonly #delivery: DeliveryReader;
  readonly #mostRecords: number;
  /** Why the pump is not asked for all from a number on any more, in this session. */
  #refusal: PumpError | undefined;

  /** @param mostRecords in one reading: a pump that sends more has no end */
  constructor(channel: PumpChannel, delivery: DeliveryReader, { mostRecords = MOST_RECORDS }: { readonly mostRecords?: number } = {}) {
    this.#mostRecords = mostRecords;
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
    const { signal } = deadline;
    // A transfer brings its records by ascending numbers: the newest first takes one for each page.
    if (last === undefined) yield* this.#stream(first, pageSize, signal);
    else if (order === "oldest") yield* this.#transfers({ first, last }, pageSize, signal);
    else for (const page of downwards(first, last, pageSize)) yield* this.#transfers(page, pageSize, signal);
  }

  #has(): boolean {
    return this.#channel.has("iddRecordAccess") && this.#channel.has("iddHistoryData");
  }

  /**
   * All from a number on, in one transfer, or several where others want their turn: each of them begins with the newest reference that came, which has a
   * date, by which it shows that the pump goes on where it was.
   */
  async *#stream(first: number, pageSize: number, signal: AbortSignal): AsyncGenerator<HistoryPage, void> {
    const limit = this.#limit();
    let after: readonly ReceivedRecord[] = [];
    const onGiven = (page: HistoryPage): Error | undefined => {
      after = tail([...after, ...page.records]);
      return limit(page);
    };
    for (;;) {
      if (this.#refusal) throw this.#refusal;
      const from = after[0]?.record.sequenceNumber ?? first;
      const operand = from === 0 ? recordsOperand("All") : rangeOperand(from);
      const wanted = { first: from, last: LARGEST_SEQUENCE_NUMBER, isOpen: true, after, operand, pageSize, isOrderly: true };
      const received = yield* this.#transfer(wanted, signal, onGiven);
      if (received.failure === PAUSE) continue;
      yield* this.#last(received);
      return;
    }
  }

  /** The last page of a transfer of all from a number on. @throws why it is not the last */
  *#last({ first, records, failure, code, misplaced, isBegun }: Received): Generator<HistoryPage, void> {
    if (misplaced !== undefined && (failure === DISORDER || failure === undefined)) {
      // What came before it did ascend. Of numbers that were left out it is not known whether the pump has them.
      for (const run of runs(records)) yield run;
      this.#refusal = new PumpError("ERR_PUMP_REFUSED", "The pump gives other records than those from a number on.");
      throw new PumpError("ERR_PUMP_PROTOCOL", `The pump's records do not ascend: number ${misplaced} is not where it belongs.`);
    }
    const isSilent = failure instanceof TimeoutError && records.length === 0;
    if (failure === undefined ? !ENDS.has(code) : isSilent) {
      this.#refusal = refused("its history from a number on", failure === undefined ? code : "no answer");
      throw this.#refusal;
    }
    if (!isBegun && failure === undefined)
      throw new PumpError("ERR_PUMP_PROTOCOL", "The pump no longer has the records that it sent last.");
    const end = records.at(-1);
    const isLast = failure === undefined && code === "success";
    if (end) yield { first, last: end.record.sequenceNumber, records, ...(isLast && { isLast }) };
    if (failure !== undefined) throw failure;
    if (code !== "success" && code !== "no_records_found") throw refused("its history", code);
  }

  /** Judges what comes: no history is as long as that, whatever a pump sends. */
  #limit(): (page: HistoryPage) => Error | undefined {
    const { clock } = this.#channel;
    const endMs = clock.now() + LONGEST_MS;
    let count = 0;
    return ({ records }) => {
      count += records.length;
      if (count <= this.#mostRecords && clock.now() <= endMs) return undefined;
      return new PumpError("ERR_PUMP_PROTOCOL", "The pump's history does not end.");
    };
  }

  /** The pages of a range, upwards, in as many transfers as it takes. */
  async *#transfers({ first, last }: Span, pageSize: number, signal: AbortSignal): AsyncGenerator<HistoryPage, void> {
    const limit = this.#limit();
    let isByPage = last - first < pageSize;
    for (let from = first; ; ) {
      const to = isByPage ? Math.min(last, from + pageSize - 1) : last;
      // Records that do not ascend belong to any page: then one is asked for at a time.
      const wanted = { first: from, last: to, operand: rangeOperand(from, to), pageSize, isOrderly: !isByPage };
      const received = yield* this.#transfer(wanted, signal, limit);
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

  /** The pages of one transfer as they come, but for the last; then what is left. @param onGiven says why it must not go on */
  async *#transfer(
    { isOrderly, ...wanted }: Wanted & { readonly operand: Uint8Array; readonly isOrderly: boolean },
    signal: AbortSignal,
    onGiven: (page: HistoryPage) => Error | undefined,
  ): AsyncGenerator<HistoryPage, Received> {
    const stop = new AbortController();
    using _ = onAbort(signal, () => stop.abort(signal.reason));
    if (signal.aborted) stop.abort(signal.reason);
    const pages = new Pages(this.#channel.clock);
    const onPage = (page: HistoryPage): void => {
      pages.push(page);
      const problem = onGiven(page);
      if (problem) stop.abort(problem);
      // Somebody else waits for a turn, or nobody takes what is here: it goes on later.
      if (this.#channel.isWanted || pages.size >= MOST_PAGES) stop.abort(PAUSE);
    };
    const onDisorder = (): void => {
      if (isOrderly) stop.abort(DISORDER);
    };
    const transferring = this.#channel.exclusively("reading the history", { signal }, () =>
      this.#report({ ...wanted, onPage, onDisorder }, stop),
    );
    pages.endWith(transferring);
    try {
      for (let page = await pages.next(); page && !signal.aborted; page = await pages.next())
        if (wanted.isOpen) yield page;
        else yield* cut(page, wanted.pageSize);
    } finally {
      stop.abort(new StateError("the reader of the history has left"));
    }
    return await transferring;
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
    wanted: Wanted & { readonly operand: Uint8Array },
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

/** What tells that a history goes on: from its newest reference on, or a few records where that is far. @param records by number */
function tail(records: readonly ReceivedRecord[]): ReceivedRecord[] {
  const dated = records.findLastIndex(({ record }) => record.data?.name === "ngp_reference_time");
  return records.slice(dated >= 0 && records.length - dated <= LONGEST_TAIL ? dated : -UNDATED_TAIL);
}

/** A page for each run of numbers without a hole. @param records by number, none of them twice */
function runs(records: readonly ReceivedRecord[]): HistoryPage[] {
  const pages: { first: number; last: number; records: ReceivedRecord[] }[] = [];
  for (const received of records) {
    const { sequenceNumber } = received.record;
    const page = pages.at(-1);
    if (page && sequenceNumber === page.last + 1) {
      page.last = sequenceNumber;
      page.records.push(received);
    } else pages.push({ first: sequenceNumber, last: sequenceNumber, records: [received] });
  }
  return pages;
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
