import { expect, test } from "vitest";
import {
  Disconnect,
  DisconnectionComplete,
  HciErrorCode,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeConnectionUpdateComplete,
  LeCreateConnection,
  LeDataLengthChange,
  LePhyUpdateComplete,
  LeReadChannelMap,
  LeReadPhy,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeSetDataLength,
  LeSetEventMask,
  LeSetHostChannelClassification,
  LeSetPhy,
  ReadRemoteVersionInformation,
  ReadRemoteVersionInformationComplete,
  ReadRssi,
} from "../src/hci/index.ts";
import { advertise, connectedPair, createConnection, makeAir, makeHost, type RawPair } from "./support/raw-pair.ts";

const update = (connectionHandle: number, interval: number, { latency = 0, timeout = 100 } = {}) => ({
  connectionHandle,
  connectionIntervalMin: interval,
  connectionIntervalMax: interval,
  maxLatency: latency,
  supervisionTimeout: timeout,
  minCeLength: 0,
  maxCeLength: 0,
});

/** Sends numbered packets both ways and expects them all, in order and once. */
async function exchange({ central, peripheral, handles, clock }: RawPair, count: number, ms: number): Promise<void> {
  const queues = [
    { host: central, handle: handles.central, next: 0, credits: 12, peer: peripheral },
    { host: peripheral, handle: handles.peripheral, next: 0, credits: 12, peer: central },
  ];
  const before = queues.map(({ peer }) => peer.acl.length);
  for (const queue of queues) {
    const pump = (): void => {
      for (; queue.credits > 0 && queue.next < count; queue.credits--)
        queue.host.sendAcl(queue.handle, Uint8Array.of(queue.next & 0xff, queue.next++ >> 8));
    };
    queue.host.onCompleted = (_, completed) => {
      queue.credits += completed;
      pump();
    };
    pump();
  }
  await clock.advance(ms);
  queues.forEach(({ peer, credits }, i) => {
    const numbers = peer.acl.slice(before[i]).map(({ data }) => data[0]! | (data[1]! << 8));
    expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(credits).toBe(12);
  });
}

test("data arrives in order and once, though three packets in ten are lost", async () => {
  const pair = await lossyPair(0.3, { timeout: 600 });
  await exchange(pair, 300, 60_000);
  pair.air[Symbol.dispose]();
});

/** A pair in an air that loses packets: where the CONNECT_IND is lost the central tries again. */
async function lossyPair(loss: number, options: { timeout: number }): Promise<RawPair> {
  for (let seed = 1; ; seed++) {
    const { clock, air } = makeAir({ seed, loss });
    const { controller: centralController, host: central } = await makeHost(air, { name: "central" });
    const { controller: peripheralController, host: peripheral } = await makeHost(air, { name: "peripheral" });
    await advertise(peripheral, { interval: 32 });
    const atCentral = central.event(LeConnectionComplete);
    await central.command(LeCreateConnection, createConnection(peripheralController.address, options));
    const handle = (await atCentral).connectionHandle;
    await clock.advance(200);
    const [atPeripheral] = peripheral.all(LeConnectionComplete);
    if (!atPeripheral || central.all(DisconnectionComplete).length > 0) continue;
    const handles = { central: handle, peripheral: atPeripheral.connectionHandle };
    return { clock, air, central, peripheral, centralController, peripheralController, handles };
  }
}

test.each([0, 1, 2, 7])("latency %i: both ways work, and the central's data waits for an event the peripheral attends", async (latency) => {
  const pair = await connectedPair({ latency, timeout: 1000 });
  await exchange(pair, 20, 5000);
  pair.air[Symbol.dispose]();
});

test("a link whose peer vanishes is lost after the supervision timeout (0x08)", async () => {
  const { central, peripheralController, clock, air, handles } = await connectedPair({ timeout: 100 });
  await clock.advance(500);
  const start = clock.now();
  const lost = central.event(DisconnectionComplete);
  peripheralController.remove();
  expect(await lost).toEqual({ status: 0, connectionHandle: handles.central, reason: HciErrorCode.ConnectionTimeout });
  expect(clock.now() - start).toBeGreaterThan(1000 - 16);
  expect(clock.now() - start).toBeLessThanOrEqual(1000);
  air[Symbol.dispose]();
});

