import { BleError } from "../core/error.ts";

/** Reasons of a Command Reject, Vol 3 Part A 4.1. */
export const CommandRejectReason = Object.freeze({
  CommandNotUnderstood: 0x0000,
  SignallingMtuExceeded: 0x0001,
  InvalidCidInRequest: 0x0002,
});

/** The peer answered a signalling request with Command Reject: it does not know the request. */
export class CommandRejectedError extends BleError {
  readonly code = "ERR_L2CAP_COMMAND_REJECTED";
  /** A value of CommandRejectReason. */
  readonly reason: number;
  readonly request: string;
  constructor(request: string, reason: number) {
    super(`${request} was rejected by the peer (reason 0x${reason.toString(16).padStart(4, "0")})`);
    this.request = request;
    this.reason = reason;
  }
}
