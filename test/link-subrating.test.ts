import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { type Connection, Device, type DeviceOptions, type LinkSubrate, type SubrateOptions } from "../src/device/index.ts";
import { HciErrorCode, LeConnectionUpdateComplete, LeFeature, LeReadRemoteFeaturesComplete, LeSubrateChange } from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("00:00:00:00:00:02");
const SUBRATING = 1n << BigInt(LeFeature.ConnectionSubrating);
const HOST_SUPPORT = 1n << BigInt(LeFeature.ConnectionSubratingHostSupport);

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;
let connection: Connection;
let told: unknown[];

async function opened({
  leFeatures = SUBRATING,
  ...options
}: { leFeatures?: bigint } & Pick<DeviceOptions, "recovery"> = {}): Promise<void> {
  controller = new ScriptedController({ leFeatures });
  controller.reactions.set("LeReadRemoteFeatures", ({ connectionHandle }) => features(connectionHandle as number));
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1), ...options });
}
const features = (connectionHandle = 1, { status = 0, leFeatures = SUBRATING | HOST_SUPPORT } = {}): void =>
  controller.event(LeReadRemoteFeaturesComplete, { status, connectionHandle, leFeatures });
async function connected(leFeatures = SUBRATING): Promise<void> {
  await opened({ leFeatures });
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  connection = await device.connect(PEER);
  listen();
}
async function answered(): Promise<void> {
  await opened();
  const advertising = await device.advertise({});
  controller.link({ role: "peripheral", peer: PEER });
  connection = await advertising.connection();
  listen();
}
function listen(): void {
  connection.on("subrate", (subrate) => told.push(subrate));
  connection.on("parameters", (parameters) => told.push(parameters));
}
const changed = (
  subrateFactor: number,
  { status = 0, connectionHandle = 1, peripheralLatency = 0, continuationNumber = 0, supervisionTimeout = 400 } = {},
): void =>
  controller.event(LeSubrateChange, { status, connectionHandle, subrateFactor, peripheralLatency, continuationNumber, supervisionTimeout });
const settled = () => delay(clock, 1);
const asked = () => controller.commands.filter((name) => name === "LeSubrateRequest").length;
async function state(promise: Promise<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value,
    (error: unknown) => error,
  );
  return await Promise.race([outcome, settled().then(() => "waits")]);
}

beforeEach(() => {
  clock = new VirtualClock();
  told = [];
});
afterEach(async () => {
  await device.close();
});

