import { expect, test } from "vitest";
import { enableSets, octets, reportsOf, scanExtended, setParameters } from "../../test/support/raw-extended.ts";
import type { makeAir } from "../../test/support/raw-pair.ts";
import { createSync, periodicPair, periodicReports, setPeriodicData, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";
import { type AirTraceEntry, airTimeUs, periodicChannel, readAuxiliaryPointer } from "../air/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToPeriodicAdvertiserList,
  LeAddDeviceToResolvingList,
  LeEnhancedConnectionComplete,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingTerminateSync,
  LeSetAddressResolutionEnable,
  LeSetEventMask,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedScanEnable,
  LeSetHostChannelClassification,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingReceiveEnable,
} from "../hci/index.ts";
import { decodeSyncInfo, readAcad } from "./periodic/sync-info.ts";
import { readExtendedPdu } from "./roles/extended-pdus.ts";

const OK = HciErrorCode.Success;
const ADVERTISING = 0x8e89bed6;

type Air = ReturnType<typeof makeAir>["air"];
const airEntries = (air: Air): AirTraceEntry[] => air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");
const trainEntries = (air: Air): AirTraceEntry[] => airEntries(air).filter(({ accessAddress }) => accessAddress !== ADVERTISING);
const disable = { enable: false, sets: [] };
const off = { enable: 0, advertisingHandle: 0 };

test("a train on each PHY: SyncInfo tells where it is, events keep their interval, and data comes whole", async () => {
  for (const [phy, options] of [
    [1, 0],
    [2, 0],
    [3, 0],
  ] as const) {
    const { air, clock, advertiser, scanner, controllers } = await periodicPair(1, { idle: "simulate" });
    const advertising = {
      secondaryAdvertisingPhy: phy,
      secondaryAdvertisingPhyOptions: options,
      advertisingSid: 7,
      advertisingTxPower: -3,
    };
    await startPeriodic(advertiser, { data: octets(600), interval: 160, properties: 0x40, advertising });
    const established = await synchronize(scanner, controllers.advertiser.address, { sid: 7 });
    expect(established).toEqual({
      status: OK,
      syncHandle: 0,
      advertisingSid: 7,
      advertiserAddressType: 0,
      advertiserAddress: controllers.advertiser.address.bytes,
      advertiserPhy: phy,
      periodicAdvertisingInterval: 160,
      advertiserClockAccuracy: 5,
      numSubevents: 0,
      subeventInterval: 0,
      responseSlotDelay: 0,
      responseSlotSpacing: 0,
    });
    expect(reportsOf(scanner)[0]).toMatchObject({ periodicAdvertisingInterval: 160, secondaryPhy: phy });
    await clock.advance(1000);
    const aux = airEntries(air).find(({ pdu }) => (readExtendedPdu(pdu)?.syncInfoAt ?? -1) >= 0)!;
    const info = decodeSyncInfo(aux.pdu, readExtendedPdu(aux.pdu)!.syncInfoAt)!;
    const train = trainEntries(air);
    const first = train.find(({ timeUs }) => timeUs >= aux.timeUs + info.offsetUs)!;
    expect(first.timeUs - aux.timeUs - info.offsetUs).toBeLessThan(info.unitUs);
    const begins = train.filter(({ pdu }) => pdu.length === 257 && readExtendedPdu(pdu)!.txPowerDbm === -3);
    for (const [i, packet] of begins.entries()) {
      expect([packet.timeUs - begins[0]!.timeUs, packet.accessAddress, packet.phy]).toEqual([i * 200_000, info.accessAddress, phy]);
      expect(packet.channel).toBe(periodicChannel(info.accessAddress, i, 0, info.channelMap));
      const pointer = readAuxiliaryPointer(packet.pdu, readExtendedPdu(packet.pdu)!.auxPtrAt);
      const next = train[train.indexOf(packet) + 1]!;
      expect([packet.timeUs + pointer.offsetUs, pointer.channel, pointer.phy]).toEqual([next.timeUs, next.channel, phy]);
      expect(next.timeUs - packet.timeUs - airTimeUs(phy, 255)).toBeGreaterThanOrEqual(300);
    }
    const reports = periodicReports(scanner);
    expect(reports.length).toBeGreaterThanOrEqual(15);
    expect(reports.slice(0, 3).map(({ dataStatus, data }) => [dataStatus, data.length])).toEqual([
      [1, 244],
      [1, 244],
      [0, 112],
    ]);
    expect(reports.slice(0, 3).flatMap(({ data }) => [...data])).toEqual([...octets(600)]);
    expect(reports[3]).toMatchObject({ txPower: -3, rssi: -43, cteType: 0xff, subevent: 0xff });
    expect(reports[3]!.periodicEventCounter).toBe(reports[0]!.periodicEventCounter + 1);
    air[Symbol.dispose]();
  }
});

