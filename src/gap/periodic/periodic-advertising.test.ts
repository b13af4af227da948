import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EXTENDED_ABILITIES } from "../../../test/support/extended-controller.ts";
import { PeriodicController } from "../../../test/support/periodic-controller.ts";
import { delay } from "../../async/clock.ts";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { Address } from "../../core/address.ts";
import { TimeoutError } from "../../core/error.ts";
import { Logger } from "../../core/logger.ts";
import { SeededRandom } from "../../core/random.ts";
import { HciErrorCode } from "../../hci/error.ts";
import { LeFeature } from "../../hci/features.ts";
import { Advertiser } from "../advertiser.ts";
import type { AdvertiseOptions, AdvertisingSession } from "../advertising-session.ts";
import { Connector } from "../connector.ts";
import { createKeyMaterial, decryptAdvertisingData, encryptAdvertisingData } from "../encrypted-data.ts";
import { OwnAddresses } from "../own-addresses.ts";
import { Radio } from "../radio.ts";
import { Scanner } from "../scanner.ts";
import { PeriodicAdvertiser } from "./periodic-advertiser.ts";
import type { PeriodicAdvertising } from "./periodic-advertising.ts";
import type { PeriodicOptions } from "./periodic-options.ts";

// Periodic advertising on a controller that knows its rules (Vol 4 Part E 7.8.61 to 7.8.63, 7.8.125) and no others.

const INTERVAL_MS = 15 * 60_000;

let clock: VirtualClock;
let controller: PeriodicController;
let radio: Radio;
let advertiser: Advertiser;
let periodic: PeriodicAdvertiser;
let lost: unknown[];

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
  lost = [];
  radio.onLost = (error) => lost.push(error);
  const scanner = new Scanner({ port: controller, radio, resolve: () => undefined });
  for (const activity of [new Connector({ port: controller, radio, clock, scanner }), scanner]) radio.add(activity);
  advertiser = new Advertiser({ port: controller, radio });
  periodic = new PeriodicAdvertiser({ port: controller, radio, logger: Logger.silent });
});

afterEach(() => {
  radio.close(new Error("end of test"));
  expect(clock.pending).toEqual([]);
});

const settled = () => delay(clock, 1);
const SET: AdvertiseOptions = { type: "extended", connectable: false };
const advertise = (options: AdvertiseOptions = SET) => advertiser.advertise(options);
const start = (session: AdvertisingSession, options: Partial<PeriodicOptions> = {}) =>
  periodic.start(advertiser.setOf(session), session, { intervalMs: 100, ...options });
const train = (handle = 0) => controller.trains.get(handle);
const octets = (length: number) => Uint8Array.from({ length }, (_, i) => i);

