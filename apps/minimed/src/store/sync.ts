import { callOut, type OperationOptions } from "jelling/async";
import { equalBytes } from "jelling/bytes";
import { checkChoice, checkFunction, checkInteger, checkOperation, optionNames } from "jelling/core";
import { PumpError } from "../error.ts";
import type { HistoryBounds, HistoryPage, HistoryRange, HistorySource, ReceivedRecord } from "../history/source.ts";
import { PumpStoreError } from "./error.ts";
import { isBeyondMemory, type Witness } from "./numbering.ts";
import { DONE, type PumpHistory } from "./pump-history.ts";
import type { NumberRange } from "./ranges.ts";
import { NumberingRestarted } from "./record-writer.ts";
import { type ClockMeasurement, checkMeasurement } from "./times.ts";

/** How far a sync is. */
export interface SyncProgress {
  /** Pages that came, and records in them that were new. */
  readonly pages: number;
  readonly records: number;
  /** Numbers that the pump holds and that were not asked for yet; undefined while nobody knows: all that the pump has comes in one stream. */
  readonly left: number | undefined;
}

/** Sequence numbers, both included, and how many the pump has of them. */
export interface SeenBounds {
  readonly count: number | undefined;
  readonly first: number | undefined;
  readonly last: number;
}

/** What a sync has brought. */
export interface SyncResult {
  readonly pages: number;
  readonly records: number;
  /** What the pump holds; undefined: nothing. How many and from where on only where that came to light. */
  readonly bounds: SeenBounds | undefined;
  /** Segment that its numbers belong to; undefined where it holds nothing. */
  readonly segment: number | undefined;
  /** The pump was found to count anew. */
  readonly restarted: boolean;
}

export interface SyncOptions extends OperationOptions {
  /**
   * "oldest" (default) has all that is new come in one stream, in the least time. "newest" begins with the newest page, for who looks at it meanwhile,
   * and goes on from the oldest; that takes several questions more.
   */
  readonly order?: "newest" | "oldest" | undefined;
  /** How many numbers, or records, a page has at most: 1 to 1000. By default the source's own. */
  readonly pageSize?: number | undefined;
  readonly onProgress?: ((progress: SyncProgress) => void) | undefined;
  /** By default what `recordClock` or `recordStatus` kept last. */
  readonly clockDifference?: ClockMeasurement | undefined;
}

const OPTION_NAMES = optionNames<SyncOptions>({
  order: true,
  pageSize: true,
  onProgress: true,
  clockDifference: true,
  signal: true,
  timeoutMs: true,
});
/** A pump that counts anew more often than that while it is read is no pump. */
const RESTARTS = 8;
const LARGEST_NUMBER = 0xffff_ffff;
/** A pump that names numbers up to the largest and has none of them would be asked for years. So many of 400 numbers are a month and a half. */
const MOST_EMPTY_PAGES = 100;
/** So many are enough. */
const WITNESSES = 4;
/** Numbers of some hours. */
const NEWEST = 400;
/** More than a pump's memory holds. */
const MOST_COMPARED = 100_000;

/**
 * Brings a pump's history into the store: asks for what is not there, and for nothing else but some records by which to see that the numbers still
 * mean the same. Each page is kept as a whole as soon as it is there, so that a sync can be stopped at any point and gone on with at any time.
 *
 * @throws {PumpStoreError} "ERR_PUMP_STORE_SYNCING" another sync of the same pump is under way; or the store does not take what came
 * @throws what the source throws; pages that came before stay
 * @throws `signal.reason`
 */
export async function syncHistory(history: PumpHistory, source: HistorySource, options: SyncOptions = {}): Promise<SyncResult> {
  checkOperation("syncHistory", options, OPTION_NAMES);
  if (options.order !== undefined) checkChoice("syncHistory: order", options.order, ["newest", "oldest"]);
  if (options.pageSize !== undefined) checkInteger("syncHistory: pageSize", options.pageSize, 1, 1000);
  checkFunction("syncHistory: onProgress", options.onProgress);
  if (options.clockDifference !== undefined) checkMeasurement("syncHistory: clockDifference", options.clockDifference);
  options.signal?.throwIfAborted();
  if (!history.beginSync())
    throw new PumpStoreError("ERR_PUMP_STORE_SYNCING", history.path, "The history of this pump is being synchronized already.");
  try {
    const run = history.beginRun();
    let result = DONE;
    try {
      return await new Sync(history, source, options, run).run();
    } catch (error) {
      result = error instanceof Error ? ((error as { code?: string }).code ?? error.name) : "failed";
      throw error;
    } finally {
      endRun(history, run, result);
    }
  } finally {
    history.endSync();
  }
}

