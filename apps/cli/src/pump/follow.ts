import { PumpMonitor, type PumpMonitorOptions, type PumpState } from "@jelling/minimed";
import type { Clock } from "jelling/async";
import type { Closing } from "../closing.ts";
import { type Context, durationText } from "../context.ts";
import { CommandError } from "../errors.ts";
import { explained, type OpenedPump } from "./open.ts";
import { linkText } from "./state-text.ts";

/** A pump that is followed for the time of a command. */
export interface FollowedPump {
  readonly monitor: PumpMonitor;
  readonly clock: Clock;
  /** Runs `act` until it is done, `--timeout` is over, or nothing more comes of the pump; then says why. */
  until<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The same for what goes on for as long as it may: the end of `--timeout` is the end that was asked for, if the pump has been there. */
  stay(act?: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/** Follows a pump; the line at the bottom of the terminal says where the connection stands. */
export async function followPump(
  context: Context,
  closing: Closing,
  { connector, clock, wallClock }: OpenedPump,
  options: Pick<PumpMonitorOptions, "history" | "pollMs"> & { readonly quiet?: boolean } = {},
): Promise<FollowedPump> {
  const { terminal } = context;
  const { quiet = false, ...own } = options;
  const deadline = context.deadline(undefined, "waiting for the pump");
  closing.add(async () => deadline[Symbol.dispose]());
  const { signal } = deadline;
  let wasThere = false;
  const told = (error: unknown): unknown => {
    if (!deadline.timedOut()) return explained(error);
    const time = durationText(context.timeoutMs(0));
    return new CommandError(wasThere ? `the pump came, and was not read to the end within ${time}` : `no pump came within ${time}`, {
      cause: error,
    });
  };
  let monitor: PumpMonitor;
  try {
    monitor = await PumpMonitor.open({ ...connector, ...own, wallClock, signal });
  } catch (error) {
    throw told(error);
  }
  closing.add(() => monitor.close());
  closing.add(async () => terminal.status(""));
  const show = (state: PumpState): void => terminal.status(state.link.kind === "ready" ? "" : `${linkText(state, clock.now())} …`);
  const seen = monitor.onSession(() => {
    wasThere = true;
  });
  closing.add(async () => seen[Symbol.dispose]());
  if (!quiet) {
    show(monitor.state);
    const shown = monitor.on(show);
    closing.add(async () => shown[Symbol.dispose]());
  }
  const run = async <T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const ended = monitor.closed.then(() => {
      throw monitor.connector.ended ?? new CommandError("the connection to the pump has ended");
    });
    return await Promise.race([act(signal), ended]);
  };
  return {
    monitor,
    clock,
    until: async (act) => {
      try {
        return await run(act);
      } catch (error) {
        context.signal.throwIfAborted();
        throw told(error);
      }
    },
    stay: async (act = () => new Promise<void>(() => undefined)) => {
      try {
        await run(act);
      } catch (error) {
        context.signal.throwIfAborted();
        if (!deadline.timedOut() || !wasThere) throw told(error);
      }
    },
  };
}
