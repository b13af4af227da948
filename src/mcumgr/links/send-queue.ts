import type { Clock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { type OperationOptions, Pending } from "../../async/pending.ts";
import { Semaphore } from "../../async/semaphore.ts";
import { StateError } from "../../core/error.ts";

/** Messages that may wait for those before them. A client has a few on the way; at more somebody does not wait for `send`. */
const CAPACITY = 256;
const OPERATION = "sending an mcumgr message";

/**
 * One after another, in the order of the calls. A caller that gives up while it waits is forgotten; one that gives up while its own is being
 * sent leaves, and its message goes out whole all the same.
 */
export class SendQueue {
  readonly #clock: Clock;
  readonly #turns: Semaphore;
  readonly #active = new Set<Pending<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turns = new Semaphore(clock);
  }

  /** @throws {StateError} too many wait · {TimeoutError} · `signal.reason` · what `act` throws, or the reason of `close` */
  async run(act: () => Promise<void>, options: OperationOptions = {}): Promise<void> {
    if (this.#turns.waiting >= CAPACITY) throw new StateError(`${CAPACITY} messages wait to be sent already`);
    using deadline = new Deadline({ clock: this.#clock, operation: OPERATION, ...options });
    const { signal } = deadline;
    const turn = await this.#turns.acquire({ signal }, OPERATION);
    if (signal.aborted) {
      turn[Symbol.dispose]();
      throw signal.reason;
    }
    const pending: Pending<void> = new Pending<void>({
      clock: this.#clock,
      operation: OPERATION,
      signal,
      onSettled: () => this.#active.delete(pending),
    });
    this.#active.add(pending);
    act()
      .then(
        () => pending.resolve(),
        (error: unknown) => pending.reject(error),
      )
      .finally(() => turn[Symbol.dispose]());
    await pending.promise;
  }

  /** Rejects all that wait, at once. */
  close(reason: unknown): void {
    this.#turns.close(reason);
    for (const pending of [...this.#active]) pending.reject(reason);
  }
}