test("first versions of the events where the host has the second ones masked; none without both", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser, { data: octets(248) });
  const secondVersions = (1n << 0x23n) | (1n << 0x24n);
  await scanner.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffffn & ~secondVersions });
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(controllers.advertiser.address));
  await scanExtended(scanner);
  await clock.advance(400);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablished)[0]).toMatchObject({ status: OK, periodicAdvertisingInterval: 80 });
  expect(scanner.all(LePeriodicAdvertisingReport).slice(0, 2)).toMatchObject([
    { dataStatus: 1, data: octets(247) },
    { dataStatus: 0, data: Uint8Array.of(247) },
  ]);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
  expect(periodicReports(scanner)).toEqual([]);
  await scanner.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffffn & ~(secondVersions | (1n << 0x0en)) });
  scanner.events.length = 0;
  await clock.advance(400);
  expect(scanner.all(LePeriodicAdvertisingReport)).toEqual([]);
  air[Symbol.dispose]();
});

test("synchronization takes place while scanning is on, and by address, by identity or by the list, whatever the scan filter", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  const irk = octets(16).map((octet) => octet + 1);
  const { address } = controllers.scanner;
  await advertiser.command(LeAddDeviceToResolvingList, { peerIdentityAddress: address, peerIrk: new Uint8Array(16), localIrk: irk });
  const peerIdentityAddress = controllers.advertiser.address;
  await scanner.command(LeAddDeviceToResolvingList, { peerIdentityAddress, peerIrk: irk, localIrk: new Uint8Array(16) });
  await scanner.command(LeSetAddressResolutionEnable, { addressResolutionEnable: true });
  await startPeriodic(advertiser, {
    advertising: { ownAddressType: 2, peerAddressType: address.type, peerAddress: address.bytes, advertisingSid: 3 },
  });
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(peerIdentityAddress, { sid: 3 }));
  await clock.advance(1000);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
  await scanExtended(scanner, { policy: 1 }); // an empty Filter Accept List: nothing is reported
  await clock.advance(500);
  expect(reportsOf(scanner)).toEqual([]);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)[0]).toMatchObject({
    status: OK,
    advertiserAddressType: 2,
    advertiserAddress: peerIdentityAddress.bytes,
  });
  // The same train is not followed twice, and is found no more.
  expect(await scanner.command(LePeriodicAdvertisingCreateSync, createSync(peerIdentityAddress, { sid: 3 }))).toEqual({
    status: HciErrorCode.ConnectionAlreadyExists,
  });
  expect(await scanner.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 })).toEqual({ status: OK });
  scanner.events.length = 0;
  await clock.advance(300);
  expect([periodicReports(scanner), scanner.all(LePeriodicAdvertisingSyncLost)]).toEqual([[], []]);
  const listed = { advertiserAddressType: 0, advertiserAddress: peerIdentityAddress.bytes, advertisingSid: 3 };
  await scanner.command(LeAddDeviceToPeriodicAdvertiserList, { ...listed, advertisingSid: 4 });
  await scanner.command(LePeriodicAdvertisingCreateSync, { ...createSync(peerIdentityAddress), options: 1, advertisingSid: 0xff });
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
  await scanner.command(LePeriodicAdvertisingCreateSyncCancel, {});
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toMatchObject([{ status: HciErrorCode.OperationCancelledByHost }]);
  await scanner.command(LeAddDeviceToPeriodicAdvertiserList, listed);
  await scanner.command(LePeriodicAdvertisingCreateSync, { ...createSync(peerIdentityAddress), options: 1, advertisingSid: 0xff });
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)[1]).toMatchObject({ status: OK, syncHandle: 1, advertisingSid: 3 });
  // By the list, too, a train that is followed is no find.
  await scanner.command(LePeriodicAdvertisingCreateSync, { ...createSync(peerIdentityAddress), options: 1 });
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toHaveLength(2);
  air[Symbol.dispose]();
});

