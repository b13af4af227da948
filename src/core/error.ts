/** Base of every error the library raises about a peer, a link, a controller or an argument. `code` is stable; messages are not. */
export abstract class BleError extends Error {
  abstract readonly code: string;
  override get name(): string {
    return this.constructor.name;
  }
}

/** An argument the caller can correct; the message says what was expected. */
export class ArgumentError extends BleError {
  readonly code = "ERR_ARGUMENT";
}

/** A procedure did not finish in its time; `operation` names it. */
export class TimeoutError extends BleError {
  readonly code = "ERR_TIMEOUT";
  readonly operation: string;
  readonly timeoutMs: number;
  constructor(operation: string, timeoutMs: number, options?: ErrorOptions) {
    super(`${operation} did not finish within ${timeoutMs} ms`, options);
    this.operation = operation;
    this.timeoutMs = timeoutMs;
  }
}

/** The object was closed, by its owner or because what it stood on is gone; `cause` tells which. */
export class ClosedError extends BleError {
  readonly code = "ERR_CLOSED";
}

/** The operation does not fit the present state (for example: already advertising). */
export class StateError extends BleError {
  readonly code = "ERR_STATE";
}

/** The controller, the peer or the platform lacks what the operation needs. */
export class UnsupportedError extends BleError {
  readonly code = "ERR_UNSUPPORTED";
}
