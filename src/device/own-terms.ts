import { type Clock, type OperationOptions, Pending } from "../async/index.ts";

/** What several callers wait for, with one caller's own signal and time limit. @throws as `work`, {TimeoutError}, or `signal.reason` */
export function ownTerms<T>(clock: Clock, operation: string, work: Promise<T>, options: OperationOptions): Promise<T> {
  const pending = new Pending<T>({ clock, operation, ...options });
  work.then(
    (value) => pending.resolve(value),
    (error: unknown) => pending.reject(error),
  );
  return pending.promise;
}
