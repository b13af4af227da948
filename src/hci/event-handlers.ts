import { callOut, rethrowLater } from "../async/call-out.ts";
import { DecodeError, decode } from "../bytes/index.ts";
import type { BleError, Logger } from "../core/index.ts";
import { type EventDeclaration, eventKey } from "./declare.ts";

interface Handler {
  readonly declaration: EventDeclaration;
  readonly handle: (parameters: unknown) => void;
  active: boolean;
}

/** Who is called for which event. */
export class EventHandlers {
  readonly #logger: Logger;
  readonly #handlers = new Map<number, readonly Handler[]>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get count(): number {
    let sum = 0;
    for (const handlers of this.#handlers.values()) sum += handlers.length;
    return sum;
  }

  add<P>(declaration: EventDeclaration<P>, handle: (parameters: P) => void): Disposable {
    const key = eventKey(declaration.eventCode, declaration.subeventCode);
    const handler: Handler = { declaration, handle: handle as (parameters: unknown) => void, active: true };
    this.#handlers.set(key, [...(this.#handlers.get(key) ?? []), handler]);
    return {
      [Symbol.dispose]: () => {
        if (!handler.active) return;
        handler.active = false;
        const left = this.#handlers.get(key)!.filter((other) => other !== handler);
        if (left.length > 0) this.#handlers.set(key, left);
        else this.#handlers.delete(key);
      },
    };
  }

  clear(): void {
    this.#handlers.clear();
  }

  /** Decodes the event, once for all handlers of one declaration, and calls them; false where it has none. */
  dispatch(key: number, packet: Uint8Array, offset: number): boolean {
    const handlers = this.#handlers.get(key);
    if (handlers === undefined) return false;
    let decoded: { by: EventDeclaration; parameters: unknown } | undefined;
    for (const handler of handlers) {
      if (!handler.active) continue;
      if (decoded?.by !== handler.declaration) {
        const parameters = this.#decode(handler.declaration, packet, offset);
        if (parameters === undefined) continue;
        decoded = { by: handler.declaration, parameters };
      }
      try {
        handler.handle(decoded.parameters);
      } catch (error) {
        rethrowLater(error);
      }
    }
    return true;
  }

  #decode({ name, parameters }: EventDeclaration, packet: Uint8Array, offset: number): unknown {
    try {
      return decode(parameters, packet, { name, offset });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#logger.warn(`an event was dropped: ${error.message}`);
      return undefined;
    }
  }
}

interface ReasonHandler {
  readonly handle: (reason: BleError) => void;
}

/** Who is told why something ended. */
export class ReasonHandlers {
  #entries: readonly ReasonHandler[] = [];

  get count(): number {
    return this.#entries.length;
  }

  add(handle: (reason: BleError) => void): Disposable {
    const entry = { handle };
    this.#entries = [...this.#entries, entry];
    return {
      [Symbol.dispose]: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }

  clear(): void {
    this.#entries = [];
  }

  call(reason: BleError): void {
    for (const { handle } of this.#entries) callOut(handle, reason);
  }

  /** Calls everybody for the last time. */
  callLast(reason: BleError): void {
    const entries = this.#entries;
    this.clear();
    for (const { handle } of entries) callOut(handle, reason);
  }
}
