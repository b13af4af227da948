import { AttError } from "../../att/error.ts";
import { AttErrorCode } from "../../att/error-code.ts";
import { equalBytes, toHex } from "../../bytes/hex.ts";
import { checkBoolean, optionNames } from "../../core/arguments.ts";
import { type GattClient, structureAccessOf } from "../client/client.ts";
import { WHOLE } from "../client/discovery.ts";
import { bounded, checkOperation, type GattOperationOptions } from "../client/options.ts";
import { hashOfStructure, type KnownCharacteristic, type KnownService, readStructure } from "../client/structure.ts";
import { hasProperty, propertyNames } from "../properties.ts";
import type { Access } from "../server/access.ts";
import { GattUuid } from "../uuids.ts";
import type {
  CharacteristicDescription,
  DescriptorDescription,
  GattDescription,
  ServiceDescription,
  ValueDescription,
} from "./description.ts";

export interface DescribeRemoteOptions extends GattOperationOptions {
  /**
   * Reads every value that may be read too, and notes what the peer refuses, as far as an error can say why. Values may be personal, or secret.
   * False unless given.
   */
  readonly values?: boolean | undefined;
}

const OPTIONS = optionNames<DescribeRemoteOptions>({ signal: true, timeoutMs: true, security: true, values: true });

/** Gives the octets of an attribute, or what a description says in their place. */
type Look = (handle: number) => Promise<Uint8Array | Partial<ValueDescription>>;

/**
 * The database of the peer as data, for `gattServer.load`: a copy with the same handles, that answers every discovery alike. The values that a
 * server keeps for each client by itself (configurations, Client Supported Features), and a Database Hash that is as the specification has it,
 * are left out.
 *
 * @throws {AttProtocolError} the peer contradicts itself · what requests throw; refusals of a value are noted
 */
export async function describeRemote(client: GattClient, options: DescribeRemoteOptions = {}): Promise<GattDescription> {
  checkOperation("describeRemote", options, OPTIONS);
  const { values = false, ...rest } = options;
  checkBoolean("describeRemote: values", values);
  return await bounded(client.bearer.clock, "describing the peer", rest, async (bound) => {
    const services = await readStructure(structureAccessOf(client), WHOLE, bound);
    const hash = hashOfStructure(services);
    const look: Look | undefined = values ? (handle) => lookAt(client, handle, bound) : undefined;
    const described: ServiceDescription[] = [];
    for (const service of services) described.push(await serviceOf(service, look, hash));
    return { services: described };
  });
}

async function serviceOf(service: KnownService, look: Look | undefined, hash: Uint8Array): Promise<ServiceDescription> {
  const { uuid, handle, endHandle, primary, includes } = service;
  const characteristics: CharacteristicDescription[] = [];
  for (const characteristic of service.characteristics) characteristics.push(await characteristicOf(service, characteristic, look, hash));
  return {
    uuid: uuid.text,
    handle,
    endHandle,
    primary,
    includes: includes.map((include) => ({ handle: include.handle, service: include.included.handle })),
    characteristics,
  };
}

async function characteristicOf(
  service: KnownService,
  characteristic: KnownCharacteristic,
  look: Look | undefined,
  hash: Uint8Array,
): Promise<CharacteristicDescription> {
  const { uuid, handle, valueHandle, properties, descriptors } = characteristic;
  const isGatt = service.uuid.short === GattUuid.GattService;
  const isOwn = isGatt && uuid.short === GattUuid.ClientSupportedFeatures;
  const seen = look && !isOwn && hasProperty(properties, "read") ? await look(valueHandle) : {};
  const isUsualHash = isGatt && uuid.short === GattUuid.DatabaseHash && seen instanceof Uint8Array && equalBytes(seen, hash);
  const described: DescriptorDescription[] = [];
  for (const descriptor of descriptors) described.push(await descriptorOf(descriptor, characteristic, look));
  return {
    uuid: uuid.text,
    handle,
    valueHandle,
    properties: propertyNames(properties),
    ...(isUsualHash ? {} : describedValue(seen)),
    descriptors: described,
  };
}

async function descriptorOf(
  { handle, uuid }: KnownCharacteristic["descriptors"][number],
  { extendedProperties }: KnownCharacteristic,
  look: Look | undefined,
): Promise<DescriptorDescription> {
  const at = { uuid: uuid.text, handle };
  if (uuid.short === GattUuid.ClientCharacteristicConfiguration) return at;
  // What may be done is a part of the structure, and not of the values.
  if (uuid.short === GattUuid.CharacteristicExtendedProperties && extendedProperties) return { ...at, value: toHex(extendedProperties) };
  return { ...at, ...(look && describedValue(await look(handle))) };
}

const describedValue = (seen: Uint8Array | Partial<ValueDescription>): Partial<ValueDescription> =>
  seen instanceof Uint8Array ? (seen.length > 0 ? { value: toHex(seen) } : {}) : seen;

async function lookAt(client: GattClient, handle: number, options: GattOperationOptions): ReturnType<Look> {
  try {
    return await client.read(handle, options);
  } catch (error) {
    if (!(error instanceof AttError)) throw error;
    if (error.errorCode === AttErrorCode.ReadNotPermitted) return { readable: false };
    const read = demandOf(error.errorCode, client.bearer.security.encrypted);
    // A code that is none (0) is told by none that is known.
    return read === undefined ? { readError: error.errorCode || AttErrorCode.UnlikelyError } : { permissions: { read } };
  }
}

/** What the refusal asks for (Vol 3 Part C 10.3.1), as far as it can be known. */
function demandOf(errorCode: number, isEncrypted: boolean): Access | undefined {
  switch (errorCode) {
    case AttErrorCode.InsufficientAuthentication:
      return isEncrypted ? "authenticated" : "encrypted";
    case AttErrorCode.InsufficientEncryption:
      return "encrypted";
    case AttErrorCode.EncryptionKeySizeTooShort:
      return { encrypted: true, minKeySize: 16 };
    case AttErrorCode.InsufficientAuthorization:
      return "authorized";
    default:
      return undefined;
  }
}
