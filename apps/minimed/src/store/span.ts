import type { SqlDatabase } from "./sqlite.ts";
import type { TimeRange } from "./view.ts";

const ENDS = `
  SELECT min(low) AS low, max(high) AS high FROM (
    SELECT min(at_ms) AS low, max(at_ms) AS high FROM record WHERE pump = ?1
    UNION ALL SELECT min(at_ms), max(at_ms) FROM reading WHERE pump = ?1
    UNION ALL SELECT min(at_ms), max(at_ms) FROM status WHERE pump = ?1
    UNION ALL SELECT min(at_ms), max(at_ms) FROM sensor_session WHERE pump = ?1
  )`;

/** From the first to the last of all that has a time. */
export function spanOf(db: SqlDatabase, pump: number): TimeRange | undefined {
  const ends = db.get<{ low: number | null; high: number | null }>(ENDS, pump);
  return ends?.low == null || ends.high === null ? undefined : { fromMs: ends.low, toMs: ends.high + 1 };
}
