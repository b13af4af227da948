import { afterEach, beforeEach, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import {
  type Connection,
  Device,
  type DeviceAdvertiseOptions,
  type DeviceConnectOptions,
  type LinkPhy,
  type PhyName,
  type PhyPreference,
} from "../src/device/index.ts";
import { DisconnectionComplete, encodeCommandComplete, HciErrorCode, LeFeature, LePhyUpdateComplete } from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("00:00:00:00:00:02");
const BOTH = (1n << BigInt(LeFeature.Le2mPhy)) | (1n << BigInt(LeFeature.LeCodedPhy));
const READ_PHY = 0x2030;

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;
let connection: Connection;
let told: LinkPhy[];

async function connected(leFeatures = BOTH): Promise<void> {
  controller = new ScriptedController({ leFeatures });
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1) });
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  connection = await device.connect(PEER);
  connection.on("phy", (phy) => told.push(phy));
}
const completes = (txPhy: number, rxPhy: number, { status = 0, connectionHandle = 1 } = {}): void =>
  controller.event(LePhyUpdateComplete, { status, connectionHandle, txPhy, rxPhy });
const settled = () => delay(clock, 1);
const asked = () => controller.commands.filter((name) => name === "LeSetPhy").length;

beforeEach(() => {
  clock = new VirtualClock();
  told = [];
});
afterEach(async () => {
  await device.close();
});

test.each<[PhyPreference, object]>([
  [
    { tx: "2M", rx: "2M" },
    { allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 },
  ],
  [{ tx: ["1M", "2M"] }, { allPhys: 2, txPhys: 3, rxPhys: 0, phyOptions: 0 }],
  [{ rx: "coded" }, { allPhys: 1, txPhys: 0, rxPhys: 4, phyOptions: 0 }],
  [
    { tx: "coded", coding: "S=2" },
    { allPhys: 2, txPhys: 4, rxPhys: 0, phyOptions: 1 },
  ],
  [
    { tx: "coded", coding: "S=8" },
    { allPhys: 2, txPhys: 4, rxPhys: 0, phyOptions: 2 },
  ],
  [{}, { allPhys: 3, txPhys: 0, rxPhys: 0, phyOptions: 0 }],
])("%o is asked of the controller with its masks", async (preference, masks) => {
  await connected();
  controller.reactions.set("LeSetPhy", () => completes(1, 1));
  expect(await connection.setPhy(preference)).toEqual({ tx: "1M", rx: "1M" });
  expect(controller.last.get("LeSetPhy")).toEqual({ connectionHandle: 1, ...masks });
});

test("every link begins on LE 1M; a change is told, and nothing else is", async () => {
  await connected();
  expect(connection.phy).toEqual({ tx: "1M", rx: "1M" });
  controller.reactions.set("LeSetPhy", () => completes(2, 2));
  expect(await connection.setPhy({ tx: "2M", rx: "2M" })).toEqual({ tx: "2M", rx: "2M" });
  expect(await connection.setPhy({ tx: "2M", rx: "2M" })).toEqual({ tx: "2M", rx: "2M" });
  completes(1, 3); // the peer's doing
  completes(9, 0); // no PHYs of the specification
  expect(connection.phy).toEqual({ tx: "1M", rx: "coded" });
  expect(told).toEqual([{ tx: "2M", rx: "2M" }, connection.phy]);
});