test("another SID, another address, a Constant Tone Extension that is asked for: no synchronization", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser, { advertising: { advertisingSid: 1 } });
  const peer = controllers.advertiser.address;
  await scanExtended(scanner);
  for (const choice of [createSync(peer, { sid: 2 }), createSync(controllers.scanner.address, { sid: 1 })]) {
    await scanner.command(LePeriodicAdvertisingCreateSync, choice);
    await clock.advance(500);
    expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
    await scanner.command(LePeriodicAdvertisingCreateSyncCancel, {});
    scanner.events.length = 0;
  }
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(peer, { sid: 1, cteType: 0x10 }));
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toMatchObject([{ status: HciErrorCode.UnsupportedRemoteFeature }]);
  scanner.events.length = 0;
  // One of the list that lacks it is no end of the search.
  const listed = { advertiserAddressType: 0, advertiserAddress: peer.bytes, advertisingSid: 1 };
  await scanner.command(LeAddDeviceToPeriodicAdvertiserList, listed);
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(peer, { options: 1, cteType: 0x10 }));
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
  expect((await scanner.command(LePeriodicAdvertisingCreateSyncCancel, {})).status).toBe(OK);
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(peer, { sid: 1, cteType: 0x0f }));
  await clock.advance(500);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)[1]).toMatchObject({ status: OK });
  air[Symbol.dispose]();
});

test("no packet in six events is 0x3E; silence for the sync timeout is a lost train", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser);
  const hook = air.onPacket(({ accessAddress }) => (accessAddress === ADVERTISING ? undefined : "lose"));
  await scanExtended(scanner);
  await scanner.command(LePeriodicAdvertisingCreateSync, createSync(controllers.advertiser.address));
  await clock.advance(550);
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toEqual([]);
  await clock.advance(350);
  const failed = { status: HciErrorCode.ConnectionFailedToBeEstablished, syncHandle: 0, periodicAdvertisingInterval: 0 };
  expect(scanner.all(LePeriodicAdvertisingSyncEstablishedV2)).toMatchObject([failed]);
  expect((await scanner.command(LePeriodicAdvertisingCreateSyncCancel, {})).status).toBe(HciErrorCode.CommandDisallowed);
  hook[Symbol.dispose]();
  await scanner.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  const { syncHandle } = await synchronize(scanner, controllers.advertiser.address, { timeout: 50 });
  await clock.advance(1000);
  await advertiser.command(LeSetPeriodicAdvertisingEnable, off);
  const before = periodicReports(scanner).length;
  await clock.advance(380);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([]);
  await clock.advance(150);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([{ syncHandle }]);
  expect(periodicReports(scanner).length).toBe(before);
  expect((await scanner.command(LePeriodicAdvertisingTerminateSync, { syncHandle })).status).toBe(
    HciErrorCode.UnknownAdvertisingIdentifier,
  );
  air[Symbol.dispose]();
});

