import { type Clock, SystemClock, VirtualClock } from "../src/async/index.ts";
import type { Advertisement, ScanOptions } from "../src/gap/index.ts";
import { H4Framer } from "../src/transport/h4.ts";
import { openMeasured } from "./hosts/jelling.ts";
import { Wire } from "./hosts/wire.ts";
import { advertisingData, notifications, report, VALUE } from "./hosts/workloads.ts";
import type { MemoryRow, Work } from "./row.ts";
import { instantPair } from "./stack.ts";

/** A program that keeps every hundredth of what it gets. */
class Keeper<T> {
  readonly #kept: T[] = [];
  #items = 0;

  readonly take = (item: T): void => {
    if (this.#items++ % 100 === 0) this.#kept.push(item);
  };
  readonly count = (): number => this.#kept.length;
}

const REPORTED: ScanOptions = { active: true, duplicates: "report" };

/** As a busy socket or serial port is read. */
const CHUNK_OCTETS = 65_536;

type Way = "in packets" | "in chunks";

/** Half a million notifications, and as many again. */
function notified(name: string, length: number, { fragment = 251, way = "in packets" as Way } = {}): MemoryRow {
  return {
    name: `memory: notifications of ${name}`,
    unit: "values",
    count: 500_000,
    fill: async () => {
      const keeper = new Keeper<Uint8Array>();
      const { end } = await openMeasured(Wire.open, "memory", [REPORTED, () => undefined], keeper.take);
      const { connectionHandle, valueHandle } = end.link;
      const packets = notifications(connectionHandle, valueHandle, length, fragment);
      const packetsPerItem = Math.ceil((length + 7) / fragment);
      const work = way === "in packets" ? inPackets(packets, packetsPerItem, end.toHost) : inChunks(packets, packetsPerItem, end.toHost);
      return { work, keptItems: keeper.count };
    },
  };
}

/** Each packet in an array of its own. */
function inPackets(packets: readonly Uint8Array[], packetsPerItem: number, toHost: (packet: Uint8Array) => void): Work {
  return (count) => {
    for (let i = 0; i < count * packetsPerItem; i++) toHost(new Uint8Array(packets[i % packets.length]!));
  };
}

/** As a stream of octets cut into pieces that hold many packets each. */
function inChunks(packets: readonly Uint8Array[], packetsPerItem: number, toHost: (packet: Uint8Array) => void): Work {
  const framer = new H4Framer(toHost);
  return (count) => {
    let chunk = new Uint8Array(CHUNK_OCTETS);
    let at = 0;
    for (let i = 0; i < count * packetsPerItem; i++)
      for (let packet = packets[i % packets.length]!; packet.length > 0; ) {
        const piece = packet.subarray(0, CHUNK_OCTETS - at);
        chunk.set(piece, at);
        at += piece.length;
        packet = packet.subarray(piece.length);
        if (at < CHUNK_OCTETS) continue;
        framer.push(chunk);
        chunk = new Uint8Array(CHUNK_OCTETS);
        at = 0;
      }
    framer.push(chunk.subarray(0, at));
  };
}

/** Half a million reports of as many advertisers, and as many again of others. */
function reported(name: string, options: ScanOptions): MemoryRow {
  return {
    name: `memory: reports, ${name}`,
    unit: "advertisements",
    count: 500_000,
    fill: async () => {
      const keeper = new Keeper<Advertisement>();
      const { end } = await openMeasured(Wire.open, "memory", [options, keeper.take], () => undefined);
      const [advertisement, response] = [report(0x00, 0, advertisingData(0)), report(0x04, 0, [2, 0x0a, 4])];
      const from = (packet: Uint8Array, advertiser: number): Uint8Array => {
        const made = new Uint8Array(packet);
        for (let i = 0; i < 4; i++) made[7 + i] = (advertiser >>> (8 * i)) & 0xff;
        return made;
      };
      let advertiser = 0;
      const work: Work = (count) => {
        for (let i = 0; i < count; i++, advertiser++) {
          end.toHost(from(advertisement, advertiser));
          if (advertiser % 2 === 0) end.toHost(from(response, advertiser));
        }
      };
      return { work, keptItems: keeper.count };
    },
  };
}

function timers(name: string, clock: () => Clock): MemoryRow {
  return {
    name: `memory: timers set and disposed, ${name}`,
    unit: "timers",
    count: 500_000,
    fill: () => {
      const here = clock();
      const work: Work = (count) => {
        for (let i = 0; i < count; i++) here.setTimer(30_000, "never", () => undefined)[Symbol.dispose]();
      };
      return Promise.resolve({ work });
    },
  };
}

/** Whatever is done twice as often must leave no more behind, but for what a program keeps, which must pin little beside itself. */
export const memoryRows: readonly MemoryRow[] = [
  {
    name: "memory: writes with response, instant mode",
    unit: "writes",
    count: 200_000,
    fill: async () => {
      const { remote } = await instantPair();
      const work: Work = async (count) => {
        for (let i = 0; i < count; i++) await remote.write(VALUE);
      };
      return { work };
    },
  },
  notified("20 octets", 20),
  notified("20 octets, in chunks of 64 KiB", 20, { way: "in chunks" }),
  notified("244 octets", 244),
  notified("244 octets, in chunks of 64 KiB", 244, { way: "in chunks" }),
  notified("244 octets in ten fragments", 244, { fragment: 27 }),
  notified("244 octets in ten fragments, in chunks of 64 KiB", 244, { fragment: 27, way: "in chunks" }),
  reported("all told", REPORTED),
  reported("duplicates filtered", { active: true, duplicates: "filter" }),
  reported("merged", { active: true, merge: true }),
  timers("system clock", () => new SystemClock()),
  timers("virtual clock", () => new VirtualClock({ auto: false })),
];
