import { expect, test } from "vitest";
import { advertiseExtended, createExtended, octets, scanExtended, setParameters } from "../../test/support/raw-extended.ts";
import type { RawHost } from "../../test/support/raw-host.ts";
import { makeAir, makeHost } from "../../test/support/raw-pair.ts";
import { createSync, PERIODIC, periodicReports, startPeriodic, synchronize } from "../../test/support/raw-periodic.ts";
import { answer, asked, feed, follow, parameters, RESPONDING, responsePair } from "../../test/support/raw-responses.ts";
import type { AirTraceEntry } from "../air/index.ts";
import {
  HciErrorCode,
  LeEnhancedConnectionCompleteV2,
  LeExtendedCreateConnectionV2,
  LeFeature,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSetInfoTransfer,
  LePeriodicAdvertisingSubeventDataRequest,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransferReceivedV2,
  LeReadLocalSupportedFeatures,
  LeReadRemoteFeatures,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
  LeSetEventMask,
  LeSetExtendedAdvertisingParameters,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingParametersV2,
  LeSetPeriodicAdvertisingResponseData,
  LeSetPeriodicAdvertisingSubeventData,
  LeSetPeriodicSyncSubevent,
  ReadLocalSupportedCommands,
} from "../hci/index.ts";
import { readAcad } from "./periodic/sync-info.ts";
import { readExtendedPdu } from "./roles/extended-pdus.ts";

const OK = HciErrorCode.Success;
const INVALID = HciErrorCode.InvalidHciCommandParameters;
const DISALLOWED = HciErrorCode.CommandDisallowed;
const UNKNOWN = HciErrorCode.UnknownAdvertisingIdentifier;

const responseReports = (host: RawHost) => host.all(LePeriodicAdvertisingResponseReport);
const airEntries = (air: ReturnType<typeof makeAir>["air"]): AirTraceEntry[] =>
  air.trace.entries.filter((entry): entry is AirTraceEntry => entry.kind === "air");

test("subevents: data is asked for and sent once, reports name subevent and event, responses come in their slots", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair({ idle: "simulate" });
  await asked(clock);
  expect(advertiser.all(LePeriodicAdvertisingSubeventDataRequest)).toEqual([
    { advertisingHandle: 0, subeventStart: 0, subeventDataCount: 4 },
  ]);
  feed(advertiser, (subevent) => Uint8Array.of(subevent, 0xaa));
  await advertiser.command(LeSetPeriodicAdvertisingSubeventData, {
    advertisingHandle: 0,
    subevents: [0, 1, 2, 3].map((subevent) => ({
      subevent,
      responseSlotStart: 0,
      responseSlotCount: 8,
      subeventData: Uint8Array.of(subevent),
    })),
  });
  const established = await synchronize(scanner, controllers.advertiser.address, { sid: 6 });
  expect(established).toMatchObject({
    status: OK,
    periodicAdvertisingInterval: 80,
    numSubevents: 4,
    subeventInterval: 16,
    responseSlotDelay: 5,
    responseSlotSpacing: 12,
  });
  await clock.advance(500);
  expect(periodicReports(scanner)).toEqual([]); // until the host says which subevents it wants
  const statuses = answer(scanner, ({ subevent }) => ({ slot: 2 + subevent, data: Uint8Array.of(0x55, subevent) }));
  await scanner.command(LeSetPeriodicSyncSubevent, { syncHandle: 0, periodicAdvertisingProperties: 0x40, subevents: [1, 3] });
  advertiser.events.length = 0;
  await clock.advance(1000);
  const reports = periodicReports(scanner);
  expect(reports.length).toBeGreaterThanOrEqual(18);
  for (const { subevent, data, rssi } of reports)
    expect([[1, 3].includes(subevent), [...data], rssi]).toEqual([true, [subevent, 0xaa], -40]);
  expect(reports[2]!.periodicEventCounter).toBe(reports[0]!.periodicEventCounter + 1);
  expect(statuses.every((status) => status === OK)).toBe(true);
  const heard = responseReports(advertiser).filter(({ responses }) => responses.some(({ dataStatus }) => dataStatus === 0));
  expect(heard.length).toBeGreaterThanOrEqual(17);
  for (const { subevent, txStatus, responses } of heard) {
    expect([txStatus, responses.length]).toEqual([0, 8]);
    for (const { responseSlot, dataStatus, data, txPower, rssi } of responses)
      expect([responseSlot, dataStatus, [...data], txPower, rssi]).toEqual(
        responseSlot === 2 + subevent ? [responseSlot, 0, [0x55, subevent], 0, -40] : [responseSlot, 0xff, [], 127, 127],
      );
  }
  // On air: subevents to the microsecond, slots as ACAD tells, on the channel of the subevent.
  const packets = airEntries(air);
  const aux = packets.find(({ pdu }) => (readExtendedPdu(pdu)?.syncInfoAt ?? -1) >= 0)!;
  const { timing } = readAcad(readExtendedPdu(aux.pdu)!.acad);
  const sent = packets.filter(({ from, channel, pdu }) => from === "advertiser" && channel < 37 && pdu.at(-1) === 0xaa);
  for (const { pdu, timeUs } of sent)
    expect((timeUs - sent[0]!.timeUs) % 100_000).toBe(
      ((pdu.at(-2)! - sent[0]!.pdu.at(-2)! + 4) % 4) * 20_000 + (pdu.at(-2)! < sent[0]!.pdu.at(-2)! ? 20_000 : 0),
    );
  const responses = packets.filter(({ accessAddress }) => accessAddress === timing!.accessAddress);
  expect(responses.length).toBeGreaterThanOrEqual(18);
  for (const { timeUs, pdu, channel, receivedBy } of responses) {
    const asked = sent.findLast((packet) => packet.timeUs < timeUs)!;
    expect([timeUs - asked.timeUs, channel, receivedBy]).toEqual([6250 + 1500 * (2 + pdu.at(-1)!), asked.channel, ["advertiser"]]);
  }
  air[Symbol.dispose]();
});

