import { expect, test } from "vitest";
import type { AirOptions } from "../src/air/index.ts";
import { Address } from "../src/core/index.ts";
import {
  DisconnectionComplete,
  LeAdvertisingReport,
  LeConnectionComplete,
  LeCreateConnection,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetScanEnable,
  ReadRssi,
} from "../src/hci/index.ts";
import type { RawHost } from "./support/raw-host.ts";
import { advertise, connectedPair, createConnection, makeAir, makeHost, scan } from "./support/raw-pair.ts";

// A radio does one thing at a time: it is on one channel, it sends or it hears, and what it cannot hear may still be in the way of others.

/** 400 m and 400 m in a row: those at the ends do not hear each other (about 560 m at 0 dBm). */
const [LEFT, MIDDLE, RIGHT] = [
  { x: 0, y: 0 },
  { x: 400, y: 0 },
  { x: 800, y: 0 },
];

const reportsFrom = (host: RawHost, address: Uint8Array): number =>
  host.all(LeAdvertisingReport).filter(({ reports }) => reports[0]!.address.join() === address.join()).length;
const responses = (host: RawHost): number => host.all(LeAdvertisingReport).filter(({ reports }) => reports[0]!.eventType === 4).length;

/** Scan responses that a scanner gets of an advertiser, in whose ears somebody else shouts whom the scanner does not hear. */
async function hiddenNode(idle: AirOptions["idle"], shouting: boolean): Promise<string> {
  const { air, clock } = makeAir({ ...(idle && { idle }), traceCapacity: 0 });
  const { host: scanner } = await makeHost(air, { name: "scanner", position: LEFT });
  const { host: advertiser, controller } = await makeHost(air, { name: "advertiser", position: MIDDLE });
  const hidden = await Promise.all(
    Array.from({ length: 6 }, async (_, i) => (await makeHost(air, { name: `hidden${i}`, position: RIGHT })).host),
  );
  await advertise(advertiser, { interval: 32 });
  await scan(scanner, { active: true });
  if (shouting)
    for (const host of hidden) {
      await host.command(LeSetAdvertisingData, { advertisingData: new Uint8Array(31) });
      await advertise(host, { interval: 32, type: 3, data: new Uint8Array(31) });
      await clock.advance(7);
    }
  await clock.advance(20_000);
  air[Symbol.dispose]();
  return `${reportsFrom(scanner, controller.address.bytes)} reports, ${responses(scanner)} responses`;
}

test("a hidden node drowns scan requests, whether or not idle time is passed over", async () => {
  const skipped = await hiddenNode("skip", true);
  expect(await hiddenNode("simulate", true)).toBe(skipped);
  const count = (text: string): number => Number(/(\d+) responses/.exec(text)![1]);
  const quiet = await hiddenNode("skip", false);
  expect(await hiddenNode("simulate", false)).toBe(quiet);
  expect(count(skipped)).toBeLessThan(count(quiet) * 0.95);
  expect(count(skipped)).toBeGreaterThan(0);
});

test("a hidden node that begins first, or ends, is counted in as well", async () => {
  const run = async (idle: "skip" | "simulate"): Promise<string> => {
    const { air, clock } = makeAir({ idle, seed: 3, traceCapacity: 0 });
    const { host: hidden } = await makeHost(air, { name: "hidden", position: RIGHT });
    await advertise(hidden, { interval: 32, type: 3, data: new Uint8Array(31) });
    await clock.advance(5_003);
    const { host: advertiser } = await makeHost(air, { name: "advertiser", position: MIDDLE });
    const { host: scanner } = await makeHost(air, { name: "scanner", position: LEFT });
    await scan(scanner, { active: true });
    await clock.advance(777);
    await advertise(advertiser, { interval: 32 });
    await clock.advance(3_000);
    const first = scanner.all(LeAdvertisingReport).length;
    await scanner.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
    await clock.advance(1_234);
    await scan(scanner, { active: true });
    await clock.advance(3_000);
    await hidden.command(LeSetAdvertisingEnable, { advertisingEnable: false });
    await clock.advance(3_000);
    air[Symbol.dispose]();
    return `${first} ${scanner.all(LeAdvertisingReport).length} ${responses(scanner)}`;
  };
  expect(await run("skip")).toBe(await run("simulate"));
});

test.each(["skip", "simulate"] as const)("%s: a scanner that advertises does not hear while it sends", async (idle) => {
  const heard = async (alsoAdvertises: boolean): Promise<number> => {
    const { air, clock } = makeAir({ idle, traceCapacity: 0 });
    const { host: scanner } = await makeHost(air, { name: "scanner" });
    const { host: advertiser, controller } = await makeHost(air, { name: "advertiser" });
    // An advertiser that never overlaps it on a channel: they are 1 km apart in strength, but only one receiver matters here.
    await advertise(advertiser, { interval: 32, type: 3 });
    await scan(scanner);
    if (alsoAdvertises) await advertise(scanner, { interval: 32, type: 0, data: new Uint8Array(31) });
    await clock.advance(60_000);
    air[Symbol.dispose]();
    return reportsFrom(scanner, controller.address.bytes);
  };
  const alone = await heard(false);
  const busy = await heard(true);
  // Its advertising event takes 3 · (376 + 400) µs of every 25 ms, and another one begins inside it or it inside another one.
  expect(busy).toBeLessThan(alone * 0.95);
  expect(busy).toBeGreaterThan(alone * 0.7);
});

