import type { Clock } from "../../async/clock.ts";
import { BleError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import { LePeriodicAdvertisingTerminateSync } from "../../hci/commands/le-periodic-sync.ts";
import { ControllerError, HciError, HciErrorCode } from "../../hci/error.ts";
import type { CommandPort } from "../radio.ts";
import { isDisallowed } from "../switch.ts";

/** How often in a row ending one may fail before the controller is given up. */
const MAX_FAILURES = 5;
/** When it is tried again by itself; twice as long after each failure. */
const RETRY_MS = 500;

interface Leaving {
  failures: number;
  timer: Disposable | undefined;
}

interface SyncEnderParts {
  readonly port: CommandPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Runs it while the controller is not told to synchronize; `undefined` where it is not anyhow. */
  readonly interrupt: (act: () => Promise<void>) => Promise<void> | undefined;
  /** The controller cannot be made to end one. */
  readonly onStuck: (error: ControllerError) => void;
}

/** Ends synchronizations that nobody wants any more (Vol 4 Part E 7.8.69). What fails is tried again: the controller does nothing that its host forgot. */
export class SyncEnder {
  readonly #parts: SyncEnderParts;
  readonly #leaving = new Map<number, Leaving>();
  #isClosed = false;

  constructor(parts: SyncEnderParts) {
    this.#parts = parts;
  }

  /** Whether this one is to be ended: what the controller says of it is no news. */
  isLeaving(syncHandle: number): boolean {
    return this.#leaving.has(syncHandle);
  }

  /** Resolves when the controller has ended it. @throws why it has not, as far as is known */
  async terminate(syncHandle: number): Promise<void> {
    this.gone(syncHandle);
    const leaving: Leaving = { failures: 0, timer: undefined };
    this.#leaving.set(syncHandle, leaving);
    await this.#try(syncHandle, leaving);
  }

  async #try(syncHandle: number, leaving: Leaving): Promise<void> {
    try {
      await this.#send(syncHandle, leaving);
      if (this.#leaving.get(syncHandle) === leaving) this.#leaving.delete(syncHandle);
    } catch (error) {
      if (this.#isClosed || this.#leaving.get(syncHandle) !== leaving) return; // it is gone by itself
      leaving.failures++;
      const { clock, logger, onStuck } = this.#parts;
      logger.warn(
        () => `synchronization ${syncHandle} could not be ended: ${error instanceof BleError ? error.message : "unexpected error"}`,
      );
      if (leaving.failures < MAX_FAILURES)
        leaving.timer = clock.setTimer(RETRY_MS * 2 ** (leaving.failures - 1), "ending a synchronization", () => {
          this.#try(syncHandle, leaving).catch(() => undefined); // told where it was asked for, and tried again
        });
      else
        onStuck(new ControllerError(`the controller cannot be made to end synchronization ${syncHandle}; it is reset`, { cause: error }));
      throw error;
    }
  }

  async #send(syncHandle: number, leaving: Leaving): Promise<void> {
    const { port, interrupt } = this.#parts;
    try {
      await port.send(LePeriodicAdvertisingTerminateSync, { syncHandle });
    } catch (error) {
      if (isGone(error)) return;
      // Not while the controller is about to synchronize to another one.
      const interrupted = isDisallowed(error) ? interrupt(() => this.#sendAgain(syncHandle, leaving)) : undefined;
      if (!interrupted) throw error;
      await interrupted;
    }
  }

  async #sendAgain(syncHandle: number, leaving: Leaving): Promise<void> {
    if (this.#leaving.get(syncHandle) !== leaving) return; // it ended meanwhile: the handle may be another one's by now
    try {
      await this.#parts.port.send(LePeriodicAdvertisingTerminateSync, { syncHandle });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** The controller does not have it any more. */
  gone(syncHandle: number): void {
    this.#leaving.get(syncHandle)?.timer?.[Symbol.dispose]();
    this.#leaving.delete(syncHandle);
  }

  /** The controller has forgotten them all. */
  reset(): void {
    for (const handle of [...this.#leaving.keys()]) this.gone(handle);
  }

  close(): void {
    this.#isClosed = true;
    this.reset();
  }
}

function isGone(error: unknown): boolean {
  return error instanceof HciError && error.status === HciErrorCode.UnknownAdvertisingIdentifier;
}
