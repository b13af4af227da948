import { type Clock, Deadline, type OperationOptions } from "../async/index.ts";
import { DecodeError } from "../bytes/index.ts";
import { checkChoice, checkOperation } from "../core/index.ts";
import type { ValueFlow, ValueFlowOptions } from "../gatt/index.ts";

export interface DecodedFlowOptions extends ValueFlowOptions {
  /**
   * What becomes of a value that is not what the declaration says: by default the loop ends with the DecodeError; "skip" goes on with the next
   * one, and counts it in `malformed`.
   */
  readonly malformed?: "throw" | "skip" | undefined;
}

/** Decoded values of a characteristic as a loop. It begins, ends and keeps values as the ValueFlow below it does. */
export class DecodedFlow<T> implements AsyncIterableIterator<T, void>, AsyncDisposable {
  readonly #flow: ValueFlow;
  readonly #decode: (octets: Uint8Array) => T;
  readonly #isSkipping: boolean;
  readonly #clock: Clock;
  #malformed = 0;

  /** Made by the client of a declaration. @internal */
  constructor(
    open: (options: ValueFlowOptions) => ValueFlow,
    decode: (octets: Uint8Array) => T,
    clock: Clock,
    options: DecodedFlowOptions,
  ) {
    this.#clock = clock;
    const { malformed = "throw", ...rest } = options;
    this.#isSkipping = checkChoice("malformed", malformed, ["throw", "skip"]) === "skip";
    this.#flow = open(rest);
    this.#decode = decode;
  }

  /** Values that were lost because the loop was behind. */
  get dropped(): number {
    return this.#flow.dropped;
  }

  /** Values that were skipped because they could not be decoded. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Subscribes now, as `ValueFlow.begin` does. */
  begin(options?: OperationOptions): Promise<void> {
    return this.#flow.begin(options);
  }

  /** @throws as ValueFlow.next · {DecodeError} a value that is not what the declaration says; the loop is over then */
  async next(): Promise<IteratorResult<T, void>> {
    for (;;) {
      const next = await this.#flow.next();
      if (next.done) return next;
      try {
        return { value: this.#decode(next.value), done: false };
      } catch (error) {
        if (this.#isSkipping && error instanceof DecodeError) {
          this.#malformed++;
          continue;
        }
        await this.return(); // a loop that is left by an error of `next` is not asked to return
        throw error;
      }
    }
  }

  /** The next value, as `ValueFlow.take`. @throws {DecodeError} it is not what the declaration says; the next one can be taken then */
  async take(options: OperationOptions = {}): Promise<T> {
    checkOperation("take", options);
    using deadline = new Deadline({ clock: this.#clock, operation: "waiting for a value", ...options });
    for (;;) {
      const octets = await this.#flow.take({ signal: deadline.signal });
      try {
        return this.#decode(octets);
      } catch (error) {
        if (!(this.#isSkipping && error instanceof DecodeError)) throw error;
        this.#malformed++;
      }
    }
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#flow.return();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
