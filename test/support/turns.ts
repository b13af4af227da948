/** Counts the turns of the event loop until it is disposed, as real I/O would have them. */
export class TurnCounter implements Disposable {
  count = 0;
  #isOver = false;

  constructor() {
    const onImmediate = (): void => {
      if (this.#isOver) return;
      this.count++;
      setImmediate(onImmediate);
    };
    setImmediate(onImmediate);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
  }
}
