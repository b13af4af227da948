import { DecodeError } from "../bytes/decode-error.ts";
import { concat } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { checkOctets } from "../core/arguments.ts";
import { reversed } from "../crypto/index.ts";
import { checkOutOfBandData, createOutOfBandData, type OutOfBandData, type OutOfBandRole } from "../smp/out-of-band.ts";
import { type AdStructure, encodeAdStructures, parseAdStructures } from "./ad-structure.ts";
import { AdType, adTypeName } from "./ad-types.ts";

// Out-of-band data as AD structures (Supplement to the Core Specification Part A 1.8, 1.16 to 1.18): the form in which an NFC tag carries them
// ("application/vnd.bluetooth.le.oob"), and which a picture can carry too.

/** Longer than any such data with a name and what else a tag says. */
const MAX_LENGTH = 1024;

/**
 * Writes out-of-band data for a tag or a picture: what is there of address, role and secrets, in this order. Who reads them needs the address.
 *
 * @throws {ArgumentError} not out-of-band data
 */
export function encodeOutOfBandData(data: OutOfBandData): Uint8Array {
  checkOutOfBandData("encodeOutOfBandData", data);
  const { address, role, random, confirm, temporaryKey } = data;
  const structures: AdStructure[] = [];
  if (address) structures.push({ type: AdType.LeBluetoothDeviceAddress, data: concat(address.bytes, Uint8Array.of(address.type)) });
  if (role !== undefined) structures.push({ type: AdType.LeRole, data: Uint8Array.of(role) });
  for (const [type, octets] of [
    [AdType.SecurityManagerTkValue, temporaryKey],
    [AdType.LeSecureConnectionsConfirmationValue, confirm],
    [AdType.LeSecureConnectionsRandomValue, random],
  ] as const)
    if (octets) structures.push({ type, data: reversed(octets) });
  return encodeAdStructures(structures, MAX_LENGTH);
}

const LENGTHS = new Map<number, number>([
  [AdType.LeBluetoothDeviceAddress, 7],
  [AdType.LeRole, 1],
  [AdType.SecurityManagerTkValue, 16],
  [AdType.LeSecureConnectionsConfirmationValue, 16],
  [AdType.LeSecureConnectionsRandomValue, 16],
]);

/**
 * Reads what a tag or a picture carried. Structures of other types are passed over. Whoever can write to the tag can write anything: nothing in
 * it is believed but by a pairing that succeeds with it.
 *
 * @throws {ArgumentError} not octets, or more than 1024
 * @throws {DecodeError} a structure that is cut short, has a wrong length or comes twice; a role or an address type that there is not; an address
 * of zeros; one of random and confirm value without the other; a temporary key of zeros; or nothing to pair with
 */
export function decodeOutOfBandData(octets: Uint8Array): OutOfBandData {
  checkOctets("decodeOutOfBandData", octets, { maxLength: MAX_LENGTH });
  const fail = (problem: string): never => {
    throw new DecodeError({ path: "OutOfBandData", problem, offset: 0, length: octets.length, packet: octets });
  };
  const { structures, problem } = parseAdStructures(octets);
  if (problem) fail(problem);
  const found = new Map<number, Uint8Array>();
  for (const { type, data } of structures) {
    const length = LENGTHS.get(type);
    if (length === undefined) continue;
    if (data.length !== length) fail(`${adTypeName(type)} of ${data.length} octets, must be ${length}`);
    if (found.has(type)) fail(`${adTypeName(type)} twice`);
    found.set(type, data);
  }
  const secret = (type: number): Uint8Array | undefined => {
    const value = found.get(type);
    return value && reversed(value);
  };
  const address = found.get(AdType.LeBluetoothDeviceAddress);
  if (address && address[6]! > 1) fail(`address type ${address[6]}, must be 0 or 1`);
  if (address?.subarray(0, 6).every((octet) => octet === 0)) fail("an address of zeros");
  const role = found.get(AdType.LeRole)?.[0];
  if (role !== undefined && role > 3) fail(`LE Role ${role}, must be 0 to 3`);
  const data = createOutOfBandData({
    address: address && new Address(address.slice(0, 6), address[6]!),
    role: role as OutOfBandRole | undefined,
    random: secret(AdType.LeSecureConnectionsRandomValue),
    confirm: secret(AdType.LeSecureConnectionsConfirmationValue),
    temporaryKey: secret(AdType.SecurityManagerTkValue),
  });
  try {
    checkOutOfBandData("OutOfBandData", data);
  } catch (error) {
    fail((error as Error).message);
  }
  return data;
}