/** Why a sync ended counts for more than that it could not be noted. */
function endRun(history: PumpHistory, run: number, result: string): void {
  try {
    history.endRun(run, result);
  } catch {
    // its row says that it never ended
  }
}

const isWitness = ({ bytes, record }: ReceivedRecord, { seq, raw }: Witness): boolean =>
  record.sequenceNumber === seq && equalBytes(bytes, raw);
/** Whether the pump may be asked in another way, by ranges. */
const isOtherWay = (error: unknown): boolean =>
  error instanceof PumpError && (error.code === "ERR_PUMP_REFUSED" || error.code === "ERR_PUMP_PROTOCOL");
/** Whether it is a reference time, by its type. */
const isDated = ({ raw }: Witness): boolean => raw[0] === 0x0e && raw[1] === 0xf0;

class Sync {
  readonly #history: PumpHistory;
  readonly #source: HistorySource;
  readonly #options: SyncOptions;
  readonly #operation: OperationOptions;
  readonly #run: number;
  readonly #measurement: ClockMeasurement | undefined;
  /** Records that came first, or were there before: the pump has others by their numbers once it counts anew. */
  #witnesses: Witness[] = [];
  #pages = 0;
  #records = 0;
  /** A page lacked numbers that the pump was to have. */
  #hasHoles = false;
  /** Highest number that the pump was seen to have in this segment. */
  #newest = 0;

  constructor(history: PumpHistory, source: HistorySource, options: SyncOptions, run: number) {
    this.#history = history;
    this.#source = source;
    this.#options = options;
    this.#operation = { signal: options.signal, timeoutMs: options.timeoutMs };
    this.#run = run;
    this.#measurement = options.clockDifference ?? history.measurement();
  }

