import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { followPump } from "../../pump/follow.ts";
import { keepHistory, progressText } from "../../pump/keep-history.ts";
import { openPump, type PumpOptions } from "../../pump/open.ts";
import { openStore } from "../../pump/store.ts";

interface WebOptions extends PumpOptions {
  readonly store?: string;
  readonly port?: number;
  readonly host?: string;
  readonly pageFolder?: string;
}

/** A page with what the pump shows and its history, for this computer, until Ctrl-C. */
export async function web(context: Context, { store: path, port, host, pageFolder, ...options }: WebOptions): Promise<void> {
  const { terminal, signal } = context;
  await using closing = new Closing();
  const { servePumpPage } = await import("@jelling/minimed/web");
  const pump = await openPump(context, closing, options);
  const { wallClock, simulated } = pump;
  const store = await openStore(context, closing, { store: path, wallClock, simulated });
  let isFirst = true;
  const kept = await keepHistory(context, closing, store, {
    clock: pump.clock,
    onProgress: (progress) => terminal.status(progressText(progress)),
    onSynced: ({ records }) => {
      terminal.status("");
      // Later ones come with every reading, and are on the page.
      if (!isFirst && !terminal.json) return;
      isFirst = false;
      terminal.result(
        () => ({ type: "history", records }),
        () => `${records} new records in the history`,
      );
    },
    onFailed: (error) => terminal.note(`the history was not read to its end: ${error instanceof Error ? error.message : String(error)}`),
  });
  const { monitor, stay } = await followPump(context, closing, pump, { history: kept.read });
  kept.follow(monitor);
  const [last] = store.pumps();
  const page = await servePumpPage({
    view: () => kept.current ?? (last && store.history(last.pump)),
    state: monitor,
    wallClock,
    port,
    host,
    pageFolder,
    logger: await context.logger(),
    signal,
  });
  closing.add(() => page.close());
  terminal.result(
    () => ({ type: "page", url: page.url }),
    () => `${terminal.paint("bold", page.url)}\nopen it in a browser; who has the address sees the page. Ctrl-C ends.`,
  );
  terminal.line("For information only: this is no medical device, and no dose may be based on it.");
  await stay();
}
