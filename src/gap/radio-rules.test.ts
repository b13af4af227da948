import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RuledController } from "../../test/support/ruled-controller.ts";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { TimeoutError } from "../core/error.ts";
import { Logger, LogLevel } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import { HciErrorCode } from "../hci/error.ts";
import { Advertiser } from "./advertiser.ts";
import { AdvertisingData } from "./advertising-data.ts";
import { Connector } from "./connector.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Radio } from "./radio.ts";
import { AdvertisingEventType } from "./report-layout.ts";
import { Scanner } from "./scanner.ts";

// What is decided between advertising, scanning and connecting, and what is sent for it.

const PEER = Address.from("00:00:00:00:00:01");
const OTHER = Address.from("C0:11:22:33:44:66/random");
const ZEROS = Address.from("00:00:00:00:00:00");
const INTERVAL_MS = 15 * 60_000;

let clock: VirtualClock;
let controller: RuledController;
let own: OwnAddresses;
let radio: Radio;
let advertiser: Advertiser;
let scanner: Scanner;
let connector: Connector<string>;
let lines: string[];

beforeEach(() => {
  clock = new VirtualClock();
  controller = new RuledController();
  lines = [];
  own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55"), identity: "public" });
  const logger = new Logger("", LogLevel.Debug, (_level, _scope, message) => void lines.push(message));
  radio = new Radio({ port: controller, clock, logger, own });
  scanner = new Scanner({ port: controller, radio, resolve: () => undefined });
  connector = new Connector<string>({ port: controller, radio, clock, scanner });
  advertiser = new Advertiser({ port: controller, radio });
  controller.onCancelled = () => connector.ended(HciErrorCode.UnknownConnectionIdentifier);
  for (const activity of [connector, scanner]) radio.add(activity);
});

afterEach(() => {
  radio.close(new Error("end of test"));
  connector.close(new Error("end of test"));
  expect(clock.pending).toEqual([]);
});

const settled = () => delay(clock, 1);
/** The controller makes the link it is asked for. */
const link = (name = "link") => {
  const { peerAddress, peerAddressType } = controller.initiating!;
  controller.initiating = undefined;
  connector.connected(new Address(peerAddress, peerAddressType), () => Promise.resolve())?.outcome.resolve(name);
};
const report = (address: Address, fields = {}, eventType: number = AdvertisingEventType.ConnectableUndirected) => {
  const data = AdvertisingData.from(fields).bytes;
  const octets = Uint8Array.of(eventType, address.type, ...address.bytes, data.length, ...data, 0xc4);
  scanner.onReport(octets, 0, octets.length);
};

describe("the random address", () => {
  test("is the scan's own where no advertisement and no attempt needs another", async () => {
    await advertiser.advertise({});
    await scanner.scan({ ownAddress: "random" }, () => {});
    expect(controller.randomAddress!.equals(own.staticAddress)).toBe(true);
  });

  test("is the scan's own while an advertisement waits for its connection to be over", async () => {
    const session = await advertiser.advertise({ ownAddress: "resolvable", restart: "disconnected" });
    controller.advertising = undefined;
    expect(advertiser.connected(PEER)).toBe(session);
    await settled();
    await scanner.scan({ ownAddress: "random" }, () => {});
    expect(controller.randomAddress!.equals(own.staticAddress)).toBe(true);
    // And is what the advertisement needs as soon as it goes on.
    advertiser.disconnected(session);
    await settled();
    expect(controller.randomAddress!.isResolvablePrivate).toBe(true);
    expect(controller.scanning && controller.advertising).toBeTruthy();
  });

  test("is not touched for activities on the public address", async () => {
    await advertiser.advertise({});
    await scanner.scan({ ownAddress: "public" }, () => {});
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    link();
    await connected;
    expect(controller.log.filter((line) => line.includes("RandomAddress"))).toEqual([]);
  });

  test("changes when it is due, also where nobody has said whether there are private links", async () => {
    await advertiser.advertise({ ownAddress: "resolvable" });
    const first = controller.randomAddress!;
    await delay(clock, INTERVAL_MS + 1);
    await settled();
    expect(controller.randomAddress!.equals(first)).toBe(false);
  });

  test("is a new one at the start of an attempt when the last was shown long ago, and stays during an attempt", async () => {
    const connect = () => connector.connect(PEER, { ownAddress: "resolvable", timeoutMs: 3 * INTERVAL_MS }, undefined);
    const first = connect();
    await settled();
    const shown = controller.randomAddress!;
    link();
    await first;
    await delay(clock, INTERVAL_MS + 1);
    const second = connect();
    await settled();
    expect(controller.randomAddress!.equals(shown)).toBe(false);
    const during = controller.randomAddress!;
    await delay(clock, INTERVAL_MS + 1);
    await radio.update();
    expect(controller.randomAddress!.equals(during)).toBe(true);
    link();
    await second;
  });
});

