import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address, SeededRandom } from "../src/core/index.ts";
import { type Connection, Device, type PathLossZones, type PowerOptions, type PowerReporting } from "../src/device/index.ts";
import {
  HciErrorCode,
  LeFeature,
  LePathLossThreshold,
  LePhyUpdateComplete,
  LeSubrateChange,
  LeTransmitPowerReporting,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

const PEER = Address.from("00:00:00:00:00:01");
const FEATURES =
  (1n << BigInt(LeFeature.LePowerControlRequest)) |
  (1n << BigInt(LeFeature.LePathLossMonitoring)) |
  (1n << BigInt(LeFeature.LeCodedPhy)) |
  (1n << BigInt(LeFeature.ConnectionSubrating));
const POWER_EVENT = 1n << 32n; // subevent 0x21
const PATH_LOSS_EVENT = 1n << 31n; // subevent 0x20

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;
let connection: Connection;
let told: unknown[];

const reported = (more: Partial<LeTransmitPowerReporting> = {}): void =>
  controller.event(LeTransmitPowerReporting, {
    status: 0,
    connectionHandle: 1,
    reason: 2,
    phy: 1,
    txPowerLevel: -8,
    txPowerLevelFlag: 0,
    delta: 0,
    ...more,
  });
const entered = (zoneEntered: number, currentPathLoss: number, connectionHandle = 1): void =>
  controller.event(LePathLossThreshold, { connectionHandle, currentPathLoss, zoneEntered });
const settled = () => delay(clock, 1);
const count = (command: string) => controller.commands.filter((name) => name === command).length;
const mask = () => controller.last.get("LeSetEventMask")!.leEventMask as bigint;
/** The controller has the commands, or not. */
const without = (...missing: string[]): void => {
  const supports = device.hci.supports.bind(device.hci);
  Object.defineProperty(device.hci, "supports", {
    value: (command: never) => !missing.includes((command as { name: string }).name) && supports(command),
  });
};
async function state(promise: Promise<unknown>): Promise<unknown> {
  const outcome = promise.then(
    (value) => value,
    (error: unknown) => error,
  );
  return await Promise.race([outcome, settled().then(() => "waits")]);
}

beforeEach(async () => {
  clock = new VirtualClock();
  told = [];
  controller = new ScriptedController({ leFeatures: FEATURES });
  device = await Device.open(controller.transport, { clock, random: new SeededRandom(1) });
  controller.reactions.set("LeCreateConnection", () => controller.link({ role: "central", peer: PEER }));
  connection = await device.connect(PEER);
  connection.on("transmitPower", (change) => told.push(change));
  connection.on("pathLoss", (pathLoss) => told.push(pathLoss));
});
afterEach(async () => {
  await device.close();
});

describe("the own power", () => {
  test.each<[PowerOptions, number]>([
    [{}, 1],
    [{ phy: "1M" }, 1],
    [{ phy: "2M" }, 2],
    [{ phy: "coded S=8" }, 3],
    [{ phy: "coded S=2" }, 4],
  ])("of %o is read by the PHY %i (7.8.117)", async (options, phy) => {
    controller.results.set("LeEnhancedReadTransmitPowerLevel", [1, 0, phy, 0xf8, 20]);
    expect(await connection.transmitPower(options)).toEqual({ currentDbm: -8, maxDbm: 20 });
    expect(controller.last.get("LeEnhancedReadTransmitPowerLevel")).toEqual({ connectionHandle: 1, phy });
  });

  test("is that of the PHY in use, of LE Coded the slow one", async () => {
    controller.event(LePhyUpdateComplete, { status: 0, connectionHandle: 1, txPhy: 3, rxPhy: 2 });
    controller.results.set("LeEnhancedReadTransmitPowerLevel", [1, 0, 3, 127, 127]);
    expect(await connection.transmitPower()).toEqual({ currentDbm: undefined, maxDbm: undefined });
    controller.reactions.set("LeReadRemoteTransmitPowerLevel", () => reported({ phy: 2 }));
    expect(await connection.remoteTransmitPower()).toMatchObject({ phy: "2M" });
  });

  test.each<[string, number[], string]>([
    ["link", [2, 0, 1, 0, 0], "ERR_TIMEOUT"],
    ["PHY", [1, 0, 2, 0, 0], "ERR_CONTROLLER"],
  ])("an answer about another %s is none", async (_what, result, code) => {
    controller.results.set("LeEnhancedReadTransmitPowerLevel", result);
    await expect(connection.transmitPower()).rejects.toMatchObject({ code });
  });

  test("of a controller before 5.2 is the same on all PHYs (7.3.35)", async () => {
    without("LeEnhancedReadTransmitPowerLevel");
    const types: unknown[] = [];
    controller.results.set("ReadTransmitPowerLevel", [1, 0, 0xfc]);
    controller.reactions.set("ReadTransmitPowerLevel", ({ type }) => {
      types.push(type);
      controller.results.set("ReadTransmitPowerLevel", [1, 0, 8]);
    });
    expect(await connection.transmitPower()).toEqual({ currentDbm: -4, maxDbm: 8 });
    expect(types).toEqual([0, 1]);
    await expect(connection.transmitPower({ phy: "2M" })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test("of a PHY that the controller does not have", async () => {
    controller.answers.set("LeEnhancedReadTransmitPowerLevel", HciErrorCode.UnsupportedFeatureOrParameterValue);
    await expect(connection.transmitPower({ phy: "2M" })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(connection.remoteTransmitPower({ phy: "coded" as "2M" })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(connection.transmitPower({ power: 1 } as PowerOptions)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("the peer's power", () => {
  test("is told by an event, which is switched on for it", async () => {
    expect(mask() & POWER_EVENT).toBe(0n);
    controller.reactions.set("LeReadRemoteTransmitPowerLevel", () => {
      expect(mask() & POWER_EVENT).toBe(POWER_EVENT);
      reported({ phy: 2, txPowerLevel: -20, txPowerLevelFlag: 1, delta: 3 });
    });
    expect(await connection.remoteTransmitPower({ phy: "2M" })).toEqual({
      phy: "2M",
      powerDbm: -20,
      isManaged: true,
      isMinimum: true,
      isMaximum: false,
    });
    expect(controller.last.get("LeReadRemoteTransmitPowerLevel")).toEqual({ connectionHandle: 1, phy: 2 });
    expect(told).toEqual([]);
  });

  test.each<[string, number, number, object]>([
    ["is not managed", 126, 3, { powerDbm: undefined, isManaged: false, isMinimum: false, isMaximum: false }],
    ["is not known", 127, 3, { powerDbm: undefined, isManaged: true, isMinimum: false, isMaximum: false }],
    ["has one value only", 0, 3, { powerDbm: 0, isManaged: true, isMinimum: true, isMaximum: true }],
    ["is as high as it goes", 20, 2, { powerDbm: 20, isManaged: true, isMinimum: false, isMaximum: true }],
  ])("%s", async (_what, txPowerLevel, txPowerLevelFlag, level) => {
    controller.reactions.set("LeReadRemoteTransmitPowerLevel", () => reported({ txPowerLevel, txPowerLevelFlag }));
    expect(await connection.remoteTransmitPower()).toEqual({ phy: "1M", ...level });
  });

  test("is not answered by a change, another PHY or another link; a second reading waits for its turn", async () => {
    const first = connection.remoteTransmitPower({ phy: "2M" });
    const second = connection.remoteTransmitPower({ phy: "1M" });
    await settled();
    reported({ reason: 1, phy: 2 });
    reported({ reason: 0, phy: 2 });
    reported({ phy: 1 });
    reported({ phy: 2, connectionHandle: 7 });
    reported({ phy: 2, connectionHandle: 7, status: 0x1f });
    reported({ phy: 2, reason: 3 });
    expect(await state(first)).toBe("waits");
    expect(count("LeReadRemoteTransmitPowerLevel")).toBe(1);
    reported({ phy: 2, txPowerLevel: 5 });
    expect(await first).toMatchObject({ phy: "2M", powerDbm: 5 });
    await settled();
    reported({ phy: 1, txPowerLevel: 6 });
    expect(await second).toMatchObject({ phy: "1M", powerDbm: 6 });
  });

  test.each([
    ["at once", HciErrorCode.UnsupportedRemoteFeature, { code: "ERR_UNSUPPORTED" }],
    [
      "in the end",
      HciErrorCode.UnsupportedRemoteFeature,
      { code: "ERR_UNSUPPORTED", message: "the peer's controller has no power control" },
    ],
    ["at once", HciErrorCode.CommandDisallowed, { code: "ERR_HCI", status: 0x0c }],
    ["in the end", HciErrorCode.LlProcedureCollision, { code: "ERR_HCI", status: 0x23, command: "LeReadRemoteTransmitPowerLevel" }],
  ])("is refused %s with status %i", async (when, status, error) => {
    if (when === "at once") controller.answers.set("LeReadRemoteTransmitPowerLevel", status);
    // What a failed reading says beside its reason is ignored (7.7.65.33).
    else controller.reactions.set("LeReadRemoteTransmitPowerLevel", () => reported({ status, phy: 0, txPowerLevel: 0 }));
    await expect(connection.remoteTransmitPower()).rejects.toMatchObject(error);
  });

  test("cannot be had of a controller without the command, whose event mask stays as it is", async () => {
    without("LeReadRemoteTransmitPowerLevel", "LeSetTransmitPowerReportingEnable", "LeSetPathLossReportingParameters");
    const masks = count("LeSetEventMask");
    await expect(connection.remoteTransmitPower()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(connection.reportTransmitPower({ local: true })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(connection.monitorPathLoss({ lowDb: 60 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(count("LeSetEventMask")).toBe(masks);
  });

  test("ends with the link, and with the caller's time", async () => {
    const limited = expect(connection.remoteTransmitPower({ timeoutMs: 50 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await delay(clock, 50);
    await limited;
    const lost = expect(connection.remoteTransmitPower()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await settled();
    controller.lose();
    await lost;
    for (const after of [connection.remoteTransmitPower(), connection.transmitPower(), connection.reportTransmitPower({ remote: true })])
      await expect(after).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });
});

describe("changes of power", () => {
  test.each<[PowerReporting, object]>([
    [{ local: true }, { localEnable: true, remoteEnable: false }],
    [{ remote: true }, { localEnable: false, remoteEnable: true }],
    [
      { local: true, remote: true },
      { localEnable: true, remoteEnable: true },
    ],
    [{}, { localEnable: false, remoteEnable: false }],
  ])("are told as %o says", async (reporting, parameters) => {
    controller.reactions.set("LeSetTransmitPowerReportingEnable", () => expect(mask() & POWER_EVENT).toBe(POWER_EVENT));
    await connection.reportTransmitPower(reporting);
    expect(controller.last.get("LeSetTransmitPowerReportingEnable")).toEqual({ connectionHandle: 1, ...parameters });
  });

  test("of both sides, whatever their status (7.7.65.33)", async () => {
    await connection.reportTransmitPower({ local: true, remote: true });
    reported({ reason: 0, phy: 3, txPowerLevel: 4, txPowerLevelFlag: 2, delta: -6, status: 0x1f });
    reported({ reason: 1, phy: 4, txPowerLevel: 126, delta: 127 });
    reported({ reason: 1, phy: 5 }); // no PHY of the specification
    reported({ reason: 3 }); // nor a reason
    expect(told).toEqual([
      { side: "local", phy: "coded S=8", powerDbm: 4, isManaged: true, isMinimum: false, isMaximum: true, deltaDb: -6 },
      { side: "remote", phy: "coded S=2", powerDbm: undefined, isManaged: false, isMinimum: false, isMaximum: false, deltaDb: undefined },
    ]);
  });

  test("are asked for in words that there are", async () => {
    for (const wrong of [undefined, { locale: true }, { local: "yes" }, { remote: 1 }])
      await expect(connection.reportTransmitPower(wrong as PowerReporting)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("path loss", () => {
  test.each<[PathLossZones, object]>([
    [{ lowDb: 50 }, { highThreshold: 255, highHysteresis: 0, lowThreshold: 50, lowHysteresis: 0, minTimeSpent: 0 }],
    [
      { lowDb: 50, highDb: 70, hysteresisDb: 10, minTimeMs: 90 },
      { highThreshold: 70, highHysteresis: 10, lowThreshold: 50, lowHysteresis: 10, minTimeSpent: 3 },
    ],
    [
      { lowDb: 1, highDb: 254, hysteresisDb: 1, minTimeMs: 91 },
      { highThreshold: 254, highHysteresis: 1, lowThreshold: 1, lowHysteresis: 1, minTimeSpent: 4 },
    ],
    [
      { lowDb: 128, hysteresisDb: 127, minTimeMs: 0xffff * 30 },
      { highThreshold: 255, highHysteresis: 0, lowThreshold: 128, lowHysteresis: 127, minTimeSpent: 0xffff },
    ],
    [
      { lowDb: 0, highDb: 0 },
      { highThreshold: 0, highHysteresis: 0, lowThreshold: 0, lowHysteresis: 0, minTimeSpent: 0 },
    ],
  ])("zones %o are set, then switched on, with their event (7.8.119, 7.8.120)", async (zones, parameters) => {
    expect(mask() & PATH_LOSS_EVENT).toBe(0n);
    controller.commands.length = 0;
    await connection.monitorPathLoss(zones);
    expect(controller.commands).toEqual(["LeSetEventMask", "LeSetPathLossReportingParameters", "LeSetPathLossReportingEnable"]);
    expect(mask() & PATH_LOSS_EVENT).toBe(PATH_LOSS_EVENT);
    expect(controller.last.get("LeSetPathLossReportingParameters")).toEqual({ connectionHandle: 1, ...parameters });
    expect(controller.last.get("LeSetPathLossReportingEnable")).toEqual({ connectionHandle: 1, enable: true });
  });

  test.each<[unknown, RegExp]>([
    [undefined, /expected an object/],
    ["on", /expected an object/],
    [{}, /lowDb/],
    [{ lowDb: 255 }, /lowDb: expected a whole number from 0 to 254/],
    [{ lowDb: 50, highDb: 49 }, /highDb: expected a whole number from 50 to 254/],
    [{ lowDb: 50, highDb: 255 }, /highDb/],
    [{ lowDb: 5, hysteresisDb: 6 }, /hysteresisDb: expected a whole number from 0 to 5/],
    [{ lowDb: 50, highDb: 60, hysteresisDb: 6 }, /hysteresisDb 6: expected at most 5/],
    [{ lowDb: 50, highDb: 250, hysteresisDb: 6 }, /hysteresisDb 6: expected at most 5/],
    [{ lowDb: 200, hysteresisDb: 56 }, /hysteresisDb 56: expected at most 55/],
    [{ lowDb: 50, minTimeMs: -1 }, /minTimeMs/],
    [{ lowDb: 50, minTimeMs: 0x10000 * 30 }, /minTimeMs/],
    [{ low: 50 }, /unknown option "low", did you mean "lowDb"/],
  ])("zones %o are nobody's", async (zones, message) => {
    const refused = await state(connection.monitorPathLoss(zones as PathLossZones));
    expect(refused).toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) });
    expect(count("LeSetPathLossReportingParameters")).toBe(0);
  });

  test("under subrating fewer events are used in the same time", async () => {
    const change = { peripheralLatency: 0, continuationNumber: 0, supervisionTimeout: 400 };
    controller.event(LeSubrateChange, { status: 0, connectionHandle: 1, subrateFactor: 10, ...change });
    await connection.monitorPathLoss({ lowDb: 50, minTimeMs: 900 });
    expect(controller.last.get("LeSetPathLossReportingParameters")).toMatchObject({ minTimeSpent: 3 });
  });

  test("tells which zone it is in", async () => {
    await connection.monitorPathLoss({ lowDb: 50, highDb: 70 });
    entered(0, 0);
    entered(1, 60);
    entered(2, 255);
    entered(3, 60); // no zone of the specification
    entered(2, 80, 9); // nor this link
    expect(told).toEqual([
      { zone: "low", pathLossDb: 0 },
      { zone: "middle", pathLossDb: 60 },
      { zone: "high", pathLossDb: undefined },
    ]);
  });

  test("that was never on need not be switched off, which a controller would refuse", async () => {
    await connection.monitorPathLoss("off");
    expect(count("LeSetPathLossReportingEnable")).toBe(0);
    await connection.monitorPathLoss({ lowDb: 50 });
    await connection.monitorPathLoss("off");
    expect(controller.last.get("LeSetPathLossReportingEnable")).toEqual({ connectionHandle: 1, enable: false });
  });

  test("is what the last caller said, although the first was not through", async () => {
    await Promise.all([connection.monitorPathLoss({ lowDb: 50 }), connection.monitorPathLoss("off")]);
    expect(controller.last.get("LeSetPathLossReportingEnable")).toMatchObject({ enable: false });
    await Promise.all([connection.monitorPathLoss({ lowDb: 50 }), connection.monitorPathLoss({ lowDb: 60 })]);
    expect(controller.last.get("LeSetPathLossReportingParameters")).toMatchObject({ lowThreshold: 60 });
  });

  test("zones whose outcome is not known are switched off", async () => {
    controller.answers.set("LeSetPathLossReportingParameters", HciErrorCode.CommandDisallowed);
    await expect(connection.monitorPathLoss({ lowDb: 50 })).rejects.toMatchObject({ code: "ERR_HCI", status: 0x0c });
    expect(count("LeSetPathLossReportingEnable")).toBe(0);
    await connection.monitorPathLoss("off");
    expect(controller.last.get("LeSetPathLossReportingEnable")).toMatchObject({ enable: false });
  });

  test("is over with the link", async () => {
    controller.lose();
    await expect(connection.monitorPathLoss({ lowDb: 50 })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  });
});
