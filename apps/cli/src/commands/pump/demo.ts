import { runPumpDemo } from "@jelling/minimed";
import type { Context } from "../../context.ts";
import { timelineText } from "../../pump/timeline-text.ts";
import { closeCapture, openCapture } from "../../session.ts";

/** A simulated pump from pairing to glucose, and once more after the link was lost. */
export async function demo(context: Context, options: { realTime?: boolean; seed: number }): Promise<void> {
  const { terminal } = context;
  const realTime = options.realTime ?? false;
  const capture = await openCapture(context, { simulatedTime: !realTime });
  try {
    using deadline = context.deadline(undefined, "the demonstration");
    const { handshakes, readings, durationMs } = await runPumpDemo({
      out: ({ timeMs, actor, text }) =>
        terminal.result(
          () => ({ timeMs, actor, text }),
          () => timelineText(context, timeMs, actor, text),
        ),
      realTime,
      seed: options.seed,
      capture: capture?.write,
      logger: await context.logger(),
      signal: deadline.signal,
    });
    terminal.object({ type: "result", handshakes, durationMs, readings: readings.map((reading) => ({ ...reading })) });
  } finally {
    if (capture) await closeCapture(context, capture);
  }
}
