import { type Clock, Deadline, onAbort } from "jelling/async";
import { MqttError } from "./error.ts";

/**
 * Waits for `work` no longer than the limit, and no longer than `signal` allows; `work` gets a signal to give up by.
 *
 * @param late called with what comes when nobody waits any more
 * @throws {MqttError} "timeout" · `signal.reason` · what `work` throws
 */
export async function within<T>(
  { clock, operation, timeoutMs, signal }: { clock: Clock; operation: string; timeoutMs: number; signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
  late?: (value: T) => void,
): Promise<T> {
  using deadline = new Deadline({ clock, operation, timeoutMs, signal });
  deadline.signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    let isOver = false;
    const listener = onAbort(deadline.signal, () => {
      isOver = true;
      const isOurs = !signal?.aborted;
      reject(isOurs ? new MqttError("timeout", `The broker did not answer within ${timeoutMs / 1000} s.`) : signal.reason);
    });
    const worked = (async () => await work(deadline.signal))(); // a connect of the program's may throw at once
    worked.then(
      (value) => {
        listener[Symbol.dispose]();
        if (isOver) late?.(value);
        else resolve(value);
      },
      (error: unknown) => {
        listener[Symbol.dispose]();
        reject(error);
      },
    );
  });
}
