import { expect, test } from "vitest";
import { EXTENDED, enableSets, octets, setParameters } from "../../test/support/raw-extended.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { createSync, PERIODIC, setPeriodicData, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";
import { Address } from "../core/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToPeriodicAdvertiserList,
  LeClearAdvertisingSets,
  LeClearPeriodicAdvertiserList,
  LeFeature,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LePeriodicAdvertisingTerminateSync,
  LeReadLocalSupportedFeatures,
  LeReadPeriodicAdvertiserListSize,
  LeRemoveAdvertisingSet,
  LeRemoveDeviceFromPeriodicAdvertiserList,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingReceiveEnable,
  LeSetScanEnable,
  ReadLocalSupportedCommands,
} from "../hci/index.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownAdvertisingIdentifier;
const TOO_LONG = HciErrorCode.PacketTooLong;
const FULL = HciErrorCode.MemoryCapacityExceeded;

const parameters = (more: object = {}) => ({
  advertisingHandle: 0,
  periodicAdvertisingIntervalMin: 80,
  periodicAdvertisingIntervalMax: 80,
  periodicAdvertisingProperties: 0,
  ...more,
});
const peer = Address.from("C0:11:22:33:44:55/random");

async function oneHost(options: object = PERIODIC) {
  const { air } = makeAir();
  const { host, controller } = await makeHost(air, options);
  return { air, host, controller };
}

test("parameters of periodic advertising: what is refused, and how (Vol 4 Part E 7.8.61)", async () => {
  const { air, host } = await oneHost();
  const check = async (more: object = {}): Promise<number> =>
    (await host.command(LeSetPeriodicAdvertisingParameters, parameters(more))).status;
  expect(await check()).toBe(UNKNOWN);
  for (const [properties, status] of [
    [0x01, INVALID],
    [0x02, INVALID],
    [0x13, INVALID],
    [0x20, INVALID],
    [0x40, OK],
    [0x00, OK],
  ] as const) {
    await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 });
    await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties: properties }));
    expect(await check()).toBe(status);
  }
  for (const [more, status] of [
    [{ advertisingHandle: 0xf0 }, INVALID],
    [{ advertisingHandle: 1 }, UNKNOWN],
    [{ periodicAdvertisingIntervalMin: 5 }, INVALID],
    [{ periodicAdvertisingIntervalMin: 81 }, INVALID],
    [{ periodicAdvertisingIntervalMin: 6, periodicAdvertisingIntervalMax: 0xffff }, OK],
    [{ periodicAdvertisingProperties: 0x41 }, INVALID],
    [{ periodicAdvertisingProperties: 0x40 }, OK],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingHandle: 0xef }));
  expect(await check({ advertisingHandle: 0xef })).toBe(OK);
  // Once it is configured, the set stays of a kind that may have it.
  for (const advertisingEventProperties of [0x01, 0x02, 0x10, 0x20])
    expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties }))).status).toBe(INVALID);
  expect(await check({ periodicAdvertisingIntervalMin: 160, periodicAdvertisingIntervalMax: 160 })).toBe(OK);
  expect(await setPeriodicData(host, octets(1650))).toBe(OK);
  expect(await check({ periodicAdvertisingIntervalMin: 6, periodicAdvertisingIntervalMax: 10 })).toBe(TOO_LONG);
  await host.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 });
  expect(await check()).toBe(DISALLOWED);
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters({ secondaryAdvertisingPhy: 2 }))).status).toBe(DISALLOWED);
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingSid: 2 }))).status).toBe(OK);
  air[Symbol.dispose]();
});

