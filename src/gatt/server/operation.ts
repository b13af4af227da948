import { callOut } from "../../async/call-out.ts";
import type { LinkSecurity } from "../../att/security.ts";
import { kindOf } from "../../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../../core/error.ts";
import type { GattPeer, GattRequest } from "./definition.ts";

/**
 * One request or command that is being served. It may call several handlers, one after the other, and ends once: answered, or given up
 * because it took too long or the session closed. What a handler does after that has no effect.
 */
export class Operation {
  /** Takes back what was done on trust, where the operation is given up. */
  onGivenUp: (() => void) | undefined;
  #request: ServerRequest | undefined;
  #callbacks: (() => void)[] = [];
  #end: "answered" | "given up" | undefined;

  /** The view of an access for the handler that is called next. */
  begin(access: { peer: GattPeer; security: LinkSecurity; handle: number; offset: number; kind: GattRequest["operation"] }): GattRequest {
    this.#request = new ServerRequest(this, access);
    return this.#request;
  }

  get isGivenUp(): boolean {
    return this.#end === "given up";
  }

  /** To be asked wherever something was waited for. @throws {ClosedError} nothing more may be done */
  throwIfGivenUp(): void {
    if (this.isGivenUp) throw new ClosedError("the access was given up");
  }

  giveUp(reason: BleError): void {
    if (this.#end) return;
    this.#end = "given up";
    this.#callbacks = [];
    this.onGivenUp?.();
    this.#request?.abort(reason);
  }

  /** The response has left, or the command was executed. */
  onAnswered(): void {
    if (this.#end) return;
    this.#end = "answered";
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callOut(callback);
  }

  /** A callback that comes when the response has left already is called at once; one of an access that was given up, never. */
  afterResponse(callback: () => void): void {
    if (!this.#end) this.#callbacks.push(callback);
    else if (this.#end === "answered") callOut(callback);
  }
}

/** The handler's view of an access. Its AbortSignal is made only where the handler asks for it. */
class ServerRequest implements GattRequest {
  readonly peer: GattPeer;
  readonly security: LinkSecurity;
  readonly handle: number;
  readonly offset: number;
  readonly operation: GattRequest["operation"];
  readonly #whole: Operation;
  #controller: AbortController | undefined;
  #aborted: { reason: BleError } | undefined;

  constructor(
    whole: Operation,
    access: { peer: GattPeer; security: LinkSecurity; handle: number; offset: number; kind: GattRequest["operation"] },
  ) {
    this.#whole = whole;
    this.peer = access.peer;
    this.security = access.security;
    this.handle = access.handle;
    this.offset = access.offset;
    this.operation = access.kind;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  afterResponse(callback: () => void): void {
    if (typeof callback !== "function") throw new ArgumentError(`afterResponse: expected a function, got ${kindOf(callback)}`);
    this.#whole.afterResponse(callback);
  }

  abort(reason: BleError): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }
}
