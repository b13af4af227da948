import { expect, test } from "vitest";
import { RawHost } from "../../test/support/raw-host.ts";
import { advertise, connectedPair, createConnection, makeAir, type RawPair } from "../../test/support/raw-pair.ts";
import { SeededRandom } from "../core/index.ts";
import {
  DisconnectionComplete,
  HciErrorCode,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeConnectionUpdateComplete,
  LeCreateConnection,
  LeFeature,
  LePhyUpdateComplete,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeSetDefaultSubrate,
  LeSetHostChannelClassification,
  LeSetHostFeature,
  LeSetPhy,
  LeSubrateChange,
  LeSubrateRequest,
} from "../hci/index.ts";
import { Controller } from "./controller.ts";

const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };
const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const UNSUPPORTED_REMOTE = { status: HciErrorCode.UnsupportedRemoteFeature };

const bit = LeFeature.ConnectionSubratingHostSupport;
const sayReady = async (host: RawHost): Promise<void> => {
  expect(await host.command(LeSetHostFeature, { bitNumber: bit, bitValue: true })).toEqual({ status: 0 });
};

/** Every 8th event, 120 ms apart. */
const eight = { subrateMin: 8, subrateMax: 8, maxLatency: 0, continuationNumber: 0, supervisionTimeout: 100 };

/** Two hosts that know subrating, on a link of 15 ms. */
async function readyPair(options: Parameters<typeof connectedPair>[0] & { defaults?: typeof eight } = {}): Promise<RawPair> {
  return await connectedPair({
    interval: 12,
    timeout: 100,
    ...options,
    onHosts: async ({ central, peripheral }) => {
      await sayReady(central);
      await sayReady(peripheral);
      if (options.defaults) expect(await central.command(LeSetDefaultSubrate, options.defaults)).toEqual({ status: 0 });
    },
  });
}

/** Has the central's host set a subrate; both hosts hear of it. */
async function subrate({ central, peripheral, handles }: RawPair, changed: Partial<typeof eight> = {}): Promise<void> {
  const both = Promise.all([central.event(LeSubrateChange), peripheral.event(LeSubrateChange)]);
  expect(await central.command(LeSubrateRequest, { connectionHandle: handles.central, ...eight, ...changed })).toEqual({ status: 0 });
  const { subrateMax, maxLatency, continuationNumber, supervisionTimeout } = { ...eight, ...changed };
  const [atCentral, atPeripheral] = await both;
  const expected = { status: 0, subrateFactor: subrateMax, peripheralLatency: maxLatency, continuationNumber, supervisionTimeout };
  expect([atCentral, atPeripheral]).toEqual([
    { ...expected, connectionHandle: handles.central },
    { ...expected, connectionHandle: handles.peripheral },
  ]);
}

/** Times in ms of the first packet of each connection event in the trace. */
function eventsOnAir({ air }: RawPair): number[] {
  const times: number[] = [];
  for (const entry of air.trace.entries)
    if (entry.kind === "air" && entry.channel < 37 && entry.from === "central" && !(entry.timeUs / 1000 - (times.at(-1) ?? -100) < 7))
      times.push(entry.timeUs / 1000);
  return times;
}
const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => Math.round((time - times[i]!) / 15));
const control = ({ air }: RawPair): number[] =>
  air.trace.entries.flatMap((entry) => (entry.kind === "air" && entry.channel < 37 && (entry.pdu[0]! & 3) === 3 ? [entry.pdu[2]!] : []));

