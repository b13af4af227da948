import { BleError } from "../../core/error.ts";

/** A message is longer than the link, or the server behind it, takes. Nothing of it was sent. */
export class MessageTooLongError extends BleError {
  override readonly code = "ERR_MCUMGR_TOO_LONG";
  /** Octets, header included. */
  readonly length: number;
  readonly limit: number;
  constructor(length: number, limit: number, options?: ErrorOptions) {
    super(`a message of ${length} octets is too long: at most ${limit} fit`, options);
    this.length = length;
    this.limit = limit;
  }
}

/** What was reached is no mcumgr server: the device lacks the service or the characteristic. */
export class NotMcumgrServerError extends BleError {
  override readonly code = "ERR_MCUMGR_NO_SERVER";
}
