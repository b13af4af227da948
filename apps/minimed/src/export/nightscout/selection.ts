import type { LedgerRow, NightscoutLedger } from "../ledger.ts";
import { isoUtc } from "../rows.ts";
import { SAME_SAMPLE_MS } from "./entries.ts";
import { contentHash } from "./identifier.ts";
import { type NightscoutItem, type NightscoutKind, SNOOZE_MS } from "./items.ts";
import { SAME_SENSOR_MS } from "./marks.ts";

/** More than this ahead of the site's clock it takes for the future, and ignores it. */
const FUTURE_MS = 2 * 60_000;

/** What may be known under another name, because it was read live before the history told it, or was read twice. */
const TWINS: { readonly [Kind in NightscoutKind]?: { readonly kinds: readonly NightscoutKind[]; readonly withinMs: number } } = {
  sgv: { kinds: ["sgv_live"], withinMs: SAME_SAMPLE_MS },
  sgv_live: { kinds: ["sgv", "sgv_live"], withinMs: SAME_SAMPLE_MS },
  range_note: { kinds: ["range_note_live"], withinMs: SAME_SAMPLE_MS },
  range_note_live: { kinds: ["range_note", "range_note_live"], withinMs: SAME_SAMPLE_MS },
  sensor_start: { kinds: ["sensor_start"], withinMs: SAME_SENSOR_MS },
  sensor_change: { kinds: ["sensor_change"], withinMs: SAME_SENSOR_MS },
};

/** What of some documents is to be sent. */
export interface Selection {
  readonly toSend: readonly ToSend[];
  /** Are there, as they are. */
  readonly unchanged: number;
  /** Wait until they are whole, or old enough to disturb nobody. */
  readonly held: number;
  /** Lie in the site's future: a clock is wrong. */
  readonly future: number;
}

export interface ToSend {
  readonly item: NightscoutItem;
  /** It was sent before: what became of it is not known, or it was another content. */
  readonly mayBeThere: boolean;
}

export interface SelectionTimes {
  readonly nowMs: number;
  /** Now, as the site has it. */
  readonly siteMs: number;
}

/** Decides by what the ledger has. */
export async function select(
  ledger: NightscoutLedger,
  site: string,
  items: readonly NightscoutItem[],
  { nowMs, siteMs }: SelectionTimes,
): Promise<Selection> {
  const identifiers = new Set(items.flatMap(({ identifier, related }) => [identifier, ...related]));
  const rows = new Map((await ledger.find(site, [...identifiers])).map((row) => [row.identifier, row]));
  const twins = await twinsOf(ledger, site, items);
  const toSend: ToSend[] = [];
  let [unchanged, held, future] = [0, 0, 0];
  for (const mapped of items) {
    if (!mapped.isWanted((identifier) => rows.get(identifier))) continue;
    const row = rows.get(mapped.identifier);
    const item = row && row.atMs !== mapped.atMs ? withTimeOf(mapped, row) : mapped;
    if (row && isDone(row, item)) unchanged++;
    else if (item.held !== undefined) held++;
    else if (item.atMs > siteMs + FUTURE_MS) future++;
    else if (item.isQuiet && nowMs - item.atMs < SNOOZE_MS) held++;
    else {
      const twin = row ? undefined : twins.find((other) => isTwin(item, other));
      if (!twin) toSend.push({ item, mayBeThere: row !== undefined && row.status !== "refused" });
      // If the twin is not there after all, it is sent under the name by which it would be there.
      else if (twin.status === "sending" && item.collection === "entries") toSend.push({ item: asTwin(item, twin), mayBeThere: true });
      else unchanged++;
    }
  }
  return { toSend, unchanged, held, future };
}

function isDone(row: LedgerRow, { hash, postOnce }: NightscoutItem): boolean {
  if (row.status === "sending") return false;
  return row.hash === hash || (row.status === "acknowledged" && postOnce);
}

async function twinsOf(ledger: NightscoutLedger, site: string, items: readonly NightscoutItem[]): Promise<LedgerRow[]> {
  const ranges = new Map<NightscoutKind, { fromMs: number; toMs: number }>();
  for (const { kind, atMs } of items) {
    const { kinds = [], withinMs = 0 } = TWINS[kind] ?? {};
    for (const twin of kinds) {
      const range = ranges.get(twin) ?? { fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY };
      ranges.set(twin, { fromMs: Math.min(range.fromMs, atMs - withinMs), toMs: Math.max(range.toMs, atMs + withinMs + 1) });
    }
  }
  const twins: LedgerRow[] = [];
  for (const [kind, range] of ranges) twins.push(...(await ledger.between(site, kind, range)));
  return twins.filter(({ status }) => status !== "refused");
}

function isTwin({ kind, atMs, identifier }: NightscoutItem, row: LedgerRow): boolean {
  const { kinds = [], withinMs = 0 } = TWINS[kind] ?? {};
  return (kinds as readonly string[]).includes(row.kind) && row.identifier !== identifier && Math.abs(row.atMs - atMs) <= withinMs;
}

function asTwin(item: NightscoutItem, row: LedgerRow): NightscoutItem {
  const { identifier, kind } = row;
  return withTimeOf(
    { ...item, kind: kind as NightscoutKind, identifier, document: { ...item.document, identifier, syncIdentifier: identifier } },
    row,
  );
}

/** What is there keeps its time, whatever its record is dated by now: the site would take another time for another event, or refuse it. */
function withTimeOf(item: NightscoutItem, { atMs }: LedgerRow): NightscoutItem {
  const time = isoUtc(atMs);
  const document = { ...item.document, ...(item.collection === "entries" ? { date: atMs, dateString: time } : { created_at: time }) };
  return { ...item, atMs, document, hash: contentHash(document) };
}
