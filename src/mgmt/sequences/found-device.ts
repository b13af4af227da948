import { equalBytes } from "../../bytes/index.ts";
import type { Uuid } from "../../core/index.ts";
import { type AdStructure, AdType, AdvertisingData, encodeAdStructures } from "../../gap/index.ts";
import { AddressType, bitsOf, DeviceFoundFlags, hasBit } from "../../mgmt-protocol/index.ts";
import type { MgmtEventOf } from "../types.ts";
import { type DeviceId, deviceKey } from "./device-id.ts";

/** The value of a signal strength that is not known. */
const RSSI_UNKNOWN = 127;
/** Flags about one report rather than about the device. */
const PASSING_FLAGS = bitsOf(DeviceFoundFlags, ["ConfirmName", "ScanResponse"]);
/** Merged data are not limited to one packet. */
const MOST_OCTETS = 0xffff;

/** A device that a discovery heard. */
export class FoundDevice implements DeviceId {
  readonly address: string;
  /** AddressType: 0 BR/EDR, 1 LE public, 2 LE random. */
  readonly addressType: number;
  /** Signal strength in dBm; undefined where the controller has none. */
  readonly rssi: number | undefined;
  /** Bits of DeviceFoundFlags. */
  readonly flags: number;
  /** What this report said, as octets: advertising data of LE, extended inquiry response of BR/EDR. */
  readonly eirData: Uint8Array;
  readonly #structures: readonly AdStructure[];
  #data: AdvertisingData | undefined;

  constructor(event: MgmtEventOf<"deviceFound">, flags: number, structures: readonly AdStructure[]) {
    const { address, addressType, rssi, eirData } = event;
    this.address = address;
    this.addressType = addressType;
    // A plain inquiry without signal strength says 0.
    this.rssi = rssi === RSSI_UNKNOWN || (addressType === AddressType.BREDR && rssi === 0) ? undefined : rssi;
    this.flags = flags;
    this.eirData = eirData;
    this.#structures = structures;
  }

  /**
   * What the device says, parsed when it is first asked for: this report, and what earlier ones said that this one does not speak of. So
   * an advertisement and its scan response, or a BR/EDR device and the name that was asked for later, are one.
   */
  get data(): AdvertisingData {
    this.#data ??= new AdvertisingData(encodeAdStructures(this.#structures, MOST_OCTETS));
    return this.#data;
  }
  /** The complete name, else the shortened one. */
  get name(): string | undefined {
    return this.data.name;
  }
  /** Of complete and incomplete lists. */
  get serviceUuids(): Uuid[] {
    return this.data.serviceUuids;
  }
  /** Whether it takes connections; BR/EDR devices do. */
  get connectable(): boolean {
    return !this.has("NotConnectable");
  }
  has(flag: keyof typeof DeviceFoundFlags): boolean {
    return hasBit(DeviceFoundFlags, this.flags, flag);
  }

  toString(): string {
    const name = this.name === undefined ? "" : ` "${this.name}"`;
    return `${this.address}${this.rssi === undefined ? "" : ` ${this.rssi} dBm`}${name}`;
  }
}

/** What is known of a device: its advertisement, and what else it has said. */
interface Known extends Heard {
  /** Whether it has been wanted before. */
  readonly told: boolean;
}

interface Heard {
  readonly flags: number;
  /** Octets of the last report: one that repeats them says nothing new. */
  readonly last: Uint8Array;
  readonly main: readonly AdStructure[];
  readonly other: readonly AdStructure[];
}

/** Puts the reports of each device together. Bounded: in a crowd, those heard longest ago are forgotten. */
export class FoundDevices {
  readonly #known = new Map<string, Known>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * The device as it is known with this report, and what is new to whoever wants it: the device, something it says, or nothing. A device
   * that is not wanted, or not yet, is remembered all the same.
   */
  add(event: MgmtEventOf<"deviceFound">, isWanted: (device: FoundDevice) => boolean): { device: FoundDevice; news: News } {
    const key = deviceKey(event);
    const before = this.#known.get(key);
    const after = before ? merge(before, event) : { flags: event.flags, last: event.eirData, main: structuresOf(event), other: [] };
    const device = new FoundDevice(event, after.flags, [...after.main, ...after.other]);
    const wanted = isWanted(device);
    if (before)
      this.#known.delete(key); // to the end of the order
    else if (this.#known.size >= this.#capacity) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(key, { ...after, told: wanted || before?.told === true });
    if (!wanted) return { device, news: "unwanted" };
    if (!before?.told) return { device, news: "device" };
    const same = ((after.flags ^ before.flags) & ~PASSING_FLAGS) === 0 && (after === before || saySame(before, after));
    return { device, news: same ? "none" : "change" };
  }
}

export type News = "device" | "change" | "none" | "unwanted";

function structuresOf({ eirData }: MgmtEventOf<"deviceFound">): readonly AdStructure[] {
  return new AdvertisingData(eirData).structures;
}

function merge(before: Heard, event: MgmtEventOf<"deviceFound">): Heard {
  if (before.flags === event.flags && equalBytes(before.last, event.eirData)) return before;
  const structures = structuresOf(event);
  if (isScanResponse(event.flags, before.main, structures)) {
    const main = before.main.filter((structure) => !structures.some((other) => sameStructure(structure, other)));
    return { flags: before.flags, last: event.eirData, main, other: structures };
  }
  const types = new Set(structures.map(({ type }) => type));
  const other = [...before.main, ...before.other].filter(({ type }) => !types.has(type));
  return { flags: event.flags, last: event.eirData, main: structures, other };
}

/**
 * Whether a report is a scan response that came apart from its advertisement. Newer kernels say so; else it is known by the Flags field,
 * which scan responses never have (Supplement Part A 1.3): data without it, of a device that has advertised with it.
 */
function isScanResponse(flags: number, main: readonly AdStructure[], structures: readonly AdStructure[]): boolean {
  if (hasBit(DeviceFoundFlags, flags, "ScanResponse")) return true;
  return hasFlags(main) && !hasFlags(structures);
}

function hasFlags(structures: readonly AdStructure[]): boolean {
  return structures.some(({ type }) => type === AdType.Flags);
}

function sameStructure(a: AdStructure, b: AdStructure): boolean {
  return a.type === b.type && equalBytes(a.data, b.data);
}

/** In any order: the halves may come together or one after the other. */
function saySame(a: Heard, b: Heard): boolean {
  const [first, second] = [a, b].map(({ main, other }) => [...main, ...other]) as [AdStructure[], AdStructure[]];
  return first.length === second.length && first.every((structure) => second.some((other) => sameStructure(structure, other)));
}
