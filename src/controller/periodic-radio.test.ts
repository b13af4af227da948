import { expect, test } from "vitest";
import { advertiseExtended, octets, reportsOf, scanExtended } from "../../test/support/raw-extended.ts";
import { advertise, createConnection, makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { PERIODIC, periodicPair, periodicReports, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";

import {
  HciErrorCode,
  LeConnectionComplete,
  LeCreateConnection,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingTerminateSync,
} from "../hci/index.ts";

const OK = HciErrorCode.Success;

test("scanning goes round a train that is followed: hardly an event is missed, and scan responses come all the same", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair(8);
  await startPeriodic(advertiser, { data: octets(200), interval: 8 });
  for (const name of ["a", "b", "c"]) {
    const { host } = await makeHost(air, { name });
    await advertise(host, { interval: 32, data: new Uint8Array(20) });
  }
  await synchronize(scanner, controllers.advertiser.address);
  await scanExtended(scanner, { active: true });
  scanner.events.length = 0;
  await clock.advance(2000);
  const counters = periodicReports(scanner).map(({ periodicEventCounter }) => periodicEventCounter);
  expect(counters.length).toBeGreaterThanOrEqual(190);
  expect(reportsOf(scanner).filter(({ eventType }) => eventType === 0x1b).length).toBeGreaterThan(100);
  air[Symbol.dispose]();
});

test("intervals from 7.5 ms on, and so long that SyncInfo counts in its longest unit", async () => {
  for (const interval of [6, 3200, 3900]) {
    const { air, clock, advertiser, scanner, controllers } = await periodicPair();
    await startPeriodic(advertiser, { interval });
    await clock.advance(200);
    const { status } = await synchronize(scanner, controllers.advertiser.address, { timeout: 2000 });
    await clock.advance(10 * interval * 1.25);
    expect(status).toBe(OK);
    expect(periodicReports(scanner).length).toBeGreaterThanOrEqual(10);
    air[Symbol.dispose]();
  }
});

test("clocks that drift, 50 ppm each way, stay together over skipped events", async () => {
  const { air, clock } = makeAir({ seed: 5 });
  const advertiser = await makeHost(air, { ...PERIODIC, name: "advertiser", driftPpm: 50 });
  const scanner = await makeHost(air, { ...PERIODIC, name: "scanner", driftPpm: -50 });
  await startPeriodic(advertiser.host);
  await synchronize(scanner.host, advertiser.controller.address, { skip: 50, timeout: 1000 });
  await clock.advance(60_000);
  expect(periodicReports(scanner.host).length).toBe(12);
  expect(scanner.host.all(LePeriodicAdvertisingSyncLost)).toEqual([]);
  air[Symbol.dispose]();
});

test("what hosts see is the same whether idle events are passed over or not, with loss and with other advertisers", async () => {
  const seen = async (idle: "skip" | "simulate"): Promise<unknown> => {
    const { air, clock, advertiser, scanner, controllers } = await periodicPair(11, { idle, loss: 0.2 });
    const { host: third } = await makeHost(air, { ...PERIODIC, name: "third" });
    await startPeriodic(third, { data: octets(500), interval: 16 });
    await startPeriodic(advertiser, { data: octets(300), interval: 40 });
    await advertiseExtended(advertiser, { advertisingHandle: 1, data: octets(400), advertisingSid: 2 });
    await synchronize(scanner, controllers.advertiser.address, { skip: 1, timeout: 200 });
    await scanExtended(scanner);
    await clock.advance(800);
    air[Symbol.dispose]();
    return [scanner.events, advertiser.events];
  };
  expect(await seen("skip")).toEqual(await seen("simulate"));
});

test("many trains on one radio, and links beside them: everybody gets his share", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair(3);
  for (let handle = 0; handle < 4; handle++)
    await startPeriodic(advertiser, { handle, interval: 40 + handle, data: octets(100), advertising: { advertisingSid: handle } });
  const { controller: peer, host } = await makeHost(air, { name: "peer" });
  await advertise(host, { interval: 32 });
  const handles = [];
  for (let sid = 0; sid < 4; sid++) handles.push((await synchronize(scanner, controllers.advertiser.address, { sid })).syncHandle);
  expect(handles).toEqual([0, 1, 2, 3]);
  const { host: central } = await makeHost(air, { name: "central" });
  const connected = central.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(peer.address));
  expect((await connected).status).toBe(OK);
  scanner.events.length = 0;
  await clock.advance(2000);
  for (const handle of handles) {
    const share = periodicReports(scanner).filter(({ syncHandle }) => syncHandle === handle).length;
    expect(share).toBeGreaterThan(28);
  }
  air[Symbol.dispose]();
});

test("an air without radio time has trains too", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair(1, { mode: "instant" });
  await startPeriodic(advertiser, { data: octets(1000), interval: 80 });
  await synchronize(scanner, controllers.advertiser.address);
  scanner.events.length = 0;
  await clock.advance(1000);
  const reports = periodicReports(scanner);
  expect(reports.length).toBeGreaterThanOrEqual(45);
  expect(reports.slice(0, 5).flatMap(({ data }) => [...data])).toEqual([...octets(1000)]);
  await scanner.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 });
  air[Symbol.dispose]();
});

test("a train that nobody follows costs nothing: an hour of twenty of them is over at once", async () => {
  const { air, clock } = makeAir();
  const hosts = await Promise.all(
    Array.from({ length: 20 }, (_, i) => makeHost(air, { ...PERIODIC, name: `n${i}`, maxAdvertisingSets: 10 })),
  );
  for (const { host } of hosts) await startPeriodic(host);
  const before = air.trace.entries.length;
  await clock.advance(3_600_000);
  expect(air.trace.entries.length).toBe(before);
  air[Symbol.dispose]();
});