test("what the controller lacks is not asked of it, unless something else is wanted too", async () => {
  await connected(1n << BigInt(LeFeature.Le2mPhy));
  await expect(connection.setPhy({ rx: "coded" })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(asked()).toBe(0);
  controller.reactions.set("LeSetPhy", () => completes(2, 1));
  await connection.setPhy({ tx: ["coded", "2M"] });
  expect(controller.last.get("LeSetPhy")).toMatchObject({ txPhys: 2 });
});

test("a controller without the command", async () => {
  await connected(0n);
  Object.defineProperty(device.hci, "supports", { value: () => false });
  await expect(connection.setPhy({ tx: "1M" })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(await connection.readPhy()).toEqual({ tx: "1M", rx: "1M" });
  expect([asked(), controller.commands.includes("LeReadPhy")]).toEqual([0, false]);
});

test.each([
  ["at once", HciErrorCode.CommandDisallowed, { code: "ERR_HCI", status: 0x0c, command: "LeSetPhy" }],
  ["at once", HciErrorCode.UnsupportedRemoteFeature, { code: "ERR_UNSUPPORTED" }],
  ["at once", HciErrorCode.UnsupportedFeatureOrParameterValue, { code: "ERR_UNSUPPORTED" }],
  ["in the end", HciErrorCode.UnsupportedRemoteFeature, { code: "ERR_UNSUPPORTED" }],
  ["in the end", HciErrorCode.LlProcedureCollision, { code: "ERR_HCI", status: 0x23 }],
])("a refusal %s with status %i", async (when, status, error) => {
  await connected();
  if (when === "at once") controller.answers.set("LeSetPhy", status);
  else controller.reactions.set("LeSetPhy", () => completes(1, 1, { status }));
  await expect(connection.setPhy({ tx: "2M" })).rejects.toMatchObject(error);
  expect(told).toEqual([]);
  // And it can be asked again.
  controller.answers.delete("LeSetPhy");
  controller.reactions.set("LeSetPhy", () => completes(2, 1));
  expect(await connection.setPhy({ tx: "2M" })).toEqual({ tx: "2M", rx: "1M" });
});

test("the peer's change meanwhile is told and not taken for the answer; nor is one of another link", async () => {
  await connected();
  controller.reactions.set("LeCreateConnection", () => controller.link({ handle: 2, role: "central", peer: OTHER }));
  const other = await device.connect(OTHER);
  let phy: LinkPhy | undefined;
  const done = connection.setPhy({ tx: "2M", rx: "2M" }).then((now) => {
    phy = now;
  });
  await settled();
  completes(2, 2, { connectionHandle: 2 });
  completes(1, 1, { connectionHandle: 2, status: HciErrorCode.LlProcedureCollision });
  completes(2, 2, { connectionHandle: 7 });
  completes(3, 3);
  await settled();
  expect([phy, connection.phy.tx, other.phy.tx]).toEqual([undefined, "coded", "2M"]);
  completes(2, 2);
  await done;
  expect(phy).toEqual({ tx: "2M", rx: "2M" });
});

test("a peer that has its own mind: the procedure ends with what there is", async () => {
  await connected();
  controller.reactions.set("LeSetPhy", () => completes(2, 1));
  expect(await connection.setPhy({ tx: "2M", rx: "2M" })).toEqual({ tx: "2M", rx: "1M" });
});

test("a second caller waits for its turn, and each has its own terms", async () => {
  await connected();
  const abort = new AbortController();
  const first = expect(connection.setPhy({ tx: "2M" }, { signal: abort.signal })).rejects.toBe("enough");
  const second = connection.setPhy({ tx: "coded" });
  const third = expect(connection.setPhy({ tx: "1M" }, { timeoutMs: 100 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  await settled();
  abort.abort("enough");
  await first;
  await third;
  expect(asked()).toBe(1); // the controllers are still at the first
  completes(2, 1);
  await settled();
  expect(asked()).toBe(2);
  completes(3, 1);
  expect(await second).toEqual({ tx: "coded", rx: "1M" });
});

test("without an event the state is unknown: the time is up, and the controller is asked", async () => {
  await connected();
  controller.answers.set("LeReadPhy", "silent");
  const before = clock.now();
  await expect(connection.setPhy({ tx: "2M" })).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "PHY update" });
  expect(clock.now() - before).toBe(45_000);
  await settled();
  expect(controller.commands.at(-1)).toBe("LeReadPhy");
  controller.raw(encodeCommandComplete(READ_PHY, Uint8Array.of(0, 1, 0, 2, 1)));
  await settled();
  expect([connection.phy, told]).toEqual([{ tx: "2M", rx: "1M" }, [{ tx: "2M", rx: "1M" }]]);
});

test("reading asks the controller, and an answer about another link is none", async () => {
  await connected();
  controller.answers.set("LeReadPhy", "silent");
  const read = connection.readPhy();
  await settled();
  controller.raw(encodeCommandComplete(READ_PHY, Uint8Array.of(0, 1, 0, 3, 2)));
  expect(await read).toEqual({ tx: "coded", rx: "2M" });
  const wrong = expect(connection.readPhy()).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(CONTROLLER|TIMEOUT)$/) });
  await settled();
  controller.raw(encodeCommandComplete(READ_PHY, Uint8Array.of(0, 2, 0, 1, 1)));
  await wrong;
  expect(connection.phy).toEqual({ tx: "coded", rx: "2M" });
});

