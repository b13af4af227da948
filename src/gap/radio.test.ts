import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RuledController } from "../../test/support/ruled-controller.ts";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { Logger } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import { createRpa } from "../crypto/index.ts";
import { HciErrorCode } from "../hci/error.ts";
import { createAdvertisement } from "./advertisement.ts";
import { Advertiser } from "./advertiser.ts";
import { AdvertisingData } from "./advertising-data.ts";
import { BondBook, MemoryBondStore } from "./bonds.ts";
import { Connector } from "./connector.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { Radio } from "./radio.ts";
import { AdvertisingEventType } from "./report-layout.ts";
import { Scanner } from "./scanner.ts";

const PEER = Address.from("00:00:00:00:00:01");
const STATIC = Address.from("C0:11:22:33:44:55/random");

let clock: VirtualClock;
let controller: RuledController;
let own: OwnAddresses;
let radio: Radio;
let advertiser: Advertiser;
let scanner: Scanner;
let connector: Connector<string>;
let links = 0;

beforeEach(() => {
  clock = new VirtualClock();
  controller = new RuledController();
  own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55"), identity: "public" });
  radio = new Radio({ port: controller, clock, logger: Logger.silent, own });
  links = 0;
  radio.hasPrivateLink = () => links > 0;
  scanner = new Scanner({ port: controller, radio, resolve: () => undefined });
  connector = new Connector<string>({ port: controller, radio, clock, scanner });
  advertiser = new Advertiser({ port: controller, radio });
  controller.onCancelled = () => connector.ended(HciErrorCode.UnknownConnectionIdentifier);
  radio.add(connector);
  radio.add(scanner);
});

afterEach(() => {
  radio.close(new Error("end of test"));
  connector.close(new Error("end of test"));
  expect(clock.pending).toEqual([]);
});

const initiatingPeer = () => controller.initiating?.peerAddress;
const settled = () => delay(clock, 1);
/** The controller makes the link it is asked for. */
const link = (name: string) => {
  const { peerAddress, peerAddressType } = controller.initiating!;
  controller.initiating = undefined;
  connector.connected(new Address(peerAddress, peerAddressType), () => Promise.resolve())?.outcome.resolve(name);
};

