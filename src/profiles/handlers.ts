import type { AttributePermissions, GattRequest, SubscriptionHandler } from "../gatt/index.ts";
import type {
  Can,
  CanWrite,
  CharacteristicDeclaration,
  CharacteristicDeclarations,
  DescriptorDeclaration,
  DescriptorsOf,
  If,
  IsMultiple,
  IsOptional,
  OptionalPropertyOf,
  ValueOf,
} from "./declaration.ts";

/** Gives the value. @throws {AttError} to refuse with its code */
export type TypedReadHandler<T> = (request: GattRequest) => T | Promise<T>;
/** Takes a written value; a stored value changes when it has agreed. @throws {AttError} to refuse with its code */
export type TypedWriteHandler<T> = (value: T, request: GattRequest) => void | Promise<void>;

interface ByValue<T> {
  /** The value that is read until another one is set or written. */
  readonly value: T;
  readonly read?: never;
}
interface ByHandler<T> {
  readonly read: TypedReadHandler<T>;
  readonly value?: never;
}
interface MayHandleWrites<T> {
  /** Without it every value that can be decoded is taken. */
  readonly write?: TypedWriteHandler<T> | undefined;
}
interface HandlesWrites<T> {
  readonly write: TypedWriteHandler<T>;
}
interface NoRead {
  readonly read?: never;
  readonly value?: never;
}
interface NoWrite {
  readonly write?: never;
}

type Accessed<T, R extends boolean, W extends boolean> = R extends true
  ? W extends true
    ? (ByValue<T> & MayHandleWrites<T>) | (ByHandler<T> & HandlesWrites<T>)
    : (ByValue<T> | ByHandler<T>) & NoWrite
  : W extends true
    ? MayHandleWrites<T> & NoRead
    : NoRead & NoWrite;

type DescriptorHandlers<R extends Readonly<Record<string, DescriptorDeclaration>>> = {
  readonly [K in keyof R as R[K] extends { readonly optional: true } ? never : K]: Accessed<
    ValueOf<R[K]>,
    true,
    R[K] extends { readonly writable: true } ? true : false
  >;
} & {
  readonly [K in keyof R as R[K] extends { readonly optional: true } ? K : never]?:
    | Accessed<ValueOf<R[K]>, true, R[K] extends { readonly writable: true } ? true : false>
    | undefined;
};

interface CommonHandlers {
  /** In place of the declaration's. */
  readonly security?: AttributePermissions | undefined;
  /** Makes a Characteristic User Description. */
  readonly description?: string | undefined;
}
interface SubscriptionHandlers {
  /** Called before a client's configuration is answered; an AttError refuses it. */
  readonly subscribed?: SubscriptionHandler | undefined;
}
interface OmittingHandlers<P> {
  /** Optional properties that this server does not have. */
  readonly omit?: readonly P[] | undefined;
}

/** What a server gives for a declared characteristic. */
export type CharacteristicHandlers<D extends CharacteristicDeclaration> = Accessed<ValueOf<D>, Can<D, "read">, CanWrite<D>> &
  CommonHandlers &
  If<Can<D, "notify" | "indicate">, SubscriptionHandlers> &
  (OptionalPropertyOf<D> extends never ? unknown : OmittingHandlers<OptionalPropertyOf<D>>) &
  (keyof DescriptorsOf<D> extends never
    ? unknown
    : Record<never, never> extends DescriptorHandlers<DescriptorsOf<D>>
      ? { readonly descriptors?: DescriptorHandlers<DescriptorsOf<D>> | undefined }
      : { readonly descriptors: DescriptorHandlers<DescriptorsOf<D>> });

type HandlersMember<D extends CharacteristicDeclaration> =
  IsMultiple<D> extends true ? readonly CharacteristicHandlers<D>[] : CharacteristicHandlers<D>;

/** Nothing has to be said of it: it is optional, or needs neither value nor handler. */
type MayBeLeftOut<D extends CharacteristicDeclaration> =
  IsOptional<D> extends true ? true : Record<never, never> extends HandlersMember<D> ? true : false;

/** What a server gives for a declared service. Optional characteristics that are not named are not served. */
export type ServiceHandlers<C extends CharacteristicDeclarations> = {
  readonly [K in keyof C as MayBeLeftOut<C[K]> extends true ? never : K]: HandlersMember<C[K]>;
} & {
  readonly [K in keyof C as MayBeLeftOut<C[K]> extends true ? K : never]?: HandlersMember<C[K]> | undefined;
};
