import type { GlucosePoint } from "@jelling/minimed";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import type { EventKind } from "../../pump/event-kinds.ts";
import { listEvents } from "../../pump/history-text.ts";
import { type PeriodOptions, periodOf, periodText } from "../../pump/period.ts";
import { durationWords } from "../../pump/state-text.ts";
import { openForReading, openHistory, type StoreOptions } from "../../pump/store.ts";
import { printable } from "../../text.ts";

const DAY_MS = 86_400_000;
/** Readings come every five minutes: with more between two of them some are missing. */
const GAP_MS = 12 * 60_000;

interface HistoryOptions extends StoreOptions, PeriodOptions {
  readonly kind: readonly EventKind[];
  readonly gaps?: boolean;
  readonly pumps?: boolean;
}

/** Lists what the history database holds. */
export async function history(context: Context, options: HistoryOptions): Promise<void> {
  const { terminal } = context;
  await using closing = new Closing();
  if (options.pumps) {
    for (const { pump, label, model, firmware, lastSeenMs } of (await openForReading(context, closing, options.store)).pumps())
      terminal.result(
        () => ({ pump, label, model, firmware, lastSeen: iso(lastSeenMs) }),
        () => printable(`${pump}  ${label}  ${model ?? "unknown model"}, seen ${iso(lastSeenMs)}`),
      );
    return;
  }
  const view = await openHistory(context, closing, options);
  const range = periodOf(options, Date.now(), DAY_MS);
  if (options.gaps) {
    for (const { segment, first, last, gone } of view.gaps())
      terminal.result(
        () => ({ type: "records", segment, first, last, gone }),
        () =>
          `records ${first === last ? first : `${first} to ${last}`} ${gone ? "are not in the pump any more" : "were not read yet"}${segment > 0 ? ` (numbering ${segment + 1})` : ""}`,
      );
    for (const { from, to } of glucoseGaps(view.glucose(range)))
      terminal.result(
        () => ({ type: "glucose", from: iso(from.atMs), to: iso(to.atMs), local: from.local }),
        () => `${(from.local ?? iso(from.atMs)).replace("T", " ")}  no glucose for ${durationWords(to.atMs - from.atMs)}`,
      );
    return;
  }
  let count = 0;
  for await (const { kind, atMs, local, text, json } of listEvents(view, range, { kinds: options.kind, signal: context.signal })) {
    count++;
    terminal.result(
      () => ({ kind, at: iso(atMs), ...json }),
      () => printable(`${(local ?? iso(atMs)).replace("T", " ")}  ${kind.padEnd(13)}  ${text}`),
    );
    await terminal.flush();
  }
  if (count > 0 || terminal.json) return;
  const newest = view.newestMs === undefined ? "" : `; its newest glucose is of ${iso(view.newestMs)}`;
  terminal.note(`nothing ${periodText(range)}${newest}`);
}

/** Neighbours with a value that lie too far apart. */
function glucoseGaps(points: readonly GlucosePoint[]): { from: GlucosePoint; to: GlucosePoint }[] {
  const valued = points.filter(({ mgdl }) => mgdl !== undefined);
  return valued.slice(1).flatMap((to, i) => (to.atMs - valued[i]!.atMs > GAP_MS ? [{ from: valued[i]!, to }] : []));
}

const iso = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`;
