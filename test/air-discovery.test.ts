import { expect, test } from "vitest";
import type { AirOptions } from "../src/air/index.ts";
import { SeededRandom } from "../src/core/index.ts";
import {
  LeAdvertisingReport,
  LeConnectionComplete,
  LeCreateConnection,
  LeSetAdvertisingEnable,
  LeSetScanEnable,
} from "../src/hci/index.ts";
import { advertise, createConnection, makeAir, makeHost, scan } from "./support/raw-pair.ts";

/** Milliseconds until a scanner that listens `windowMs` in every `intervalMs` hears an advertiser. */
async function discoveryMs(seed: number, advertisingMs: number, { intervalMs, windowMs }: { intervalMs: number; windowMs: number }) {
  const { air, clock } = makeAir({ seed, traceCapacity: 0 });
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  await advertise(advertiser, { interval: advertisingMs / 0.625, data: Uint8Array.of(2, 1, 6) });
  await clock.advance(new SeededRandom(seed, "phase").unit() * 3000); // they know nothing of each other
  const start = clock.now();
  const heard = scanner.event(LeAdvertisingReport);
  await scan(scanner, { interval: intervalMs / 0.625, window: windowMs / 0.625 });
  await heard;
  air[Symbol.dispose]();
  return clock.now() - start;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const RARE = { intervalMs: 1280, windowMs: 11.25 };
const seeds = Array.from({ length: 40 }, (_, i) => i);

test("a scanner that listens 11.25 ms in 1.28 s finds an advertiser at 1.28 s after minutes, one at 31.25 ms after seconds", async () => {
  const late = mean(await Promise.all(seeds.map((seed) => discoveryMs(seed, 1280, RARE))));
  const soon = mean(await Promise.all(seeds.map((seed) => discoveryMs(seed, 31.25, RARE))));
  // (interval + 5 ms) / window fraction: 146 s and 4.1 s, all three channels being equal.
  expect(late).toBeGreaterThan(80_000);
  expect(late).toBeLessThan(260_000);
  expect(soon).toBeGreaterThan(1_000);
  expect(soon).toBeLessThan(8_000);
});

test("a scanner that always listens finds an advertiser within its interval", async () => {
  for (const seed of seeds) expect(await discoveryMs(seed, 100, { intervalMs: 60, windowMs: 60 })).toBeLessThan(225);
});

test("advertising events come at the interval and 0 to 10 ms of delay", async () => {
  const { air, clock } = makeAir();
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  await advertise(advertiser, { interval: 160, type: 3 });
  await scan(scanner);
  await clock.advance(60_000);
  const times = air.trace.entries.filter((entry) => entry.kind === "air" && entry.channel === 37).map(({ timeUs }) => timeUs);
  const all = air.trace.entries.filter((entry) => entry.kind === "air").map(({ timeUs }) => timeUs);
  expect(times.length).toBeGreaterThan(150); // a third of the time on each channel
  // Starts of events, on whichever channel they were heard; each next one 100 to 110 ms after the one before.
  for (let i = 1; i < all.length; i++) {
    const gap = all[i]! - all[i - 1]!;
    if (gap < 10_000) continue; // the same event, heard on two channels
    expect(gap % 100_000 < 12_000 || gap % 100_000 > 98_000 || gap > 200_000).toBe(true);
  }
  air[Symbol.dispose]();
});

test("an active scanner gets the scan response, a passive one does not ask", async () => {
  for (const active of [true, false]) {
    const { air, clock } = makeAir();
    const { host: advertiser } = await makeHost(air, { name: "advertiser" });
    const { host: scanner } = await makeHost(air, { name: "scanner" });
    await advertise(advertiser, { interval: 32 });
    await scan(scanner, { active });
    await clock.advance(1000);
    const types = new Set(scanner.all(LeAdvertisingReport).map(({ reports }) => reports[0]!.eventType));
    expect(types).toEqual(new Set(active ? [0, 4] : [0]));
    air[Symbol.dispose]();
  }
});

test("active scanners that collide back off until each got an answer", async () => {
  // With a duplicate filter one that has its answer asks no more; without it the lucky one would go on and drown the others.
  const { air, clock } = makeAir({ traceCapacity: 100_000 });
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  await advertise(advertiser, { interval: 32 });
  const scanners = await Promise.all(Array.from({ length: 4 }, (_, i) => makeHost(air, { name: `scanner${i}` })));
  for (const { host } of scanners) await scan(host, { active: true, filterDuplicates: true });
  await clock.advance(60_000);
  for (const { host } of scanners)
    expect(host.all(LeAdvertisingReport).filter(({ reports }) => reports[0]!.eventType === 4)).toHaveLength(1);
  const requests = air.trace.entries.filter((entry) => entry.kind === "air" && (entry.pdu[0]! & 0x0f) === 3);
  expect(requests.some((entry) => entry.kind === "air" && entry.trouble === "collision")).toBe(true);
  expect(requests.some((entry) => entry.kind === "air" && entry.trouble === undefined)).toBe(true);
  air[Symbol.dispose]();
});

test("a duplicate filter reports a device once, and once more after scanning was enabled anew", async () => {
  const { air, clock } = makeAir();
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  await advertise(advertiser, { interval: 32 });
  await scan(scanner, { filterDuplicates: true });
  await clock.advance(2000);
  expect(scanner.all(LeAdvertisingReport)).toHaveLength(1);
  await scanner.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: true });
  await clock.advance(2000);
  expect(scanner.all(LeAdvertisingReport)).toHaveLength(2);
  air[Symbol.dispose]();
});

