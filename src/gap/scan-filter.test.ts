import { beforeEach, describe, expect, test } from "vitest";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { Logger } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import { Advertisement } from "./advertisement.ts";
import { AdvertisingData } from "./advertising-data.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { type CommandPort, Radio } from "./radio.ts";
import { AdvertisingEventType } from "./report-layout.ts";
import { Scanner } from "./scanner.ts";

const DEVICE = Address.from("C0:11:22:33:44:55/random");
const OTHER = Address.from("C0:11:22:33:44:66/random");

let scanner: Scanner;
let sent: [name: string, parameters: Record<string, unknown>][];

beforeEach(() => {
  const clock = new VirtualClock();
  sent = [];
  const port = {
    send: (declaration: { name: string }, parameters: Record<string, unknown>) => {
      sent.push([declaration.name, parameters]);
      return Promise.resolve({ status: 0 });
    },
  } as unknown as CommandPort;
  const own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55") });
  const radio = new Radio({ port, clock, logger: Logger.silent, own });
  scanner = new Scanner({ port, radio, resolve: () => undefined });
  radio.add(scanner);
});

/** A report as the controller sends it, in a buffer of its own. */
const report = (fields: object, { address = DEVICE, rssiDbm = -60, type = AdvertisingEventType.ConnectableUndirected as number } = {}) => {
  const data = AdvertisingData.from(fields).bytes;
  const octets = Uint8Array.of(type, address.type, ...address.bytes, data.length, ...data, rssiDbm & 0xff);
  scanner.onReport(octets, 0, octets.length);
};
const response = (fields: object) => report(fields, { type: AdvertisingEventType.ScanResponse });

describe("a duplicate filter notes what was delivered", () => {
  test("a device that comes nearer passes a filter on its signal strength, once", async () => {
    const seen: (number | undefined)[] = [];
    for (const duplicates of ["filter", "once"] as const)
      await scanner.scan({ duplicates, filter: ({ rssiDbm = -127 }) => rssiDbm > -70 }, ({ rssiDbm }) => seen.push(rssiDbm));
    for (const rssiDbm of [-90, -80, -60, -50, -90]) report({ name: "a" }, { rssiDbm });
    expect(seen).toEqual([-60, -60]);
  });

  test("a filter that throws refuses, and takes the report from no other scan", async () => {
    const seen: string[] = [];
    let isFaulty = true;
    const filter = (): boolean => {
      if (isFaulty) throw new Error("filter");
      return true;
    };
    await scanner.scan({ filter }, ({ name }) => seen.push(`first ${name}`));
    await scanner.scan({}, ({ name }) => seen.push(`second ${name}`));
    expect(await uncaughtDuring(() => report({ name: "a" }))).toEqual([new Error("filter")]);
    isFaulty = false;
    report({ name: "a" });
    expect(seen).toEqual(["second a", "first a"]);
  });

  test("what a slow loop lost is reported again, and counted", async () => {
    const loop = scanner.reports({});
    const first = loop.next();
    await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    report({ name: "first" });
    await first;
    for (let i = 0; i < 258; i++) report({ name: String(i) }); // two more than are kept: 0 and 1 are lost
    expect(loop.dropped).toBe(2);
    report({ name: "257" }); // in the queue still
    for (let i = 2; i < 258; i++) expect((await loop.next()).value?.name).toBe(String(i));
    for (const name of ["0", "1", "5"]) report({ name });
    expect([(await loop.next()).value?.name, (await loop.next()).value?.name]).toEqual(["0", "1"]);
    await loop.return();
    expect(await loop.next()).toEqual({ value: undefined, done: true });
  });

  test("the controller's own filter is used only where nothing is refused or lost behind it", async () => {
    const filterOf = async (options: object): Promise<unknown> => {
      const scan = await scanner.scan({ duplicates: "once", ...options }, () => {});
      await scanner.stop(scan);
      return sent.findLast(([name, { leScanEnable }]) => name === "LeSetScanEnable" && leScanEnable)![1].filterDuplicates;
    };
    expect(await filterOf({})).toBe(true);
    for (const options of [{ filter: () => true }, { name: "x" }, { services: ["180D"] }, { duplicates: "filter" }])
      expect(await filterOf(options)).toBe(false);
    void scanner.reports({ duplicates: "once" }).next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent.at(-1)).toEqual(["LeSetScanEnable", { leScanEnable: true, filterDuplicates: false }]);
  });

  test("a name that comes late reaches the program: complete after shortened, in whichever order the two are heard", async () => {
    const seen: (string | undefined)[] = [];
    await scanner.scan({}, ({ name }) => seen.push(name));
    report({ shortenedName: "Wri" });
    response({ name: "Wrist 5" });
    report({ shortenedName: "Wri" });
    response({ name: "Wrist 6" });
    expect(seen).toEqual(["Wri", "Wrist 5", "Wrist 6"]);
  });

  test("a scan by name finds the complete name of a scan response behind a shortened one, and only exactly that name", async () => {
    const seen: string[] = [];
    await scanner.scan({ name: "Wrist 5" }, ({ address }) => seen.push(address.toString()));
    report({ shortenedName: "Wri" });
    report({ name: "Wrist 5x" }, { address: OTHER });
    expect(seen).toEqual([]);
    response({ name: "Wrist 5" });
    expect(seen).toEqual([DEVICE.toString()]);
    report({ shortenedName: "Wri" });
    expect(seen).toHaveLength(1);
  });

  test("every kind once forgets nothing that was refused for its name", async () => {
    let seen = 0;
    await scanner.scan({ duplicates: "once", name: "late" }, () => seen++);
    for (const name of ["early", "late", "late"]) report({ name });
    expect(seen).toBe(1);
  });
});

