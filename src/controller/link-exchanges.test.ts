import { expect, test } from "vitest";
import { connectedPair, type RawPair } from "../../test/support/raw-pair.ts";
import {
  AuthenticatedPayloadTimeoutExpired,
  DisconnectionComplete,
  EncryptionChange,
  EncryptionKeyRefreshComplete,
  HciErrorCode,
  LeEnableEncryption,
  LeLongTermKeyRequest,
  LeLongTermKeyRequestReply,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeRequestPeerSca,
  LeRequestPeerScaComplete,
  LeSetHostFeature,
  ReadAuthenticatedPayloadTimeout,
  SetEventMaskPage2,
  WriteAuthenticatedPayloadTimeout,
} from "../hci/index.ts";

const INVALID = HciErrorCode.InvalidHciCommandParameters;
const EXPIRED_BIT = 1n << 23n;
const longTermKey = Uint8Array.from({ length: 16 }, (_, i) => i);

async function encrypt(
  { central, peripheral, handles }: RawPair,
  done = EncryptionChange as typeof EncryptionKeyRefreshComplete,
): Promise<void> {
  const both = Promise.all([central.event(done), peripheral.event(done)]);
  const asked = peripheral.event(LeLongTermKeyRequest);
  await central.command(LeEnableEncryption, {
    connectionHandle: handles.central,
    randomNumber: new Uint8Array(8),
    encryptedDiversifier: 0,
    longTermKey,
  });
  await asked;
  await peripheral.command(LeLongTermKeyRequestReply, { connectionHandle: handles.peripheral, longTermKey });
  for (const { status } of await both) expect(status).toBe(0);
}

/** A link of 15 ms, encrypted; both hosts want to hear of the timeout. */
async function encryptedPair(options: Parameters<typeof connectedPair>[0] = {}): Promise<RawPair> {
  const pair = await connectedPair({ interval: 12, timeout: 400, ...options });
  for (const host of [pair.central, pair.peripheral])
    expect(await host.command(SetEventMaskPage2, { eventMaskPage2: EXPIRED_BIT })).toEqual({ status: 0 });
  await encrypt(pair);
  await pair.clock.advance(100);
  pair.air.trace.clear();
  return pair;
}

const controlPdus = ({ air }: RawPair): number =>
  air.trace.entries.filter((entry) => entry.kind === "air" && entry.channel < 37 && (entry.pdu[0]! & 3) === 3).length;
const expirations = ({ central, peripheral }: RawPair): number[] =>
  [central, peripheral].map((host) => host.all(AuthenticatedPayloadTimeoutExpired).length);

async function setTimeouts({ central, peripheral, handles }: RawPair, authenticatedPayloadTimeout: number): Promise<void> {
  for (const [host, connectionHandle] of [
    [central, handles.central],
    [peripheral, handles.peripheral],
  ] as const)
    expect(await host.command(WriteAuthenticatedPayloadTimeout, { connectionHandle, authenticatedPayloadTimeout })).toEqual({
      status: 0,
      connectionHandle,
    });
}

test("an encrypted link on which nothing is said is pinged in time, and the host hears nothing", async () => {
  const pair = await encryptedPair();
  await pair.clock.advance(29_700);
  expect(controlPdus(pair)).toBe(0);
  await pair.clock.advance(300);
  expect(controlPdus(pair)).toBeGreaterThanOrEqual(2);
  expect(controlPdus(pair)).toBeLessThanOrEqual(4);
  await pair.clock.advance(600_000);
  expect(controlPdus(pair)).toBeLessThanOrEqual(4 * 22);
  expect([...pair.central.all(DisconnectionComplete), ...expirations(pair)]).toEqual([0, 0]);
  pair.air[Symbol.dispose]();
});

test("data with a valid MIC are as good as an answer", async () => {
  const pair = await encryptedPair();
  await setTimeouts(pair, 100);
  for (let i = 0; i < 20; i++) {
    pair.central.sendAcl(pair.handles.central, Uint8Array.of(i));
    pair.peripheral.sendAcl(pair.handles.peripheral, Uint8Array.of(i));
    await pair.clock.advance(700);
  }
  expect([controlPdus(pair), ...expirations(pair)]).toEqual([0, 0, 0]);
  pair.air[Symbol.dispose]();
});

