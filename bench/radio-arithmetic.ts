import type { AirTraceEntry } from "../src/air/index.ts";
import { airTimeUs } from "../src/air/index.ts";
import { SeededRandom } from "../src/core/index.ts";
import {
  LeSetDataLength,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetPhy,
  LeSetScanEnable,
} from "../src/hci/index.ts";
import { advertise, LeastHost, newAir, pair, scan } from "./air.ts";
import type { Row } from "./harness.ts";

/** What the radio allows of one configuration, by arithmetic from the Core Specification (Vol 6 Part B), and what the simulated air makes of it. */
export interface Configuration {
  readonly name: string;
  readonly unit: "octets/s" | "ms";
  readonly calculated: number;
  measure(): Promise<number>;
}

type Coding = "1M" | "2M" | "S2" | "S8";

/** T_IFS (4.1), and T_MAFS, the least from a packet to the one its AuxPtr points to (4.1.2). */
const T_IFS_US = 150;
const T_MAFS_US = 300;
/** Mean of advDelay, 0 to 10 ms (4.4.2.2.1), and its variance. */
const MEAN_DELAY_MS = 5;
const DELAY_VARIANCE_MS2 = 100 / 12;

/** Time on air of a packet with so many octets of payload (2.1, 2.2), in microseconds. */
function onAirUs(coding: Coding, octets: number): number {
  if (coding === "1M") return 8 * (octets + 10);
  if (coding === "2M") return 4 * (octets + 11);
  const s = coding === "S2" ? 2 : 8;
  return 376 + s * (8 * octets + 43);
}

/** Microseconds in a millisecond. */
const MS = 1000;

interface LinkChoice {
  readonly coding: Coding;
  readonly intervalMs: number;
  /** Longest payload of a data packet: 27, or up to 251 by data length extension. */
  readonly dataLength?: number;
}

const PHY_BITS: Readonly<Record<Coding, number>> = { "1M": 1, "2M": 2, S2: 4, S8: 4 };
const PHY_OPTIONS: Readonly<Record<Coding, number>> = { "1M": 0, "2M": 0, S2: 1, S8: 2 };
/** Long enough for a procedure of the link layer with its instant, on any interval here. */
const PROCEDURE_EVENTS = 60;

/** A link between two hosts that do nothing by themselves, set up as wished. */
async function linked({ coding, intervalMs, dataLength = 27, latency = 0 }: LinkChoice & { latency?: number }) {
  const { air, clock } = newAir();
  const [central, peripheral] = ["central", "peripheral"].map(
    (name) => new LeastHost({ air, name, totalNumLeAclDataPackets: 40, driftPpm: 0 }),
  ) as [LeastHost, LeastHost];
  await pair(clock, central, peripheral, { intervalMs, latency });
  if (dataLength > 27)
    for (const host of [central, peripheral])
      host.send(LeSetDataLength, {
        connectionHandle: host.handle,
        txOctets: dataLength,
        txTime: coding === "1M" || coding === "2M" ? 2120 : 17_040,
      });
  const phys = PHY_BITS[coding];
  if (coding !== "1M")
    central.send(LeSetPhy, { connectionHandle: central.handle, allPhys: 0, txPhys: phys, rxPhys: phys, phyOptions: PHY_OPTIONS[coding] });
  await clock.advance(PROCEDURE_EVENTS * intervalMs * (latency + 1));
  return { air, clock, central, peripheral };
}

/**
 * Exchanges with data one way or both that an interval holds, each begun only if it ends T_IFS before the next anchor (4.5.1): payloads of the
 * central's packets, in turn, over so many events.
 */
function exchangesPerSecond({ coding, intervalMs }: LinkChoice, payloads: readonly number[], answer: number): number {
  // Each end chooses the coding of what it sends, and the peripheral, which has no wish, answers in S=8.
  const answering = coding === "S2" ? "S8" : coding;
  const events = 1000;
  let count = 0;
  for (let event = 0; event < events; event++) {
    let leftUs = intervalMs * MS;
    for (;;) {
      leftUs -= onAirUs(coding, payloads[count % payloads.length]!) + T_IFS_US + onAirUs(answering, answer) + T_IFS_US;
      if (leftUs < 0) break;
      count++;
    }
  }
  return count / ((events * intervalMs) / 1000);
}

interface ThroughputChoice extends LinkChoice {
  /** Notifications as long as it allows, in place of data packets that nobody looks into. */
  readonly attMtu?: number;
  readonly bothWays?: boolean;
}

