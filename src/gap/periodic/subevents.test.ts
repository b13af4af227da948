import { afterEach, beforeEach, expect, test } from "vitest";
import { EXTENDED_ABILITIES } from "../../../test/support/extended-controller.ts";
import { PeriodicController } from "../../../test/support/periodic-controller.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { delay } from "../../async/clock.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { Address } from "../../core/address.ts";
import { Logger } from "../../core/logger.ts";
import { SeededRandom } from "../../core/random.ts";
import { HciErrorCode } from "../../hci/error.ts";
import { Advertiser } from "../advertiser.ts";
import { OwnAddresses } from "../own-addresses.ts";
import { Radio } from "../radio.ts";
import { PeriodicAdvertiser } from "./periodic-advertiser.ts";
import type { PeriodicAdvertising } from "./periodic-advertising.ts";
import type { PeriodicOptions } from "./periodic-options.ts";

// Periodic advertising with responses: what subevents send, and what is heard in their slots (Vol 4 Part E 7.8.61, 7.8.125, 7.7.65.36, 7.7.65.37).

let clock: VirtualClock;
let controller: PeriodicController;
let radio: Radio;
let advertiser: Advertiser;
let periodic: PeriodicAdvertiser;

beforeEach(() => {
  clock = new VirtualClock();
  controller = new PeriodicController();
  const own = new OwnAddresses({
    clock,
    random: new SeededRandom(1),
    publicAddress: Address.from("00:11:22:33:44:55"),
    identity: "public",
  });
  radio = new Radio({ port: controller, clock, logger: Logger.silent, own, abilities: EXTENDED_ABILITIES });
  advertiser = new Advertiser({ port: controller, radio });
  periodic = new PeriodicAdvertiser({ port: controller, radio, logger: Logger.silent });
});

afterEach(() => {
  radio.close(new Error("end of test"));
  expect(clock.pending).toEqual([]);
});

const settled = () => delay(clock, 1);
const octets = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + i);
const SUBEVENTS = { count: 20, intervalMs: 12.5, responses: { delayMs: 5, spacingMs: 0.75, count: 10 } };

async function start(options: Partial<PeriodicOptions> = {}): Promise<PeriodicAdvertising> {
  const session = await advertiser.advertise({ type: "extended", connectable: false });
  return await periodic.start(advertiser.setOf(session), session, { intervalMs: 300, subevents: SUBEVENTS, ...options });
}
const request = (subeventStart: number, subeventDataCount: number, advertisingHandle = 0) =>
  periodic.onSubeventDataRequest({ advertisingHandle, subeventStart, subeventDataCount });
type Sent = { subevent: number; responseSlotStart: number; responseSlotCount: number; subeventData: Uint8Array }[];
/** What the controller was given, command by command. */
const given = () =>
  controller.taken.flatMap(({ name, parameters }) =>
    name === "LeSetPeriodicAdvertisingSubeventData" ? [parameters.subevents as Sent] : [],
  );
const response = (responseSlot: number, dataStatus: number, data: Uint8Array, rssi = -60, txPower = 127) => ({
  responseSlot,
  dataStatus,
  data,
  rssi,
  txPower,
  cteType: 0xff,
});

test("a train with subevents is set up by the second version of the command, and has no data of its own", async () => {
  await start();
  expect(controller.last("LeSetPeriodicAdvertisingParametersV2")).toEqual({
    advertisingHandle: 0,
    periodicAdvertisingIntervalMin: 240,
    periodicAdvertisingIntervalMax: 240,
    periodicAdvertisingProperties: 0,
    numSubevents: 20,
    subeventInterval: 10,
    responseSlotDelay: 4,
    responseSlotSpacing: 6,
    numResponseSlots: 10,
  });
  expect(controller.events).toEqual([
    "LePeriodicAdvertisingSubeventDataRequest",
    "LePeriodicAdvertisingResponseReport",
    "LeEnhancedConnectionCompleteV2",
  ]);
  expect(controller.log.slice(-2)).toEqual(["PeriodicAdvertisingParametersV2 0", "PeriodicAdvertisingEnable 1 0"]);
});

