import { expect, test } from "vitest";
import { openScriptedHci } from "../../test/support/scripted-hci.ts";
import { fromHex, toHex } from "../bytes/index.ts";
import {
  AuthenticatedPayloadTimeoutExpired,
  encodeEvent,
  HciErrorCode,
  LeAdvertisingReport,
  LeAdvertisingSetTerminated,
  LeEnhancedConnectionCompleteV2,
  LeExtendedAdvertisingReport,
  LeFeature,
  LePathLossThreshold,
  LeReadLocalSupportedFeatures,
  LeScanTimeout,
  LeSetEventMask,
  leFeatureNames,
  NumberOfCompletedPackets,
  ReadLocalSupportedCommands,
  Reset,
  SetEventMask,
  SetEventMaskPage2,
} from "./index.ts";

/** What a controller with every feature is asked for from the start: nothing of what is optional to use. */
const BASE = 0x0008_0fffn;
const bit = (...subevents: number[]): bigint => subevents.reduce((mask, code) => mask | (1n << BigInt(code - 1)), 0n);

test("events that somebody asks for are switched on, beside those that every host has", async () => {
  const { hci, controller } = await openScriptedHci();
  await hci.enableEvents([LeExtendedAdvertisingReport, LeScanTimeout]);
  await hci.enableEvents([LeEnhancedConnectionCompleteV2]);
  expect(controller.commands).toEqual(["LeSetEventMask", "LeSetEventMask"]);
  expect(controller.parameters).toEqual([{ leEventMask: BASE | bit(0x0d, 0x11) }, { leEventMask: BASE | bit(0x0d, 0x11, 0x29) }]);
  // What is on already is not asked for again.
  await hci.enableEvents([LeAdvertisingReport, LeScanTimeout]);
  await hci.enableEvents([]);
  expect(controller.commands).toHaveLength(2);
});

test("events from 0x40 on have their bits in the second page, others in the first", async () => {
  const { hci, controller } = await openScriptedHci();
  await hci.enableEvents([AuthenticatedPayloadTimeoutExpired, NumberOfCompletedPackets]);
  expect(controller.commands).toEqual(["SetEventMaskPage2", "SetEventMask"]);
  expect(controller.parameters).toEqual([{ eventMaskPage2: 1n << 23n }, { eventMask: 0x2000_8000_0200_8890n | (1n << 0x12n) }]);
});

test("callers at the same time do not switch off each other's events", async () => {
  const { hci, controller } = await openScriptedHci();
  await Promise.all([hci.enableEvents([LeScanTimeout]), hci.enableEvents([LeAdvertisingSetTerminated]), hci.enableEvents([LeScanTimeout])]);
  expect(controller.parameters).toEqual([{ leEventMask: BASE | bit(0x11) }, { leEventMask: BASE | bit(0x11, 0x12) }]);
});

test("an event that the controller refuses is an error of who asked, and is not asked for by the next", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.answer(LeSetEventMask, HciErrorCode.InvalidHciCommandParameters);
  await expect(hci.enableEvents([LePathLossThreshold])).rejects.toMatchObject({ code: "ERR_HCI", status: 0x12 });
  controller.answer(LeSetEventMask, {});
  await hci.enableEvents([LeScanTimeout]);
  expect(controller.parameters.at(-1)).toEqual({ leEventMask: BASE | bit(0x11) });
});

test("a controller without a second page says so", async () => {
  const { hci, controller } = await openScriptedHci((scripted) =>
    scripted.answer(ReadLocalSupportedCommands, { supportedCommands: new Uint8Array(64).fill(0xff).fill(0, 22, 23) }),
  );
  await expect(hci.enableEvents([AuthenticatedPayloadTimeoutExpired])).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  expect(controller.commands).toEqual([]);
});

test("what is no event is refused, and an aborted signal sends nothing", async () => {
  const { hci, controller } = await openScriptedHci();
  for (const wrong of [undefined, "LeScanTimeout", Reset])
    await expect(hci.enableEvents([wrong as never])).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(hci.enableEvents([LeScanTimeout], { signal: AbortSignal.abort(new Error("no more")) })).rejects.toThrow("no more");
  expect(controller.commands).toEqual([]);
  await hci.enableEvents([LeScanTimeout]);
  expect(controller.commands).toEqual(["LeSetEventMask"]);
});

test("events asked for are on again after a reset", async () => {
  const { hci, controller } = await openScriptedHci();
  await hci.enableEvents([AuthenticatedPayloadTimeoutExpired, LeScanTimeout, NumberOfCompletedPackets]);
  controller.commands.length = 0;
  controller.parameters.length = 0;
  await hci.reset();
  const sent = ([SetEventMask, SetEventMaskPage2, LeSetEventMask] as const).map(({ name }) =>
    controller.commands.flatMap((command, i) => (command === name ? [controller.parameters[i]] : [])),
  );
  expect(sent).toEqual([
    [{ eventMask: 0x2000_8000_0200_8890n | (1n << 0x12n) }],
    [{ eventMaskPage2: 1n << 23n }],
    [{ leEventMask: BASE | bit(0x11) }],
  ]);
});

test("a controller that had refused the mask is asked for the events of 4.0 and those that are asked for", async () => {
  let refused = 0;
  const { hci, controller } = await openScriptedHci((scripted) =>
    scripted.answer(LeSetEventMask, ({ leEventMask }: { leEventMask: bigint }) => {
      if (leEventMask <= 0x1fn) return {};
      refused++;
      return HciErrorCode.InvalidHciCommandParameters;
    }),
  );
  expect(refused).toBe(1);
  controller.answer(LeSetEventMask, {});
  await hci.enableEvents([LeScanTimeout]);
  expect(controller.parameters).toEqual([{ leEventMask: 0x1fn | bit(0x11) }]);
});

