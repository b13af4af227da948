import type { PumpMonitor, PumpMonitorOptions } from "@jelling/minimed";
import type { HistoryKeeper, HistoryKeeperOptions, PumpHistory, PumpStore, SyncProgress } from "@jelling/minimed/store";
import type { Closing } from "../closing.ts";
import type { Context } from "../context.ts";

/** How far the reading is, for a status line. */
export function progressText({ records, left }: SyncProgress): string {
  return `${records} records read${left === undefined ? "" : `, ${left} to be read`} …`;
}

/** The history of a pump that a command follows. */
export interface KeptHistory {
  /** What the monitor calls when there may be something new. */
  readonly read: NonNullable<PumpMonitorOptions["history"]>;
  /** Every state of the monitor is kept from now on. */
  follow(monitor: PumpMonitor): void;
  /** Of the pump that was read last. */
  readonly current: PumpHistory | undefined;
}

/**
 * Keeps a pump's history and its states in a store: give `read` to the monitor, and the monitor to `follow`. Called before the monitor is opened, so
 * that it ends between the monitor and the store.
 */
export async function keepHistory(
  context: Context,
  closing: Closing,
  store: PumpStore,
  options: Omit<HistoryKeeperOptions, "logger">,
): Promise<KeptHistory> {
  const { HistoryKeeper: Keeper } = await import("@jelling/minimed/store");
  const keeper: HistoryKeeper = new Keeper({ ...options, logger: await context.logger() });
  closing.add(() => keeper.close("the command was ended"));
  let followed: PumpMonitor | undefined;
  return {
    read: (session) => {
      const information = followed?.state.values.information?.value;
      try {
        keeper.setHistory(store.pump(information?.serial ?? session.identity.toString(), information));
      } catch (error) {
        options.onFailed?.(error);
        return;
      }
      keeper.sync(session);
    },
    follow: (monitor) => {
      followed = monitor;
      keeper.onState(monitor.state);
      const following = monitor.on((state) => keeper.onState(state));
      closing.add(async () => following[Symbol.dispose]());
    },
    get current() {
      return keeper.history;
    },
  };
}
