import type { AttBearer } from "../../att/bearer.ts";
import { AttError } from "../../att/error.ts";
import { type BleError, TimeoutError } from "../../core/error.ts";
import { Operation } from "./operation.ts";
import { isThenable } from "./thenable.ts";

/** Commands that may wait for the handler of an earlier one; more are discarded, as the specification allows (Vol 3 Part F 3.3.2). */
const CAPACITY = 64;

type Command = (operation: Operation) => void | Promise<void>;

/** Runs the handlers of write commands one after the other, in the order the commands came. */
export class CommandQueue {
  readonly #bearer: AttBearer;
  readonly #timeoutMs: number;
  #waiting: Command[] = [];
  #running: { operation: Operation; timer: Disposable } | undefined;

  constructor(bearer: AttBearer, timeoutMs: number) {
    this.#bearer = bearer;
    this.#timeoutMs = timeoutMs;
  }

  run(command: Command): void {
    if (this.#running) {
      if (this.#waiting.length < CAPACITY) this.#waiting.push(command);
      else this.#bearer.logger.warn("discarded a write command: handlers do not keep up");
      return;
    }
    this.#start(command);
    this.#next();
  }

  #next(): void {
    while (!this.#running) {
      const command = this.#waiting.shift();
      if (!command) return;
      this.#start(command);
    }
  }

  #start(command: Command): void {
    const operation = new Operation();
    try {
      const result = command(operation);
      if (isThenable(result)) this.#await(operation, result);
      else operation.onAnswered();
    } catch (error) {
      this.#log(error);
    }
  }

  #await(operation: Operation, result: Promise<void>): void {
    const finish = (end: () => void): void => {
      if (this.#running !== running) return;
      running.timer[Symbol.dispose]();
      this.#running = undefined;
      end();
      this.#next();
    };
    const running = {
      operation,
      timer: this.#bearer.clock.setTimer(this.#timeoutMs, "GATT command handler", () => {
        const error = new TimeoutError("handler of a write command", this.#timeoutMs);
        this.#log(error);
        finish(() => operation.giveUp(error));
      }),
    };
    this.#running = running;
    result.then(
      () => finish(() => operation.onAnswered()),
      (error: unknown) => {
        if (!operation.isGivenUp) this.#log(error);
        finish(() => operation.onAnswered());
      },
    );
  }

  #log(error: unknown): void {
    const { logger } = this.#bearer;
    if (error instanceof AttError) logger.info(() => `a write command was refused: ${error.message}`);
    else logger.error(() => `a GATT handler failed: ${String(error)}`);
  }

  close(reason: BleError): void {
    this.#waiting = [];
    const running = this.#running;
    this.#running = undefined;
    running?.timer[Symbol.dispose]();
    running?.operation.giveUp(reason);
  }
}
