import { AttError, AttErrorCode } from "../att/index.ts";
import { type Codec, DecodeError } from "../bytes/index.ts";
import { ArgumentError, checkFunction, checkOptions, kindOf, optionNames } from "../core/index.ts";
import type {
  AttributePermissions,
  CharacteristicDefinition,
  DescriptorDefinition,
  GattRequest,
  GattServer,
  LocalCharacteristic,
  ReadHandler,
  SubscriptionHandler,
  WriteHandler,
} from "../gatt/index.ts";
import {
  type CharacteristicDeclaration,
  type CharacteristicDeclarations,
  type DeclaredService,
  type DescriptorDeclaration,
  isWrite,
  propertiesOf,
} from "./declaration.ts";
import type { ServiceHandlers } from "./handlers.ts";
import { type ServedService, TypedLocalCharacteristic } from "./served.ts";
import { decodeValue, encodeValue } from "./values.ts";

/** Handlers of any declaration: what the types of `handlers.ts` come down to. */
interface AnyHandlers {
  readonly value?: unknown;
  readonly read?: ((request: GattRequest) => unknown) | undefined;
  readonly write?: ((value: unknown, request: GattRequest) => void | Promise<void>) | undefined;
  readonly subscribed?: SubscriptionHandler | undefined;
  readonly security?: AttributePermissions | undefined;
  readonly description?: string | undefined;
  readonly descriptors?: Readonly<Record<string, AnyHandlers | undefined>> | undefined;
  readonly omit?: readonly string[] | undefined;
}

const NAMES = optionNames<AnyHandlers>({
  value: true,
  read: true,
  write: true,
  subscribed: true,
  security: true,
  description: true,
  descriptors: true,
  omit: true,
});
const DESCRIPTOR_NAMES = optionNames<Pick<AnyHandlers, "value" | "read" | "write">>({ value: true, read: true, write: true });

/**
 * Adds a declared service to a server. Each mandatory characteristic is served, and each optional one that `handlers` names, in the order of
 * the declaration. Written values reach a handler decoded; one that cannot be decoded is refused: with Invalid Attribute Value Length where
 * octets are missing or too many, else with the declaration's `valueError`.
 *
 * @throws {ArgumentError} a name that the declaration does not know, a value that cannot be encoded, a mandatory characteristic without one
 */
export function serve<C extends CharacteristicDeclarations>(
  server: GattServer,
  declaration: DeclaredService<C>,
  handlers: ServiceHandlers<C>,
): ServedService<C> {
  checkOptions(`serve ${declaration.name}`, handlers, new Set(Object.keys(declaration.characteristics)));
  const planned = Object.entries<CharacteristicDeclaration>(declaration.characteristics).map(([name, characteristic]) => {
    const given = (handlers as Readonly<Record<string, unknown>> | undefined)?.[name];
    const list = instances(name, characteristic, given);
    return { name, characteristic, places: list.map((each) => new Place(name, characteristic, each)) };
  });
  const service = server.addService({
    uuid: declaration.uuid,
    characteristics: planned.flatMap(({ places }) => places.map(({ definition }) => definition)),
  });
  const members: Record<string, unknown> = { service };
  let at = 0;
  for (const { name, characteristic, places } of planned) {
    const served = places.map((place) => place.serveAs(service.characteristics[at++]!));
    members[name] = characteristic.multiple ? served : served[0];
  }
  return members as ServedService<C>;
}

/** Handlers of each characteristic of this name that the service is to have. */
function instances(name: string, { optional, multiple }: CharacteristicDeclaration, given: unknown): AnyHandlers[] {
  if (given === undefined) return optional ? [] : [{}];
  if (!multiple) return [given as AnyHandlers];
  if (!Array.isArray(given)) throw new ArgumentError(`${name}: expected an array of handlers, got ${kindOf(given)}`);
  if (given.length === 0 && !optional) throw new ArgumentError(`${name}: expected at least one`);
  return given as AnyHandlers[];
}

/** A characteristic on its way into the server. */
class Place {
  readonly definition: CharacteristicDefinition;
  readonly #name: string;
  readonly #declaration: CharacteristicDeclaration;
  #local: LocalCharacteristic | undefined;