/** Octets a second that the receiver's host has: of notifications their values, else all of L2CAP. */
function throughput(choice: ThroughputChoice): Configuration {
  const { coding, intervalMs, dataLength = 27, attMtu, bothWays = false } = choice;
  // A notification of ATT_MTU octets: 4 more of L2CAP around, 3 of ATT inside (Vol 3 Part A 3.1, Part F 3.4.7.1).
  const frame = attMtu === undefined ? dataLength : attMtu + 4;
  const useful = attMtu === undefined ? frame : attMtu - 3;
  const packets: number[] = [];
  for (let left = frame; left > 0; left -= dataLength) packets.push(Math.min(left, dataLength));
  const exchanges = exchangesPerSecond(choice, packets, bothWays ? dataLength : 0);
  const what =
    attMtu === undefined ? `data packets of ${dataLength} octets` : `notifications, ATT_MTU ${attMtu}, data packets of ${dataLength}`;
  return {
    name: `throughput: ${coding}, ${intervalMs} ms, ${what}${bothWays ? ", both ways" : ""}`,
    unit: "octets/s",
    calculated: (exchanges / packets.length) * useful * (bothWays ? 2 : 1),
    async measure() {
      const { air, clock, central, peripheral } = await linked(choice);
      for (const host of bothWays ? [central, peripheral] : [central]) {
        host.credits = 24;
        host.fill(frame);
      }
      await clock.advance(40 * intervalMs);
      const before = central.octets + peripheral.octets;
      const events = 200;
      await clock.advance(events * intervalMs);
      const octets = central.octets + peripheral.octets - before;
      air[Symbol.dispose]();
      return ((octets / frame) * useful) / ((events * intervalMs) / 1000);
    },
  };
}

interface LatencyChoice extends LinkChoice {
  readonly latency?: number;
  readonly way: "to the peripheral" | "to the central" | "there and back";
}

/** Mean time from the moment a host gives a packet of 27 octets to its controller, at any time, until the other host has it. */
function delay(choice: LatencyChoice): Configuration {
  const { coding, intervalMs, latency = 0, way } = choice;
  const data = onAirUs(coding, 27) / MS;
  const behindEmpty = (onAirUs(coding, 0) + T_IFS_US) / MS;
  // A peripheral that rests hears its central at every (latency + 1)th anchor, and speaks at any one. Its reply leaves at the next.
  const calculated =
    way === "to the peripheral"
      ? ((latency + 1) * intervalMs) / 2 + data
      : way === "to the central"
        ? intervalMs / 2 + behindEmpty + data
        : intervalMs / 2 + intervalMs + behindEmpty + data;
  return {
    name: `latency: ${coding}, ${intervalMs} ms, ${way}${latency > 0 ? `, peripheral latency ${latency}` : ""}`,
    unit: "ms",
    calculated,
    async measure() {
      const { air, clock, central, peripheral } = await linked(choice);
      const from = way === "to the central" ? peripheral : central;
      const to = way === "to the peripheral" ? peripheral : central;
      if (way === "there and back") peripheral.onData = () => peripheral.data(27);
      let sentMs = 0;
      let sumMs = 0;
      to.onData = () => {
        sumMs += air.nowUs / MS - sentMs;
      };
      // Between two samples everything has come to rest, and the next one falls on another part of the interval.
      const samples = latency > 0 ? 2000 : 200;
      const cycleMs = (latency + 1) * intervalMs;
      const pauseMs = (Math.ceil(100 / cycleMs) + 4) * cycleMs + cycleMs / samples;
      for (let i = 0; i < samples; i++) {
        sentMs = air.nowUs / MS;
        from.data(27);
        await clock.advance(pauseMs);
      }
      air[Symbol.dispose]();
      return sumMs / samples;
    },
  };
}

/** How far apart the PDUs of a legacy event that nobody may answer are on its channels: what this air keeps between them, up to 10 ms (4.4.2.2). */
const LEGACY_GAP_US = 150;
/** ADV_NONCONN_IND with 31 octets. */
const LEGACY_US = onAirUs("1M", 37);

/** Mean time until the next advertising event, from any moment on: half an interval, and more since longer intervals are met more often. */
function residualMs(intervalMs: number): number {
  const meanMs = intervalMs + MEAN_DELAY_MS;
  return (meanMs ** 2 + DELAY_VARIANCE_MS2) / (2 * meanMs);
}

interface ScanChoice {
  readonly advertisingMs: number;
  readonly scanIntervalMs: number;
  readonly windowMs: number;
}

/** Steps of time in which the calculation of a wait counts. */
const STEP_MS = 0.0125;

