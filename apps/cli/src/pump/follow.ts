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
  const told = (error: unknown): unknown =>
    deadline.timedOut()
      ? new CommandError(`no pump came within ${durationText(context.timeoutMs(0))}`, { cause: error })
      : explained(error);
  let monitor: PumpMonitor;
  try {
    monitor = await PumpMonitor.open({ ...connector, ...own, wallClock, signal });
  } catch (error) {
    throw told(error);
  }
  closing.add(() => monitor.close());
  closing.add(async () => terminal.status(""));
  const show = (state: PumpState): void => terminal.status(state.link.kind === "ready" ? "" : `${linkText(state, clock.now())} …`);
  if (!quiet) {
    show(monitor.state);
    const shown = monitor.on(show);
    closing.add(async () => shown[Symbol.dispose]());
  }
  return {
    monitor,
    clock,
    until: async (act) => {
      try {
        const ended = monitor.closed.then(() => {
          throw monitor.connector.ended ?? new CommandError("the connection to the pump has ended");
        });
        return await Promise.race([act(signal), ended]);
      } catch (error) {
        context.signal.throwIfAborted();
        throw told(error);
      }
    },
  };
}
