import { AdType } from "../../gap/ad-types.ts";
import type { Pseudonyms } from "./pseudonyms.ts";

/** Octets kept at the beginning of a structure's value: what says of which kind a device is, and not which one. Of others nothing stays. */
const KEPT: ReadonlyMap<number, number> = new Map<number, number>([
  ...[
    AdType.Flags,
    AdType.IncompleteServiceUuids16,
    AdType.CompleteServiceUuids16,
    AdType.IncompleteServiceUuids32,
    AdType.CompleteServiceUuids32,
    AdType.IncompleteServiceUuids128,
    AdType.CompleteServiceUuids128,
    AdType.SolicitedServiceUuids16,
    AdType.SolicitedServiceUuids32,
    AdType.SolicitedServiceUuids128,
    AdType.TxPowerLevel,
    AdType.ClassOfDevice,
    AdType.PeripheralConnectionIntervalRange,
    AdType.Appearance,
    AdType.AdvertisingInterval,
    AdType.AdvertisingIntervalLong,
    AdType.LeRole,
    AdType.LeSupportedFeatures,
  ].map((type): [number, number] => [type, 255]),
  [AdType.ServiceData16, 2],
  [AdType.ServiceData32, 4],
  [AdType.ServiceData128, 16],
  [AdType.ManufacturerSpecificData, 2], // the company
]);
const NAMES: ReadonlySet<number> = new Set([AdType.ShortenedLocalName, AdType.CompleteLocalName, AdType.BroadcastName]);
const ADDRESSES: ReadonlySet<number> = new Set([AdType.PublicTargetAddress, AdType.RandomTargetAddress, AdType.LeBluetoothDeviceAddress]);
/** Stands for each octet of a text. */
export const UNNAMED = 0x78;

/** Takes names, addresses and values out of the AD structures in octets [start, end). What is no structure goes whole. */
export function anonymizeAdvertisingData(octets: Uint8Array, start: number, end: number, pseudonyms: Pseudonyms): void {
  let at = start;
  while (at < end) {
    const length = octets[at]!;
    const next = at + 1 + length;
    if (length === 0 || next > end) break;
    const type = octets[at + 1]!;
    const value = at + 2;
    if (NAMES.has(type)) octets.fill(UNNAMED, value, next);
    else if (ADDRESSES.has(type)) {
      for (let address = value; address + 6 <= next; address += 6) pseudonyms.overwrite(octets, address);
    } else octets.fill(0, Math.min(value + (KEPT.get(type) ?? 0), next), next);
    at = next;
  }
  octets.fill(0, at, end);
}