/** Mean time from the beginning of a scan until the first report. */
function expectedWaitMs({ advertisingMs, scanIntervalMs, windowMs }: ScanChoice): number {
  // The scan comes round every three intervals. By the moment of its beginning in that round: when an event is over that is heard, 0 otherwise.
  const steps = Math.round((3 * scanIntervalMs) / STEP_MS);
  const heardAfterMs = Float64Array.from({ length: steps }, (_, i) => {
    const atMs = (i + 0.5) * STEP_MS;
    for (let channel = 0; channel < 3; channel++) {
      const startMs = atMs + (channel * (LEGACY_US + LEGACY_GAP_US)) / MS;
      const interval = Math.floor(startMs / scanIntervalMs);
      if (interval % 3 === channel && startMs + LEGACY_US / MS <= interval * scanIntervalMs + windowMs)
        return startMs - atMs + LEGACY_US / MS;
    }
    return 0;
  });
  // From an event that is not heard: the next follows after the interval and 0 to 10 ms, evenly. Found by going round until nothing changes.
  const waitMs = new Float64Array(steps);
  const sums = new Float64Array(2 * steps + 1);
  const [first, spread] = [Math.round(advertisingMs / STEP_MS), Math.round((2 * MEAN_DELAY_MS) / STEP_MS)];
  for (let change = 1; change > 1e-4; ) {
    change = 0;
    for (let i = 0; i < 2 * steps; i++) sums[i + 1] = sums[i]! + (heardAfterMs[i % steps]! || waitMs[i % steps]!);
    for (let i = 0; i < steps; i++) {
      const from = (i + first) % steps;
      const rounds = Math.floor(spread / steps);
      const rest = spread % steps;
      const sum = rounds * sums[steps]! + sums[from + rest]! - sums[from]!;
      const now = advertisingMs + MEAN_DELAY_MS + sum / spread;
      change = Math.max(change, Math.abs(now - waitMs[i]!));
      waitMs[i] = now;
    }
  }
  // The first event comes at any time within the interval between two, longer ones of which are met more often.
  let mean = 0;
  let weights = 0;
  for (let i = 0; i < first + spread; i++) {
    const weight = i < first ? 1 : 1 - (i - first) / spread;
    mean += weight * ((i + 0.5) * STEP_MS + (heardAfterMs[i % steps]! || waitMs[i % steps]!));
    weights += weight;
  }
  return mean / weights;
}

function discovery(choice: ScanChoice): Configuration {
  const { advertisingMs, scanIntervalMs, windowMs } = choice;
  const share = windowMs / scanIntervalMs;
  return {
    name: `discovery: advertising every ${advertisingMs} ms, scan window ${windowMs} of ${scanIntervalMs} ms`,
    unit: "ms",
    get calculated() {
      return expectedWaitMs(choice);
    },
    measure: async () =>
      await meanWaitMs(
        (residualMs(advertisingMs) * 2) / share,
        (air) => {
          advertise(new LeastHost({ air, name: "advertiser" }), advertisingMs, 3);
          return {
            isSought: (packet) => packet[3] === 0x02,
            start: (scanner) => scan(scanner, scanIntervalMs, windowMs, false),
            stop: (scanner) => scanner.send(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false }),
          };
        },
        share === 1 ? 4000 : 20_000, // the waits for windows are spread as widely as they are long
      ),
  };
}

interface Search {
  readonly isSought: (packet: Uint8Array) => boolean;
  readonly start: (scanner: LeastHost) => void;
  readonly stop: (scanner: LeastHost) => void;
}

/** Many scanners that begin one after the other, at any time, each until it has what it looks for, again and again. */
async function meanWaitMs(aboutMs: number, prepare: (air: ReturnType<typeof newAir>["air"]) => Search, samples = 4000): Promise<number> {
  const { air, clock } = newAir();
  const { isSought, start, stop } = prepare(air);
  let sumMs = 0;
  let found = 0;
  const free = Array.from({ length: 60 }, (_, i) => new LeastHost({ air, name: `scanner${i}`, ...EXTENDED }));
  await clock.advance(1000);
  const random = new SeededRandom(1, "beginnings of scans");
  for (let started = 0; found < samples; ) {
    const host = started < samples ? free.pop() : undefined;
    if (host) {
      started++;
      const sinceMs = air.nowUs / MS;
      host.onEvent = (packet) => {
        if (!isSought(packet)) return;
        sumMs += air.nowUs / MS - sinceMs;
        found++;
        host.onEvent = undefined;
        stop(host);
        free.push(host);
      };
      start(host);
    }
    await clock.advance((random.unit() * aboutMs) / 10);
  }
  air[Symbol.dispose]();
  return sumMs / found;
}

