import { type Clock, type OperationOptions, Pending } from "jelling/async";

/** Waits for what knows of no signal and no limit, on the caller's own. What is given up runs on, and nobody hears of it. */
export function ownTerms<T>(clock: Clock, operation: string, work: Promise<T>, options: OperationOptions): Promise<T> {
  const pending = new Pending<T>({ clock, operation, ...options });
  work.then(
    (value) => pending.resolve(value),
    (error: unknown) => pending.reject(error),
  );
  return pending.promise;
}
