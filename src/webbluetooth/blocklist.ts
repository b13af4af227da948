import { checkOctets, kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";

/** What a program may not do with attributes of a type: nothing at all, not read them, not write them. */
export type BlockedUse = "exclude" | "exclude-reads" | "exclude-writes";

export interface BlockedManufacturerData {
  readonly companyIdentifier: number;
  readonly dataPrefix: Uint8Array;
  /** As long as `dataPrefix`. */
  readonly mask: Uint8Array;
}

export interface Blocklist {
  /** By whole UUIDs in lower case. */
  readonly gatt: Readonly<Record<string, BlockedUse>>;
  readonly manufacturerData: readonly BlockedManufacturerData[];
}

/** Nothing is kept from the program. */
export const NO_BLOCKLIST: Blocklist = Object.freeze({ gatt: Object.freeze({}), manufacturerData: Object.freeze([]) });

/**
 * What browsers keep from pages, by the registry of the Web Bluetooth group: keyboards, ways to put unsigned firmware into a device, security
 * keys, numbers that tell one device from all others, and iBeacons, which tell where one is.
 */
export const REGISTRY_BLOCKLIST: Blocklist = Object.freeze({
  gatt: Object.freeze({
    "00001812-0000-1000-8000-00805f9b34fb": "exclude", // Human Interface Device
    "00001530-1212-efde-1523-785feabcd123": "exclude", // Nordic's legacy firmware update
    "f000ffc0-0451-4000-b000-000000000000": "exclude", // Texas Instruments' over-the-air download
    "00060000-0000-1000-8000-00805f9b34fb": "exclude", // Cypress's bootloader
    "0000fffd-0000-1000-8000-00805f9b34fb": "exclude", // FIDO
    "0000fff9-0000-1000-8000-00805f9b34fb": "exclude", // FIDO
    "0000fde2-0000-1000-8000-00805f9b34fb": "exclude", // FIDO without pairing
    "00002a02-0000-1000-8000-00805f9b34fb": "exclude-writes", // Peripheral Privacy Flag
    "00002a03-0000-1000-8000-00805f9b34fb": "exclude", // Reconnection Address
    "00002a25-0000-1000-8000-00805f9b34fb": "exclude", // Serial Number String
    "00002902-0000-1000-8000-00805f9b34fb": "exclude-writes", // Client Characteristic Configuration
    "00002903-0000-1000-8000-00805f9b34fb": "exclude-writes", // Server Characteristic Configuration
  }),
  manufacturerData: Object.freeze([
    { companyIdentifier: 0x004c, dataPrefix: Uint8Array.of(0x02), mask: Uint8Array.of(0xff) }, // iBeacon
  ]),
});

/** @throws {ArgumentError} */
export function checkBlocklist(blocklist: Blocklist): void {
  const what = "createBluetooth: blocklist";
  if (
    typeof blocklist !== "object" ||
    blocklist === null ||
    typeof blocklist.gatt !== "object" ||
    !Array.isArray(blocklist.manufacturerData)
  )
    throw new ArgumentError(`${what}: expected { gatt, manufacturerData }, got ${kindOf(blocklist)}`);
  for (const [uuid, use] of Object.entries(blocklist.gatt)) {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid))
      throw new ArgumentError(`${what}: gatt: "${uuid}": expected a whole UUID in lower case`);
    if (!["exclude", "exclude-reads", "exclude-writes"].includes(use))
      throw new ArgumentError(`${what}: gatt: ${uuid}: "${use}" is no use`);
  }
  for (const { dataPrefix, mask } of blocklist.manufacturerData) {
    checkOctets(`${what}: dataPrefix`, dataPrefix);
    checkOctets(`${what}: mask`, mask);
    if (dataPrefix.length !== mask.length) throw new ArgumentError(`${what}: mask of ${mask.length} octets: expected ${dataPrefix.length}`);
  }
}

/** What a blocklist says of one UUID, or of one advertisement. */
export class Blocked {
  readonly #list: Blocklist;
  constructor(list: Blocklist) {
    this.#list = list;
  }

  #use(uuid: string): BlockedUse | undefined {
    return Object.hasOwn(this.#list.gatt, uuid) ? this.#list.gatt[uuid] : undefined;
  }
  all(uuid: string): boolean {
    return this.#use(uuid) === "exclude";
  }
  reads(uuid: string): boolean {
    const use = this.#use(uuid);
    return use === "exclude" || use === "exclude-reads";
  }
  writes(uuid: string): boolean {
    const use = this.#use(uuid);
    return use === "exclude" || use === "exclude-writes";
  }

  manufacturerData(companyIdentifier: number, data: Uint8Array): boolean {
    return this.#list.manufacturerData.some((entry) => entry.companyIdentifier === companyIdentifier && matchesData(data, entry));
  }
  /** Whether a filter asks for nothing but what is blocked. */
  manufacturerFilter(companyIdentifier: number, filter: { dataPrefix: Uint8Array; mask: Uint8Array }): boolean {
    return this.#list.manufacturerData.some(
      (entry) =>
        entry.companyIdentifier === companyIdentifier &&
        matchesData(filter.dataPrefix, entry) &&
        entry.mask.every((bits, i) => (bits & ~filter.mask[i]!) === 0),
    );
  }
}

/** Whether data begins as asked for, in the bits of the mask. */
export function matchesData(data: Uint8Array, { dataPrefix, mask }: { dataPrefix: Uint8Array; mask: Uint8Array }): boolean {
  return data.length >= dataPrefix.length && dataPrefix.every((octet, i) => ((octet ^ data[i]!) & mask[i]!) === 0);
}
