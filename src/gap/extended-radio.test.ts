import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EXTENDED_ABILITIES, ExtendedController } from "../../test/support/extended-controller.ts";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { TimeoutError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import { HciErrorCode } from "../hci/error.ts";
import { Advertiser } from "./advertiser.ts";
import type { AdvertiseOptions, AdvertisingSession } from "./advertising-session.ts";
import { Connector } from "./connector.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Radio } from "./radio.ts";
import { LEGACY_ABILITIES } from "./radio-abilities.ts";
import { Scanner } from "./scanner.ts";

// Advertising, scanning and connecting by the extended commands, on a controller that knows their rules and no others.

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("C0:11:22:33:44:66/random");
const INTERVAL_MS = 15 * 60_000;
const UNCONNECTED = 0x0fff;

let clock: VirtualClock;
let controller: ExtendedController;
let own: OwnAddresses;
let radio: Radio;
let advertiser: Advertiser;
let scanner: Scanner;
let connector: Connector<string>;

beforeEach(() => {
  clock = new VirtualClock();
  controller = new ExtendedController();
  own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55"), identity: "public" });
  radio = new Radio({ port: controller, clock, logger: Logger.silent, own, abilities: EXTENDED_ABILITIES });
  scanner = new Scanner({ port: controller, radio, resolve: () => undefined });
  connector = new Connector<string>({ port: controller, radio, clock, scanner });
  advertiser = new Advertiser({ port: controller, radio });
  controller.onCancelled = () => connector.ended(HciErrorCode.UnknownConnectionIdentifier);
  for (const activity of [connector, scanner]) radio.add(activity);
});

afterEach(() => {
  radio.close(new Error("end of test"));
  connector.close(new Error("end of test"));
  advertiser.close();
  expect(clock.pending).toEqual([]);
});

const settled = () => delay(clock, 1);
const properties = ({ handle }: AdvertisingSession) => controller.sets.get(handle!)!.parameters.advertisingEventProperties;
const parametersOf = ({ handle }: AdvertisingSession) => controller.sets.get(handle!)!.parameters;
const isOn = ({ handle }: AdvertisingSession) => controller.sets.get(handle!)?.enabled !== undefined;
const terminated = (session: AdvertisingSession, status: number, connectionHandle = UNCONNECTED, events = 0) => {
  controller.answered(session.handle!);
  advertiser.terminated({
    status,
    advertisingHandle: session.handle!,
    connectionHandle,
    numCompletedExtendedAdvertisingEvents: events,
  });
};
/** The controller makes a link of a set: what it is assigned to, "later" until that is known. */
const answer = (session: AdvertisingSession, connectionHandle: number, peer = PEER) => {
  controller.answered(session.handle!);
  const outcome: { session: AdvertisingSession | undefined | "later" } = { session: "later" };
  advertiser.assign(peer, connectionHandle, (assigned) => {
    outcome.session = assigned;
  });
  return outcome;
};

describe("advertising sets", () => {
  test("are set up before they are switched on, and given back", async () => {
    const session = await advertiser.advertise({ data: { flags: 6 }, ownAddress: "random", intervalMs: [31.25, 37.5] });
    expect(controller.log).toEqual([
      "AdvertisingParameters 0",
      "AdvertisingSetRandomAddress 0",
      "AdvertisingData 0",
      "ScanResponseData 0",
      "AdvertisingEnable on 0",
    ]);
    expect(parametersOf(session)).toMatchObject({
      advertisingEventProperties: 0x13,
      primaryAdvertisingIntervalMin: 50,
      primaryAdvertisingIntervalMax: 60,
      primaryAdvertisingChannelMap: 7,
      ownAddressType: 1,
      advertisingTxPower: 127,
      primaryAdvertisingPhy: 1,
    });
    expect([session.sid, session.txPowerDbm, session.address?.equals(own.staticAddress)]).toEqual([undefined, 4, true]);
    await advertiser.stop(session);
    expect(controller.log.slice(-2)).toEqual(["AdvertisingEnable off 0", "RemoveAdvertisingSet 0"]);
    expect(controller.sets.size).toBe(0);
  });

  test("as many as the controller has, and one more when one is given back", async () => {
    const sessions = [];
    for (const ownAddress of ["public", "random", "resolvable"] as const)
      sessions.push(await advertiser.advertise({ ownAddress, type: "extended", data: { name: ownAddress } }));
    expect(sessions.map(({ handle, sid }) => [handle, sid])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(sessions.every(isOn)).toBe(true);
    await expect(advertiser.advertise({})).rejects.toMatchObject({ code: "ERR_STATE" });
    await advertiser.stop(sessions[1]!);
    expect(sessions.map(isOn)).toEqual([true, false, true]);
    const next = await advertiser.advertise({ sid: 9, connectable: false });
    expect([next.handle, next.sid, isOn(next), properties(next)]).toEqual([1, 9, true, 0]);
  });

  test("whose room the controller does not have are refused alone", async () => {
    controller.maxSets = 1;
    const first = await advertiser.advertise({});
    await expect(advertiser.advertise({})).rejects.toMatchObject({ status: HciErrorCode.MemoryCapacityExceeded });
    expect(isOn(first)).toBe(true);
    expect(advertiser.sessions).toEqual([first]);
  });

  test.each<[AdvertiseOptions, number, object?]>([
    [{}, 0x13],
    [{ connectable: false }, 0x10],
    [{ connectable: false, scanResponse: { name: "a" } }, 0x12],
    [{ direct: { peer: OTHER } }, 0x15, { peerAddressType: 1, peerAddress: OTHER.bytes }],
    [{ type: "extended" }, 0x01],
    [{ type: "extended", connectable: false }, 0x00],
    [{ type: "extended", connectable: false, scanResponse: { name: "a" } }, 0x02],
    [{ type: "extended", direct: { peer: OTHER } }, 0x05, { peerAddress: OTHER.bytes }],
    [{ anonymous: true }, 0x20],
    [{ includeTxPower: true, txPowerDbm: -4 }, 0x41, { advertisingTxPower: -4 }],
    [{ sid: 7 }, 0x01, { advertisingSid: 7 }],
    [{ secondaryPhy: "2M" }, 0x01, { primaryAdvertisingPhy: 1, secondaryAdvertisingPhy: 2 }],
    [{ primaryPhy: "coded" }, 0x01, { primaryAdvertisingPhy: 3, secondaryAdvertisingPhy: 3 }],
    [{ primaryPhy: "coded", coding: "S=2" }, 0x01, { primaryAdvertisingPhyOptions: 3, secondaryAdvertisingPhyOptions: 3 }],
    [
      { primaryPhy: "coded", secondaryPhy: "1M", coding: "S=8" },
      0x01,
      { primaryAdvertisingPhyOptions: 4, secondaryAdvertisingPhyOptions: 0 },
    ],
    [{ scanRequestNotifications: true }, 0x13, { scanRequestNotificationEnable: true }],
    [{ data: new Uint8Array(32) }, 0x01],
    [{ type: "legacy", data: new Uint8Array(31) }, 0x13],
    [{ intervalMs: 60_000, connectable: false }, 0x00, { primaryAdvertisingIntervalMin: 96_000 }],
    [{ payload: { name: "x".repeat(29) } }, 0x13],
    [{ payload: { name: "x".repeat(60) } }, 0x01],
  ])("%j have event properties %i", async (options, expected, more = {}) => {
    const session = await advertiser.advertise(options);
    expect(parametersOf(session)).toMatchObject({ advertisingEventProperties: expected, ...more });
    expect(session.isLegacy).toBe((expected & 0x10) !== 0);
  });

  test.each<[AdvertiseOptions, string]>([
    [{ type: "legacy", sid: 1 }, "legacy advertising has no such thing"],
    [{ type: "legacy", data: new Uint8Array(32) }, "at most 31 fit"],
    [{ data: new Uint8Array(1651) }, "at most 1650 fit"],
    [{ type: "extended", scanResponse: { name: "a" } }, "answers no scan requests"],
    [{ type: "extended", connectable: false, data: { flags: 6 }, scanResponse: { name: "a" } }, 'its data in "scanResponse" alone'],
    [{ anonymous: true, connectable: true }, "takes no connections"],
    [{ sid: 1, direct: { peer: PEER, highDutyCycle: true } }, "is legacy advertising"],
    [{ direct: { peer: PEER }, data: { flags: 6 } }, "directed advertising carries no data"],
    [{ sid: 16 }, "sid: expected a whole number from 0 to 15"],
    [{ maxEvents: 256 }, "maxEvents: expected a whole number from 1 to 255"],
    [{ discoverable: "limited", durationMs: 180_001 }, "limited discoverable is at most 180000 ms"],
    [{ acceptList: [] }, "expected at least one address"],
    [{ filterAcceptList: "scan" }, 'expected an "acceptList"'],
    [{ discoverable: "general", anonymous: true }, "carries no flags"],
  ])("%j are refused before anything is sent", async (options, message) => {
    await expect(advertiser.advertise(options)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
  });

  test("long data go in fragments, and change on the air with one operation where they fit, else off the air for a moment", async () => {
    const long = Uint8Array.from({ length: 1650 }, (_, i) => i);
    const operations: unknown[] = [];
    controller.onCommand = (name, { operation, advertisingData }) => {
      if (name === "AdvertisingData") operations.push([operation, (advertisingData as Uint8Array).length]);
    };
    const session = await advertiser.advertise({ connectable: false, data: long });
    expect(operations.splice(0)).toEqual([
      [1, 251],
      [0, 251],
      [0, 251],
      [0, 251],
      [0, 251],
      [0, 251],
      [2, 144],
    ]);
    expect(controller.sets.get(0)!.data).toEqual(long);
    controller.log.length = 0;
    await advertiser.setData(session, { data: long.subarray(0, 251) });
    expect(operations.splice(0)).toEqual([[3, 251]]);
    expect(controller.log).toEqual(["AdvertisingData 0"]);
    await advertiser.setData(session, { data: long.subarray(0, 252) });
    expect(operations).toEqual([
      [1, 251],
      [2, 1],
    ]);
    expect([controller.log.includes("AdvertisingEnable off 0"), isOn(session)]).toEqual([true, true]);
    expect(controller.sets.get(0)!.data.length).toBe(252);
  });

  test("each shows its own random address; one that changes stops no other", async () => {
    const still = await advertiser.advertise({ ownAddress: "random" });
    const changing = await advertiser.advertise({ ownAddress: "resolvable" });
    const first = changing.address!;
    controller.log.length = 0;
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect(changing.address!.equals(first)).toBe(false);
    expect(controller.sets.get(changing.handle!)!.randomAddress!.equals(changing.address!)).toBe(true);
    expect(controller.log.filter((line) => line.endsWith(` ${still.handle}`))).toEqual([]);
    expect([isOn(still), isOn(changing)]).toEqual([true, true]);
  });

  test("need nothing of the controller's random address: connecting and scanning with another one go on beside them", async () => {
    const session = await advertiser.advertise({ ownAddress: "resolvable" });
    await scanner.scan({ ownAddress: "random" }, () => {});
    const connected = connector.connect(PEER, { ownAddress: "random" }, undefined);
    await settled();
    expect([isOn(session), controller.scanning !== undefined, controller.initiating !== undefined]).toEqual([true, true, true]);
    expect(controller.randomAddress!.equals(own.staticAddress)).toBe(true);
    connector.connected(PEER, () => Promise.resolve())?.outcome.resolve("link");
    await connected;
  });

  test("a lost answer to the enabling is followed by disabling, of that set alone", async () => {
    const first = await advertiser.advertise({});
    controller.onCommand = (name, { enable }) => {
      if (name === "AdvertisingEnable" && enable) throw new TimeoutError("LeSetExtendedAdvertisingEnable", 1000);
    };
    await expect(advertiser.advertise({})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(controller.log.slice(-2)).toEqual(["AdvertisingEnable off 1", "RemoveAdvertisingSet 1"]);
    expect(isOn(first)).toBe(true);
  });

  test("a refused change of one part takes back the other", async () => {
    const session = await advertiser.advertise({ data: { flags: 6 }, scanResponse: { name: "a" } });
    const before = session.content;
    controller.refusals.set("LeSetExtendedScanResponseData", HciErrorCode.InvalidHciCommandParameters);
    await expect(advertiser.setData(session, { data: { flags: 2 }, scanResponse: { name: "b" } })).rejects.toMatchObject({ status: 0x12 });
    expect(session.content).toBe(before);
    expect(controller.sets.get(0)!.data).toEqual(before.data.bytes);
  });

  test("are set up anew after a reset of the controller", async () => {
    const session = await advertiser.advertise({ ownAddress: "random" });
    controller.sets.clear();
    controller.log.length = 0;
    advertiser.reset();
    radio.onReset();
    await settled();
    expect([isOn(session), controller.log[0], controller.log.at(-1)]).toEqual([true, "AdvertisingParameters 0", "AdvertisingEnable on 0"]);
  });
});

describe("the end of an advertisement", () => {
  test("is told by its own set: duration, events", async () => {
    const timed = await advertiser.advertise({ durationMs: 5000 });
    const counted = await advertiser.advertise({ maxEvents: 7 });
    expect(controller.sets.get(timed.handle!)!.enabled).toEqual({ duration: 500, maxExtendedAdvertisingEvents: 0 });
    expect(controller.sets.get(counted.handle!)!.enabled).toEqual({ duration: 0, maxExtendedAdvertisingEvents: 7 });
    terminated(counted, HciErrorCode.LimitReached, UNCONNECTED, 7);
    expect([counted.ended, timed.ended]).toEqual([{ error: undefined, reason: "events", events: 7 }, undefined]);
    terminated(timed, HciErrorCode.AdvertisingTimeout);
    expect(timed.ended).toMatchObject({ reason: "duration", error: undefined });
    await settled();
    expect([controller.sets.size, clock.pending]).toEqual([0, []]);
  });

  test("comes from the host where the controller says nothing, and a late word of the set is no news", async () => {
    const session = await advertiser.advertise({ durationMs: 5000 });
    await delay(clock, 5999);
    expect(session.ended).toBeUndefined();
    await delay(clock, 2);
    await settled();
    expect([session.ended?.reason, isOn(session)]).toEqual(["duration", false]);
    advertiser.terminated({ status: 0x3c, advertisingHandle: 0, connectionHandle: UNCONNECTED, numCompletedExtendedAdvertisingEvents: 0 });
  });

  test("what is taken off the air for a moment goes on for the rest of its time", async () => {
    const session = await advertiser.advertise({ durationMs: 100_000, restart: "connected" });
    await delay(clock, 40_000);
    expect(answer(session, 1).session).toBe(session);
    terminated(session, 0, 1);
    await settled();
    expect(controller.sets.get(0)!.enabled!.duration).toBe(6000);
  });

  test("high duty cycle: 1.28 s, told by the connection event and by the set", async () => {
    for (const isByEvent of [true, false]) {
      const session = await advertiser.advertise({ direct: { peer: PEER, highDutyCycle: true } });
      expect([properties(session), controller.sets.get(session.handle!)!.enabled!.duration]).toEqual([0x1d, 128]);
      if (isByEvent) expect(advertiser.timedOut(new Error("timeout"))).toBe(true);
      terminated(session, HciErrorCode.AdvertisingTimeout);
      expect(session.ended?.error).toBeInstanceOf(Error);
      await settled();
    }
    expect(advertiser.timedOut(new Error("timeout"))).toBe(false);
  });
});

describe("a link", () => {
  test("answers the only set that it can, at once; the word of the set is then no news", async () => {
    const session = await advertiser.advertise({ restart: "connected" });
    await advertiser.advertise({ connectable: false });
    await advertiser.advertise({ direct: { peer: OTHER } });
    expect(answer(session, 1).session).toBe(session);
    await settled();
    expect(isOn(session)).toBe(true); // on again
    advertiser.terminated({
      status: 0,
      advertisingHandle: session.handle!,
      connectionHandle: 1,
      numCompletedExtendedAdvertisingEvents: 0,
    });
    await settled();
    expect([session.ended, isOn(session), session.links]).toEqual([undefined, true, 1]);
  });

  test("of which several sets could be the reason waits for the word of the set", async () => {
    const first = await advertiser.advertise({});
    const second = await advertiser.advertise({ restart: "disconnected" });
    const outcome = answer(second, 7);
    expect(outcome.session).toBe("later");
    terminated(second, 0, 7);
    expect([outcome.session, second.links, first.links, isOn(first)]).toEqual([second, 1, 0, true]);
    await settled();
    expect(isOn(second)).toBe(false);
    advertiser.disconnected(second);
    await settled();
    expect(isOn(second)).toBe(true);
  });

  test("may come after the word of the set", async () => {
    const first = await advertiser.advertise({});
    const second = await advertiser.advertise({});
    terminated(second, 0, 9);
    const outcome = answer(second, 9);
    expect([outcome.session, second.ended?.reason, first.ended]).toEqual([second, "connected", undefined]);
  });

  test("that no set speaks for within a second is nobody's, and the sets begin anew", async () => {
    const sessions = [await advertiser.advertise({}), await advertiser.advertise({})];
    const outcome = answer(sessions[0]!, 3);
    await delay(clock, 1001);
    await settled();
    expect(outcome.session).toBeUndefined();
    expect(sessions.map(isOn)).toEqual([true, true]);
  });

  test("that is gone leaves nothing for the next one of its handle", async () => {
    const first = await advertiser.advertise({ restart: "connected" });
    const second = await advertiser.advertise({ restart: "connected" });
    const outcome = answer(second, 3);
    advertiser.linkGone(3);
    expect(outcome.session).toBeUndefined();
    terminated(second, 0, 3); // its word, too late
    advertiser.linkGone(3);
    await settled();
    expect([isOn(first), isOn(second)]).toEqual([true, true]);
  });

  test("that comes while its set is being stopped is not wanted", async () => {
    const session = await advertiser.advertise({});
    const stopped = advertiser.stop(session);
    expect(answer(session, 1).session).toBeUndefined();
    await stopped;
    expect(controller.sets.size).toBe(0);
  });
});

describe("discoverable modes", () => {
  test.each<[AdvertiseOptions, number[]]>([
    [{ discoverable: "general" }, [2, 1, 6]],
    [{ discoverable: "limited" }, [2, 1, 5]],
    [{ discoverable: "none", data: { flags: 6 } }, [2, 1, 4]],
    [{ discoverable: "limited", payload: { appearance: 1 } }, [2, 1, 5, 3, 0x19, 1, 0]],
    [{ discoverable: "general", data: { appearance: 1 } }, [2, 1, 6, 3, 0x19, 1, 0]],
    [{ discoverable: "general", data: { flags: 0x18 | 1 } }, [2, 1, 0x1a]],
  ])("%j", async (options, data) => {
    const session = await advertiser.advertise(options);
    expect([...controller.sets.get(0)!.data]).toEqual(data);
    expect(controller.sets.get(0)!.enabled!.duration).toBe(options.discoverable === "limited" ? 18_000 : 0);
    await advertiser.setData(session, { data: { appearance: 2 } });
    expect(controller.sets.get(0)!.data[1]).toBe(1); // the flags stay
  });
});

describe("scanning", () => {
  /** One extended report in octets. */
  const report = (at: {
    eventType?: number;
    address?: Address | undefined;
    sid?: number;
    data?: ArrayLike<number>;
    secondary?: number;
    direct?: Address;
    periodic?: number;
  }) => {
    const { eventType = 0, address = PEER, sid = 0xff, data = [], secondary = 0, direct, periodic = 0 } = at;
    const isAnonymous = "address" in at && at.address === undefined;
    const octets = Uint8Array.of(
      ...[eventType, 0, isAnonymous ? 0xff : address.type, ...(isAnonymous ? new Uint8Array(6) : address.bytes)],
      ...[1, secondary, sid, 0x7f, 0xc4, periodic & 0xff, periodic >> 8],
      ...[direct?.type ?? 0, ...(direct?.bytes ?? new Uint8Array(6)), data.length, ...Array.from(data)],
    );
    scanner.onExtendedReport(octets, 0, octets.length);
  };

  test("on LE 1M by default, on both with parameters of their own; scans share the controller", async () => {
    await scanner.scan({ active: false, intervalMs: 100, windowMs: 10 }, () => {});
    expect(controller.scanning).toMatchObject({ scanningPhys: 1, phys: [{ scanType: 0, scanInterval: 160, scanWindow: 16 }] });
    const both = await scanner.scan({ phys: { "1M": { windowMs: 5 }, coded: { active: false, intervalMs: 200, windowMs: 20 } } }, () => {});
    expect(controller.scanning).toMatchObject({
      scanningPhys: 5,
      filterDuplicates: 0,
      phys: [
        { scanType: 1, scanInterval: 160, scanWindow: 16 },
        { scanType: 0, scanInterval: 320, scanWindow: 32 },
      ],
    });
    await scanner.stop(both);
    expect(controller.scanning).toMatchObject({ scanningPhys: 1 });
  });

  test("legacy PDUs are what they are in legacy reports", async () => {
    const seen: unknown[] = [];
    await scanner.scan({}, (a) => seen.push([a.eventType, a.connectable, a.scannable, a.directed, a.isScanResponse, a.isExtended, a.name]));
    report({ eventType: 0x13, data: [2, 1, 6] });
    report({ eventType: 0x1b, data: [2, 9, 0x61] });
    report({ eventType: 0x12, address: OTHER });
    report({ eventType: 0x10, address: OTHER });
    report({ eventType: 0x15, address: OTHER });
    report({ eventType: 0x1a, address: OTHER });
    report({ eventType: 0x13, data: [2, 1, 6] }); // known
    expect(seen).toEqual([
      [0, true, true, false, false, false, undefined],
      [4, true, true, false, true, false, "a"],
      [2, false, true, false, false, false, undefined],
      [3, false, false, false, false, false, undefined],
      [1, true, false, true, false, false, undefined],
      [4, false, true, false, true, false, undefined],
    ]);
  });

  test("extended PDUs tell their PHYs, set, power, target and periodic advertising", async () => {
    const seen: unknown[] = [];
    await scanner.scan({ duplicates: "report" }, (a) =>
      seen.push([
        a.isExtended,
        a.primaryPhy,
        a.secondaryPhy,
        a.sid,
        a.rssiDbm,
        a.isAnonymous,
        a.directAddress?.toString(),
        a.periodicIntervalMs,
      ]),
    );
    report({ eventType: 1, sid: 3, secondary: 2 });
    report({ eventType: 0, sid: 4, secondary: 3, address: undefined, periodic: 80 });
    report({ eventType: 5, sid: 5, secondary: 1, direct: OTHER });
    expect(seen).toEqual([
      [true, "1M", "2M", 3, -60, false, undefined, undefined],
      [true, "1M", "coded", 4, -60, true, undefined, 100],
      [true, "1M", "1M", 5, -60, false, OTHER.toString(), undefined],
    ]);
  });

  test("data in pieces are put together, those of several advertisers at a time", async () => {
    const seen: unknown[] = [];
    await scanner.scan({ duplicates: "report", active: false }, ({ address, data, isTruncated }) =>
      seen.push([address.toString(), [...data], isTruncated]),
    );
    report({ eventType: 0x20, sid: 1, data: [1, 2] });
    report({ eventType: 0x20, sid: 1, data: [8], address: OTHER });
    report({ eventType: 0x10, data: [2, 1, 6] }); // a legacy one in between
    report({ eventType: 0x20, sid: 1, data: [3] });
    report({ eventType: 0, sid: 2, data: [7] }); // another set of the same advertiser
    report({ eventType: 0, sid: 1, data: [4] });
    report({ eventType: 0x40, sid: 1, data: [9], address: OTHER });
    expect(seen).toEqual([
      [PEER.toString(), [2, 1, 6], false],
      [PEER.toString(), [7], false],
      [PEER.toString(), [1, 2, 3, 4], false],
      [OTHER.toString(), [8, 9], true],
    ]);
  });

  test("no advertiser makes the host grow: 1650 octets each, 64 at a time", async () => {
    const sizes: [number, boolean][] = [];
    await scanner.scan({ duplicates: "report", active: false }, ({ data, isTruncated }) => sizes.push([data.length, isTruncated]));
    for (let i = 0; i < 10; i++) report({ eventType: 0x20, sid: 0, data: new Uint8Array(229) });
    report({ eventType: 0, sid: 0, data: [1] });
    expect(sizes.splice(0)).toEqual([[1650, true]]);
    for (let i = 0; i < 70; i++) report({ eventType: 0x20, sid: 0, data: [1], address: new Address(Uint8Array.of(i, 0, 0, 0, 0, 0), 1) });
    expect(sizes).toEqual(Array.from({ length: 6 }, () => [1, true]));
  });

  test("a scan response belongs to its set", async () => {
    const seen: unknown[] = [];
    await scanner.scan({}, ({ sid, name, isScanResponse }) => seen.push([sid, name, isScanResponse]));
    report({ eventType: 2, sid: 1 });
    report({ eventType: 2, sid: 2 });
    report({ eventType: 0x0a, sid: 2, data: [2, 9, 0x62] });
    report({ eventType: 0x0a, sid: 1, data: [2, 9, 0x61] });
    expect(seen).toEqual([
      [1, undefined, false],
      [2, undefined, false],
      [2, "b", true],
      [1, "a", true],
    ]);
  });

  test("a controller that stops by itself goes on", async () => {
    await scanner.scan({}, () => {});
    controller.scanning = undefined;
    scanner.timedOut();
    await settled();
    expect(controller.scanning).toBeTruthy();
  });

  test("finds limited discoverable devices, or all discoverable ones", async () => {
    const seen = { limited: 0, general: 0 };
    for (const discoverable of ["limited", "general"] as const) await scanner.scan({ discoverable }, () => seen[discoverable]++);
    for (const flags of [4, 5, 6]) report({ eventType: 0x13, data: [2, 1, flags] });
    expect(seen).toEqual({ limited: 1, general: 2 });
  });
});

describe("the filter accept list", () => {
  test("is the scans' where each has one; who is not on a scan's own list is not told to it", async () => {
    const seen: string[] = [];
    const octets = (address: Address) =>
      Uint8Array.of(0x13, 0, address.type, ...address.bytes, 1, 0, 0xff, 0x7f, 0xc4, ...new Uint8Array(9), 0);
    await scanner.scan({ acceptList: [PEER] }, () => seen.push("first"));
    expect([controller.acceptList, controller.scanning!.scanningFilterPolicy]).toEqual([[PEER.toString()], 1]);
    const all = await scanner.scan({}, () => seen.push("all"));
    expect(controller.scanning!.scanningFilterPolicy).toBe(0);
    for (const address of [PEER, OTHER]) scanner.onExtendedReport(octets(address), 0, 25);
    expect(seen).toEqual(["first", "all", "all"]);
    await scanner.stop(all);
    await scanner.scan({ acceptList: [OTHER] }, () => {});
    expect([controller.acceptList.length, controller.scanning!.scanningFilterPolicy]).toEqual([2, 1]);
  });

  test("is the connection attempt's first: the scan goes without it, filtered advertising waits", async () => {
    await scanner.scan({ acceptList: [PEER] }, () => {});
    const session = await advertiser.advertise({ acceptList: [OTHER], filterAcceptList: "connect" });
    expect([controller.acceptList, parametersOf(session).advertisingFilterPolicy, isOn(session)]).toEqual([[OTHER.toString()], 2, true]);
    expect(controller.scanning!.scanningFilterPolicy).toBe(0);
    const connected = connector.connect([PEER, OTHER], {}, undefined);
    await settled();
    expect(controller.initiating).toMatchObject({ initiatorFilterPolicy: 1, peerAddress: new Uint8Array(6) });
    expect([controller.acceptList.length, isOn(session)]).toEqual([2, false]);
    controller.initiating = undefined;
    connector.connected(OTHER, () => Promise.resolve())?.outcome.resolve("link");
    expect(await connected).toBe("link");
    await settled();
    expect([controller.acceptList, isOn(session)]).toEqual([[OTHER.toString()], true]);
  });

  test("that is refused is an error of who needs it", async () => {
    controller.refusals.set("LeAddDeviceToFilterAcceptList", HciErrorCode.MemoryCapacityExceeded);
    await expect(connector.connect([PEER, OTHER], {}, undefined)).rejects.toMatchObject({ status: 0x07 });
    await expect(advertiser.advertise({ acceptList: [PEER] })).rejects.toMatchObject({ status: 0x07 });
    await scanner.scan({ acceptList: [PEER] }, () => {});
    expect(controller.scanning!.scanningFilterPolicy).toBe(0);
  });
});

describe("connecting", () => {
  test("on PHYs with parameters of their own", async () => {
    const phys = { "1M": {}, "2M": { intervalMs: 7.5 }, coded: { intervalMs: 100, scanWindowMs: 10 } };
    const connected = connector.connect(OTHER, { phys, intervalMs: 30 }, undefined);
    await settled();
    const link = { maxLatency: 0, supervisionTimeout: 400, minCeLength: 0, maxCeLength: 0 };
    expect(controller.initiating).toMatchObject({
      initiatorFilterPolicy: 0,
      peerAddressType: 1,
      peerAddress: OTHER.bytes,
      initiatingPhys: 7,
      phys: [
        { scanInterval: 96, scanWindow: 48, connectionIntervalMin: 24, connectionIntervalMax: 24, ...link },
        { scanInterval: 96, scanWindow: 48, connectionIntervalMin: 6, connectionIntervalMax: 6, ...link },
        { scanInterval: 96, scanWindow: 16, connectionIntervalMin: 80, connectionIntervalMax: 80, ...link },
      ],
    });
    controller.initiating = undefined;
    connector.connected(OTHER, () => Promise.resolve())?.outcome.resolve("link");
    expect(await connected).toBe("link");
  });

  test("a timeout cancels it", async () => {
    await expect(connector.connect(PEER, { timeoutMs: 1000 }, undefined)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(controller.log).toEqual(["ExtendedCreateConnection", "CreateConnectionCancel"]);
  });

  test.each<[object, string]>([
    [{ phys: ["2M"] }, "nobody is heard on 2M alone"],
    [{ phys: [] }, "expected at least one"],
    [{ phys: ["3M"] }, "connect: phys"],
    [{ phys: { coded: { intervalMs: 1 } } }, "connection interval 1 ms"],
    [{ phys: { coded: { scanInterval: 1 } } }, "scanIntervalMs"],
  ])("%j is refused", async (options, message) => {
    await expect(connector.connect(PEER, options, undefined)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
  });
});

describe("a legacy controller", () => {
  test.each<[AdvertiseOptions, string]>([
    [{ type: "extended" }, 'type "extended"'],
    [{ primaryPhy: "coded" }, "LE Coded"],
    [{ secondaryPhy: "2M" }, "a secondary PHY"],
    [{ anonymous: true }, "anonymous advertising"],
    [{ sid: 1 }, "an advertising set identifier"],
    [{ includeTxPower: true }, "the transmit power"],
    [{ txPowerDbm: 0 }, "a transmit power"],
    [{ maxEvents: 1 }, "a number of advertising events"],
    [{ scanRequestNotifications: true }, "notifications of scan requests"],
    [{ intervalMs: 20_000 }, "an interval of 20000 ms"],
  ])("cannot do %j, and says so", async (options, message) => {
    const legacy = new Radio({ port: controller, clock, logger: Logger.silent, own, abilities: LEGACY_ABILITIES });
    const only = new Advertiser({ port: controller, radio: legacy });
    await expect(only.advertise(options)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await expect(only.advertise(options)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
  });

  test("listens on LE 1M where LE Coded is asked for beside it, and on nothing where it is asked for alone", async () => {
    const legacy = new Radio({ port: controller, clock, logger: Logger.silent, own });
    const listening = new Scanner({ port: controller, radio: legacy, resolve: () => undefined });
    await expect(listening.scan({ phys: ["coded"] }, () => {})).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    const connecting = new Connector<string>({ port: controller, radio: legacy, clock, scanner: listening });
    await expect(connecting.connect(PEER, { phys: ["coded"] }, undefined)).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    expect(controller.log).toEqual([]);
  });
});
