import { expect, test } from "vitest";
import { advertiseExtended, connectExtended, octets } from "../../test/support/raw-extended.ts";
import type { RawHost } from "../../test/support/raw-host.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { PERIODIC, periodicReports, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";
import type { AirOptions } from "../air/index.ts";
import type { VirtualClock } from "../async/index.ts";
import {
  HciErrorCode,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  LeFeature,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingSetInfoTransfer,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransfer,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
  LePeriodicAdvertisingTerminateSync,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeReadRemoteFeaturesComplete,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
  LeSetEventMask,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingSyncTransferParameters,
  ReadLocalSupportedCommands,
} from "../hci/index.ts";
import type { Controller } from "./controller.ts";
import type { ControllerOptions } from "./options.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN_SET = HciErrorCode.UnknownAdvertisingIdentifier;
const UNKNOWN_LINK = HciErrorCode.UnknownConnectionIdentifier;

const terms = (more: object = {}) => ({ mode: 2, skip: 0, syncTimeout: 100, cteType: 0, ...more });

interface Party {
  host: RawHost;
  controller: Controller;
}

/** The handle of a link that has just come. */
function handleOf(host: RawHost): number {
  const events = [...host.all(LeEnhancedConnectionComplete), ...host.all(LeEnhancedConnectionCompleteV2)];
  return events.at(-1)!.connectionHandle;
}

/** A link between two, whose handles it gives. */
async function link(clock: VirtualClock, central: Party, peripheral: Party): Promise<[number, number]> {
  await advertiseExtended(peripheral.host, { advertisingHandle: 9, advertisingEventProperties: 1, advertisingSid: 9 });
  await connectExtended(central.host, peripheral.controller.address, { interval: 24 });
  await clock.advance(500);
  return [handleOf(central.host), handleOf(peripheral.host)];
}

async function readFeatures(host: RawHost, connectionHandle: number): Promise<void> {
  const complete = host.event(LeReadRemoteFeaturesComplete);
  await host.command(LeReadRemoteFeatures, { connectionHandle });
  await complete;
}

/** An advertiser with a train, a helper that follows it, and a phone without radio time for scanning; the helper and the phone are linked. */
async function three(options: Partial<AirOptions> & { phone?: Partial<ControllerOptions> } = {}) {
  const { phone: more, ...rest } = options;
  const { air, clock } = makeAir({ seed: 4, ...rest });
  const advertiser = await makeHost(air, { ...PERIODIC, name: "advertiser" });
  const helper = await makeHost(air, { ...PERIODIC, name: "helper" });
  const phone = await makeHost(air, { ...PERIODIC, name: "phone", ...more });
  return { air, clock, advertiser, helper, phone };
}

const received = (host: RawHost) => host.all(LePeriodicAdvertisingSyncTransferReceivedV2);

test("a train is told to a peer, by a central as by a peripheral: the peer follows it and never scanned", async () => {
  for (const isCentral of [true, false]) {
    const { air, clock, advertiser, helper, phone } = await three();
    await startPeriodic(advertiser.host, {
      data: octets(300),
      interval: 160,
      advertising: { advertisingSid: 5, secondaryAdvertisingPhy: 2 },
    });
    const { syncHandle } = await synchronize(helper.host, advertiser.controller.address, { sid: 5 });
    const handles = isCentral ? await link(clock, helper, phone) : (await link(clock, phone, helper)).reverse();
    const [connectionHandle = 0, atPhone = 0] = handles;
    const send = { connectionHandle, serviceData: 0xbeef, syncHandle };
    // What it takes, the peer has to have said.
    expect((await helper.host.command(LePeriodicAdvertisingSyncTransfer, send)).status).toBe(HciErrorCode.UnsupportedRemoteFeature);
    await readFeatures(helper.host, connectionHandle);
    expect(await helper.host.command(LePeriodicAdvertisingSyncTransfer, send)).toEqual({ status: OK, connectionHandle });
    await clock.advance(500);
    expect(received(phone.host)).toEqual([]); // by default trains are ignored
    const wanted = { connectionHandle: atPhone, ...terms() };
    expect(await phone.host.command(LeSetPeriodicAdvertisingSyncTransferParameters, wanted)).toEqual({
      status: OK,
      connectionHandle: atPhone,
    });
    await helper.host.command(LePeriodicAdvertisingSyncTransfer, send);
    await clock.advance(1000);
    expect(received(phone.host)).toEqual([
      {
        status: OK,
        connectionHandle: atPhone,
        serviceData: 0xbeef,
        syncHandle: 0,
        advertisingSid: 5,
        advertiserAddressType: 0,
        advertiserAddress: advertiser.controller.address.bytes,
        advertiserPhy: 2,
        periodicAdvertisingInterval: 160,
        advertiserClockAccuracy: 5,
        numSubevents: 0,
        subeventInterval: 0,
        responseSlotDelay: 0,
        responseSlotSpacing: 0,
      },
    ]);
    const reports = periodicReports(phone.host);
    expect(reports.slice(0, 2).flatMap(({ data }) => [...data])).toEqual([...octets(300)]);
    expect(reports.length).toBeGreaterThanOrEqual(8);
    // Told once more, it is followed already.
    await helper.host.command(LePeriodicAdvertisingSyncTransfer, send);
    await clock.advance(500);
    expect(received(phone.host)).toHaveLength(1);
    await phone.host.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 });
    await helper.host.command(LePeriodicAdvertisingSyncTransfer, send);
    await clock.advance(500);
    expect(received(phone.host)[1]).toMatchObject({ status: OK, syncHandle: 1 });
    air[Symbol.dispose]();
  }
});

