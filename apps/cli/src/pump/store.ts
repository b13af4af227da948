import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WallClock } from "@jelling/minimed";
import type { PumpHistory, PumpStore } from "@jelling/minimed/store";
import type { Closing } from "../closing.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";

export interface StoreOptions {
  /** The file; the user's own by default. */
  readonly store?: string | undefined;
  /** Which pump: what `jelling pump history --pumps` calls it. */
  readonly pump?: string;
}

/** The history database, to be written. @throws {PumpStoreError} */
export async function openStore(
  context: Context,
  closing: Closing,
  { store, wallClock, simulated }: StoreOptions & { readonly wallClock: WallClock; readonly simulated: boolean },
): Promise<PumpStore> {
  const { defaultStorePath, PumpStore: PumpStoreClass } = await import("@jelling/minimed/store");
  let path = store;
  if (path === undefined && simulated) {
    // What a simulated pump tells is nobody's history: it is gone with the command.
    const folder = await mkdtemp(join(tmpdir(), "jelling-pump-"));
    closing.add(() => rm(folder, { recursive: true, force: true }));
    path = join(folder, "pump.sqlite");
  }
  const opened = await PumpStoreClass.open(path ?? defaultStorePath({ environment: context.io.env }), {
    wallClock,
    logger: await context.logger(),
    signal: context.signal,
  });
  closing.add(() => Promise.resolve(opened.close()));
  return opened;
}

/** The history of the pump that was asked for, or of the one that was read last, to be looked at. @throws one sentence: there is none */
export async function openHistory(context: Context, closing: Closing, { store, pump }: StoreOptions): Promise<PumpHistory> {
  const opened = await openForReading(context, closing, store);
  return historyOf(opened, pump);
}

/** The history of the pump that was asked for, or of the one that was read last. @throws one sentence: there is none */
export function historyOf(opened: PumpStore, pump: string | undefined): PumpHistory {
  const pumps = opened.pumps();
  const chosen = pump === undefined ? pumps[0] : pumps.find((each) => each.pump === pump || each.label === pump);
  const history = chosen && opened.history(chosen.pump);
  if (history) return history;
  if (pump === undefined) throw new CommandError(`${opened.path} holds no history yet: jelling pump sync reads a pump's`);
  throw new CommandError(
    `${opened.path} holds no history of ${pump}; it has ${pumps.map((each) => `${each.pump} (${each.label})`).join(", ") || "none"}`,
  );
}

/** The history database, to be looked at while another command may write it. @throws one sentence: there is none */
export async function openForReading(context: Context, closing: Closing, store: string | undefined): Promise<PumpStore> {
  const { defaultStorePath, PumpStore: PumpStoreClass } = await import("@jelling/minimed/store");
  const path = store ?? defaultStorePath({ environment: context.io.env });
  try {
    const opened = await PumpStoreClass.open(path, { readOnly: true, signal: context.signal });
    closing.add(() => Promise.resolve(opened.close()));
    return opened;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_PUMP_STORE_MISSING") throw error;
    throw new CommandError(`there is no history at ${path} yet: jelling pump sync reads a pump's`, { cause: error });
  }
}
