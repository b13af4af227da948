import type { Clock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import type { PairingPolicy } from "./types.ts";

interface Caller<T> {
  readonly policy: PairingPolicy;
  readonly pending: Pending<T>;
}

/** Those who wait for security: each with its own demands, its own signal and its own deadline. */
export class Callers<T> {
  readonly #clock: Clock;
  readonly #operation: string;
  /** One of them gave up: its signal aborted or its time was over. */
  readonly #onGone: () => void;
  readonly #callers = new Set<Caller<T>>();

  constructor(clock: Clock, operation: string, onGone: () => void) {
    this.#clock = clock;
    this.#operation = operation;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#callers.size;
  }

  /** The demands of whoever has waited longest. */
  get first(): PairingPolicy | undefined {
    return this.#callers.values().next().value?.policy;
  }

  /** @param options.signal must not have aborted yet */
  add(policy: PairingPolicy, options: OperationOptions): Promise<T> {
    const pending: Pending<T> = new Pending<T>({
      clock: this.#clock,
      operation: this.#operation,
      ...options,
      onSettled: (outcome) => {
        this.#callers.delete(caller);
        if (outcome === "aborted" || outcome === "timeout") this.#onGone();
      },
    });
    const caller: Caller<T> = { policy, pending };
    this.#callers.add(caller);
    return pending.promise;
  }

  /** Whether somebody waits with such demands. */
  some(isMeant: (policy: PairingPolicy) => boolean): boolean {
    for (const { policy } of this.#callers) if (isMeant(policy)) return true;
    return false;
  }

  resolve(value: T, isMeant: (policy: PairingPolicy) => boolean = () => true): void {
    for (const { policy, pending } of this.#callers) if (isMeant(policy)) pending.resolve(value);
  }

  reject(error: unknown, isMeant: (policy: PairingPolicy) => boolean = () => true): void {
    for (const { policy, pending } of this.#callers) if (isMeant(policy)) pending.reject(error);
  }
}
