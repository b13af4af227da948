import type { SensorSpecial } from "../history/events.ts";
import type { NoGlucoseCause } from "./causes.ts";
import { localText, SAME_SAMPLE_MS } from "./live-writer.ts";
import type { SqlDatabase } from "./sqlite.ts";
import type { GlucosePoint, TimeRange } from "./view.ts";

const CAUSES: Readonly<Record<SensorSpecial, NoGlucoseCause>> = {
  sensor_starting: "warm_up",
  sensor_updating: "updating",
  above_range: "above_range",
  below_range: "below_range",
  unknown_special: "unknown",
};

interface RecordRow {
  readonly segment: number;
  readonly seq: number;
  readonly at_ms: number;
  readonly local_s: number | null;
  readonly amount: number | null;
  readonly word: SensorSpecial | null;
}
interface ReadingRow {
  readonly at_ms: number;
  readonly local_s: number | null;
  readonly mgdl: number | null;
  readonly cause: NoGlucoseCause | null;
  readonly trend: number | null;
}

/** History and live readings as one curve: what both have of a sample is one point, dated by what came first. */
export function glucosePoints(db: SqlDatabase, pump: number, hash: string, { fromMs, toMs }: TimeRange): GlucosePoint[] {
  const [from, to] = [fromMs - SAME_SAMPLE_MS, toMs + SAME_SAMPLE_MS];
  const records = db.all<RecordRow>(
    `SELECT segment, seq, at_ms, local_s, amount, word FROM record
     WHERE pump = ? AND type = 61452 AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, segment, seq`,
    pump,
    from,
    to,
  );
  const readings = db.all<ReadingRow>(
    "SELECT at_ms, local_s, mgdl, cause, trend FROM reading WHERE pump = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, id",
    pump,
    from,
    to,
  );
  const partners = paired(records, readings);
  const points: GlucosePoint[] = records.map((record, i) => pointOf(hash, record, partners.get(i)));
  const used = new Set(partners.values());
  for (const reading of readings) if (!used.has(reading)) points.push(pointOfReading(reading));
  return points.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).sort((a, b) => a.atMs - b.atMs);
}

/** For each record the reading of the same sample: the nearest, and each once. */
function paired(records: readonly RecordRow[], readings: readonly ReadingRow[]): Map<number, ReadingRow> {
  const partners = new Map<number, ReadingRow>();
  let i = 0;
  for (const reading of readings) {
    while (i < records.length && records[i]!.at_ms < reading.at_ms - SAME_SAMPLE_MS) i++;
    let best: number | undefined;
    for (let j = i; j < records.length && records[j]!.at_ms <= reading.at_ms + SAME_SAMPLE_MS; j++) {
      if (partners.has(j)) continue;
      if (best === undefined || distance(records[j]!, reading) < distance(records[best]!, reading)) best = j;
    }
    if (best !== undefined) partners.set(best, reading);
  }
  return partners;
}

const distance = (record: RecordRow, reading: ReadingRow): number => Math.abs(record.at_ms - reading.at_ms);

/** 0 is a state of the sensor, no value. */
const realValue = (mgdl: number | null | undefined): number | undefined => (mgdl ? mgdl : undefined);

function pointOf(hash: string, { segment, seq, at_ms, local_s, amount, word }: RecordRow, reading: ReadingRow | undefined): GlucosePoint {
  const mgdl = realValue(amount) ?? (word ? undefined : realValue(reading?.mgdl));
  return {
    ref: { pump: hash, segment, sequenceNumber: seq },
    atMs: reading?.at_ms ?? at_ms,
    local: local_s === null ? undefined : localText(local_s),
    mgdl,
    cause: mgdl === undefined ? (word ? CAUSES[word] : (reading?.cause ?? "unknown")) : undefined,
    trendMgdlPerMin: reading?.trend ?? undefined,
  };
}

function pointOfReading({ at_ms, local_s, mgdl, cause, trend }: ReadingRow): GlucosePoint {
  const value = realValue(mgdl);
  return {
    ref: undefined,
    atMs: at_ms,
    local: local_s === null ? undefined : localText(local_s),
    mgdl: value,
    cause: value === undefined ? (cause ?? "unknown") : undefined,
    trendMgdlPerMin: trend ?? undefined,
  };
}

export function newestGlucoseMs(db: SqlDatabase, pump: number): number | undefined {
  const record = db.get<{ at_ms: number }>(
    "SELECT at_ms FROM record WHERE pump = ? AND type = 61452 AND at_ms IS NOT NULL AND amount > 0 ORDER BY at_ms DESC LIMIT 1",
    pump,
  );
  const reading = db.get<{ at_ms: number }>("SELECT at_ms FROM reading WHERE pump = ? AND mgdl > 0 ORDER BY at_ms DESC LIMIT 1", pump);
  const times = [record, reading].flatMap((row) => row?.at_ms ?? []);
  return times.length > 0 ? Math.max(...times) : undefined;
}