const EXTENDED = { features: { extendedAdvertising: true } } as const;

interface TrainChoice {
  readonly primary: "1M" | "S8";
  readonly secondary: "1M" | "2M" | "S8";
  readonly octets: number;
}

const PHY_NUMBERS: Readonly<Record<Coding, number>> = { "1M": 1, "2M": 2, S2: 3, S8: 3 };
/** AuxPtr counts in steps of 30 µs (2.3.4.5). */
const stepped = (us: number): number => Math.ceil(us / 30) * 30;

/** From the beginning of ADV_EXT_IND on the first channel to the end of the last packet of the chain. */
function trainUs({ primary, secondary, octets }: TrainChoice): number {
  // Extended header length and mode, flags, ADI, AuxPtr; AUX_ADV_IND has AdvA as well, the last packet has no AuxPtr (2.3.1, 2.3.4).
  const extIndUs = onAirUs(primary, 7);
  const payloads: number[] = [];
  for (let left = octets, header = 10; payloads.length === 0 || left > 0; header = 4) {
    const room = 255 - header;
    const now = left <= room ? left : room - 3;
    payloads.push(header + now + (left <= room ? 0 : 3));
    left -= now;
  }
  const packetsUs = payloads.map((payload) => onAirUs(secondary, payload));
  const lastUs = packetsUs.pop()!;
  return (
    2 * stepped(extIndUs + LEGACY_GAP_US) +
    stepped(extIndUs + T_MAFS_US) +
    packetsUs.reduce((sum, us) => sum + stepped(us + T_MAFS_US), 0) +
    lastUs
  );
}

function advertiseTrain(host: LeastHost, { primary, secondary, octets }: TrainChoice, intervalMs: number): void {
  host.send(LeSetExtendedAdvertisingParameters, {
    advertisingHandle: 0,
    advertisingEventProperties: 0,
    primaryAdvertisingIntervalMin: intervalMs / 0.625,
    primaryAdvertisingIntervalMax: intervalMs / 0.625,
    primaryAdvertisingChannelMap: 7,
    ownAddressType: 0,
    peerAddressType: 0,
    peerAddress: new Uint8Array(6),
    advertisingFilterPolicy: 0,
    advertisingTxPower: 127,
    primaryAdvertisingPhy: PHY_NUMBERS[primary],
    secondaryAdvertisingMaxSkip: 0,
    secondaryAdvertisingPhy: PHY_NUMBERS[secondary],
    advertisingSid: 0,
    scanRequestNotificationEnable: false,
  });
  const last = Math.ceil(octets / 251) - 1;
  for (let i = 0; i <= last; i++) {
    const operation = last === 0 ? 3 : i === 0 ? 1 : i === last ? 2 : 0;
    const advertisingData = new Uint8Array(Math.min(251, octets - 251 * i));
    host.send(LeSetExtendedAdvertisingData, { advertisingHandle: 0, operation, fragmentPreference: 0, advertisingData });
  }
  const sets = [{ advertisingHandle: 0, duration: 0, maxExtendedAdvertisingEvents: 0 }];
  host.send(LeSetExtendedAdvertisingEnable, { enable: true, sets });
}

/** How long an extended advertising event takes with its chain. */
function train(choice: TrainChoice): Configuration {
  const { primary, secondary, octets } = choice;
  return {
    name: `extended advertising event: ${primary} and ${secondary}, ${octets} octets`,
    unit: "ms",
    calculated: trainUs(choice) / MS,
    async measure() {
      const { air, clock } = newAir({ idle: "simulate", traceCapacity: 100 });
      advertiseTrain(new LeastHost({ air, name: "advertiser", ...EXTENDED }), choice, 1000);
      await clock.advance(1010);
      const packets = air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");
      air[Symbol.dispose]();
      const first = packets[0]!;
      const event = packets.filter(({ timeUs }) => timeUs < first.timeUs + 900 * MS);
      const { timeUs, phy, pdu } = event.at(-1)!;
      return (timeUs + airTimeUs(phy, pdu.length - 2) - first.timeUs) / MS;
    },
  };
}

