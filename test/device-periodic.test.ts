import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { type Connection, Device } from "../src/device/index.ts";
import {
  HciErrorCode,
  LeEnhancedConnectionComplete,
  LeFeature,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSubeventDataRequest,
  LeReadRemoteFeaturesComplete,
} from "../src/hci/index.ts";
import { ScriptedController } from "./support/scripted-controller.ts";

// Periodic advertising of a device: what is sent for it, and what becomes of what the controller tells.

const PEER = Address.from("00:00:00:00:00:01");
const ZEROS = Address.from("00:00:00:00:00:00/random");
const bits = (...features: number[]) => features.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
const FEATURES = bits(
  LeFeature.LeExtendedAdvertising,
  LeFeature.LePeriodicAdvertising,
  LeFeature.PeriodicAdvertisingAdiSupport,
  LeFeature.PeriodicAdvertisingSyncTransferSender,
  LeFeature.PeriodicAdvertisingSyncTransferRecipient,
  LeFeature.PeriodicAdvertisingWithResponsesAdvertiser,
  LeFeature.PeriodicAdvertisingWithResponsesScanner,
);
const TAKES_TRANSFERS = bits(LeFeature.PeriodicAdvertisingSyncTransferRecipient);

let clock: VirtualClock;
let controller: ScriptedController;
let device: Device;

beforeEach(async () => {
  clock = new VirtualClock();
  controller = new ScriptedController({ leFeatures: FEATURES });
  device = await Device.open(controller.transport, { clock });
});
afterEach(() => device.close());

const settled = () => delay(clock, 5);

/** A link to a peer whose controller has these features. */
async function connection(leFeatures: bigint, connectionHandle = 1): Promise<Connection> {
  controller.reactions.set("LeReadRemoteFeatures", () =>
    controller.event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle, leFeatures }),
  );
  await using advertising = await device.advertise({ type: "legacy" });
  controller.event(LeEnhancedConnectionComplete, {
    status: 0,
    connectionHandle,
    role: 1,
    peerAddressType: PEER.type,
    peerAddress: PEER.bytes,
    localResolvablePrivateAddress: ZEROS,
    peerResolvablePrivateAddress: ZEROS,
    connectionInterval: 24,
    peripheralLatency: 0,
    supervisionTimeout: 400,
    centralClockAccuracy: 0,
  });
  return await advertising.connection();
}

describe("an advertiser", () => {
  test("sends a train beside its advertisement until one of the two ends", async () => {
    const advertising = await device.advertise({ type: "extended", connectable: false, data: { name: "Kitchen" } });
    const periodic = await advertising.startPeriodic({ intervalMs: 100, data: Uint8Array.of(2, 1, 6), adi: true });
    expect(controller.last.get("LeSetPeriodicAdvertisingEnable")).toEqual({ enable: 3, advertisingHandle: 0 });
    await advertising.stop();
    expect(controller.last.get("LeSetPeriodicAdvertisingEnable")).toEqual({ enable: 0, advertisingHandle: 0 });
    expect(controller.commands.at(-1)).toBe("LeRemoveAdvertisingSet");
    expect([periodic.active, (await periodic.closed).reason]).toEqual([false, "advertisement"]);
  });

  test("gives subevents their data, and hears who answers", async () => {
    const advertising = await device.advertise({ type: "extended", connectable: false });
    const periodic = await advertising.startPeriodic({
      intervalMs: 100,
      subevents: { count: 4, intervalMs: 20, responses: { delayMs: 5, spacingMs: 1, count: 8 } },
      onSubevent: (subevent) => ({ name: `${subevent}` }),
    });
    const mask = controller.last.get("LeSetEventMask")!.leEventMask as bigint;
    expect((mask >> 0x26n) & 3n).toBe(3n);
    controller.event(LePeriodicAdvertisingSubeventDataRequest, { advertisingHandle: 0, subeventStart: 3, subeventDataCount: 1 });
    await settled();
    expect(controller.last.get("LeSetPeriodicAdvertisingSubeventData")).toEqual({
      advertisingHandle: 0,
      subevents: [{ subevent: 3, responseSlotStart: 0, responseSlotCount: 8, subeventData: Uint8Array.of(2, 9, 0x33) }],
    });
    const responses = periodic.responses();
    const heard = { txPower: 127, rssi: -70, cteType: 0xff, responseSlot: 5, dataStatus: 0, data: Uint8Array.of(2, 9, 0x41) };
    controller.event(LePeriodicAdvertisingResponseReport, { advertisingHandle: 0, subevent: 3, txStatus: 0, responses: [heard] });
    const { value } = await responses.next();
    expect([value!.subevent, value!.slot, value!.data.name, value!.rssiDbm]).toEqual([3, 5, "A", -70]);
    await periodic.stop();
    expect((await responses.next()).done).toBe(true);
  });

  test("hands its train to the peer of a link that takes it", async () => {
    const link = await connection(TAKES_TRANSFERS);
    const advertising = await device.advertise({ type: "extended", connectable: false });
    const periodic = await advertising.startPeriodic({ intervalMs: 100 });
    await periodic.transferTo(link, 0x1234);
    expect(controller.last.get("LePeriodicAdvertisingSetInfoTransfer")).toEqual({
      connectionHandle: 1,
      serviceData: 0x1234,
      advertisingHandle: advertising.handle,
    });
    await expect(periodic.transferTo(link, 0x1_0000)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    controller.answers.set("LePeriodicAdvertisingSetInfoTransfer", HciErrorCode.UnsupportedRemoteFeature);
    await expect(periodic.transferTo(link)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    controller.answers.set("LePeriodicAdvertisingSetInfoTransfer", HciErrorCode.CommandDisallowed);
    await expect(periodic.transferTo(link)).rejects.toMatchObject({ code: "ERR_HCI", status: HciErrorCode.CommandDisallowed });
    controller.lose(1);
    await link.closed;
    await expect(periodic.transferTo(link)).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await periodic.stop();
    await expect(periodic.transferTo(link)).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("does not hand it to a peer that has no such feature", async () => {
    const link = await connection(0n);
    const advertising = await device.advertise({ type: "extended", connectable: false });
    const periodic = await advertising.startPeriodic({ intervalMs: 100 });
    await expect(periodic.transferTo(link)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED", message: expect.stringContaining("peer") });
    expect(controller.commands).not.toContain("LePeriodicAdvertisingSetInfoTransfer");
  });

  test("on a legacy controller is told that there is no such thing", async () => {
    const other = new ScriptedController();
    await using legacy = await Device.open(other.transport, { clock });
    const advertising = await legacy.advertise({ connectable: false });
    await expect(advertising.startPeriodic({ intervalMs: 100 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
