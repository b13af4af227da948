import { createHash } from "node:crypto";
import { checkBoolean, checkFunction, checkOptions, checkSignal, checkText, Logger, optionNames } from "jelling/core";
import type { PumpInformation } from "../connector/pump-session.ts";
import type { WallClock } from "../live/state.ts";
import { redactName } from "../redact.ts";
import { PumpStoreError } from "./error.ts";
import { StoreLedger } from "./ledger.ts";
import { type OpenDatabase, openDatabase } from "./open.ts";
import { PumpHistory } from "./pump-history.ts";
import { MIGRATIONS, type Migration } from "./schema.ts";
import type { OnStatement, SqlDatabase } from "./sqlite.ts";

export interface PumpStoreOptions {
  /** A copy of the present state is read, whoever writes the file; nothing of the file or its folder is changed. */
  readonly readOnly?: boolean | undefined;
  /** `Date.now` by default. */
  readonly wallClock?: WallClock | undefined;
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A pump that the store knows. */
export interface StoredPump {
  /** Salted hash of its serial number, 16 hexadecimal digits. */
  readonly pump: string;
  /** Serial number with its digits hidden but the last. */
  readonly label: string;
  readonly model: string | undefined;
  readonly firmware: string | undefined;
  readonly hardware: string | undefined;
  readonly software: string | undefined;
  /** UTC. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

interface PumpRow {
  readonly id: number;
  readonly hash: string;
  readonly label: string;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly hardware: string | null;
  readonly software: string | null;
  readonly first_seen_ms: number;
  readonly last_seen_ms: number;
}

/** For tests: another schema, a look at every statement. */
export interface StoreHooks {
  readonly migrations?: readonly Migration[] | undefined;
  readonly onStatement?: OnStatement | undefined;
  readonly onOpen?: ((db: SqlDatabase) => void) | undefined;
}

const OPTION_NAMES = optionNames<PumpStoreOptions>({ readOnly: true, wallClock: true, logger: true, signal: true });
const HASH_DIGITS = 16;

/**
 * The history database: one SQLite file for all pumps of a user. One process at a time has it open for writing; a process that is killed loses
 * nothing that was kept, and the next one takes over.
 */
export class PumpStore implements Disposable {
  readonly path: string;
  /** Copy that was made beside the file before its schema was changed at this opening; undefined: it was not. */
  readonly backup: string | undefined;
  /** What was uploaded where. */
  readonly ledger: StoreLedger;
  readonly #opened: OpenDatabase;
  readonly #isReadOnly: boolean;
  readonly #wallClock: WallClock;
  readonly #histories = new Map<number, PumpHistory>();

