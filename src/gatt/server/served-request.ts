import type { AttBearer } from "../../att/bearer.ts";
import { type BleError, TimeoutError } from "../../core/error.ts";
import { type AttributeAccess, Refusal } from "./attribute-access.ts";
import type { ChangeAwareness } from "./caching.ts";
import type { ChangeNotice } from "./change-notice.ts";
import type { ClientConfiguration } from "./client-configuration.ts";
import type { AttributeDatabase } from "./database.ts";
import type { GattPeer } from "./definition.ts";
import { type HeldSends, Hold } from "./held-sends.ts";
import { Operation } from "./operation.ts";
import { isThenable } from "./thenable.ts";
import { NO_TURN, type Turn, type Turns } from "./turns.ts";

/** A handler that takes longer is answered for: the client gives up, and the bearer with it, at 30 s (Vol 3 Part F 3.3.3). */
export const HANDLER_TIMEOUT_MS = 29_000;

/** The request that is being served. */
interface Current {
  readonly opcode: number;
  readonly handle: number;
  readonly operation: Operation;
  readonly turn: Turn;
  timer: Disposable | undefined;
}

/** What the bearers of one client share. */
export interface ServedClient {
  readonly peer: GattPeer;
  readonly database: AttributeDatabase;
  readonly awareness: ChangeAwareness;
  readonly configuration: ClientConfiguration;
  readonly change: ChangeNotice;
  readonly held: HeldSends;
  /** While it has several bearers. */
  readonly turns: Turns | undefined;
}

/** The request that is being served on one bearer: its turn, its handlers, their time limit, and what waits for its response. */
export class ServedRequest {
  readonly #bearer: AttBearer;
  readonly #client: ServedClient;
  readonly #access: AttributeAccess;
  #hold = new Hold();
  #current: Current | undefined;

  constructor(client: ServedClient, at: { bearer: AttBearer; access: AttributeAccess }) {
    this.#bearer = at.bearer;
    this.#client = client;
    this.#access = at.access;
  }

  /** The request had to wait for its turn. */
  get hadToWait(): boolean {
    return this.#current?.turn.ready !== undefined;
  }

  /**
   * Calls what may be a handler, and answers: `finish` responds with what it gave. `services` are those whose notifications wait for the
   * response while the handler runs on. `about`: the attributes, where it is not the one at `handle`.
   */
  perform<T>(
    opcode: number,
    handle: number,
    services: readonly number[],
    call: (operation: Operation) => T | Promise<T>,
    finish: (value: T) => void,
    about?: readonly number[],
  ): void {
    const operation = new Operation();
    const turn = this.#client.turns?.enter(about ?? [handle]) ?? NO_TURN;
    const current: Current = { opcode, handle, operation, turn, timer: undefined };
    this.#current = current;
    const { held } = this.#client;
    if (turn.ready) {
      const hold = this.#hold;
      const called = turn.ready.then(() => {
        operation.throwIfGivenUp();
        held.begin(hold);
        try {
          return call(operation);
        } finally {
          held.continueInBackground(hold, services);
        }
      });
      this.#await(current, called, finish);
      return;
    }
    held.begin(this.#hold);
    let result: T | Promise<T>;
    try {
      result = call(operation);
      if (operation.isGivenUp) return; // the handler closed the server
      if (!isThenable(result)) {
        finish(result);
        return;
      }
    } catch (error) {
      if (!operation.isGivenUp) this.#refuse(opcode, handle, error);
      return;
    }
    held.continueInBackground(this.#hold, services);
    this.#await(current, result, finish);
  }

  #await<T>(current: Current, result: Promise<T>, finish: (value: T) => void): void {
    const { opcode, handle, operation } = current;
    const settle = (act: () => void): void => {
      if (operation.isGivenUp) return;
      current.timer?.[Symbol.dispose]();
      try {
        act();
      } catch (error) {
        this.#refuse(opcode, handle, error);
      }
    };
    current.timer = this.#bearer.clock.setTimer(HANDLER_TIMEOUT_MS, "GATT handler", () => {
      const error = new TimeoutError(`handler of attribute ${handle}`, HANDLER_TIMEOUT_MS);
      operation.giveUp(error);
      this.#refuse(opcode, handle, error);
    });
    result.then(
      (value) => settle(() => finish(value)),
      (error) =>
        settle(() => {
          throw error;
        }),
    );
  }

  #refuse(opcode: number, handle: number, error: unknown): void {
    this.#bearer.respondError(opcode, error instanceof Refusal ? error.handle : handle, this.#access.errorCode(error));
  }

  onResponded(): void {
    const current = this.#current;
    this.#current = undefined;
    current?.turn.leave();
    this.#releaseHold();
    current?.operation.onAnswered();
  }

  /** What the request caused may leave: other bearers are not to overtake a response that waits for credits. */
  #releaseHold(): void {
    const { held } = this.#client;
    const hold = this.#hold;
    const { isEnhanced, channel } = this.#bearer;
    if (!isEnhanced || channel.waiting === 0) {
      held.release(hold);
      return;
    }
    this.#hold = new Hold();
    const release = (): void => held.release(hold);
    channel.whenSent().then(release, release);
  }

  /** Gives it up. @returns what is to be answered for, where there is something */
  close(reason: BleError): { readonly opcode: number; readonly handle: number } | undefined {
    const current = this.#current;
    this.#current = undefined;
    current?.timer?.[Symbol.dispose]();
    current?.operation.giveUp(reason);
    current?.turn.leave();
    this.#client.held.release(this.#hold);
    return current;
  }
}
