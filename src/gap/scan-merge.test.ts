import { beforeEach, describe, expect, test } from "vitest";
import { EXTENDED_ABILITIES } from "../../test/support/extended-controller.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { Logger } from "../core/logger.ts";
import { SeededRandom } from "../core/random.ts";
import type { Advertisement } from "./advertisement.ts";
import { AdvertisingData } from "./advertising-data.ts";
import type { DuplicateFilter } from "./duplicate-filter.ts";
import { OwnAddresses } from "./own-addresses.ts";
import { type CommandPort, Radio } from "./radio.ts";
import { AdvertisingEventType } from "./report-layout.ts";
import { Scanner } from "./scanner.ts";

let clock: VirtualClock;
let own: OwnAddresses;
let port: CommandPort;
let scanner: Scanner;
let sent: [name: string, parameters: Record<string, unknown>][];

beforeEach(() => {
  clock = new VirtualClock({ auto: false });
  sent = [];
  port = {
    send: (declaration: { name: string }, parameters: Record<string, unknown>) => {
      sent.push([declaration.name, parameters]);
      return Promise.resolve({ status: 0 });
    },
  } as unknown as CommandPort;
  own = new OwnAddresses({ clock, random: new SeededRandom(1), publicAddress: Address.from("00:11:22:33:44:55") });
  const radio = new Radio({ port, clock, logger: Logger.silent, own });
  scanner = new Scanner({ port, radio, resolve: () => undefined });
  radio.add(scanner);
});

/** Octets before a report in what brings it: none, or what comes before it in a long packet. */
let before = 0;
beforeEach(() => {
  before = 0;
});

/** A report as the controller sends it, from device `n`. What it came in is used again. */
function report(n: number, type: number, fields: object): void {
  const octets = reportOctets(n, type, fields);
  const piece = new Uint8Array(before + octets.length);
  piece.set(octets, before);
  scanner.onReport(piece, before, piece.length);
  if (before > 0) piece.fill(0xff);
}
function reportOctets(n: number, type: number, fields: object): Uint8Array {
  const address = Address.from(`C0:00:00:00:${(n >> 8).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}/random`);
  const data = AdvertisingData.from(fields).bytes;
  return Uint8Array.of(type, address.type, ...address.bytes, data.length, ...data, 0xc4);
}
const advertisement = (name: string, n = 1) => report(n, AdvertisingEventType.ConnectableUndirected, { shortenedName: name });
const response = (txPowerDbm: number, n = 1) => report(n, AdvertisingEventType.ScanResponse, { txPowerDbm });
const line = ({ name, txPowerDbm, connectable }: Advertisement) => `${name} ${txPowerDbm} ${connectable}`;

