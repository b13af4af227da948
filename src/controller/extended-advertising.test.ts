import { expect, test } from "vitest";
import {
  advertiseExtended,
  EXTENDED,
  enableSets,
  reportsOf,
  scanExtended,
  setData,
  setParameters,
} from "../../test/support/raw-extended.ts";
import { advertise, createConnection, makeAir, makeHost, scan } from "../../test/support/raw-pair.ts";
import type { AirTraceEntry } from "../air/index.ts";
import { airTimeUs, readAuxiliaryPointer } from "../air/index.ts";
import { Address } from "../core/index.ts";
import {
  HciErrorCode,
  LeAdvertisingReport,
  LeAdvertisingSetTerminated,
  LeClearAdvertisingSets,
  LeCreateConnection,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeScanRequestReceived,
  LeScanTimeout,
  LeSetAdvertisingEnable,
  LeSetAdvertisingSetRandomAddress,
  LeSetDataRelatedAddressChanges,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
  LeSetHostFeature,
  LeSetScanEnable,
  Reset,
} from "../hci/index.ts";
import { readExtendedPdu } from "./roles/extended-pdus.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownAdvertisingIdentifier;
const UNSUPPORTED = HciErrorCode.UnsupportedFeatureOrParameterValue;
const octets = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);

async function pair(seed = 1, options: object = {}) {
  const { air, clock } = makeAir({ seed, ...options });
  const advertiser = await makeHost(air, { ...EXTENDED, name: "advertiser" });
  const scanner = await makeHost(air, { ...EXTENDED, name: "scanner" });
  return {
    air,
    clock,
    advertiser: advertiser.host,
    scanner: scanner.host,
    controllers: { advertiser: advertiser.controller, scanner: scanner.controller },
  };
}
const airEntries = (air: ReturnType<typeof makeAir>["air"]): AirTraceEntry[] =>
  air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");

test("extended advertising is reported whole, by reports of 229 octets, on each secondary PHY", async () => {
  for (const [phy, options, expected] of [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [3, 3, 3],
  ] as const) {
    const { air, clock, advertiser, scanner, controllers } = await pair();
    const data = octets(600);
    expect(
      (
        await advertiser.command(
          LeSetExtendedAdvertisingParametersV2,
          setParameters({
            secondaryAdvertisingPhy: phy,
            secondaryAdvertisingPhyOptions: options,
            advertisingSid: 5,
            advertisingEventProperties: 0x40,
          }),
        )
      ).status,
    ).toBe(OK);
    expect([await setData(advertiser, data), await enableSets(advertiser, {})]).toEqual([OK, OK]);
    await scanExtended(scanner, { filterDuplicates: 1 });
    await clock.advance(400);
    const reports = reportsOf(scanner);
    expect(reports.map(({ eventType, data: { length } }) => [eventType, length])).toEqual([
      [0x20, 229],
      [0x20, 229],
      [0x00, 142],
    ]);
    expect(reports.flatMap(({ data: part }) => [...part])).toEqual([...data]);
    expect(reports[0]).toMatchObject({
      addressType: 0,
      address: controllers.advertiser.address.bytes,
      primaryPhy: 1,
      secondaryPhy: expected,
      advertisingSid: 5,
      txPower: 0,
      rssi: -40,
      periodicAdvertisingInterval: 0,
      directAddressType: 0,
    });
    air[Symbol.dispose]();
  }
});

test("1650 octets by fragments, the most there are; one more is refused and takes the data with it", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  await advertiser.command(
    LeSetExtendedAdvertisingParameters,
    setParameters({ primaryAdvertisingIntervalMin: 320, primaryAdvertisingIntervalMax: 320 }),
  );
  expect(await setData(advertiser, octets(1650))).toBe(OK);
  await enableSets(advertiser, {});
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(600);
  const reports = reportsOf(scanner);
  expect(reports.flatMap(({ data }) => [...data])).toEqual([...octets(1650)]);
  expect(reports.map(({ eventType }) => eventType)).toEqual([...Array(7).fill(0x20), 0]);
  await advertiser.command(LeSetExtendedAdvertisingEnable, { enable: false, sets: [] });
  expect(await setData(advertiser, octets(1651))).toBe(HciErrorCode.MemoryCapacityExceeded);
  await enableSets(advertiser, {});
  await scanner.command(LeSetExtendedScanEnable, { enable: true, filterDuplicates: 1, duration: 0, period: 0 });
  scanner.events.length = 0;
  await clock.advance(600);
  expect(reportsOf(scanner).map(({ data }) => data.length)).toEqual([0]);
  air[Symbol.dispose]();
});