test("a link that is cut is lost at both ends, one that heals in time is not", async () => {
  const { air, clock, central, peripheral, centralController, peripheralController, handles } = await connectedPair({ timeout: 100 });
  await clock.advance(100); // established
  const short = air.cut(centralController, peripheralController);
  await clock.advance(900);
  short[Symbol.dispose]();
  await clock.advance(2000);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  air.cut(centralController, peripheralController);
  await clock.advance(1100);
  expect(central.all(DisconnectionComplete)).toEqual([{ status: 0, connectionHandle: handles.central, reason: 0x08 }]);
  expect(peripheral.all(DisconnectionComplete)).toEqual([{ status: 0, connectionHandle: handles.peripheral, reason: 0x08 }]);
  air[Symbol.dispose]();
});

test("a new link without a packet in six events fails with 0x3E", async () => {
  const { air, clock } = makeAir();
  const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
  const { host: central } = await makeHost(air, { name: "central" });
  air.onPacket(({ pdu, channel }) => (channel >= 37 && (pdu[0]! & 0x0f) === 5 ? "lose" : undefined)); // CONNECT_IND
  await advertise(peripheral, { interval: 32 });
  const connected = central.event(LeConnectionComplete);
  await central.command(LeCreateConnection, createConnection(controller.address, { interval: 24 }));
  const { status } = await connected;
  const start = clock.now();
  const failed = await central.event(DisconnectionComplete);
  expect([status, failed.reason]).toEqual([0, HciErrorCode.ConnectionFailedToBeEstablished]);
  expect(clock.now() - start).toBeCloseTo(1.25 + 6 * 30, 1);
  expect(peripheral.all(LeConnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test.each(["central", "peripheral"] as const)("a disconnection by the %s reaches the other end with its reason", async (who) => {
  const other = who === "central" ? "peripheral" : "central";
  for (const reason of [0x05, 0x13, 0x14, 0x15, 0x1a, 0x29, 0x3b]) {
    const pair = await connectedPair();
    const ends = Promise.all([pair[who].event(DisconnectionComplete), pair[other].event(DisconnectionComplete)]);
    expect(await pair[who].command(Disconnect, { connectionHandle: pair.handles[who], reason })).toEqual({ status: 0 });
    const [own, theirs] = await ends;
    expect([own.reason, theirs.reason]).toEqual([HciErrorCode.ConnectionTerminatedByLocalHost, reason]);
    pair.air[Symbol.dispose]();
  }
  const { air, [who]: host, handles } = await connectedPair();
  expect(await host.command(Disconnect, { connectionHandle: handles[who], reason: 0x16 })).toEqual({ status: 0x12 });
  expect(await host.command(Disconnect, { connectionHandle: 0x123, reason: 0x13 })).toEqual({ status: 0x02 });
  air[Symbol.dispose]();
});

test("the central's new parameters apply at the instant, at both ends in the same event", async () => {
  const pair = await connectedPair({ interval: 12 });
  const { central, peripheral, handles, clock, air } = pair;
  const done = Promise.all(
    [central, peripheral].map((host) => host.event(LeConnectionUpdateComplete).then((event) => [event, clock.now()])),
  );
  const start = clock.now();
  await central.command(LeConnectionUpdate, update(handles.central, 80, { latency: 3, timeout: 200 }));
  const [[a, atA], [b, atB]] = (await done) as [[object, number], [object, number]];
  for (const event of [a, b])
    expect(event).toMatchObject({ status: 0, connectionInterval: 80, peripheralLatency: 3, supervisionTimeout: 200 });
  expect(atA).toBe(atB);
  expect(atA - start).toBeGreaterThan(6 * 15);
  expect(atA - start).toBeLessThan(12 * 15); // the peer is asked before
  central.sendAcl(handles.central, Uint8Array.of(1));
  const before = clock.now();
  await clock.advance(1000);
  expect(peripheral.acl[0]!.timeMs - before).toBeGreaterThan(50); // the next anchor is 100 ms after the instant, and it may be rested over
  await exchange(pair, 5, 5000);
  air[Symbol.dispose]();
});

test("a peripheral asks for parameters, the central's host agrees, both hear of it", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  central.acceptsParameters = false;
  const asked = central.event(LeRemoteConnectionParameterRequest);
  const done = Promise.all([central.event(LeConnectionUpdateComplete), peripheral.event(LeConnectionUpdateComplete)]);
  await peripheral.command(LeConnectionUpdate, update(handles.peripheral, 40));
  expect(await asked).toEqual({ connectionHandle: handles.central, intervalMin: 40, intervalMax: 40, maxLatency: 0, timeout: 100 });
  const reply = {
    connectionHandle: handles.central,
    intervalMin: 40,
    intervalMax: 40,
    maxLatency: 0,
    timeout: 100,
    minCeLength: 0,
    maxCeLength: 0,
  };
  expect((await central.command(LeRemoteConnectionParameterRequestReply, reply)).status).toBe(0);
  for (const event of await done) expect(event).toMatchObject({ status: 0, connectionInterval: 40 });
  expect((await central.command(LeRemoteConnectionParameterRequestReply, reply)).status).toBe(HciErrorCode.CommandDisallowed);
  air[Symbol.dispose]();
});

test("a peripheral's request is refused by the central's host, or because that does not want such events", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  central.acceptsParameters = false;
  const refused = peripheral.event(LeConnectionUpdateComplete);
  const asked = central.event(LeRemoteConnectionParameterRequest);
  await peripheral.command(LeConnectionUpdate, update(handles.peripheral, 40));
  await asked;
  await central.command(LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle: handles.central, reason: 0x3b });
  expect(await refused).toMatchObject({ status: HciErrorCode.UnacceptableConnectionParameters, connectionInterval: 12 });
  await central.command(LeSetEventMask, { leEventMask: 0x1fn });
  const unsupported = peripheral.event(LeConnectionUpdateComplete);
  await peripheral.command(LeConnectionUpdate, update(handles.peripheral, 40));
  expect(await unsupported).toMatchObject({ status: HciErrorCode.UnsupportedRemoteFeature });
  air[Symbol.dispose]();
});

test("a peripheral whose request meets the central's own update is refused, and follows that", async () => {
  const { central, peripheral, handles, air, clock } = await connectedPair();
  void central.command(LeConnectionUpdate, update(handles.central, 24));
  void peripheral.command(LeConnectionUpdate, update(handles.peripheral, 40));
  await clock.advance(1000);
  expect(central.all(LeConnectionUpdateComplete)).toMatchObject([{ status: 0, connectionInterval: 24 }]);
  expect(peripheral.all(LeConnectionUpdateComplete)).toMatchObject([
    { status: HciErrorCode.LlProcedureCollision, connectionInterval: 12 },
    { status: 0, connectionInterval: 24 },
  ]);
  expect(central.all(LeRemoteConnectionParameterRequest)).toEqual([]);
  air[Symbol.dispose]();
});

test("a host that never answers a parameter request costs the link after 40 s (0x22)", async () => {
  const { central, peripheral, handles, air, clock } = await connectedPair();
  central.acceptsParameters = false;
  await peripheral.command(LeConnectionUpdate, update(handles.peripheral, 40));
  const start = clock.now();
  const lost = await peripheral.event(DisconnectionComplete);
  expect(lost.reason).toBe(HciErrorCode.LlResponseTimeout);
  expect(clock.now() - start).toBeCloseTo(40_000, -1);
  expect((await central.event(DisconnectionComplete)).reason).toBe(HciErrorCode.ConnectionTimeout);
  air[Symbol.dispose]();
});

test("data length: each host raises what it sends, both hear of every change", async () => {
  const { central, peripheral, handles, air } = await connectedPair();
  const first = Promise.all([central.event(LeDataLengthChange), peripheral.event(LeDataLengthChange)]);
  await central.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: 120, txTime: 2120 });
  const [c1, p1] = await first;
  expect(c1).toMatchObject({ maxTxOctets: 120, maxRxOctets: 27 });
  expect(p1).toMatchObject({ maxTxOctets: 27, maxRxOctets: 120 });
  const second = Promise.all([central.event(LeDataLengthChange), peripheral.event(LeDataLengthChange)]);
  await peripheral.command(LeSetDataLength, { connectionHandle: handles.peripheral, txOctets: 251, txTime: 17040 });
  const [c2, p2] = await second;
  expect(c2).toMatchObject({ maxTxOctets: 120, maxRxOctets: 251 });
  expect(p2).toMatchObject({ maxTxOctets: 251, maxRxOctets: 120 });
  const wrong = { connectionHandle: handles.central, txOctets: 26, txTime: 328 };
  expect((await central.command(LeSetDataLength, wrong)).status).toBe(HciErrorCode.InvalidHciCommandParameters);
  air[Symbol.dispose]();
});

