import type { PumpMonitor, PumpSession, PumpState } from "@jelling/minimed";
import type { PumpHistory, PumpStore, SyncOptions, SyncProgress, SyncResult } from "@jelling/minimed/store";

export interface KeepHistoryOptions extends Pick<SyncOptions, "order"> {
  readonly onProgress?: (progress: SyncProgress) => void;
  readonly onRead: (result: SyncResult, history: PumpHistory) => void;
  /** It was not read to its end; what came is kept. */
  readonly onFailed: (error: unknown) => void;
}

/** How far the reading is, for a status line. */
export function progressText({ records, left }: SyncProgress): string {
  return `${records} records read${left === undefined ? "" : `, ${left} to be read`} …`;
}

/** Keeps a pump's history and its states in a store: give `read` to the monitor, and the monitor to `follow`. */
export class HistoryKeeper {
  readonly #store: PumpStore;
  readonly #options: KeepHistoryOptions;
  #monitor: PumpMonitor | undefined;
  #history: PumpHistory | undefined;

  constructor(store: PumpStore, options: KeepHistoryOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Of the pump that was read last. */
  get history(): PumpHistory | undefined {
    return this.#history;
  }

  /** Every state of the monitor is kept from now on. */
  follow(monitor: PumpMonitor): Disposable {
    this.#monitor = monitor;
    return monitor.on((state) => this.#keep(state));
  }

  /** What the monitor calls when there may be something new. */
  readonly read = async (session: PumpSession, signal: AbortSignal): Promise<void> => {
    const { syncHistory } = await import("@jelling/minimed/store");
    const { order, onProgress, onRead, onFailed } = this.#options;
    try {
      const information = this.#monitor?.state.values.information?.value;
      const history = this.#store.pump(information?.serial ?? session.identity.toString(), information);
      this.#history = history;
      if (this.#monitor) history.recordStatus(this.#monitor.state);
      onRead(await syncHistory(history, session, { signal, order, onProgress }), history);
    } catch (error) {
      onFailed(error);
    }
  };

  #keep(state: PumpState): void {
    try {
      this.#history?.recordStatus(state);
    } catch (error) {
      this.#options.onFailed(error);
    }
  }
}