describe("advertising", () => {
  test("is set up before it is switched on", async () => {
    const session = await advertiser.advertise({ data: { flags: 6 }, intervalMs: [31.25, 37.5] });
    expect(controller.log).toEqual(["AdvertisingParameters", "AdvertisingData", "ScanResponseData", "AdvertisingEnable on"]);
    expect(controller.advertising).toMatchObject({
      advertisingIntervalMin: 50,
      advertisingIntervalMax: 60,
      ownAddressType: 0,
      advertisingType: 0,
    });
    await advertiser.stop(session);
    expect(controller.advertising).toBeUndefined();
  });

  test("a second advertisement is refused while the first is there", async () => {
    const session = await advertiser.advertise({});
    await expect(advertiser.advertise({})).rejects.toMatchObject({ code: "ERR_STATE" });
    await advertiser.stop(session);
    await advertiser.stop(await advertiser.advertise({}));
  });

  test.each([
    [{ intervalMs: 19 }, "advertising interval 19 ms: expected 20 to 10240 ms"],
    [{ intervalMs: [40, 30] as const }, "from 40 to 30 ms"],
    [{ channels: [36] }, "advertising channel 36"],
    [{ data: { name: "x".repeat(30) } }, "at most 31 fit"],
  ])("%j is refused before anything is sent", async (options, message) => {
    await expect(advertiser.advertise(options)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
    await advertiser.stop(await advertiser.advertise({}));
  });

  test("what the controller refuses reaches who asked, and the next attempt is free", async () => {
    controller.refusals.set("LeSetAdvertisingEnable", HciErrorCode.CommandDisallowed);
    await expect(advertiser.advertise({})).rejects.toMatchObject({ code: "ERR_HCI", status: 0x0c });
    controller.refusals.clear();
    await advertiser.stop(await advertiser.advertise({}));
  });

  test("a signal that aborts while it starts leaves nothing on the air", async () => {
    const abort = new AbortController();
    const started = advertiser.advertise({ signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(started).rejects.toThrow("enough");
    expect(controller.advertising).toBeUndefined();
  });

  test("a connection ends it, or it starts again at once, or after the connection", async () => {
    for (const restart of ["never", "connected", "disconnected"] as const) {
      const session = await advertiser.advertise({ restart });
      controller.advertising = undefined; // the controller stops by itself
      expect(advertiser.connected(PEER)).toBe(session);
      await settled();
      expect([restart, controller.advertising !== undefined]).toEqual([restart, restart === "connected"]);
      expect(session.ended !== undefined).toBe(restart === "never");
      advertiser.disconnected(session);
      await settled();
      expect([restart, controller.advertising !== undefined]).toEqual([restart, restart !== "never"]);
      await advertiser.stop(session);
    }
  });

  test("where the controller takes no more connections it goes on when one is over", async () => {
    const session = await advertiser.advertise({ restart: "connected" });
    controller.advertising = undefined;
    controller.refusals.set("LeSetAdvertisingEnable", HciErrorCode.CommandDisallowed);
    advertiser.connected(PEER);
    await settled();
    expect([session.ended, controller.advertising]).toEqual([undefined, undefined]);
    controller.refusals.clear();
    advertiser.disconnected(session);
    await settled();
    expect(controller.advertising).toBeTruthy();
  });

  test("a connection that comes while it is being stopped is not wanted", async () => {
    const session = await advertiser.advertise({});
    const stopped = advertiser.stop(session);
    expect(advertiser.connected(PEER)).toBeUndefined();
    await stopped;
  });

  test("data changes on the air", async () => {
    const session = await advertiser.advertise({});
    controller.log.length = 0;
    await advertiser.setData(session, { data: AdvertisingData.from({ flags: 6 }) });
    expect(controller.log).toEqual(["AdvertisingData"]);
    await advertiser.stop(session);
    await expect(advertiser.setData(session, {})).rejects.toMatchObject({ code: "ERR_STATE" });
  });
});

describe("private addresses", () => {
  test("a new one every 15 minutes, advertising being stopped for the change", async () => {
    await advertiser.advertise({ ownAddress: "resolvable" });
    const first = controller.randomAddress!;
    expect(first.isResolvablePrivate).toBe(true);
    controller.log.length = 0;
    await delay(clock, 15 * 60_000 + 1);
    await settled();
    expect(controller.log).toEqual([
      "AdvertisingEnable off",
      "RandomAddress",
      "AdvertisingParameters",
      "AdvertisingData",
      "ScanResponseData",
      "AdvertisingEnable on",
    ]);
    expect(controller.randomAddress!.equals(first)).toBe(false);
  });

  test("not while a link with such an address is open, but as soon as it is closed", async () => {
    await advertiser.advertise({ ownAddress: "resolvable", restart: "connected" });
    const first = controller.randomAddress!;
    links = 1;
    await delay(clock, 40 * 60_000);
    await settled();
    expect(controller.randomAddress!.equals(first)).toBe(true);
    links = 0;
    await radio.update(); // as the device does when a link is over
    expect(controller.randomAddress!.equals(first)).toBe(false);
  });

  test("no timer runs while none is on the air", async () => {
    const session = await advertiser.advertise({ ownAddress: "resolvable" });
    expect(clock.pending).toEqual(["private address"]);
    await advertiser.stop(session);
    expect(clock.pending).toEqual([]);
  });

  test("scanning goes on with whatever address advertising has", async () => {
    const scan = await scanner.scan({ ownAddress: "random" }, () => {});
    expect(controller.randomAddress!.equals(own.staticAddress)).toBe(true);
    await advertiser.advertise({ ownAddress: "resolvable" });
    expect(controller.randomAddress!.isResolvablePrivate).toBe(true);
    expect(controller.scanning && controller.advertising).toBeTruthy();
    await scanner.stop(scan);
  });

  test("connecting takes the random address; advertising with another one waits", async () => {
    await advertiser.advertise({ ownAddress: "resolvable" });
    const connected = connector.connect(PEER, { ownAddress: "random" }, undefined);
    await settled();
    expect(controller.randomAddress!.equals(own.staticAddress)).toBe(true);
    expect([controller.initiating !== undefined, controller.advertising !== undefined]).toEqual([true, false]);
    link("link");
    await connected;
    await settled();
    expect(controller.randomAddress!.isResolvablePrivate).toBe(true);
    expect(controller.advertising).toBeTruthy();
  });

  test("an attempt to connect is interrupted for an address that advertising needs, and goes on", async () => {
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    await advertiser.advertise({ ownAddress: "resolvable" });
    expect([controller.initiating !== undefined, controller.advertising !== undefined]).toEqual([true, true]);
    link("link");
    expect(await connected).toBe("link");
  });

  test("a refused address is an error of those who need it, and of nobody else", async () => {
    await advertiser.advertise({});
    controller.refusals.set("LeSetRandomAddress", HciErrorCode.InvalidHciCommandParameters);
    await expect(connector.connect(PEER, { ownAddress: "resolvable" }, undefined)).rejects.toMatchObject({ status: 0x12 });
    await settled();
    expect(controller.advertising).toBeTruthy();
  });
});

describe("scanning", () => {
  const report = (address: Address, fields = {}, eventType: number = AdvertisingEventType.ConnectableUndirected) => {
    const data = AdvertisingData.from(fields).bytes;
    const octets = Uint8Array.of(eventType, address.type, ...address.bytes, data.length, ...data, 0xc4);
    scanner.onReport(octets, 0, octets.length);
  };

  test("several scans share the controller, with parameters that serve each", async () => {
    const first = await scanner.scan({ active: false, intervalMs: 100, windowMs: 10 }, () => {});
    expect(controller.scanning).toMatchObject({ leScanType: 0, leScanInterval: 160, leScanWindow: 16 });
    const second = await scanner.scan({ intervalMs: 60, windowMs: 60 }, () => {});
    expect(controller.scanning).toMatchObject({ leScanType: 1, leScanInterval: 96, leScanWindow: 96 });
    await scanner.stop(second);
    expect(controller.scanning).toMatchObject({ leScanType: 0, leScanInterval: 160 });
    await scanner.stop(first);
    expect(controller.scanning).toBeUndefined();
  });

  test("a scan response completes its advertisement, and filters see both", async () => {
    const names: string[] = [];
    const scan = await scanner.scan({ services: ["180D"], name: "wrist" }, (advertisement) =>
      names.push(`${advertisement.name} ${advertisement.isScanResponse}`),
    );
    report(STATIC, { serviceUuids: ["180D"] });
    report(STATIC, { name: "wrist" }, AdvertisingEventType.ScanResponse);
    report(STATIC, { serviceUuids: ["180D"] });
    report(PEER, { serviceUuids: ["180D"], name: "other" });
    expect(names).toEqual(["wrist true"]);
    await scanner.stop(scan);
  });

  test("filter reports what changed, once each kind once, report all", async () => {
    const counts = { filter: 0, once: 0, report: 0 };
    for (const duplicates of ["filter", "once", "report"] as const) await scanner.scan({ duplicates }, () => counts[duplicates]++);
    for (const name of ["a", "a", "b", "b"]) report(STATIC, { name });
    expect(counts).toEqual({ filter: 2, once: 1, report: 4 });
  });

  test("every scan has its own callback", async () => {
    let seen = 0;
    await scanner.scan({ filter: () => true }, () => seen++);
    await scanner.scan({}, () => seen++);
    report(STATIC);
    expect(seen).toBe(2);
  });

  test("the loop yields reports, loses the oldest when it is slow, and stops scanning when it is left", async () => {
    const seen: (string | undefined)[] = [];
    const loop = scanner.reports({ duplicates: "report" });
    const first = loop.next();
    await settled();
    report(STATIC, { name: "0" });
    expect((await first).value).toMatchObject({ name: "0" });
    for (let i = 1; i <= 300; i++) report(STATIC, { name: String(i) });
    for await (const advertisement of loop) {
      seen.push(advertisement.name);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(["45", "46"]);
    expect(loop.dropped).toBe(44);
    await settled();
    expect(controller.scanning).toBeUndefined();
  });

  test("a loop ends with the reason of its signal, or of the controller's end", async () => {
    const abort = new AbortController();
    const aborted = scanner.reports({ signal: abort.signal }).next();
    await settled();
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await settled();
    expect(controller.scanning).toBeUndefined();
    const closed = scanner.reports({}).next();
    await settled();
    radio.close(new Error("unplugged"));
    await expect(closed).rejects.toThrow("unplugged");
  });
});

describe("connecting", () => {
  test("a link resolves the attempt", async () => {
    const connected = connector.connect(PEER, { intervalMs: 7.5, latency: 4, supervisionTimeoutMs: 500 }, undefined);
    await settled();
    expect(controller.initiating).toMatchObject({
      connectionIntervalMin: 6,
      connectionIntervalMax: 6,
      maxLatency: 4,
      supervisionTimeout: 50,
    });
    link("link");
    expect(await connected).toBe("link");
  });

  test("attempts take turns", async () => {
    const first = connector.connect(PEER, {}, undefined);
    const second = connector.connect(STATIC, {}, undefined);
    await settled();
    expect(initiatingPeer()).toEqual(PEER.bytes);
    link("first");
    expect(await first).toBe("first");
    await settled();
    await settled();
    expect(initiatingPeer()).toEqual(STATIC.bytes);
    link("second");
    expect(await second).toBe("second");
  });

  test("a timeout cancels the attempt", async () => {
    await expect(connector.connect(PEER, { timeoutMs: 1000 }, undefined)).rejects.toMatchObject({ code: "ERR_TIMEOUT", timeoutMs: 1000 });
    await settled();
    expect(controller.log).toEqual(["CreateConnection", "CreateConnectionCancel"]);
  });

  test("an abort cancels the attempt", async () => {
    const abort = new AbortController();
    const connected = connector.connect(PEER, { signal: abort.signal }, undefined);
    await settled();
    abort.abort(new Error("enough"));
    await expect(connected).rejects.toThrow("enough");
    await settled();
    expect(controller.initiating).toBeUndefined();
  });

  test("a link that wins the race against the cancel is taken down before the next attempt begins", async () => {
    const abort = new AbortController();
    const connected = connector.connect(PEER, { signal: abort.signal }, undefined);
    const next = connector.connect(STATIC, {}, undefined);
    await settled();
    controller.onCancelled = undefined;
    controller.initiating = undefined; // it is connected, the event is on its way
    abort.abort(new Error("enough"));
    await expect(connected).rejects.toThrow("enough");
    let taken = "";
    expect(
      connector.connected(PEER, async () => {
        await delay(clock, 100);
        taken = controller.initiating ? "too late" : "down";
      }),
    ).toBeUndefined();
    await delay(clock, 200);
    expect(taken).toBe("down");
    await settled();
    expect(initiatingPeer()).toEqual(STATIC.bytes);
    link("next");
    expect(await next).toBe("next");
  });

  test("a controller that never says what became of a cancel is given up after 2 s", async () => {
    controller.onCancelled = undefined;
    await expect(connector.connect(PEER, { timeoutMs: 1000 }, undefined)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const next = connector.connect(PEER, {}, undefined);
    await delay(clock, 2100);
    await settled();
    link("next");
    expect(await next).toBe("next");
    expect(clock.now()).toBeLessThan(3200);
  });

  test("what the controller says instead of a link is the error", async () => {
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    controller.initiating = undefined;
    connector.ended(HciErrorCode.ConnectionFailedToBeEstablished);
    await expect(connected).rejects.toMatchObject({ code: "ERR_HCI", status: 0x3e });
  });

  test("where the controller cannot scan meanwhile, scanning waits", async () => {
    controller.isModest = true;
    await scanner.scan({}, () => {});
    const connected = connector.connect(PEER, {}, undefined);
    await settled();
    expect([controller.initiating !== undefined, controller.scanning !== undefined]).toEqual([true, false]);
    link("link");
    await connected;
    await settled();
    expect(controller.scanning).toBeTruthy();
  });

  test("a peer with private addresses is looked for, then connected at the address it has now", async () => {
    const irk = new Uint8Array(16).fill(7);
    const book = await BondBook.open(
      new MemoryBondStore([{ identity: PEER, peerIrk: irk, localIrkDistributed: true, authenticated: false, secureConnections: false }]),
    );
    radio = new Radio({ port: controller, clock, logger: Logger.silent, own });
    scanner = new Scanner({ port: controller, radio, resolve: (address) => book.resolve(address) });
    connector = new Connector<string>({ port: controller, radio, clock, scanner });
    for (const activity of [connector, scanner]) radio.add(activity);
    const connected = connector.connect(PEER, {}, undefined, { isPeer: ({ identity }) => identity?.equals(PEER) ?? false });
    await settled();
    expect(controller.scanning).toMatchObject({ leScanType: 0 });
    const hear = (address: Address) => {
      scanner.onReport(Uint8Array.of(0, 1, ...address.bytes, 0, 0xc4), 0, 10);
    };
    hear(createRpa(new Uint8Array(16).fill(8), new SeededRandom(2)));
    await settled();
    expect(controller.initiating).toBeUndefined();
    const rpa = createRpa(irk, new SeededRandom(3));
    hear(rpa);
    await settled();
    await settled();
    expect(initiatingPeer()).toEqual(rpa.bytes);
    expect(controller.scanning).toBeUndefined();
    // It is gone, and heard again at the next one.
    await delay(clock, 5001);
    expect(controller.initiating).toBeUndefined();
    expect(controller.scanning).toBeTruthy();
    const next = createRpa(irk, new SeededRandom(4));
    hear(next);
    await settled();
    await settled();
    expect(initiatingPeer()).toEqual(next.bytes);
    link("link");
    expect(await connected).toBe("link");
  });

  test.each([
    [{ intervalMs: 5 }, "connection interval 5 ms: expected 7.5 to 4000 ms"],
    [{ intervalMs: 4000, supervisionTimeoutMs: 4000 }, "expected more than 8000 ms"],
    [{ latency: 500 }, "latency 500"],
    [{ scanWindowMs: 100, scanIntervalMs: 50 }, "scan window"],
  ])("%j is refused", async (options, message) => {
    await expect(connector.connect(PEER, options, undefined)).rejects.toThrow(message);
    expect(controller.log).toEqual([]);
  });

  test("when the controller is gone, everyone who waits is told", async () => {
    const first = connector.connect(PEER, {}, undefined);
    const second = connector.connect(PEER, {}, undefined);
    await settled();
    radio.close(new Error("unplugged"));
    connector.close(new Error("unplugged"));
    await expect(first).rejects.toThrow("unplugged");
    await expect(second).rejects.toThrow("unplugged");
  });
});

test("a controller that hangs holds nobody beyond the caller's own time", async () => {
  controller.hangs = true;
  await expect(connector.connect(PEER, { timeoutMs: 1000 }, undefined, { isPeer: () => false })).rejects.toMatchObject({
    code: "ERR_TIMEOUT",
  });
  const abort = new AbortController();
  const waiting = [
    advertiser.advertise({ signal: abort.signal }),
    scanner.scan({ signal: abort.signal }, () => {}),
    scanner.reports({ signal: abort.signal }).next(),
  ];
  const outcomes = Promise.allSettled(waiting);
  await settled();
  abort.abort(new Error("enough"));
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: "rejected", reason: { message: "enough" } });
  expect(clock.now()).toBeLessThan(1010);
});

test("the exported helper makes reports like a controller's", () => {
  expect(createAdvertisement({ address: STATIC, rssiDbm: -40 }).toString()).toBe("C0:11:22:33:44:55/random -40 dBm");
});