test("skip passes over so many events; a packet that is missed ends that, and the timeout comes before it", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser);
  await synchronize(scanner, controllers.advertiser.address, { skip: 4 });
  await clock.advance(2000);
  const counters = (): number[] => periodicReports(scanner).map(({ periodicEventCounter }) => periodicEventCounter);
  const [first = 0] = counters();
  expect(counters().slice(0, 4)).toEqual([first, first + 5, first + 10, first + 15]);
  scanner.events.length = 0;
  let lost = 0;
  air.onPacket(({ accessAddress }) => (accessAddress !== ADVERTISING && lost++ < 2 ? "lose" : undefined));
  await clock.advance(1500);
  const [after = 0, then = 0] = counters();
  expect([(after - first) % 5, then - after]).toEqual([2, 5]);
  await scanner.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 });
  scanner.events.length = 0;
  await synchronize(scanner, controllers.advertiser.address, { skip: 100, timeout: 35 });
  await clock.advance(2000);
  const [begin = 0] = counters();
  expect(counters().slice(0, 4)).toEqual([begin, begin + 3, begin + 6, begin + 9]);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([]);
  air[Symbol.dispose]();
});

test("ADI: the same data is reported once where the host filters, other data or another DID again", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser, { data: octets(10), enable: 3 });
  const { syncHandle } = await synchronize(scanner, controllers.advertiser.address, { options: 4 });
  await clock.advance(1000);
  const lengths = (): number[] => periodicReports(scanner).map(({ data }) => data.length);
  expect(lengths()).toEqual([10]);
  expect(await setPeriodicData(advertiser, octets(20))).toBe(OK);
  await clock.advance(1000);
  const unchanged = { advertisingHandle: 0, operation: 4, advertisingData: octets(0) };
  expect((await advertiser.command(LeSetPeriodicAdvertisingData, unchanged)).status).toBe(OK);
  await clock.advance(1000);
  expect(lengths()).toEqual([10, 20, 20]);
  // Switched on anew, the filter begins anew.
  await scanner.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 3 });
  await clock.advance(250);
  expect(lengths()).toEqual([10, 20, 20, 20]);
  await scanner.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 1 });
  await clock.advance(250);
  expect(lengths().length).toBeGreaterThanOrEqual(6);
  // Without ADI there is nothing to tell duplicates by.
  await advertiser.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 });
  await scanner.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 3 });
  scanner.events.length = 0;
  await clock.advance(1000);
  expect(lengths().length).toBeGreaterThanOrEqual(9);
  air[Symbol.dispose]();
});

test("with ADI, and without the filter, every event is reported", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser, { data: octets(10), enable: 3 });
  await synchronize(scanner, controllers.advertiser.address);
  await clock.advance(500);
  expect(periodicReports(scanner).length).toBeGreaterThanOrEqual(5);
  air[Symbol.dispose]();
});

test("reports off at first, and on and off: the train is followed all the same", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser);
  const { syncHandle } = await synchronize(scanner, controllers.advertiser.address, { options: 2, timeout: 30 });
  await clock.advance(2000);
  expect(periodicReports(scanner)).toEqual([]);
  expect(await scanner.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 1 })).toEqual({ status: OK });
  await clock.advance(500);
  await scanner.command(LeSetPeriodicAdvertisingReceiveEnable, { syncHandle, enable: 0 });
  const { length } = periodicReports(scanner);
  expect(length).toBeGreaterThanOrEqual(4);
  await clock.advance(2000);
  expect(periodicReports(scanner)).toHaveLength(length);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([]);
  air[Symbol.dispose]();
});

test("a chain that breaks is truncated: its end is told, and the next event is whole again", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser, { data: octets(600), interval: 160 });
  await synchronize(scanner, controllers.advertiser.address);
  await clock.advance(50);
  scanner.events.length = 0;
  let packets = 0;
  air.onPacket(({ accessAddress }) => (accessAddress !== ADVERTISING && ++packets === 2 ? "lose" : undefined));
  await clock.advance(450);
  const reports = periodicReports(scanner);
  expect(reports.map(({ dataStatus, data }) => [dataStatus, data.length])).toEqual([
    [1, 244],
    [2, 6],
    [1, 244],
    [1, 244],
    [0, 112],
  ]);
  expect(reports[1]!.rssi).toBe(-40);
  air[Symbol.dispose]();
});