test("data of periodic advertising: fragments, their order and their room (Vol 4 Part E 7.8.62)", async () => {
  const { air, host } = await oneHost({ ...PERIODIC, maxAdvertisingDataLength: 1000 });
  const data = async (operation: number, length: number, handle = 0): Promise<number> =>
    (await host.command(LeSetPeriodicAdvertisingData, { advertisingHandle: handle, operation, advertisingData: octets(length) })).status;
  const enable = async (value: number): Promise<number> =>
    (await host.command(LeSetPeriodicAdvertisingEnable, { enable: value, advertisingHandle: 0 })).status;
  expect([await data(3, 1, 0xf0), await data(3, 1)]).toEqual([INVALID, UNKNOWN]);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  expect([await data(3, 1), await enable(1)]).toEqual([DISALLOWED, DISALLOWED]);
  await host.command(LeSetPeriodicAdvertisingParameters, parameters());
  expect([await data(5, 1), await data(0, 1), await data(2, 1), await data(1, 0), await data(4, 0)]).toEqual([
    INVALID,
    DISALLOWED,
    DISALLOWED,
    INVALID,
    INVALID,
  ]);
  expect([await data(1, 252), await enable(1), await data(0, 252), await data(0, 252), await data(2, 244)]).toEqual([
    OK,
    DISALLOWED,
    OK,
    OK,
    OK,
  ]);
  expect([await data(1, 252), await data(0, 252), await data(0, 252), await data(2, 245)]).toEqual([OK, OK, OK, FULL]);
  expect([await enable(4), await enable(3), await data(4, 0)]).toEqual([INVALID, OK, INVALID]); // the data is gone
  expect([await data(1, 10), await data(3, 0), await data(3, 200), await data(4, 1), await data(4, 0)]).toEqual([
    DISALLOWED,
    OK,
    OK,
    INVALID,
    OK,
  ]);
  await enable(0);
  await host.command(
    LeSetPeriodicAdvertisingParameters,
    parameters({ periodicAdvertisingIntervalMin: 6, periodicAdvertisingIntervalMax: 6 }),
  );
  expect([await data(1, 252), await data(0, 252), await data(0, 252), await data(2, 244)]).toEqual([OK, OK, OK, TOO_LONG]);
  air[Symbol.dispose]();
});

test("a set whose train is on is neither removed nor cleared (Vol 4 Part E 7.8.59, 7.8.60, 7.8.63)", async () => {
  const { air, host } = await oneHost();
  const enable = async (value: number, advertisingHandle = 0): Promise<number> =>
    (await host.command(LeSetPeriodicAdvertisingEnable, { enable: value, advertisingHandle })).status;
  expect([await enable(1, 0xf0), await enable(1), await enable(0)]).toEqual([INVALID, UNKNOWN, UNKNOWN]);
  await startPeriodic(host);
  await host.command(LeSetExtendedAdvertisingEnable, { enable: false, sets: [] });
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(DISALLOWED);
  expect((await host.command(LeClearAdvertisingSets, {})).status).toBe(DISALLOWED);
  expect([await enable(1), await enable(0), await enable(0), await enable(2)]).toEqual([OK, OK, OK, OK]);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(OK);
  expect(await enable(0)).toBe(UNKNOWN);
  air[Symbol.dispose]();
});

test("a search for a train: what is refused, one at a time, as many as there is room for (Vol 4 Part E 7.8.67, 7.8.68)", async () => {
  const { air, host } = await oneHost({ ...PERIODIC, maxPeriodicSyncs: 1, name: "scanner" });
  const { host: advertiser, controller } = await makeHost(air, { ...PERIODIC, name: "advertiser" });
  const create = async (more: object = {}): Promise<number> =>
    (await host.command(LePeriodicAdvertisingCreateSync, { ...createSync(peer), ...more })).status;
  const cancel = async (): Promise<number> => (await host.command(LePeriodicAdvertisingCreateSyncCancel, {})).status;
  expect(await cancel()).toBe(DISALLOWED);
  for (const [more, status] of [
    [{ options: 8 }, INVALID],
    [{ advertisingSid: 0x10 }, INVALID],
    [{ advertiserAddressType: 2 }, INVALID],
    [{ skip: 0x1f4 }, INVALID],
    [{ syncTimeout: 9 }, INVALID],
    [{ syncTimeout: 0x4001 }, INVALID],
    [{ syncCteType: 0x20 }, INVALID],
    [{ syncCteType: 0x1f }, DISALLOWED],
    [{ skip: 0x1f3, syncTimeout: 0x4000 }, OK],
    [{ options: 1, advertisingSid: 0x10, advertiserAddressType: 2 }, OK],
  ] as const) {
    expect([more, await create(more)]).toEqual([more, status]);
    if (status !== OK) continue;
    expect(await create()).toBe(DISALLOWED);
    expect(await cancel()).toBe(OK);
  }
  for (const syncHandle of [0, 0xeff]) {
    expect((await host.command(LePeriodicAdvertisingTerminateSync, { syncHandle })).status).toBe(UNKNOWN);
    expect((await host.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 1 })).status).toBe(UNKNOWN);
  }
  expect((await host.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0xf00 })).status).toBe(INVALID);
  expect((await host.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle: 0xf00, enable: 1 })).status).toBe(INVALID);
  expect((await host.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle: 0, enable: 4 })).status).toBe(INVALID);
  await startPeriodic(advertiser);
  await synchronize(host, controller.address);
  expect(await create()).toBe(FULL);
  air[Symbol.dispose]();
});