describe.each([
  ["short packets", 0],
  ["long packets", 100],
])("merge: one report for what a device advertises and answers, in %s", (_, offset) => {
  beforeEach(() => {
    before = offset;
  });
  const seen: string[] = [];
  const scan = (options = {}) => scanner.scan({ merge: true, ...options }, (each) => seen.push(line(each)));
  beforeEach(() => {
    seen.length = 0;
  });

  test("the advertisement waits for its scan response", async () => {
    await scan();
    advertisement("a");
    expect(seen).toEqual([]);
    response(4);
    expect(seen).toEqual(["a 4 true"]);
    advertisement("a");
    response(4);
    expect(seen).toHaveLength(1);
  });

  test("again when one of the two changes, at once and complete", async () => {
    await scan();
    advertisement("a");
    response(4);
    advertisement("b");
    response(5);
    expect(seen).toEqual(["a 4 true", "b 4 true", "b 5 true"]);
  });

  test("without an answer it waits until it is heard once more", async () => {
    await scan();
    advertisement("a");
    advertisement("a");
    expect(seen).toEqual(["a undefined true"]);
    response(4); // late
    expect(seen).toEqual(["a undefined true", "a 4 true"]);
  });

  test("nothing waits that is not answered: beacons, directed advertisements", async () => {
    await scan();
    report(1, AdvertisingEventType.NonConnectableUndirected, { shortenedName: "a" });
    report(2, AdvertisingEventType.ConnectableDirected, {});
    expect(seen).toEqual(["a undefined false", "undefined undefined true"]);
    report(3, AdvertisingEventType.ScannableUndirected, { shortenedName: "c" });
    expect(seen).toHaveLength(2);
  });

  test("filters see both parts, and another scan beside it sees each at once", async () => {
    await scan({ filter: ({ txPowerDbm }: Advertisement) => txPowerDbm === 4 });
    const beside: string[] = [];
    await scanner.scan({}, (each) => beside.push(line(each)));
    advertisement("a");
    response(4);
    advertisement("b", 2);
    response(5, 2);
    expect(seen).toEqual(["a 4 true"]);
    expect(beside).toEqual(["a undefined true", "a 4 true", "b undefined true", "b 5 true"]);
  });

  test('"once" is once for each device, and the controller does not hide the second hearing', async () => {
    await scan({ duplicates: "once" });
    expect(sent.find(([name]) => name === "LeSetScanEnable")![1]).toMatchObject({ filterDuplicates: false });
    advertisement("a");
    response(4);
    advertisement("b");
    response(5);
    expect(seen).toEqual(["a 4 true"]);
  });

  test("1024 wait; of more the oldest is reported without its scan response", async () => {
    await scan();
    for (let n = 1; n <= 1025; n++) advertisement(`n${n}`, n);
    expect(seen).toEqual(["n1 undefined true"]);
    response(4, 2);
    expect(seen).toEqual(["n1 undefined true", "n2 4 true"]);
  });

  test("what still waits when the time is over is reported", async () => {
    await scan({ durationMs: 1000 });
    advertisement("a");
    await clock.advance(999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["a undefined true"]);
    advertisement("b");
    advertisement("b");
    expect(seen).toHaveLength(1);
  });

  test("what it contradicts is refused", async () => {
    await expect(scan({ active: false })).rejects.toThrow("scan: merge: a passive scan hears no scan responses");
    await expect(scan({ duplicates: "report" })).rejects.toThrow('scan: merge: expected duplicates "filter" or "once"');
    await expect(scan({ merge: 1 })).rejects.toThrow("scan: merge: expected true or false");
  });
});

describe("without merge each comes at once, with what was heard of the other", () => {
  test("a beacon of the same device does not come between its advertisement and the scan response, and shows the last one", async () => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, (each) => seen.push(line(each)));
    advertisement("a");
    response(4);
    report(1, AdvertisingEventType.NonConnectableUndirected, { shortenedName: "beacon" });
    response(5);
    expect(seen).toEqual(["a undefined true", "a 4 true", "beacon 4 false", "a 5 true"]);
  });

  test("a device that begins to answer is remembered from then on", async () => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, (each) => seen.push(line(each)));
    for (let i = 0; i < 2; i++) report(1, AdvertisingEventType.NonConnectableUndirected, { shortenedName: "beacon" });
    advertisement("a");
    response(4);
    expect(seen.slice(2)).toEqual(["a undefined true", "a 4 true"]);
  });

  test("a scan response of whose event type the controller tells no more than that is one all the same", async () => {
    const seen: string[] = [];
    const radio = new Radio({ port, clock, logger: Logger.silent, own, abilities: EXTENDED_ABILITIES });
    const extended = new Scanner({ port, radio, resolve: () => undefined });
    radio.add(extended);
    await extended.scan({ duplicates: "report" }, (each) => seen.push(line(each)));
    const report = (eventType: number, fields: object): void => {
      const data = AdvertisingData.from(fields).bytes;
      const head = [eventType, 0, 1, 1, 2, 3, 4, 5, 0xc0, 1, 1, 0, 127, 0xc4, 0, 0, 0, 0, 0, 0, 0, 0, 0, data.length];
      extended.onExtendedReport(Uint8Array.of(...head, ...data), 0, head.length + data.length);
    };
    report(0x02, { shortenedName: "a" });
    report(0x08, { txPowerDbm: 4 }); // the bit of a scan response, and not that of what can be scanned
    report(0x02, { shortenedName: "b" });
    expect(seen).toEqual(["a undefined false", "a 4 false", "b 4 false"]);
  });

  test.each([
    ["a piece of a stream", 64, 14],
    ["the beginning of one, with much else in the packet", 0, 100],
  ])("what is remembered out of %s has octets of its own", async (_, at, length) => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, (each) => seen.push(line(each)));
    const stream = new Uint8Array(200);
    const told = reportOctets(1, AdvertisingEventType.ConnectableUndirected, { shortenedName: "a" });
    stream.set(told, at);
    scanner.onReport(stream.subarray(at, at + length), 0, told.length);
    stream.fill(0xff);
    response(4);
    expect(seen).toEqual(["a undefined true", "a 4 true"]);
  });

  test("what is kept holds no piece of a stream, and neither does the report that completes it", async () => {
    let last: Advertisement | undefined;
    await scanner.scan({ duplicates: "report" }, (each) => {
      last = each;
    });
    const piece = (type: number, fields: object): Uint8Array => {
      const octets = reportOctets(1, type, fields);
      const whole = new Uint8Array(200);
      whole.set(octets);
      scanner.onReport(whole.subarray(0, octets.length + 1), 0, octets.length);
      return whole;
    };
    const advertised = piece(AdvertisingEventType.ConnectableUndirected, { shortenedName: "a" });
    const answered = piece(AdvertisingEventType.ScanResponse, { txPowerDbm: 4 });
    const kept = last!.keep();
    for (const octets of [advertised, answered]) octets.fill(0xff);
    expect(line(kept)).toBe("a 4 true");
  });

  test("a report holds the one that completes it, and none that came before", async () => {
    let last: Advertisement | undefined;
    await scanner.scan({ duplicates: "report" }, (each) => {
      last = each;
    });
    for (let i = 0; i < 5; i++) {
      advertisement("a");
      response(i);
    }
    let held = 0;
    const count = { forget: () => held++ } as unknown as DuplicateFilter;
    last!.forget(count, true);
    expect(held).toBe(2);
  });

  test("of more than 1024 devices the one heard of first is forgotten, whoever has the same low octets", async () => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, (each) => seen.push(line(each)));
    for (let n = 0; n <= 1024; n++) advertisement(`n${n}`, n);
    seen.length = 0;
    for (const n of [1024, 1, 0]) response(4, n);
    expect(seen).toEqual(["n1024 4 true", "n1 4 true", "undefined 4 false"]);
  });
});

