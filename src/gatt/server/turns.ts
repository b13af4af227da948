/** A request's turn at the attributes it is about. */
export interface Turn {
  /** Resolves when nobody is before it; `undefined` where nobody is. */
  readonly ready: Promise<void> | undefined;
  /** The request was answered, or given up. */
  leave(): void;
}

export const NO_TURN: Turn = { ready: undefined, leave: () => undefined };

/**
 * Requests of one client about one attribute are served one after the other, on whatever bearers they come: a handler sees them as it would on
 * one bearer. A request about several attributes queues for all of them at once, so that no two wait for each other.
 */
export class Turns {
  readonly #last = new Map<number, Promise<void>>();

  enter(handles: readonly number[]): Turn {
    if (handles.length === 0) return NO_TURN;
    const before = handles.map((handle) => this.#last.get(handle)).filter((turn) => turn !== undefined);
    const ready = before.length === 0 ? undefined : Promise.all(before).then(() => undefined);
    let leave!: () => void;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // Whoever gives up in the queue lets nobody past those before it.
    const over = ready ? Promise.all([ready, left]).then(() => undefined) : left;
    for (const handle of handles) this.#last.set(handle, over);
    void over.then(() => {
      for (const handle of handles) if (this.#last.get(handle) === over) this.#last.delete(handle);
    });
    return { ready, leave };
  }
}