test("a lost link ends all of it at once", async () => {
  await connected();
  controller.answers.set("LeReadPhy", "silent");
  const waiting = [connection.setPhy({ tx: "2M" }), connection.setPhy({ tx: "1M" }), connection.readPhy()].map((promise) =>
    expect(promise).rejects.toMatchObject({ code: "ERR_DISCONNECTED" }),
  );
  await settled();
  controller.event(DisconnectionComplete, { status: 0, connectionHandle: 1, reason: 8 });
  controller.raw(encodeCommandComplete(READ_PHY, Uint8Array.of(2, 1, 0, 0, 0)));
  await Promise.all(waiting);
  await expect(connection.setPhy({})).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(connection.readPhy()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
});

test("wrong arguments are refused before anything is asked", async () => {
  await connected();
  for (const preference of [{ tx: "3M" }, { rx: [] }, { tx: 2 }, { coding: "S=4" }, { txPhy: "2M" }, undefined, "2M"])
    await expect(connection.setPhy(preference as PhyPreference)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(connection.setPhy({}, { timeout: 1 } as object)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  const signal = AbortSignal.abort("before");
  await expect(connection.setPhy({}, { signal })).rejects.toBe("before");
  expect(asked()).toBe(0);
});

test("in the air both ends change, and LE 2M carries nearly twice as much", async () => {
  const rate = async (phy: "1M" | "2M"): Promise<number> => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await air.connectedPair();
    await air.advance(500); // longer packets
    peripheral.gattServer.add({
      uuid: "ABCD",
      characteristics: [{ uuid: "ABCE", properties: ["write-without-response"], write: () => {} }],
    });
    await central.gatt.exchangeMtu();
    const characteristic = await central.gatt.characteristic("ABCD", "ABCE");
    if (phy === "2M") expect(await central.connection.setPhy({ tx: "2M", rx: "2M" })).toEqual({ tx: "2M", rx: "2M" });
    await air.advance(500);
    expect([central.connection.phy, peripheral.connection.phy]).toEqual([
      { tx: phy, rx: phy },
      { tx: phy, rx: phy },
    ]);
    const value = new Uint8Array(244);
    const count = 200;
    const before = air.clock.now();
    for (let i = 0; i < count; i++) await characteristic.writeWithoutResponse(value);
    await central.connection.att.whenWritable();
    return (count * value.length) / (air.clock.now() - before);
  };
  const [slow, fast] = [await rate("1M"), await rate("2M")];
  expect(slow).toBeGreaterThan(90); // kB/s
  expect(fast).toBeGreaterThan(160);
});

test.each([
  ["a peer without other PHYs", { peripheral: { controller: { features: { le2M: false, leCoded: false } } } }],
  ["a peer without LE 2M", { peripheral: { controller: { features: { le2M: false } } } }],
])("in the air: %s", async (what, options) => {
  await using air = new SimulatedAir({ seed: 4 });
  const { central } = await air.connectedPair(options);
  await air.advance(200);
  const change = central.connection.setPhy({ tx: "2M", rx: "2M" });
  if (what.includes("LE 2M")) expect(await change).toEqual({ tx: "1M", rx: "1M" });
  else await expect(change).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(central.connection.phy).toEqual({ tx: "1M", rx: "1M" });
});

test("in the air: both ask at once, a peripheral asks, and a link that goes meanwhile", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const { central, peripheral } = await air.connectedPair();
  await air.advance(200);
  expect(await peripheral.connection.setPhy({ tx: "coded", rx: "2M" })).toEqual({ tx: "coded", rx: "2M" });
  expect(central.connection.phy).toEqual({ tx: "2M", rx: "coded" });
  const [first] = await Promise.allSettled([
    central.connection.setPhy({ tx: "2M", rx: "2M" }),
    peripheral.connection.setPhy({ tx: "2M", rx: "2M" }),
  ]);
  expect(first).toEqual({ status: "fulfilled", value: { tx: "2M", rx: "2M" } });
  expect(peripheral.connection.phy).toEqual({ tx: "2M", rx: "2M" });
  const going = expect(central.connection.setPhy({ tx: "1M" })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await peripheral.connection.disconnect();
  await going;
});

test.each<[string, DeviceAdvertiseOptions, DeviceConnectOptions, PhyName]>([
  ["on legacy PDUs", {}, { phys: ["1M", "2M", "coded"] }, "1M"],
  ["on 1M", { secondaryPhy: "1M" }, { phys: ["1M"] }, "1M"],
  ["on 2M, though only 1M is listened to", { secondaryPhy: "2M" }, {}, "2M"],
  ["on 2M", { secondaryPhy: "2M" }, { phys: ["1M", "2M"] }, "2M"],
  ["on Coded, where only that is listened to", { primaryPhy: "coded" }, { phys: ["coded"] }, "coded"],
  ["on 2M behind Coded", { primaryPhy: "coded", secondaryPhy: "2M" }, { phys: ["1M", "2M", "coded"] }, "2M"],
])("a link that is begun %s says so at both ends when it is handed out", async (_where, advertise, connect, phy) => {
  await using air = new SimulatedAir({ seed: 1, controller: { features: { extendedAdvertising: true } } });
  const peripheral = await air.device();
  const central = await air.device();
  await using advertising = await peripheral.advertise({ intervalMs: 20, ...advertise });
  const link = await central.connect(peripheral.identity, connect);
  const other = await advertising.connection();
  expect([link.phy, other.phy]).toEqual(Array.from({ length: 2 }, () => ({ tx: phy, rx: phy })));
  expect([await link.readPhy(), await other.readPhy()]).toEqual([link.phy, other.phy]);
});
