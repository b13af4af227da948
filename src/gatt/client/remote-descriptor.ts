import type { BleError } from "../../core/error.ts";
import type { Uuid } from "../../core/uuid.ts";
import type { ClientContext } from "./context.ts";
import type { FoundDescriptor } from "./discovery.ts";
import { bounded, checkOperation, type GattOperationOptions } from "./options.ts";

/** What makes an operation: it waits where something may have changed, and is made again where the peer says so. */
export type Attempt = <T>(options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>) => Promise<T>;

/** A descriptor of a peer's characteristic. */
export class RemoteDescriptor {
  readonly uuid: Uuid;
  readonly handle: number;
  readonly #context: ClientContext;
  readonly #attempt: Attempt;
  #stale: BleError | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(context: ClientContext, { uuid, handle }: FoundDescriptor, attempt: Attempt) {
    this.#context = context;
    this.uuid = uuid;
    this.handle = handle;
    this.#attempt = attempt;
  }

  /** The whole value, however long. @throws {AttError} the peer refuses · {GattChangedError} it is gone */
  read(options: GattOperationOptions = {}): Promise<Uint8Array> {
    return this.#run("read", options, (bound) => this.#context.values.read(this.handle, bound));
  }

  /** @throws {AttError} the peer refuses · {GattChangedError} it is gone */
  write(value: Uint8Array, options: GattOperationOptions = {}): Promise<void> {
    return this.#run("write", options, (bound) => this.#context.values.write(this.handle, value, bound));
  }

  async #run<T>(name: string, options: GattOperationOptions, act: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    checkOperation(name, options);
    if (this.#stale) throw this.#stale;
    const guarded = (bound: GattOperationOptions): Promise<T> => {
      if (this.#stale) throw this.#stale;
      return act(bound);
    };
    return await bounded(this.#context.requester.bearer.clock, `${name} of a descriptor`, options, (bound) =>
      this.#attempt(bound, guarded),
    );
  }

  /** @internal */
  invalidate(reason: BleError): void {
    this.#stale ??= reason;
  }
}
