import { LogLevel, type LogSink } from "jelling/core";
import type { WallClock } from "../live/state.ts";
import { redactText } from "../redact.ts";

const NAMES: Readonly<Record<number, string>> = {
  [LogLevel.Error]: "error",
  [LogLevel.Warn]: "warn",
  [LogLevel.Info]: "info",
  [LogLevel.Debug]: "debug",
  [LogLevel.Trace]: "trace",
};

/**
 * A log of one JSON object a line: `time` (UTC), `level`, `scope`, `message`. Addresses and serial numbers are hidden, whatever logs.
 *
 * @param write gets each line with its end
 */
export function jsonLogSink(
  write: (line: string) => void,
  { wallClock = Date.now }: { readonly wallClock?: WallClock | undefined } = {},
): LogSink {
  return (level, scope, message) =>
    write(
      `${JSON.stringify({ time: new Date(wallClock()).toISOString(), level: NAMES[level] ?? String(level), scope, message: redactText(message) })}\n`,
    );
}