test("without data subevent 0 is sent all the same, and nothing else; what was owed is asked for again", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  await follow(scanner, controllers.advertiser.address, 0, 2);
  scanner.events.length = 0;
  advertiser.events.length = 0;
  await clock.advance(1000);
  const reports = periodicReports(scanner);
  expect(reports.length).toBeGreaterThanOrEqual(18);
  for (const { subevent, dataStatus, data } of reports)
    expect([subevent, dataStatus, data.length]).toEqual(subevent === 0 ? [0, 0, 0] : [2, 0xff, 0]);
  const asked = advertiser
    .all(LePeriodicAdvertisingSubeventDataRequest)
    .map(({ subeventStart, subeventDataCount }) => [subeventStart, subeventDataCount]);
  expect(asked.length).toBeGreaterThanOrEqual(19);
  expect(new Set(asked.map((pair) => pair.join()))).toEqual(new Set(["0,2", "2,2"]));
  expect(responseReports(advertiser)).toEqual([]);
  air[Symbol.dispose]();
});

test("data that is not asked for, twice, too late, too long; slots that are not there (Vol 4 Part E 7.8.125)", async () => {
  const { air, clock, advertiser } = await responsePair(
    {},
    {
      numSubevents: 16,
      subeventInterval: 6,
      responseSlotDelay: 2,
      responseSlotSpacing: 4,
      periodicAdvertisingIntervalMin: 96,
      periodicAdvertisingIntervalMax: 96,
    },
  );
  await asked(clock);
  const set = async (...subevents: object[]): Promise<number> => {
    const filled = subevents.map((more) => ({ subevent: 0, responseSlotStart: 0, responseSlotCount: 8, subeventData: octets(4), ...more }));
    return (await advertiser.command(LeSetPeriodicAdvertisingSubeventData, { advertisingHandle: 0, subevents: filled })).status;
  };
  for (const [subevents, status] of [
    [[], INVALID],
    [Array.from({ length: 16 }, (_, subevent) => ({ subevent })), INVALID],
    [[{}, {}], INVALID],
    [[{ subevent: 0x80 }], INVALID],
    [[{ responseSlotStart: 1 }], INVALID],
    [[{ responseSlotCount: 9 }], INVALID],
    [[{ subevent: 8 }], DISALLOWED],
    [[{ subevent: 0 }, { subevent: 9 }], DISALLOWED],
    [[{ subeventData: octets(249) }], OK],
    [[{ subeventData: octets(240) }], OK],
    [[{ responseSlotCount: 0 }], INVALID],
    [[{ subevent: 7 }, { subevent: 0, responseSlotStart: 7, responseSlotCount: 1 }], OK],
  ] as const)
    expect([subevents, await set(...subevents)]).toEqual([subevents, status]);
  await clock.advance(125);
  // Subevents 8 to 15 were asked for meanwhile; those of before are gone.
  const { subeventStart } = advertiser.all(LePeriodicAdvertisingSubeventDataRequest).at(-1)!;
  expect(await set({ subevent: (subeventStart + 16 - 8) % 16 })).toBe(HciErrorCode.TooLate);
  const other = { advertisingHandle: 1, subevents: [] };
  expect((await advertiser.command(LeSetPeriodicAdvertisingSubeventData, other)).status).toBe(UNKNOWN);
  expect((await advertiser.command(LeSetPeriodicAdvertisingSubeventData, { ...other, advertisingHandle: 0xf0 })).status).toBe(INVALID);
  await startPeriodic(advertiser, { handle: 1 });
  expect((await advertiser.command(LeSetPeriodicAdvertisingSubeventData, other)).status).toBe(DISALLOWED);
  air[Symbol.dispose]();
});

