/** What waits on a signal. One listener serves all of them: a program may hang any number of operations on one signal without a warning. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `act` once when `signal` aborts; dispose the result when it is not wanted any more. Nothing happens for a signal that has aborted
 * already: ask `signal.aborted` first.
 */
export function onAbort(signal: AbortSignal | undefined, act: () => void): Disposable {
  if (!signal || signal.aborted) return NOTHING;
  let acts = waiting.get(signal);
  if (!acts) {
    acts = new Set();
    waiting.set(signal, acts);
    signal.addEventListener("abort", fire, { once: true });
  }
  const entry = (): void => act(); // so that a function given twice is two
  const all = acts.add(entry);
  return {
    [Symbol.dispose]: () => {
      if (!all.delete(entry) || all.size > 0 || waiting.get(signal) !== all) return;
      waiting.delete(signal);
      signal.removeEventListener("abort", fire);
    },
  };
}

function fire(this: AbortSignal): void {
  const acts = waiting.get(this);
  waiting.delete(this);
  for (const act of acts ?? []) act();
}

const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };
