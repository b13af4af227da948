import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { fromHex } from "../src/bytes/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { createRpa } from "../src/crypto/index.ts";
import { type Connection, Device, type DeviceOptions } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import {
  EncryptionChange,
  type EventDeclaration,
  encodeCommandComplete,
  HciErrorCode,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";
import { uncaughtDuring } from "./support/uncaught.ts";

const PEER = Address.from("06:05:04:03:02:01");
const OTHER = Address.from("AA:AA:AA:AA:AA:AA");
const NO_ADDRESS = new Address(new Uint8Array(6), 0);

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;

const open = async (options: DeviceOptions = {}, made: ConstructorParameters<typeof ScriptedController>[0] = {}) => {
  controller = new ScriptedController(made);
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), ...options });
};
const settled = () => delay(clock, 1);
const count = (command: string) => controller.commands.filter((name) => name === command).length;
const event = <P>(declaration: EventDeclaration<P>, parameters: P) => controller.event(declaration, parameters);
/** A link as central. */
const connect = async (peer = PEER): Promise<Connection> => {
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer }));
  const connection = await device.connect(peer);
  controller.reactions.delete("LeCreateConnection");
  return connection;
};
const failed = (status: number, peerAddress = NO_ADDRESS) =>
  event(LeConnectionComplete, {
    status,
    connectionHandle: 0,
    role: 0,
    peerAddress,
    connectionInterval: 0,
    peripheralLatency: 0,
    supervisionTimeout: 0,
    centralClockAccuracy: 0,
  });

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  await device.close();
  expect(clock.pending).toEqual([]);
});