describe("the host's support of subrating", () => {
  test("is said when the controller is opened, after its features were read and before anything else is done (7.8.115)", async () => {
    await opened();
    expect(controller.last.get("LeSetHostFeature")).toEqual({ bitNumber: 38, bitValue: true });
    const at = (name: string) => controller.commands.indexOf(name);
    expect(at("LeSetHostFeature")).toBeGreaterThan(at("LeReadLocalSupportedFeatures"));
    expect(at("LeSetHostFeature")).toBeGreaterThan(at("LeSetEventMask"));
    expect(device.hci.hasLeFeature(LeFeature.ConnectionSubratingHostSupport)).toBe(true);
    // LE Subrate Change is the 35th of the mask (7.8.1).
    expect((controller.last.get("LeSetEventMask")!.leEventMask as bigint) & (1n << 34n)).toBe(1n << 34n);
  });

  test("is not said to a controller without subrating", async () => {
    await opened({ leFeatures: 0n });
    expect(controller.commands).not.toContain("LeSetHostFeature");
    expect((controller.last.get("LeSetEventMask")!.leEventMask as bigint) & (1n << 34n)).toBe(0n);
    await expect(device.setDefaultSubrate({ factorMax: 2 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(controller.commands).not.toContain("LeSetDefaultSubrate");
  });

  test("may be refused: then there is none, and the controller is opened all the same", async () => {
    controller = new ScriptedController({ leFeatures: SUBRATING });
    controller.answers.set("LeSetHostFeature", HciErrorCode.UnsupportedFeatureOrParameterValue);
    device = await Device.open(controller.transport, { clock, random: new SeededRandom(1) });
    expect(device.hci.hasLeFeature(LeFeature.ConnectionSubratingHostSupport)).toBe(false);
  });

  test("is said again after a reset, as is the default", async () => {
    await opened();
    await device.setDefaultSubrate({ factorMax: 4 });
    controller.commands.length = 0;
    await device.hci.reset();
    await settled();
    expect(controller.commands.filter((name) => name === "LeSetHostFeature")).toHaveLength(1);
    expect(controller.commands.filter((name) => name === "LeSetDefaultSubrate")).toHaveLength(1);
    expect(controller.commands.indexOf("LeSetDefaultSubrate")).toBeGreaterThan(controller.commands.indexOf("LeReadResolvingListSize"));
  });
});

test("the default has no link: its timeout is the longest", async () => {
  await opened();
  await device.setDefaultSubrate({ factorMin: 2, factorMax: 50, maxLatency: 9, continuation: 49 });
  expect(controller.last.get("LeSetDefaultSubrate")).toEqual({
    subrateMin: 2,
    subrateMax: 50,
    maxLatency: 9,
    continuationNumber: 49,
    supervisionTimeout: 3200,
  });
  controller.answers.set("LeSetDefaultSubrate", HciErrorCode.InvalidHciCommandParameters);
  await expect(device.setDefaultSubrate({ factorMax: 3 })).rejects.toMatchObject({ code: "ERR_HCI", status: 0x12 });
  // What was refused is not what is said after a reset.
  controller.answers.clear();
  await device.hci.reset();
  await settled();
  expect(controller.last.get("LeSetDefaultSubrate")).toMatchObject({ subrateMax: 50 });
});

test.each<[SubrateOptions, object]>([
  [{ factorMax: 1 }, { subrateMin: 1, subrateMax: 1, maxLatency: 0, continuationNumber: 0, supervisionTimeout: 400 }],
  [
    { factorMin: 3, factorMax: 10, maxLatency: 2, continuation: 9, supervisionTimeoutMs: 6000 },
    { subrateMin: 3, subrateMax: 10, maxLatency: 2, continuationNumber: 9, supervisionTimeout: 600 },
  ],
  // 30 ms x 2 x 500: the longest timeout is 32 s.
  [
    { factorMax: 500, supervisionTimeoutMs: 30_010 },
    { subrateMin: 1, subrateMax: 500, maxLatency: 0, continuationNumber: 0, supervisionTimeout: 3001 },
  ],
  [
    { factorMax: 250, maxLatency: 1, supervisionTimeoutMs: 32_000 },
    { subrateMin: 1, subrateMax: 250, maxLatency: 1, continuationNumber: 0, supervisionTimeout: 3200 },
  ],
])("%o is asked of the controller in its units", async (wanted, parameters) => {
  await connected();
  const outcome = connection.subrate(wanted);
  await settled();
  expect(controller.last.get("LeSubrateRequest")).toEqual({ connectionHandle: 1, ...parameters });
  controller.lose();
  await expect(outcome).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
});

test.each<[unknown, RegExp]>([
  [undefined, /expected an object/],
  [{}, /factorMax: expected a whole number from 1 to 500/],
  [{ factorMax: 0 }, /factorMax/],
  [{ factorMax: 501 }, /factorMax/],
  [{ factorMax: 2.5 }, /factorMax/],
  [{ factorMin: 3, factorMax: 2 }, /factorMin: expected a whole number from 1 to 2/],
  [{ factorMin: 0, factorMax: 2 }, /factorMin/],
  [{ factorMax: 1, maxLatency: 500 }, /maxLatency: expected a whole number from 0 to 499/],
  [{ factorMax: 251, maxLatency: 1, supervisionTimeoutMs: 32_000 }, /at most 500 events/],
  [{ factorMax: 4, continuation: 4 }, /continuation: expected a whole number from 0 to 3/],
  [{ factorMax: 4, supervisionTimeoutMs: 240 }, /more than 240 ms/],
  [{ factorMax: 4, maxLatency: 1, supervisionTimeoutMs: 480 }, /more than 480 ms/],
  [{ factorMax: 4, supervisionTimeoutMs: 32_010 }, /expected 100 to 32000 ms/],
  [{ factorMax: 67 }, /more than 4020 ms/], // with the timeout that the link has
  [{ factor: 4 }, /unknown option "factor"/],
])("%o is not asked of anybody (7.8.124)", async (wanted, message) => {
  await connected();
  const refused = await state(connection.subrate(wanted as SubrateOptions));
  expect(refused).toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) });
  expect(asked()).toBe(0);
});

