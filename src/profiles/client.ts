import type { Clock } from "../async/index.ts";
import { ArgumentError, Uuid } from "../core/index.ts";
import {
  type CharacteristicWriteOptions,
  type GattClient,
  GattNotFoundError,
  type GattOperationOptions,
  type RemoteCharacteristic,
  type RemoteService,
  type ValueFlow,
  type ValueFlowOptions,
} from "../gatt/index.ts";
import { bounded } from "./bounded.ts";
import type {
  Can,
  CanWrite,
  CharacteristicDeclaration,
  CharacteristicDeclarations,
  DeclaredService,
  DescriptorDeclaration,
  DescriptorsOf,
  If,
  IsMultiple,
  IsOptional,
  ValueOf,
} from "./declaration.ts";
import { DecodedFlow, type DecodedFlowOptions } from "./decoded-flow.ts";
import { decodeValue, encodeValue } from "./values.ts";

/** What a client is made of: a Connection, or whatever else has a GattClient. */
export interface ServicePeer {
  readonly gatt: GattClient;
}

/** A peer's characteristic, by a declaration. Its operations are those that the declared properties allow. */
class TypedCharacteristic {
  readonly remote: RemoteCharacteristic;
  readonly #name: string;
  readonly #declaration: CharacteristicDeclaration;
  readonly #clock: Clock;

  constructor(name: string, declaration: CharacteristicDeclaration, remote: RemoteCharacteristic, clock: Clock) {
    this.#clock = clock;
    this.#name = name;
    this.#declaration = declaration;
    this.remote = remote;
  }

  async read(options?: GattOperationOptions): Promise<unknown> {
    return this.#decode(await this.remote.read(options));
  }

