import { type Clock, Deadline, onAbort, Pending } from "jelling/async";
import { StateError } from "jelling/core";
import { PumpError } from "../../error.ts";
import {
  decodeHistoryAccessResponse,
  HistoryAccessOpcode,
  type HistoryAccessResponse,
  HistoryOperator,
  rangeOperand,
  recordsOperand,
} from "../../history/record-access.ts";
import type { HistoryBounds, HistoryPage, HistoryRange } from "../../history/source.ts";
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
