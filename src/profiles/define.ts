import {
  ArgumentError,
  checkBoolean,
  checkChoice,
  checkInteger,
  checkOptions,
  checkText,
  kindOf,
  optionNames,
  Uuid,
  type UuidLike,
} from "../core/index.ts";
import { type GattOperationOptions, type GattServer, propertyBits } from "../gatt/index.ts";
import { clientsOf, type ServiceClient, type ServicePeer } from "./client.ts";
import type { CharacteristicDeclaration, CharacteristicDeclarations, DeclaredService, DescriptorDeclaration } from "./declaration.ts";
import type { ServiceHandlers } from "./handlers.ts";
import { serve } from "./serve.ts";
import type { ServedService } from "./served.ts";

export interface ServiceDeclarationOptions<C extends CharacteristicDeclarations> {
  readonly uuid: UuidLike;
  /** "Heart Rate". */
  readonly name: string;
  /** Sentences for its page of documentation. */
  readonly summary?: string | undefined;
  /** In the order in which a server has them. */
  readonly characteristics: C;
}

const SERVICE = optionNames<ServiceDeclarationOptions<CharacteristicDeclarations>>({
  uuid: true,
  name: true,
  summary: true,
  characteristics: true,
});
const CHARACTERISTIC = optionNames<CharacteristicDeclaration>({
  uuid: true,
  name: true,
  summary: true,
  properties: true,
  optionalProperties: true,
  value: true,
  trailing: true,
  security: true,
  descriptors: true,
  optional: true,
  multiple: true,
  valueError: true,
});
const DESCRIPTOR = optionNames<DescriptorDeclaration>({ uuid: true, name: true, value: true, writable: true, optional: true });

/** Names that the objects made of a declaration have for themselves; an object with "then" would be taken for a promise. */
const RESERVED = ["service", "then"];

/** A service as `defineService` makes it. */
export class ServiceDeclaration<C extends CharacteristicDeclarations> implements DeclaredService<C> {
  readonly uuid: Uuid;
  readonly name: string;
  readonly summary: string | undefined;
  readonly characteristics: C;

  /** Made by `defineService`. @internal */
  constructor({ uuid, name, summary, characteristics }: ServiceDeclarationOptions<C>) {
    this.uuid = Uuid.from(uuid);
    this.name = name;
    this.summary = summary;
    this.characteristics = characteristics;
  }

  /**
   * The peer's service: the first that has every mandatory characteristic.
   *
   * @throws {GattNotFoundError} the peer has none, or it lacks a mandatory characteristic
   */
  async of(peer: ServicePeer, options: GattOperationOptions = {}): Promise<ServiceClient<C>> {
    return (await clientsOf(this, peer, options))[0]!;
  }

  /** All of the peer's services of this kind, in order of their handles. @throws {GattNotFoundError} as `of` */
  async all(peer: ServicePeer, options: GattOperationOptions = {}): Promise<ServiceClient<C>[]> {
    return await clientsOf(this, peer, options);
  }

  /** Adds it to a server, as the function `serve` does. */
  serve(server: GattServer, handlers: ServiceHandlers<C>): ServedService<C> {
    return serve(server, this, handlers);
  }
}

/**
 * Declares a service once. Server, client, simulated device and document are made of what it returns, with types inferred from the codecs.
 *
 * ```ts
 * const lamp = defineService({
 *   uuid: "9a3f0001-6e5b-4c44-9d4e-3a1c5b7f0a11",
 *   name: "Lamp",
 *   characteristics: {
 *     brightness: { uuid: "9a3f0002-6e5b-4c44-9d4e-3a1c5b7f0a11", properties: ["read", "write", "notify"], value: ranged(u8, 0, 100) },
 *   },
 * });
 * ```
 *
 * @throws {ArgumentError} a name, a kind or a value that a declaration cannot have
 */
export function defineService<const C extends CharacteristicDeclarations>(options: ServiceDeclarationOptions<C>): ServiceDeclaration<C> {
  checkOptions("defineService", options, SERVICE);
  if (options === undefined) throw new ArgumentError("defineService: expected a declaration, got undefined");
  checkText("defineService: name", options.name);
  if (options.summary !== undefined) checkText(`${options.name}: summary`, options.summary);
  checkObject(`${options.name}: characteristics`, options.characteristics);
  const types = new Map<string, string>();
  for (const [name, characteristic] of Object.entries<CharacteristicDeclaration>(options.characteristics)) {
    const what = `${options.name}: ${name}`;
    if (RESERVED.includes(name)) throw new ArgumentError(`${what}: expected another name, since this one is the service's own`);
    checkCharacteristic(what, characteristic);
    const { text } = Uuid.from(characteristic.uuid);
    const other = types.get(text);
    if (other !== undefined)
      throw new ArgumentError(`${what}: ${other} has the type ${text} already; several of one type are one that is "multiple"`);
    types.set(text, name);
  }
  return new ServiceDeclaration(options);
}

function checkCharacteristic(what: string, declaration: CharacteristicDeclaration): void {
  checkObject(what, declaration);
  checkOptions(what, declaration, CHARACTERISTIC);
  const { properties, optionalProperties = [], trailing, optional, multiple, valueError, descriptors = {} } = declaration;
  for (const list of [properties, optionalProperties])
    if (!Array.isArray(list)) throw new ArgumentError(`${what}: properties: expected an array, got ${kindOf(list)}`);
  propertyBits([...properties, ...optionalProperties]);
  checkCodec(what, declaration.value);
  checkNaming(what, declaration);
  if (trailing !== undefined) checkChoice(`${what}: trailing`, trailing, ["refuse", "ignore"]);
  checkBoolean(`${what}: optional`, optional);
  checkBoolean(`${what}: multiple`, multiple);
  if (valueError !== undefined) checkInteger(`${what}: valueError`, valueError, 0x01, 0xff);
  checkObject(`${what}: descriptors`, descriptors);
  for (const [name, descriptor] of Object.entries<DescriptorDeclaration>(descriptors)) {
    const where = `${what}.${name}`;
    checkObject(where, descriptor);
    checkOptions(where, descriptor, DESCRIPTOR);
    Uuid.from(descriptor.uuid);
    checkCodec(where, descriptor.value);
    checkNaming(where, descriptor);
    checkBoolean(`${where}: writable`, descriptor.writable);
    checkBoolean(`${where}: optional`, descriptor.optional);
  }
}

function checkNaming(what: string, { name, summary }: { readonly name?: string | undefined; readonly summary?: string | undefined }): void {
  if (name !== undefined) checkText(`${what}: name`, name);
  if (summary !== undefined) checkText(`${what}: summary`, summary);
}

function checkCodec(what: string, codec: unknown): void {
  const { decode, encode } = (codec ?? {}) as { decode?: unknown; encode?: unknown };
  if (typeof decode !== "function" || typeof encode !== "function")
    throw new ArgumentError(`${what}: value: expected a codec, got ${kindOf(codec)}`);
}

function checkObject(what: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ArgumentError(`${what}: expected an object, got ${kindOf(value)}`);
}