describe("a link belongs to the attempt for its peer", () => {
  test("and not to whatever is current: it is taken down, and the attempt goes on", async () => {
    await open();
    const connected = device.connect("06:05:04:03:02:01");
    await settled();
    controller.raw(fromHex("04 3e13010002000000aaaaaaaaaaaa18000000900100"));
    await settled();
    expect(controller.last.get("Disconnect")).toEqual({ connectionHandle: 2, reason: 0x13 });
    expect(device.links).toEqual([]);
    controller.link({ handle: 3, role: "central", peer: PEER });
    expect(await connected).toMatchObject({ handle: 3, peerAddress: PEER });
  });

  test("octets and type", async () => {
    await open();
    const connected = device.connect(new Address(PEER.bytes, 1));
    await settled();
    controller.link({ handle: 2, role: "central", peer: PEER });
    await settled();
    expect(controller.last.get("Disconnect")).toMatchObject({ connectionHandle: 2 });
    controller.link({ handle: 3, role: "central", peer: new Address(PEER.bytes, 1) });
    expect(await connected).toMatchObject({ handle: 3 });
  });

  test("or under another address of the same identity", async () => {
    const irk = new Uint8Array(16).fill(7);
    const ltk = { key: new Uint8Array(16).fill(3), ediv: 0, rand: new Uint8Array(8), keySize: 16 };
    const keys = { localLtk: ltk, peerLtk: ltk, peerIrk: irk, localIrkDistributed: true };
    const bond = { identity: PEER, ...keys, authenticated: false, secureConnections: true };
    await open({ bonds: new MemoryBondStore([bond]) });
    const connected = device.connect(createRpa(irk, new SeededRandom(1)));
    await settled();
    controller.link({ handle: 2, role: "central", peer: createRpa(new Uint8Array(16).fill(8), new SeededRandom(1)) });
    await settled();
    expect(controller.last.get("Disconnect")).toMatchObject({ connectionHandle: 2 });
    controller.reactions.set("LeEnableEncryption", () => event(EncryptionChange, { status: 0, connectionHandle: 3, encryptionEnabled: 1 }));
    controller.link({ handle: 3, role: "central", peer: PEER });
    expect(await connected).toMatchObject({ handle: 3, peerIdentity: PEER });
  });

  test("where the cancel was accepted, nothing completed in time, and the old link arrives in the middle of another attempt", async () => {
    await open();
    await expect(device.connect(OTHER, { timeoutMs: 1000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const connected = device.connect(PEER);
    await delay(clock, 2500);
    expect(count("LeCreateConnection")).toBe(2);
    failed(HciErrorCode.UnknownConnectionIdentifier, OTHER); // the answer to the cancel, far too late
    failed(HciErrorCode.UnknownConnectionIdentifier);
    failed(HciErrorCode.ConnectionFailedToBeEstablished, OTHER);
    controller.link({ handle: 2, role: "central", peer: OTHER });
    await settled();
    expect(controller.last.get("Disconnect")).toMatchObject({ connectionHandle: 2 });
    controller.link({ handle: 3, role: "central", peer: PEER });
    expect(await connected).toMatchObject({ handle: 3, peerAddress: PEER });
    expect(count("LeCreateConnection")).toBe(2);
  });

  test("directed advertising is answered by nobody but the one it is for", async () => {
    await open();
    const advertising = await device.advertise({ direct: { peer: PEER } });
    controller.link({ handle: 2, role: "peripheral", peer: OTHER });
    await settled();
    expect(controller.last.get("Disconnect")).toMatchObject({ connectionHandle: 2 });
    expect([advertising.active, count("LeSetAdvertisingParameters")]).toEqual([true, 2]); // the controller had stopped
    controller.link({ handle: 3, role: "peripheral", peer: PEER });
    expect(await advertising.connection()).toMatchObject({ handle: 3 });
  });

  test("Advertising Timeout ends high duty cycle directed advertising, and nothing else", async () => {
    await open();
    const advertising = await device.advertise();
    failed(HciErrorCode.AdvertisingTimeout);
    expect(advertising.active).toBe(true);
    await advertising.stop();
    const directed = await device.advertise({ direct: { peer: PEER, highDutyCycle: true } });
    const connection = directed.connection();
    failed(HciErrorCode.AdvertisingTimeout);
    await expect(connection).rejects.toMatchObject({ code: "ERR_HCI", status: 0x3c });
  });

  test("one that nobody wants, and that the controller does not end, is asked for again, then the controller is reset", async () => {
    await open();
    controller.answers.set("Disconnect", HciErrorCode.UnspecifiedError);
    controller.link({ handle: 2, role: "central", peer: OTHER });
    await delay(clock, 5000);
    expect(count("Disconnect")).toBe(3);
    expect(controller.commands.at(-1)).not.toBe("Disconnect");
    expect(count("Reset")).toBe(2); // one at the opening
    expect(device.ended).toBeUndefined();
  });
});

describe("a peer that does not answer its first events", () => {
  const answers: [how: string, answer: () => void][] = [
    ["as the completion says", () => failed(HciErrorCode.ConnectionFailedToBeEstablished, PEER)],
    [
      "as a disconnection says",
      () => {
        controller.link({ role: "central", peer: PEER });
        controller.lose(1, HciErrorCode.ConnectionFailedToBeEstablished);
      },
    ],
    [
      "as a disconnection says a little later",
      () => {
        controller.link({ role: "central", peer: PEER });
        clock.setTimer(150, "test", () => controller.lose(1, HciErrorCode.ConnectionFailedToBeEstablished));
      },
    ],
  ];
  test.each(answers)("%s, is tried again", async (_how, answer) => {
    await open();
    let left = 3;
    controller.reactions.set("LeCreateConnection", () =>
      left-- > 0 ? answer() : controller.link({ handle: 4, role: "central", peer: PEER }),
    );
    const before = clock.now();
    const connection = await device.connect(PEER);
    expect([connection.handle, connection.ended, device.links]).toEqual([4, undefined, [connection]]);
    expect(count("LeCreateConnection")).toBe(4);
    expect(clock.now() - before).toBeLessThan(1000);
  });

  test.each(answers)("%s, is told when the time is over", async (_how, answer) => {
    await open();
    controller.reactions.set("LeCreateConnection", answer);
    const before = clock.now();
    await expect(device.connect(PEER, { timeoutMs: 5000 })).rejects.toMatchObject({
      code: "ERR_HCI",
      status: HciErrorCode.ConnectionFailedToBeEstablished,
      cause: { code: "ERR_TIMEOUT", timeoutMs: 5000 },
    });
    expect(clock.now() - before).toBe(5000);
    expect(count("LeCreateConnection")).toBeLessThan(30);
    expect(device.links).toEqual([]);
  });

  test("and is given up by the caller's signal, with its reason", async () => {
    await open();
    controller.reactions.set("LeCreateConnection", () => failed(HciErrorCode.ConnectionFailedToBeEstablished, PEER));
    const abort = new AbortController();
    const connected = device.connect(PEER, { signal: abort.signal });
    await delay(clock, 100);
    abort.abort(new Error("enough"));
    await expect(connected).rejects.toThrow("enough");
  });

  test("a peer that answers is there at once, one that does not know the question when six events have passed", async () => {
    await open();
    controller.reactions.set("LeReadRemoteFeatures", () =>
      event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle: 1, leFeatures: 0n }),
    );
    let before = clock.now();
    const connection = await connect();
    expect(clock.now()).toBe(before);
    await connection.disconnect();
    controller.answers.set("LeReadRemoteFeatures", HciErrorCode.UnknownHciCommand);
    before = clock.now();
    await connect();
    expect(clock.now() - before).toBeCloseTo(6 * 30 + 50, 6);
  });
});

describe("an update of the parameters", () => {
  const updated = (connectionInterval: number, { status = 0, peripheralLatency = 0, supervisionTimeout = 400 } = {}) =>
    event(LeConnectionUpdateComplete, { status, connectionHandle: 1, connectionInterval, peripheralLatency, supervisionTimeout });
  const state = async (promise: Promise<unknown>) =>
    await Promise.race([
      promise.then(
        (value) => value,
        (error: unknown) => error,
      ),
      settled().then(() => "waits"),
    ]);

  test("is not answered by the event of a request of the peer that crossed it (7.7.65.3), and none is one behind from then on", async () => {
    await open();
    const connection = await connect();
    const first = connection.updateParameters({ intervalMs: 60 });
    await settled();
    controller.raw(fromHex("04 3e0b0601001800280000002a00"));
    await settled();
    expect(controller.last.get("LeRemoteConnectionParameterRequestReply")).toMatchObject({ intervalMin: 24, intervalMax: 40 });
    controller.raw(fromHex("04 3e0a03000100280000002a00"));
    expect(await state(first)).toBe("waits");
    expect(connection.parameters).toEqual({ intervalMs: 50, latency: 0, supervisionTimeoutMs: 420 });
    updated(48);
    expect(await first).toEqual({ intervalMs: 60, latency: 0, supervisionTimeoutMs: 4000 });
    for (const connectionInterval of [56, 64, 72]) {
      const next = connection.updateParameters({ intervalMs: connectionInterval * 1.25 });
      await settled();
      updated(connectionInterval);
      expect(await next).toMatchObject({ intervalMs: connectionInterval * 1.25 });
    }
  });

  test.each([
    ["interval below", 47, {}],
    ["interval above", 49, {}],
    ["latency", 48, { peripheralLatency: 1 }],
    ["supervision timeout", 48, { supervisionTimeout: 500 }],
  ])("of a central is not answered by another %s", async (_what, connectionInterval, rest) => {
    await open();
    const connection = await connect();
    const update = connection.updateParameters({ intervalMs: 60 });
    await settled();
    updated(connectionInterval, rest);
    expect(await state(update)).toBe("waits");
    updated(48);
    expect(await update).toMatchObject({ intervalMs: 60 });
  });

  test("of a peripheral is not answered by the central's own change, and is by one that has its interval", async () => {
    await open();
    const advertising = await device.advertise();
    controller.link({ role: "peripheral", peer: PEER });
    const connection = await advertising.connection();
    const update = connection.updateParameters({ intervalMs: [50, 60] });
    await settled();
    controller.pdu(1, 5, Uint8Array.of(0x13, 1, 2, 0, 0, 0));
    updated(24);
    expect(await state(update)).toBe("waits");
    // The central's request over the link layer, accepted here, ends with an event of its own.
    event(LeRemoteConnectionParameterRequest, { connectionHandle: 1, intervalMin: 40, intervalMax: 40, maxLatency: 0, timeout: 600 });
    await settled();
    updated(40, { supervisionTimeout: 600 });
    expect(await state(update)).toBe("waits");
    updated(44, { supervisionTimeout: 600 });
    expect(await update).toEqual({ intervalMs: 55, latency: 0, supervisionTimeoutMs: 6000 });
  });

  test("of a peripheral is not taken for that of a request whose acceptance the controller refused", async () => {
    await open();
    const advertising = await device.advertise();
    controller.link({ role: "peripheral", peer: PEER });
    const connection = await advertising.connection();
    controller.answers.set("LeRemoteConnectionParameterRequestReply", HciErrorCode.CommandDisallowed);
    event(LeRemoteConnectionParameterRequest, { connectionHandle: 1, intervalMin: 40, intervalMax: 40, maxLatency: 0, timeout: 600 });
    await settled();
    const update = connection.updateParameters({ intervalMs: 50 });
    await settled();
    updated(40, { supervisionTimeout: 600 });
    expect(await update).toMatchObject({ intervalMs: 50, supervisionTimeoutMs: 6000 });
  });

  test("that a peripheral asked for over L2CAP is seen before its answer, which may be lost", async () => {
    await open();
    const advertising = await device.advertise();
    controller.link({ role: "peripheral", peer: PEER });
    const connection = await advertising.connection();
    const update = connection.updateParameters({ intervalMs: 50 });
    await settled();
    updated(40);
    expect(await update).toMatchObject({ intervalMs: 50 });
  });

  test("waits for those before it, and harms none of them: each has its own outcome", async () => {
    await open();
    const connection = await connect();
    const first = connection.updateParameters({ intervalMs: 50 });
    const second = connection.updateParameters({ intervalMs: 100 });
    const impatient = connection.updateParameters({ intervalMs: 75 }, { timeoutMs: 10 });
    const abort = new AbortController();
    const aborted = connection.updateParameters({ intervalMs: 75 }, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(impatient).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 10 });
    expect(count("LeConnectionUpdate")).toBe(1);
    updated(40);
    expect(await first).toMatchObject({ intervalMs: 50 });
    await settled();
    expect(count("LeConnectionUpdate")).toBe(2);
    updated(0, { status: HciErrorCode.UnsupportedRemoteFeature });
    await expect(second).rejects.toMatchObject({ code: "ERR_HCI", status: 0x1a });
  });

  test("whose caller has left goes on: the next one is sent when its event has come", async () => {
    await open();
    const connection = await connect();
    await expect(connection.updateParameters({ intervalMs: 50 }, { timeoutMs: 10 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const next = connection.updateParameters({ intervalMs: 100 });
    await settled();
    updated(0, { status: HciErrorCode.LlProcedureCollision }); // of the first
    await settled();
    expect(controller.last.get("LeConnectionUpdate")).toMatchObject({ connectionIntervalMin: 80 });
    updated(80);
    expect(await next).toMatchObject({ intervalMs: 100 });
  });

  test("a lost link ends all of them", async () => {
    await open();
    const connection = await connect();
    const all = [connection.updateParameters({ intervalMs: 50 }), connection.updateParameters({ intervalMs: 100 })];
    await settled();
    controller.lose();
    for (const update of all) await expect(update).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });
});

describe("what several callers share", () => {
  test("the peer's features are read once, and each has its own terms", async () => {
    await open();
    const connection = await connect();
    const abort = new AbortController();
    const aborted = connection.remoteFeatures({ signal: abort.signal });
    const impatient = connection.remoteFeatures({ timeoutMs: 5 });
    const patient = connection.remoteFeatures();
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(impatient).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 5 });
    event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle: 1, leFeatures: 5n });
    expect([await patient, await connection.remoteFeatures()]).toEqual([5n, 5n]);
    expect(count("LeReadRemoteFeatures")).toBe(1);
  });

  test("the second who connects to a peer is told of the link as soon as it is there, as one who comes later is", async () => {
    await open();
    const first = device.connect(PEER);
    const second = device.connect(PEER);
    const other = device.connect(OTHER);
    await settled();
    controller.link({ role: "central", peer: PEER });
    await expect(second).rejects.toMatchObject({ code: "ERR_STATE", message: `there is a link to ${PEER} already` });
    expect(await first).toMatchObject({ peerAddress: PEER });
    controller.link({ handle: 2, role: "central", peer: OTHER });
    expect(await other).toMatchObject({ peerAddress: OTHER });
    expect(count("LeCreateConnection")).toBe(2);
    await expect(device.connect(PEER)).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("and is connected where the first one failed", async () => {
    await open();
    const first = device.connect(PEER, { timeoutMs: 100 });
    const second = device.connect(PEER);
    controller.reactions.set("LeCreateConnectionCancel", () => failed(HciErrorCode.UnknownConnectionIdentifier));
    await expect(first).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    controller.link({ role: "central", peer: PEER });
    expect(await second).toMatchObject({ peerAddress: PEER });
  });

  test("two callers of connection() get different links, in the order of their calls; a loop sees both", async () => {
    await open();
    const advertising = await device.advertise({ restart: "connected" });
    const loop = advertising.connections();
    const abort = new AbortController();
    const gone = advertising.connection({ signal: abort.signal });
    const [first, second] = [advertising.connection(), advertising.connection()];
    abort.abort(new Error("enough"));
    await expect(gone).rejects.toThrow("enough");
    controller.link({ handle: 1, role: "peripheral", peer: PEER });
    await settled();
    controller.link({ handle: 2, role: "peripheral", peer: OTHER });
    expect([(await first).handle, (await second).handle]).toEqual([1, 2]);
    expect([(await loop.next()).value.handle, (await loop.next()).value.handle]).toEqual([1, 2]);
    expect(loop.dropped).toBe(0);
    const third = advertising.connection();
    await advertising.stop();
    await expect(third).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(advertising.connection()).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("any number of operations hang on one signal by one listener", async () => {
    await open();
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    const advertising = await device.advertise({ signal });
    const scans = await Promise.all(Array.from({ length: 12 }, () => device.startScan({ signal }, () => {})));
    const waiting = Array.from({ length: 12 }, () => device.connect(PEER, { signal }));
    const outcomes = Promise.allSettled(waiting);
    expect(add).toHaveBeenCalledTimes(1);
    await Promise.all(scans.map((scan) => scan[Symbol.asyncDispose]()));
    await advertising.stop();
    await device.close();
    await outcomes;
    expect(remove).toHaveBeenCalledTimes(1);
  });
});

test.each<[string, unknown]>([
  ["a promise", Promise.resolve(true)],
  ["nothing", undefined],
  ["a number", 1],
])("a decision on connection parameters that is %s is a refusal, and the program's fault", async (_what, answer) => {
  await open({ policy: { parameterRequests: () => answer as boolean } });
  await connect();
  const uncaught = await uncaughtDuring(async () => {
    controller.pdu(1, 5, fromHex("12 01 0800 1800 2800 0000 c800"));
    event(LeRemoteConnectionParameterRequest, { connectionHandle: 1, intervalMin: 24, intervalMax: 40, maxLatency: 0, timeout: 400 });
    await settled();
  });
  const refusal = { code: "ERR_ARGUMENT", message: expect.stringContaining("parameterRequests: expected true or false") };
  expect(uncaught).toMatchObject([refusal, refusal]);
  expect(controller.data.map((packet) => [...packet.subarray(9)])).toEqual([[0x13, 1, 2, 0, 1, 0]]);
  expect(count("LeRemoteConnectionParameterRequestNegativeReply")).toBe(1);
  expect(count("LeConnectionUpdate")).toBe(0);
});

test("an answer about another link is not taken for one about this", async () => {
  await open();
  const connection = await connect();
  controller.answers.set("ReadRssi", "silent");
  controller.answers.set("LeSetDataLength", "silent");
  const rssi = connection.rssi();
  const length = connection.setDataLength(27);
  await settled();
  controller.raw(encodeCommandComplete(0x1405, Uint8Array.of(0, 2, 0, 0xc4)));
  await expect(rssi).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(CONTROLLER|TIMEOUT)$/) });
  await expect(length).rejects.toThrow();
});

describe("closing is bounded", () => {
  test("although the store never answers", async () => {
    const bonds = new MemoryBondStore();
    bonds.save = () => new Promise(() => {});
    await open({ bonds });
    void device.bonds
      .save({ identity: PEER, localIrkDistributed: false, authenticated: false, secureConnections: true })
      .catch(() => undefined);
    await settled();
    const before = clock.now();
    await device.close();
    expect(clock.now() - before).toBeLessThanOrEqual(5000);
  });

  test("although the transport never closes", async () => {
    await open();
    controller.transport[Symbol.asyncDispose] = () => new Promise(() => {});
    const before = clock.now();
    await device.close();
    expect(clock.now() - before).toBeLessThanOrEqual(5000);
  });
});