describe("advertising", () => {
  test("of one that takes no connections gives nobody a connection", async () => {
    for (const options of [{ connectable: false }, { connectable: false, scanResponse: { name: "a" } }]) {
      const session = await advertiser.advertise(options);
      expect(controller.advertising).toMatchObject({ advertisingType: options.scanResponse ? 2 : 3 });
      expect(advertiser.connected(PEER)).toBeUndefined();
      await settled();
      await advertiser.stop(session);
    }
  });

  test("directed has no data to change, and says so only where some is given", async () => {
    const session = await advertiser.advertise({ direct: { peer: PEER } });
    expect(controller.log).toEqual(["AdvertisingParameters", "AdvertisingEnable on"]);
    const name = AdvertisingData.from({ name: "a" });
    await expect(advertiser.setData(session, { data: name })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await expect(advertiser.setData(session, { scanResponse: name })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await advertiser.setData(session, {});
    await advertiser.setData(session, { data: AdvertisingData.empty });
    expect(controller.log).toEqual(["AdvertisingParameters", "AdvertisingEnable on"]);
  });

  test.each([true, false])("a refused scan response takes back the data that went with it, where some did (%s)", async (hasData) => {
    const session = await advertiser.advertise({ data: { flags: 6 } });
    const before = session.content;
    controller.log.length = 0;
    controller.refusals.set("LeSetScanResponseData", HciErrorCode.InvalidHciCommandParameters);
    const [data, scanResponse] = [AdvertisingData.from({ flags: 2 }), AdvertisingData.from({ name: "a" })];
    await expect(advertiser.setData(session, { scanResponse, ...(hasData && { data }) })).rejects.toMatchObject({ status: 0x12 });
    const sent = hasData ? ["AdvertisingData", "ScanResponseData refused", "AdvertisingData"] : ["ScanResponseData refused"];
    expect(controller.log).toEqual(sent);
    expect(session.content).toBe(before);
  });

  test("refused after a connection for want of room, it is no advertisement that another link could answer", async () => {
    const session = await advertiser.advertise({ restart: "connected" });
    controller.advertising = undefined;
    controller.refusals.set("LeSetAdvertisingEnable", HciErrorCode.ConnectionLimitExceeded);
    advertiser.connected(PEER);
    await settled();
    expect([session.ended, session.isFull, session.links]).toEqual([undefined, true, 1]);
    expect(advertiser.connected(OTHER)).toBeUndefined();
    expect(session.links).toBe(1);
  });

  test("ends with the reason of the controller's end", async () => {
    const session = await advertiser.advertise({});
    const reason = new Error("unplugged");
    let told: unknown;
    session.onEnd = (error) => {
      told = error;
    };
    radio.close(reason);
    const ended = { error: reason, reason: "failed", events: undefined };
    expect([session.ended, told, advertiser.session, advertiser.state]).toEqual([ended, reason, undefined, "off"]);
  });

  test("that the controller is doing already is switched off and set up anew", async () => {
    controller.advertising = { ownAddressType: 0 }; // it is on, and nobody here knows
    controller.onCommand = (name, isOn) => {
      if (name === "AdvertisingEnable" && isOn === false) controller.advertising = undefined;
    };
    await advertiser.advertise({});
    expect(controller.log).toEqual([
      "AdvertisingParameters refused",
      "AdvertisingEnable off",
      "AdvertisingParameters",
      "AdvertisingData",
      "ScanResponseData",
      "AdvertisingEnable on",
    ]);
  });

  test("whose answer is lost is switched off at once", async () => {
    controller.onCommand = (name, isOn) => {
      if (name === "AdvertisingEnable" && isOn) throw new TimeoutError("LeSetAdvertisingEnable", 1000);
    };
    await expect(advertiser.advertise({})).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await settled();
    expect(controller.log.at(-1)).toBe("AdvertisingEnable off");
    expect(advertiser.state).toBe("off");
  });

  test("that cannot be switched off is tried again by itself, after half a second and then later", async () => {
    const session = await advertiser.advertise({});
    controller.refusals.set("LeSetAdvertisingEnable", HciErrorCode.UnspecifiedError);
    await expect(advertiser.stop(session)).rejects.toMatchObject({ status: HciErrorCode.UnspecifiedError });
    const refused = () => controller.log.filter((line) => line === "AdvertisingEnable off refused").length;
    expect([refused(), clock.pending]).toEqual([1, ["switching off"]]);
    await delay(clock, 490);
    expect(refused()).toBe(1);
    await delay(clock, 20);
    expect(refused()).toBe(2);
    await delay(clock, 980);
    expect(refused()).toBe(2);
    controller.refusals.clear();
    await delay(clock, 30);
    expect(controller.log.at(-1)).toBe("AdvertisingEnable off");
    expect([controller.advertising, clock.pending]).toEqual([undefined, []]);
  });
});

describe("scanning", () => {
  test("that reports everything still reports only what is looked for", async () => {
    const seen: string[] = [];
    const select = [{ name: "a" }, { services: ["180D"] }, { filter: ({ name }: { name: string | undefined }) => name === "a" }];
    for (const [i, options] of select.entries()) {
      const scan = await scanner.scan({ ...options, active: false, duplicates: "report" }, ({ name }) => seen.push(`${i} ${name}`));
      report(PEER, { name: "a", serviceUuids: ["180D"] });
      report(PEER, { name: "b", serviceUuids: ["180F"] });
      report(PEER, { name: "a", serviceUuids: ["180D"] });
      await scanner.stop(scan);
    }
    expect(seen).toEqual(["0 a", "0 a", "1 a", "1 a", "2 a", "2 a"]);
  });

  test("that reports everything shows a scan response with its advertisement, and serves two at once", async () => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, ({ name, flags }) => seen.push(`1 ${name} ${flags}`));
    report(PEER, { flags: 6 });
    report(PEER, { name: "a" }, AdvertisingEventType.ScanResponse);
    expect(seen.splice(0)).toEqual(["1 undefined 6", "1 a 6"]);
    const second = await scanner.scan({ duplicates: "report", active: false }, ({ name }) => seen.push(`2 ${name}`));
    report(OTHER, { name: "b" });
    expect(seen.splice(0)).toEqual(["1 b 0", "2 b"]);
    await scanner.stop(second);
  });

  test("passively, two scans both get everything", async () => {
    const seen: number[] = [];
    for (const i of [1, 2]) await scanner.scan({ duplicates: "report", active: false }, () => seen.push(i));
    report(PEER);
    expect(seen).toEqual([1, 2]);
  });

  test("a scan that the controller refuses ends alone, and the first one goes on", async () => {
    const seen: number[] = [];
    const first = await scanner.scan({ intervalMs: 100, windowMs: 10, duplicates: "report" }, () => seen.push(1));
    let refusals = 1;
    controller.onCommand = (name) => {
      if (name !== "ScanParameters") return;
      if (refusals-- > 0) controller.refusals.set("LeSetScanParameters", HciErrorCode.InvalidHciCommandParameters);
      else controller.refusals.clear();
    };
    await expect(scanner.scan({ windowMs: 60, duplicates: "report" }, () => seen.push(2))).rejects.toMatchObject({ status: 0x12 });
    await settled();
    expect([first.ended, scanner.scanCount]).toEqual([undefined, 1]);
    expect(controller.scanning).toMatchObject({ leScanInterval: 160, leScanWindow: 16 });
    report(PEER);
    expect(seen).toEqual([1]);
  });

  test("that the controller is doing already is switched off and set up anew", async () => {
    controller.scanning = { ownAddressType: 0, leScanType: 0 };
    await scanner.scan({}, () => {});
    expect(controller.log).toEqual(["ScanParameters refused", "ScanEnable off", "ScanParameters", "ScanEnable on"]);
  });

  test("a loop that is disposed stops scanning, and waits for nobody", async () => {
    const loop = scanner.reports({});
    const first = loop.next();
    await settled();
    expect(controller.scanning).toBeTruthy();
    await loop[Symbol.asyncDispose]();
    expect(await first).toEqual({ value: undefined, done: true });
    expect(await loop.next()).toEqual({ value: undefined, done: true });
    await settled();
    expect(controller.scanning).toBeUndefined();
  });
});