test("subevents without slots for answers", async () => {
  const advertising = await start({ subevents: { count: 1, intervalMs: 12.5 } });
  expect(controller.last("LeSetPeriodicAdvertisingParametersV2")).toMatchObject({
    responseSlotDelay: 0,
    responseSlotSpacing: 0,
    numResponseSlots: 0,
  });
  await advertising.setSubeventData(0, octets(1));
  expect(given()).toEqual([[{ subevent: 0, responseSlotStart: 0, responseSlotCount: 1, subeventData: octets(1) }]]);
});

test("the program is asked for what each subevent sends, in the order of the air, around the end", async () => {
  const asked: number[] = [];
  await start({
    onSubevent: (subevent) => {
      asked.push(subevent);
      if (subevent === 19) return undefined;
      return subevent === 0 ? { data: octets(2), responseSlotStart: 3, responseSlotCount: 2 } : octets(1, subevent);
    },
  });
  request(18, 4);
  await settled();
  expect(asked).toEqual([18, 19, 0, 1]);
  expect(given()).toEqual([
    [
      { subevent: 18, responseSlotStart: 0, responseSlotCount: 10, subeventData: octets(1, 18) },
      { subevent: 0, responseSlotStart: 3, responseSlotCount: 2, subeventData: octets(2) },
      { subevent: 1, responseSlotStart: 0, responseSlotCount: 10, subeventData: octets(1, 1) },
    ],
  ]);
});

test("one command has at most 15 subevents and 255 octets", async () => {
  let length = 1;
  await start({ onSubevent: () => octets(length) });
  request(0, 20);
  await settled();
  expect(given().map((each) => each.length)).toEqual([15, 5]);
  controller.taken.length = 0;
  length = 249;
  request(0, 3);
  await settled();
  expect(given().map((each) => each.map(({ subevent }) => subevent))).toEqual([[0], [1], [2]]);
  controller.taken.length = 0;
  length = 122;
  request(0, 4);
  await settled();
  expect(given().map((each) => each.map(({ subevent }) => subevent))).toEqual([
    [0, 1],
    [2, 3],
  ]);
});

test("a controller that asks faster than it takes is given the newest, and nothing grows", async () => {
  let calls = 0;
  await start({ onSubevent: () => octets(1, ++calls) });
  for (let i = 0; i < 1000; i++) request(i % 20, 20);
  await settled();
  expect(calls).toBeLessThan(100);
  expect(given().flat().length).toBe(calls);
});

test("a program that throws, or gives what does not fit, loses that subevent alone", async () => {
  await start({
    onSubevent: (subevent) => {
      if (subevent === 0) throw new Error("of the program");
      return octets(subevent === 1 ? 250 : 1);
    },
  });
  const faults = await uncaughtDuring(async () => {
    request(0, 3);
    await settled();
  });
  expect(faults).toMatchObject([{ message: "of the program" }, { code: "ERR_ARGUMENT" }]);
  expect(given().map((each) => each.map(({ subevent }) => subevent))).toEqual([[2]]);
});

test("data that come too late are let go, and the next request is answered", async () => {
  await start({ onSubevent: () => octets(1) });
  controller.refusals.set("LeSetPeriodicAdvertisingSubeventData", HciErrorCode.TooLate);
  request(0, 1);
  await settled();
  controller.refusals.clear();
  request(1, 1);
  await settled();
  expect(given().map((each) => each.map(({ subevent }) => subevent))).toEqual([[1]]);
});

