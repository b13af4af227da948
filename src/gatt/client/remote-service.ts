import type { BleError } from "../../core/error.ts";
import { Uuid, type UuidLike } from "../../core/uuid.ts";
import { GattUuid } from "../uuids.ts";
import { DISCOVERY_ATTEMPTS, tooFast } from "./attempts.ts";
import type { ClientContext } from "./context.ts";
import type { FoundCharacteristic, FoundService } from "./discovery.ts";
import { GattChangedError, GattNotFoundError } from "./error.ts";
import { bounded, checkOperation, type GattOperationOptions } from "./options.ts";
import { RemoteCharacteristic } from "./remote-characteristic.ts";
import type { KnownService } from "./structure.ts";

/** A service of the peer. What it holds is asked for once, when it is first needed, and again when the peer says that it changed. */
export class RemoteService {
  readonly uuid: Uuid;
  readonly handle: number;
  /** Found among the primary services; false for one known only because another includes it. */
  primary: boolean;
  readonly #context: ClientContext;
  readonly #include: (found: FoundService) => RemoteService;
  #endHandle: number;
  #characteristics: readonly RemoteCharacteristic[] | undefined;
  #included: readonly RemoteService[] | undefined;
  #stale: BleError | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(context: ClientContext, found: FoundService, primary: boolean, include: (found: FoundService) => RemoteService) {
    this.#include = include;
    this.#context = context;
    this.uuid = found.uuid;
    this.handle = found.handle;
    this.#endHandle = found.endHandle;
    this.primary = primary;
  }

  /** Another one after a change that made it longer or shorter. */
  get endHandle(): number {
    return this.#endHandle;
  }

  /** All characteristics, in order of their handles. */
  async characteristics(options: GattOperationOptions = {}): Promise<readonly RemoteCharacteristic[]> {
    checkOperation("characteristics", options);
    return await this.#once(
      "discovering characteristics",
      options,
      () => this.#characteristics,
      async (bound) => {
        const found = await this.#context.discovery.characteristics(this, bound);
        return () => {
          this.seed(found);
          return this.#characteristics!;
        };
      },
    );
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
    return await this.#once(
      "discovering included services",
      options,
      () => this.#included,
      async (bound) => {
        const found = await this.#context.discovery.includedServices(this, bound);
        return () => {
          this.#included = found.map((service) => this.#include(service));
          return this.#included;
        };
      },
    );
  }

  /** What is known, or found and then `kept`; found anew where the services changed meanwhile. */
  #once<T>(
    what: string,
    options: GattOperationOptions,
    known: () => T | undefined,
    discover: (options: GattOperationOptions) => Promise<() => T>,
  ): Promise<T> {
    return bounded(this.#context.requester.bearer.clock, what, options, async (bound) => {
      if (this.#stale) throw this.#stale;
      const permit = await this.#context.discoveryLock.acquire(bound, "waiting for a discovery");
      try {
        for (let attempt = 0; attempt < DISCOVERY_ATTEMPTS; attempt++) {
          if (this.#context.isDoubtful(this)) await this.#context.settleHeld(bound);
          if (this.#stale) throw this.#stale;
          const before = known();
          if (before !== undefined) return before;
          const keep = await discover(bound);
          if (this.#stale) throw this.#stale;
          if (!this.#context.isDoubtful(this)) return keep();
        }
        throw tooFast();
      } finally {
        permit[Symbol.dispose]();
      }
    });
  }

  // --- for the client ---------------------------------------------------------------------------------------------------------------

  /** Its characteristics are known. @internal */
  get hasCharacteristics(): boolean {
    return this.#characteristics !== undefined;
  }

  /** Somebody subscribed to one of its characteristics. @internal */
  get isListenedTo(): boolean {
    return this.#characteristics?.some((characteristic) => characteristic.isListenedTo) ?? false;
  }

  /**
   * These are its characteristics; those that are as they were stay the same objects.
   *
   * @param alike where characteristics of services of this type are now @internal
   */
  seed(found: readonly FoundCharacteristic[] | undefined, alike: readonly FoundCharacteristic[] = found ?? []): void {
    const before = [...(this.#characteristics ?? [])];
    this.#characteristics = found?.map((declaration, i) => {
      const endHandle = (found[i + 1]?.handle ?? this.endHandle + 1) - 1;
      if (this.uuid.short === GattUuid.GattService) this.#context.onGattCharacteristic(declaration.uuid, declaration.valueHandle);
      const at = before.findIndex((characteristic) => characteristic.isAt(declaration));
      if (at < 0) return new RemoteCharacteristic(this.#context, this, declaration, endHandle);
      const [same] = before.splice(at, 1);
      same!.renew(endHandle);
      return same!;
    });
    for (const characteristic of before) characteristic.invalidate(changed(characteristic, alike));
  }

  /** All that is in it is known. @internal */
  know({ characteristics, includes }: KnownService): void {
    if (!this.#characteristics) this.seed(characteristics);
    for (const [i, { descriptors }] of characteristics.entries()) this.#characteristics?.[i]?.know(descriptors);
    this.#included = includes.map(({ included }) => this.#include(included));
  }

  /** It is there as before, and what it holds may not be. @internal */
  renew({ endHandle }: FoundService, found: readonly FoundCharacteristic[] | undefined, alike: readonly FoundCharacteristic[]): void {
    this.#endHandle = endHandle;
    this.#included = undefined;
    this.seed(found, alike);
  }

  /** It may have changed: values are kept until that is known. @internal */
  suspend(): void {
    for (const characteristic of this.#characteristics ?? []) characteristic.suspend();
  }

  /** Nothing of it has changed. @internal */
  confirm(): void {
    for (const characteristic of this.#characteristics ?? []) characteristic.confirm();
  }

  /** Nobody knows what became of it. @internal */
  endSubscriptions(error: unknown): void {
    for (const characteristic of this.#characteristics ?? []) characteristic.endSubscriptions(error);
  }

  /** It is not there any more. @internal */
  invalidate(reason: BleError, alike: readonly FoundCharacteristic[]): void {
    this.#stale = reason;
    for (const characteristic of this.#characteristics ?? []) characteristic.invalidate(changed(characteristic, alike));
  }
}

function changed(characteristic: RemoteCharacteristic, alike: readonly FoundCharacteristic[]): GattChangedError {
  const now = alike.find(({ uuid }) => uuid.text === characteristic.uuid.text);
  return new GattChangedError("characteristic", characteristic, now?.handle);
}