describe("a scan that is stopped within a callback hears no more, from the call on", () => {
  test("not the report that another scan's callback is called for", async () => {
    const seen: string[] = [];
    await scanner.scan({ duplicates: "report" }, () => {
      seen.push("first");
      void scanner.stop(second);
    });
    const second = await scanner.scan({ duplicates: "report" }, () => seen.push("second"));
    advertisement("a");
    expect(seen).toEqual(["first"]);
  });

  test("nor what else has waited for its scan response when the time is over", async () => {
    const seen: string[] = [];
    const scan = await scanner.scan({ merge: true, durationMs: 100 }, ({ name }) => {
      seen.push(name!);
      void scanner.stop(scan);
    });
    for (const n of [1, 2, 3]) advertisement(`n${n}`, n);
    await clock.advance(100);
    expect(seen).toEqual(["n1"]);
  });
});

describe("durationMs", () => {
  test("ends the loop without an error when what came was taken, and the scan", async () => {
    const loop = scanner.reports({ durationMs: 100 });
    const first = loop.next();
    await clock.advance(0);
    advertisement("a");
    advertisement("b", 2);
    expect((await first).value?.name).toBe("a");
    await clock.advance(100);
    expect(scanner.scanCount).toBe(0);
    expect((await loop.next()).value?.name).toBe("b");
    expect(await loop.next()).toEqual({ value: undefined, done: true });
    expect(clock.pending).toEqual([]);
    expect(sent.at(-1)).toEqual(["LeSetScanEnable", { leScanEnable: false, filterDuplicates: false }]);
  });

  test("a loop that is left before takes its timer along", async () => {
    const loop = scanner.reports({ durationMs: 100 });
    const first = loop.next();
    await clock.advance(0);
    advertisement("a");
    await first;
    expect(clock.pending).toEqual(["end of a scan"]);
    await loop.return();
    expect(clock.pending).toEqual([]);
  });

  test("one scan's end is not another's", async () => {
    const seen: string[] = [];
    await scanner.scan({ durationMs: 100 }, () => seen.push("short"));
    await scanner.scan({ durationMs: Number.POSITIVE_INFINITY }, () => seen.push("long"));
    await clock.advance(100);
    advertisement("a");
    expect(seen).toEqual(["long"]);
    await expect(scanner.scan({ durationMs: -1 }, () => {})).rejects.toThrow("scan: durationMs: expected milliseconds from 0");
  });
});