  async run(): Promise<SyncResult> {
    const { order = "oldest" } = this.#options;
    const result = order === "oldest" ? await this.#stream() : undefined;
    return result ?? (await this.#byBounds());
  }

  /**
   * All that the pump has, or all from a record on that is in the store, in one question: the newest reference, which has a date and is no other's. What
   * that proves, and what it does not:
   *
   * - The record comes first, octet for octet as it is stored: the numbers mean what they did. What follows is new, as far as it is not stored.
   * - Another comes by its number: the pump counts anew.
   * - None comes: the pump has no number as high any more, and counts anew; or it has none that was stored. Records behind it alone do not tell: see
   *   `isBeyondMemory`.
   * - Numbers fall while they come: it may have begun to count anew at that moment. What came before is the former numbering's.
   * - Numbers jump: the pump has none in between. That it has begun to count anew at that moment, higher than before, cannot be known, nor does it harm:
   *   what came is what it has.
   * - The end without an error: the pump has nothing behind. It need not be asked for bounds.
   *
   * In doubt the pump is asked for its bounds, and compared number by number.
   *
   * @returns undefined where it has to be, or does not give all from a number on
   */
  async #stream(): Promise<SyncResult | undefined> {
    const history = this.#history;
    const before = history.currentSegment();
    if (before !== undefined && history.hasHoles(before)) return undefined;
    const witness = before === undefined ? undefined : history.newestWitness(before);
    let segment: number | undefined;
    let [first, count, last] = [0, 0, 0];
    try {
      for await (const page of this.#read({ first: witness?.seq ?? 0, order: "oldest" })) {
        const { records } = page;
        const head = records[0];
        if (segment === undefined) {
          if (!head || (witness && !isWitness(head, witness))) return undefined;
          first = head.record.sequenceNumber;
          segment = history.enterSegment(this.#run, { first: witness ? undefined : first, last: page.last }, false);
        }
        // Until the end nobody knows which record is the newest, which the clock dates.
        this.#addPage(segment, page, page.isLast ? page.last : Number.POSITIVE_INFINITY);
        [count, last] = [count + records.length, page.last];
        this.#tell(undefined);
      }
    } catch (error) {
      if (!(error instanceof NumberingRestarted) && !isOtherWay(error)) throw error;
      return undefined;
    }
    if (segment === undefined) return undefined;
    if (this.#pages > 1) history.enterSegment(this.#run, { first: undefined, last }, false);
    if (this.#measurement) history.applyClock(segment, this.#measurement, last);
    const bounds = witness ? { count: undefined, first: undefined, last } : { count, first, last };
    return this.#result(bounds, segment, false);
  }

  async #byBounds(): Promise<SyncResult> {
    let bounds = await this.#bounds();
    let isAnew = bounds !== undefined && (await this.#countsAnew(bounds));
    let restarts = 0;
    while (bounds) {
      const former = this.#history.currentSegment();
      const segment = this.#history.enterSegment(this.#run, bounds, isAnew);
      if (isAnew) {
        this.#newest = 0;
        this.#witnesses = [];
        if (++restarts > RESTARTS) throw new PumpError("ERR_PUMP_PROTOCOL", "The pump's history begins to count anew again and again.");
      }
      this.#newest = Math.max(this.#newest, bounds.last);
      if (this.#measurement) this.#history.applyClock(segment, this.#measurement, bounds.last);
      const pages = this.#pages;
      // Nothing was there that could have told whether the numbers meant then what they mean now.
      const isUnseen = this.#history.highest(segment) === undefined;
      this.#hasHoles = false;
      isAnew = await this.#fetch(segment, bounds);
      let now: HistoryBounds | undefined = bounds;
      // What came while the pump began to count anew shows only now.
      if (isAnew || this.#pages > pages) {
        if (isAnew || isUnseen || this.#hasHoles || this.#pages > pages + 1) now = await this.#bounds();
        isAnew ||= now === undefined || now.last < this.#newest || now.first < bounds.first || (await this.#hasOther(now));
      }
      if (former !== undefined && former !== segment) this.#history.dropTwins(former, segment);
      if (!isAnew) return this.#result(bounds, segment, restarts > 0);
      bounds = now;
    }
    return this.#result(undefined, undefined, isAnew);
  }

  #result(bounds: SeenBounds | undefined, segment: number | undefined, restarted: boolean): SyncResult {
    return { pages: this.#pages, records: this.#records, bounds, segment, restarted };
  }

  async #bounds(): Promise<HistoryBounds | undefined> {
    const bounds = await this.#source.historyBounds(this.#operation);
    this.#options.signal?.throwIfAborted();
    const isRange =
      bounds &&
      Number.isInteger(bounds.first) &&
      Number.isInteger(bounds.last) &&
      bounds.first >= 0 &&
      bounds.first <= bounds.last &&
      bounds.last <= LARGEST_NUMBER;
    if (bounds && !isRange) throw new PumpError("ERR_PUMP_PROTOCOL", "The pump's history has bounds that are no range.");
    return bounds;
  }

  /** Whether the pump's numbers mean other records than the newest segment's. */
  async #countsAnew(bounds: HistoryBounds): Promise<boolean> {
    const segment = this.#history.currentSegment();
    const highest = segment === undefined ? undefined : this.#history.highest(segment);
    if (segment === undefined || highest === undefined) return false;
    if (bounds.last < highest) return true;
    if (bounds.first > highest) return isBeyondMemory(bounds.count, this.#history.mostHeld(segment));
    this.#addWitness(segment, bounds);
    const isOther = await this.#isOther(this.#witnesses, bounds);
    // Does it not have the witness any more, all are compared. A pump that has none of all that are stored between its bounds counts anew; and is that
    // wrong, nothing is told twice.
    return isOther ?? (await this.#differs(segment, { first: Math.max(bounds.first, highest - MOST_COMPARED), last: highest })) ?? true;
  }

  /** Whether the pump has other records by numbers of a range than the store. undefined: by none of them both have one. */
  async #differs(segment: number, range: NumberRange): Promise<boolean | undefined> {
    for await (const { records } of this.#read({ ...range, order: "oldest" })) {
      const isOther = this.#history.hasOther(segment, records);
      if (isOther !== undefined) return isOther;
    }
    return undefined;
  }

  /** A reference has a date, and is no other's; of other records some are kept, since two numberings may have one that is the same in both. */
  #addWitness(segment: number, range: NumberRange): void {
    if (this.#witnesses.length >= WITNESSES || this.#witnesses.some(isDated)) return;
    const witness = this.#history.witness(segment, range);
    if (witness && this.#witnesses.every(({ seq }) => seq !== witness.seq)) this.#witnesses.push(witness);
  }

  /** Whether the pump has another record by a witness's number. Has it none any more, that proves nothing: it may have been overwritten meanwhile. */
  async #hasOther(bounds: HistoryBounds): Promise<boolean> {
    return (await this.#isOther(this.#witnesses, bounds)) ?? false;
  }

  /** Whether the pump has other records by the numbers of these. undefined: it has none by any of them. */
  async #isOther(witnesses: Iterable<Witness>, { first, last }: HistoryBounds): Promise<boolean | undefined> {
    let isSame: false | undefined;
    for (const witness of witnesses) {
      const { seq } = witness;
      if (seq < first || seq > last) continue;
      for await (const { records } of this.#read({ first: seq, last: seq, pageSize: 1 }))
        for (const received of records)
          if (received.record.sequenceNumber === seq) {
            if (!isWitness(received, witness)) return true;
            isSame = false;
          }
    }
    return isSame;
  }

  /** Asks for all that is missing. True: the pump counts anew. */
  async #fetch(segment: number, bounds: HistoryBounds): Promise<boolean> {
    const ranges = this.#history.missing(segment, bounds);
    let left = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    const ordered = this.#options.order === "newest" ? newestFirst(ranges) : ranges.map((each) => ({ ...each, order: "oldest" as const }));
    let emptyPages = 0;
    try {
      for (const range of ordered)
        for await (const page of this.#read(range)) {
          if (await this.#isDoubtful(page)) return true;
          emptyPages = page.records.length > 0 ? 0 : emptyPages + 1;
          if (emptyPages >= MOST_EMPTY_PAGES)
            throw new PumpError(
              "ERR_PUMP_PROTOCOL",
              `The pump has none of ${MOST_EMPTY_PAGES} pages in a row of the history that it names.`,
            );
          this.#options.signal?.throwIfAborted();
          // Lower numbers than those that were asked for are stored, or asked for elsewhere, unless the pump counts anew.
          const records = page.records.filter(({ record }) => record.sequenceNumber >= page.first);
          this.#addPage(segment, { ...page, records }, bounds.last);
          left -= page.last - page.first + 1;
          this.#tell(Math.max(0, left));
        }
    } catch (error) {
      if (error instanceof NumberingRestarted) return true;
      throw error;
    }
    return false;
  }

  #read(range: HistoryRange): AsyncGenerator<HistoryPage, void> {
    const { pageSize } = this.#options;
    return this.#source.history({ ...this.#operation, ...(pageSize && { pageSize }), ...range });
  }

  /** @param newest number of the newest record that the pump has @throws {NumberingRestarted} nothing of it was stored */
  #addPage(segment: number, page: HistoryPage, newest: number): void {
    this.#options.signal?.throwIfAborted();
    const added = this.#history.addPage(segment, this.#run, page, { measurement: this.#measurement, newest });
    this.#newest = Math.max(this.#newest, ...page.records.slice(-1).map(({ record }) => record.sequenceNumber));
    this.#pages++;
    this.#addWitness(segment, page);
    this.#records += added;
  }

  #tell(left: number | undefined): void {
    callOut(this.#options.onProgress, { pages: this.#pages, records: this.#records, left });
    this.#options.signal?.throwIfAborted();
  }

  /**
   * A page with fewer records than were asked for: the pump no longer has them, or has begun to count anew. Where it has none at all it is asked
   * at once; else at the end, so that a history with holes is not interrupted at each of them.
   */
  async #isDoubtful({ first, last, records }: HistoryPage): Promise<boolean> {
    const there = records.filter(({ record }) => record.sequenceNumber >= first && record.sequenceNumber <= last);
    if (there.length > last - first) return false;
    this.#hasHoles = true;
    if (there.length > 0) return false;
    const now = await this.#bounds();
    return now === undefined || now.last < this.#newest;
  }
}

/**
 * The newest numbers in front, for who looks at them meanwhile; then all the rest as it ascends, since a pump sends that without a pause between
 * pages: four times as fast.
 */
function newestFirst(ranges: readonly NumberRange[]): (NumberRange & { readonly order: "newest" | "oldest" })[] {
  const newest = ranges.at(-1);
  if (!newest) return [];
  const first = Math.max(newest.first, newest.last - NEWEST + 1);
  const rest = first > newest.first ? [{ first: newest.first, last: first - 1 }] : [];
  const others = [...ranges.slice(0, -1), ...rest].map((range) => ({ ...range, order: "oldest" as const }));
  return [{ first, last: newest.last, order: "newest" }, ...others];
}