  /** Made by `open`. */
  private constructor(path: string, opened: OpenDatabase, options: PumpStoreOptions) {
    this.path = path;
    this.backup = opened.backup;
    this.#opened = opened;
    this.#isReadOnly = options.readOnly ?? false;
    this.#wallClock = options.wallClock ?? Date.now;
    this.ledger = new StoreLedger(opened.db, (act) => this.#change(act));
  }

  /**
   * Opens the database; for writing it is made where there is none (mode 0600, its folder 0700), and brought to the present schema, a copy of
   * it being made first.
   *
   * @throws {PumpStoreError} nothing has been changed
   * @throws `signal.reason`
   */
  static async open(path: string, options: PumpStoreOptions = {}): Promise<PumpStore> {
    return PumpStore.openWith(path, options, {});
  }

  /** @internal */
  static async openWith(path: string, options: PumpStoreOptions, hooks: StoreHooks): Promise<PumpStore> {
    checkText("PumpStore.open: path", path);
    checkOptions("PumpStore.open", options, OPTION_NAMES);
    checkBoolean("PumpStore.open: readOnly", options.readOnly);
    checkFunction("PumpStore.open: wallClock", options.wallClock);
    checkSignal("PumpStore.open: signal", options.signal);
    options.signal?.throwIfAborted();
    const { wallClock = Date.now, logger = Logger.silent, readOnly = false, signal } = options;
    const migrations = hooks.migrations ?? MIGRATIONS;
    const opened = await openDatabase(path, { migrations, readOnly, nowMs: wallClock(), signal, onStatement: hooks.onStatement });
    hooks.onOpen?.(opened.db);
    const store = new PumpStore(path, opened, options);
    if (opened.backup) logger.info(() => `the history database has a new schema; as it was before it is in ${opened.backup}`);
    return store;
  }

  /**
   * The history of a pump, new or known.
   *
   * @param serial number of the pump, or another text that is its own and stays; only a salted hash of it is kept
   * @param information what the pump says of itself, kept beside
   * @throws {PumpStoreError} the store did not take a new pump; "ERR_PUMP_STORE_READ_ONLY" it may not
   */
  pump(serial: string, information?: PumpInformation): PumpHistory {
    checkText("PumpStore.pump: serial", serial);
    const hash = this.#hash(serial);
    const row = this.#row(hash) ?? this.#addPump(hash, redactName(serial));
    if (information && !this.#isReadOnly) this.#saveInformation(row, information);
    return this.#historyOf(row);
  }

  /** Pumps that the store knows, the one that was seen last first. */
  pumps(): StoredPump[] {
    return this.#opened.db.all<PumpRow>("SELECT * FROM pump ORDER BY last_seen_ms DESC, id DESC").map((row) => ({
      pump: row.hash,
      label: row.label,
      model: row.model ?? undefined,
      firmware: row.firmware ?? undefined,
      hardware: row.hardware ?? undefined,
      software: row.software ?? undefined,
      firstSeenMs: row.first_seen_ms,
      lastSeenMs: row.last_seen_ms,
    }));
  }

  /** The history of a pump by its name in the store, as `pumps` tells it; undefined: there is none. */
  history(pump: string): PumpHistory | undefined {
    const row = this.#row(checkText("PumpStore.history: pump", pump));
    return row && this.#historyOf(row);
  }

  /** Whether the database is sound, by SQLite's own check. @throws {PumpStoreError} */
  isSound(): boolean {
    const rows = this.#opened.db.all("PRAGMA integrity_check");
    return rows.length === 1 && Object.values(rows[0]!)[0] === "ok";
  }

  /** Histories of it are of no more use. Twice does no harm. */
  close(): void {
    this.#opened.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #change<T>(act: () => T): T {
    if (this.#isReadOnly) throw new PumpStoreError("ERR_PUMP_STORE_READ_ONLY", this.path, `${this.path}: it was opened to be read only`);
    return this.#opened.db.transaction(act);
  }

  #hash(serial: string): string {
    const salt = this.#opened.db.get<{ value: string }>("SELECT value FROM meta WHERE key = 'salt'")!.value;
    return createHash("sha256").update(salt).update(serial).digest("hex").slice(0, HASH_DIGITS);
  }

  #row(hash: string): PumpRow | undefined {
    return this.#opened.db.get<PumpRow>("SELECT * FROM pump WHERE hash = ?", hash);
  }

  #addPump(hash: string, label: string): PumpRow {
    return this.#change(() => {
      const nowMs = Math.round(this.#wallClock());
      this.#opened.db.run("INSERT INTO pump (hash, label, first_seen_ms, last_seen_ms) VALUES (?, ?, ?, ?)", hash, label, nowMs, nowMs);
      return this.#row(hash)!;
    });
  }

  #saveInformation(row: PumpRow, { model, firmware, hardware, software }: PumpInformation): void {
    const values = [model ?? row.model, firmware ?? row.firmware, hardware ?? row.hardware, software ?? row.software];
    if (values.every((value, i) => value === [row.model, row.firmware, row.hardware, row.software][i])) return;
    this.#change(() =>
      this.#opened.db.run("UPDATE pump SET model = ?, firmware = ?, hardware = ?, software = ? WHERE id = ?", ...values, row.id),
    );
  }

  #historyOf({ id, hash, label }: PumpRow): PumpHistory {
    let history = this.#histories.get(id);
    if (!history) {
      const { db } = this.#opened;
      history = new PumpHistory({ db, pump: id, hash, label, wallClock: this.#wallClock, change: (act) => this.#change(act) });
      this.#histories.set(id, history);
    }
    return history;
  }
}