describe("a train", () => {
  test("is set up on its set and switched on: parameters, data, enable", async () => {
    const session = await advertise();
    controller.log.length = 0;
    const advertising = await start(session, { intervalMs: [100, 125], data: { name: "Kitchen" }, includeTxPower: true });
    expect(controller.log).toEqual(["PeriodicAdvertisingParameters 0", "PeriodicAdvertisingData 0", "PeriodicAdvertisingEnable 1 0"]);
    expect(train()!.parameters).toEqual({
      advertisingHandle: 0,
      periodicAdvertisingIntervalMin: 80,
      periodicAdvertisingIntervalMax: 100,
      periodicAdvertisingProperties: 0x40,
    });
    expect(train()!.data).toEqual(Uint8Array.of(8, 9, ...new TextEncoder().encode("Kitchen")));
    expect([advertising.active, advertising.ended]).toEqual([true, undefined]);
    expect(controller.events).toEqual([]); // those of responses are for trains with responses
  });

  test.each<[Partial<PeriodicOptions>, number, number, number]>([
    [{}, 80, 0, 1],
    [{ intervalMs: 7.5 }, 6, 0, 1],
    [{ intervalMs: 81_918.75 }, 0xffff, 0, 1],
    [{ includeTxPower: true }, 80, 0x40, 1],
    [{ adi: true }, 80, 0, 3],
  ])("%j", async (options, interval, properties, enable) => {
    await start(await advertise(), options);
    expect(train()!.parameters).toMatchObject({
      periodicAdvertisingIntervalMin: interval,
      periodicAdvertisingIntervalMax: interval,
      periodicAdvertisingProperties: properties,
    });
    expect(train()!.enabled).toBe(enable);
  });

  test.each<[string, Partial<PeriodicOptions>]>([
    ["expected 7.5 to 81918.75 ms", { intervalMs: 7.4 }],
    ["expected 7.5 to 81918.75 ms", { intervalMs: 81_919 }],
    ["the smaller one first", { intervalMs: [200, 100] }],
    ["at most 1650 fit", { data: octets(1651) }],
    ['unknown option "interval"', { interval: 5 } as never],
    ["adi: expected true or false", { adi: 1 } as never],
    ['expected "subevents" beside it', { onSubevent: () => undefined }],
    ["each of them has its own", { subevents: { count: 1, intervalMs: 10 }, data: octets(1) }],
    ["count: expected a whole number from 1 to 128", { subevents: { count: 129, intervalMs: 10 } }],
    ["do not fit in an interval of 100 ms", { subevents: { count: 11, intervalMs: 10 } }],
    ["expected 7.5 to 318.75 ms", { subevents: { count: 1, intervalMs: 320 } }],
    ["do not fit between their delay", { subevents: { count: 1, intervalMs: 10, responses: { delayMs: 10, spacingMs: 1, count: 1 } } }],
    ["21 slots do not fit", { subevents: { count: 1, intervalMs: 10, responses: { delayMs: 5, spacingMs: 0.25, count: 21 } } }],
    ["expected 0.25 to 31.875 ms", { subevents: { count: 1, intervalMs: 10, responses: { delayMs: 5, spacingMs: 0.1, count: 1 } } }],
    ["expected 1.25 to 317.5 ms", { subevents: { count: 1, intervalMs: 10, responses: { delayMs: 1, spacingMs: 1, count: 1 } } }],
    ["from 1 to 255", { subevents: { count: 1, intervalMs: 10, responses: { delayMs: 5, spacingMs: 1, count: 0 } } }],
  ])("is refused before anything is sent: %s", async (message, options) => {
    const session = await advertise();
    controller.log.length = 0;
    await expect(start(session, options)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
  });

  test.each<[string, AdvertiseOptions]>([
    ["legacy", { connectable: false }],
    ["connectable", { type: "extended" }],
    ["scannable", { type: "extended", connectable: false, scanResponse: { name: "a" } }],
    ["anonymous", { anonymous: true }],
  ])("cannot be on %s advertising", async (_, options) => {
    await expect(start(await advertise(options))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test.each<[string, Partial<PeriodicOptions>, (at: PeriodicController) => void]>([
    ["periodic advertising", {}, ({ features }) => features.delete(LeFeature.LePeriodicAdvertising)],
    ["periodic advertising", {}, ({ unsupported }) => unsupported.add("LeSetPeriodicAdvertisingParameters")],
    ["ADI", { adi: true }, ({ features }) => features.delete(LeFeature.PeriodicAdvertisingAdiSupport)],
    [
      "with responses",
      { subevents: { count: 1, intervalMs: 10 } },
      ({ features }) => features.delete(LeFeature.PeriodicAdvertisingWithResponsesAdvertiser),
    ],
  ])("is refused by a controller without %s", async (what, options, prepare) => {
    prepare(controller);
    const session = await advertise();
    await expect(start(session, options)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED", message: expect.stringContaining(what) });
  });

  test("one for each advertisement, and none for one that is over", async () => {
    const session = await advertise();
    const other = await advertise();
    await start(session);
    await start(other);
    await expect(start(session)).rejects.toMatchObject({ code: "ERR_STATE" });
    expect([train(0)!.enabled, train(1)!.enabled]).toEqual([1, 1]);
    await advertiser.stop(session);
    await expect(start(session)).rejects.toMatchObject({ code: "ERR_STATE" });
    expect(train(1)!.enabled).toBe(1);
  });

  test("that is stopped ends alone, and may be started anew", async () => {
    const session = await advertise();
    const advertising = await start(session);
    controller.log.length = 0;
    await advertising.stop();
    expect(controller.log).toEqual(["PeriodicAdvertisingEnable 0 0"]);
    expect([advertising.active, advertising.ended, await advertising.closed, session.ended]).toEqual([
      false,
      { reason: "stopped", error: undefined },
      { reason: "stopped", error: undefined },
      undefined,
    ]);
    await start(session, { data: octets(3) });
    expect([train()!.enabled, train()!.data]).toEqual([1, octets(3)]);
  });

  test("ends with its advertisement, before the set is given back", async () => {
    const session = await advertise();
    const advertising = await start(session);
    controller.log.length = 0;
    await advertiser.stop(session);
    expect(controller.log).toEqual(["AdvertisingEnable off 0", "PeriodicAdvertisingEnable 0 0", "RemoveAdvertisingSet 0"]);
    expect((await advertising.closed).reason).toBe("advertisement");
    expect(controller.trains.size).toBe(0);
    await advertising.stop();
    expect(advertising.ended?.reason).toBe("advertisement");
  });

  test("ends too when the controller ends its advertisement", async () => {
    const session = await advertise({ ...SET, durationMs: 5000 });
    const advertising = await start(session);
    controller.answered(0);
    advertiser.terminated({ status: 0x3c, advertisingHandle: 0, connectionHandle: 0x0fff, numCompletedExtendedAdvertisingEvents: 0 });
    await settled();
    expect([(await advertising.closed).reason, controller.trains.size, controller.sets.size]).toEqual(["advertisement", 0, 0]);
  });

  test("goes on while its set is off for a new address", async () => {
    const session = await advertise({ ...SET, ownAddress: "resolvable" });
    await start(session);
    controller.log.length = 0;
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect(controller.log).toContain("AdvertisingSetRandomAddress 0");
    expect(controller.log.filter((line) => line.startsWith("Periodic"))).toEqual([]);
    expect(train()!.enabled).toBe(1);
  });

  test("is set up anew after a reset, behind its set", async () => {
    const session = await advertise();
    await start(session, { data: octets(300), adi: true });
    controller.reset();
    controller.log.length = 0;
    advertiser.reset();
    radio.onReset();
    await settled();
    expect(controller.log).toEqual([
      "AdvertisingParameters 0",
      "AdvertisingData 0",
      "AdvertisingEnable on 0",
      "PeriodicAdvertisingParameters 0",
      "PeriodicAdvertisingData 0",
      "PeriodicAdvertisingData 0",
      "PeriodicAdvertisingEnable 3 0",
    ]);
    expect(train()!.data).toEqual(octets(300));
  });

  test("that is refused leaves its advertisement as it is", async () => {
    const session = await advertise();
    controller.refusals.set("LeSetPeriodicAdvertisingEnable", HciErrorCode.PacketTooLong);
    await expect(start(session)).rejects.toMatchObject({ code: "ERR_HCI", status: HciErrorCode.PacketTooLong });
    expect([session.ended, controller.sets.get(0)!.enabled !== undefined]).toEqual([undefined, true]);
    controller.refusals.clear();
    await start(session);
    expect(train()!.enabled).toBe(1);
  });

  test("whose start was not answered is switched off", async () => {
    const session = await advertise();
    controller.onAnswer = (name, { enable }) => {
      if (name === "PeriodicAdvertisingEnable" && enable === 1) throw new TimeoutError("LeSetPeriodicAdvertisingEnable", 1000);
    };
    await expect(start(session)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(train()!.enabled).toBeUndefined();
    expect(session.ended).toBeUndefined();
  });

  test("that cannot be switched off is tried again, and its set is not removed before; at last the controller is given up", async () => {
    const session = await advertise();
    const advertising = await start(session);
    controller.refusals.set("LeSetPeriodicAdvertisingEnable", HciErrorCode.UnspecifiedError);
    await expect(advertising.stop()).rejects.toMatchObject({ status: HciErrorCode.UnspecifiedError });
    await advertiser.stop(session);
    expect(controller.log.filter((line) => line.startsWith("Remove"))).toEqual([]);
    await delay(clock, 60_000);
    expect(lost.length).toBeGreaterThan(0);
    controller.refusals.clear();
    await radio.update();
    expect([train(), controller.sets.size]).toEqual([undefined, 0]);
  });

  test("that is on against what was thought is switched off first", async () => {
    const session = await advertise();
    const advertising = await start(session);
    await advertising.stop();
    train()!.enabled = 1;
    controller.log.length = 0;
    await start(session);
    expect(controller.log).toEqual([
      "PeriodicAdvertisingParameters 0 refused",
      "PeriodicAdvertisingEnable 0 0",
      "PeriodicAdvertisingParameters 0",
      "PeriodicAdvertisingData 0",
      "PeriodicAdvertisingEnable 1 0",
    ]);
  });

  test("is not begun for who has left, and ends where who waits leaves", async () => {
    const session = await advertise();
    await expect(start(session, { signal: AbortSignal.abort(new Error("left")) })).rejects.toThrow("left");
    expect(train()).toBeUndefined();
    const leaving = new AbortController();
    controller.onCommand = (name) => name === "PeriodicAdvertisingData" && leaving.abort(new Error("left too"));
    await expect(start(session, { signal: leaving.signal })).rejects.toThrow("left too");
    await settled();
    expect(train()!.enabled).toBeUndefined();
    controller.onCommand = undefined;
    await start(session);
    expect(train()!.enabled).toBe(1);
  });

  test("ends with the controller", async () => {
    const advertising = await start(await advertise());
    const gone = new Error("gone");
    const responses = advertising.responses();
    radio.close(gone);
    expect(await advertising.closed).toEqual({ reason: "failed", error: gone });
    await expect(responses.next()).rejects.toBe(gone);
  });
});

describe("data", () => {
  test("of up to 252 octets go in one command, more in fragments before it is on", async () => {
    const operations: unknown[] = [];
    controller.onCommand = (name, { operation, advertisingData }) => {
      if (name === "PeriodicAdvertisingData") operations.push([operation, (advertisingData as Uint8Array).length]);
    };
    const session = await advertise();
    const advertising = await start(session, { data: octets(252) });
    expect(operations.splice(0)).toEqual([[3, 252]]);
    await advertising.stop();
    const long = await start(session, { data: octets(1650) });
    expect(operations.splice(0)).toEqual([
      [1, 252],
      [0, 252],
      [0, 252],
      [0, 252],
      [0, 252],
      [0, 252],
      [2, 138],
    ]);
    expect(train()!.data).toEqual(octets(1650));
    await long.stop();
    await start(session);
    expect([operations, train()!.data]).toEqual([[[3, 0]], new Uint8Array(0)]);
  });

  test("change on the air where one command holds them, else the train is off for a moment", async () => {
    const advertising = await start(await advertise(), { data: octets(3) });
    controller.log.length = 0;
    await advertising.update(octets(252));
    expect(controller.log).toEqual(["PeriodicAdvertisingData 0"]);
    expect(train()!.data).toEqual(octets(252));
    controller.log.length = 0;
    await advertising.update(octets(253));
    expect(controller.log).toEqual([
      "PeriodicAdvertisingEnable 0 0",
      "PeriodicAdvertisingParameters 0",
      "PeriodicAdvertisingData 0",
      "PeriodicAdvertisingData 0",
      "PeriodicAdvertisingEnable 1 0",
    ]);
    expect([train()!.data, train()!.enabled]).toEqual([octets(253), 1]);
    await expect(advertising.update(octets(1651))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await advertising.stop();
    await expect(advertising.update(octets(1))).rejects.toMatchObject({ code: "ERR_STATE" });
  });

  test("that are refused leave those of before", async () => {
    const advertising = await start(await advertise(), { data: octets(3) });
    controller.mostData = 100;
    await expect(advertising.update(octets(101))).rejects.toMatchObject({ status: HciErrorCode.PacketTooLong });
    expect([train()!.data, train()!.enabled, advertising.active]).toEqual([octets(3), 1, true]);
  });

  test("whose command was not answered are those of before again, and nobody loses the train by it", async () => {
    const advertising = await start(await advertise(), { data: octets(3) });
    let failures = 1;
    controller.onAnswer = (name) => {
      if (name === "PeriodicAdvertisingData" && failures-- > 0) throw new TimeoutError(name, 1000);
    };
    controller.log.length = 0;
    await expect(advertising.update(octets(9))).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(controller.log).toEqual(["PeriodicAdvertisingData 0", "PeriodicAdvertisingData 0"]);
    expect(train()!.data).toEqual(octets(3));
    failures = 2;
    await expect(advertising.update(octets(9))).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect([controller.log.at(-1), train()!.data, train()!.enabled]).toEqual(["PeriodicAdvertisingEnable 1 0", octets(3), 1]);
  });

  test("count as new ones when they are renewed, with an identifier", async () => {
    const session = await advertise();
    const advertising = await start(session, { data: octets(3), adi: true });
    await advertising.renew();
    expect(controller.last("LeSetPeriodicAdvertisingData")).toEqual({
      advertisingHandle: 0,
      operation: 4,
      advertisingData: new Uint8Array(0),
    });
    await advertising.stop();
    await expect(advertising.renew()).rejects.toMatchObject({ code: "ERR_STATE" });
    const plain = await start(session, { data: octets(3) });
    await expect(plain.renew()).rejects.toThrow('without "adi"');
  });

  test("may be encrypted (Supplement Part A 1.23)", async () => {
    const material = createKeyMaterial(new SeededRandom(3));
    await start(await advertise(), { data: [encryptAdvertisingData(material, { name: "Ward 3" })] });
    const sent = train()!.data!;
    expect(decryptAdvertisingData(material, sent.subarray(2))?.name).toBe("Ward 3");
  });
});

test.each([1, 2, 3, 4, 5])(
  "whatever is asked for and refused at any moment, in the end the controller does what is wanted (seed %i)",
  async (seed) => {
    const random = new SeededRandom(seed);
    const octet = () => {
      const one = new Uint8Array(1);
      random.fill(one);
      return one[0]!;
    };
    let waiting = 0;
    const ask = (asked: Promise<unknown>): void => {
      waiting++;
      const done = () => void waiting--;
      asked.then(done, done);
    };
    const trains: PeriodicAdvertising[] = [];
    const commands = ["Parameters", "Data", "Enable"].map((name) => `LeSetPeriodicAdvertising${name}`);
    for (let i = 0; i < 200; i++) {
      controller.refusals.clear();
      if (octet() < 40) controller.refusals.set(commands[octet() % 3]!, [0x0c, 0x42, 0x1f][octet() % 3]!);
      const lost = octet() < 20;
      controller.onAnswer = lost ? (name) => void (name.startsWith("Periodic") && fail(name)) : undefined;
      const [session] = advertiser.sessions.slice(octet() % 3);
      switch (octet() % 7) {
        case 0:
          ask(advertise({ ...SET, data: octets(octet()) }));
          break;
        case 1:
          if (session) ask(start(session, { data: octets(octet() * 4), adi: octet() % 2 === 0 }).then((train) => trains.push(train)));
          break;
        case 2:
          for (const train of trains) if (octet() % 2) ask(train.update(octets(octet() * 4)));
          break;
        case 3:
          for (const train of trains) if (octet() % 3 === 0) ask(train.stop());
          break;
        case 4:
          if (session && octet() % 2) ask(advertiser.stop(session));
          break;
        case 5:
          if (octet() > 20) break;
          controller.reset();
          advertiser.reset();
          radio.onReset();
          break;
        default:
          await delay(clock, octet() * 4);
      }
    }
    controller.refusals.clear();
    controller.onAnswer = undefined;
    await delay(clock, 60_000);
    expect(waiting).toBe(0);
    await radio.update();
    const wanted = trains.filter(({ active }) => active).length;
    expect([...controller.trains.values()].filter(({ enabled }) => enabled !== undefined).length).toBe(wanted);
    for (const session of advertiser.sessions) await advertiser.stop(session);
    expect([controller.trains.size, controller.sets.size, trains.filter(({ active }) => active).length]).toEqual([0, 0, 0]);
  },
);

function fail(name: string): never {
  throw new TimeoutError(name, 1000);
}