test("an advertiser tells of its own train; modes of the receiver, also for links to come", async () => {
  const { air, clock, advertiser, phone } = await three();
  const defaults = LeSetDefaultPeriodicAdvertisingSyncTransferParameters;
  expect(await phone.host.command(defaults, terms({ mode: 1 }))).toEqual({ status: OK });
  const [atAdvertiser, atPhone] = await link(clock, advertiser, phone);
  await readFeatures(advertiser.host, atAdvertiser);
  await startPeriodic(advertiser.host, { data: octets(10), enable: 3, advertising: { advertisingSid: 1 } });
  const send = async (): Promise<number> => {
    const info = { connectionHandle: atAdvertiser, serviceData: 7, advertisingHandle: 0 };
    const { status } = await advertiser.host.command(LePeriodicAdvertisingSetInfoTransfer, info);
    await clock.advance(1500);
    return status;
  };
  expect(await send()).toBe(OK);
  expect(received(phone.host)).toMatchObject([{ status: OK, connectionHandle: atPhone, serviceData: 7, advertisingSid: 1 }]);
  expect(periodicReports(phone.host)).toEqual([]);
  for (const [mode, count] of [
    [3, 1],
    [2, 15],
  ] as const) {
    await phone.host.command(LePeriodicAdvertisingTerminateSync, { syncHandle: received(phone.host).at(-1)!.syncHandle });
    await phone.host.command(LeSetPeriodicAdvertisingSyncTransferParameters, { connectionHandle: atPhone, ...terms({ mode }) });
    phone.host.events.length = 0;
    expect(await send()).toBe(OK);
    const { length } = periodicReports(phone.host);
    expect(length).toBeLessThanOrEqual(count);
    expect(length).toBeGreaterThanOrEqual(count - 2);
  }
  await advertiser.host.command(LeSetPeriodicAdvertisingEnable, { enable: 0, advertisingHandle: 0 });
  await clock.advance(1500);
  expect(phone.host.all(LePeriodicAdvertisingSyncLost)).toHaveLength(1);
  air[Symbol.dispose]();
});

test("a train that is gone, or one too many, is told with its error and the host's value", async () => {
  const { air, clock, advertiser, helper, phone } = await three({ phone: { maxPeriodicSyncs: 1 } });
  await startPeriodic(advertiser.host, { advertising: { advertisingSid: 1 } });
  await startPeriodic(helper.host, { advertising: { advertisingSid: 2 } });
  const { syncHandle } = await synchronize(helper.host, advertiser.controller.address, { sid: 1 });
  await phone.host.command(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, terms());
  const [connectionHandle] = await link(clock, helper, phone);
  await readFeatures(helper.host, connectionHandle);
  await advertiser.host.command(LeSetPeriodicAdvertisingEnable, { enable: 0, advertisingHandle: 0 });
  await helper.host.command(LePeriodicAdvertisingSyncTransfer, { connectionHandle, serviceData: 1, syncHandle });
  await clock.advance(900);
  const none = { syncHandle: 0, advertisingSid: 0, advertiserAddressType: 0, periodicAdvertisingInterval: 0, advertiserPhy: 0 };
  expect(received(phone.host)).toMatchObject([{ status: HciErrorCode.ConnectionFailedToBeEstablished, serviceData: 1, ...none }]);
  await helper.host.command(LePeriodicAdvertisingSetInfoTransfer, { connectionHandle, serviceData: 2, advertisingHandle: 0 });
  await clock.advance(500);
  expect(received(phone.host)[1]).toMatchObject({ status: OK, serviceData: 2, advertisingSid: 2 });
  await startPeriodic(helper.host, { handle: 1, advertising: { advertisingSid: 3 } });
  await helper.host.command(LePeriodicAdvertisingSetInfoTransfer, { connectionHandle, serviceData: 3, advertisingHandle: 1 });
  await clock.advance(500);
  expect(received(phone.host)[2]).toMatchObject({ status: HciErrorCode.MemoryCapacityExceeded, serviceData: 3, ...none });
  air[Symbol.dispose]();
});

