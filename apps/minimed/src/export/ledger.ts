/** What became of a document: "sending" until an answer said what; after an unclear result or a sudden end it stays so. */
export type LedgerStatus = "sending" | "acknowledged" | "refused";

/** A document that was sent to a site. */
export interface LedgerRow {
  /** Of the document, and of what it tells: the same on every run. */
  readonly identifier: string;
  /** What it tells: "sgv", "meal_bolus", "suspension", … */
  readonly kind: string;
  /** Of the event, UTC. */
  readonly atMs: number;
  /** Of the content that was sent last. */
  readonly hash: string;
  readonly status: LedgerStatus;
  readonly sentAtMs: number;
}

/** How far a site is. */
export interface LedgerProgress {
  /** Events before this are not sent by themselves. Fixed by the first upload. */
  readonly sinceMs: number;
  /** Up to here everything was gone through once; undefined until then. */
  readonly completeUntilMs: number | undefined;
  /** By which interface the site got its documents: they do not merge. */
  readonly api: "v1" | "v3" | undefined;
}

type Maybe<T> = T | Promise<T>;

/**
 * What was sent where, so that nothing is sent twice. `site` names a site and a pump, and nothing about either can be read from it. A promise that
 * resolves means: it is kept.
 */
export interface NightscoutLedger {
  /** Those of them that are known. */
  find(site: string, identifiers: readonly string[]): Maybe<readonly LedgerRow[]>;
  /** Of one kind, from `fromMs` to before `toMs`, ascending by time. */
  between(site: string, kind: string, range: { readonly fromMs: number; readonly toMs: number }): Maybe<readonly LedgerRow[]>;
  /** Keeps all of them or none; a row of the same identifier is replaced. */
  put(site: string, rows: readonly LedgerRow[]): Maybe<void>;
  progress(site: string): Maybe<LedgerProgress | undefined>;
  setProgress(site: string, progress: LedgerProgress): Maybe<void>;
}

interface Site {
  readonly rows: Map<string, LedgerRow>;
  progress: LedgerProgress | undefined;
}

/** A ledger that is forgotten with the program: for one upload, and for tests. */
export class MemoryNightscoutLedger implements NightscoutLedger {
  readonly #sites = new Map<string, Site>();

  #site(name: string): Site {
    let site = this.#sites.get(name);
    if (!site) {
      site = { rows: new Map(), progress: undefined };
      this.#sites.set(name, site);
    }
    return site;
  }

  find(site: string, identifiers: readonly string[]): readonly LedgerRow[] {
    const { rows } = this.#site(site);
    return identifiers.flatMap((identifier) => rows.get(identifier) ?? []);
  }

  between(site: string, kind: string, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): readonly LedgerRow[] {
    return [...this.#site(site).rows.values()]
      .filter((row) => row.kind === kind && row.atMs >= fromMs && row.atMs < toMs)
      .sort((a, b) => a.atMs - b.atMs);
  }

  put(site: string, rows: readonly LedgerRow[]): void {
    for (const row of rows) this.#site(site).rows.set(row.identifier, row);
  }

  progress(site: string): LedgerProgress | undefined {
    return this.#site(site).progress;
  }

  setProgress(site: string, progress: LedgerProgress): void {
    this.#site(site).progress = progress;
  }
}
