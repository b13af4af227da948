import { type Clock, Deadline } from "../async/index.ts";
import type { GattOperationOptions } from "../gatt/index.ts";

/** Runs an operation of several steps under one time limit. */
export async function bounded<T>(
  clock: Clock,
  operation: string,
  options: GattOperationOptions,
  run: (options: GattOperationOptions) => Promise<T>,
): Promise<T> {
  const { timeoutMs, signal, ...rest } = options;
  if (timeoutMs === undefined) return await run(options);
  using deadline = new Deadline({ clock, operation, signal, timeoutMs });
  return await run({ ...rest, signal: deadline.signal });
}