test("the packets of an event: ADV_EXT_IND thrice, AuxPtr to the very beginning of AUX_ADV_IND, T_MAFS between, AUX_CHAIN_IND", async () => {
  for (const [primary, secondary] of [
    [1, 1],
    [1, 2],
    [3, 3],
    [1, 3],
  ] as const) {
    const { air, clock, advertiser } = await pair(3, { idle: "simulate" });
    await advertiseExtended(advertiser, {
      data: octets(300),
      primaryAdvertisingPhy: primary,
      secondaryAdvertisingPhy: secondary,
      advertisingSid: 9,
    });
    await clock.advance(250);
    const packets = airEntries(air);
    const first = packets.slice(0, 5);
    expect(first.map(({ channel }) => channel).slice(0, 3)).toEqual([37, 38, 39]);
    const [, , last, aux, chain] = first as [AirTraceEntry, AirTraceEntry, AirTraceEntry, AirTraceEntry, AirTraceEntry];
    for (const packet of first.slice(0, 4)) {
      const view = readExtendedPdu(packet.pdu)!;
      const pointer = readAuxiliaryPointer(packet.pdu, view.auxPtrAt);
      const target = packet === aux ? chain : aux;
      expect(packet.timeUs + pointer.offsetUs).toBe(target.timeUs);
      expect([pointer.channel, pointer.phy, pointer.isClockAccurate, view.adi?.sid]).toEqual([target.channel, secondary, true, 9]);
      expect(target.channel).toBeLessThan(37);
      if (packet === last || packet === aux)
        expect(target.timeUs - packet.timeUs - airTimeUs(packet.phy, packet.pdu.length - 2)).toBeGreaterThanOrEqual(300);
    }
    expect([aux.pdu.length, readExtendedPdu(chain.pdu)!.auxPtrAt]).toEqual([257, -1]);
    // The event after: the interval, and 0 to 10 ms.
    const gap = packets.find(({ timeUs }) => timeUs > chain.timeUs)!.timeUs - first[0]!.timeUs;
    expect(gap).toBeGreaterThanOrEqual(100_000);
    expect(gap).toBeLessThanOrEqual(110_000);
    air[Symbol.dispose]();
  }
});

test("LE Coded on the primary channels is heard by who scans on it, S=2 told apart only for a host that asks for it", async () => {
  for (const [phys, options, asks, told] of [
    [1, 0, false, undefined],
    [4, 0, false, 3],
    [4, 3, false, 3],
    [4, 3, true, 4],
    [5, 3, true, 4],
    [5, 0, true, 3],
  ] as const) {
    const { air, clock, advertiser, scanner } = await pair();
    if (asks) expect((await scanner.command(LeSetHostFeature, { bitNumber: 41, bitValue: true })).status).toBe(OK);
    await advertiser.command(
      LeSetExtendedAdvertisingParametersV2,
      setParameters({
        primaryAdvertisingPhy: 3,
        secondaryAdvertisingPhy: 3,
        primaryAdvertisingPhyOptions: options,
        secondaryAdvertisingPhyOptions: options,
      }),
    );
    await setData(advertiser, octets(40));
    await enableSets(advertiser, {});
    await scanExtended(scanner, { phys });
    await clock.advance(1000);
    expect(reportsOf(scanner).map(({ primaryPhy, secondaryPhy }) => [primaryPhy, secondaryPhy])[0]).toEqual(told && [told, told]);
    air[Symbol.dispose]();
  }
});