test("the first version of the event, where the second is masked; intervals that the offset does not reach; loss and drift", async () => {
  for (const interval of [6, 80, 3900, 8000]) {
    const { air, clock, advertiser, helper, phone } = await three({ loss: 0.1 });
    await phone.host.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffffn & ~((1n << 0x24n) | (1n << 0x25n)) });
    await phone.host.command(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, terms({ syncTimeout: 0x1000 }));
    await startPeriodic(advertiser.host, { interval, advertising: { advertisingSid: 3 } });
    const [connectionHandle] = await link(clock, advertiser, phone);
    await readFeatures(advertiser.host, connectionHandle);
    await advertiser.host.command(LePeriodicAdvertisingSetInfoTransfer, { connectionHandle, serviceData: interval, advertisingHandle: 0 });
    await clock.advance(500 + 5 * interval * 1.25);
    const told = phone.host.all(LePeriodicAdvertisingSyncTransferReceived);
    expect(told).toMatchObject([{ status: OK, serviceData: interval, periodicAdvertisingInterval: interval }]);
    expect(phone.host.all(LePeriodicAdvertisingReport).length).toBeGreaterThanOrEqual(2);
    expect([received(phone.host), helper.host.all(LePeriodicAdvertisingSyncLost)]).toEqual([[], []]);
    air[Symbol.dispose]();
  }
});

test("transfer commands: what is refused, and how (Vol 4 Part E 7.8.89 to 7.8.92)", async () => {
  const { air, clock, advertiser, helper, phone } = await three();
  await startPeriodic(advertiser.host);
  const { syncHandle } = await synchronize(helper.host, advertiser.controller.address);
  const [connectionHandle, atPhone] = await link(clock, helper, phone);
  await readFeatures(helper.host, connectionHandle);
  const transfer = async (more: object): Promise<number> =>
    (await helper.host.command(LePeriodicAdvertisingSyncTransfer, { connectionHandle, serviceData: 0, syncHandle, ...more })).status;
  expect([await transfer({ syncHandle: 5 }), await transfer({ connectionHandle: 0xe00 }), await transfer({})]).toEqual([
    UNKNOWN_SET,
    UNKNOWN_LINK,
    OK,
  ]);
  const inform = async (more: object): Promise<number> => {
    const info = { connectionHandle, serviceData: 0, advertisingHandle: 0, ...more };
    return (await helper.host.command(LePeriodicAdvertisingSetInfoTransfer, info)).status;
  };
  expect([await inform({ advertisingHandle: 0xf0 }), await inform({})]).toEqual([INVALID, UNKNOWN_SET]);
  await advertiseExtended(helper.host);
  expect(await inform({})).toBe(DISALLOWED);
  await startPeriodic(helper.host, { handle: 1 });
  expect([await inform({ advertisingHandle: 1, connectionHandle: 0xe00 }), await inform({ advertisingHandle: 1 })]).toEqual([
    UNKNOWN_LINK,
    OK,
  ]);
  for (const [more, status] of [
    [{ mode: 4 }, INVALID],
    [{ skip: 0x1f4 }, INVALID],
    [{ syncTimeout: 9 }, INVALID],
    [{ syncTimeout: 0x4001 }, INVALID],
    [{ cteType: 0x20 }, INVALID],
    [{ cteType: 0x1f }, DISALLOWED],
    [{ mode: 0, cteType: 0x1f }, OK],
    [{ mode: 3, skip: 0x1f3, syncTimeout: 0x4000, cteType: 0x10 }, OK],
  ] as const) {
    const set = await phone.host.command(LeSetPeriodicAdvertisingSyncTransferParameters, { connectionHandle: atPhone, ...terms(more) });
    expect([more, set]).toEqual([more, { status, connectionHandle: atPhone }]);
    expect(await phone.host.command(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, terms(more))).toEqual({ status });
  }
  const unknown = { connectionHandle: 0xe00, ...terms() };
  expect((await phone.host.command(LeSetPeriodicAdvertisingSyncTransferParameters, unknown)).status).toBe(UNKNOWN_LINK);
  const { leFeatures } = await phone.host.command(LeReadLocalSupportedFeatures, {});
  const { supportedCommands } = await phone.host.command(ReadLocalSupportedCommands, {});
  for (const bit of [LeFeature.PeriodicAdvertisingSyncTransferSender, LeFeature.PeriodicAdvertisingSyncTransferRecipient])
    expect((leFeatures >> BigInt(bit)) & 1n).toBe(1n);
  expect([supportedCommands[40]! & 0xe0, supportedCommands[41]! & 0x03]).toEqual([0xe0, 0x03]);
  air[Symbol.dispose]();
});
