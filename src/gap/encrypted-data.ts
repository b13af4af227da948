import { concat } from "../bytes/index.ts";
import { checkOctets, checkOptions, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { type RandomSource, randomBytes, systemRandom } from "../core/random.ts";
import { AesKey, aesCcmDecrypt, aesCcmEncrypt } from "../crypto/index.ts";
import { type AdStructure, parseAdStructures } from "./ad-structure.ts";
import { AdType } from "./ad-types.ts";
import { AdvertisingData, type AdvertisingDataLike } from "./advertising-data.ts";

const KEY_OCTETS = 16;
const IV_OCTETS = 8;
const RANDOMIZER_OCTETS = 5;
const MIC_OCTETS = 4;
/** What is authenticated beside the payload, Supplement Part A 1.23.3. */
const ADDITIONAL_DATA = Uint8Array.of(0xea);
/** An AD structure has 254 octets of data at most. */
const MAX_PAYLOAD_OCTETS = 254 - RANDOMIZER_OCTETS - MIC_OCTETS;

/**
 * What both ends have to have: the value of the Encrypted Data Key Material characteristic (0x2B88), 24 octets on the wire. Octets in the
 * order of the wire.
 */
export interface KeyMaterial {
  /** 16 octets. Secret. */
  readonly sessionKey: Uint8Array;
  /** Initialization vector, 8 octets. */
  readonly iv: Uint8Array;
}
const KEY_MATERIAL = optionNames<KeyMaterial>({ sessionKey: true, iv: true });

export interface EncryptOptions {
  /**
   * 5 octets. By default new ones each time, which is the rule: with one key they are never the same for different data, and they change with the own
   * private address, since they would tell that two addresses are of one device (Supplement Part A 1.23.3).
   */
  readonly randomizer?: Uint8Array | undefined;
  /** Where they come from; the platform's generator by default. */
  readonly random?: RandomSource | undefined;
}
const ENCRYPT_OPTIONS = optionNames<EncryptOptions>({ randomizer: true, random: true });

/** New key material. */
export function createKeyMaterial(random: RandomSource = systemRandom): KeyMaterial {
  return { sessionKey: randomBytes(random, KEY_OCTETS), iv: randomBytes(random, IV_OCTETS) };
}

/** The value of the characteristic. @throws {ArgumentError} */
export function encodeKeyMaterial(material: KeyMaterial): Uint8Array {
  const { sessionKey, iv } = checkKeyMaterial(material);
  return concat(sessionKey, iv);
}

/** What a peer's characteristic holds. @throws {ArgumentError} not 24 octets */
export function decodeKeyMaterial(value: Uint8Array): KeyMaterial {
  checkOctets("key material", value, { minLength: KEY_OCTETS + IV_OCTETS, maxLength: KEY_OCTETS + IV_OCTETS });
  return { sessionKey: value.slice(0, KEY_OCTETS), iv: value.slice(KEY_OCTETS) };
}

function checkKeyMaterial(material: KeyMaterial): KeyMaterial {
  checkOptions("key material", material ?? null, KEY_MATERIAL);
  checkOctets("session key", material.sessionKey, { minLength: KEY_OCTETS, maxLength: KEY_OCTETS });
  checkOctets("initialization vector", material.iv, { minLength: IV_OCTETS, maxLength: IV_OCTETS });
  return material;
}

/**
 * Encrypts AD structures into one structure of type Encrypted Data (Supplement Part A 1.23): `device.advertise({ data: [flags,
 * encryptAdvertisingData(material, { name: "Ward 3" })] })`.
 *
 * @throws {ArgumentError} no key material, nothing to encrypt, or more than 245 octets
 */
export function encryptAdvertisingData(material: KeyMaterial, data: AdvertisingDataLike, options: EncryptOptions = {}): AdStructure {
  const { sessionKey, iv } = checkKeyMaterial(material);
  checkOptions("encryptAdvertisingData", options, ENCRYPT_OPTIONS);
  const { random = systemRandom, randomizer = randomBytes(random, RANDOMIZER_OCTETS) } = options;
  checkOctets("randomizer", randomizer, { minLength: RANDOMIZER_OCTETS, maxLength: RANDOMIZER_OCTETS });
  const payload = AdvertisingData.from(data, MAX_PAYLOAD_OCTETS).bytes;
  if (payload.length === 0) throw new ArgumentError("encrypted advertising data: expected at least one AD structure");
  const sealed = aesCcmEncrypt(new AesKey(sessionKey), concat(randomizer, iv), payload, ADDITIONAL_DATA, MIC_OCTETS);
  return { type: AdType.EncryptedAdvertisingData, data: concat(randomizer, sealed) };
}

/**
 * Decrypts what an advertisement has in its structures of type Encrypted Data, one after the other: everything that this key material opens.
 * `undefined` where it opens nothing: there is none, or it belongs to others.
 *
 * @param data advertising data, or the data of one structure
 * @throws {ArgumentError} no key material
 */
export function decryptAdvertisingData(material: KeyMaterial, data: AdvertisingData | Uint8Array): AdvertisingData | undefined {
  const { sessionKey, iv } = checkKeyMaterial(material);
  const key = new AesKey(sessionKey);
  const sealed = data instanceof AdvertisingData ? data.encrypted : [checkOctets("encrypted advertising data", data)];
  const opened = sealed.flatMap((octets) => open(key, iv, octets) ?? []);
  return opened.length === 0 ? undefined : new AdvertisingData(concat(...opened));
}

function open(key: AesKey, iv: Uint8Array, octets: Uint8Array): Uint8Array | undefined {
  if (octets.length <= RANDOMIZER_OCTETS + MIC_OCTETS) return undefined;
  const nonce = concat(octets.subarray(0, RANDOMIZER_OCTETS), iv);
  const payload = aesCcmDecrypt(key, nonce, octets.subarray(RANDOMIZER_OCTETS), ADDITIONAL_DATA, MIC_OCTETS);
  if (!payload) return undefined;
  // What follows the structures of one payload is padding, and must not be taken for the beginning of the next.
  const { structures } = parseAdStructures(payload);
  const end = structures.reduce((sum, structure) => sum + 2 + structure.data.length, 0);
  return payload.subarray(0, end);
}