test("a scannable set answers AUX_SCAN_REQ with all of its scan response data, and says who asked", async () => {
  const { air, clock, advertiser, scanner, controllers } = await pair();
  await advertiseExtended(advertiser, {
    advertisingEventProperties: 2,
    scanResponse: octets(400),
    secondaryAdvertisingPhy: 2,
    scanRequestNotificationEnable: true,
  });
  await scanExtended(scanner, { active: true, filterDuplicates: 1 });
  await clock.advance(500);
  expect(reportsOf(scanner).map(({ eventType, data }) => [eventType, data.length])).toEqual([
    [0x02, 0],
    [0x2a, 229],
    [0x0a, 171],
  ]);
  expect(advertiser.all(LeScanRequestReceived)).toEqual([
    { advertisingHandle: 0, scannerAddressType: 0, scannerAddress: controllers.scanner.address.bytes },
  ]);
  const aux = airEntries(air)
    .filter(({ channel }) => channel < 37)
    .slice(0, 4);
  expect(aux.map(({ pdu }) => pdu[0]! & 0x0f)).toEqual([7, 3, 7, 7]);
  expect(aux[1]!.timeUs - aux[0]!.timeUs - airTimeUs(2, aux[0]!.pdu.length - 2)).toBe(150);
  expect(aux[2]!.timeUs - aux[1]!.timeUs - airTimeUs(2, 12)).toBe(150);
  air[Symbol.dispose]();
});

test("anonymous advertising has no address, and passes a Filter Accept List that names 0xFF", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  await advertiseExtended(advertiser, { advertisingEventProperties: 0x20, data: octets(10) });
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(200);
  expect(reportsOf(scanner)).toMatchObject([{ addressType: 0xff, address: new Uint8Array(6), data: octets(10) }]);
  await scanner.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  scanner.events.length = 0;
  await scanExtended(scanner, { policy: 1 });
  await clock.advance(300);
  expect(reportsOf(scanner)).toEqual([]);
  air[Symbol.dispose]();
});

test("directed advertising with data is reported to its target alone", async () => {
  const { air, clock, advertiser, scanner, controllers } = await pair();
  const other = await makeHost(air, { ...EXTENDED, name: "other" });
  await advertiseExtended(advertiser, { advertisingEventProperties: 4, data: octets(12), peerAddress: controllers.scanner.address.bytes });
  await scanExtended(scanner, { filterDuplicates: 1 });
  await scanExtended(other.host);
  await clock.advance(400);
  expect(reportsOf(scanner)).toMatchObject([
    { eventType: 4, directAddressType: 0, directAddress: controllers.scanner.address.bytes, data: octets(12) },
  ]);
  expect(reportsOf(other.host)).toEqual([]);
  air[Symbol.dispose]();
});

test("legacy PDUs by extended commands are heard by legacy scanners, and reported with their types by extended ones", async () => {
  for (const [properties, types] of [
    [0x13, [0x13, 0x1b]],
    [0x12, [0x12, 0x1a]],
    [0x10, [0x10]],
    [0x15, [0x15]],
    [0x1d, [0x15]],
  ] as const) {
    const { air, clock, advertiser, scanner, controllers } = await pair();
    const old = await makeHost(air, { name: "old" });
    const isScannable = (properties & 2) !== 0;
    await advertiseExtended(advertiser, {
      advertisingEventProperties: properties,
      peerAddress: controllers.scanner.address.bytes,
      duration: properties === 0x1d ? 100 : 0,
      ...(properties & 4 ? {} : { data: octets(31) }),
      ...(isScannable ? { scanResponse: octets(7) } : {}),
    });
    await scanExtended(scanner, { active: true, filterDuplicates: 1 });
    await scan(old.host, { filterDuplicates: true });
    await clock.advance(400);
    const reports = reportsOf(scanner);
    expect([properties, reports.map(({ eventType }) => eventType)]).toEqual([properties, types]);
    expect(reports[0]).toMatchObject({ primaryPhy: 1, secondaryPhy: 0, advertisingSid: 0xff, txPower: 127 });
    expect(reports[0]!.data.length).toBe(properties & 4 ? 0 : 31);
    expect(old.host.all(LeAdvertisingReport).length > 0).toBe(!(properties & 4));
    air[Symbol.dispose]();
  }
});

test("a legacy scanner hears no extended PDU", async () => {
  const { air, clock, advertiser } = await pair();
  const old = await makeHost(air, { name: "old" });
  await advertiseExtended(advertiser, { data: octets(5) });
  await scan(old.host);
  await clock.advance(1000);
  expect(old.host.all(LeAdvertisingReport)).toEqual([]);
  air[Symbol.dispose]();
});

