import type { Clock } from "../async/index.ts";
import { checkInteger, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError, type Logger } from "../core/index.ts";
import { checkRecovery, type HciRecovery } from "./recovery.ts";

export interface HciOptions {
  clock: Clock;
  logger?: Logger;
  /** How long the controller may take to answer a command, in milliseconds; 5,000 by default. */
  commandTimeoutMs?: number;
  /** Brings a controller back that falls silent; without it the Hci ends. What fails while it is opened is not tried again. */
  recovery?: HciRecovery | undefined;
  /** Gives up opening. */
  signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<HciOptions>({ clock: true, logger: true, commandTimeoutMs: true, recovery: true, signal: true });

export function checkHciOptions(options: HciOptions): void {
  checkOptions("Hci.open", options, OPTIONS);
  if (typeof options?.clock?.now !== "function") throw new ArgumentError(`Hci.open: expected a clock, got ${kindOf(options?.clock)}`);
  if (options.recovery !== undefined) checkRecovery("recovery", options.recovery);
  if (options.commandTimeoutMs !== undefined) checkInteger("commandTimeoutMs", options.commandTimeoutMs, 1, 0x7fff_ffff);
}
