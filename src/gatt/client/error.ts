import { BleError } from "../../core/error.ts";

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
