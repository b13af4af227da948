import { type EventRow, EventType, eventRows, timed } from "./event-rows.ts";
import type { SqlDatabase } from "./sqlite.ts";
import type { BolusEvent, TimeRange } from "./view.ts";

/** Bolus ids wrap: the same one later than that is another bolus. */
const SAME_BOLUS_MS = 86_400_000;

interface Parts {
  readonly one: EventRow;
  readonly two: EventRow | undefined;
}

/** What was programmed joined with what was delivered. A bolus is dated, and named, by what programmed it, where the store has that. */
export function bolusEvents(db: SqlDatabase, pump: number, hash: string, { fromMs, toMs }: TimeRange): BolusEvent[] {
  const { BolusProgrammed1, BolusProgrammed2, BolusDelivered1, BolusDelivered2 } = EventType;
  const range = { fromMs: fromMs - SAME_BOLUS_MS, toMs: toMs + SAME_BOLUS_MS };
  const rows = eventRows(db, pump, [BolusProgrammed1, BolusProgrammed2, BolusDelivered1, BolusDelivered2], range);
  const programmed = withSecondParts(rows, BolusProgrammed1, BolusProgrammed2);
  const delivered = withSecondParts(rows, BolusDelivered1, BolusDelivered2);
  const used = new Set<Parts>();
  const events = programmed.map((parts, i) => {
    const next = programmed.slice(i + 1).find(({ one }) => one.number === parts.one.number);
    const found = delivered.find((other) => !used.has(other) && belongs(parts.one, other.one, next?.one));
    if (found) used.add(found);
    return bolusOf(hash, parts, found);
  });
  for (const parts of delivered) if (!used.has(parts)) events.push(bolusOf(hash, undefined, parts));
  return events
    .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
    .sort((a, b) => a.atMs - b.atMs || a.ref.segment - b.ref.segment || a.ref.sequenceNumber - b.ref.sequenceNumber);
}

function belongs(programmed: EventRow, delivered: EventRow, next: EventRow | undefined): boolean {
  const isBehind = delivered.segment > programmed.segment || (delivered.segment === programmed.segment && delivered.seq > programmed.seq);
  const isBeforeNext = !next || next.segment > delivered.segment || (next.segment === delivered.segment && next.seq > delivered.seq);
  return delivered.number === programmed.number && isBehind && isBeforeNext && delivered.at_ms - programmed.at_ms <= SAME_BOLUS_MS;
}

/** A second part has the next number and the same offset. */
function withSecondParts(rows: readonly EventRow[], first: number, second: number): Parts[] {
  const seconds = new Map(rows.filter(({ type }) => type === second).map((row) => [`${row.segment}:${row.seq}`, row]));
  return rows
    .filter(({ type, number }) => type === first && number !== null) // null: its data could not be read
    .map((one) => {
      const two = seconds.get(`${one.segment}:${one.seq + 1}`);
      return { one, two: two?.offset_s === one.offset_s ? two : undefined };
    });
}

function bolusOf(hash: string, programmed: Parts | undefined, delivered: Parts | undefined): BolusEvent {
  const named = (programmed ?? delivered)!;
  const amounts = (parts: Parts | undefined): BolusEvent["deliveredIu"] =>
    parts && { fast: parts.one.amount ?? 0, extended: parts.one.amount2 ?? 0 };
  const kind = named.one.word;
  return {
    ...timed(hash, named.one),
    bolusId: named.one.number ?? 0,
    kind: kind === "fast" || kind === "extended" || kind === "multiwave" ? kind : "unknown",
    automatic: programmed?.two?.word === "commanded" || delivered?.two?.word === "commanded",
    programmedIu: amounts(programmed),
    deliveredIu: amounts(delivered),
    durationMin: named.one.number2 ?? 0,
    endReason: delivered?.two?.word2 ?? undefined,
  };
}