describe("leaving a loop waits for nobody", () => {
  const hanging = () => {
    const never = { send: () => new Promise(() => {}) } as unknown as CommandPort;
    const clock = new VirtualClock();
    const own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55") });
    const radio = new Radio({ port: never, clock, logger: Logger.silent, own });
    const slow = new Scanner({ port: never, radio, resolve: () => undefined });
    radio.add(slow);
    return slow;
  };

  test("nor does who waits for the next report", async () => {
    const loop = hanging().reports({});
    const next = loop.next();
    expect(await loop.return()).toEqual({ value: undefined, done: true });
    expect(await next).toEqual({ value: undefined, done: true });
  });

  test("a signal ends it with its reason, before the controller has answered anything", async () => {
    const abort = new AbortController();
    const loop = hanging().reports({ signal: abort.signal });
    const [first, second] = [loop.next(), loop.next()];
    abort.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    await expect(second).rejects.toThrow("enough");
    expect(await loop.next()).toEqual({ value: undefined, done: true });
    await expect(hanging().reports({ signal: abort.signal }).next()).rejects.toThrow("enough");
  });

  test("an error thrown into it comes back", async () => {
    await expect(hanging().reports({}).throw(new Error("mine"))).rejects.toThrow("mine");
  });
});

describe("of several structures", () => {
  const octets = (...structures: [type: number, ...data: number[]][]) =>
    Uint8Array.from(structures.flatMap(([type, ...data]) => [data.length + 1, type, ...data]));
  const advertisement = (data: Uint8Array, scanResponse?: Uint8Array): Advertisement => {
    const make = (type: number, content: Uint8Array, other?: Advertisement) => {
      const packet = Uint8Array.of(type, 1, ...DEVICE.bytes, content.length, ...content, 0xc4);
      return new Advertisement(packet, 0, packet.length, undefined, other);
    };
    return make(0, data, scanResponse && make(4, scanResponse));
  };
  const [A, B, C, D] = [0x61, 0x62, 0x63, 0x64];

  test.each([
    [
      "the complete name of the advertisement",
      [
        [0x09, A],
        [0x08, B],
      ],
      [[0x09, C]],
      "a",
    ],
    [
      "else that of the scan response",
      [[0x08, B]],
      [
        [0x08, D],
        [0x09, C],
      ],
      "c",
    ],
    ["else the shortened name of the advertisement", [[0x08, B]], [[0x08, D]], "b"],
    ["else that of the scan response", [], [[0x08, D]], "d"],
    [
      "the first of two of one kind",
      [
        [0x09, A],
        [0x09, B],
      ],
      [],
      "a",
    ],
    ["an empty one where it is the complete one", [[0x09], [0x08, B]], [], ""],
    ["none", [], [], undefined],
  ] as [string, [number, ...number[]][], [number, ...number[]][], string | undefined][])("the name is %s", (_which, data, more, name) => {
    expect(advertisement(octets(...data), octets(...more)).name).toBe(name);
  });

  test("the first value that can be read counts, the advertisement's before the scan response's", () => {
    const both = advertisement(
      octets([0x0a, 1, 2], [0x0a, 4], [0x0a, 5], [0x01, 6], [0x01, 2]),
      octets([0x0a, 9], [0x19, 0x40, 0], [0x01, 0x1f]),
    );
    expect([both.txPowerDbm, both.appearance, both.flags]).toEqual([4, 0x40, 6]);
    expect(advertisement(octets(), octets([0x01, 6])).flags).toBe(0); // flags are not sent in a scan response
  });

  test("lists are joined: each UUID once, every structure of manufacturer and service data", () => {
    const both = advertisement(
      octets([0x03, 0x0d, 0x18], [0x02, 0x0f, 0x18, 0x0d, 0x18], [0xff, 1, 0, A], [0xff, 1, 0, B], [0x14, 0x0f, 0x18]),
      octets([0x03, 0x0f, 0x18, 0x10, 0x18], [0xff, 1, 0, A], [0x16, 0x0d, 0x18, C], [0x14, 0x0f, 0x18, 0x0a, 0x18]),
    );
    expect(both.serviceUuids.map(({ text }) => text)).toEqual(["180d", "180f", "1810"]);
    expect(both.solicitedServiceUuids.map(({ text }) => text)).toEqual(["180f", "180a"]);
    expect(both.manufacturerData.map(({ companyIdentifier, data }) => [companyIdentifier, ...data])).toEqual([
      [1, A],
      [1, B],
      [1, A],
    ]);
    expect(both.serviceData.map(({ uuid, data }) => [uuid.text, ...data])).toEqual([["180d", C]]);
  });
});
