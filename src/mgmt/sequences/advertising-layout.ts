import {
  type AdStructure,
  AdvertisingData,
  type AdvertisingDataFields,
  type AdvertisingDataLike,
  encodeAdStructures,
} from "../../gap/index.ts";

/** Checked against the room there is when everything has its place. */
const ANY_SIZE = 0xffff;

/** What is to be said. A name or appearance that is `true` is the kernel's to write. */
export interface Said extends Pick<AdvertisingDataFields, "manufacturerData" | "serviceData"> {
  readonly services?: AdvertisingDataFields["serviceUuids"];
  readonly name?: string | true | undefined;
  readonly appearance?: number | true | undefined;
  readonly data?: AdvertisingDataLike | undefined;
  readonly scanResponse?: AdvertisingDataLike | undefined;
}

/**
 * Distributes structures over advertisement and scan response: what identifies a device to a passive listener in the advertisement;
 * appearance and name there too if they fit, else in the scan response.
 *
 * @param room what Get Advertising Size Information answered: the octets left beside what the kernel writes
 * @throws {ArgumentError} it does not fit
 */
export function layOut(
  { services, serviceData, manufacturerData, appearance, name, data, scanResponse }: Said,
  room: { readonly maxAdvDataLen: number; readonly maxScanRspLen: number },
): { advData: Uint8Array; scanRsp: Uint8Array } {
  const main = [...structuresOf({ serviceUuids: services, serviceData, manufacturerData }), ...structuresOf(data ?? [])];
  const response = [...structuresOf(scanResponse ?? [])];
  const movable = [
    ...structuresOf({ appearance: appearance === true ? undefined : appearance }),
    ...structuresOf({ name: name === true ? undefined : name }),
  ];
  for (const structure of movable) {
    const fits = size(main) + size([structure]) <= room.maxAdvDataLen;
    (fits ? main : response).push(structure);
  }
  return { advData: encodeAdStructures(main, room.maxAdvDataLen), scanRsp: encodeAdStructures(response, room.maxScanRspLen) };
}

function structuresOf(like: AdvertisingDataLike): readonly AdStructure[] {
  return AdvertisingData.from(like, ANY_SIZE).structures;
}

function size(structures: readonly AdStructure[]): number {
  return structures.reduce((sum, { data }) => sum + 2 + data.length, 0);
}