test("several sets at once, each with its own address, interval, PHY and data", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  const address = Address.from("C0:00:00:00:00:07/random");
  for (const [handle, interval] of [
    [0, 160],
    [1, 320],
    [0xef, 480],
  ] as const) {
    await advertiser.command(
      LeSetExtendedAdvertisingParameters,
      setParameters({
        advertisingHandle: handle,
        advertisingSid: handle & 0xf,
        primaryAdvertisingIntervalMin: interval,
        primaryAdvertisingIntervalMax: interval,
        ownAddressType: handle === 1 ? 1 : 0,
        secondaryAdvertisingPhy: handle === 0 ? 1 : 2,
      }),
    );
    expect(await setData(advertiser, octets(handle + 1), { handle })).toBe(OK);
  }
  expect(await enableSets(advertiser, { handle: 0 }, { handle: 1 }, { handle: 0xef })).toBe(INVALID); // no random address
  expect((await advertiser.command(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 1, randomAddress: address })).status).toBe(OK);
  expect(await enableSets(advertiser, { handle: 0 }, { handle: 1 }, { handle: 0xef })).toBe(OK);
  await scanExtended(scanner);
  await clock.advance(10_000);
  const count = (sid: number): number =>
    reportsOf(scanner).filter(({ advertisingSid, eventType }) => advertisingSid === sid && eventType === 0).length;
  for (const [sid, intervalMs] of [
    [0, 105],
    [1, 205],
    [15, 305],
  ] as const) {
    expect(count(sid)).toBeGreaterThan((10_000 / intervalMs) * 0.85);
    expect(count(sid)).toBeLessThanOrEqual(10_000 / (intervalMs - 5) + 1);
  }
  expect(reportsOf(scanner).find(({ advertisingSid }) => advertisingSid === 1)).toMatchObject({
    addressType: 1,
    address: address.bytes,
    data: octets(2),
  });
  air[Symbol.dispose]();
});

test("duration and number of events end a set, whether or not somebody listens, and say so", async () => {
  for (const listens of [false, true]) {
    const { air, clock, advertiser, scanner } = await pair();
    if (listens) await scanExtended(scanner);
    await advertiser.command(LeSetExtendedAdvertisingParameters, setParameters());
    expect(await enableSets(advertiser, { duration: 50 })).toBe(OK);
    const startMs = clock.now();
    expect(await advertiser.event(LeAdvertisingSetTerminated)).toEqual({
      status: 0x3c,
      advertisingHandle: 0,
      connectionHandle: 0,
      numCompletedExtendedAdvertisingEvents: 0,
    });
    expect(clock.now() - startMs).toBeCloseTo(500, 0);
    expect(await enableSets(advertiser, { maxEvents: 4 })).toBe(OK);
    const againMs = clock.now();
    expect(await advertiser.event(LeAdvertisingSetTerminated)).toEqual({
      status: 0x43,
      advertisingHandle: 0,
      connectionHandle: 0,
      numCompletedExtendedAdvertisingEvents: 4,
    });
    expect(clock.now() - againMs).toBeGreaterThan(300);
    expect(clock.now() - againMs).toBeLessThan(345);
    if (listens) expect(reportsOf(scanner).length).toBeGreaterThanOrEqual(7);
    expect(await enableSets(advertiser, { maxEvents: 200, duration: 35 })).toBe(OK);
    expect((await advertiser.event(LeAdvertisingSetTerminated)).numCompletedExtendedAdvertisingEvents).toBeGreaterThanOrEqual(3);
    air[Symbol.dispose]();
  }
});

test("another DID for other data or by operation 4, and then the data is no duplicate", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  await advertiseExtended(advertiser, { data: octets(5) });
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(500);
  expect(reportsOf(scanner)).toHaveLength(1);
  expect(await setData(advertiser, octets(6))).toBe(OK);
  await clock.advance(500);
  expect(reportsOf(scanner)).toHaveLength(2);
  const unchanged = { advertisingHandle: 0, operation: 4, fragmentPreference: 0, advertisingData: new Uint8Array(0) };
  expect((await advertiser.command(LeSetExtendedAdvertisingData, unchanged)).status).toBe(OK);
  await clock.advance(500);
  expect(reportsOf(scanner).map(({ data }) => data.length)).toEqual([5, 6, 6]);
  air[Symbol.dispose]();
});

