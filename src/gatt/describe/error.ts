import { BleError } from "../../core/error.ts";

/** The description of a GATT database contradicts itself, or cannot be read. Nothing was loaded. */
export class GattDescriptionError extends BleError {
  readonly code = "ERR_GATT_DESCRIPTION";
  /** Where in the description: "services[2].characteristics[0].valueHandle". */
  readonly path: string;
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`${path === "" ? "GATT description" : path}: ${problem}`, options);
    this.path = path;
  }
}
