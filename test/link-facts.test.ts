import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { type Connection, Device, type DeviceOptions } from "../src/device/index.ts";
import {
  AuthenticatedPayloadTimeoutExpired,
  HciErrorCode,
  LeEnhancedConnectionCompleteV2,
  LeFeature,
  ReadRemoteVersionInformationComplete,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const NO_ADDRESS = new Address(new Uint8Array(6), 1);
const EXPIRED = 1n << 23n; // event 0x57, in page 2

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;

async function opened(options: DeviceOptions = {}, leFeatures = 0n): Promise<void> {
  controller = new ScriptedController({ leFeatures });
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), ...options });
}
async function connected(): Promise<Connection> {
  await opened();
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  return await device.connect(PEER);
}
const settled = () => delay(clock, 1);
const count = (command: string) => controller.commands.filter((name) => name === command).length;
async function state(promise: Promise<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value ?? "done",
    (error: unknown) => error,
  );
  return await Promise.race([outcome, settled().then(() => "waits")]);
}

beforeEach(() => {
  clock = new VirtualClock();
});
afterEach(async () => {
  await device.close();
});

describe("the version of the peer's controller", () => {
  const version = (more: object = {}): void =>
    controller.event(ReadRemoteVersionInformationComplete, {
      status: 0,
      connectionHandle: 1,
      version: 13,
      companyIdentifier: 0x0059,
      subversion: 0x1234,
      ...more,
    });

  test.each([
    [6, "4.0"],
    [8, "4.2"],
    [9, "5.0"],
    [13, "5.4"],
    [14, "6.0"],
    [0, "1.0b"],
    [99, undefined],
  ])("%i is called %s", async (number, name) => {
    const connection = await connected();
    controller.reactions.set("ReadRemoteVersionInformation", () => version({ version: number }));
    expect(await connection.remoteVersion()).toEqual({ version: number, name, companyIdentifier: 0x59, subversion: 0x1234 });
    expect(controller.last.get("ReadRemoteVersionInformation")).toEqual({ connectionHandle: 1 });
  });

  test("is asked for once, whoever asks, and each has its own terms", async () => {
    const connection = await connected();
    version(); // nobody asked
    const abort = new AbortController();
    const first = expect(connection.remoteVersion({ signal: abort.signal })).rejects.toBe("enough");
    const second = connection.remoteVersion();
    abort.abort("enough");
    await first;
    version({ connectionHandle: 2 });
    expect(await state(second)).toBe("waits");
    version();
    expect(await second).toMatchObject({ name: "5.4" });
    version({ version: 6 });
    expect(await connection.remoteVersion()).toMatchObject({ name: "5.4" });
    expect(count("ReadRemoteVersionInformation")).toBe(1);
  });

  test.each(["at once", "in the end"])("is refused %s, and can be asked for again", async (when) => {
    const connection = await connected();
    const status = HciErrorCode.LlResponseTimeout;
    if (when === "at once") controller.answers.set("ReadRemoteVersionInformation", status);
    else controller.reactions.set("ReadRemoteVersionInformation", () => version({ status }));
    await expect(connection.remoteVersion()).rejects.toMatchObject({ code: "ERR_HCI", status, command: "ReadRemoteVersionInformation" });
    controller.answers.clear();
    controller.reactions.set("ReadRemoteVersionInformation", () => version());
    expect(await connection.remoteVersion()).toMatchObject({ version: 13 });
  });

  test("is waited for 45 s at most, and not beyond the link", async () => {
    const connection = await connected();
    const silent = expect(connection.remoteVersion()).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await delay(clock, 45_000);
    await silent;
    const lost = expect(connection.remoteVersion()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await settled();
    controller.lose();
    await lost;
    await expect(connection.remoteVersion()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    expect(count("ReadRemoteVersionInformation")).toBe(2);
  });
});

describe("channels", () => {
  test("in use are read from the controller (7.8.20)", async () => {
    const connection = await connected();
    controller.results.set("LeReadChannelMap", [1, 0, 0b1000_0001, 0, 0, 0, 0b1111_0000]);
    expect(await connection.channelMap()).toEqual([0, 7, 36]); // beyond 36 there are none
    controller.results.set("LeReadChannelMap", [1, 0, 0xff, 0xff, 0xff, 0xff, 0x1f]);
    expect(await connection.channelMap()).toEqual(Array.from({ length: 37 }, (_, channel) => channel));
    controller.lose();
    await expect(connection.channelMap()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });

  test.each<[Iterable<number>, number[]]>([
    [[], [0xff, 0xff, 0xff, 0xff, 0x1f]],
    [
      [0, 8, 36, 36],
      [0xfe, 0xfe, 0xff, 0xff, 0x0f],
    ],
    [new Set(Array.from({ length: 35 }, (_, i) => i + 1)), [0x01, 0, 0, 0, 0x10]],
  ])("that are bad are left out of the map %#", async (bad, map) => {
    await opened();
    await device.classifyChannels(bad);
    expect(controller.last.get("LeSetHostChannelClassification")).toEqual({ channelMap: Uint8Array.from(map) });
  });

  test.each<[unknown, RegExp]>([
    [undefined, /expected channel numbers, got undefined/],
    [null, /expected channel numbers, got null/],
    ["1", /expected channel numbers/],
    [5, /expected channel numbers/],
    [[37], /from 0 to 36/],
    [[-1], /from 0 to 36/],
    [["0"], /from 0 to 36/],
    [Array.from({ length: 36 }, (_, i) => i), /1 channels would be left, expected 2 at least/],
  ])("%j are none to classify", async (bad, message) => {
    await opened();
    const refused = await state(device.classifyChannels(bad as number[]));
    expect(refused).toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) });
    expect(count("LeSetHostChannelClassification")).toBe(0);
  });

  test("are classified once a second at most (7.8.19), in the order of the calls", async () => {
    await opened();
    const times: number[] = [];
    controller.reactions.set("LeSetHostChannelClassification", () => times.push(clock.now()));
    const begin = clock.now();
    await Promise.all([device.classifyChannels([1]), device.classifyChannels([2]), device.classifyChannels([3])]);
    expect(times.map((at) => at - begin)).toEqual([0, 1000, 2000]);
    expect(controller.last.get("LeSetHostChannelClassification")).toEqual({ channelMap: Uint8Array.of(0xf7, 0xff, 0xff, 0xff, 0x1f) });
    await delay(clock, 1500);
    await device.classifyChannels([]);
    expect(times.at(-1)! - begin).toBe(3500);
  });

  test("a refused classification counts for the pause, and is not repeated after a reset; the last that was taken is", async () => {
    await opened();
    await device.classifyChannels([1]);
    controller.answers.set("LeSetHostChannelClassification", HciErrorCode.InvalidHciCommandParameters);
    await expect(device.classifyChannels([2])).rejects.toMatchObject({ code: "ERR_HCI", status: 0x12 });
    controller.answers.clear();
    await device.hci.reset();
    await settled();
    expect(controller.last.get("LeSetHostChannelClassification")).toEqual({ channelMap: Uint8Array.of(0xfd, 0xff, 0xff, 0xff, 0x1f) });
    expect(count("LeSetHostChannelClassification")).toBe(3);
    const begin = clock.now();
    await device.classifyChannels([3]);
    expect(clock.now() - begin).toBe(999);
  });

  test("who waits for the second is told at once that the device is closed, or leaves by the own signal", async () => {
    await opened();
    await device.classifyChannels([1]);
    const abort = new AbortController();
    const left = expect(device.classifyChannels([2], { signal: abort.signal })).rejects.toBe("enough");
    const closed = device.classifyChannels([3]);
    const early = expect(device.classifyChannels([4], { timeoutMs: 20 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    abort.abort("enough");
    await left;
    const begin = clock.now();
    await early; // although it had no turn yet
    expect(clock.now() - begin).toBeLessThan(20);
    await settled();
    const at = clock.now();
    await Promise.all([expect(closed).rejects.toMatchObject({ code: "ERR_CLOSED" }), device.close()]);
    expect(clock.now()).toBe(at);
    await expect(device.classifyChannels([])).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await expect(device.setDefaultSubrate({ factorMax: 1 })).rejects.toMatchObject({ code: "ERR_CLOSED" });
    expect(count("LeSetHostChannelClassification")).toBe(1);
  });
});

describe("the authenticated payload timeout", () => {
  test("is set with its event switched on, which tells the link that it is about (7.3.94, 7.7.75)", async () => {
    const connection = await connected();
    let told = 0;
    connection.on("authenticatedPayloadTimeout", () => told++);
    expect(count("SetEventMaskPage2")).toBe(0);
    await connection.setAuthenticatedPayloadTimeout(2000);
    expect(controller.last.get("SetEventMaskPage2")!.eventMaskPage2).toBe(EXPIRED);
    expect(controller.last.get("WriteAuthenticatedPayloadTimeout")).toEqual({ connectionHandle: 1, authenticatedPayloadTimeout: 200 });
    controller.event(AuthenticatedPayloadTimeoutExpired, { connectionHandle: 2 });
    expect(told).toBe(0);
    controller.event(AuthenticatedPayloadTimeoutExpired, { connectionHandle: 1 });
    controller.event(AuthenticatedPayloadTimeoutExpired, { connectionHandle: 1 });
    expect(told).toBe(2);
  });

  test("is read in milliseconds (7.3.93)", async () => {
    const connection = await connected();
    controller.results.set("ReadAuthenticatedPayloadTimeout", [1, 0, 0xb8, 0x0b]);
    expect(await connection.authenticatedPayloadTimeout()).toBe(30_000);
  });

  test.each([0, 9, 655_351, Number.NaN, "30000", undefined])("%s ms is none", async (timeoutMs) => {
    const connection = await connected();
    await expect(connection.setAuthenticatedPayloadTimeout(timeoutMs as number)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(count("WriteAuthenticatedPayloadTimeout")).toBe(0);
  });

  test.each([
    [10, 1],
    [655_350, 0xffff],
  ])("%i ms is %i of its units", async (timeoutMs, authenticatedPayloadTimeout) => {
    const connection = await connected();
    await connection.setAuthenticatedPayloadTimeout(timeoutMs);
    expect(controller.last.get("WriteAuthenticatedPayloadTimeout")).toMatchObject({ authenticatedPayloadTimeout });
  });

  test("is set within one time, of both commands", async () => {
    const connection = await connected();
    controller.answers.set("WriteAuthenticatedPayloadTimeout", "silent");
    const begin = clock.now();
    await expect(connection.setAuthenticatedPayloadTimeout(2000, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      message: expect.stringContaining("authenticated payload timeout"),
    });
    expect(clock.now() - begin).toBe(50);
  });

  test("is refused where it is shorter than the peer may be silent", async () => {
    const connection = await connected();
    controller.answers.set("WriteAuthenticatedPayloadTimeout", HciErrorCode.InvalidHciCommandParameters);
    await expect(connection.setAuthenticatedPayloadTimeout(10)).rejects.toMatchObject({ code: "ERR_HCI", status: 0x12 });
    controller.lose();
    await expect(connection.setAuthenticatedPayloadTimeout(3000)).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await expect(connection.authenticatedPayloadTimeout()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });
});

test("a signal strength that the controller does not know is none (7.5.4)", async () => {
  const connection = await connected();
  expect(await connection.rssi()).toBe(-60);
  controller.results.set("ReadRssi", [1, 0, 127]);
  expect(await connection.rssi()).toBeUndefined();
});

test.each([
  [0, "central"],
  [1, "peripheral"],
] as const)("a link of role %i may be told by the second version of LE Enhanced Connection Complete (7.7.65.10)", async (role, name) => {
  await opened({}, 1n << BigInt(LeFeature.PeriodicAdvertisingWithResponsesScanner));
  const complete = (): void =>
    controller.event(LeEnhancedConnectionCompleteV2, {
      status: 0,
      connectionHandle: 5,
      role,
      peerAddressType: PEER.type,
      peerAddress: PEER.bytes,
      localResolvablePrivateAddress: NO_ADDRESS,
      peerResolvablePrivateAddress: NO_ADDRESS,
      connectionInterval: 40,
      peripheralLatency: 1,
      supervisionTimeout: 500,
      centralClockAccuracy: 0,
      advertisingHandle: 0xff,
      syncHandle: 0xffff,
    });
  controller.reactions.set("LeCreateConnection", complete);
  const advertising = role === 1 ? await device.advertise({}) : undefined;
  const connecting = advertising ? advertising.connection() : device.connect(PEER);
  if (advertising) complete();
  const connection = await connecting;
  expect([connection.handle, connection.role, connection.peerAddress.toString()]).toEqual([5, name, PEER.toString()]);
  expect(connection.parameters).toEqual({ intervalMs: 50, latency: 1, supervisionTimeoutMs: 5000 });
});

test("and so may be that there is none", async () => {
  await opened();
  controller.reactions.set("LeCreateConnection", () =>
    controller.event(LeEnhancedConnectionCompleteV2, {
      status: HciErrorCode.ConnectionLimitExceeded,
      connectionHandle: 0,
      role: 0,
      peerAddressType: 0,
      peerAddress: new Uint8Array(6),
      localResolvablePrivateAddress: NO_ADDRESS,
      peerResolvablePrivateAddress: NO_ADDRESS,
      connectionInterval: 0,
      peripheralLatency: 0,
      supervisionTimeout: 0,
      centralClockAccuracy: 0,
      advertisingHandle: 0xff,
      syncHandle: 0xffff,
    }),
  );
  await expect(device.connect(PEER)).rejects.toMatchObject({ code: "ERR_HCI", status: HciErrorCode.ConnectionLimitExceeded });
});
