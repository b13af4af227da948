import { BleError } from "../../core/error.ts";
import type { Uuid } from "../../core/uuid.ts";

/** The peer has no such service, characteristic or descriptor. */
export class GattNotFoundError extends BleError {
  readonly code = "ERR_GATT_NOT_FOUND";
  /** UUID of what was looked for. */
  readonly uuid: string;
  constructor(what: string, uuid: string, where: string) {
    super(`${where} has no ${what} ${uuid}`);
    this.uuid = uuid;
  }
}

/** The peer's services changed, and what this was is not there any more: discover it again. What is as it was is not touched by a change. */
export class GattChangedError extends BleError {
  readonly code = "ERR_GATT_CHANGED";
  readonly uuid: string;
  /** Where it was: of a service and a descriptor its own, of a characteristic its declaration's. */
  readonly handle: number;
  /** Where one of the same type is now; `undefined` where there is none, or none was looked for. */
  readonly movedTo: number | undefined;
  constructor(
    what: "service" | "characteristic" | "descriptor",
    at: { readonly uuid: Uuid; readonly handle: number },
    movedTo: number | undefined,
  ) {
    const fate = movedTo === undefined ? "is gone" : movedTo === at.handle ? "is another one now" : `has moved to handle ${movedTo}`;
    super(`the peer's services changed: ${what} ${at.uuid} at handle ${at.handle} ${fate}`);
    this.uuid = at.uuid.text;
    this.handle = at.handle;
    this.movedTo = movedTo;
  }
}
