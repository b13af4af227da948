import type { Uuid } from "../../core/uuid.ts";
import type { ClientContext } from "./context.ts";
import { bounded, checkOperation, type GattOperationOptions } from "./options.ts";

/** A descriptor of a peer's characteristic. */
export class RemoteDescriptor {
  readonly uuid: Uuid;
  readonly handle: number;
  readonly #context: ClientContext;

  /** Made by the library, for what was found or added. @internal */
  constructor(context: ClientContext, uuid: Uuid, handle: number) {
    this.#context = context;
    this.uuid = uuid;
    this.handle = handle;
  }

  /** The whole value, however long. @throws {AttError} the peer refuses */
  async read(options: GattOperationOptions = {}): Promise<Uint8Array> {
    checkOperation("read", options);
    const { values, requester } = this.#context;
    return await bounded(requester.bearer.clock, "reading a descriptor", options, (bound) => values.read(this.handle, bound));
  }

  /** @throws {AttError} the peer refuses */
  async write(value: Uint8Array, options: GattOperationOptions = {}): Promise<void> {
    checkOperation("write", options);
    const { values, requester } = this.#context;
    await bounded(requester.bearer.clock, "writing a descriptor", options, (bound) => values.write(this.handle, value, bound));
  }
}