test("data longer than the time up to the first slot is Packet Too Long", async () => {
  const { air, clock, advertiser } = await responsePair({}, { responseSlotDelay: 1 });
  await asked(clock);
  const set = async (length: number): Promise<number> => {
    const subevents = [{ subevent: 1, responseSlotStart: 0, responseSlotCount: 8, subeventData: octets(length) }];
    return (await advertiser.command(LeSetPeriodicAdvertisingSubeventData, { advertisingHandle: 0, subevents })).status;
  };
  // 1.25 ms on LE 1M: 156 octets, 10 around the payload, 2 of header.
  expect([await set(144), await set(145)]).toEqual([OK, HciErrorCode.PacketTooLong]);
  air[Symbol.dispose]();
});

test("parameters of subevents and their slots: what is refused (Vol 4 Part E 7.8.61)", async () => {
  const { air } = makeAir();
  const { host } = await makeHost(air, PERIODIC);
  const check = async (more: object = {}): Promise<object> => host.command(LeSetPeriodicAdvertisingParametersV2, parameters(more));
  expect(await check()).toEqual({ status: UNKNOWN, advertisingHandle: 0 });
  await host.command(LeSetExtendedAdvertisingParameters, setParameters());
  for (const [more, status] of [
    [{ numSubevents: 0x81, periodicAdvertisingIntervalMin: 0xffff, periodicAdvertisingIntervalMax: 0xffff }, INVALID],
    [{ numSubevents: 0x80, periodicAdvertisingIntervalMin: 0x800, periodicAdvertisingIntervalMax: 0x800 }, OK],
    [{ numSubevents: 6 }, INVALID],
    [{ subeventInterval: 5 }, INVALID],
    [{ subeventInterval: 21 }, INVALID],
    [{ responseSlotDelay: 0 }, INVALID],
    [{ responseSlotDelay: 16 }, INVALID],
    [{ responseSlotSpacing: 1 }, INVALID],
    [{ numResponseSlots: 10 }, INVALID],
    [{ numResponseSlots: 9 }, OK],
    [{ numResponseSlots: 0, responseSlotDelay: 0, responseSlotSpacing: 0 }, OK],
    [{ numSubevents: 0, subeventInterval: 0, responseSlotDelay: 0, responseSlotSpacing: 0, numResponseSlots: 0 }, OK],
    [{}, OK],
  ] as const)
    expect([more, await check(more)]).toEqual([more, { status, advertisingHandle: 0 }]);
  const data = { advertisingHandle: 0, operation: 3, advertisingData: octets(3) };
  expect((await host.command(LeSetPeriodicAdvertisingData, data)).status).toBe(DISALLOWED);
  const { leFeatures } = await host.command(LeReadLocalSupportedFeatures, {});
  const { supportedCommands } = await host.command(ReadLocalSupportedCommands, {});
  for (const bit of [LeFeature.PeriodicAdvertisingWithResponsesAdvertiser, LeFeature.PeriodicAdvertisingWithResponsesScanner])
    expect((leFeatures >> BigInt(bit)) & 1n).toBe(1n);
  expect([supportedCommands[46]! & 0xe0, supportedCommands[47]! & 0x03]).toEqual([0xe0, 0x03]);
  const { host: without } = await makeHost(air, {
    features: { periodicAdvertising: true, periodicAdvertisingWithResponses: false },
    name: "without",
  });
  expect((await without.command(LeSetPeriodicAdvertisingParametersV2, parameters())).status).toBe(HciErrorCode.UnknownHciCommand);
  air[Symbol.dispose]();
});

