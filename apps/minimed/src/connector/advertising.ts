import { type Address, ArgumentError } from "jelling/core";

/** Medtronic, in the assigned numbers of the Bluetooth SIG. */
export const MEDTRONIC_COMPANY_ID = 0x01f9;
/** Service UUIDs a pump looks for: while it is told to find a new phone, and while it looks for the one it knows. */
export const PAIR_SERVICE_UUID = 0xfe82;
export const RECONNECT_SERVICE_UUID = 0xfe81;

/**
 * Where the name goes. "name" puts it into the local name, as most connectors do; "manufacturer" into manufacturer data, as the official
 * application does. Both have paired with pumps; which of them a pump reads is not known.
 */
export type AdvertisingForm = "name" | "manufacturer";

const ad = (type: number, ...content: number[]): number[] => [content.length + 1, type, ...content];
const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const uuid16 = (uuid: number): number[] => [uuid & 0xff, uuid >> 8];

const Ad = Object.freeze({ Flags: 0x01, SomeUuid16: 0x02, AllUuid16: 0x03, Name: 0x09, TxPower: 0x0a, Manufacturer: 0xff });
/** LE General Discoverable, BR/EDR Not Supported. */
const FLAGS_GENERAL = 0x06;
/** What the official application sends. */
const FLAGS_MANUFACTURER_FORM = 0x02;

/** Whether a pump will list a phone of this name: "Mobile " and up to seven printable ASCII characters. */
export function isMobileName(name: string): boolean {
  return /^Mobile [\x20-\x7e]{0,7}$/.test(name);
}

/** @throws {ArgumentError} a name the pump would not list */
export function checkMobileName(name: string): string {
  if (!isMobileName(name))
    throw new ArgumentError(`name "${name}": expected "Mobile " and at most 7 ASCII characters, as in "Mobile 123456"`);
  return name;
}

function manufacturerForm(service: number, marker: number, name: string): Uint8Array {
  return Uint8Array.from([
    ...ad(Ad.Flags, FLAGS_MANUFACTURER_FORM),
    ...ad(Ad.Manufacturer, ...uuid16(MEDTRONIC_COMPANY_ID), marker, ...ascii(checkMobileName(name)), 0),
    ...ad(Ad.TxPower, 1),
    ...ad(Ad.AllUuid16, ...uuid16(service)),
  ]);
}

/** Advertising data of a phone that a pump may pair with. @throws {ArgumentError} a name the pump would not list */
export function pairAdvertisement(name: string, form: AdvertisingForm = "name"): Uint8Array {
  if (form === "manufacturer") return manufacturerForm(PAIR_SERVICE_UUID, 0x00, name);
  return Uint8Array.from([
    ...ad(Ad.Flags, FLAGS_GENERAL),
    ...ad(Ad.AllUuid16, ...uuid16(PAIR_SERVICE_UUID)),
    ...ad(Ad.Name, ...ascii(checkMobileName(name))),
  ]);
}

/** Advertising data of a phone that waits for its pump. Use it with a resolvable private address, and only with a bond. */
export function reconnectAdvertisement(name: string, form: AdvertisingForm = "name"): Uint8Array {
  if (form === "manufacturer") return manufacturerForm(RECONNECT_SERVICE_UUID, 0x80, name);
  return Uint8Array.from([...ad(Ad.Flags, FLAGS_GENERAL), ...ad(Ad.AllUuid16, ...uuid16(RECONNECT_SERVICE_UUID))]);
}

/** What a CareLink uploader advertises: its hash proves that it knows the code on the pump's screen. */
export interface CareLinkAdvertisement {
  readonly data: Uint8Array;
  readonly scanResponse: Uint8Array;
}

/**
 * @param address the public address that advertises; its top 4 bits do not enter the hash
 * @param confirmationCode the six digits that the pump shows, 0 to 999,999
 * @param name begins with "PC"
 * @throws {ArgumentError} an address that is not public, a code or a name out of range
 */
export function careLinkAdvertisement(address: Address, confirmationCode: number, name = "PC"): CareLinkAdvertisement {
  if (address.isRandom) throw new ArgumentError("CareLink mode needs a public address: the pump computes its hash");
  if (!/^PC[\x20-\x7e]{0,18}$/.test(name)) throw new ArgumentError(`name "${name}": expected "PC" and at most 18 ASCII characters`);
  return {
    data: Uint8Array.from([
      ...ad(Ad.Flags, FLAGS_GENERAL),
      ...ad(Ad.SomeUuid16, ...uuid16(PAIR_SERVICE_UUID)),
      ...ad(Ad.Name, ...ascii(name)),
    ]),
    scanResponse: Uint8Array.from(ad(Ad.Manufacturer, ...uuid16(MEDTRONIC_COMPANY_ID), 0x01, ...careLinkHash(address, confirmationCode))),
  };
}

/** 64-bit FNV-1 over address (without its top 4 bits) and code, little-endian. @throws {ArgumentError} a code of more than six digits */
export function careLinkHash(address: Address, confirmationCode: number): Uint8Array {
  if (!Number.isInteger(confirmationCode) || confirmationCode < 0 || confirmationCode > 999_999)
    throw new ArgumentError("confirmation code: expected six digits");
  let number = 0n;
  for (const octet of [...address.bytes].reverse()) number = (number << 8n) | BigInt(octet);
  number = ((number & 0xfff_ffff_ffffn) << 20n) + BigInt(confirmationCode);
  let hash = 0xcbf29ce484222325n;
  for (let i = 0n; i < 8n; i++) hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ ((number >> (8n * i)) & 0xffn);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, hash, true);
  return bytes;
}