test("a chain whose rest is lost is reported as truncated", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  await advertiseExtended(advertiser, { data: octets(500) });
  let count = 0;
  air.onPacket(({ channel }) => (channel < 37 && ++count === 2 ? "lose" : undefined));
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(130);
  expect(
    reportsOf(scanner)
      .map(({ eventType, data }) => [eventType, data.length])
      .slice(0, 2),
  ).toEqual([
    [0x20, 229],
    [0x40, 13],
  ]);
  await clock.advance(300);
  expect(reportsOf(scanner).at(-1)!.eventType).toBe(0); // no duplicate of what was cut off
  air[Symbol.dispose]();
});

test("scanning for a duration ends with LE Scan Timeout; with a period it comes again, and its duplicates too", async () => {
  const { air, clock, advertiser, scanner } = await pair();
  await advertiseExtended(advertiser, { data: octets(5) });
  await scanExtended(scanner, { duration: 30 });
  const startMs = clock.now();
  await scanner.event(LeScanTimeout);
  expect(clock.now() - startMs).toBeCloseTo(300, 0);
  const heard = reportsOf(scanner).length;
  expect(heard).toBeGreaterThan(0);
  await clock.advance(1000);
  expect(reportsOf(scanner)).toHaveLength(heard);
  for (const [filterDuplicates, most] of [
    [1, 1],
    [2, 4],
  ] as const) {
    scanner.events.length = 0;
    await scanExtended(scanner, { duration: 30, period: 1, filterDuplicates });
    await clock.advance(3.5 * 1280);
    expect(reportsOf(scanner)).toHaveLength(most);
    await scanner.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  }
  expect(scanner.all(LeScanTimeout)).toEqual([]);
  air[Symbol.dispose]();
});