test("responses and subevents of a receiver: what is refused, and how (Vol 4 Part E 7.8.126, 7.8.127)", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  const handle = await follow(scanner, controllers.advertiser.address, 1);
  const choose = async (more: object): Promise<number> =>
    (await scanner.command(LeSetPeriodicSyncSubevent, { syncHandle: handle, periodicAdvertisingProperties: 0, subevents: [1], ...more }))
      .status;
  expect([
    await choose({ syncHandle: 0xf00 }),
    await choose({ syncHandle: 5 }),
    await choose({ periodicAdvertisingProperties: 1 }),
    await choose({ subevents: [] }),
    await choose({ subevents: [1, 1] }),
    await choose({ subevents: [0x80] }),
    await choose({ subevents: [4] }),
    await choose({}),
  ]).toEqual([INVALID, UNKNOWN, INVALID, INVALID, INVALID, INVALID, HciErrorCode.UnsupportedFeatureOrParameterValue, OK]);
  await clock.advance(300);
  const { periodicEventCounter: requestEvent } = periodicReports(scanner).at(-1)!;
  const respond = async (more: object = {}): Promise<number> => {
    const response = {
      syncHandle: handle,
      requestEvent: requestEvent + 1,
      requestSubevent: 1,
      responseSubevent: 1,
      responseSlot: 0,
      responseData: octets(3),
    };
    return (await scanner.command(LeSetPeriodicAdvertisingResponseData, { ...response, ...more })).status;
  };
  expect([
    await respond({ syncHandle: 0xf00 }),
    await respond({ syncHandle: 5 }),
    await respond({ requestSubevent: 0x80 }),
    await respond({ responseSubevent: 0x80 }),
    await respond({ requestSubevent: 0 }),
    await respond({ responseSubevent: 4 }),
    await respond({ responseSlot: 9 }),
    await respond({ responseData: octets(247) }),
    await respond({ requestEvent: (requestEvent - 1) & 0xffff }),
    await respond(),
    await respond({ responseSubevent: 3, responseSlot: 8 }),
  ]).toEqual([
    INVALID,
    UNKNOWN,
    INVALID,
    INVALID,
    DISALLOWED,
    DISALLOWED,
    INVALID,
    HciErrorCode.PacketTooLong,
    HciErrorCode.TooLate,
    OK,
    OK,
  ]);
  await startPeriodic(scanner, { advertising: { advertisingSid: 1 } });
  const { host: third } = await makeHost(air, { ...PERIODIC, name: "third" });
  const { syncHandle } = await synchronize(third, controllers.scanner.address, { sid: 1 });
  expect((await third.command(LeSetPeriodicSyncSubevent, { syncHandle, periodicAdvertisingProperties: 0, subevents: [0] })).status).toBe(
    DISALLOWED,
  );
  air[Symbol.dispose]();
});