test("the train begins with its set, goes on without it, and is announced while it runs", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair(1, { idle: "simulate" });
  await advertiser.command(LeSetExtendedAdvertisingParameters, setParameters());
  const parameters = { advertisingHandle: 0, periodicAdvertisingProperties: 0 };
  const interval = { periodicAdvertisingIntervalMin: 80, periodicAdvertisingIntervalMax: 96 };
  expect((await advertiser.command(LeSetPeriodicAdvertisingParameters, { ...parameters, ...interval })).status).toBe(OK);
  expect((await advertiser.command(LeSetPeriodicAdvertisingEnable, { enable: 1, advertisingHandle: 0 })).status).toBe(OK);
  await clock.advance(500);
  expect(trainEntries(air)).toEqual([]);
  await enableSets(advertiser, {});
  const established = await synchronize(scanner, controllers.advertiser.address);
  expect(established.periodicAdvertisingInterval).toBeGreaterThanOrEqual(80);
  expect(established.periodicAdvertisingInterval).toBeLessThanOrEqual(96);
  await advertiser.command(LeSetExtendedAdvertisingEnable, disable);
  scanner.events.length = 0;
  await clock.advance(1500);
  expect(periodicReports(scanner).length).toBeGreaterThanOrEqual(12);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([]);
  await advertiser.command(LeSetPeriodicAdvertisingEnable, off);
  await enableSets(advertiser, {});
  scanner.events.length = 0;
  await scanExtended(scanner);
  await clock.advance(300);
  expect(reportsOf(scanner)[0]).toMatchObject({ periodicAdvertisingInterval: 0 });
  air[Symbol.dispose]();
});

test("other channels of the host take effect at an instant that ACAD tells, for receivers as well", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser);
  await synchronize(scanner, controllers.advertiser.address);
  const allowed = new Set([0, 1, 2, 3, 4, 5]);
  await advertiser.command(LeSetHostChannelClassification, { channelMap: Uint8Array.of(0x3f, 0, 0, 0, 0) });
  await clock.advance(3000);
  const packets = trainEntries(air);
  const told = packets.filter(({ pdu }) => readAcad(readExtendedPdu(pdu)!.acad).update);
  expect(told.length).toBeGreaterThanOrEqual(6);
  const { instant, channelMap } = readAcad(readExtendedPdu(told[0]!.pdu)!.acad).update!;
  expect(channelMap).toEqual(Uint8Array.of(0x3f, 0, 0, 0, 0));
  const behind = periodicReports(scanner).filter(({ periodicEventCounter }) => periodicEventCounter >= instant);
  expect(behind.length).toBeGreaterThanOrEqual(15);
  expect(packets.slice(-behind.length).every(({ channel, receivedBy }) => allowed.has(channel) && receivedBy.length === 1)).toBe(true);
  // Who comes now reads the channels from SyncInfo; a train that nobody follows changes too.
  await scanner.command(LePeriodicAdvertisingTerminateSync, { syncHandle: 0 });
  await advertiser.command(LeSetHostChannelClassification, { channelMap: Uint8Array.of(0, 0, 0, 0, 0x1f) });
  await clock.advance(2000);
  await synchronize(scanner, controllers.advertiser.address);
  await clock.advance(500);
  expect(
    trainEntries(air)
      .slice(-4)
      .every(({ channel }) => channel >= 32),
  ).toBe(true);
  air[Symbol.dispose]();
});

test("a host that is reset, or gone, leaves no train and no synchronization behind", async () => {
  const { air, clock, advertiser, scanner, controllers } = await periodicPair();
  await startPeriodic(advertiser);
  await synchronize(scanner, controllers.advertiser.address);
  await scanner.start();
  scanner.events.length = 0;
  await clock.advance(500);
  expect(scanner.events).toEqual([]);
  const { syncHandle } = await synchronize(scanner, controllers.advertiser.address);
  await advertiser.start();
  await clock.advance(2000);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([{ syncHandle }]);
  expect(scanner.all(LePeriodicAdvertisingReportV2).length).toBeLessThanOrEqual(2);
  expect(scanner.all(LeEnhancedConnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});
