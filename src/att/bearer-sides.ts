import type { Clock } from "../async/clock.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { AttTimeoutError } from "./error.ts";
import type { AttPolicy } from "./policy.ts";
import type { LinkSecurity } from "./security.ts";

/** What a bearer hands to the client above it. */
export interface AttClientSide {
  /**
   * A notification, or an indication that has been confirmed already. The value is `bytes[offset, end)`, to be copied by whoever keeps it.
   */
  onHandleValue(handle: number, bytes: Uint8Array, offset: number, end: number, indication: boolean): void;
}

/** What a bearer hands to the server above it: one request at a time, commands as they come. PDUs are `bytes[offset, end)`, opcode included. */
export interface AttServerSide {
  /** Must lead to one `respond` or `respondError`, now or later. `bytes` are not to be kept. */
  onRequest(opcode: number, bytes: Uint8Array, offset: number, end: number): void;
  onCommand(opcode: number, bytes: Uint8Array, offset: number, end: number): void;
  /** The response to the last request is on its way; the next request has not been looked at. */
  onResponded(): void;
}

export interface AttBearerOptions {
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  readonly policy?: AttPolicy | undefined;
  /** ATT_MTU of an enhanced bearer, which its channel has fixed; without it the bearer is the unenhanced one. */
  readonly enhancedMtu?: number | undefined;
}

export type AttBearerEvents = {
  /** The link is gone, or the bearer was closed by its owner. Nothing follows. */
  closed: BleError;
  /** A transaction timed out: nothing can be sent on this bearer any more (Vol 3 Part F 3.3.3). */
  failed: AttTimeoutError;
  mtu: number;
  security: LinkSecurity;
  /** A request was refused with Database Out Of Sync; told at once, before who asked hears of it. */
  outOfSync: undefined;
};
