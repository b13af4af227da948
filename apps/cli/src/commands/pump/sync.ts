import type { SyncResult } from "@jelling/minimed/store";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { CommandError, oneLine } from "../../errors.ts";
import { followPump } from "../../pump/follow.ts";
import { keepHistory, progressText } from "../../pump/keep-history.ts";
import { openPump, type PumpOptions } from "../../pump/open.ts";
import { openStore } from "../../pump/store.ts";

interface SyncCommandOptions extends PumpOptions {
  readonly store?: string;
  readonly watch?: boolean;
  readonly order: "newest" | "oldest";
}

/** Reads what the store lacks of a pump's history; with `--watch` it stays, and reads on whenever the pump records something. */
export async function sync(context: Context, { store: path, watch = false, order, ...options }: SyncCommandOptions): Promise<void> {
  const { terminal } = context;
  await using closing = new Closing();
  const pump = await openPump(context, closing, options);
  const store = await openStore(context, closing, { store: path, wallClock: pump.wallClock, simulated: pump.simulated });
  let settle = (_outcome: { readonly error?: unknown }): void => undefined;
  const first = new Promise<{ readonly error?: unknown }>((resolve) => {
    settle = resolve;
  });
  const tell = ({ records, pages, bounds, restarted }: SyncResult, recordCount: number): void =>
    terminal.result(
      () => ({ records, pages, bounds, restarted, recordCount, store: store.path }),
      () => `${records} new records${restarted ? ", numbered anew by the pump" : ""}; ${recordCount} in ${store.path}`,
    );
  const kept = await keepHistory(context, closing, store, {
    clock: pump.clock,
    order,
    retries: watch,
    onProgress: (progress) => terminal.status(progressText(progress)),
    onSynced: (result, history) => {
      terminal.status("");
      tell(result, history.recordCount);
      settle({});
    },
    onFailed: (error) => {
      terminal.status("");
      settle({ error });
      // It goes on where it ended.
      if (watch) terminal.note(`not read to its end: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
  const { monitor, until, stay } = await followPump(context, closing, pump, { history: kept.read });
  kept.follow(monitor);
  if (watch) return await stay();
  const { error } = await until(() => first);
  if (error === undefined) return;
  const why = oneLine(error instanceof Error ? error.message : "unexpected error").replace(/[.!]$/, "");
  throw new CommandError(`the history was not read to its end: ${why}; what came is kept, and the next sync goes on from there`, {
    cause: error,
  });
}