test("nothing is received during an own advertising event, and nothing sent in the middle of an own exchange", async () => {
  const { air, clock } = makeAir({ idle: "simulate", traceCapacity: 200_000 });
  const { host: both } = await makeHost(air, { name: "both" });
  const { host: other } = await makeHost(air, { name: "other" });
  await scan(both, { active: true });
  await scan(other, { active: true });
  await advertise(both, { interval: 32, data: new Uint8Array(31) });
  await advertise(other, { interval: 32, data: new Uint8Array(31) });
  await clock.advance(5_000);
  const entries = air.trace.entries.filter((entry) => entry.kind === "air");
  const lengthUs = (octets: number): number => (1 + 4 + 2 + octets + 3) * 8;
  let last = { from: "", endUs: -1 };
  const sentBy = new Map<string, { startUs: number; endUs: number }[]>();
  for (const { timeUs, from, pdu } of entries) {
    const endUs = timeUs + lengthUs(pdu.length - 2);
    if (!sentBy.has(from)) sentBy.set(from, []);
    sentBy.get(from)!.push({ startUs: timeUs, endUs });
    last = { from, endUs };
  }
  expect(last.endUs).toBeGreaterThan(4_900_000);
  let overlaps = 0;
  for (const sent of sentBy.values()) {
    sent.sort((a, b) => a.startUs - b.startUs);
    for (let i = 1; i < sent.length; i++) if (sent[i]!.startUs < sent[i - 1]!.endUs) overlaps++;
  }
  // Whoever received a packet sent none of its own meanwhile.
  let received = 0;
  for (const { timeUs, receivedBy, pdu } of entries)
    for (const name of receivedBy) {
      received++;
      const endUs = timeUs + lengthUs(pdu.length - 2);
      if (sentBy.get(name)!.some((own) => own.startUs < endUs && own.endUs > timeUs)) overlaps++;
    }
  expect(received).toBeGreaterThan(200);
  expect(overlaps).toBe(0);
  air[Symbol.dispose]();
});

test("scanning and initiating share one receiver: on one channel at a time, and neither starves", async () => {
  for (let seed = 0; seed < 6; seed++) {
    const { air, clock } = makeAir({ seed });
    const { host } = await makeHost(air, { name: "both" });
    const { host: near, controller: nearby } = await makeHost(air, { name: "near" });
    await advertise(near, { interval: 160, type: 3 });
    await scan(host, { interval: 96, window: 96 });
    await clock.advance(seed * 11);
    await host.command(LeCreateConnection, createConnection(Address.from("00:00:00:00:00:99")));
    await clock.advance(30_000);
    expect(reportsFrom(host, nearby.address.bytes)).toBeGreaterThan(100); // a third of them would mean one channel in three
    const times = air.trace.entries
      .filter((entry) => entry.kind === "air" && entry.receivedBy.includes("both"))
      .map(({ timeUs, ...entry }) => ({ timeUs, channel: "channel" in entry ? entry.channel : 0 }));
    // The packets of one advertising event are on three channels: a receiver gets two of them only where it goes on to the next in between.
    const twice = times.filter(({ timeUs }, i) => i > 0 && timeUs - times[i - 1]!.timeUs < 3_000).length;
    expect(twice).toBeLessThan(times.length / 20);
    air[Symbol.dispose]();

    const again = makeAir({ seed });
    const { host: scannerToo } = await makeHost(again.air, { name: "both" });
    const { host: target, controller: targetController } = await makeHost(again.air, { name: "wanted" });
    await advertise(target, { interval: 160 });
    await scan(scannerToo, { interval: 96, window: 96, active: true });
    await again.clock.advance(seed * 13);
    await scannerToo.command(LeCreateConnection, createConnection(targetController.address));
    await again.clock.advance(1000);
    expect(scannerToo.all(LeConnectionComplete)).toMatchObject([{ status: 0 }]);
    again.air[Symbol.dispose]();
  }
});

test.each(["skip", "simulate"] as const)(
  "%s: RSSI of a link that carries nothing follows the distance, from the next packet on",
  async (idle) => {
    const { central, handles, clock, air, peripheralController } = await connectedPair({
      idle,
      interval: 80,
      timeout: 400,
      central: { position: { x: 0, y: 0 } },
      peripheral: { position: { x: 0, y: 1 } },
    });
    const rssi = async (): Promise<number> => (await central.command(ReadRssi, { handle: handles.central })).rssi;
    await clock.advance(1000);
    expect(await rssi()).toBe(-40);
    peripheralController.move({ x: 0, y: 10 });
    expect(await rssi()).toBe(-40); // nothing heard since
    await clock.advance(1000);
    expect(await rssi()).toBe(-60);
    peripheralController.move({ x: 0, y: 100 });
    await clock.advance(1000);
    expect(await rssi()).toBe(-80);
    const wall = air.cut(peripheralController, air.addRadio({ name: "nobody" }));
    await clock.advance(1000);
    expect(await rssi()).toBe(-80);
    wall[Symbol.dispose]();
    expect(central.all(DisconnectionComplete)).toEqual([]);
    air[Symbol.dispose]();
  },
);

test("RSSI of a link that carries nothing fades from packet to packet, the same whether idle time is passed over or not", async () => {
  const values = async (idle: "skip" | "simulate"): Promise<number[]> => {
    const { central, handles, clock, air } = await connectedPair({ idle, fadingDb: 6, interval: 80, timeout: 400 });
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      await clock.advance(500);
      seen.push((await central.command(ReadRssi, { handle: handles.central })).rssi);
    }
    air[Symbol.dispose]();
    return seen;
  };
  const skipped = await values("skip");
  expect(new Set(skipped).size).toBeGreaterThan(4);
  expect(await values("simulate")).toEqual(skipped);
});
