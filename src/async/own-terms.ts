import type { Clock } from "./clock.ts";
import { type OperationOptions, Pending } from "./pending.ts";

/**
 * Waits for what knows of no signal and no limit, or is shared by several callers, on one caller's own terms. What is given up runs on, and
 * nobody hears of it.
 *
 * @throws as `work` · {TimeoutError} · `signal.reason`
 */
export function ownTerms<T>(clock: Clock, operation: string, work: Promise<T>, options: OperationOptions): Promise<T> {
  const pending = new Pending<T>({ clock, operation, ...options });
  work.then(
    (value) => pending.resolve(value),
    (error: unknown) => pending.reject(error),
  );
  return pending.promise;
}
