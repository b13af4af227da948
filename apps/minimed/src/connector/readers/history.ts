import { Deadline, onAbort, Pending } from "jelling/async";
import type { Logger } from "jelling/core";
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
/** Refusals that say that the pump has no such thing. */
const NOT_THERE: ReadonlySet<unknown> = new Set([
  "opcode_not_supported",
  "operator_not_supported",
  "operand_not_supported",
  "invalid_operator",
]);

/** What a transfer brought, and how far it is known to be whole. */
interface Received {
  readonly records: ReceivedRecord[];
  /** Why there may be more than came; undefined: all that the pump has came. */
  readonly failure: unknown;
  /** All numbers up to this one came, or the pump has them not; undefined: nothing is known. */
  readonly wholeUpTo: number | undefined;
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
    const never = new AbortController().signal;
    const count = await this.#count();
    if (count === undefined || count === 0) return undefined;
    const first = await this.#one("First", never);
    const last = await this.#one("Last", never);
    return first === undefined || last === undefined ? undefined : { count, first, last };
  }

  /** Each page is an operation of the channel. */
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
    for (const page of pagesOf(first, last, pageSize, order)) {
      const received = await this.#channel.exclusively("reading a page of the history", { signal }, () => this.#page(page, signal));
      const { records, failure, wholeUpTo } = received;
      if (failure === undefined) {
        yield { ...page, records };
        continue;
      }
      // What is known to be whole is worth keeping: who reads again goes on behind it.
      if (wholeUpTo !== undefined && wholeUpTo >= page.first) yield { first: page.first, last: Math.min(page.last, wholeUpTo), records };
      throw failure;
    }
  }

  #has(): boolean {
    return this.#channel.has("iddRecordAccess") && this.#channel.has("iddHistoryData");
  }

  async #page({ first, last }: { first: number; last: number }, signal: AbortSignal): Promise<Received> {
    const received = await this.#report(rangeOperand(first, last), last - first + 1, signal);
    return received.failure === undefined && received.code !== "success" && received.code !== "no_records_found"
      ? { ...received, failure: refused("its history", received.code) }
      : received;
  }

  /** Number of the first or the last record. */
  async #one(operator: "First" | "Last", signal: AbortSignal): Promise<number | undefined> {
    const { records, failure, code } = await this.#report(recordsOperand(operator), 1, signal);
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

  /** Has records sent. */
  async #report(operand: Uint8Array, expected: number, signal: AbortSignal): Promise<Received> {
    await this.#delivery.features(); // whether records end with counter and CRC
    const channel = this.#channel;
    const stop = new AbortController();
    using _ = onAbort(signal, () => stop.abort(signal.reason));
    if (signal.aborted) stop.abort(signal.reason);
    const collector = new RecordCollector({
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
          operand,
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
  const { records, wholeUpTo } = collector.taken();
  if (!end) return { records, failure: undefined, wholeUpTo, code: "opcode_not_supported" };
  if (end.kind === "stopped") return { records, failure: end.error, wholeUpTo, code: "" };
  const { response } = end;
  const code = response.kind === "response_code" ? response.code : response.kind;
  const isOver = code === "success" || code === "no_records_found";
  return { records, failure: isOver || records.length === 0 ? undefined : refused("the rest of its history", code), wholeUpTo, code };
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

interface CollectorOptions {
  /** Of plaintext, in one notification. */
  readonly largest: number;
  readonly e2e: boolean;
  /** So many records, and what is none, are taken. */
  readonly most: number;
  readonly logger: Logger;
  readonly onTooMany: () => void;
}

/** Makes records of the notifications of one transfer. */
class RecordCollector {
  readonly #options: CollectorOptions;
  readonly #assembler: RecordAssembler;
  readonly #records: ReceivedRecord[] = [];
  #count = 0;
  #highest: number | undefined;
  #isAscending = true;
  #isLossy = false;
  #onRecord: (() => void) | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
    const { largest, e2e } = options;
    this.#assembler = new RecordAssembler({
      largest,
      isWhole: (held) => isWhole(held, e2e),
      begins: (part, held) => !e2e && begins(part, held),
    });
  }

  get isEmpty(): boolean {
    return this.#count === 0;
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

  /** By number, and how far they are whole. */
  taken(): Pick<Received, "records" | "wholeUpTo"> {
    const records = this.#records.sort((a, b) => a.record.sequenceNumber - b.record.sequenceNumber);
    return { records: withoutRepeats(records), wholeUpTo: this.#isAscending ? this.#highest : undefined };
  }

  #take(bytes: Uint8Array): void {
    const { most, onTooMany, logger, e2e } = this.#options;
    if (++this.#count > most) {
      onTooMany();
      return;
    }
    let received: ReceivedRecord;
    try {
      received = receive(bytes, e2e);
    } catch (error) {
      if (!(error instanceof PumpDataError)) throw error;
      logger.warn(() => `what the pump sent as a record is none: ${error.message}`);
      return;
    }
    const { sequenceNumber } = received.record;
    if (this.#highest !== undefined && sequenceNumber < this.#highest) this.#isAscending = false;
    this.#highest = Math.max(this.#highest ?? 0, sequenceNumber);
    this.#records.push(received);
    this.#onRecord?.();
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

/** Without those that came more than once as they are. Two that differ under one number are both kept. */
function withoutRepeats(records: readonly ReceivedRecord[]): ReceivedRecord[] {
  return records.filter(({ bytes, record }, i) => {
    for (let before = i - 1; before >= 0 && records[before]!.record.sequenceNumber === record.sequenceNumber; before--)
      if (equal(records[before]!.bytes, bytes)) return false;
    return true;
  });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Ranges of at most `pageSize` numbers, aligned with the end that is read first. */
function* pagesOf(
  first: number,
  last: number,
  pageSize: number,
  order: "newest" | "oldest",
): Generator<{ first: number; last: number }, void> {
  if (order === "oldest") for (let at = first; at <= last; at += pageSize) yield { first: at, last: Math.min(last, at + pageSize - 1) };
  else for (let at = last; at >= first; at -= pageSize) yield { first: Math.max(first, at - pageSize + 1), last: at };
}