test("a peer without data length extension says so, and 27 octets stay", async () => {
  const { central, peripheral, handles, air, clock } = await connectedPair({ peripheral: { features: { dataLength: false } } });
  expect((await central.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: 251, txTime: 2120 })).status).toBe(0);
  await clock.advance(1000);
  central.sendAcl(handles.central, new Uint8Array(100));
  await clock.advance(1000);
  expect(central.all(LeDataLengthChange)).toEqual([]);
  expect(peripheral.acl.map(({ data }) => data.length)).toEqual([27, 27, 27, 19]);
  air[Symbol.dispose]();
});

test("PHY update: to 2M and coded, one way or both, and nothing where the peer cannot", async () => {
  const pair = await connectedPair({ interval: 40 });
  const { central, peripheral, handles, air } = pair;
  const set = async (host: typeof central, handle: number, txPhys: number, rxPhys: number) => {
    const done = host.event(LePhyUpdateComplete);
    await host.command(LeSetPhy, { connectionHandle: handle, allPhys: 0, txPhys, rxPhys, phyOptions: 0 });
    return await done;
  };
  expect(await set(central, handles.central, 2, 1)).toMatchObject({ status: 0, txPhy: 2, rxPhy: 1 });
  expect(await peripheral.command(LeReadPhy, { connectionHandle: handles.peripheral })).toMatchObject({ txPhy: 1, rxPhy: 2 });
  expect(await set(peripheral, handles.peripheral, 4, 4)).toMatchObject({ status: 0, txPhy: 1, rxPhy: 2 }); // the central prefers what it set
  expect(await set(central, handles.central, 4, 4)).toMatchObject({ status: 0, txPhy: 3, rxPhy: 3 });
  await exchange(pair, 20, 5000);
  air[Symbol.dispose]();
  const old = await connectedPair({ peripheral: { features: { le2M: false, leCoded: false } } });
  const refused = old.central.event(LePhyUpdateComplete);
  await old.central.command(LeSetPhy, { connectionHandle: old.handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  expect(await refused).toMatchObject({ status: HciErrorCode.UnsupportedRemoteFeature, txPhy: 1, rxPhy: 1 });
  old.air[Symbol.dispose]();
});

test("features and version are exchanged, from either side, again and again", async () => {
  const { central, peripheral, handles, air } = await connectedPair({ peripheral: { features: { dataLength: false } } });
  for (const [host, handle, dataLength] of [
    [central, handles.central, 0n],
    [peripheral, handles.peripheral, 1n],
    [central, handles.central, 0n],
  ] as const) {
    const features = host.event(LeReadRemoteFeaturesComplete);
    await host.command(LeReadRemoteFeatures, { connectionHandle: handle });
    const { status, leFeatures } = await features;
    expect([status, leFeatures & 1n, (leFeatures >> 5n) & 1n]).toEqual([0, 1n, dataLength]);
    const version = host.event(ReadRemoteVersionInformationComplete);
    await host.command(ReadRemoteVersionInformation, { connectionHandle: handle });
    expect(await version).toMatchObject({ status: 0, version: 13, companyIdentifier: 0xffff });
  }
  air[Symbol.dispose]();
});

test("the channel map follows the host's classification, and the link keeps to it", async () => {
  const pair = await connectedPair();
  const { central, peripheral, handles, air, clock } = pair;
  const channelMap = Uint8Array.of(0x07, 0, 0, 0, 0x10); // 0, 1, 2 and 36
  await central.command(LeSetHostChannelClassification, { channelMap });
  await clock.advance(1000);
  expect((await peripheral.command(LeReadChannelMap, { connectionHandle: handles.peripheral })).channelMap).toEqual(channelMap);
  air.trace.clear();
  for (let i = 0; i < 20; i++) await exchange(pair, 1, 47);
  const used = new Set(air.trace.entries.map((entry) => (entry.kind === "air" ? entry.channel : undefined)));
  used.delete(undefined);
  expect([...used].sort((a, b) => a! - b!)).toEqual([0, 1, 2, 36]);
  air[Symbol.dispose]();
});

test("a link survives sleep clocks that are 50 ppm off in opposite directions, not one that lies about it", async () => {
  const pair = await connectedPair({ interval: 800, latency: 5, timeout: 3200, central: { driftPpm: 50 }, peripheral: { driftPpm: -50 } });
  await pair.clock.advance(600_000);
  expect(pair.central.all(DisconnectionComplete)).toEqual([]);
  await exchange(pair, 5, 120_000);
  pair.air[Symbol.dispose]();
  const liar = await connectedPair({
    interval: 800,
    timeout: 500,
    central: { driftPpm: 500, sleepClockAccuracyPpm: 20 },
    peripheral: { sleepClockAccuracyPpm: 20 },
  });
  expect((await liar.central.event(DisconnectionComplete)).reason).toBe(HciErrorCode.ConnectionTimeout);
  liar.air[Symbol.dispose]();
});

test("one central serves many peripherals, and one peripheral two centrals", async () => {
  const { air, clock } = makeAir({ traceCapacity: 0 });
  const { host: central } = await makeHost(air, { name: "central" });
  const peers = [];
  for (let i = 0; i < 8; i++) {
    const { host, controller } = await makeHost(air, { name: `peripheral${i}` });
    await advertise(host, { interval: 32 });
    const both = Promise.all([central.event(LeConnectionComplete), host.event(LeConnectionComplete)]);
    await central.command(LeCreateConnection, createConnection(controller.address, { interval: 24 }));
    const [{ connectionHandle }] = await both;
    peers.push({ host, handle: connectionHandle, address: controller.address });
  }
  const { host: second } = await makeHost(air, { name: "second" });
  const shared = peers[0]!;
  await advertise(shared.host, { interval: 32 });
  const connected = second.event(LeConnectionComplete);
  await second.command(LeCreateConnection, createConnection(shared.address, { interval: 24 }));
  const { connectionHandle } = await connected;
  for (let n = 0; n < 10; n++) {
    for (const { handle } of peers) central.sendAcl(handle, Uint8Array.of(n));
    second.sendAcl(connectionHandle, Uint8Array.of(100 + n));
    await clock.advance(1000);
  }
  peers.forEach(({ host }, i) => {
    const numbers = host.acl.map(({ data }) => data[0]!);
    expect(numbers.filter((number) => number < 100)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(numbers.filter((number) => number >= 100)).toHaveLength(i === 0 ? 10 : 0);
  });
  await clock.advance(60_000);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  expect(second.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("RSSI of a link is that of the distance", async () => {
  const { central, handles, air } = await connectedPair({
    central: { position: { x: 0, y: 0 } },
    peripheral: { position: { x: 0, y: 10 }, txPowerDbm: 4 },
  });
  expect(await central.command(ReadRssi, { handle: handles.central })).toEqual({ status: 0, handle: handles.central, rssi: -56 });
  air[Symbol.dispose]();
});

test("an instant air carries data, updates and disconnections without waiting", async () => {
  const pair = await connectedPair({ mode: "instant" });
  const { central, peripheral, handles, air, clock } = pair;
  const start = clock.now();
  const done = Promise.all([central.event(LeConnectionUpdateComplete), peripheral.event(LeConnectionUpdateComplete)]);
  await central.command(LeConnectionUpdate, update(handles.central, 80));
  await done;
  const changed = peripheral.event(LeDataLengthChange);
  await central.command(LeSetDataLength, { connectionHandle: handles.central, txOctets: 251, txTime: 2120 });
  await changed;
  central.sendAcl(handles.central, new Uint8Array(200));
  const gone = Promise.all([central.event(DisconnectionComplete), peripheral.event(DisconnectionComplete)]);
  await central.command(Disconnect, { connectionHandle: handles.central, reason: 0x13 });
  expect((await gone).map(({ reason }) => reason)).toEqual([0x16, 0x13]);
  expect(peripheral.acl.map(({ data }) => data.length)).toEqual([200]);
  expect(clock.now()).toBe(start);
  air[Symbol.dispose]();
});

test("in an instant air too a peer that vanishes is missed after the supervision timeout", async () => {
  const { central, peripheralController, air, clock } = await connectedPair({ mode: "instant", timeout: 100 });
  const start = clock.now();
  peripheralController.remove();
  expect((await central.event(DisconnectionComplete)).reason).toBe(HciErrorCode.ConnectionTimeout);
  expect(clock.now() - start).toBe(1000);
  air[Symbol.dispose]();
});

test("controllers come and go without leaving anything behind in the air", async () => {
  const { air, clock } = makeAir({ traceCapacity: 0 });
  const { host: central } = await makeHost(air, { name: "central", position: { x: 0, y: 0 } });
  for (let i = 0; i < 20; i++) {
    const { host, controller } = await makeHost(air, { name: "peripheral", position: { x: i + 1, y: 0 } });
    expect(controller.name).toBe("peripheral"); // the name is free again
    await advertise(host, { interval: 32 });
    const connected = central.event(LeConnectionComplete);
    await central.command(LeCreateConnection, createConnection(controller.address));
    const { connectionHandle } = await connected;
    await clock.advance(100);
    const { rssi } = await central.command(ReadRssi, { handle: connectionHandle });
    expect(rssi).toBe(Math.round(-40 - 20 * Math.log10(i + 1)));
    const lost = central.event(DisconnectionComplete);
    controller.remove();
    await lost;
  }
  air[Symbol.dispose]();
  expect(clock.pending.filter((name) => name === "air")).toEqual([]);
});

test("channel maps set one after another: the last one stays", async () => {
  const { central, peripheral, handles, air, clock } = await connectedPair();
  for (let channel = 0; channel < 10; channel++) {
    const channelMap = Uint8Array.of(0x0f, channel, 0, 0, 0);
    expect((await central.command(LeSetHostChannelClassification, { channelMap })).status).toBe(0);
  }
  await clock.advance(2000);
  expect((await peripheral.command(LeReadChannelMap, { connectionHandle: handles.peripheral })).channelMap[1]).toBe(9);
  expect((await central.command(LeReadChannelMap, { connectionHandle: handles.central })).channelMap[1]).toBe(9);
  expect((await central.command(LeSetHostChannelClassification, { channelMap: Uint8Array.of(1, 0, 0, 0, 0) })).status).toBe(0x12);
  air[Symbol.dispose]();
});

test("a trace listener or a fault hook that wakes a program does so at its moment", async () => {
  const { central, handles, air, clock } = await connectedPair();
  const woken = new Promise<number>((resolve) => {
    air.trace.on((entry) => {
      if (entry.kind === "air" && entry.channel < 37) resolve(entry.timeUs);
    });
  });
  void clock.advance(60_000);
  central.sendAcl(handles.central, Uint8Array.of(1));
  const timeUs = await woken;
  expect(clock.now() * 1000 - timeUs).toBeLessThan(500);
  air[Symbol.dispose]();
});

test("packets that last longer than the interval, on LE Coded, get through and run over anchors", async () => {
  const pair = await connectedPair({ interval: 8, timeout: 500 });
  const { central, peripheral, handles, air } = pair;
  for (const [host, handle] of [
    [central, handles.central],
    [peripheral, handles.peripheral],
  ] as const) {
    const changed = host.event(LeDataLengthChange);
    await host.command(LeSetDataLength, { connectionHandle: handle, txOctets: 251, txTime: 17040 });
    await changed;
  }
  const coded = central.event(LePhyUpdateComplete);
  await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 4, rxPhys: 4, phyOptions: 2 });
  expect(await coded).toMatchObject({ status: 0, txPhy: 3, rxPhy: 3 });
  air.trace.clear();
  for (let i = 0; i < 5; i++) {
    central.sendAcl(handles.central, new Uint8Array(251).fill(i));
    peripheral.sendAcl(handles.peripheral, new Uint8Array(251).fill(i));
  }
  const updated = Promise.all([central.event(LeConnectionUpdateComplete), peripheral.event(LeConnectionUpdateComplete)]);
  await central.command(LeConnectionUpdate, update(handles.central, 60));
  await updated;
  await pair.clock.advance(2000);
  await exchange(pair, 5, 5000);
  expect(peripheral.acl.filter(({ data }) => data.length === 251).map(({ data }) => data[0])).toEqual([0, 1, 2, 3, 4]);
  const times = air.trace.entries.map(({ timeUs }) => timeUs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  air[Symbol.dispose]();
});

test.each([0, 3])("either end of a link that was idle for long sends at its next event, latency %i", async (latency) => {
  const { central, peripheral, handles, air, clock } = await connectedPair({ interval: 12, latency, timeout: 300 });
  await clock.advance(60_007);
  const start = clock.now();
  peripheral.sendAcl(handles.peripheral, Uint8Array.of(1));
  await clock.advance(100);
  expect(central.acl[0]!.timeMs - start).toBeLessThan(16);
  await clock.advance(60_003);
  const again = clock.now();
  central.sendAcl(handles.central, Uint8Array.of(2));
  await clock.advance(100);
  expect(peripheral.acl[0]!.timeMs - again).toBeLessThan((latency + 1) * 15 + 1);
  air[Symbol.dispose]();
});