test("a central has what it asked for: factor, latency, continuation and timeout are in force and told", async () => {
  await connected();
  expect(connection.subrating).toEqual({ factor: 1, continuation: 0, latency: 0, supervisionTimeoutMs: 4000 });
  controller.reactions.set("LeSubrateRequest", () => changed(5, { peripheralLatency: 1, continuationNumber: 2, supervisionTimeout: 600 }));
  const now = await connection.subrate({ factorMin: 2, factorMax: 5, maxLatency: 1, continuation: 2, supervisionTimeoutMs: 6000 });
  const subrate: LinkSubrate = { factor: 5, continuation: 2, latency: 1, supervisionTimeoutMs: 6000 };
  expect(now).toEqual(subrate);
  expect(connection.subrating).toEqual(subrate);
  expect(connection.parameters).toEqual({ intervalMs: 30, latency: 1, supervisionTimeoutMs: 6000 });
  expect(told).toEqual([subrate, connection.parameters]);
  expect(Object.isFrozen(now)).toBe(true);
});

test("the parameters are not told where they stayed", async () => {
  await connected();
  changed(3);
  expect(told).toEqual([{ factor: 3, continuation: 0, latency: 0, supervisionTimeoutMs: 4000 }]);
});

test.each<[string, Parameters<typeof changed>]>([
  ["a smaller factor", [2]],
  ["a greater factor", [6]],
  ["a longer latency", [4, { peripheralLatency: 2 }]],
  ["another timeout", [4, { supervisionTimeout: 399 }]],
  ["a change of another link", [4, { connectionHandle: 2 }]],
])("a central is not answered by %s: that is somebody else's doing", async (_what, event) => {
  await connected();
  controller.reactions.set("LeCreateConnection", () => controller.link({ handle: 2, role: "central", peer: OTHER }));
  await device.connect(OTHER);
  const outcome = connection.subrate({ factorMin: 3, factorMax: 5, maxLatency: 1 });
  await settled();
  changed(...event);
  expect(await state(outcome)).toBe("waits");
  changed(3, { peripheralLatency: 1 });
  expect(await outcome).toMatchObject({ factor: 3, latency: 1 });
});

test("a peripheral asks too, and takes a shorter timeout of the central (Vol 6 Part B 5.1.20)", async () => {
  await answered();
  const outcome = connection.subrate({ factorMax: 4 });
  await settled();
  expect(controller.commands.indexOf("LeSubrateRequest")).toBeGreaterThan(controller.commands.indexOf("LeReadRemoteFeatures"));
  changed(4, { supervisionTimeout: 401 });
  expect(await state(outcome)).toBe("waits");
  changed(4, { supervisionTimeout: 300 });
  expect(await outcome).toEqual({ factor: 4, continuation: 0, latency: 0, supervisionTimeoutMs: 3000 });
});

test("a peripheral that cannot read the central's features asks all the same", async () => {
  await answered();
  controller.answers.set("LeReadRemoteFeatures", HciErrorCode.CommandDisallowed);
  controller.reactions.set("LeSubrateRequest", () => changed(2));
  expect(await connection.subrate({ factorMax: 2 })).toMatchObject({ factor: 2 });
});

