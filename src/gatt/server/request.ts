import { callOut } from "../../async/call-out.ts";
import type { LinkSecurity } from "../../att/security.ts";
import type { BleError } from "../../core/error.ts";
import type { GattPeer, GattRequest } from "./definition.ts";

/** The handler's view of an access. Its AbortSignal is made only where the handler asks for it. */
export class ServerRequest implements GattRequest {
  readonly peer: GattPeer;
  readonly security: LinkSecurity;
  readonly handle: number;
  readonly offset: number;
  readonly operation: GattRequest["operation"];
  /** Called once the response has left. */
  callbacks: (() => void)[] | undefined;
  #controller: AbortController | undefined;
  #aborted: { reason: BleError } | undefined;

  constructor(peer: GattPeer, security: LinkSecurity, handle: number, offset: number, operation: GattRequest["operation"]) {
    this.peer = peer;
    this.security = security;
    this.handle = handle;
    this.offset = offset;
    this.operation = operation;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  afterResponse(callback: () => void): void {
    this.callbacks ??= [];
    this.callbacks.push(callback);
  }

  abort(reason: BleError): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }

  /** A callback's exception is thrown in a turn of its own. */
  runCallbacks(): void {
    const callbacks = this.callbacks;
    this.callbacks = undefined;
    for (const callback of callbacks ?? []) callOut(callback);
  }
}
