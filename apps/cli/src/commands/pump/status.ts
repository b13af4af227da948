import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { followPump } from "../../pump/follow.ts";
import { openPump, type PumpOptions } from "../../pump/open.ts";
import { stateJson } from "../../pump/state-json.ts";
import { stateRows } from "../../pump/state-text.ts";
import { table } from "../../terminal.ts";

/** Everything that a pump tells of itself, once. */
export async function status(context: Context, options: PumpOptions): Promise<void> {
  const { terminal } = context;
  await using closing = new Closing();
  let allRead = (): void => undefined;
  const firstReads = new Promise<void>((resolve) => {
    allRead = resolve;
  });
  const pump = await openPump(context, closing, options);
  const { monitor, clock, until } = await followPump(context, closing, pump, { history: () => allRead() });
  await until(() => firstReads);
  const { state } = monitor;
  terminal.object(stateJson(state));
  for (const line of table(stateRows(state, clock.now()).map(({ label, text }) => [label, text]))) terminal.line(line);
}
