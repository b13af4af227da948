import { BleError } from "../core/error.ts";

/** Too few octets, too many, or octets whose value cannot be. */
export type DecodeFault = "short" | "trailing" | "value";

/** Bytes that are not what their declaration says. The message holds path and offset, never the octets, which may be secret. */
export class DecodeError extends BleError {
  readonly code = "ERR_DECODE";
  readonly path: string;
  readonly problem: string;
  readonly offset: number;
  readonly fault: DecodeFault;
  /** The whole packet, not enumerable so that loggers do not print it. */
  declare readonly packet: Uint8Array;
  constructor(at: { path: string; problem: string; offset: number; length: number; packet: Uint8Array; fault?: DecodeFault }) {
    super(`${at.path ? `${at.path}: ` : ""}${at.problem} at offset ${at.offset} of ${at.length}`);
    this.path = at.path;
    this.problem = at.problem;
    this.offset = at.offset;
    this.fault = at.fault ?? "value";
    Object.defineProperty(this, "packet", { value: at.packet, enumerable: false });
  }
}