test("signals weaken with distance, and beyond reach nothing is heard", async () => {
  const { air, clock } = makeAir();
  const { host: advertiser } = await makeHost(air, { name: "advertiser", position: { x: 0, y: 0 } });
  const { host: scanner, controller } = await makeHost(air, { name: "scanner", position: { x: 10, y: 0 } });
  await advertise(advertiser, { interval: 32 });
  const first = scanner.event(LeAdvertisingReport);
  await scan(scanner);
  expect((await first).reports[0]!.rssi).toBe(-60);
  controller.move({ x: 100, y: 0 });
  const second = scanner.event(LeAdvertisingReport);
  expect((await second).reports[0]!.rssi).toBe(-80);
  controller.move({ x: 2000, y: 0 });
  const count = scanner.all(LeAdvertisingReport).length;
  await clock.advance(10_000);
  expect(scanner.all(LeAdvertisingReport)).toHaveLength(count);
  controller.move({ x: 1, y: 0 });
  await scanner.event(LeAdvertisingReport);
  air[Symbol.dispose]();
});

test("with many advertisers some packets collide, and those of a much stronger one get through", async () => {
  const { air, clock } = makeAir({ traceCapacity: 100_000 });
  const { host: scanner } = await makeHost(air, { name: "scanner", position: { x: 0, y: 0 } });
  await scan(scanner);
  for (let i = 0; i < 60; i++) {
    const { host } = await makeHost(air, { name: `far${i}`, position: { x: 20, y: 0 } });
    await advertise(host, { interval: 32, type: 3 });
  }
  const { host: near } = await makeHost(air, { name: "near", position: { x: 1, y: 0 } });
  await advertise(near, { interval: 32, type: 3 });
  await clock.advance(5000);
  const of = (name: RegExp) => air.trace.entries.filter((entry) => entry.kind === "air" && name.test(entry.from));
  const collided = of(/^far/).filter((entry) => entry.kind === "air" && entry.trouble === "collision").length;
  expect(collided / of(/^far/).length).toBeGreaterThan(0.05);
  expect(of(/^near/).filter((entry) => entry.kind === "air" && entry.trouble !== undefined)).toEqual([]);
  air[Symbol.dispose]();
});

test("an initiator connects to the peer it was told, and a cancelled one says so", async () => {
  const { air } = makeAir();
  const { host: other } = await makeHost(air, { name: "other" });
  const { host: peer, controller } = await makeHost(air, { name: "peer" });
  const { host: central } = await makeHost(air, { name: "central" });
  await advertise(other, { interval: 32 });
  const connected = central.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(controller.address));
  await advertise(peer, { interval: 32 });
  const { status, peerAddress, role } = await connected;
  expect({ status, role, peer: peerAddress.toString() }).toEqual({ status: 0, role: 0, peer: controller.address.toString() });
  air[Symbol.dispose]();
});

test("high duty cycle directed advertising ends after 1.28 s with Advertising Timeout", async () => {
  const { air, clock } = makeAir();
  const { host } = await makeHost(air);
  await advertise(host, { type: 1 });
  const start = clock.now();
  const { status, role } = await host.event(LeConnectionComplete);
  expect({ status, role, ms: clock.now() - start }).toEqual({ status: 0x3c, role: 1, ms: 1280 });
  expect((await host.command(LeSetAdvertisingEnable, { advertisingEnable: false })).status).toBe(0);
  air[Symbol.dispose]();
});

test("in an instant air an advertiser is found and connected at once", async () => {
  const instant: Partial<AirOptions> = { mode: "instant" };
  const { air, clock } = makeAir(instant);
  const { host: advertiser, controller } = await makeHost(air, { name: "advertiser" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  await advertise(advertiser, { interval: 2048 });
  const heard = scanner.event(LeAdvertisingReport);
  await scan(scanner);
  await heard;
  const connected = scanner.event(LeConnectionComplete);
  await scanner.command(LeCreateConnection, createConnection(controller.address));
  await connected;
  expect(clock.now()).toBe(0);
  air[Symbol.dispose]();
});