/** Mean time from the beginning of a scan that is always on until the last report of data in a chain. */
function trainDiscovery(choice: TrainChoice & { readonly advertisingMs: number }): Configuration {
  const { primary, secondary, octets, advertisingMs } = choice;
  return {
    name: `discovery: extended, ${primary} and ${secondary}, ${octets} octets every ${advertisingMs} ms, scan always on`,
    unit: "ms",
    calculated: residualMs(advertisingMs) + trainUs(choice) / MS,
    measure: async () =>
      await meanWaitMs(2 * residualMs(advertisingMs), (air) => {
        advertiseTrain(new LeastHost({ air, name: "advertiser", ...EXTENDED }), choice, advertisingMs);
        return {
          isSought: (packet) => packet[3] === 0x0d && (packet[5]! & 0x60) === 0,
          start(scanner) {
            const phys = [{ scanType: 0, scanInterval: 0x4000, scanWindow: 0x4000 }];
            scanner.send(LeSetExtendedScanParameters, {
              ownAddressType: 0,
              scanningFilterPolicy: 0,
              scanningPhys: primary === "1M" ? 1 : 4,
              phys,
            });
            scanner.send(LeSetExtendedScanEnable, { enable: true, filterDuplicates: 0, duration: 0, period: 0 });
          },
          stop: (scanner) => scanner.send(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 }),
        };
      }),
  };
}

export const configurations: readonly Configuration[] = [
  throughput({ coding: "1M", intervalMs: 7.5 }),
  throughput({ coding: "1M", intervalMs: 15 }),
  throughput({ coding: "1M", intervalMs: 15, dataLength: 251 }),
  throughput({ coding: "1M", intervalMs: 50, dataLength: 251 }),
  throughput({ coding: "1M", intervalMs: 30, dataLength: 251, bothWays: true }),
  throughput({ coding: "2M", intervalMs: 15 }),
  throughput({ coding: "2M", intervalMs: 15, dataLength: 251 }),
  throughput({ coding: "2M", intervalMs: 50, dataLength: 251 }),
  throughput({ coding: "S2", intervalMs: 30 }),
  throughput({ coding: "S2", intervalMs: 50, dataLength: 251 }),
  throughput({ coding: "S8", intervalMs: 50 }),
  throughput({ coding: "S8", intervalMs: 100, dataLength: 251 }),
  throughput({ coding: "1M", intervalMs: 15, attMtu: 23 }),
  throughput({ coding: "1M", intervalMs: 30, attMtu: 247 }),
  throughput({ coding: "1M", intervalMs: 30, attMtu: 247, dataLength: 251 }),
  throughput({ coding: "2M", intervalMs: 30, attMtu: 247, dataLength: 251 }),
  delay({ coding: "1M", intervalMs: 7.5, way: "to the peripheral" }),
  delay({ coding: "1M", intervalMs: 30, way: "to the central" }),
  delay({ coding: "1M", intervalMs: 30, way: "there and back" }),
  delay({ coding: "2M", intervalMs: 15, way: "there and back" }),
  delay({ coding: "S8", intervalMs: 30, way: "there and back" }),
  delay({ coding: "1M", intervalMs: 30, way: "to the peripheral", latency: 4 }),
  delay({ coding: "1M", intervalMs: 100, way: "to the central", latency: 4 }),
  discovery({ advertisingMs: 20, scanIntervalMs: 1280, windowMs: 1280 }),
  discovery({ advertisingMs: 100, scanIntervalMs: 1280, windowMs: 1280 }),
  discovery({ advertisingMs: 1022.5, scanIntervalMs: 5120, windowMs: 5120 }),
  discovery({ advertisingMs: 100, scanIntervalMs: 10, windowMs: 5 }),
  discovery({ advertisingMs: 152.5, scanIntervalMs: 10, windowMs: 2.5 }),
  discovery({ advertisingMs: 100, scanIntervalMs: 100, windowMs: 50 }),
  discovery({ advertisingMs: 1022.5, scanIntervalMs: 60, windowMs: 30 }),
  discovery({ advertisingMs: 1280, scanIntervalMs: 128.125, windowMs: 11.25 }),
  train({ primary: "1M", secondary: "1M", octets: 200 }),
  train({ primary: "1M", secondary: "2M", octets: 1650 }),
  train({ primary: "S8", secondary: "S8", octets: 600 }),
  trainDiscovery({ primary: "1M", secondary: "2M", octets: 1000, advertisingMs: 100 }),
  trainDiscovery({ primary: "S8", secondary: "S8", octets: 400, advertisingMs: 200 }),
];

export const radioRows: readonly Row[] = configurations.map((arithmetic) => ({
  name: `radio: ${arithmetic.name}`,
  unit: arithmetic.unit,
  arithmetic,
}));