test("a peer whose answers do not come makes the timeout expire, again and again, and the link goes on", async () => {
  const pair = await encryptedPair();
  const { air, clock, handles } = pair;
  await setTimeouts(pair, 50);
  // The central's Link Layer takes nothing of the peripheral for three seconds; empty packets keep the link.
  const until = clock.now() + 3000;
  air.onPacket(({ from, pdu }) =>
    from === "peripheral" && pdu.length > 2 && clock.now() < until ? { delayMs: until - clock.now() } : undefined,
  );
  await clock.advance(2900);
  expect(pair.central.all(AuthenticatedPayloadTimeoutExpired)).toEqual(
    Array.from({ length: 5 }, () => ({ connectionHandle: handles.central })),
  );
  await clock.advance(5000);
  expect(pair.central.all(AuthenticatedPayloadTimeoutExpired).length).toBeLessThanOrEqual(6);
  expect(pair.central.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test("the event is for hosts that asked for it, and not after a reset of the mask", async () => {
  const pair = await encryptedPair();
  const { air, clock } = pair;
  await setTimeouts(pair, 50);
  await pair.central.command(SetEventMaskPage2, { eventMaskPage2: ~EXPIRED_BIT & ((1n << 64n) - 1n) });
  const until = clock.now() + 3000;
  air.onPacket(({ from, pdu }) =>
    from === "peripheral" && pdu.length > 2 && clock.now() < until ? { delayMs: until - clock.now() } : undefined,
  );
  await clock.advance(2900);
  expect(pair.central.all(AuthenticatedPayloadTimeoutExpired)).toEqual([]);
  air[Symbol.dispose]();
});

test("a peer without LE Ping answers that it does not know it, with a valid MIC", async () => {
  const pair = await encryptedPair({ peripheral: { features: { lePing: false } } });
  const { handles, clock } = pair;
  const command = { connectionHandle: handles.central, authenticatedPayloadTimeout: 50 };
  await pair.central.command(WriteAuthenticatedPayloadTimeout, command);
  await clock.advance(10_000);
  expect(expirations(pair)).toEqual([0, 0]);
  expect(controlPdus(pair)).toBeGreaterThan(30);
  const unknown = { ...command, connectionHandle: handles.peripheral };
  expect(await pair.peripheral.command(WriteAuthenticatedPayloadTimeout, unknown)).toMatchObject({
    status: HciErrorCode.UnknownHciCommand,
  });
  pair.air[Symbol.dispose]();
});

test("a new key, and links in the clear", async () => {
  const pair = await encryptedPair();
  await setTimeouts(pair, 50);
  await encrypt(pair, EncryptionKeyRefreshComplete);
  await pair.clock.advance(5000);
  expect(expirations(pair)).toEqual([0, 0]);
  expect(controlPdus(pair)).toBeGreaterThan(10);
  pair.air[Symbol.dispose]();
  const clear = await connectedPair();
  await setTimeouts(clear, 50);
  clear.air.trace.clear();
  await clear.clock.advance(10_000);
  expect(controlPdus(clear)).toBe(0);
  clear.air[Symbol.dispose]();
});

test("Read and Write Authenticated Payload Timeout: default, ranges, handles", async () => {
  const { central, handles, air } = await connectedPair({ interval: 40, latency: 3, timeout: 400 });
  const connectionHandle = handles.central;
  const read = () => central.command(ReadAuthenticatedPayloadTimeout, { connectionHandle });
  const write = (authenticatedPayloadTimeout: number) =>
    central.command(WriteAuthenticatedPayloadTimeout, { connectionHandle, authenticatedPayloadTimeout });
  expect(await read()).toEqual({ status: 0, connectionHandle, authenticatedPayloadTimeout: 0x0bb8 });
  // 50 ms, and the peripheral may stay away from three events: 200 ms at least.
  for (const timeout of [0, 1, 19]) expect(await write(timeout)).toEqual({ status: INVALID, connectionHandle });
  expect((await read()).authenticatedPayloadTimeout).toBe(0x0bb8);
  for (const timeout of [20, 0xffff]) {
    expect(await write(timeout)).toEqual({ status: 0, connectionHandle });
    expect((await read()).authenticatedPayloadTimeout).toBe(timeout);
  }
  expect(await central.command(ReadAuthenticatedPayloadTimeout, { connectionHandle: 0x777 })).toMatchObject({ status: 2 });
  const unknown = { connectionHandle: 0x777, authenticatedPayloadTimeout: 100 };
  expect(await central.command(WriteAuthenticatedPayloadTimeout, unknown)).toMatchObject({ status: 2, connectionHandle: 0x777 });
  air[Symbol.dispose]();
});

test.each([
  [0, 7],
  [20, 7],
  [30, 6],
  [50, 5],
  [75, 4],
  [100, 3],
  [150, 2],
  [250, 1],
  [500, 0],
])("a sleep clock of %i ppm is told as %i", async (sleepClockAccuracyPpm, peerClockAccuracy) => {
  const { central, handles, air } = await connectedPair({ peripheral: { sleepClockAccuracyPpm } });
  const told = central.event(LeRequestPeerScaComplete);
  expect(await central.command(LeRequestPeerSca, { connectionHandle: handles.central })).toEqual({ status: 0 });
  expect(await central.command(LeRequestPeerSca, { connectionHandle: handles.central })).toEqual({ status: 0x0c });
  expect(await told).toEqual({ status: 0, connectionHandle: handles.central, peerClockAccuracy });
  air[Symbol.dispose]();
});

test("a peer that does not tell its sleep clock: 0x11 in the event, 0x1A once that is known", async () => {
  const { central, peripheral, handles, air } = await connectedPair({ central: { features: { sleepClockAccuracyUpdates: false } } });
  const ask = () => peripheral.command(LeRequestPeerSca, { connectionHandle: handles.peripheral });
  const told = peripheral.event(LeRequestPeerScaComplete);
  expect(await ask()).toEqual({ status: 0 });
  expect(await told).toMatchObject({ status: HciErrorCode.UnsupportedFeatureOrParameterValue, connectionHandle: handles.peripheral });
  const read = peripheral.event(LeReadRemoteFeaturesComplete);
  await peripheral.command(LeReadRemoteFeatures, { connectionHandle: handles.peripheral });
  await read;
  expect(await ask()).toEqual({ status: HciErrorCode.UnsupportedRemoteFeature });
  expect(await peripheral.command(LeRequestPeerSca, { connectionHandle: 0x777 })).toEqual({ status: 2 });
  expect(await central.command(LeRequestPeerSca, { connectionHandle: handles.central })).toEqual({ status: 1 });
  air[Symbol.dispose]();
});

test("features of the peer: what both have in the first octet, what it has in the others; what it keeps to itself is not there", async () => {
  const { central, peripheral, handles, air } = await connectedPair({
    central: { features: { subrating: false, le2M: false, dataLength: false } },
    onHosts: async ({ peripheral: host }) => {
      await host.command(LeSetHostFeature, { bitNumber: 38, bitValue: true });
    },
  });
  const read = central.event(LeReadRemoteFeaturesComplete);
  await central.command(LeReadRemoteFeatures, { connectionHandle: handles.central });
  const { status, leFeatures } = await read;
  const has = (bit: number): number => Number((leFeatures >> BigInt(bit)) & 1n);
  expect([status, has(0), has(5), has(8), has(37), has(38)]).toEqual([0, 1, 0, 1, 1, 1]);
  expect([4, 6, 7, 12, 13].map(has)).toEqual([0, 0, 0, 0, 0]);
  expect(peripheral.all(LeReadRemoteFeaturesComplete)).toEqual([]);
  air[Symbol.dispose]();
});