test("the Periodic Advertiser List: once each, no more than fit, none while it is searched by (Vol 4 Part E 7.8.70 to 7.8.73)", async () => {
  const { air, host } = await oneHost({ ...PERIODIC, periodicAdvertiserListSize: 2 });
  const entry = (sid: number, type: number = peer.type) => ({
    advertiserAddressType: type,
    advertiserAddress: peer.bytes,
    advertisingSid: sid,
  });
  const add = async (sid: number, type?: number): Promise<number> =>
    (await host.command(LeAddDeviceToPeriodicAdvertiserList, entry(sid, type))).status;
  const remove = async (sid: number, type?: number): Promise<number> =>
    (await host.command(LeRemoveDeviceFromPeriodicAdvertiserList, entry(sid, type))).status;
  expect(await host.command(LeReadPeriodicAdvertiserListSize, {})).toEqual({ status: OK, periodicAdvertiserListSize: 2 });
  expect([await add(0x10), await add(1, 2), await remove(0x10), await remove(1, 2)]).toEqual([INVALID, INVALID, INVALID, INVALID]);
  expect([await add(1), await add(1), await add(1, 0), await add(2)]).toEqual([OK, INVALID, OK, FULL]);
  expect([await remove(2), await remove(1), await remove(1), await add(2)]).toEqual([UNKNOWN, OK, UNKNOWN, OK]);
  await host.command(LePeriodicAdvertisingCreateSync, createSync(peer));
  const clear = async (): Promise<number> => (await host.command(LeClearPeriodicAdvertiserList, {})).status;
  expect([await add(3), await remove(2), await clear()]).toEqual([DISALLOWED, DISALLOWED, DISALLOWED]);
  await host.command(LePeriodicAdvertisingCreateSyncCancel, {});
  expect([await clear(), await remove(2), await add(3), await add(4)]).toEqual([OK, UNKNOWN, OK, OK]);
  air[Symbol.dispose]();
});

test("features and commands say truly what there is; without the feature its commands are unknown", async () => {
  const { air, host } = await oneHost();
  const { leFeatures } = await host.command(LeReadLocalSupportedFeatures, {});
  const { supportedCommands } = await host.command(ReadLocalSupportedCommands, {});
  for (const bit of [LeFeature.LePeriodicAdvertising, LeFeature.PeriodicAdvertisingAdiSupport, LeFeature.LeExtendedAdvertising])
    expect((leFeatures >> BigInt(bit)) & 1n).toBe(1n);
  expect([supportedCommands[37]! & 0x1c, supportedCommands[38]! & 0x7f, supportedCommands[40]! & 0x20]).toEqual([0x1c, 0x7f, 0x20]);
  // The commands of one kind go together (Vol 4 Part E 3.1.1).
  await host.command(LeReadPeriodicAdvertiserListSize, {});
  expect((await host.command(LeSetScanEnable, { leScanEnable: true, filterDuplicates: false })).status).toBe(DISALLOWED);
  const { host: without } = await makeHost(air, { ...EXTENDED, name: "without" });
  const unknown = { status: HciErrorCode.UnknownHciCommand };
  expect(await without.command(LeSetPeriodicAdvertisingParameters, parameters())).toEqual(unknown);
  expect(await without.command(LePeriodicAdvertisingCreateSync, createSync(peer))).toEqual(unknown);
  expect(((await without.command(LeReadLocalSupportedFeatures, {})).leFeatures >> BigInt(LeFeature.LePeriodicAdvertising)) & 1n).toBe(0n);
  expect(await enableSets(without, {})).toBe(UNKNOWN);
  air[Symbol.dispose]();
});