test("the central's host sets a subrate: one of eight events is used, which is one packet each way", async () => {
  const pair = await readyPair({ idle: "simulate" });
  await subrate(pair);
  await pair.clock.advance(200);
  pair.air.trace.clear();
  await pair.clock.advance(12_000);
  expect(new Set(gaps(eventsOnAir(pair)))).toEqual(new Set([8]));
  expect(pair.air.trace.entries).toHaveLength(200);
  expect(control(pair)).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("the procedure is one LL_SUBRATE_IND, behind the features of the peer", async () => {
  const pair = await readyPair();
  pair.air.trace.clear();
  await subrate(pair);
  expect(control(pair)).toEqual([0x08, 0x09, 0x27]);
  const [pdu] = pair.air.trace.entries.flatMap((entry) => (entry.kind === "air" && entry.pdu[2] === 0x27 ? [entry.pdu] : []));
  const fields = new DataView(pdu!.buffer, pdu!.byteOffset + 3);
  expect([0, 4, 6, 8].map((at) => fields.getUint16(at, true))).toEqual([8, 0, 0, 100]);
  await subrate(pair, { subrateMin: 2, subrateMax: 4 });
  expect(control(pair)).toEqual([0x08, 0x09, 0x27, 0x27]);
  pair.air[Symbol.dispose]();
});

test.each(["central", "peripheral"] as const)("data of the %s waits for an event that is used", async (from) => {
  const pair = await readyPair();
  await subrate(pair);
  await pair.clock.advance(1000);
  const to = from === "central" ? pair.peripheral : pair.central;
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const start = pair.clock.now();
    pair[from].sendAcl(pair.handles[from], Uint8Array.of(i));
    await pair.clock.advance(240);
    times.push(to.acl.at(-1)!.timeMs - start);
    await pair.clock.advance(37); // another phase each time
  }
  expect(to.acl).toHaveLength(40);
  expect(Math.max(...times)).toBeLessThan(121);
  expect(Math.max(...times)).toBeGreaterThan(105);
  expect(Math.min(...times)).toBeLessThan(15);
  const mean = times.reduce((sum, time) => sum + time) / times.length;
  expect(Math.abs(mean - 60)).toBeLessThan(5);
  pair.air[Symbol.dispose]();
});

test("behind a packet that is not empty, so many more events are used; each such packet counts anew", async () => {
  const pair = await readyPair({ idle: "simulate" });
  await subrate(pair, { continuationNumber: 3 });
  await pair.clock.advance(1000);
  pair.air.trace.clear();
  pair.central.sendAcl(pair.handles.central, Uint8Array.of(1));
  await pair.clock.advance(600);
  const used = gaps(eventsOnAir(pair));
  const at = used.indexOf(1);
  expect(used.slice(at, at + 5)).toEqual([1, 1, 1, 5, 8]);
  pair.air.trace.clear();
  // The answer comes in the event behind, and keeps them going.
  pair.peripheral.onAcl = () => pair.peripheral.sendAcl(pair.handles.peripheral, Uint8Array.of(2));
  pair.central.sendAcl(pair.handles.central, Uint8Array.of(3));
  await pair.clock.advance(600);
  const kept = gaps(eventsOnAir(pair));
  expect(kept.slice(kept.indexOf(1), kept.indexOf(1) + 5)).toEqual([1, 1, 1, 1, 4]);
  pair.air[Symbol.dispose]();
});

test("latency of the peripheral counts in subrated events", async () => {
  const pair = await readyPair({ idle: "simulate", timeout: 200 });
  await subrate(pair, { subrateMin: 4, subrateMax: 4, maxLatency: 2, supervisionTimeout: 200 });
  await pair.clock.advance(1000);
  pair.air.trace.clear();
  await pair.clock.advance(7200); // 480 events, 120 used by the central, 40 by both
  const packets = pair.air.trace.entries.filter((entry) => entry.kind === "air");
  expect(packets.filter(({ from }) => from === "central")).toHaveLength(120);
  expect(packets.filter(({ from }) => from === "peripheral")).toHaveLength(40);
  pair.air[Symbol.dispose]();
});

test("what hosts see is the same whether idle events are simulated or passed over", async () => {
  const seen = async (idle: "skip" | "simulate", latency: number, continuationNumber: number): Promise<unknown[]> => {
    const pair = await readyPair({ idle, seed: 3, timeout: 300 });
    await subrate(pair, { subrateMin: 5, subrateMax: 5, maxLatency: latency, continuationNumber, supervisionTimeout: 300 });
    for (let i = 0; i < 25; i++) {
      const from = i % 3 === 0 ? "peripheral" : "central";
      pair[from].sendAcl(pair.handles[from], Uint8Array.of(i));
      await pair.clock.advance((i * 67) % 401);
    }
    await pair.clock.advance(1000);
    const result = [...pair.central.acl, ...pair.peripheral.acl].map(({ data, timeMs }) => [data[0], timeMs]);
    expect(result).toHaveLength(25);
    pair.air[Symbol.dispose]();
    return result;
  };
  for (const [latency, continuation] of [
    [0, 0],
    [0, 2],
    [2, 0],
    [1, 4],
  ] as const)
    expect(await seen("skip", latency, continuation)).toEqual(await seen("simulate", latency, continuation));
});

test("a peripheral asks; its central's host has said what it takes", async () => {
  const defaults = { subrateMin: 2, subrateMax: 10, maxLatency: 3, continuationNumber: 1, supervisionTimeout: 300 };
  const pair = await readyPair({ defaults });
  const { central, peripheral, handles } = pair;
  const ask = async (changed: Partial<typeof eight>): Promise<object> => {
    const told = peripheral.event(LeSubrateChange);
    expect(await peripheral.command(LeSubrateRequest, { connectionHandle: handles.peripheral, ...eight, ...changed })).toEqual({
      status: 0,
    });
    const { connectionHandle, ...values } = await told;
    expect(connectionHandle).toBe(handles.peripheral);
    return values;
  };
  // The highest factor of both ranges, the lower latency and timeout, the higher continuation number.
  const first = await ask({ subrateMin: 1, subrateMax: 6, maxLatency: 1, supervisionTimeout: 500 });
  const expected = { status: 0, subrateFactor: 6, peripheralLatency: 1, continuationNumber: 1, supervisionTimeout: 300 };
  expect(first).toEqual(expected);
  await pair.clock.advance(200);
  expect(central.all(LeSubrateChange)).toEqual([{ ...expected, connectionHandle: handles.central }]);
  // A factor that the timeout allows.
  expect(await ask({ subrateMin: 3, subrateMax: 100, maxLatency: 4, supervisionTimeout: 3200 })).toMatchObject({
    subrateFactor: 10,
    peripheralLatency: 3,
  });
  expect(await ask({ subrateMin: 11, subrateMax: 20 })).toMatchObject({
    status: HciErrorCode.UnsupportedLlParameterValue,
    subrateFactor: 10,
    peripheralLatency: 3,
    supervisionTimeout: 300,
  });
  expect(await ask({ subrateMin: 1, subrateMax: 1 })).toMatchObject({ status: HciErrorCode.UnsupportedLlParameterValue });
  // What the central's host asks for later is what it takes from then on.
  await subrate(pair, { subrateMin: 1, subrateMax: 1 });
  expect(await ask({ subrateMin: 1, subrateMax: 4 })).toMatchObject({ status: 0, subrateFactor: 1 });
  pair.air[Symbol.dispose]();
});

test("a central whose host has said nothing takes no subrating", async () => {
  const { peripheral, handles, air } = await readyPair();
  const told = peripheral.event(LeSubrateChange);
  await peripheral.command(LeSubrateRequest, { connectionHandle: handles.peripheral, ...eight });
  expect(await told).toMatchObject({ status: HciErrorCode.UnsupportedLlParameterValue, subrateFactor: 1 });
  air[Symbol.dispose]();
});

test("hosts that have not said that they know it", async () => {
  const neither = await connectedPair();
  const ask = (pair: RawPair, who: "central" | "peripheral") =>
    pair[who].command(LeSubrateRequest, { connectionHandle: pair.handles[who], ...eight });
  expect(await ask(neither, "central")).toEqual(DISALLOWED);
  expect(await ask(neither, "peripheral")).toEqual(DISALLOWED);
  expect(await neither.central.command(LeSetHostFeature, { bitNumber: bit, bitValue: true })).toEqual(DISALLOWED); // there is a link
  neither.air[Symbol.dispose]();

  const own = await connectedPair({ onHosts: async ({ central }) => await sayReady(central) });
  expect((await own.central.command(LeReadLocalSupportedFeatures, {})).leFeatures >> BigInt(bit)).toBe(1n);
  const told = own.central.event(LeSubrateChange);
  expect(await ask(own, "central")).toEqual({ status: 0 }); // nothing is known of the peer yet
  expect(await told).toMatchObject({ ...UNSUPPORTED_REMOTE, subrateFactor: 1, supervisionTimeout: 100 });
  expect(await ask(own, "central")).toEqual(UNSUPPORTED_REMOTE);
  own.air[Symbol.dispose]();

  const theirs = await connectedPair({ onHosts: async ({ peripheral }) => await sayReady(peripheral) });
  const refused = theirs.peripheral.event(LeSubrateChange);
  await ask(theirs, "peripheral");
  expect(await refused).toMatchObject(UNSUPPORTED_REMOTE);
  theirs.air[Symbol.dispose]();

  const old = await connectedPair({
    central: { features: { subrating: false } },
    onHosts: async ({ peripheral }) => await sayReady(peripheral),
  });
  expect(await ask(old, "central")).toEqual({ status: HciErrorCode.UnknownHciCommand });
  expect(await old.central.command(LeSetHostFeature, { bitNumber: bit, bitValue: true })).toEqual({
    status: HciErrorCode.UnknownHciCommand,
  });
  const unknown = old.peripheral.event(LeSubrateChange);
  await ask(old, "peripheral");
  expect(await unknown).toMatchObject(UNSUPPORTED_REMOTE);
  const read = old.peripheral.event(LeReadRemoteFeaturesComplete);
  await old.peripheral.command(LeReadRemoteFeatures, { connectionHandle: old.handles.peripheral });
  await read;
  expect(await ask(old, "peripheral")).toEqual(UNSUPPORTED_REMOTE);
  old.air[Symbol.dispose]();
});

test("ranges and rules of the two commands (0x12)", async () => {
  const { air, central, handles } = await readyPair();
  const wrong = [
    { subrateMin: 0, subrateMax: 1 },
    { subrateMin: 9 },
    { subrateMin: 1, subrateMax: 501 },
    { maxLatency: 0x1f4 },
    { subrateMax: 100, maxLatency: 5 }, // 600 events
    { continuationNumber: 8 },
    { supervisionTimeout: 9 },
    { supervisionTimeout: 0xc81 },
  ];
  for (const changed of wrong) {
    expect([changed, await central.command(LeSetDefaultSubrate, { ...eight, ...changed })]).toEqual([changed, INVALID]);
    const request = { connectionHandle: handles.central, ...eight, ...changed };
    expect([changed, await central.command(LeSubrateRequest, request)]).toEqual([changed, INVALID]);
  }
  for (const right of [
    { subrateMin: 1, subrateMax: 500, supervisionTimeout: 0xc80 },
    { continuationNumber: 7 },
    { subrateMax: 100, maxLatency: 4 },
  ])
    expect(await central.command(LeSetDefaultSubrate, { ...eight, ...right })).toEqual({ status: 0 });
  // 15 ms, 8, twice: more than 240 ms.
  const request = (supervisionTimeout: number) =>
    central.command(LeSubrateRequest, { connectionHandle: handles.central, ...eight, supervisionTimeout });
  expect(await request(24)).toEqual(INVALID);
  expect(await request(25)).toEqual({ status: 0 });
  expect(await request(25)).toEqual(DISALLOWED); // one at a time
  expect(await central.command(LeSubrateRequest, { connectionHandle: 0x777, ...eight })).toEqual({ status: 0x02 });
  air[Symbol.dispose]();
});

test("the supervision timeout is the one that was agreed on with the subrate", async () => {
  const pair = await readyPair();
  await subrate(pair, { supervisionTimeout: 400 });
  await pair.clock.advance(500);
  pair.air.cut(pair.centralController, pair.peripheralController);
  await pair.clock.advance(3700);
  expect([...pair.central.all(DisconnectionComplete), ...pair.peripheral.all(DisconnectionComplete)]).toEqual([]);
  await pair.clock.advance(500);
  for (const host of [pair.central, pair.peripheral]) expect(host.all(DisconnectionComplete)).toMatchObject([{ reason: 0x08 }]);
  pair.air[Symbol.dispose]();
});

test("another interval ends subrating; the same interval with another latency does not", async () => {
  const pair = await readyPair({ idle: "simulate" });
  const { central, peripheral, handles, clock } = pair;
  const update = async (interval: number, maxLatency: number): Promise<void> => {
    const both = Promise.all([central.event(LeConnectionUpdateComplete), peripheral.event(LeConnectionUpdateComplete)]);
    await central.command(LeConnectionUpdate, {
      connectionHandle: handles.central,
      connectionIntervalMin: interval,
      connectionIntervalMax: interval,
      maxLatency,
      supervisionTimeout: 300,
      minCeLength: 0,
      maxCeLength: 0,
    });
    for (const event of await both) expect(event).toMatchObject({ status: 0, connectionInterval: interval, supervisionTimeout: 300 });
  };
  await subrate(pair);
  await update(12, 1);
  await clock.advance(500);
  pair.air.trace.clear();
  await clock.advance(2400);
  expect(new Set(gaps(eventsOnAir(pair)))).toEqual(new Set([8]));
  await update(24, 0); // 30 ms
  await clock.advance(500);
  pair.air.trace.clear();
  await clock.advance(2400);
  expect(new Set(gaps(eventsOnAir(pair)))).toEqual(new Set([2]));
  await subrate(pair, { subrateMin: 3, subrateMax: 3 });
  await clock.advance(500);
  pair.air.trace.clear();
  await clock.advance(2400);
  expect(new Set(gaps(eventsOnAir(pair)))).toEqual(new Set([6]));
  pair.air[Symbol.dispose]();
});

test("PHY and channel map change on a subrated link, at instants that the peripheral hears of", async () => {
  const pair = await readyPair({ timeout: 300 });
  await subrate(pair, { maxLatency: 1, supervisionTimeout: 300 });
  const { central, peripheral, handles, clock } = pair;
  const both = Promise.all([central.event(LePhyUpdateComplete), peripheral.event(LePhyUpdateComplete)]);
  await central.command(LeSetPhy, { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  for (const event of await both) expect(event).toMatchObject({ status: 0, txPhy: 2, rxPhy: 2 });
  await central.command(LeSetHostChannelClassification, { channelMap: Uint8Array.of(3, 0, 0, 0, 0) });
  await clock.advance(20_000);
  pair.air.trace.clear();
  central.sendAcl(handles.central, Uint8Array.of(1));
  await clock.advance(1000);
  const channels = pair.air.trace.entries.flatMap((entry) => (entry.kind === "air" ? [entry.channel] : []));
  expect(channels.length).toBeGreaterThan(0);
  expect(Math.max(...channels)).toBeLessThanOrEqual(1);
  expect([...central.all(DisconnectionComplete), ...peripheral.all(DisconnectionComplete)]).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("whatever the air loses while the subrate changes, both ends come to the same events", async () => {
  for (let lost = 0; lost < 12; lost++) {
    const pair = await readyPair({ idle: "simulate", timeout: 300 });
    let packets = 0;
    let isOn = false;
    const hook = pair.air.onPacket(({ pdu, channel }) => {
      if (channel >= 37) return undefined;
      isOn ||= pdu[2] === 0x27;
      if (!isOn) return undefined;
      // Losses in a run, from the first LL_SUBRATE_IND on: of it, of its acknowledgement, of what follows.
      const at = packets++;
      return at >= lost % 4 && at < (lost % 4) + 1 + Math.floor(lost / 4) ? "lose" : undefined;
    });
    await subrate(pair, { supervisionTimeout: 300 });
    await pair.clock.advance(500);
    hook[Symbol.dispose]();
    pair.air.trace.clear();
    await pair.clock.advance(6000);
    expect([lost, new Set(gaps(eventsOnAir(pair)))]).toEqual([lost, new Set([8])]);
    expect(pair.air.trace.entries.filter((entry) => entry.kind === "air" && entry.trouble)).toEqual([]);
    expect(pair.central.all(DisconnectionComplete)).toEqual([]);
    pair.air[Symbol.dispose]();
  }
});

test("two that ask at the same time: the central's wins", async () => {
  const pair = await readyPair();
  const { central, peripheral, handles, clock } = pair;
  void central.command(LeSubrateRequest, { connectionHandle: handles.central, ...eight });
  void peripheral.command(LeSubrateRequest, { connectionHandle: handles.peripheral, ...eight, subrateMin: 3, subrateMax: 3 });
  await clock.advance(2000);
  expect(central.all(LeSubrateChange).at(-1)).toMatchObject({ status: 0, subrateFactor: 8 });
  expect(peripheral.all(LeSubrateChange).at(-1)).toMatchObject({ subrateFactor: 8 });
  await clock.advance(45_000);
  expect([...central.all(DisconnectionComplete), ...peripheral.all(DisconnectionComplete)]).toEqual([]);
  pair.air[Symbol.dispose]();
});

test("in an air without radio time the subrate is agreed on all the same", async () => {
  const pair = await readyPair({ mode: "instant" });
  await subrate(pair);
  pair.central.sendAcl(pair.handles.central, Uint8Array.of(1));
  await pair.clock.advance(1);
  expect(pair.peripheral.acl).toHaveLength(1);
  pair.air[Symbol.dispose]();
});

test("a central with subrated links and others serves them all", async () => {
  const { air, clock } = makeAir();
  const central = await new RawHost(new Controller({ air, name: "central" }).transport, clock).start();
  await sayReady(central);
  const peers: { host: RawHost; handle: number }[] = [];
  for (let i = 0; i < 3; i++) {
    const controller = new Controller({ air, name: `peer ${i}` });
    const host = await new RawHost(controller.transport, clock).start();
    await sayReady(host);
    await advertise(host, { interval: 32 });
    const connected = central.event(LeConnectionComplete);
    await central.command(LeCreateConnection, createConnection(controller.address, { interval: 12, timeout: 300 }));
    peers.push({ host, handle: (await connected).connectionHandle });
    await clock.advance(100);
  }
  for (const { handle } of peers.slice(0, 2)) {
    const done = central.event(LeSubrateChange);
    await central.command(LeSubrateRequest, { connectionHandle: handle, ...eight, supervisionTimeout: 300 });
    expect(await done).toMatchObject({ status: 0, subrateFactor: 8 });
  }
  for (let i = 0; i < 20; i++) {
    for (const { handle } of peers) central.sendAcl(handle, Uint8Array.of(i));
    await clock.advance(300);
  }
  for (const { host } of peers) expect(host.acl.map(({ data }) => data[0])).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(central.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test.each([1, 2, 3, 4])(
  "data, losses and changes of subrate, interval and PHY by chance: all arrives, in order, and the link stays (seed %i)",
  async (seed) => {
    const life = async (idle: "skip" | "simulate"): Promise<unknown> => {
      const random = new SeededRandom(seed, "life");
      const pick = (most: number): number => random.uint32() % (most + 1);
      const pair = await readyPair({
        idle,
        seed,
        loss: seed % 2 ? 0 : 0.1,
        timeout: 3200,
        defaults: { ...eight, subrateMin: 1, subrateMax: 20, maxLatency: 2, supervisionTimeout: 3200 },
      });
      const { central, peripheral, handles, clock } = pair;
      const ends = [
        { host: central, handle: handles.central, peer: peripheral, sent: 0 },
        { host: peripheral, handle: handles.peripheral, peer: central, sent: 0 },
      ];
      for (let step = 0; step < 40; step++) {
        const end = ends[pick(1)]!;
        const what = pick(5);
        if (what < 3) for (let i = pick(4); i >= 0; i--) end.host.sendAcl(end.handle, Uint8Array.of(end.sent++));
        else if (what === 3) {
          const subrateMax = 1 + pick(11);
          const maxLatency = pick(2);
          const continuationNumber = pick(subrateMax - 1);
          const asked = { subrateMin: 1, subrateMax, maxLatency, continuationNumber, supervisionTimeout: 3200 };
          void end.host.command(LeSubrateRequest, { connectionHandle: end.handle, ...asked });
        } else if (what === 4) {
          const interval = 6 + pick(30);
          const range = { connectionIntervalMin: interval, connectionIntervalMax: interval, maxLatency: pick(2), supervisionTimeout: 3200 };
          void end.host.command(LeConnectionUpdate, { connectionHandle: end.handle, ...range, minCeLength: 0, maxCeLength: 0 });
        } else
          void end.host.command(LeSetPhy, {
            connectionHandle: end.handle,
            allPhys: 0,
            txPhys: 1 + pick(1),
            rxPhys: 1 + pick(1),
            phyOptions: 0,
          });
        await clock.advance(pick(700));
      }
      await clock.advance(60_000);
      for (const { peer, sent } of ends) expect(peer.acl.map(({ data }) => data[0])).toEqual(Array.from({ length: sent }, (_, i) => i));
      expect([...central.all(DisconnectionComplete), ...peripheral.all(DisconnectionComplete)]).toEqual([]);
      const last = (host: RawHost): unknown => host.all(LeSubrateChange).findLast(({ status }) => status === 0)?.subrateFactor;
      const seen = [central, peripheral].map((host) => [last(host), host.acl.map(({ timeMs }) => timeMs), host.events.length]);
      pair.air[Symbol.dispose]();
      return seen;
    };
    expect(await life("skip")).toEqual(await life("simulate"));
  },
);
