/** Throws `error` in a turn of its own: the program hears of its fault, and neither the stack nor the neighbours suffer. */
export function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Calls a program's callback. What it throws is the program's fault: `rethrowLater`. */
export function callOut<A extends unknown[]>(callback: ((...args: A) => unknown) | undefined, ...args: A): void {
  try {
    callback?.(...args);
  } catch (error) {
    rethrowLater(error);
  }
}
