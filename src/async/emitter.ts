import { callOut } from "./call-out.ts";

/** A typed set of listeners for changes of state. `Events` maps a name to the value it carries. */
export class Emitter<Events extends Record<string, unknown>> {
  /** Lists that are replaced and never changed: one that is being gone through stays as it is, and no call has to copy it. */
  readonly #listeners = new Map<keyof Events, readonly ((value: never) => void)[]>();

  /** Calls `listener` at every `name`; dispose the result to stop. */
  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): Disposable {
    const entry = (value: Events[K]): void => listener(value); // so that a function added twice is two listeners
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), entry]);
    return {
      [Symbol.dispose]: () => {
        const left = this.#listeners.get(name)?.filter((other) => other !== entry);
        if (left?.length) this.#listeners.set(name, left);
        else this.#listeners.delete(name);
      },
    };
  }

  /** A listener's exception does not stop the others or the stack below: it is rethrown in a turn of its own. */
  emit<K extends keyof Events>(name: K, value: Events[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) callOut(listener as (value: Events[K]) => void, value);
  }

  /** How many listeners are set, of one name or of all. */
  count(name?: keyof Events): number {
    if (name !== undefined) return this.#listeners.get(name)?.length ?? 0;
    let sum = 0;
    for (const { length } of this.#listeners.values()) sum += length;
    return sum;
  }
}
