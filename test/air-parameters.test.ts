import { expect, test } from "vitest";
import {
  type CommandDeclaration,
  DisconnectionComplete,
  HciErrorCode,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeConnectionUpdateComplete,
  LeCreateConnection,
  LeGenerateDhKey,
  LeReadLocalP256PublicKey,
  LeReadLocalP256PublicKeyComplete,
  LeRemoteConnectionParameterRequest,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeSetEventMask,
  LeSetHostChannelClassification,
  LeSetPhy,
  NumberOfCompletedPackets,
  Reset,
} from "../src/hci/index.ts";
import { advertise, connectedPair, createConnection, makeAir, makeHost, type RawPair } from "./support/raw-pair.ts";

const wanted = {
  connectionIntervalMin: 24,
  connectionIntervalMax: 40,
  maxLatency: 1,
  supervisionTimeout: 300,
  minCeLength: 0,
  maxCeLength: 0,
};

const update = ({ central, handles }: RawPair): Promise<{ status: number }> =>
  central.command(LeConnectionUpdate, { connectionHandle: handles.central, ...wanted });

/** Control PDUs on air, by opcode. */
const control = ({ air }: RawPair): number[] =>
  air.trace.entries.flatMap((entry) => (entry.kind === "air" && entry.channel < 37 && (entry.pdu[0]! & 3) === 3 ? [entry.pdu[2]!] : []));

test("a central asks the peer before it changes parameters, and takes what the peer's host answers", async () => {
  const pair = await connectedPair({ timeout: 400 });
  const { central, peripheral, handles, clock, air } = pair;
  peripheral.acceptsParameters = false;
  const asked = peripheral.event(LeRemoteConnectionParameterRequest);
  expect(await update(pair)).toEqual({ status: 0 });
  expect(await asked).toEqual({ connectionHandle: handles.peripheral, intervalMin: 24, intervalMax: 40, maxLatency: 1, timeout: 300 });
  await clock.advance(1000);
  expect(central.all(LeConnectionUpdateComplete)).toEqual([]); // the host thinks it over
  const answer = { intervalMin: 30, intervalMax: 30, maxLatency: 0, timeout: 500, minCeLength: 0, maxCeLength: 0 };
  await peripheral.command(LeRemoteConnectionParameterRequestReply, { connectionHandle: handles.peripheral, ...answer });
  const expected = { status: 0, connectionInterval: 30, peripheralLatency: 0, supervisionTimeout: 500 };
  expect(await central.event(LeConnectionUpdateComplete)).toMatchObject(expected);
  await clock.advance(500);
  expect(peripheral.all(LeConnectionUpdateComplete)).toMatchObject([expected]);
  expect(control(pair)).toEqual([0x0f, 0x10, 0x00]);
  await clock.advance(45_000); // nobody waits for anything any more
  expect([...central.all(DisconnectionComplete), ...peripheral.all(DisconnectionComplete)]).toEqual([]);
  air[Symbol.dispose]();
});

test("what the peer's host turns down is not done, and the central's host hears why", async () => {
  const pair = await connectedPair({ timeout: 400 });
  const { central, peripheral, handles, clock, air } = pair;
  peripheral.acceptsParameters = false;
  const asked = peripheral.event(LeRemoteConnectionParameterRequest);
  await update(pair);
  await asked;
  const reason = HciErrorCode.UnacceptableConnectionParameters;
  await peripheral.command(LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle: handles.peripheral, reason });
  expect(await central.event(LeConnectionUpdateComplete)).toMatchObject({ status: reason, connectionInterval: 12 });
  await clock.advance(1000);
  expect(peripheral.all(LeConnectionUpdateComplete)).toEqual([]);
  expect(control(pair)).toEqual([0x0f, 0x11]);
  air[Symbol.dispose]();
});

test.each(["a peer without the procedure", "a host that does not want the event", "a central without the procedure"])(
  "the central imposes parameters on %s",
  async (whom) => {
    const without = { features: { connectionParametersRequest: false } };
    const pair = await connectedPair({
      timeout: 400,
      peripheral: whom.startsWith("a peer") ? without : {},
      central: whom.startsWith("a central") ? without : {},
    });
    const { central, peripheral, air } = pair;
    if (whom.startsWith("a host")) await peripheral.command(LeSetEventMask, { leEventMask: 0x1fn });
    await update(pair);
    const { status, connectionInterval } = await central.event(LeConnectionUpdateComplete);
    expect(status).toBe(0);
    expect(connectionInterval).toBeGreaterThanOrEqual(24);
    expect(connectionInterval).toBeLessThanOrEqual(40);
    expect(control(pair).at(-1)).toBe(0x00);
    air[Symbol.dispose]();
  },
);