test.each([
  ["extended advertising alone", 1n << 12n, bit(1, 2, 3, 4, 5, 8, 9, 10)],
  ["link layer privacy alone", 1n << 6n, bit(1, 2, 3, 4, 5, 8, 9, 10)],
  ["neither", 0n, bit(1, 2, 3, 4, 5, 8, 9)],
])("%s decides on LeEnhancedConnectionComplete", async (_name, leFeatures, leEventMask) => {
  const masks: bigint[] = [];
  await openScriptedHci((controller) => {
    controller.answer(LeReadLocalSupportedFeatures, { leFeatures });
    controller.answer(LeSetEventMask, (parameters: { leEventMask: bigint }) => {
      masks.push(parameters.leEventMask);
      return {};
    });
  });
  expect(masks).toEqual([leEventMask]);
});

const REPORT = {
  eventType: 0x0013,
  addressType: 1,
  address: fromHex("665544332211"),
  primaryPhy: 1,
  secondaryPhy: 0,
  advertisingSid: 0xff,
  txPower: 127,
  rssi: -60,
  periodicAdvertisingInterval: 0,
  directAddressType: 0,
  directAddress: new Uint8Array(6),
  data: fromHex("020106"),
};

test("extended advertising reports are handed out in place, one by one, and legacy ones are apart", async () => {
  const { hci, controller } = await openScriptedHci();
  const got: string[] = [];
  const decoded: number[] = [];
  hci.onExtendedAdvertisingReport = (packet, offset, end) => got.push(toHex(packet.subarray(offset, end)));
  hci.onAdvertisingReport = () => got.push("legacy");
  hci.on(LeExtendedAdvertisingReport, ({ reports }) => decoded.push(reports.length));
  controller.send(encodeEvent(LeExtendedAdvertisingReport, { reports: [REPORT, { ...REPORT, data: new Uint8Array(0), rssi: 127 }] }));
  const head = "1300 01 665544332211 01 00 ff 7f".replaceAll(" ", "");
  const tail = "0000 00 000000000000".replaceAll(" ", "");
  expect(got).toEqual([`${head}c4${tail}03020106`, `${head}7f${tail}00`]);
  expect(decoded).toEqual([2]);
  controller.send(encodeEvent(LeAdvertisingReport, { reports: [{ ...REPORT, eventType: 0 }] }));
  expect(got.slice(2)).toEqual(["legacy"]);
});

test("a lying count or length of an extended report hands out what is whole", async () => {
  const { hci, controller, log } = await openScriptedHci();
  let got = 0;
  hci.onExtendedAdvertisingReport = () => {
    got++;
  };
  const packet = encodeEvent(LeExtendedAdvertisingReport, { reports: [REPORT] });
  const changed = (at: number, value: number): Uint8Array => packet.with(at, value);
  controller.send(changed(4, 2));
  expect([got, log.length]).toEqual([1, 1]);
  controller.send(changed(4, 0));
  expect(got).toBe(1);
  controller.send(changed(28, 4));
  expect(got).toBe(1);
  expect(log.at(-1)).toContain("an advertising report longer than its event was dropped");
  controller.send(changed(28, 2));
  expect(got).toBe(2);
});

test("extended reports end with the Hci, and go to nobody who does not listen", async () => {
  const { hci, controller } = await openScriptedHci();
  controller.send(encodeEvent(LeExtendedAdvertisingReport, { reports: [REPORT] }));
  let got = 0;
  hci.onExtendedAdvertisingReport = () => {
    got++;
    if (got === 1) hci.onExtendedAdvertisingReport = undefined;
  };
  controller.send(encodeEvent(LeExtendedAdvertisingReport, { reports: [REPORT, REPORT] }));
  expect(got).toBe(1);
  hci.onExtendedAdvertisingReport = () => {};
  await hci[Symbol.asyncDispose]();
  expect(hci.onExtendedAdvertisingReport).toBeUndefined();
});

test("features have the specification's bits and names", () => {
  expect(leFeatureNames(0n)).toEqual([]);
  expect(leFeatureNames(1n | (1n << 8n) | (1n << 12n))).toEqual(["LE Encryption", "LE 2M PHY", "LE Extended Advertising"]);
  expect(leFeatureNames(3n << 33n)).toEqual(["LE Power Control Request"]);
  expect(leFeatureNames((1n << 42n) | (1n << 43n) | (1n << 44n) | (1n << 63n))).toEqual([
    "bit 42",
    "Periodic Advertising with Responses - Advertiser",
    "Periodic Advertising with Responses - Scanner",
    "bit 63",
  ]);
  expect([
    LeFeature.ConnectionCteRequest,
    LeFeature.PeriodicAdvertisingSyncTransferSender,
    LeFeature.LePowerControlRequest,
    LeFeature.LePathLossMonitoring,
    LeFeature.ConnectionSubrating,
    LeFeature.ConnectionSubratingHostSupport,
    LeFeature.ChannelClassification,
    LeFeature.AdvertisingCodingSelection,
    LeFeature.PeriodicAdvertisingWithResponsesAdvertiser,
    LeFeature.PeriodicAdvertisingWithResponsesScanner,
  ]).toEqual([17, 24, 33, 35, 37, 38, 39, 40, 43, 44]);
});
