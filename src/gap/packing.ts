import { checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { type AdvertisingDataFields, fieldsToStructures } from "./ad-fields.ts";
import { type AdStructure, LEGACY_ADVERTISING_DATA_OCTETS as CAPACITY, encodeAdStructures } from "./ad-structure.ts";
import { AdFlag, AdType, adTypeName } from "./ad-types.ts";
import { AdvertisingData, isPlainObject } from "./advertising-data.ts";

/** One description, divided. */
export interface PackedAdvertisingData {
  readonly data: AdvertisingData;
  /** `undefined` where all of it is in `data`. */
  readonly scanResponse: AdvertisingData | undefined;
}

export interface PackOptions {
  /** Whether scan requests are answered; true by default. */
  readonly scanResponse?: boolean | undefined;
}
const PACK_OPTIONS = optionNames<PackOptions>({ scanResponse: true });

export const DEFAULT_FLAGS = AdFlag.LeGeneralDiscoverable | AdFlag.BrEdrNotSupported;
const sizeOf = ({ data }: AdStructure): number => 2 + data.length;

/**
 * Divides a description over advertising data and scan response data of 31 octets each. Everything stays in the advertising data where it
 * fits; else what is written first in the object has the first claim to it, as far as a place is left for all the others. Flags are never in
 * the scan response (Supplement Part A 1.3); where none are given they are 0x06: general discoverable, no BR/EDR.
 *
 * @throws {ArgumentError} it does not fit, and which part does not; a field that is none, or cannot hold its value
 */
export function packAdvertisingData(fields: AdvertisingDataFields, options: PackOptions = {}): PackedAdvertisingData {
  checkOptions("packAdvertisingData", options, PACK_OPTIONS);
  if (!isPlainObject(fields)) throw new ArgumentError(`payload: expected fields of advertising data, got ${kindOf(fields)}`);
  const { flags = DEFAULT_FLAGS, ...others } = fields;
  const structures = fieldsToStructures({ flags, ...others });
  const capacities = [CAPACITY, options.scanResponse === false ? 0 : CAPACITY] as const;
  const places = divide(structures, capacities);
  if (!places) throw new ArgumentError(whatDoesNotFit(structures, capacities));
  const part = (place: Place): AdvertisingData => new AdvertisingData(encodeAdStructures(structures.filter((_, i) => places[i] === place)));
  return { data: part("data"), scanResponse: places.includes("scanResponse") ? part("scanResponse") : undefined };
}

type Place = "data" | "scanResponse";
type Capacities = readonly [data: number, scanResponse: number];

/** Where each structure goes; `undefined` where no division holds them all. Tried are all of them, so that no gap is left that would do. */
function divide(structures: readonly AdStructure[], [data, scanResponse]: Capacities): Place[] | undefined {
  const total = structures.reduce((sum, structure) => sum + sizeOf(structure), 0);
  if (total <= data) return structures.map(() => "data");
  if (total > data + scanResponse) return undefined;
  const places: Place[] = [];
  /** Of what was placed so far, only the room that it left matters; there are at most 31 structures, and 32 ways to have room. */
  const deadEnds = new Set<number>();
  const place = (dataRoom: number, scanRoom: number): boolean => {
    const index = places.length;
    if (index === structures.length) return true;
    const key = index * (CAPACITY + 1) + dataRoom;
    if (deadEnds.has(key)) return false;
    const structure = structures[index]!;
    const size = sizeOf(structure);
    if (size <= dataRoom) {
      places.push("data");
      if (place(dataRoom - size, scanRoom)) return true;
      places.pop();
    }
    if (size <= scanRoom && structure.type !== AdType.Flags) {
      places.push("scanResponse");
      if (place(dataRoom, scanRoom - size)) return true;
      places.pop();
    }
    deadEnds.add(key);
    return false;
  };
  return place(data, scanResponse) ? places : undefined;
}

/** Names the first structure for which there is no place any more, and what everything takes. */
function whatDoesNotFit(structures: readonly AdStructure[], capacities: Capacities): string {
  const [data, scanResponse] = capacities;
  const index = structures.findIndex((_, i) => !divide(structures.slice(0, i + 1), capacities));
  const structure = structures[index]!;
  const beside = sizeOf(structure) > Math.max(data, scanResponse) ? "" : " beside what is written before it";
  const room = `${data} octets of advertising data${scanResponse === 0 ? "" : ` and ${scanResponse} of scan response`}`;
  const parts = structures.map((each) => `${adTypeName(each.type)} ${sizeOf(each)}`).join(", ");
  return `payload: ${adTypeName(structure.type)} of ${sizeOf(structure)} octets does not fit${beside}: there are ${room} (${parts})`;
}