test("parameters of a set: what is refused, and how (Vol 4 Part E 7.8.53)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { features: { extendedAdvertising: true }, maxAdvertisingSets: 2 });
  const check = async (more: object): Promise<number> =>
    (await host.command(LeSetExtendedAdvertisingParametersV2, setParameters(more))).status;
  for (const [more, status] of [
    [{}, OK],
    [{ advertisingHandle: 0xf0 }, INVALID],
    [{ advertisingEventProperties: 3 }, INVALID],
    [{ advertisingEventProperties: 0x08 }, INVALID],
    [{ advertisingEventProperties: 0x0d }, INVALID],
    [{ advertisingEventProperties: 0x21 }, INVALID],
    [{ advertisingEventProperties: 0x22 }, INVALID],
    [{ advertisingEventProperties: 0x11 }, INVALID],
    [{ advertisingEventProperties: 0x14 }, INVALID],
    [{ advertisingEventProperties: 0x30 }, INVALID],
    [{ advertisingEventProperties: 0x53 }, INVALID],
    [{ advertisingEventProperties: 0x80 }, INVALID],
    [{ advertisingEventProperties: 0x13 }, OK],
    [{ advertisingEventProperties: 0x13, primaryAdvertisingPhy: 3 }, INVALID],
    [{ advertisingEventProperties: 0x13, secondaryAdvertisingPhy: 0 }, OK],
    [{ advertisingEventProperties: 0x1d, primaryAdvertisingIntervalMin: 0 }, OK],
    [{ primaryAdvertisingIntervalMin: 0x1f }, INVALID],
    [{ primaryAdvertisingIntervalMin: 161 }, INVALID],
    [{ primaryAdvertisingIntervalMax: 0xffffff }, OK],
    [{ primaryAdvertisingChannelMap: 0 }, INVALID],
    [{ primaryAdvertisingChannelMap: 8 }, INVALID],
    [{ ownAddressType: 2 }, UNSUPPORTED],
    [{ ownAddressType: 4 }, INVALID],
    [{ advertisingEventProperties: 4, peerAddressType: 2 }, INVALID],
    [{ advertisingFilterPolicy: 4 }, INVALID],
    [{ advertisingTxPower: 21 }, INVALID],
    [{ advertisingTxPower: -128 }, INVALID],
    [{ advertisingTxPower: 20 }, OK],
    [{ primaryAdvertisingPhy: 2 }, UNSUPPORTED],
    [{ primaryAdvertisingPhy: 4 }, UNSUPPORTED],
    [{ secondaryAdvertisingPhy: 0 }, UNSUPPORTED],
    [{ secondaryAdvertisingPhy: 4 }, UNSUPPORTED],
    [{ advertisingSid: 16 }, INVALID],
    [{ primaryAdvertisingPhyOptions: 5 }, INVALID],
    [{ advertisingHandle: 7 }, OK],
    [{ advertisingHandle: 8 }, HciErrorCode.MemoryCapacityExceeded],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  const packet = { ...setParameters() };
  expect(await host.command(LeSetExtendedAdvertisingParameters, packet)).toEqual({ status: OK, selectedTxPower: 0 });
  await enableSets(host, {});
  expect(await check({})).toBe(DISALLOWED);
  air[Symbol.dispose]();
});

test("data that does not suit the kind of a set is refused, before and after the kind is chosen", async () => {
  const { air, advertiser: host } = await pair();
  const set = async (advertisingEventProperties: number): Promise<number> =>
    (await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties }))).status;
  const data = async (length: number, operation = 3, isScanResponse = false): Promise<number> => {
    const common = { advertisingHandle: 0, operation, fragmentPreference: 0 };
    return isScanResponse
      ? (await host.command(LeSetExtendedScanResponseData, { ...common, scanResponseData: octets(length) })).status
      : (await host.command(LeSetExtendedAdvertisingData, { ...common, advertisingData: octets(length) })).status;
  };
  expect(await data(1)).toBe(UNKNOWN);
  expect(await data(1, 3, true)).toBe(UNKNOWN);
  for (const [kind, longest, longestResponse] of [
    [0x13, 31, 31],
    [0x10, 31, 0],
    [0x15, 0, 0],
    [0x00, 251, 0],
    [0x02, 0, 251],
    [0x01, 245, 0],
    [0x05, 239, 0],
  ] as const) {
    await host.command(Reset, {});
    expect(await set(kind)).toBe(OK);
    expect([kind, await data(longest), await data(longestResponse, 3, true)]).toEqual([kind, OK, OK]);
    if (longest < 251) expect([kind, await data(longest + 1)]).toEqual([kind, INVALID]);
    if (longestResponse < 251) expect([kind, await data(longestResponse + 1, 3, true)]).toEqual([kind, INVALID]);
    if (kind === 0x10) expect(await data(5, 1)).toBe(INVALID); // legacy data is complete
  }
  expect([await data(200), await set(0x02), await set(0x13), await set(0x00)]).toEqual([OK, INVALID, INVALID, OK]);
  for (const operation of [0, 1, 2]) expect(await data(0, operation)).toBe(INVALID);
  for (const operation of [0, 2]) expect(await data(1, operation)).toBe(DISALLOWED); // continues nothing
  expect([await data(1, 5), await data(1, 4), await data(1, 4, true)]).toEqual([INVALID, INVALID, INVALID]);
  expect(await data(10, 1)).toBe(OK);
  expect(await enableSets(host, {})).toBe(DISALLOWED); // the last fragment is missing
  expect([await data(10, 2), await enableSets(host, {})]).toEqual([OK, OK]);
  expect([await data(1, 1), await data(1, 3), await data(0, 4)]).toEqual([DISALLOWED, OK, OK]);
  air[Symbol.dispose]();
});