  constructor(name: string, declaration: CharacteristicDeclaration, handlers: AnyHandlers) {
    this.#name = name;
    this.#declaration = declaration;
    checkOptions(name, handlers, NAMES);
    const { subscribed, security = declaration.security, description, omit = [] } = handlers;
    checkFunction(`${name}: subscribed`, subscribed);
    const { optionalProperties = [] } = declaration;
    for (const property of omit)
      if (!(optionalProperties as readonly string[]).includes(property))
        throw new ArgumentError(`${name}: omit: "${property}" is none of its optional properties`);
    const properties = propertiesOf(declaration).filter((property) => !omit.includes(property));
    const canRead = properties.includes("read");
    const canWrite = properties.some(isWrite);
    const { valueError, trailing } = declaration;
    const terms = { canRead, canWrite, mayWrite: propertiesOf(declaration).some(isWrite), valueError, trailing };
    this.definition = {
      uuid: declaration.uuid,
      properties,
      ...access(name, declaration.value, handlers, terms, (octets) => {
        if (this.#local && canRead && handlers.read === undefined) this.#local.value = octets;
      }),
      permissions: security,
      onSubscription: subscribed,
      description,
      descriptors: descriptorsOf(name, declaration, handlers),
    };
  }

  serveAs(local: LocalCharacteristic): TypedLocalCharacteristic {
    this.#local = local;
    return new TypedLocalCharacteristic(this.#name, this.#declaration, local, this.definition.read === undefined);
  }
}

interface AccessTerms {
  readonly canRead: boolean;
  readonly canWrite: boolean;
  /** It is declared, and perhaps left out: a handler for it is no mistake. */
  readonly mayWrite?: boolean;
  readonly valueError?: number | undefined;
  readonly trailing?: "refuse" | "ignore" | undefined;
}

/** Value and handlers of octets, for a value and handlers of decoded values. @throws {ArgumentError} a value to read is missing */
function access(
  name: string,
  codec: Codec<unknown>,
  { read, write, ...given }: AnyHandlers,
  { canRead, canWrite, mayWrite = canWrite, valueError = AttErrorCode.ValueNotAllowed, trailing }: AccessTerms,
  store: (octets: Uint8Array) => void,
): { value?: Uint8Array; read?: ReadHandler; write?: WriteHandler } {
  checkFunction(`${name}: read`, read);
  checkFunction(`${name}: write`, write);
  const hasValue = Object.hasOwn(given, "value");
  if (hasValue && read) throw new ArgumentError(`${name}: expected a value or a read handler, got both`);
  if (canRead && !hasValue && !read) throw new ArgumentError(`${name}: expected a value or a read handler, since it can be read`);
  if (!canRead && (read || hasValue)) throw new ArgumentError(`${name}: expected neither value nor read handler, since it cannot be read`);
  if (!mayWrite && write) throw new ArgumentError(`${name}: expected no write handler, since it cannot be written`);
  if (canWrite && read && !write) throw new ArgumentError(`${name}: expected a write handler beside the read handler`);
  const made: { value?: Uint8Array; read?: ReadHandler; write?: WriteHandler } = {};
  if (hasValue) made.value = encodeValue(name, codec, given.value);
  if (read) made.read = async (request) => encodeValue(name, codec, await read(request));
  if (canWrite)
    made.write = (octets, request) => {
      const value = decodeWritten(name, codec, octets, valueError, trailing);
      const handled = write?.(value, request);
      if (handled === undefined) store(octets);
      else return handled.then(() => store(octets));
    };
  return made;
}

function decodeWritten(
  name: string,
  codec: Codec<unknown>,
  octets: Uint8Array,
  valueError: number,
  trailing: "refuse" | "ignore" | undefined,
): unknown {
  try {
    return decodeValue(name, codec, octets, trailing);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new AttError(error.fault === "value" ? valueError : AttErrorCode.InvalidAttributeValueLength, { cause: error });
  }
}

/** Mandatory descriptors and those that are given a value or handlers. */
function descriptorsOf(name: string, { descriptors = {} }: CharacteristicDeclaration, handlers: AnyHandlers): DescriptorDefinition[] {
  checkOptions(`${name}: descriptors`, handlers.descriptors, new Set(Object.keys(descriptors)));
  const made: DescriptorDefinition[] = [];
  for (const [key, declaration] of Object.entries<DescriptorDeclaration>(descriptors)) {
    const given = handlers.descriptors?.[key];
    const what = `${name}.${key}`;
    if (given === undefined) {
      if (!declaration.optional) throw new ArgumentError(`${what}: expected a value or a read handler, since every server has it`);
      continue;
    }
    checkOptions(what, given, DESCRIPTOR_NAMES);
    let stored: Uint8Array | undefined;
    const canWrite = declaration.writable === true;
    const octets = access(what, declaration.value, given, { canRead: true, canWrite }, (written) => {
      stored = written;
    });
    if (octets.value && canWrite) {
      // A descriptor's value cannot be set from outside: it is kept here, where its write handler can change it.
      stored = octets.value;
      made.push({ uuid: declaration.uuid, read: () => stored!, ...(octets.write ? { write: octets.write } : {}) });
    } else made.push({ uuid: declaration.uuid, ...octets });
  }
  return made;
}
