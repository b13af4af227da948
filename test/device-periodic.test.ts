import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { delay, VirtualClock } from "../src/async/index.ts";
import { Address } from "../src/core/index.ts";
import { type Connection, type ConnectionPolicy, Device } from "../src/device/index.ts";
import {
  HciErrorCode,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  LeFeature,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSubeventDataRequest,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
  LeReadRemoteFeaturesComplete,
} from "../src/hci/index.ts";
import type { DeviceOptions, PeriodicSync, ReceivedSync, SynchronizeOptions } from "../src/index.ts";
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
async function connection(leFeatures: bigint, connectionHandle = 1, policy: ConnectionPolicy = {}): Promise<Connection> {
  controller.reactions.set("LeReadRemoteFeatures", () =>
    controller.event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle, leFeatures }),
  );
  await using advertising = await device.advertise({ type: "legacy", policy });
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

const TRAIN = {
  status: 0,
  syncHandle: 7,
  advertisingSid: 3,
  advertiserAddressType: 0,
  advertiserAddress: PEER.bytes,
  advertiserPhy: 1,
  periodicAdvertisingInterval: 80,
  advertiserClockAccuracy: 0,
};
const SUBEVENTS = { numSubevents: 4, subeventInterval: 16, responseSlotDelay: 4, responseSlotSpacing: 8 };

