import { BleError } from "jelling/core";

export type PumpErrorCode =
  /** Reconnecting was asked for, and there is no bond with a pump. */
  | "ERR_PUMP_NOT_BONDED"
  /** Pairing was asked for, and there is a bond with a pump already. */
  | "ERR_PUMP_BONDED"
  /** No pump came while the user let one in. */
  | "ERR_PUMP_PAIRING_WINDOW_CLOSED"
  /** The authenticated session is over; `cause` tells why. */
  | "ERR_PUMP_SESSION_ENDED"
  /** The pump lacks a service or characteristic that the operation needs. */
  | "ERR_PUMP_SERVICE_MISSING"
  /** The pump answered a request with something else than success. */
  | "ERR_PUMP_REFUSED"
  /** The request is not in the table of what this program may ask. */
  | "ERR_PUMP_FORBIDDEN"
  /** The pump's attributes are not where it declared them on this connection; nothing was written. */
  | "ERR_PUMP_MOVED"
  /** The pump's answer does not fit the question. */
  | "ERR_PUMP_PROTOCOL"
  /** The page cannot be served where it was asked for: the port is in use, or not to be had. */
  | "ERR_PUMP_PAGE_PORT"
  /** The page's files are not there: it was not built. */
  | "ERR_PUMP_PAGE_MISSING";

/** A fault of the pump, of the pairing, or of what was asked of them. The message is one sentence and names no person's device. */
export class PumpError extends BleError {
  readonly code: PumpErrorCode;
  constructor(code: PumpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
