import type { Codec } from "../bytes/index.ts";
import type { Uuid, UuidLike } from "../core/index.ts";
import type { AttributePermissions, CharacteristicProperty } from "../gatt/index.ts";

/** A descriptor of a declared characteristic. */
export interface DescriptorDeclaration<T = unknown> {
  readonly uuid: UuidLike;
  /** For documents; by default the name that the declaration gives it. */
  readonly name?: string | undefined;
  readonly value: Codec<T>;
  readonly writable?: boolean | undefined;
  /** A peer may lack it. */
  readonly optional?: boolean | undefined;
}

/** A characteristic of a declared service: what it can do, and what its octets mean. */
export interface CharacteristicDeclaration<T = unknown> {
  readonly uuid: UuidLike;
  /** For documents; by default the name that the declaration gives it. */
  readonly name?: string | undefined;
  /** A sentence for documents. */
  readonly summary?: string | undefined;
  /** What every device can do with it. */
  readonly properties: readonly CharacteristicProperty[];
  /** What a device may be able to do with it beyond that. A server of this declaration can, unless it is told to `omit` it. */
  readonly optionalProperties?: readonly CharacteristicProperty[] | undefined;
  readonly value: Codec<T>;
  /** Octets after the value, when it is decoded: an error by default. Formats that later versions lengthen ignore them. */
  readonly trailing?: "refuse" | "ignore" | undefined;
  /** What a server asks of the link. */
  readonly security?: AttributePermissions | undefined;
  readonly descriptors?: Readonly<Record<string, DescriptorDeclaration>> | undefined;
  /** A peer may lack it. */
  readonly optional?: boolean | undefined;
  /** A service may hold several of it. */
  readonly multiple?: boolean | undefined;
  /** ATT error for a written value of the right length that cannot be: Value Not Allowed (0x13) unless given. */
  readonly valueError?: number | undefined;
}

export type CharacteristicDeclarations = Readonly<Record<string, CharacteristicDeclaration>>;

/** A service, declared once: server, client, simulated device and document come of it. */
export interface DeclaredService<C extends CharacteristicDeclarations> {
  readonly uuid: Uuid;
  readonly name: string;
  readonly summary: string | undefined;
  readonly characteristics: C;
}

// What follows asks the types of a declaration; the values are looked at by the code.

/** Type of a declared value. */
export type ValueOf<D extends { readonly value: Codec<unknown> }> = D["value"] extends Codec<infer T> ? T : never;
export type PropertyOf<D extends CharacteristicDeclaration> =
  | D["properties"][number]
  | (D extends { readonly optionalProperties: readonly (infer P extends CharacteristicProperty)[] } ? P : never);
export type OptionalPropertyOf<D> = D extends { readonly optionalProperties: readonly (infer P extends CharacteristicProperty)[] }
  ? P
  : never;
type WriteProperty = "write" | "write-without-response" | "authenticated-signed-writes" | "reliable-write";
export type Can<D extends CharacteristicDeclaration, P extends CharacteristicProperty> =
  Extract<PropertyOf<D>, P> extends never ? false : true;
export type CanWrite<D extends CharacteristicDeclaration> = Can<D, WriteProperty>;
export type IsOptional<D> = D extends { readonly optional: true } ? true : false;
export type IsMultiple<D> = D extends { readonly multiple: true } ? true : false;
export type DescriptorsOf<D> = D extends { readonly descriptors: infer R extends Readonly<Record<string, DescriptorDeclaration>> }
  ? R
  : Record<never, never>;
/** `Yes` where the condition holds, nothing else to be added where not. */
export type If<Condition extends boolean, Yes> = Condition extends true ? Yes : unknown;

/** All properties that a declaration names. @internal */
export function propertiesOf({ properties, optionalProperties = [] }: CharacteristicDeclaration): readonly CharacteristicProperty[] {
  return [...properties, ...optionalProperties];
}

const WRITES: readonly CharacteristicProperty[] = ["write", "write-without-response", "authenticated-signed-writes", "reliable-write"];

/** @internal */
export const isWrite = (property: CharacteristicProperty): boolean => WRITES.includes(property);
