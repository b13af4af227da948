/** A step from one version of the schema to the next. Steps are never changed once published: a new version is a new step. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/** "Jel1": tells a history database from another program's. */
export const APPLICATION_ID = 0x4a65_6c31;

/**
 * Times end in their unit: `_ms` UTC since 1970, `local_s` the pump's display read as if it were UTC, `utc_s` an instant. What is decoded
 * stands in columns beside the octets (`amount`, `number`, `word`: what they are of each type is in columns.ts) and can be made again.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE pump (
  id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, label TEXT NOT NULL, model TEXT, firmware TEXT, hardware TEXT, software TEXT,
  first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL
);
CREATE TABLE link_session (
  id INTEGER PRIMARY KEY, pump INTEGER NOT NULL REFERENCES pump, start_ms INTEGER NOT NULL, end_ms INTEGER, reason TEXT,
  clock_difference_s INTEGER, measured_ms INTEGER
);
-- Numbers that the pump held: the lowest that it ever had, the oldest and the newest when it was asked last.
CREATE TABLE segment (
  pump INTEGER NOT NULL REFERENCES pump, number INTEGER NOT NULL, started_by TEXT NOT NULL, started_ms INTEGER NOT NULL,
  lowest_seq INTEGER, oldest_seq INTEGER, newest_seq INTEGER, PRIMARY KEY (pump, number)
) WITHOUT ROWID;
-- Numbers that need not be asked for again, as ranges that do not touch: stored, or gone.
CREATE TABLE covered (
  pump INTEGER NOT NULL, segment INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (pump, segment, first)
) WITHOUT ROWID;
CREATE TABLE record (
  id INTEGER PRIMARY KEY, pump INTEGER NOT NULL, segment INTEGER NOT NULL, seq INTEGER NOT NULL, type INTEGER NOT NULL,
  offset_s INTEGER NOT NULL, raw BLOB NOT NULL, received_ms INTEGER NOT NULL, sync INTEGER, parser INTEGER NOT NULL, problem TEXT,
  shift_s INTEGER NOT NULL, reference_seq INTEGER, local_s INTEGER, at_ms INTEGER,
  amount REAL, amount2 REAL, number INTEGER, number2 INTEGER, word TEXT, word2 TEXT,
  UNIQUE (pump, segment, seq)
);
CREATE INDEX record_by_time ON record (pump, type, at_ms);
CREATE TABLE reference (
  pump INTEGER NOT NULL, segment INTEGER NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL, local_s INTEGER, since_s INTEGER NOT NULL,
  lost INTEGER NOT NULL, utc_s INTEGER, PRIMARY KEY (pump, segment, seq)
) WITHOUT ROWID;
CREATE INDEX reference_unknown ON reference (pump, segment, seq) WHERE utc_s IS NULL;
CREATE TABLE sync_run (
  id INTEGER PRIMARY KEY, pump INTEGER NOT NULL REFERENCES pump, segment INTEGER, start_ms INTEGER NOT NULL, end_ms INTEGER,
  first_seq INTEGER, last_seq INTEGER, records INTEGER NOT NULL, pages INTEGER NOT NULL, result TEXT
);
-- Pages of syncs that did not end well: whether the pump still counted as before was not seen after them.
CREATE TABLE page (
  sync INTEGER NOT NULL, pump INTEGER NOT NULL, segment INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY (pump, segment, first, last)
) WITHOUT ROWID;
CREATE TABLE gap (
  pump INTEGER NOT NULL, segment INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, noted_ms INTEGER NOT NULL,
  PRIMARY KEY (pump, segment, first)
) WITHOUT ROWID;
CREATE TABLE reading (
  id INTEGER PRIMARY KEY, pump INTEGER NOT NULL REFERENCES pump, session_start_s INTEGER NOT NULL, offset_min INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, local_s INTEGER, received_ms INTEGER NOT NULL, mgdl REAL, cause TEXT, trend REAL, quality REAL, state TEXT NOT NULL,
  UNIQUE (pump, session_start_s, offset_min)
);
CREATE INDEX reading_by_time ON reading (pump, at_ms);
CREATE TABLE sensor_session (
  pump INTEGER NOT NULL REFERENCES pump, start_s INTEGER NOT NULL, at_ms INTEGER NOT NULL, run_time_h INTEGER, PRIMARY KEY (pump, start_s)
) WITHOUT ROWID;
CREATE TABLE status (
  id INTEGER PRIMARY KEY, pump INTEGER NOT NULL REFERENCES pump, at_ms INTEGER NOT NULL, iob_iu REAL, reservoir_iu REAL, battery_percent INTEGER,
  transmitter_percent INTEGER, therapy_state TEXT, operational_state TEXT, sensor_message TEXT, shield TEXT
);
CREATE INDEX status_by_time ON status (pump, at_ms);
CREATE TABLE upload (
  site TEXT NOT NULL, identifier TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, hash TEXT NOT NULL, status TEXT NOT NULL,
  sent_ms INTEGER NOT NULL, PRIMARY KEY (site, identifier)
) WITHOUT ROWID;
CREATE INDEX upload_by_time ON upload (site, kind, at_ms);
CREATE TABLE upload_progress (site TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, complete_until_ms INTEGER, api TEXT) WITHOUT ROWID;

-- For who looks into the file with other programs.
CREATE VIEW reference_elapsed AS
  SELECT pump, segment, era, seq, reason, local_s, utc_s, lost,
    sum(CASE WHEN reason = 'date_time_loss' OR is_first THEN 0 ELSE since_s END) OVER (PARTITION BY pump, segment, era ORDER BY seq) AS elapsed_s
  FROM (
    SELECT *, sum(reason = 'date_time_loss') OVER (PARTITION BY pump, segment ORDER BY seq) AS era,
      row_number() OVER (PARTITION BY pump, segment ORDER BY seq) = 1 AS is_first
    FROM reference
  );
CREATE VIEW timed_record AS
  SELECT r.*, datetime(r.local_s, 'unixepoch') AS local_time, datetime(r.at_ms / 1000, 'unixepoch') AS utc, e.elapsed_s + r.shift_s AS elapsed_s
  FROM record r LEFT JOIN reference_elapsed e ON e.pump = r.pump AND e.segment = r.segment AND e.seq = r.reference_seq;
CREATE VIEW glucose AS SELECT pump, segment, seq, utc, local_time, elapsed_s, amount AS mgdl, word AS cause FROM timed_record WHERE type = 61452;
CREATE VIEW micro_bolus AS SELECT pump, segment, seq, utc, local_time, elapsed_s, amount AS iu FROM timed_record WHERE type = 61441;
CREATE VIEW basal AS SELECT pump, segment, seq, utc, local_time, elapsed_s, amount AS rate, type = 61444 AS is_context
  FROM timed_record WHERE type IN (153, 61444);
CREATE VIEW meal AS SELECT pump, segment, seq, utc, local_time, elapsed_s, amount AS carbohydrates_g FROM timed_record WHERE type = 61445 AND amount > 0;
CREATE VIEW bolus AS
  SELECT p.pump, p.segment, p.seq, p.utc, p.local_time, p.elapsed_s, p.number AS bolus_id, p.word AS kind, p.amount AS programmed_fast_iu,
    p.amount2 AS programmed_extended_iu, d.amount AS delivered_fast_iu, d.amount2 AS delivered_extended_iu
  FROM timed_record p LEFT JOIN record d ON d.pump = p.pump AND d.segment = p.segment AND d.type = 105 AND d.number = p.number
    AND d.seq > p.seq AND d.at_ms BETWEEN p.at_ms AND p.at_ms + 86400000
  WHERE p.type = 90;
CREATE VIEW alert AS
  SELECT p.pump, p.segment, p.seq, p.utc, p.local_time, p.elapsed_s, p.number AS instance_id, p.number2 AS code, p.word AS name,
    (SELECT min(c.at_ms) FROM record c WHERE c.pump = p.pump AND c.segment = p.segment AND c.type = 61455 AND c.number = p.number AND c.seq > p.seq)
      AS cleared_ms
  FROM timed_record p WHERE p.type = 61456;
CREATE VIEW suspension AS
  SELECT p.pump, p.segment, p.seq, p.utc, p.local_time, p.elapsed_s, p.word AS reason,
    (SELECT min(c.at_ms) FROM record c WHERE c.pump = p.pump AND c.segment = p.segment AND c.type = 61451 AND c.seq > p.seq) AS ended_ms
  FROM timed_record p WHERE p.type = 61450;
`,
  },
];
