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

/** The structure that data ends in, where more of it comes in another packet. */
export interface OpenStructure {
  /** `undefined` where the next octet is the type. */
  type: number | undefined;
  /** Octets to come, the type with them where it is to come; 0 between two structures. */
  left: number;
  /** Octets of the value that came. */
  done: number;
}
/** After what is no structure: whatever comes, it goes. */
export const LOST: OpenStructure = Object.freeze({ type: -1, left: Number.POSITIVE_INFINITY, done: 0 });

/** Whether octets [start, end) are AD structures to their end, or to a structure of length 0. */
export function areStructures(octets: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && octets[at] !== 0) at += 1 + octets[at]!;
  return at <= end;
}

/**
 * Takes names, addresses and values out of the AD structures in octets [start, end). What is no structure goes whole.
 *
 * @param options.from the structure that the piece before ended in
 * @param options.continues there is more in another packet
 * @returns where the octets end, for the next piece
 */
export function anonymizeAdvertisingData(
  octets: Uint8Array,
  start: number,
  end: number,
  pseudonyms: Pseudonyms,
  { from, continues = false }: { from?: OpenStructure | undefined; continues?: boolean } = {},
): OpenStructure {
  let at = start;
  let { type, left, done } = from ?? { type: undefined, left: 0, done: 0 };
  while (at < end) {
    if (left === 0) {
      left = octets[at]!;
      if (left === 0 || (at + 1 + left > end && !continues)) {
        octets.fill(0, at, end);
        return LOST;
      }
      type = undefined;
      done = 0;
      at++;
      continue;
    }
    if (type === undefined) {
      type = octets[at]!;
      left--;
      at++;
      continue;
    }
    const next = Math.min(at + left, end);
    anonymizeValue(octets, at, next, { type, done, isWhole: done === 0 && at + left <= end }, pseudonyms);
    done += next - at;
    left -= next - at;
    at = next;
  }
  return { type, left, done };
}

/** Octets [start, end) of a structure's value, behind `done` others. */
function anonymizeValue(
  octets: Uint8Array,
  start: number,
  end: number,
  { type, done, isWhole }: { type: number; done: number; isWhole: boolean },
  pseudonyms: Pseudonyms,
): void {
  if (NAMES.has(type)) octets.fill(UNNAMED, start, end);
  else if (!ADDRESSES.has(type)) octets.fill(0, Math.min(start + Math.max((KEPT.get(type) ?? 0) - done, 0), end), end);
  else if (isWhole) for (let address = start; address + 6 <= end; address += 6) pseudonyms.overwrite(octets, address);
  else octets.fill(0, start, end); // an address that is cut in two has no pseudonym
}