test("enabling: what is refused, and then nothing is enabled (Vol 4 Part E 7.8.56)", async () => {
  const { air, advertiser: host } = await pair();
  expect(await enableSets(host)).toBe(INVALID);
  expect(await enableSets(host, {})).toBe(UNKNOWN);
  expect(await enableSets(host, { handle: 0xf0 })).toBe(INVALID);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  expect(await enableSets(host, {}, {})).toBe(INVALID);
  expect(await enableSets(host, {}, { handle: 1 })).toBe(UNKNOWN);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingHandle: 1, advertisingEventProperties: 2 }));
  expect(await enableSets(host, {}, { handle: 1 })).toBe(DISALLOWED); // scannable, without scan response data
  expect((await host.command(LeClearAdvertisingSets, {})).status).toBe(OK); // so none was on
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingEventProperties: 0x1d }));
  expect([
    await enableSets(host, { duration: 0 }),
    await enableSets(host, { duration: 129 }),
    await enableSets(host, { duration: 128 }),
  ]).toEqual([INVALID, INVALID, OK]);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(DISALLOWED);
  expect((await host.command(LeClearAdvertisingSets, {})).status).toBe(DISALLOWED);
  const random = { randomAddress: Address.from("C0:00:00:00:00:07/random") };
  expect((await host.command(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 0, ...random })).status).toBe(DISALLOWED);
  expect((await host.command(LeSetAdvertisingSetRandomAddress, { advertisingHandle: 5, ...random })).status).toBe(UNKNOWN);
  const off = async (...handles: number[]): Promise<number> => {
    const sets = handles.map((advertisingHandle) => ({ advertisingHandle, duration: 0, maxExtendedAdvertisingEvents: 0 }));
    return (await host.command(LeSetExtendedAdvertisingEnable, { enable: false, sets })).status;
  };
  expect([await off(5), await off(0, 0), await off(0), await off()]).toEqual([UNKNOWN, INVALID, OK, OK]);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(OK);
  expect((await host.command(LeRemoveAdvertisingSet, { advertisingHandle: 0 })).status).toBe(UNKNOWN);
  expect((await host.command(LeSetDataRelatedAddressChanges, { advertisingHandle: 0, changeReasons: 1 })).status).toBe(UNKNOWN);
  air[Symbol.dispose]();
});

test("what a set can hold, and how many there are, is told", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { ...EXTENDED, maxAdvertisingSets: 3, maxAdvertisingDataLength: 100 });
  expect(await host.command(LeReadMaximumAdvertisingDataLength, {})).toEqual({ status: 0, maxAdvertisingDataLength: 100 });
  expect(await host.command(LeReadNumberOfSupportedAdvertisingSets, {})).toEqual({ status: 0, numSupportedAdvertisingSets: 3 });
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  expect([await setData(host, octets(101)), await setData(host, octets(100))]).toEqual([HciErrorCode.MemoryCapacityExceeded, OK]);
  air[Symbol.dispose]();
});

test("data that takes longer to send than the interval is refused as too long", async () => {
  const { air, advertiser: host } = await pair();
  const slow = setParameters({ primaryAdvertisingIntervalMin: 0x20, primaryAdvertisingIntervalMax: 0x20, secondaryAdvertisingPhy: 3 });
  await host.command(LeSetExtendedAdvertisingParameters, slow);
  expect(await setData(host, octets(1000))).toBe(HciErrorCode.PacketTooLong);
  await host.command(LeSetExtendedAdvertisingParameters, setParameters({ secondaryAdvertisingPhy: 3 }));
  expect(await setData(host, octets(1000))).toBe(OK);
  expect((await host.command(LeSetExtendedAdvertisingParameters, slow)).status).toBe(HciErrorCode.PacketTooLong);
  air[Symbol.dispose]();
});

test("scanning: what is refused, and how (Vol 4 Part E 7.8.64, 7.8.65)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, { features: { extendedAdvertising: true } });
  const of = { scanType: 0, scanInterval: 16, scanWindow: 16 };
  const check = async (more: object): Promise<number> =>
    (await host.command(LeSetExtendedScanParameters, { ownAddressType: 0, scanningFilterPolicy: 0, scanningPhys: 1, phys: [of], ...more }))
      .status;
  for (const [more, status] of [
    [{}, OK],
    [{ scanningPhys: 0, phys: [] }, INVALID],
    [{ scanningPhys: 2 }, UNSUPPORTED],
    [{ scanningPhys: 8 }, UNSUPPORTED],
    [{ scanningPhys: 5, phys: [of, of] }, OK],
    [{ phys: [{ ...of, scanType: 2 }] }, INVALID],
    [{ phys: [{ ...of, scanInterval: 3, scanWindow: 3 }] }, INVALID],
    [{ phys: [{ ...of, scanWindow: 17 }] }, INVALID],
    [{ phys: [{ ...of, scanInterval: 0xffff }] }, OK],
    [{ scanningFilterPolicy: 2 }, UNSUPPORTED],
    [{ scanningFilterPolicy: 4 }, INVALID],
    [{ ownAddressType: 3 }, UNSUPPORTED],
    [{ ownAddressType: 1 }, OK],
  ] as const)
    expect([more, await check(more)]).toEqual([more, status]);
  const enable = async (filterDuplicates: number, duration: number, period: number): Promise<number> =>
    (await host.command(LeSetExtendedScanEnable, { enable: true, filterDuplicates, duration, period })).status;
  expect(await enable(0, 0, 0)).toBe(INVALID); // no random address
  await check({});
  expect([await enable(3, 0, 0), await enable(2, 0, 1), await enable(2, 1, 0), await enable(0, 128, 1)]).toEqual([
    INVALID,
    INVALID,
    INVALID,
    INVALID,
  ]);
  expect([await enable(0, 127, 1), await enable(2, 127, 1), await check({})]).toEqual([OK, OK, DISALLOWED]);
  air[Symbol.dispose]();
});

