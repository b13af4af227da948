import { onAbort } from "./on-abort.ts";

/**
 * What a timer's `fire` returns when it touched nothing that could wake waiting code. A virtual clock then goes straight on to the next
 * timer instead of letting the event loop turn; every other clock ignores it.
 */
export const quiet = Symbol("quiet");

/** All time in the library comes from here. */
export interface Clock {
  /** Milliseconds since an arbitrary start, never going back; fractions count. */
  now(): number;
  /** Calls `fire` once after `delayMs`; disposing the timer first prevents it. `name` appears in diagnostics. */
  setTimer(delayMs: number, name: string, fire: () => unknown): Disposable;
  /**
   * Keeps the time from passing until the result is disposed, where it can be kept: real time cannot. For what takes real time only, such as
   * loading a module, which simulated deadlines would not wait for.
   */
  hold?(): Disposable;
  /**
   * For who fires, touched nothing that could wake waiting code, and would now set a timer for itself: goes on to that time at once. False
   * where another timer comes first, or time has to wait for something else; then set the timer.
   */
  pass?(delayMs: number): boolean;
}

/** Does what takes real time only; a clock that can stand still does so meanwhile. */
export async function whileTimeStands<T>(clock: Clock | undefined, work: () => Promise<T>): Promise<T> {
  using _ = clock?.hold?.();
  return await work();
}

// setTimeout takes a signed 32-bit delay; a longer timer is set in parts.
const LONGEST_DELAY_MS = 0x7fff_ffff;

/** Real time. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  setTimer(delayMs: number, _name: string, fire: () => unknown): Disposable {
    const dueMs = this.now() + delayMs;
    let handle: ReturnType<typeof setTimeout>;
    const arm = (): void => {
      const remainingMs = dueMs - this.now();
      handle = remainingMs > LONGEST_DELAY_MS ? setTimeout(arm, LONGEST_DELAY_MS) : setTimeout(() => void fire(), Math.max(0, remainingMs));
    };
    arm();
    return { [Symbol.dispose]: () => clearTimeout(handle) };
  }
}

/** Resolves after `ms` of the clock's time. @throws `signal.reason` once `signal` aborts */
export function delay(
  clock: Clock,
  ms: number,
  { signal, name = "delay" }: { signal?: AbortSignal | undefined; name?: string } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.setTimer(ms, name, () => {
      listener[Symbol.dispose]();
      resolve();
    });
    const listener = onAbort(signal, () => {
      timer[Symbol.dispose]();
      reject(signal!.reason);
    });
  });
}