describe("a follower", () => {
  async function synchronized(options: SynchronizeOptions = {}): Promise<PeriodicSync> {
    controller.reactions.set("LePeriodicAdvertisingCreateSync", () =>
      controller.event(LePeriodicAdvertisingSyncEstablishedV2, { ...TRAIN, ...SUBEVENTS }),
    );
    return await device.synchronize({ address: PEER, sid: 3 }, options);
  }

  test("hears what is sent, until it is stopped", async () => {
    controller.reactions.set("LePeriodicAdvertisingCreateSync", () => controller.event(LePeriodicAdvertisingSyncEstablished, TRAIN));
    await using sync = await device.synchronize({ address: PEER, sid: 3 });
    const mask = controller.last.get("LeSetEventMask")!.leEventMask as bigint;
    for (const subevent of [0x0e, 0x0f, 0x10, 0x18, 0x24, 0x25, 0x26])
      expect((mask >> BigInt(subevent - 1)) & 1n, String(subevent)).toBe(1n);
    controller.event(LePeriodicAdvertisingReport, {
      syncHandle: 7,
      txPower: 127,
      rssi: -40,
      cteType: 0xff,
      dataStatus: 0,
      data: Uint8Array.of(2, 9, 0x41),
    });
    for await (const { data, rssiDbm } of sync.reports()) {
      expect([data.name, rssiDbm]).toEqual(["A", -40]);
      break;
    }
    await sync.stop();
    expect(controller.last.get("LePeriodicAdvertisingTerminateSync")).toEqual({ syncHandle: 7 });
  });

  test("answers subevents in its slot", async () => {
    const sync = await synchronized();
    expect(sync.subevents?.count).toBe(4);
    await sync.selectSubevents([1]);
    controller.event(LePeriodicAdvertisingReportV2, {
      syncHandle: 7,
      txPower: 127,
      rssi: -40,
      cteType: 0xff,
      periodicEventCounter: 500,
      subevent: 1,
      dataStatus: 0,
      data: Uint8Array.of(2, 9, 0x41),
    });
    const { value } = await sync.reports().next();
    await sync.respond({ to: value!, slot: 2, data: { name: "B" } });
    expect(controller.last.get("LeSetPeriodicAdvertisingResponseData")).toEqual({
      syncHandle: 7,
      requestEvent: 500,
      requestSubevent: 1,
      responseSubevent: 1,
      responseSlot: 2,
      responseData: Uint8Array.of(2, 9, 0x42),
    });
  });

  test("loses it with the train, and with a reset of the controller", async () => {
    const lost = await synchronized();
    controller.event(LePeriodicAdvertisingSyncLost, { syncHandle: 7 });
    expect((await lost.closed).reason).toBe("lost");
    const sync = await synchronized();
    await device.hci.reset();
    expect((await sync.closed).error).toMatchObject({ code: "ERR_SYNC_LOST", cause: { code: "ERR_STATE" } });
  });

  test("hands it to the peer of a link", async () => {
    const link = await connection(TAKES_TRANSFERS);
    const sync = await synchronized();
    await sync.transferTo(link, 0xffff);
    expect(controller.last.get("LePeriodicAdvertisingSyncTransfer")).toEqual({ connectionHandle: 1, serviceData: 0xffff, syncHandle: 7 });
    await sync.stop();
    await expect(sync.transferTo(link)).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("ends with the device: loops without an error where the program closed it", async () => {
    const sync = await synchronized();
    const next = sync.reports().next();
    await device.close();
    expect([(await next).done, (await sync.closed).reason]).toEqual([true, "stopped"]);
    await expect(device.synchronize({ address: PEER, sid: 3 })).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  test("ends with the controller: loops by an error that says so", async () => {
    const sync = await synchronized();
    const next = sync.reports().next();
    await controller.unplug();
    await expect(next).rejects.toMatchObject({ code: "ERR_SYNC_LOST", cause: { code: "ERR_TRANSPORT_CLOSED" } });
  });
});

describe("a link through a train with responses", () => {
  const RESPONSES = { intervalMs: 100, subevents: { count: 4, intervalMs: 20 } };
  const LINK = {
    status: 0,
    connectionHandle: 5,
    peerAddressType: PEER.type,
    peerAddress: PEER.bytes,
    localResolvablePrivateAddress: ZEROS,
    peerResolvablePrivateAddress: ZEROS,
    connectionInterval: 24,
    peripheralLatency: 0,
    supervisionTimeout: 400,
    centralClockAccuracy: 0,
    advertisingHandle: 0xff,
    syncHandle: 0xffff,
  };

  test("is asked for by the second version of the command, in its subevent, again while nobody answers", async () => {
    const advertising = await device.advertise({ type: "extended", connectable: false });
    const periodic = await advertising.startPeriodic(RESPONSES);
    let tries = 0;
    controller.reactions.set("LeExtendedCreateConnectionV2", () => {
      const status = tries++ === 0 ? HciErrorCode.ConnectionFailedToBeEstablished : 0;
      controller.event(LeEnhancedConnectionCompleteV2, { ...LINK, status, role: 0, advertisingHandle: 0 });
    });
    controller.reactions.set("LeReadRemoteFeatures", () =>
      controller.event(LeReadRemoteFeaturesComplete, { status: 0, connectionHandle: 5, leFeatures: 0n }),
    );
    const link = await device.connect(PEER, { through: { periodic, subevent: 3 }, intervalMs: 30 });
    expect([link.role, link.handle, tries]).toEqual(["central", 5, 2]);
    expect(controller.last.get("LeExtendedCreateConnectionV2")).toMatchObject({
      advertisingHandle: 0,
      subevent: 3,
      initiatorFilterPolicy: 0,
      peerAddressType: 0,
      peerAddress: PEER.bytes,
      initiatingPhys: 1,
    });
    expect(controller.commands).not.toContain("LeSetExtendedScanEnable");
  });

  test("is taken by a follower with a policy for it, and by no other", async () => {
    controller.reactions.set("LePeriodicAdvertisingCreateSync", () =>
      controller.event(LePeriodicAdvertisingSyncEstablishedV2, { ...TRAIN, ...SUBEVENTS }),
    );
    const links: Connection[] = [];
    device.onConnection((link) => links.push(link));
    const sync = await device.synchronize({ address: PEER, sid: 3 });
    controller.event(LeEnhancedConnectionCompleteV2, { ...LINK, role: 1, syncHandle: 7 });
    await settled();
    expect([links, controller.last.get("Disconnect")?.connectionHandle]).toEqual([[], 5]);
    await sync.stop();
    await device.synchronize({ address: PEER, sid: 3 }, { policy: {} });
    controller.event(LeEnhancedConnectionCompleteV2, { ...LINK, connectionHandle: 6, role: 1, syncHandle: 7 });
    await settled();
    expect(links.map(({ role, handle, localAddress }) => [role, handle, localAddress.equals(device.address)])).toEqual([
      ["peripheral", 6, true],
    ]);
    controller.event(LeEnhancedConnectionCompleteV2, { ...LINK, connectionHandle: 8, role: 1, syncHandle: 9 });
    await settled();
    expect([links.length, controller.last.get("Disconnect")?.connectionHandle]).toEqual([1, 8]);
    await expect(device.synchronize({ address: PEER, sid: 4 }, { policy: { eatt: 9 } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(device.synchronize({ address: PEER, sid: 4 }, { policies: {} } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("what a peer hands over", () => {
  const handOver = (at: object = {}) =>
    controller.event(LePeriodicAdvertisingSyncTransferReceived, { ...TRAIN, connectionHandle: 1, serviceData: 0x1234, ...at });
  const reopen = async (options: DeviceOptions) => {
    await device.close();
    controller = new ScriptedController({ leFeatures: FEATURES });
    device = await Device.open(controller.transport, { clock, ...options });
    await settled();
  };
  const parametersOfLink = () => controller.last.get("LeSetPeriodicAdvertisingSyncTransferParameters");
  const received = (link: Connection) => {
    const all: ReceivedSync[] = [];
    link.on("sync", (sync) => all.push(sync));
    return all;
  };
  const isEnded = () => controller.last.get("LePeriodicAdvertisingTerminateSync")?.syncHandle;

  test("is ignored as long as nobody asked for it, and ended where a controller follows it all the same", async () => {
    const link = await connection(0n);
    const all = received(link);
    expect(controller.commands.filter((name) => name.includes("SyncTransferParameters"))).toEqual([]);
    handOver();
    await settled();
    expect([all, isEnded()]).toEqual([[], 7]);
  });

  test("is followed on the terms of the link, and told with what the peer says of it", async () => {
    const link = await connection(0n);
    const all = received(link);
    await link.acceptSyncs({ skip: 3, syncTimeoutMs: 5000 });
    expect(parametersOfLink()).toEqual({ connectionHandle: 1, mode: 2, skip: 3, syncTimeout: 500, cteType: 0 });
    const mask = controller.last.get("LeSetEventMask")!.leEventMask as bigint;
    for (const subevent of [0x18, 0x26]) expect((mask >> BigInt(subevent - 1)) & 1n, String(subevent)).toBe(1n);
    handOver();
    controller.event(LePeriodicAdvertisingSyncTransferReceivedV2, {
      ...TRAIN,
      ...SUBEVENTS,
      syncHandle: 8,
      advertisingSid: 4,
      connectionHandle: 1,
      serviceData: 0xffff,
    });
    await settled();
    expect(
      all.map(({ serviceData, sync }) => [serviceData, sync.handle, sync.sid, sync.address.equals(PEER), sync.subevents?.count]),
    ).toEqual([
      [0x1234, 7, 3, true, undefined],
      [0xffff, 8, 4, true, 4],
    ]);
    const reports = all[0]!.sync.reports();
    controller.lose(1);
    await link.closed;
    controller.event(LePeriodicAdvertisingReport, {
      syncHandle: 7,
      txPower: 127,
      rssi: 0,
      cteType: 0xff,
      dataStatus: 0,
      data: Uint8Array.of(1),
    });
    expect((await reports.next()).value!.data.bytes).toEqual(Uint8Array.of(1)); // it outlives the link
  });

  test.each<[string, object, number]>([
    ["reports", {}, 2],
    ["none", { receive: false }, 1],
    ["new ones", { duplicates: "filter" }, 3],
  ])("with %s", async (_, terms, mode) => {
    const link = await connection(0n);
    await link.acceptSyncs(terms);
    expect(parametersOfLink()).toMatchObject({ mode, syncTimeout: 2000 });
    const all = received(link);
    handOver();
    await settled();
    expect(all[0]!.sync.receiving).toBe(mode !== 1);
    await link.acceptSyncs("ignore");
    expect(parametersOfLink()).toMatchObject({ mode: 0 });
    handOver({ syncHandle: 9 });
    await settled();
    expect([all.length, isEnded()]).toEqual([1, 9]);
  });

  test("is ended where nobody listens, or the link is gone", async () => {
    const link = await connection(0n);
    await link.acceptSyncs();
    handOver();
    await settled();
    expect(isEnded()).toBe(7);
    received(link);
    handOver({ connectionHandle: 2, syncHandle: 8 });
    await settled();
    expect(isEnded()).toBe(8);
  });

  test("and could not be found is told", async () => {
    const link = await connection(0n);
    const failures: number[] = [];
    link.on("syncFailure", ({ status }) => failures.push(status));
    handOver({ status: HciErrorCode.ConnectionFailedToBeEstablished });
    await settled();
    await link.acceptSyncs();
    handOver({ status: HciErrorCode.ConnectionFailedToBeEstablished });
    await settled();
    expect([failures, controller.commands.includes("LePeriodicAdvertisingTerminateSync")]).toEqual([[0x3e], false]);
  });

  test("is taken on the device's terms from the first moment of each link, after a reset too", async () => {
    await reopen({ policy: { syncTransfers: { skip: 1 } } });
    const DEFAULTS = "LeSetDefaultPeriodicAdvertisingSyncTransferParameters";
    expect(controller.last.get(DEFAULTS)).toEqual({ mode: 2, skip: 1, syncTimeout: 2000, cteType: 0 });
    const all = received(await connection(0n));
    handOver();
    await settled();
    expect([all.length, parametersOfLink()]).toEqual([1, undefined]);
    controller.last.delete(DEFAULTS);
    await device.hci.reset();
    await settled();
    expect([controller.last.get(DEFAULTS)?.mode, all[0]!.sync.active]).toEqual([2, false]);
  });

  test("is taken on the terms of the link's policy where those are others", async () => {
    await reopen({ policy: { syncTransfers: {} } });
    await connection(0n, 1, { syncTransfers: "ignore" });
    await settled();
    expect(parametersOfLink()).toMatchObject({ connectionHandle: 1, mode: 0 });
    await reopen({});
    const all = received(await connection(0n, 1, { syncTransfers: { receive: false } }));
    await settled();
    expect(parametersOfLink()).toMatchObject({ connectionHandle: 1, mode: 1 });
    handOver();
    await settled();
    expect(all.length).toBe(1);
  });

  test("terms are checked, refused by a controller without it, and taken back where it refuses", async () => {
    const link = await connection(0n);
    for (const wrong of [{ skip: 500 }, { syncTimeoutMs: 1 }, { timeoutMs: 1 }, "accept", null])
      await expect(link.acceptSyncs(wrong as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(device.advertise({ policy: { syncTransfers: { skip: -1 } } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    const all = received(link);
    controller.answers.set("LeSetPeriodicAdvertisingSyncTransferParameters", HciErrorCode.UnspecifiedError);
    await expect(link.acceptSyncs()).rejects.toMatchObject({ code: "ERR_HCI" });
    handOver();
    await settled();
    expect([all, isEnded()]).toEqual([[], 7]);
    controller.lose(1);
    await link.closed;
    await expect(link.acceptSyncs()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    await device.close();
    controller = new ScriptedController({ leFeatures: bits(LeFeature.LeExtendedAdvertising) });
    device = await Device.open(controller.transport, { clock, policy: { syncTransfers: {} } });
    const other = await connection(0n);
    await expect(other.acceptSyncs()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await other.acceptSyncs("ignore");
  });
});
