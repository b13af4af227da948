import type { OperationOptions } from "../../async/pending.ts";
import type { Uuid } from "../../core/uuid.ts";
import type { ValueAccess } from "./values.ts";

/** A descriptor of a peer's characteristic. */
export class RemoteDescriptor {
  readonly uuid: Uuid;
  readonly handle: number;
  readonly #values: ValueAccess;

  constructor(values: ValueAccess, uuid: Uuid, handle: number) {
    this.#values = values;
    this.uuid = uuid;
    this.handle = handle;
  }

  /** The whole value, however long. @throws {AttError} the peer refuses */
  read(options: OperationOptions = {}): Promise<Uint8Array> {
    return this.#values.read(this.handle, options);
  }

  /** @throws {AttError} the peer refuses */
  write(value: Uint8Array, options: OperationOptions = {}): Promise<void> {
    return this.#values.write(this.handle, value, options);
  }
}
