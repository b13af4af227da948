import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { Device } from "../src/device/index.ts";
import {
  HciErrorCode,
  LeAdvertisingSetTerminated,
  LeEnhancedConnectionComplete,
  LeExtendedAdvertisingReport,
  LeFeature,
  LeScanRequestReceived,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

// A device on a controller with the extended commands: what is sent for it, and what becomes of what the controller tells.

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("C0:11:22:33:44:66/random");
const EXTENDED = 1n << BigInt(LeFeature.LeExtendedAdvertising);
const ZEROS = Address.from("00:00:00:00:00:00/random");

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;

beforeEach(async () => {
  clock = new VirtualClock();
  controller = new ScriptedController({ leFeatures: EXTENDED });
  device = await Device.open(controller.transport, { clock });
});
afterEach(() => device.close());

const settled = () => delay(clock, 5);
const link = (at: { handle?: number; role?: number; peer?: Address; status?: number } = {}) => {
  const { handle = 1, role = 1, peer = PEER, status = 0 } = at;
  controller.event(LeEnhancedConnectionComplete, {
    status,
    connectionHandle: handle,
    role,
    peerAddressType: peer.type,
    peerAddress: peer.bytes,
    localResolvablePrivateAddress: ZEROS,
    peerResolvablePrivateAddress: ZEROS,
    connectionInterval: 24,
    peripheralLatency: 0,
    supervisionTimeout: 400,
    centralClockAccuracy: 0,
  });
};
const terminated = (advertisingHandle: number, status: number, connectionHandle = 0) =>
  controller.event(LeAdvertisingSetTerminated, { status, advertisingHandle, connectionHandle, numCompletedExtendedAdvertisingEvents: 0 });

describe("the commands", () => {
  test("are the extended ones alone, and their events are on before", async () => {
    expect([device.isExtended, device.maxAdvertisements]).toEqual([true, 4]);
    const mask = controller.last.get("LeSetEventMask")!.leEventMask as bigint;
    for (const subevent of [0x0a, 0x0d, 0x11, 0x12, 0x13]) expect((mask >> BigInt(subevent - 1)) & 1n, String(subevent)).toBe(1n);
    await using _advertising = await device.advertise({ ownAddress: "random" });
    await using _scan = await device.startScan({ ownAddress: "random" }, () => {});
    const connecting = device.connect(PEER, { timeoutMs: 100 });
    await expect(connecting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const legacy = ["LeSetAdvertising", "LeSetScanEnable", "LeSetScanParameters", "LeSetScanResponseData", "LeCreateConnection"];
    const sent = controller.commands.filter((name) => legacy.some((begin) => name.startsWith(begin)));
    expect(sent.filter((name) => !["LeSetAdvertisingSetRandomAddress", "LeCreateConnectionCancel"].includes(name))).toEqual([]);
    link({ status: HciErrorCode.UnknownConnectionIdentifier, role: 0, peer: ZEROS });
  });

  test("are the legacy ones where one of the extended is refused its events, or the feature is not there", async () => {
    for (const [leFeatures, answer] of [
      [0n, 0],
      [EXTENDED, HciErrorCode.InvalidHciCommandParameters],
    ] as const) {
      const other = new ScriptedController({ leFeatures });
      let masks = 0;
      other.reactions.set("LeSetEventMask", () => masks++ === 0 && other.answers.set("LeSetEventMask", answer));
      await using legacy = await Device.open(other.transport, { clock });
      expect([legacy.isExtended, legacy.maxAdvertisements]).toEqual([false, 1]);
      await using _advertising = await legacy.advertise();
      expect(other.commands).toContain("LeSetAdvertisingEnable");
      await expect(legacy.advertise({ sid: 1 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    }
  });
});

describe("advertisements", () => {
  test("end each for its own reason, which is told", async () => {
    const timed = await device.advertise({ durationMs: 1000, type: "extended" });
    const other = await device.advertise({ sid: 5 });
    expect([timed.handle, timed.sid, other.handle, other.sid, timed.txPowerDbm, other.isExtended]).toEqual([0, 0, 1, 5, 4, true]);
    terminated(0, HciErrorCode.AdvertisingTimeout);
    expect(await timed.closed).toMatchObject({ reason: "duration", error: undefined });
    expect([timed.ended?.reason, timed.active, other.ended, other.active]).toEqual(["duration", false, undefined, true]);
    await expect(timed.connection()).rejects.toMatchObject({ code: "ERR_STATE" });
    await other.stop();
    expect(other.ended?.reason).toBe("stopped");
  });

  test("get the links that their own set speaks for, with the address of that set", async () => {
    const first = await device.advertise({ ownAddress: "public" });
    const second = await device.advertise({ ownAddress: "random" });
    link({ handle: 3 });
    expect(device.links).toEqual([]);
    terminated(1, 0, 3);
    const connection = await second.connection();
    expect([connection.peerAddress.equals(PEER), connection.localAddress.equals(device.ownAddress("random"))]).toEqual([true, true]);
    expect([first.active, second.ended?.reason]).toEqual([true, "connected"]);
    link({ handle: 4, peer: OTHER });
    terminated(0, 0, 4);
    expect((await first.connection()).localAddress.equals(device.publicAddress!)).toBe(true);
  });

  test("tell who asks for scan responses", async () => {
    const advertising = await device.advertise({ scanRequestNotifications: true });
    const requests = advertising.scanRequests();
    const next = requests.next();
    controller.event(LeScanRequestReceived, { advertisingHandle: 0, scannerAddressType: 1, scannerAddress: OTHER.bytes });
    expect((await next).value).toEqual(OTHER);
    await advertising.stop();
    expect((await requests.next()).done).toBe(true);
  });

  test("that are full elsewhere do not stop those that are there", async () => {
    for (let i = 0; i < 4; i++) await device.advertise();
    await expect(device.advertise()).rejects.toMatchObject({ code: "ERR_STATE" });
  });
});

describe("reports", () => {
  test("of the extended event are advertisements", async () => {
    const seen: unknown[] = [];
    await using _scan = await device.startScan({}, ({ name, sid, txPowerDbm, secondaryPhy }) =>
      seen.push([name, sid, txPowerDbm, secondaryPhy]),
    );
    const report = {
      eventType: 1,
      addressType: 1,
      address: OTHER.bytes,
      primaryPhy: 1,
      secondaryPhy: 2,
      advertisingSid: 2,
      txPower: -8,
      rssi: -50,
      periodicAdvertisingInterval: 0,
      directAddressType: 0,
      directAddress: new Uint8Array(6),
      data: Uint8Array.of(2, 9, 0x61),
    };
    controller.event(LeExtendedAdvertisingReport, { reports: [report] });
    expect(seen).toEqual([["a", 2, -8, "2M"]]);
  });
});

describe("connecting", () => {
  test("to the first of several, by the filter accept list", async () => {
    const connecting = device.connect([PEER, OTHER]);
    await settled();
    expect(controller.last.get("LeExtendedCreateConnection")).toMatchObject({ initiatorFilterPolicy: 1, initiatingPhys: 1 });
    expect(controller.commands.filter((name) => name === "LeAddDeviceToFilterAcceptList").length).toBe(2);
    link({ role: 0, peer: OTHER });
    expect((await connecting).peerAddress.equals(OTHER)).toBe(true);
    await expect(device.connect([PEER, OTHER])).rejects.toMatchObject({ code: "ERR_STATE" });
    await expect(device.connect([])).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});
