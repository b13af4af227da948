import { Writer } from "../bytes/writer.ts";
import type { Uuid } from "../core/uuid.ts";
import { aesCmac } from "../crypto/aes.ts";
import { GattUuid } from "./uuids.ts";

/** Types whose handle, type and value go into the Database Hash, and those of which only handle and type do (Vol 3 Part G 7.3.1). */
const HASHED_WITH_VALUE: readonly number[] = [
  GattUuid.PrimaryService,
  GattUuid.SecondaryService,
  GattUuid.Include,
  GattUuid.Characteristic,
  GattUuid.CharacteristicExtendedProperties,
];
const HASHED: readonly number[] = [
  GattUuid.CharacteristicUserDescription,
  GattUuid.ClientCharacteristicConfiguration,
  GattUuid.ServerCharacteristicConfiguration,
  GattUuid.CharacteristicPresentationFormat,
  GattUuid.CharacteristicAggregateFormat,
];

/** What of an attribute the hash may be about. */
export interface HashedAttribute {
  readonly handle: number;
  readonly type: Uuid;
  readonly value: Uint8Array;
}

/** Database Hash of attributes in order of their handles, Vol 3 Part G 7.3: 16 octets, least significant first as on air. */
export function computeDatabaseHash(attributes: Iterable<HashedAttribute>): Uint8Array {
  const message = new Writer(1024);
  for (const { handle, type, value } of attributes) {
    const short = type.short ?? 0;
    const withValue = HASHED_WITH_VALUE.includes(short);
    if (!withValue && !HASHED.includes(short)) continue;
    message.u16(handle);
    message.u16(short);
    if (withValue) message.bytes(value);
  }
  return aesCmac(new Uint8Array(16), message.finish()).reverse();
}
