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
  /** The same, by kind and day. */
  readonly days: Map<string, Map<string, LedgerRow>>;
  progress: LedgerProgress | undefined;
}

const DAY_MS = 86_400_000;
const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS);

/** A ledger that is forgotten with the program: for one upload, and for tests. */
export class MemoryNightscoutLedger implements NightscoutLedger {
  readonly #sites = new Map<string, Site>();

  #site(name: string): Site {
    let site = this.#sites.get(name);
    if (!site) {
      site = { rows: new Map(), days: new Map(), progress: undefined };
      this.#sites.set(name, site);
    }
    return site;
  }

  find(site: string, identifiers: readonly string[]): readonly LedgerRow[] {
    const { rows } = this.#site(site);
    return identifiers.flatMap((identifier) => rows.get(identifier) ?? []);
  }

  between(site: string, kind: string, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): readonly LedgerRow[] {
    const { days } = this.#site(site);
    const found: LedgerRow[] = [];
    for (let day = dayOf(fromMs); day * DAY_MS < toMs; day++)
      for (const row of days.get(`${kind}/${day}`)?.values() ?? []) if (row.atMs >= fromMs && row.atMs < toMs) found.push(row);
    return found.sort((a, b) => a.atMs - b.atMs);
  }

  put(site: string, rows: readonly LedgerRow[]): void {
    const { rows: all, days } = this.#site(site);
    for (const row of rows) {
      const before = all.get(row.identifier);
      if (before) days.get(`${before.kind}/${dayOf(before.atMs)}`)?.delete(row.identifier);
      all.set(row.identifier, row);
      const name = `${row.kind}/${dayOf(row.atMs)}`;
      const day = days.get(name) ?? new Map<string, LedgerRow>();
      days.set(name, day.set(row.identifier, row));
    }
  }

  progress(site: string): LedgerProgress | undefined {
    return this.#site(site).progress;
  }

  setProgress(site: string, progress: LedgerProgress): void {
    this.#site(site).progress = progress;
  }
}