test.each(["central", "peripheral"] as const)(
  "what the %s's host wants waits while its answer to the peer's request is outstanding",
  async (who) => {
    const pair = await connectedPair({ timeout: 400 });
    const { air, clock, handles } = pair;
    const peer = who === "central" ? "peripheral" : "central";
    pair[who].acceptsParameters = false;
    const asked = pair[who].event(LeRemoteConnectionParameterRequest);
    const range = (interval: number) => ({ ...wanted, connectionIntervalMin: interval, connectionIntervalMax: interval });
    await pair[peer].command(LeConnectionUpdate, { connectionHandle: handles[peer], ...range(24) });
    await asked;
    const own = () => pair[who].command(LeConnectionUpdate, { connectionHandle: handles[who], ...range(40) });
    expect(await own()).toEqual({ status: 0 });
    expect(await own()).toEqual({ status: HciErrorCode.CommandDisallowed });
    await clock.advance(1000);
    expect(control(pair)).toEqual([0x0f]);
    const answer = { intervalMin: 24, intervalMax: 24, maxLatency: 1, timeout: 300, minCeLength: 0, maxCeLength: 0 };
    await pair[who].command(LeRemoteConnectionParameterRequestReply, { connectionHandle: handles[who], ...answer });
    await clock.advance(5000);
    for (const host of [pair.central, pair.peripheral])
      expect(host.all(LeConnectionUpdateComplete).map(({ status, connectionInterval }) => [status, connectionInterval])).toEqual([
        [0, 24],
        [0, 40],
      ]);
    await clock.advance(45_000);
    expect([...pair.central.all(DisconnectionComplete), ...pair.peripheral.all(DisconnectionComplete)]).toEqual([]);
    air[Symbol.dispose]();
  },
);

test("what was turned down makes way for what the own host wants", async () => {
  const pair = await connectedPair({ timeout: 400 });
  const { air, clock, central, peripheral, handles } = pair;
  central.acceptsParameters = false;
  const asked = central.event(LeRemoteConnectionParameterRequest);
  await peripheral.command(LeConnectionUpdate, { connectionHandle: handles.peripheral, ...wanted });
  await asked;
  expect(await update(pair)).toEqual({ status: 0 });
  await central.command(LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle: handles.central, reason: 0x3b });
  await clock.advance(3000);
  expect(peripheral.all(LeConnectionUpdateComplete).map(({ status }) => status)).toEqual([0x3b, 0]);
  expect(central.all(LeConnectionUpdateComplete).map(({ status }) => status)).toEqual([0]);
  air[Symbol.dispose]();
});

test("a peer that never answers has 40 s", async () => {
  const pair = await connectedPair({ timeout: 400 });
  const { central, peripheral, clock, air } = pair;
  peripheral.acceptsParameters = false;
  await update(pair);
  await clock.advance(39_500);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  await clock.advance(1500);
  expect(central.all(DisconnectionComplete)).toMatchObject([{ reason: HciErrorCode.LlResponseTimeout }]);
  air[Symbol.dispose]();
});

test("of the intervals that a host leaves open the controller takes any, the same with the same seed", async () => {
  const intervals = async (seed: number): Promise<[number, number]> => {
    const { air, clock } = makeAir({ seed });
    const { host: peripheral, controller } = await makeHost(air, { name: "peripheral" });
    const { host: central } = await makeHost(air, { name: "central" });
    await advertise(peripheral, { interval: 32 });
    const range = { connectionIntervalMin: 12, connectionIntervalMax: 36 };
    const connected = central.event(LeConnectionComplete);
    await central.command(LeCreateConnection, { ...createConnection(controller.address), ...range });
    const { connectionHandle, connectionInterval } = await connected;
    await clock.advance(300);
    await central.command(LeConnectionUpdate, { connectionHandle, ...wanted });
    const updated = (await central.event(LeConnectionUpdateComplete)).connectionInterval;
    air[Symbol.dispose]();
    return [connectionInterval, updated];
  };
  const all = await Promise.all(Array.from({ length: 20 }, (_, seed) => intervals(seed)));
  expect(await intervals(3)).toEqual(all[3]);
  for (const [first, second] of all) {
    expect(first >= 12 && first <= 36).toBe(true);
    expect(second >= 24 && second <= 40).toBe(true);
  }
  expect(new Set(all.map(([first]) => first)).size).toBeGreaterThan(6);
  expect(new Set(all.map(([, second]) => second)).size).toBeGreaterThan(6);
});

