import type { AttBearer } from "../../att/bearer.ts";
import { type BleError, TimeoutError } from "../../core/error.ts";
import type { ServerRequest } from "./request.ts";
import { isThenable } from "./thenable.ts";

/** Commands that may wait for the handler of an earlier one; more are discarded, as the specification allows (Vol 3 Part F 3.3.2). */
const CAPACITY = 64;

type Command = () => { request: ServerRequest; result: void | Promise<void> };

/** Runs the handlers of write commands one after the other, in the order the commands came. */
export class CommandQueue {
  readonly #bearer: AttBearer;
  readonly #timeoutMs: number;
  #waiting: Command[] = [];
  #running: { request: ServerRequest; timer: Disposable } | undefined;

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
    try {
      const { request, result } = command();
      if (isThenable(result)) this.#await(request, result);
      else request.runCallbacks();
    } catch (error) {
      this.#log(error);
    }
  }

  #await(request: ServerRequest, result: Promise<void>): void {
    const running = {
      request,
      timer: this.#bearer.clock.setTimer(this.#timeoutMs, "GATT command handler", () => {
        request.abort(new TimeoutError("handler of a write command", this.#timeoutMs));
        finish();
      }),
    };
    this.#running = running;
    const finish = (): void => {
      if (this.#running !== running) return;
      running.timer[Symbol.dispose]();
      this.#running = undefined;
      request.runCallbacks();
      this.#next();
    };
    result.then(finish, (error: unknown) => {
      this.#log(error);
      finish();
    });
  }

  #log(error: unknown): void {
    this.#bearer.logger.info(() => `a write command was not executed: ${String(error)}`);
  }

  close(reason: BleError): void {
    this.#waiting = [];
    const running = this.#running;
    this.#running = undefined;
    running?.timer[Symbol.dispose]();
    running?.request.abort(reason);
  }
}