test("a host uses legacy commands or extended ones, until the next reset (Vol 4 Part E 3.1.1)", async () => {
  const { air, advertiser: host, controllers } = await pair();
  await advertise(host);
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters())).status).toBe(DISALLOWED);
  expect((await host.command(LeReadNumberOfSupportedAdvertisingSets, {})).status).toBe(DISALLOWED);
  await host.command(Reset, {});
  expect((await host.command(LeSetExtendedAdvertisingParameters, setParameters())).status).toBe(OK);
  expect((await host.command(LeSetAdvertisingEnable, { advertisingEnable: true })).status).toBe(DISALLOWED);
  expect((await host.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false })).status).toBe(DISALLOWED);
  expect((await host.command(LeCreateConnection, createConnection(controllers.scanner.address))).status).toBe(DISALLOWED);
  air[Symbol.dispose]();
});

test("equal seeds give equal packets, and skipping idle events changes nothing that hosts see", async () => {
  const run = async (options: object): Promise<{ text: string; reports: string }> => {
    const { air, clock, advertiser, scanner } = await pair(7, { loss: 0.2, ...options });
    await advertiseExtended(advertiser, { data: octets(400), secondaryAdvertisingPhy: 2 });
    await scanExtended(scanner, { interval: 160, window: 40 });
    await clock.advance(5000);
    const result = {
      text: air.trace.text(),
      reports: JSON.stringify(reportsOf(scanner).map(({ eventType, data }) => [eventType, data.length])),
    };
    air[Symbol.dispose]();
    return result;
  };
  const once = await run({});
  expect(await run({})).toEqual(once);
  expect((await run({ idle: "simulate" })).reports).toBe(once.reports);
  expect(JSON.parse(once.reports)).not.toEqual([]);
});

test("without radio time all of it arrives too", async () => {
  const { air, clock, advertiser, scanner } = await pair(1, { mode: "instant" });
  await advertiseExtended(advertiser, { advertisingEventProperties: 2, scanResponse: octets(300) });
  await advertiseExtended(advertiser, { advertisingHandle: 1, data: octets(300), advertisingSid: 1 });
  await scanExtended(scanner, { active: true, filterDuplicates: 1 });
  await clock.advance(300);
  const lengths = (sid: number): number[][] =>
    reportsOf(scanner)
      .filter(({ advertisingSid }) => advertisingSid === sid)
      .map(({ eventType, data }) => [eventType, data.length]);
  expect(lengths(0)).toEqual([
    [2, 0],
    [0x2a, 229],
    [0x0a, 71],
  ]);
  expect(lengths(1)).toEqual([
    [0x20, 229],
    [0, 71],
  ]);
  air[Symbol.dispose]();
});

test("an advertiser that nobody listens to costs no event", async () => {
  const { air, clock, advertiser } = await pair();
  let fired = 0;
  const { scheduler } = air.medium;
  const set = scheduler.set.bind(scheduler);
  scheduler.set = (event, timeUs) => {
    fired++;
    set(event, timeUs);
  };
  await advertiseExtended(advertiser, { data: octets(500), primaryAdvertisingIntervalMin: 0x40, primaryAdvertisingIntervalMax: 0x40 });
  await clock.advance(60_000);
  expect(fired).toBeLessThan(10);
  air[Symbol.dispose]();
});
