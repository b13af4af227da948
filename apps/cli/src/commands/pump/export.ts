import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import type { EventKind } from "../../pump/event-kinds.ts";
import { EVER, type PeriodOptions, periodOf } from "../../pump/period.ts";
import { openHistory, type StoreOptions } from "../../pump/store.ts";

interface ExportOptions extends StoreOptions, PeriodOptions {
  readonly kind: readonly EventKind[];
}

/** Writes the history to standard output, as a table or as JSON lines. */
async function write(context: Context, options: ExportOptions, format: "csv" | "jsonl"): Promise<void> {
  await using closing = new Closing();
  const view = await openHistory(context, closing, options);
  const { exportCsv, exportJsonLines } = await import("@jelling/minimed/export");
  const range = periodOf(options, Date.now(), EVER);
  const kinds = options.kind.length > 0 ? { kinds: options.kind } : {};
  for await (const part of (format === "csv" ? exportCsv : exportJsonLines)(view, range, { ...kinds, signal: context.signal })) {
    context.io.stdout.write(part);
    await context.io.stdout.drained();
    context.signal.throwIfAborted();
  }
}

export function csv(context: Context, options: ExportOptions): Promise<void> {
  return write(context, options, "csv");
}

export function jsonLines(context: Context, options: ExportOptions): Promise<void> {
  return write(context, options, "jsonl");
}
