import type { OperationOptions } from "../../async/index.ts";
import { ArgumentError, checkInteger, checkOptions, kindOf, type OptionNames, optionNames } from "../../core/index.ts";
import { NO_CONTROLLER } from "../../mgmt-protocol/index.ts";
import { MgmtClient } from "../client.ts";

/** Of sequences that take nothing else. */
export const operationOptions = optionNames<OperationOptions>({ signal: true, timeoutMs: true });

/** What every sequence takes: a client, for most an adapter, and options with names that are known. @throws {ArgumentError} */
export function checkSequence(name: string, mgmt: unknown, index: unknown, options: unknown, names: OptionNames): void {
  if (!(mgmt instanceof MgmtClient)) throw new ArgumentError(`${name}: expected a management client, got ${kindOf(mgmt)}`);
  if (index !== NO_CONTROLLER) checkInteger(`${name}: index of the controller`, index, 0, NO_CONTROLLER - 1);
  checkOptions(name, options, names);
  for (const limit of ["timeoutMs", "durationMs", "turnMs"] as const) {
    const ms = (options as Readonly<Record<string, unknown>> | undefined)?.[limit];
    if (ms !== undefined && !(typeof ms === "number" && ms >= 0))
      throw new ArgumentError(`${name}: ${limit}: expected milliseconds, 0 or more, got ${kindOf(ms)}`);
  }
}
