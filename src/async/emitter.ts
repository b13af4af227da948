import { callOut } from "./call-out.ts";

/** A typed set of listeners for changes of state. `Events` maps a name to the value it carries. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /** Calls `listener` at every `name`; dispose the result to stop. */
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): Disposable {
    let set = this.#listeners.get(name);
    if (!set) {
      set = new Set();
      this.#listeners.set(name, set);
    }
    const entry = (value: Events[K]): void => listener(value); // so that a function added twice is two listeners
    set.add(entry);
    return {
      [Symbol.dispose]: () => {
        set.delete(entry);
        if (set.size === 0 && this.#listeners.get(name) === set) this.#listeners.delete(name);
      },
    };
  }

  /** A listener's exception does not stop the others or the stack below: it is rethrown in a turn of its own. */
  emit<K extends keyof Events>(name: K, value: Events[K]): void {
    const set = this.#listeners.get(name);
    if (!set) return;
    for (const listener of [...set] as ((value: Events[K]) => void)[]) {
      callOut(listener, value);
    }
  }

  /** How many listeners are set, of one name or of all. */
  count(name?: keyof Events): number {
    if (name !== undefined) return this.#listeners.get(name)?.size ?? 0;
    let sum = 0;
    for (const set of this.#listeners.values()) sum += set.size;
    return sum;
  }
}
