/** A handler answers now, or with a promise. */
export function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** Goes on with `value`, at once where it is there already. */
export function after<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return isThenable(value) ? value.then(next) : next(value);
}

/** Does `act` for one item after the other, waiting only where it must; the first failure ends it. */
export function inTurn<T>(items: readonly T[], act: (item: T) => void | Promise<void>, from = 0): void | Promise<void> {
  for (let i = from; i < items.length; i++) {
    const result = act(items[i]!);
    if (isThenable(result)) return result.then(() => inTurn(items, act, i + 1));
  }
}

/** Hands what fails, now or later, to `failed`, which throws something else. */
export function failing<T>(act: () => T | Promise<T>, failed: (error: unknown) => never): T | Promise<T> {
  try {
    const result = act();
    return isThenable(result) ? result.then(undefined, failed) : result;
  } catch (error) {
    return failed(error);
  }
}