  async write(value: unknown, options?: CharacteristicWriteOptions): Promise<void> {
    await this.remote.write(this.#encode(value), options);
  }

  async writeWithoutResponse(value: unknown, options?: GattOperationOptions): Promise<void> {
    await this.remote.writeWithoutResponse(this.#encode(value), options);
  }

  notifications(options: DecodedFlowOptions = {}): DecodedFlow<unknown> {
    const open = (flow: ValueFlowOptions): ValueFlow => this.remote.notifications(flow);
    return new DecodedFlow(open, (octets) => this.#decode(octets), this.#clock, options);
  }

  indications(options: DecodedFlowOptions = {}): DecodedFlow<unknown> {
    const open = (flow: ValueFlowOptions): ValueFlow => this.remote.indications(flow);
    return new DecodedFlow(open, (octets) => this.#decode(octets), this.#clock, options);
  }

  async readDescriptor(name: string, options: GattOperationOptions = {}): Promise<unknown> {
    const declaration = this.#descriptor(name);
    try {
      const octets = await bounded(this.#clock, "reading a descriptor", options, async (bound) =>
        (await this.remote.descriptor(declaration.uuid, bound)).read(bound),
      );
      return decodeValue(`${this.#name}.${name}`, declaration.value, octets);
    } catch (error) {
      if (declaration.optional && error instanceof GattNotFoundError) return undefined;
      throw error;
    }
  }

  async writeDescriptor(name: string, value: unknown, options: GattOperationOptions = {}): Promise<void> {
    const declaration = this.#descriptor(name);
    if (!declaration.writable) throw new ArgumentError(`descriptor ${this.#name}.${name} is not declared to be writable`);
    const octets = encodeValue(`${this.#name}.${name}`, declaration.value, value);
    await bounded(this.#clock, "writing a descriptor", options, async (bound) =>
      (await this.remote.descriptor(declaration.uuid, bound)).write(octets, bound),
    );
  }

  #descriptor(name: string): DescriptorDeclaration {
    const { descriptors = {} } = this.#declaration;
    const declaration = Object.hasOwn(descriptors, name) ? descriptors[name] : undefined;
    if (!declaration) throw new ArgumentError(`characteristic ${this.#name} declares no descriptor "${name}"`);
    return declaration;
  }

  #decode(octets: Uint8Array): unknown {
    return decodeValue(this.#name, this.#declaration.value, octets, this.#declaration.trailing);
  }

  #encode(value: unknown): Uint8Array {
    return encodeValue(this.#name, this.#declaration.value, value);
  }
}

interface ReadableCharacteristic<T> {
  /** @throws {AttError} the peer refuses · {DecodeError} what it gives is not what the declaration says */
  read(options?: GattOperationOptions): Promise<T>;
}
interface WritableCharacteristic<T> {
  /** As RemoteCharacteristic.write. @throws {ArgumentError} a value that cannot be encoded · {AttError} the peer refuses */
  write(value: T, options?: CharacteristicWriteOptions): Promise<void>;
}
interface CommandableCharacteristic<T> {
  /** As RemoteCharacteristic.writeWithoutResponse. @throws {ArgumentError} a value that cannot be encoded */
  writeWithoutResponse(value: T, options?: GattOperationOptions): Promise<void>;
}
interface NotifyingCharacteristic<T> {
  notifications(options?: DecodedFlowOptions): DecodedFlow<T>;
}
interface IndicatingCharacteristic<T> {
  indications(options?: DecodedFlowOptions): DecodedFlow<T>;
}
interface DescribedCharacteristic<R extends Readonly<Record<string, DescriptorDeclaration>>> {
  /** `undefined` where the peer lacks an optional one. @throws {GattNotFoundError} it lacks another · {AttError} · {DecodeError} */
  readDescriptor<K extends keyof R>(
    name: K,
    options?: GattOperationOptions,
  ): Promise<ValueOf<R[K]> | (IsOptional<R[K]> extends true ? undefined : never)>;
  /** @throws {GattNotFoundError} the peer lacks it · {AttError} it refuses */
  writeDescriptor<K extends { [N in keyof R]: R[N] extends { readonly writable: true } ? N : never }[keyof R]>(
    name: K,
    value: ValueOf<R[K]>,
    options?: GattOperationOptions,
  ): Promise<void>;
}

/** A peer's characteristic: the operations of its declared properties, with its declared value. */
export type CharacteristicClient<D extends CharacteristicDeclaration> = {
  /** The same without a declaration: its octets. */
  readonly remote: RemoteCharacteristic;
} & If<Can<D, "read">, ReadableCharacteristic<ValueOf<D>>> &
  If<CanWrite<D>, WritableCharacteristic<ValueOf<D>>> &
  If<Can<D, "write-without-response">, CommandableCharacteristic<ValueOf<D>>> &
  If<Can<D, "notify">, NotifyingCharacteristic<ValueOf<D>>> &
  If<Can<D, "indicate">, IndicatingCharacteristic<ValueOf<D>>> &
  (keyof DescriptorsOf<D> extends never ? unknown : DescribedCharacteristic<DescriptorsOf<D>>);

type ClientMember<D extends CharacteristicDeclaration> =
  IsMultiple<D> extends true
    ? readonly CharacteristicClient<D>[]
    : IsOptional<D> extends true
      ? CharacteristicClient<D> | undefined
      : CharacteristicClient<D>;

/** A peer's service: each declared characteristic under its name. Optional ones that the peer lacks are `undefined`. */
export type ServiceClient<C extends CharacteristicDeclarations> = { readonly [K in keyof C]: ClientMember<C[K]> } & {
  /** The service that was found. */
  readonly service: RemoteService;
};

/** Every service of the peer that has what the declaration demands. @throws {GattNotFoundError} what is missing, where none has it */
export async function clientsOf<C extends CharacteristicDeclarations>(
  declaration: DeclaredService<C>,
  peer: ServicePeer,
  options: GattOperationOptions = {},
): Promise<ServiceClient<C>[]> {
  const { clock } = peer.gatt.bearer;
  return await bounded(clock, `discovering ${declaration.name}`, options, async (bound) => {
    const clients: ServiceClient<C>[] = [];
    let missing: unknown;
    for (const service of await peer.gatt.services({ ...bound, uuid: declaration.uuid })) {
      try {
        clients.push(makeClient(declaration, service, await service.characteristics(bound), clock));
      } catch (error) {
        if (!(error instanceof GattNotFoundError)) throw error;
        missing ??= error;
      }
    }
    if (clients.length > 0) return clients;
    throw missing ?? new GattNotFoundError(`${declaration.name} service`, declaration.uuid.text, "the peer");
  });
}

function makeClient<C extends CharacteristicDeclarations>(
  declaration: DeclaredService<C>,
  service: RemoteService,
  found: readonly RemoteCharacteristic[],
  clock: Clock,
): ServiceClient<C> {
  const members: Record<string, unknown> = { service };
  for (const [name, characteristic] of Object.entries<CharacteristicDeclaration>(declaration.characteristics)) {
    const made = found
      .filter(({ uuid }) => uuid.equals(characteristic.uuid))
      .map((remote) => new TypedCharacteristic(name, characteristic, remote, clock));
    if (made.length === 0 && !characteristic.optional)
      throw new GattNotFoundError(`characteristic ${name}`, Uuid.from(characteristic.uuid).text, `service ${declaration.name}`);
    members[name] = characteristic.multiple ? made : made[0];
  }
  return members as ServiceClient<C>;
}