describe("connecting", () => {
  test("listens as it is told to, by default half of the time", async () => {
    for (const [options, leScanInterval, leScanWindow] of [
      [{}, 96, 48],
      [{ scanIntervalMs: 100, scanWindowMs: 20 }, 160, 32],
      [{ scanIntervalMs: 20 }, 32, 32],
    ] as const) {
      const connected = connector.connect(PEER, options, undefined);
      await settled();
      expect(controller.initiating).toMatchObject({ leScanInterval, leScanWindow });
      link();
      await connected;
      await settled();
    }
  });

  test("an end that nothing was begun for ends nothing; nor does one about another peer; zeros say nothing of the peer", async () => {
    expect(connector.ended(HciErrorCode.ConnectionFailedToBeEstablished)).toBe(false);
    for (const [peer, isAnswer] of [
      [OTHER, false],
      [PEER, true],
      [ZEROS, true],
      [undefined, true],
    ] as const) {
      const connected = connector.connect(PEER, {}, undefined);
      connected.catch(() => undefined);
      await settled();
      expect(connector.ended(HciErrorCode.ConnectionFailedToBeEstablished, peer)).toBe(isAnswer);
      if (isAnswer) {
        controller.initiating = undefined;
        await expect(connected).rejects.toMatchObject({ status: 0x3e });
      } else {
        link();
        expect(await connected).toBe("link");
      }
      await settled();
    }
  });

  test("an end as after a cancel ends no attempt that was not cancelled", async () => {
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    expect(connector.ended(HciErrorCode.UnknownConnectionIdentifier, PEER)).toBe(false);
    link();
    expect(await connected).toBe("link");
  });

  test("has no address to claim while nobody connects", () => {
    expect([connector.ownAddress, advertiser.ownAddress, scanner.ownAddress]).toEqual(["public", "public", "public"]);
  });

  test("refused beside nothing else is what the controller does already: it is cancelled and begun again", async () => {
    controller.initiating = { ownAddressType: 0, peerAddress: OTHER.bytes, peerAddressType: 1 };
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    expect(controller.log).toEqual(["CreateConnection refused", "CreateConnectionCancel", "CreateConnection"]);
    link();
    expect(await connected).toBe("link");
  });

  test("refused beside scanning it is alone, and says so in the log; given up meanwhile it is not begun", async () => {
    controller.isModest = true;
    await scanner.scan({}, () => {});
    const abort = new AbortController();
    controller.log.length = 0;
    controller.onCommand = (name, isOn) => {
      if (name === "ScanEnable" && !isOn) abort.abort(new Error("enough"));
    };
    await expect(connector.connect(PEER, { signal: abort.signal }, undefined)).rejects.toThrow("enough");
    await settled();
    expect(lines.filter((line) => line.includes("now wait"))).toEqual(["connecting is refused beside scanning, which now wait"]);
    expect(controller.log).toEqual(["CreateConnection refused", "ScanEnable off", "ScanParameters", "ScanEnable on"]);
  });
});
