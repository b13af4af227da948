import type { SqlDatabase } from "./sqlite.ts";
import type { TimeRange } from "./view.ts";

/** A document that was sent to a site. */
export interface StoredUpload {
  readonly identifier: string;
  readonly kind: string;
  readonly atMs: number;
  readonly hash: string;
  readonly status: "sending" | "acknowledged" | "refused";
  readonly sentAtMs: number;
}

/** How far a site is. */
export interface StoredUploadProgress {
  readonly sinceMs: number;
  readonly completeUntilMs: number | undefined;
  readonly api: "v1" | "v3" | undefined;
}

const COLUMNS = "identifier, kind, at_ms AS atMs, hash, status, sent_ms AS sentAtMs";

/** What was sent where, kept in the history database: the ledger of a Nightscout uploader. */
export class StoreLedger {
  readonly #db: SqlDatabase;
  readonly #change: <T>(act: () => T) => T;

  /** Made by the store. @param change runs a change of the database, or refuses it */
  constructor(db: SqlDatabase, change: <T>(act: () => T) => T) {
    this.#db = db;
    this.#change = change;
  }

  /** Those of them that are known. */
  find(site: string, identifiers: readonly string[]): StoredUpload[] {
    return identifiers.flatMap((identifier) =>
      this.#db.all<StoredUpload>(`SELECT ${COLUMNS} FROM upload WHERE site = ? AND identifier = ?`, site, identifier),
    );
  }

  /** Of one kind, ascending by time. */
  between(site: string, kind: string, { fromMs, toMs }: TimeRange): StoredUpload[] {
    return this.#db.all<StoredUpload>(
      `SELECT ${COLUMNS} FROM upload WHERE site = ? AND kind = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, identifier`,
      site,
      kind,
      fromMs,
      toMs,
    );
  }

  /** Keeps all of them or none; a row of the same identifier is replaced. @throws {PumpStoreError} */
  put(site: string, rows: readonly StoredUpload[]): void {
    this.#change(() => {
      for (const { identifier, kind, atMs, hash, status, sentAtMs } of rows)
        this.#db.run(
          "INSERT OR REPLACE INTO upload (site, identifier, kind, at_ms, hash, status, sent_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
          site,
          identifier,
          kind,
          atMs,
          hash,
          status,
          sentAtMs,
        );
    });
  }

  progress(site: string): StoredUploadProgress | undefined {
    const row = this.#db.get<{ since_ms: number; complete_until_ms: number | null; api: "v1" | "v3" | null }>(
      "SELECT since_ms, complete_until_ms, api FROM upload_progress WHERE site = ?",
      site,
    );
    return row && { sinceMs: row.since_ms, completeUntilMs: row.complete_until_ms ?? undefined, api: row.api ?? undefined };
  }

  /** @throws {PumpStoreError} */
  setProgress(site: string, { sinceMs, completeUntilMs, api }: StoredUploadProgress): void {
    this.#change(() =>
      this.#db.run(
        "INSERT OR REPLACE INTO upload_progress (site, since_ms, complete_until_ms, api) VALUES (?, ?, ?, ?)",
        site,
        sinceMs,
        completeUntilMs ?? null,
        api ?? null,
      ),
    );
  }
}
