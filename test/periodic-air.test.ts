import { afterEach, beforeEach, expect, test } from "vitest";
import { Device } from "../src/device/index.ts";
import type { PeriodicResponse } from "../src/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

// Periodic advertising of two hosts over virtual controllers: what one sends the other hears, through all layers.

let air: SimulatedAir;
let sender: Device;
let listener: Device;

beforeEach(async () => {
  air = new SimulatedAir({ seed: 12, shadowingDb: 0, fadingDb: 0, controller: { features: { periodicAdvertising: true } } });
  sender = await Device.open(air.addController({ name: "sender" }).transport, { clock: air.clock });
  listener = await Device.open(air.addController({ name: "listener" }).transport, { clock: air.clock });
});
afterEach(async () => {
  await sender.close();
  await listener.close();
  await air[Symbol.asyncDispose]();
});

test("data of several packets, changed on the air, reaches who synchronized; without the advertiser it is lost", async () => {
  const long = Uint8Array.from({ length: 700 }, (_, i) => (i % 100 === 0 ? 99 : i % 100 === 1 ? 0xff : i & 0xff));
  await using advertising = await sender.advertise({ type: "extended", connectable: false, sid: 3 });
  await using periodic = await advertising.startPeriodic({ intervalMs: 100, data: long, includeTxPower: true });
  const sync = await listener.synchronize({ address: sender.address, sid: 3 }, { syncTimeoutMs: 500 });
  expect([sync.sid, sync.intervalMs, sync.phy]).toEqual([3, 100, "1M"]);
  const counters: number[] = [];
  for await (const { status, data, rssiDbm, txPowerDbm, eventCounter } of sync.reports()) {
    expect([status, rssiDbm, txPowerDbm]).toEqual(["complete", -40, 0]);
    counters.push(eventCounter!);
    if (counters.length <= 2) expect(data.bytes).toEqual(long);
    if (counters.length === 2) await periodic.update({ name: "new" });
    if (data.name === "new") break;
  }
  expect(counters.every((counter, i) => counter === counters[0]! + i)).toBe(true);
  await periodic.stop();
  expect(await sync.closed).toMatchObject({ reason: "lost" });
});

test("subevents are fed and heard, answers come in their slots, one lost packet is told as missed", async () => {
  await using advertising = await sender.advertise({ type: "extended", connectable: false, sid: 1 });
  await using periodic = await advertising.startPeriodic({
    intervalMs: 100,
    subevents: { count: 4, intervalMs: 20, responses: { delayMs: 6.25, spacingMs: 1.5, count: 8 } },
    onSubevent: (subevent) => ({ data: { name: `s${subevent}` }, responseSlotStart: 2, responseSlotCount: 2 }),
  });
  const sync = await listener.synchronize({ address: sender.address, sid: 1 });
  expect(sync.subevents).toMatchObject({ count: 4, intervalMs: 20 });
  await sync.selectSubevents([1, 2]);
  const heard: PeriodicResponse[] = [];
  const hearing = (async () => {
    for await (const response of periodic.responses()) {
      if (response.subevent === 2 && response.status === "complete") heard.push(response);
      if (heard.length === 5) return;
    }
  })();
  const names = new Set<string>();
  for await (const report of sync.reports()) {
    if (report.status === "complete") names.add(`${report.subevent}: ${report.data.name}`);
    if (report.subevent === 2 && report.status === "complete") await sync.respond({ to: report, slot: 3, data: { name: "r" } });
    if (heard.length === 5) break;
  }
  await hearing;
  expect(names).toEqual(new Set(["1: s1", "2: s2"]));
  expect(heard.every(({ slot, data }) => slot === 3 && data.name === "r")).toBe(true);
  air.air.onPacket(({ from, channel }) => (from === "sender" && channel < 37 ? "lose" : undefined));
  for await (const { status } of sync.reports()) if (status === "missed") break;
  await sync.stop();
});