test("data may be given unasked", async () => {
  const advertising = await start();
  await advertising.setSubeventData(3, { data: { name: "a" }, responseSlotStart: 9 });
  expect(given()).toEqual([[{ subevent: 3, responseSlotStart: 9, responseSlotCount: 1, subeventData: Uint8Array.of(2, 9, 97) }]]);
  for (const [subevent, data] of [
    [20, octets(1)],
    [0, octets(250)],
    [0, { data: octets(1), responseSlotStart: 10 }],
    [0, { data: octets(1), responseSlotCount: 11 }],
    [0, { data: octets(1), responseSlotCount: 0 }],
    [0, { data: octets(1), slots: 1 }],
    [0, null],
  ] as [number, Uint8Array][])
    await expect(advertising.setSubeventData(subevent, data)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(advertising.update(octets(1))).rejects.toThrow("no data but theirs");
  controller.refusals.set("LeSetPeriodicAdvertisingSubeventData", HciErrorCode.TooLate);
  await expect(advertising.setSubeventData(0, octets(1))).rejects.toMatchObject({ status: HciErrorCode.TooLate });
  await advertising.stop();
  await expect(advertising.setSubeventData(0, octets(1))).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("a program that is not asked gives data when it likes: requests alone have no effect", async () => {
  await start();
  const faults = await uncaughtDuring(async () => {
    request(0, 20);
    await settled();
  });
  expect([faults, given()]).toEqual([[], []]);
});

test("a train without subevents has no data of subevents", async () => {
  const session = await advertiser.advertise({ type: "extended", connectable: false });
  const advertising = await periodic.start(advertiser.setOf(session), session, { intervalMs: 100 });
  await expect(advertising.setSubeventData(0, octets(1))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  request(0, 1); // which nobody can answer
  await settled();
  expect(given()).toEqual([]);
});

test("requests and responses of another set, or of one that is off, are nobody's", async () => {
  const advertising = await start({ onSubevent: () => octets(1) });
  request(0, 1, 1);
  await settled();
  expect(given()).toEqual([]);
  const responses = advertising.responses();
  await advertising.stop();
  request(0, 1);
  periodic.onResponseReport({ advertisingHandle: 0, subevent: 0, txStatus: 0, responses: [response(0, 0, octets(1))] });
  await settled();
  expect([given(), (await responses.next()).done]).toEqual([[], true]);
});

test("responses are told with their subevent and slot, put together from pieces, and those that were missed too", async () => {
  const advertising = await start();
  const responses = advertising.responses();
  const report = (subevent: number, ...all: ReturnType<typeof response>[]) =>
    periodic.onResponseReport({ advertisingHandle: 0, subevent, txStatus: 0, responses: all });
  report(2, response(0, 0, octets(3), -50, 4), response(1, 1, octets(200)));
  report(2, response(2, 0xff, new Uint8Array(0), 127));
  report(3, response(1, 0, octets(1)));
  report(2, response(1, 0, octets(51, 200)));
  report(4, response(0, 1, octets(200)), response(0, 1, octets(200)), response(0, 0, octets(1)));
  report(5, response(0, 1, octets(9)), response(0, 0xff, octets(0)), response(0, 0, octets(1)));
  const told = [];
  for (let i = 0; i < 7; i++) {
    const { subevent, slot, status, data, rssiDbm, txPowerDbm } = (await responses.next()).value!;
    told.push([subevent, slot, status, data.bytes.length, rssiDbm, txPowerDbm]);
  }
  expect(told).toEqual([
    [2, 0, "complete", 3, -50, 4],
    [2, 2, "missed", 0, undefined, undefined],
    [3, 1, "complete", 1, -60, undefined],
    [2, 1, "complete", 251, -60, undefined],
    [4, 0, "truncated", 251, -60, undefined],
    [5, 0, "missed", 0, -60, undefined],
    [5, 0, "complete", 1, -60, undefined],
  ]);
  expect(() => advertising.responses({ signals: 1 } as never)).toThrow("unknown option");
});

test("a response of which the end never comes is let go", async () => {
  const advertising = await start();
  const responses = advertising.responses();
  for (let i = 0; i < 1000; i++)
    periodic.onResponseReport({ advertisingHandle: 0, subevent: i % 20, txStatus: 0, responses: [response(i % 256, 1, octets(5))] });
  periodic.onResponseReport({ advertisingHandle: 0, subevent: 0, txStatus: 0, responses: [response(0, 0, octets(1))] });
  expect((await responses.next()).value).toMatchObject({ slot: 0, status: "complete" });
});