test("two in one slot drown each other, in slots of their own both are heard; a long response comes in parts", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair({}, { responseSlotSpacing: 24, numResponseSlots: 4 });
  feed(advertiser, () => octets(3), [1, 3]);
  const { host: third } = await makeHost(air, { ...RESPONDING, name: "third" });
  await follow(scanner, controllers.advertiser.address, 1);
  await follow(third, controllers.advertiser.address, 1);
  let slot = 1;
  answer(scanner, () => ({ slot: 1, data: octets(247) }));
  answer(third, () => ({ slot, data: Uint8Array.of(9) }));
  await clock.advance(300);
  const last = () => responseReports(advertiser).filter(({ subevent }) => subevent === 1);
  expect(
    last()
      .at(-1)!
      .responses.map(({ dataStatus }) => dataStatus),
  ).toEqual([0xff, 0xff, 0xff]);
  slot = 3;
  await clock.advance(300);
  advertiser.events.length = 0;
  await clock.advance(100);
  expect(last()).toHaveLength(2);
  const parts = last().flatMap(({ responses }) =>
    responses.map(({ responseSlot, dataStatus, data }) => [responseSlot, dataStatus, data.length]),
  );
  expect(parts).toEqual([
    [1, 1, 244],
    [1, 0, 3],
    [2, 0xff, 0],
    [3, 0, 1],
  ]);
  air[Symbol.dispose]();
});

test("packets of subevents that are lost are reported as such; a response in another subevent; first versions of events", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  await follow(scanner, controllers.advertiser.address, 2);
  answer(scanner, () => ({ slot: 4, data: octets(1), subevent: 0 }));
  await clock.advance(500);
  const heard = responseReports(advertiser).filter(({ responses }) => responses.some(({ dataStatus }) => dataStatus === 0));
  expect(heard.length).toBeGreaterThanOrEqual(3);
  expect(new Set(heard.map(({ subevent }) => subevent))).toEqual(new Set([0]));
  let lost = 0;
  const hook = air.onPacket(({ pdu, from }) =>
    from === "advertiser" && pdu[0] === 7 && readExtendedPdu(pdu)?.advAAt === -1 && pdu.at(-1) === 2 && lost++ < 2 ? "lose" : undefined,
  );
  scanner.events.length = 0;
  await clock.advance(500);
  hook[Symbol.dispose]();
  expect(
    periodicReports(scanner)
      .map(({ dataStatus }) => dataStatus)
      .slice(0, 4),
  ).toEqual([0xff, 0xff, 0, 0]);
  await scanner.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffffn & ~((1n << 0x23n) | (1n << 0x24n)) });
  const { host: third } = await makeHost(air, { ...PERIODIC, name: "third" });
  await third.command(LeSetEventMask, { leEventMask: 0xffff_ffff_ffffn & ~((1n << 0x23n) | (1n << 0x24n)) });
  await third.command(LePeriodicAdvertisingCreateSync, createSync(controllers.advertiser.address, { sid: 6 }));
  await scanExtended(third);
  await clock.advance(300);
  expect(scanner.all(LePeriodicAdvertisingReport).length).toBeGreaterThanOrEqual(2);
  expect(third.all(LePeriodicAdvertisingSyncEstablished)).toMatchObject([{ status: OK }]);
  air[Symbol.dispose]();
});

test("a train with responses is told to a peer with its subevents: LL_PERIODIC_SYNC_WR_IND", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  await scanner.command(LeSetDefaultPeriodicAdvertisingSyncTransferParameters, { mode: 2, skip: 0, syncTimeout: 100, cteType: 0 });
  await advertiseExtended(scanner, { advertisingHandle: 9, advertisingEventProperties: 1, advertisingSid: 9 });
  await advertiser.command(LeExtendedCreateConnectionV2, {
    advertisingHandle: 0xff,
    subevent: 0xff,
    ...createExtended(controllers.scanner.address),
  });
  await clock.advance(500);
  const { connectionHandle, advertisingHandle, syncHandle: none } = advertiser.all(LeEnhancedConnectionCompleteV2)[0]!;
  expect([advertisingHandle, none]).toEqual([0xff, 0xffff]);
  await advertiser.command(LeReadRemoteFeatures, { connectionHandle });
  await clock.advance(200);
  await advertiser.command(LePeriodicAdvertisingSetInfoTransfer, { connectionHandle, serviceData: 3, advertisingHandle: 0 });
  await clock.advance(500);
  const [told] = scanner.all(LePeriodicAdvertisingSyncTransferReceivedV2);
  expect(told).toMatchObject({
    status: OK,
    serviceData: 3,
    numSubevents: 4,
    subeventInterval: 16,
    responseSlotDelay: 5,
    responseSlotSpacing: 12,
  });
  const { syncHandle } = told!;
  await scanner.command(LeSetPeriodicSyncSubevent, { syncHandle, periodicAdvertisingProperties: 0, subevents: [3] });
  answer(scanner, () => ({ slot: 0, data: Uint8Array.of(1) }));
  advertiser.events.length = 0;
  await clock.advance(500);
  expect(
    responseReports(advertiser).filter(({ subevent, responses }) => subevent === 3 && responses[0]!.dataStatus === 0).length,
  ).toBeGreaterThanOrEqual(3);
  air[Symbol.dispose]();
});