test("the features are asked for within the caller's time, and the request is not sent afterwards", async () => {
  await answered();
  controller.reactions.delete("LeReadRemoteFeatures");
  const outcome = expect(connection.subrate({ factorMax: 2 }, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await delay(clock, 100);
  await outcome;
  features();
  await settled();
  expect(asked()).toBe(0);
});

test("changes of the peer are told to who did not ask", async () => {
  await answered();
  changed(10, { peripheralLatency: 3, continuationNumber: 1, supervisionTimeout: 1000 });
  expect(connection.subrating).toEqual({ factor: 10, continuation: 1, latency: 3, supervisionTimeoutMs: 10_000 });
  changed(2, { status: HciErrorCode.UnsupportedLlParameterValue }); // what failed changes nothing
  changed(0); // nor does a factor that the specification does not have
  expect(connection.subrating.factor).toBe(10);
  expect(told).toHaveLength(2);
});

test.each([
  ["at once", HciErrorCode.CommandDisallowed, { code: "ERR_HCI", status: 0x0c, command: "LeSubrateRequest" }],
  ["at once", HciErrorCode.UnsupportedRemoteFeature, { code: "ERR_UNSUPPORTED", message: "the peer has no connection subrating" }],
  ["in the end", HciErrorCode.UnsupportedRemoteFeature, { code: "ERR_UNSUPPORTED" }],
  ["in the end", HciErrorCode.UnacceptableConnectionParameters, { code: "ERR_HCI", status: 0x3b }],
])("a refusal %s with status %i changes nothing, and it can be asked again", async (when, status, error) => {
  await connected();
  if (when === "at once") controller.answers.set("LeSubrateRequest", status);
  else controller.reactions.set("LeSubrateRequest", () => changed(9, { status }));
  await expect(connection.subrate({ factorMax: 4 })).rejects.toMatchObject(error);
  expect([connection.subrating.factor, told]).toEqual([1, []]);
  controller.answers.delete("LeSubrateRequest");
  controller.reactions.set("LeSubrateRequest", () => changed(4));
  expect(await connection.subrate({ factorMax: 4 })).toMatchObject({ factor: 4 });
});

test("a second caller waits for its turn, and each has its own terms", async () => {
  await connected();
  const abort = new AbortController();
  const first = expect(connection.subrate({ factorMin: 2, factorMax: 2 }, { signal: abort.signal })).rejects.toBe("enough");
  const second = connection.subrate({ factorMin: 3, factorMax: 3 });
  await settled();
  abort.abort("enough");
  await first;
  await settled();
  expect(asked()).toBe(1); // the controllers are still at the first
  changed(2);
  await settled();
  expect(asked()).toBe(2);
  changed(3);
  expect(await second).toMatchObject({ factor: 3 });
});

test("controllers that say nothing have 45 s; what they say later is in force, and taken for nobody's answer", async () => {
  await connected();
  const outcome = expect(connection.subrate({ factorMin: 2, factorMax: 2 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await delay(clock, 45_000);
  await outcome;
  const next = connection.subrate({ factorMin: 3, factorMax: 3 });
  await settled();
  changed(2);
  expect(await state(next)).toBe("waits");
  expect(connection.subrating.factor).toBe(2);
  changed(3);
  expect(await next).toMatchObject({ factor: 3 });
});

test("the end of the link ends who waits and who has a turn to come; nobody asks afterwards", async () => {
  await connected();
  const outcomes = [connection.subrate({ factorMax: 2 }), connection.subrate({ factorMax: 3 })];
  await settled();
  controller.lose();
  for (const outcome of await Promise.allSettled(outcomes)) expect(outcome).toMatchObject({ reason: { code: "ERR_DISCONNECTED" } });
  await expect(connection.subrate({ factorMax: 2 })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  expect(asked()).toBe(1);
});

describe("a change of the connection parameters", () => {
  const updated = (connectionInterval: number, { status = 0, peripheralLatency = 0 } = {}): void =>
    controller.event(LeConnectionUpdateComplete, {
      status,
      connectionHandle: 1,
      connectionInterval,
      peripheralLatency,
      supervisionTimeout: 400,
    });

  test("to another interval has all events used again (Vol 6 Part B 5.1.1)", async () => {
    await connected();
    changed(4, { continuationNumber: 1 });
    told.length = 0;
    updated(40);
    const all = { factor: 1, continuation: 0, latency: 0, supervisionTimeoutMs: 4000 };
    expect(connection.subrating).toEqual(all);
    expect(told).toEqual([connection.parameters, all]);
    updated(80); // nothing more to tell of
    expect(told).toHaveLength(3);
  });

  test("that leaves the interval leaves the factor", async () => {
    await connected();
    changed(4, { continuationNumber: 1 });
    updated(24, { peripheralLatency: 2 });
    updated(40, { status: HciErrorCode.LlProcedureCollision });
    expect(connection.subrating).toEqual({ factor: 4, continuation: 1, latency: 2, supervisionTimeoutMs: 4000 });
  });
});

test("a controller without subrating is not asked", async () => {
  await connected(0n);
  await expect(connection.subrate({ factorMax: 2 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(asked()).toBe(0);
});
