import type { Address } from "../../core/address.ts";
import { BleError } from "../../core/error.ts";

/** A periodic advertising is not heard any more: nothing came in its sync timeout, or the controller was reset (`cause`). */
export class SyncLostError extends BleError {
  readonly code = "ERR_SYNC_LOST";
  readonly address: Address;
  /** Advertising Set Identifier. */
  readonly sid: number;
  constructor({ address, sid }: { address: Address; sid: number }, options?: ErrorOptions) {
    super(`the synchronization to set ${sid} of ${address} is lost`, options);
    this.address = address;
    this.sid = sid;
  }
}
