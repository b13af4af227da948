import { expect, test } from "vitest";
import {
  advertiseExtended,
  EXTENDED,
  enableSets,
  extendedPair,
  octets,
  reportsOf,
  scanExtended,
  setData,
  setParameters,
} from "../../test/support/raw-extended.ts";
import { makeAir, makeHost, scan } from "../../test/support/raw-pair.ts";
import type { AirTraceEntry } from "../air/index.ts";
import { airTimeUs, readAuxiliaryPointer } from "../air/index.ts";
import { Address } from "../core/index.ts";
import {
  HciErrorCode,
  LeAddDeviceToFilterAcceptList,
  LeAdvertisingReport,
  LeAdvertisingSetTerminated,
  LeScanRequestReceived,
  LeScanTimeout,
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetHostFeature,
} from "../hci/index.ts";
import { tracedPackets } from "../testing/traced-packet.ts";
import { readExtendedPdu } from "./roles/extended-pdus.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;

const airEntries = (air: ReturnType<typeof makeAir>["air"]): AirTraceEntry[] =>
  air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");

test("extended advertising is reported whole, by reports of 229 octets, on each secondary PHY", async () => {
  for (const [phy, options, expected] of [
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [3, 3, 3],
  ] as const) {
    const { air, clock, advertiser, scanner, controllers } = await extendedPair();
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
  const { air, clock, advertiser, scanner } = await extendedPair();
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
    const { air, clock, advertiser } = await extendedPair(3, { idle: "simulate" });
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
    const { air, clock, advertiser, scanner } = await extendedPair();
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
  const { air, clock, advertiser, scanner, controllers } = await extendedPair();
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
  const { air, clock, advertiser, scanner } = await extendedPair();
  await advertiseExtended(advertiser, { advertisingEventProperties: 0x20, data: octets(10) });
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(200);
  expect(reportsOf(scanner)).toMatchObject([{ addressType: 0xff, address: new Uint8Array(6), data: octets(10) }]);
  await scanner.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  scanner.events.length = 0;
  await scanExtended(scanner, { policy: 1 });
  await clock.advance(300);
  expect(reportsOf(scanner)).toEqual([]);
  const anonymous = { addressType: 0xff, address: new Uint8Array(6).fill(7) }; // an address is ignored
  expect((await scanner.command(LeAddDeviceToFilterAcceptList, anonymous)).status).toBe(HciErrorCode.CommandDisallowed);
  await scanner.command(LeSetExtendedScanEnable, { enable: false, filterDuplicates: 0, duration: 0, period: 0 });
  expect((await scanner.command(LeAddDeviceToFilterAcceptList, anonymous)).status).toBe(OK);
  await scanExtended(scanner, { policy: 1 });
  await clock.advance(300);
  expect(reportsOf(scanner).length).toBeGreaterThan(0);
  air[Symbol.dispose]();
});

test("directed advertising with data is reported to its target alone", async () => {
  const { air, clock, advertiser, scanner, controllers } = await extendedPair();
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
    const { air, clock, advertiser, scanner, controllers } = await extendedPair();
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
  const { air, clock, advertiser } = await extendedPair();
  const old = await makeHost(air, { name: "old" });
  await advertiseExtended(advertiser, { data: octets(5) });
  await scan(old.host);
  await clock.advance(1000);
  expect(old.host.all(LeAdvertisingReport)).toEqual([]);
  air[Symbol.dispose]();
});

test("several sets at once, each with its own address, interval, PHY and data", async () => {
  const { air, clock, advertiser, scanner } = await extendedPair();
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
    const { air, clock, advertiser, scanner } = await extendedPair();
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
  const { air, clock, advertiser, scanner } = await extendedPair();
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
  const { air, clock, advertiser, scanner } = await extendedPair();
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
  const { air, clock, advertiser, scanner } = await extendedPair();
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

test("equal seeds give equal packets, and skipping idle events changes nothing that hosts see", async () => {
  const run = async (options: object): Promise<{ text: string; reports: string }> => {
    const { air, clock, advertiser, scanner } = await extendedPair(7, { loss: 0.2, ...options });
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
  const { air, clock, advertiser, scanner } = await extendedPair(1, { mode: "instant" });
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
  const { air, clock, advertiser } = await extendedPair();
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

test("a set sends at the power that is chosen for it, within what the radio has, and says so", async () => {
  const { air, clock, advertiser, scanner } = await extendedPair();
  const power = async (advertisingTxPower: number): Promise<number> =>
    (await advertiser.command(LeSetExtendedAdvertisingParameters, setParameters({ advertisingTxPower, advertisingEventProperties: 0x40 })))
      .selectedTxPower;
  expect([await power(127), await power(20), await power(-127), await power(-12)]).toEqual([0, 0, -20, -12]);
  await enableSets(advertiser, {});
  await scanExtended(scanner, { filterDuplicates: 1 });
  await clock.advance(300);
  expect(reportsOf(scanner)).toMatchObject([{ txPower: -12, rssi: -52 }]);
  air[Symbol.dispose]();
});

test("LE Coded reaches farther than LE 1M, LE 2M less far", async () => {
  const reach = async (metres: number, primaryAdvertisingPhy: number, secondaryAdvertisingPhy: number): Promise<boolean> => {
    const { air, clock, advertiser, scanner, controllers } = await extendedPair();
    controllers.advertiser.move({ x: 0, y: 0 });
    controllers.scanner.move({ x: metres, y: 0 });
    await advertiseExtended(advertiser, { primaryAdvertisingPhy, secondaryAdvertisingPhy, data: octets(20) });
    await scanExtended(scanner, { phys: primaryAdvertisingPhy === 3 ? 4 : 1 });
    await clock.advance(3000);
    air[Symbol.dispose]();
    return reportsOf(scanner).some(({ eventType }) => eventType === 0);
  };
  // Sensitivities -92, -95, -103 dBm: 398, 562 and 1413 m.
  for (const [metres, of2m, of1m, ofCoded] of [
    [380, true, true, true],
    [420, false, true, true],
    [600, false, false, true],
    [1450, false, false, false],
  ] as const)
    expect([metres, await reach(metres, 1, 2), await reach(metres, 1, 1), await reach(metres, 3, 3)]).toEqual([
      metres,
      of2m,
      of1m,
      ofCoded,
    ]);
});

test("many sets of many devices: packets that overlap on a channel are lost, and the stronger of two is heard", async () => {
  const { air, clock } = makeAir({ seed: 5 });
  const scanner = await makeHost(air, { ...EXTENDED, name: "scanner", position: { x: 0, y: 0 } });
  for (let i = 0; i < 20; i++) {
    const { host } = await makeHost(air, { ...EXTENDED, name: `advertiser${i}`, position: { x: 3, y: i / 10 } });
    await advertiseExtended(host, { data: octets(200), primaryAdvertisingIntervalMin: 0x20, primaryAdvertisingIntervalMax: 0x20 });
  }
  await scanExtended(scanner.host);
  await clock.advance(2000);
  const troubles = airEntries(air).map(({ trouble }) => trouble);
  expect(troubles.filter((trouble) => trouble === "collision").length).toBeGreaterThan(20);
  // One receiver: what it follows keeps it from much else, and yet it hears them all.
  expect(new Set(reportsOf(scanner.host).map(({ address }) => [...address].join())).size).toBe(20);
  air[Symbol.dispose]();
});

test("packets of an extended advertising event have their names in the trace", async () => {
  const { air, clock, advertiser, scanner } = await extendedPair();
  await advertiseExtended(advertiser, { advertisingEventProperties: 2, scanResponse: octets(300) });
  await scanExtended(scanner, { active: true, filterDuplicates: 1 });
  await clock.advance(130);
  const names = tracedPackets(air.trace.entries)
    .filter(({ layer }) => layer === "air")
    .map(({ name }) => name);
  expect(names.slice(0, 5)).toEqual(["AdvExtInd", "AuxAdvInd", "AuxScanReq", "AuxScanRsp", "AuxChainInd"]);
  air[Symbol.dispose]();
});
