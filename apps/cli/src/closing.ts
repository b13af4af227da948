/** What is closed at the end, the last one first; a failure does not keep the others open, and is thrown after all. */
export class Closing implements AsyncDisposable {
  readonly #acts: (() => PromiseLike<unknown>)[] = [];

  add(act: () => PromiseLike<unknown>): void {
    this.#acts.push(act);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const act of this.#acts.splice(0).reverse()) {
      try {
        await act();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }
}
