import { type NumberRange, without } from "./ranges.ts";
import type { SqlDatabase } from "./sqlite.ts";
import type { SequenceGap } from "./view.ts";

/** Sequence numbers that a pump holds, both included. */
export interface SeenRange {
  readonly first: number | undefined;
  readonly last: number;
}

export type SegmentStart = "first_sight" | "sequence_restarted";

interface SegmentRow {
  readonly number: number;
  readonly lowest_seq: number | null;
  readonly oldest_seq: number | null;
  readonly newest_seq: number | null;
}

/** The stretches of one pump's history within which a number means one record. */
export class Segments {
  readonly #db: SqlDatabase;
  readonly #pump: number;

  constructor(db: SqlDatabase, pump: number) {
    this.#db = db;
    this.#pump = pump;
  }

  /** Number of the one that records are added to; undefined before there is any. */
  current(): number | undefined {
    return (
      this.#db.get<{ number: number | null }>("SELECT max(number) AS number FROM segment WHERE pump = ?", this.#pump)?.number ?? undefined
    );
  }

  start(startedBy: SegmentStart, nowMs: number): number {
    const number = (this.current() ?? -1) + 1;
    this.#db.run("INSERT INTO segment (pump, number, started_by, started_ms) VALUES (?, ?, ?, ?)", this.#pump, number, startedBy, nowMs);
    return number;
  }

  /** Highest number stored of a segment. */
  highest(segment: number): number | undefined {
    return (
      this.#db.get<{ seq: number | null }>("SELECT max(seq) AS seq FROM record WHERE pump = ? AND segment = ?", this.#pump, segment)?.seq ??
      undefined
    );
  }

  /** @param bounds without `first`: the oldest that the pump has is what it was */
  saveBounds(segment: number, { first, last }: SeenRange): void {
    this.#db.run(
      `UPDATE segment SET lowest_seq = coalesce(min(lowest_seq, ?1), lowest_seq, ?1), oldest_seq = coalesce(?1, oldest_seq), newest_seq = ?2
       WHERE pump = ?3 AND number = ?4 AND (oldest_seq IS NOT coalesce(?1, oldest_seq) OR newest_seq IS NOT ?2)`,
      first ?? null,
      last,
      this.#pump,
      segment,
    );
  }

  /** Whether numbers are missing among those that were asked for, and that the pump had when it told its bounds: a sync was cut short. */
  hasHoles(segment: number): boolean {
    const covered = this.covered(segment);
    const { oldest_seq } = this.#db.get<{ oldest_seq: number | null }>(
      "SELECT oldest_seq FROM segment WHERE pump = ? AND number = ?",
      this.#pump,
      segment,
    )!;
    const last = covered.at(-1)?.last;
    return last !== undefined && without({ first: oldest_seq ?? covered[0]!.first, last }, covered).length > 0;
  }

  covered(segment: number): NumberRange[] {
    return this.#db.all<NumberRange>("SELECT first, last FROM covered WHERE pump = ? AND segment = ? ORDER BY first", this.#pump, segment);
  }

  /** What the pump holds and was not asked for. */
  missing(segment: number, { first, last }: NumberRange): NumberRange[] {
    return without({ first, last }, this.covered(segment));
  }

  gaps(): SequenceGap[] {
    const rows = this.#db.all<SegmentRow>(
      "SELECT number, lowest_seq, oldest_seq, newest_seq FROM segment WHERE pump = ? ORDER BY number",
      this.#pump,
    );
    const current = rows.at(-1)?.number;
    return rows.flatMap((row) => this.#gapsOf(row, row.number === current));
  }

  #gapsOf({ number, lowest_seq, oldest_seq, newest_seq }: SegmentRow, isCurrent: boolean): SequenceGap[] {
    const covered = this.covered(number);
    const first = Math.min(lowest_seq ?? Number.POSITIVE_INFINITY, covered[0]?.first ?? Number.POSITIVE_INFINITY);
    const last = Math.max(newest_seq ?? Number.NEGATIVE_INFINITY, covered.at(-1)?.last ?? Number.NEGATIVE_INFINITY);
    if (!(first <= last)) return [];
    const gaps: SequenceGap[] = this.#db
      .all<NumberRange>("SELECT first, last FROM gap WHERE pump = ? AND segment = ?", this.#pump, number)
      .map((gap) => ({ segment: number, first: gap.first, last: gap.last, gone: true }));
    for (const hole of without({ first, last }, covered)) {
      // Numbers that the pump has overwritten, or counts anew, can no longer be asked for.
      const held = isCurrent ? (oldest_seq ?? hole.first) : Number.POSITIVE_INFINITY;
      if (hole.first < held) gaps.push({ segment: number, first: hole.first, last: Math.min(hole.last, held - 1), gone: true });
      if (hole.last >= held) gaps.push({ segment: number, first: Math.max(hole.first, held), last: hole.last, gone: false });
    }
    return joined(gaps.sort((a, b) => a.first - b.first));
  }

  addPage(segment: number, sync: number, { first, last }: NumberRange): void {
    this.#db.run(
      "INSERT OR REPLACE INTO page (sync, pump, segment, first, last) VALUES (?, ?, ?, ?, ?)",
      sync,
      this.#pump,
      segment,
      first,
      last,
    );
  }

  /** After all pages the pump was seen to count as before. */
  forgetPages(): void {
    this.#db.run("DELETE FROM page WHERE pump = ?", this.#pump);
  }

  /**
   * Takes out of a segment the pages that came after the pump had begun to count anew: the new segment has every record of such a page.
   */
  dropTwins(segment: number, successor: number, nowMs: number): void {
    const pages = this.#db.all<NumberRange>("SELECT first, last FROM page WHERE pump = ? AND segment = ?", this.#pump, segment);
    this.#db.run("DELETE FROM page WHERE pump = ? AND segment = ?", this.#pump, segment);
    for (const { first, last } of pages) {
      const rows = this.#db.all<{ seq: number; twin: number }>(
        `SELECT o.seq, n.raw IS o.raw AS twin FROM record o
         LEFT JOIN record n ON n.pump = o.pump AND n.segment = ? AND n.seq = o.seq
         WHERE o.pump = ? AND o.segment = ? AND o.seq BETWEEN ? AND ? ORDER BY o.seq`,
        successor,
        this.#pump,
        segment,
        first,
        last,
      );
      if (rows.length === 0 || rows.some(({ twin }) => !twin)) continue;
      for (const table of ["record", "reference", "gap"])
        this.#db.run(
          `DELETE FROM ${table} WHERE pump = ? AND segment = ? AND ${table === "gap" ? "first" : "seq"} BETWEEN ? AND ?`,
          this.#pump,
          segment,
          first,
          last,
        );
      this.#db.run(
        "INSERT OR REPLACE INTO gap (pump, segment, first, last, noted_ms) VALUES (?, ?, ?, ?, ?)",
        this.#pump,
        segment,
        first,
        last,
        nowMs,
      );
    }
  }
}

function joined(gaps: readonly SequenceGap[]): SequenceGap[] {
  const result: SequenceGap[] = [];
  for (const gap of gaps) {
    const before = result.at(-1);
    // Databases of before have some that overlap.
    if (before && before.gone === gap.gone && before.last + 1 >= gap.first)
      result[result.length - 1] = { ...before, last: Math.max(before.last, gap.last) };
    else result.push(gap);
  }
  return result;
}