test("a train that is out of range is told as missed, subevent by subevent, until it is lost", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  const syncHandle = await follow(scanner, controllers.advertiser.address, 3, 1);
  await clock.advance(500);
  const wall = air.cut(controllers.advertiser, controllers.scanner);
  scanner.events.length = 0;
  await clock.advance(350);
  const missed = periodicReports(scanner).filter(({ dataStatus }) => dataStatus === 0xff);
  expect(missed.length).toBeGreaterThanOrEqual(6);
  for (const [i, { subevent, periodicEventCounter, rssi, txPower, data }] of missed.entries()) {
    expect([rssi, txPower, data.length]).toEqual([127, 127, 0]);
    const before = missed[i - 1];
    if (before) expect([subevent, periodicEventCounter - before.periodicEventCounter]).toEqual(before.subevent === 1 ? [3, 0] : [1, 1]);
  }
  wall[Symbol.dispose]();
  scanner.events.length = 0;
  await clock.advance(300);
  expect(periodicReports(scanner).filter(({ dataStatus }) => dataStatus === 0).length).toBeGreaterThanOrEqual(4);
  air.cut(controllers.advertiser, controllers.scanner);
  await clock.advance(1500);
  expect(scanner.all(LePeriodicAdvertisingSyncLost)).toEqual([{ syncHandle }]);
  scanner.events.length = 0;
  await clock.advance(500);
  expect(scanner.events).toEqual([]);
  air[Symbol.dispose]();
});

test("skip passes over whole events of a train with subevents, and what is passed over is not missed", async () => {
  const { air, clock, advertiser, scanner, controllers } = await responsePair();
  feed(advertiser, () => octets(3));
  const { syncHandle } = await synchronize(scanner, controllers.advertiser.address, { sid: 6, skip: 2, timeout: 200 });
  await scanner.command(LeSetPeriodicSyncSubevent, { syncHandle, periodicAdvertisingProperties: 0, subevents: [1, 2] });
  await clock.advance(400);
  scanner.events.length = 0;
  await clock.advance(1200);
  const reports = periodicReports(scanner);
  expect(reports).toHaveLength(8);
  const [first] = reports;
  for (const [i, { dataStatus, periodicEventCounter, subevent }] of reports.entries())
    expect([dataStatus, periodicEventCounter, subevent]).toEqual([0, first!.periodicEventCounter + 3 * (i >> 1), 1 + (i & 1)]);
  air[Symbol.dispose]();
});

test("128 subevents, all of them followed", async () => {
  const times = { periodicAdvertisingIntervalMin: 768, periodicAdvertisingIntervalMax: 768, subeventInterval: 6, numSubevents: 128 };
  const { air, clock, advertiser, scanner, controllers } = await responsePair(
    {},
    { ...times, responseSlotDelay: 2, responseSlotSpacing: 4 },
  );
  feed(advertiser, (subevent) => Uint8Array.of(subevent));
  const all = Array.from({ length: 128 }, (_, subevent) => subevent);
  await follow(scanner, controllers.advertiser.address, ...all);
  await clock.advance(1000);
  scanner.events.length = 0;
  await clock.advance(960);
  const heard = periodicReports(scanner).filter(({ dataStatus, data, subevent }) => dataStatus === 0 && data[0] === subevent);
  expect(new Set(heard.map(({ subevent }) => subevent))).toEqual(new Set(all));
  air[Symbol.dispose]();
});
