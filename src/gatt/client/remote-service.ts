import type { BleError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { GattUuid } from "../uuids.ts";
import type { ClientContext } from "./context.ts";
import type { FoundService } from "./discovery.ts";
import { GattNotFoundError } from "./error.ts";
import { bounded, checkOperation, type GattOperationOptions } from "./options.ts";
import { RemoteCharacteristic } from "./remote-characteristic.ts";

/** A service of the peer. What it holds is asked for once, when it is first needed. */
export class RemoteService {
  readonly uuid: Uuid;
  readonly handle: number;
  readonly endHandle: number;
  /** Found among the primary services; false for one known only because another includes it. */
  primary: boolean;
  readonly #context: ClientContext;
  readonly #include: (found: FoundService) => RemoteService;
  #characteristics: readonly RemoteCharacteristic[] | undefined;
  #included: readonly RemoteService[] | undefined;
  #stale: BleError | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(context: ClientContext, found: FoundService, primary: boolean, include: (found: FoundService) => RemoteService) {
    this.#context = context;
    this.uuid = found.uuid;
    this.handle = found.handle;
    this.endHandle = found.endHandle;
    this.primary = primary;
    this.#include = include;
  }

  /** All characteristics, in order of their handles. */
  async characteristics(options: GattOperationOptions = {}): Promise<readonly RemoteCharacteristic[]> {
    checkOperation("characteristics", options);
    return await this.#once("discovering characteristics", options, async (bound) => {
      this.#characteristics ??= this.#make(await this.#context.discovery.characteristics(this, bound));
      return this.#characteristics;
    });
  }

  #make(found: Awaited<ReturnType<ClientContext["discovery"]["characteristics"]>>): RemoteCharacteristic[] {
    return found.map((declaration, i) => {
      const endHandle = (found[i + 1]?.handle ?? this.endHandle + 1) - 1;
      if (this.uuid.short === GattUuid.GattService) this.#context.onGattCharacteristic(declaration.uuid, declaration.valueHandle);
      return new RemoteCharacteristic(this.#context, this, declaration, endHandle);
    });
  }

  /** The first characteristic of this type. @throws {GattNotFoundError} none */
  async characteristic(uuid: UuidLike, options: GattOperationOptions = {}): Promise<RemoteCharacteristic> {
    const { text } = Uuid.from(uuid);
    const found = (await this.characteristics(options)).find((characteristic) => characteristic.uuid.text === text);
    if (!found) throw new GattNotFoundError("characteristic", text, `service ${this.uuid}`);
    return found;
  }

  /** Services that this one includes. */
  async includedServices(options: GattOperationOptions = {}): Promise<readonly RemoteService[]> {
    checkOperation("includedServices", options);
    return await this.#once("discovering included services", options, async (bound) => {
      this.#included ??= (await this.#context.discovery.includedServices(this, bound)).map(this.#include);
      return this.#included;
    });
  }

  #once<T>(what: string, options: GattOperationOptions, discover: (options: GattOperationOptions) => Promise<T>): Promise<T> {
    return bounded(this.#context.requester.bearer.clock, what, options, async (bound) => {
      if (this.#stale) throw this.#stale;
      const permit = await this.#context.discoveryLock.acquire(bound, "waiting for a discovery");
      try {
        if (this.#stale) throw this.#stale;
        const found = await discover(bound);
        if (this.#stale) throw this.#stale; // it changed meanwhile
        return found;
      } finally {
        permit[Symbol.dispose]();
      }
    });
  }

  /** For the client: the service changed, and nothing known of it holds. */
  invalidate(reason: BleError): void {
    this.#stale = reason;
    for (const characteristic of this.#characteristics ?? []) characteristic.invalidate(reason);
  }
}
