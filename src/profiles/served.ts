import type { OperationOptions } from "../async/index.ts";
import { StateError } from "../core/index.ts";
import type {
  CharacteristicWrite,
  GattPeer,
  LocalCharacteristic,
  LocalService,
  NotifyOptions,
  WriteFlow,
  WritesOptions,
} from "../gatt/index.ts";
import type {
  Can,
  CanWrite,
  CharacteristicDeclaration,
  CharacteristicDeclarations,
  If,
  IsMultiple,
  IsOptional,
  ValueOf,
} from "./declaration.ts";
import { decodeValue, encodeValue } from "./values.ts";

/** A value that a client wrote, decoded. */
export interface TypedWrite<T> {
  readonly peer: GattPeer;
  readonly value: T;
  readonly operation: CharacteristicWrite["operation"];
}

/** Decoded writes as a loop; it begins and ends as the WriteFlow below it does. */
export class TypedWriteFlow<T> implements AsyncIterableIterator<TypedWrite<T>>, AsyncDisposable {
  readonly #flow: WriteFlow<CharacteristicWrite>;
  readonly #decode: (octets: Uint8Array) => T;

  /** Made by `writes` of a served characteristic. @internal */
  constructor(flow: WriteFlow<CharacteristicWrite>, decode: (octets: Uint8Array) => T) {
    this.#flow = flow;
    this.#decode = decode;
  }

  get dropped(): number {
    return this.#flow.dropped;
  }

  // What came this far has been decoded once, or it would have been refused.
  #typed({ peer, value, operation }: CharacteristicWrite): TypedWrite<T> {
    return { peer, operation, value: this.#decode(value) };
  }

  async next(): Promise<IteratorResult<TypedWrite<T>>> {
    const next = await this.#flow.next();
    return next.done ? next : { done: false, value: this.#typed(next.value) };
  }

  /** The next write, as `WriteFlow.take`. */
  async take(options?: OperationOptions): Promise<TypedWrite<T>> {
    return this.#typed(await this.#flow.take(options));
  }

  async return(): Promise<IteratorResult<TypedWrite<T>>> {
    await this.#flow.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

/** A served characteristic by its declaration. @internal */
export class TypedLocalCharacteristic {
  readonly local: LocalCharacteristic;
  readonly #name: string;
  readonly #declaration: CharacteristicDeclaration;
  readonly #isStored: boolean;

  constructor(name: string, declaration: CharacteristicDeclaration, local: LocalCharacteristic, isStored: boolean) {
    this.#name = name;
    this.#declaration = declaration;
    this.local = local;
    this.#isStored = isStored;
  }

  get value(): unknown {
    this.#checkStored();
    return this.#decode(this.local.value);
  }
  set value(value: unknown) {
    this.#checkStored();
    this.local.value = this.#encode(value);
  }

  async update(value: unknown, options?: Omit<NotifyOptions, "to">): Promise<void> {
    this.#checkStored();
    await this.local.update(this.#encode(value), options);
  }

  async notify(value: unknown, options?: NotifyOptions): Promise<void> {
    await this.local.notify(this.#encode(value), options);
  }

  tryNotify(value: unknown): boolean {
    return this.local.tryNotify(this.#encode(value));
  }

  async indicate(value: unknown, options?: NotifyOptions): Promise<void> {
    await this.local.indicate(this.#encode(value), options);
  }

  writes(options?: WritesOptions): TypedWriteFlow<unknown> {
    return new TypedWriteFlow(this.local.writes(options), (octets) => this.#decode(octets));
  }

  #checkStored(): void {
    if (!this.#isStored) throw new StateError(`${this.#name}: its value is what its read handler gives`);
  }

  #decode(octets: Uint8Array): unknown {
    return decodeValue(this.#name, this.#declaration.value, octets, this.#declaration.trailing);
  }

  #encode(value: unknown): Uint8Array {
    return encodeValue(this.#name, this.#declaration.value, value);
  }
}

interface StoredValue<T> {
  /** The stored value; setting it tells nobody. @throws {StateError} there is a `read` handler in its place */
  value: T;
  /** Sets the value and tells every subscriber, as LocalCharacteristic.update does. @throws {StateError} there is a `read` handler */
  update(value: T, options?: Omit<NotifyOptions, "to">): Promise<void>;
}
interface Notifier<T> {
  /** As LocalCharacteristic.notify. @throws {ArgumentError} a value that cannot be encoded */
  notify(value: T, options?: NotifyOptions): Promise<void>;
  /** As LocalCharacteristic.tryNotify. @throws {ArgumentError} a value that cannot be encoded */
  tryNotify(value: T): boolean;
}
interface Indicator<T> {
  /** As LocalCharacteristic.indicate. @throws {ArgumentError} a value that cannot be encoded */
  indicate(value: T, options?: NotifyOptions): Promise<void>;
}
interface WriteReceiver<T> {
  /** What clients write from now on, decoded, as a loop. */
  writes(options?: WritesOptions): TypedWriteFlow<T>;
}

/** A characteristic in the own server: the operations of its declared properties, with its declared value. */
export type ServedCharacteristic<D extends CharacteristicDeclaration> = {
  /** The same without a declaration: its octets. */
  readonly local: LocalCharacteristic;
} & If<Can<D, "read">, StoredValue<ValueOf<D>>> &
  If<Can<D, "notify">, Notifier<ValueOf<D>>> &
  If<Can<D, "indicate">, Indicator<ValueOf<D>>> &
  If<CanWrite<D>, WriteReceiver<ValueOf<D>>>;

type ServedMember<D extends CharacteristicDeclaration> =
  IsMultiple<D> extends true
    ? readonly ServedCharacteristic<D>[]
    : IsOptional<D> extends true
      ? ServedCharacteristic<D> | undefined
      : ServedCharacteristic<D>;

/** A service in the own server: each characteristic that is served under its declared name. */
export type ServedService<C extends CharacteristicDeclarations> = { readonly [K in keyof C]: ServedMember<C[K]> } & {
  readonly service: LocalService;
};