test.each([
  ["LL_CONNECTION_UPDATE_IND", 0x00, 12],
  ["LL_CHANNEL_MAP_IND", 0x01, 8],
  ["LL_PHY_UPDATE_IND", 0x18, 5],
] as const)("an instant of %s that has passed ends the link with 0x28 (Vol 6 Part B 5.1.1)", async (_, opcode, at) => {
  for (const behind of [1, 2, 100, 0x7ffe, -0x7ffe]) {
    const pair = await connectedPair({ timeout: 400, central: { features: { connectionParametersRequest: false } } });
    const { central, peripheral, handles, clock, air } = pair;
    let now = 0;
    air.onPacket(({ pdu }) => {
      if ((pdu[0]! & 3) !== 3 || pdu[2] !== opcode) return undefined;
      const changed = pdu.slice();
      now = (pdu[at]! | (pdu[at + 1]! << 8)) - 7; // it is sent seven events ahead
      const instant = (now - behind) & 0xffff;
      changed[at] = instant & 0xff;
      changed[at + 1] = instant >> 8;
      return { deliver: changed };
    });
    await clock.advance(200);
    if (opcode === 0x00) await update(pair);
    if (opcode === 0x01) await central.command(LeSetHostChannelClassification, { channelMap: Uint8Array.of(0xff, 0, 0, 0, 0) });
    const phy = { connectionHandle: handles.central, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 };
    if (opcode === 0x18) await central.command(LeSetPhy, phy);
    await clock.advance(300);
    const reasons = peripheral.all(DisconnectionComplete).map(({ reason }) => reason);
    expect([behind, reasons]).toEqual([behind, behind === -0x7ffe ? [] : [HciErrorCode.InstantPassed]]);
    air[Symbol.dispose]();
  }
});

test("completed packets of several links and of some time come in one event", async () => {
  const { air, clock } = makeAir();
  const { host: central } = await makeHost(air, { name: "central" });
  const handles: number[] = [];
  for (const name of ["one", "two"]) {
    const { host, controller } = await makeHost(air, { name });
    await advertise(host, { interval: 32 });
    const connected = central.event(LeConnectionComplete);
    await central.command(LeCreateConnection, createConnection(controller.address, { interval: 6 }));
    handles.push((await connected).connectionHandle);
  }
  await clock.advance(500);
  for (let i = 0; i < 40; i++) {
    for (const handle of handles) for (let k = 0; k < 3; k++) central.sendAcl(handle, Uint8Array.of(i));
    await clock.advance(20);
  }
  const events = central.all(NumberOfCompletedPackets);
  expect(events.some(({ handles: entries }) => entries.some(({ numCompletedPackets }) => numCompletedPackets > 1))).toBe(true);
  expect(handles.map((handle) => central.completed.get(handle))).toEqual([120, 120]);
  expect(events.length).toBeLessThan(200);
  air[Symbol.dispose]();
});

test("exchangesPerEvent bounds what a connection event carries", async () => {
  for (const [limit, expected] of [
    [1, 10],
    [4, 40],
  ] as const) {
    const { central, peripheral, handles, clock, air } = await connectedPair({
      interval: 80,
      timeout: 400,
      peripheral: { exchangesPerEvent: limit, totalNumLeAclDataPackets: 200 },
    });
    await clock.advance(350);
    for (let i = 0; i < 60; i++) peripheral.sendAcl(handles.peripheral, Uint8Array.of(i));
    await clock.advance(1000);
    expect(central.acl.length).toBeGreaterThanOrEqual(expected - limit);
    expect(central.acl.length).toBeLessThanOrEqual(expected + limit);
    air[Symbol.dispose]();
  }
});

test("elliptic curves take time, one key at a time, and a reset ends it", async () => {
  const { air, clock } = makeAir();
  const { host } = await makeHost(air, { keyGenerationMs: 100 });
  const start = clock.now();
  const point = { keyXCoordinate: new Uint8Array(32), keyYCoordinate: new Uint8Array(32) };
  const statusOf = async <P>(declaration: CommandDeclaration<P, unknown>, parameters: P): Promise<number> =>
    (await host.command(declaration, parameters)).status;
  expect(await statusOf(LeReadLocalP256PublicKey, {})).toBe(0);
  expect(await statusOf(LeReadLocalP256PublicKey, {})).toBe(HciErrorCode.CommandDisallowed);
  expect(await statusOf(LeGenerateDhKey, point)).toBe(HciErrorCode.CommandDisallowed);
  await host.event(LeReadLocalP256PublicKeyComplete);
  expect(clock.now() - start).toBe(100);
  expect(await statusOf(LeGenerateDhKey, point)).toBe(0);
  await host.command(Reset, {});
  await clock.advance(1000);
  expect(await statusOf(LeGenerateDhKey, point)).toBe(HciErrorCode.CommandDisallowed); // the key pair is gone
  air[Symbol.dispose]();
});
