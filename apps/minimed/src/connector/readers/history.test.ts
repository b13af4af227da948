import { delay } from "jelling/async";
import { fromHex, toHex } from "jelling/bytes";
import { TimeoutError } from "jelling/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeChannel, type PumpAnswer } from "../../../test/fake-channel.ts";
import { readVectors } from "../../../test/vectors.ts";
import { fragment } from "../../cgm/fragments.ts";
import { PumpError } from "../../error.ts";
import type { HistoryPage, HistoryRange } from "../../history/source.ts";
import { protect } from "../../idd/protection.ts";
import { openFrame } from "../../sake/frame.ts";
import { DeliveryReader } from "./delivery.ts";
import { HistoryReader } from "./history.ts";

const SUCCESS = "0f0f33f0";
const ABORTED = "0f0f55f0";

/** A meal of so many grams: ten octets. */
function meal(sequenceNumber: number, grams = 30, type = 0xf005): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type, true);
  view.setUint32(2, sequenceNumber, true);
  view.setUint16(8, grams, true);
  return bytes;
}
/** Sixteen octets of data: a maximum basal change and its rest, or of an unknown type. */
function long(sequenceNumber: number, octets: number, type: number): Uint8Array {
  const bytes = new Uint8Array(octets).fill(7);
  bytes.set(meal(sequenceNumber, 0, type).subarray(0, 8));
  return bytes;
}

let pump: FakeChannel;
let reader: HistoryReader;
beforeEach(() => {
  pump = new FakeChannel();
  pump.missing.add("iddFeatures");
  reader = new HistoryReader(pump.channel, new DeliveryReader(pump.channel));
});
afterEach(() => pump[Symbol.dispose]());

async function read(range: HistoryRange): Promise<{ pages: HistoryPage[]; error: unknown }> {
  const pages: HistoryPage[] = [];
  try {
    for await (const page of reader.pages(range)) pages.push(page);
  } catch (error) {
    return { pages, error };
  }
  return { pages, error: undefined };
}
const numbers = ({ records }: HistoryPage): number[] => records.map(({ record }) => record.sequenceNumber);
/** A pump that sends these to the report, and answers the abort. */
const sending =
  (records: readonly Uint8Array[], response: string | null = SUCCESS): PumpAnswer =>
  ({ hex }, { onHistoryData }) => {
    if (hex === "550f") return ABORTED;
    for (const record of records) onHistoryData?.(record);
    return response ?? undefined; // null is silence
  };

describe("a page", () => {
  test("has the records as they came, by number, those beyond what was asked for too, and none twice", async () => {
    pump.answer = sending([meal(12), meal(10), meal(11), meal(10), meal(13), meal(9)]);
    const { pages, error } = await read({ first: 10, last: 12 });
    expect(error).toBeUndefined();
    expect(pages.map((page) => [page.first, page.last, numbers(page)])).toEqual([[10, 12, [9, 10, 11, 12, 13]]]);
    expect(pages[0]!.records[1]).toMatchObject({ bytes: meal(10), record: { data: { name: "meal", carbohydratesG: 30 } } });
    expect(pump.asked).toEqual(["335a0f0a0000000c000000"]);
  });

  test("keeps two records that have one number and differ: the numbering may have begun anew", async () => {
    pump.answer = sending([meal(10, 30), meal(10, 31), meal(10, 30)]);
    const { pages } = await read({ first: 10, last: 12 });
    expect(pages[0]!.records.map(({ bytes }) => toHex(bytes))).toEqual([toHex(meal(10, 30)), toHex(meal(10, 31))]);
  });

  test("drops none, whatever it holds: unknown types, wrong lengths, impossible values. One without a header is told in the log", async () => {
    const odd = [
      meal(10, 30, 0x1234),
      meal(11, 30).subarray(0, 9),
      Uint8Array.of(...meal(12), 1, 2),
      long(13, 60, 0xf00e),
      long(14, 8, 0xffff),
    ];
    pump.answer = sending([...odd, Uint8Array.of(1, 2, 3, 4, 5, 6, 7), meal(15)]);
    const { pages } = await read({ first: 10, last: 15 });
    expect(pages[0]!.records.map(({ bytes }) => toHex(bytes))).toEqual([...odd, meal(15)].map(toHex));
    expect(pages[0]!.records.map(({ record }) => record.problem?.problem)).toEqual(
      [undefined, "length", "trailing", "trailing", undefined, undefined].map((p, i) =>
        i === 3 ? pages[0]!.records[3]!.record.problem?.problem : p,
      ),
    );
    expect(pump.log).toContainEqual(expect.stringContaining("what the pump sent as a record is none"));
  });

  test("is empty where the pump has no such numbers, and that is no error", async () => {
    pump.answer = () => "0f0f3306";
    expect(await read({ first: 5, last: 6 })).toEqual({ pages: [{ first: 5, last: 6, records: [] }], error: undefined });
  });

  test("waits for records that come behind the response, for a second", async () => {
    pump.answer = (_request, { onHistoryData, clock }) => {
      clock.setTimer(700, "late", () => onHistoryData?.(meal(10)));
      return SUCCESS;
    };
    expect(numbers((await read({ first: 10, last: 10 })).pages[0]!)).toEqual([10]);
    pump.answer = () => SUCCESS;
    const beforeMs = pump.clock.now();
    expect((await read({ first: 10, last: 10 })).pages[0]!.records).toEqual([]);
    expect(pump.clock.now() - beforeMs).toBe(1000);
  });
});

describe("fragments", () => {
  const LARGEST = 17;
  const parts = (record: Uint8Array): Uint8Array[] => fragment(record, LARGEST + 3, 3);
  beforeEach(() => {
    pump.largestPlaintext = LARGEST;
  });

  test("as a pump was seen to send them are joined", async () => {
    const { fragments } = readVectors<{ fragments: { key: string; nonce: string; first_seq: number; record: string; mtu_23: string[] } }>(
      "minimed",
    );
    let sequence = fragments.first_seq;
    const plaintexts = fragments.mtu_23.map((frame) => {
      const opened = openFrame({ key: fromHex(fragments.key), nonce: fromHex(fragments.nonce) }, sequence, fromHex(frame));
      if (!opened.ok) throw new Error(opened.problem);
      sequence = opened.nextSequence;
      return opened.plaintext;
    });
    pump.answer = sending(plaintexts);
    expect((await read({ first: 0, last: 0xffff })).pages[0]!.records.map(({ bytes }) => toHex(bytes))).toEqual([fragments.record]);
  });

  test("of records of every length, of known and of unknown types, one after another, give those records", async () => {
    for (const type of [0xf005, 0x1234, 0x00ff]) {
      const records = Array.from({ length: 53 }, (_, i) => long(100 + i, 8 + i, type));
      pump.answer = sending(records.flatMap(parts));
      expect(
        (await read({ first: 100, last: 152 })).pages[0]!.records.map(({ bytes }) => toHex(bytes)),
        type.toString(16),
      ).toEqual(records.map(toHex));
    }
  });

  test("of records that fill their notifications exactly: a known one ends by its length, the last by the response", async () => {
    // A delivered bolus, part 2, with reason and annunciation: 8 + 9 octets.
    const exact = (sequenceNumber: number): Uint8Array => {
      const bytes = long(sequenceNumber, 17, 0x0096);
      bytes.set([0x07, 1, 0, 0, 0, 0x33, 0x33, 5, 0], 8);
      return bytes;
    };
    const records = [exact(1), exact(2), meal(3), exact(9), meal(200), exact(201)];
    pump.answer = sending(records.flatMap(parts));
    expect((await read({ first: 1, last: 300 })).pages[0]!.records.map(({ bytes }) => toHex(bytes))).toEqual(records.map(toHex));
  });

  test("that never end are bounded, and the pump is stopped", async () => {
    pump.answer = sending(Array.from({ length: 50_000 }, () => new Uint8Array(LARGEST).fill(0xf0)));
    const { error } = await read({ first: 1, last: 1 });
    expect(error).toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(pump.asked.at(-1)).toBe("550f");
  });
});

describe("a protected service", () => {
  test("its records lose counter and CRC, also in parts; one that is damaged is kept, and says so", async () => {
    pump.missing.delete("iddFeatures");
    const features = protectedFeatures();
    pump.values.iddFeatures = features;
    pump.largestPlaintext = 17;
    const damaged = protect(meal(12), 3);
    damaged[9] = damaged[9]! ^ 1;
    const records = [protect(meal(10), 1), protect(long(11, 14, 0x1234), 2), damaged, protect(meal(13), 4)];
    pump.answer = sending(records.flatMap((record) => fragment(record, 20, 3)));
    const { pages } = await read({ first: 10, last: 13 });
    expect(pages[0]!.records.map(({ bytes, record }) => [bytes.length, record.sequenceNumber, record.problem?.problem])).toEqual([
      [10, 10, undefined],
      [14, 11, undefined],
      [10, 12, "crc"],
      [10, 13, undefined],
    ]);
  });
});

/** IDD Features with bit 0 set: CRC and counter come first. */
function protectedFeatures(): string {
  const body = fromHex("016400ff0000");
  let crc = 0xffff;
  for (const octet of body) {
    crc ^= octet << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return toHex(Uint8Array.of(crc & 0xff, crc >> 8, ...body));
}

describe("a transfer that does not end well", () => {
  test("because nothing comes any more is aborted; what came is whole as far as it goes", async () => {
    pump.answer = sending([meal(10), meal(11), meal(14)], null);
    const { pages, error } = await read({ first: 10, last: 20 });
    expect(error).toBeInstanceOf(TimeoutError);
    expect(pages.map((page) => [page.first, page.last, numbers(page)])).toEqual([[10, 14, [10, 11, 14]]]);
    expect(pump.asked).toEqual(["335a0f0a00000014000000", "550f"]);
  });

  test("and whose records came in no order is whole nowhere", async () => {
    pump.answer = sending([meal(12), meal(11)], null);
    const { pages, error } = await read({ first: 10, last: 20 });
    expect([pages, error]).toEqual([[], expect.any(TimeoutError)]);
  });

  test("before anything came gives nothing", async () => {
    pump.answer = sending([], null);
    expect(await read({ first: 10, last: 20 })).toEqual({ pages: [], error: expect.any(TimeoutError) });
  });

  test("because the pump floods is stopped: so many more than asked for are taken, and no more", async () => {
    pump.answer = sending(Array.from({ length: 5000 }, (_, i) => meal(10 + i)));
    const { pages, error } = await read({ first: 10, last: 19 });
    expect(error).toMatchObject({ code: "ERR_PUMP_PROTOCOL", message: expect.stringContaining("more records than it was asked for") });
    expect(pages.map((page) => [page.first, page.last, page.records.length])).toEqual([[10, 19, 10 + 256]]);
    expect(pump.asked.at(-1)).toBe("550f");
    pump.answer = sending(Array.from({ length: 266 }, (_, i) => meal(10 + i)));
    expect((await read({ first: 10, last: 19 })).error).toBeUndefined();
  });

  test("because a frame was lost is stopped at once, and what comes behind the loss is read again", async () => {
    pump.answer = ({ hex }, { onHistoryData, onLoss }) => {
      if (hex === "550f") return ABORTED;
      for (const number of [10, 11]) onHistoryData?.(meal(number));
      onLoss?.();
      for (const number of [13, 14]) onHistoryData?.(meal(number));
      return SUCCESS;
    };
    const { pages, error } = await read({ first: 10, last: 20 });
    expect(error).toMatchObject({ code: "ERR_PUMP_PROTOCOL", message: expect.stringContaining("lost on its way") });
    expect(pages.map((page) => [page.first, page.last, numbers(page)])).toEqual([[10, 11, [10, 11]]]);
    expect(pump.onLoss).toBeUndefined();
  });

  test("because the pump could not complete it is a refusal, behind what came", async () => {
    pump.answer = sending([meal(10)], "0f0f3308");
    const { pages, error } = await read({ first: 10, last: 20 });
    expect(error).toMatchObject({ code: "ERR_PUMP_REFUSED", message: expect.stringContaining("procedure not completed") });
    expect(pages.map((page) => [page.first, page.last])).toEqual([[10, 10]]);
    pump.answer = sending([], "0f0f3309");
    expect((await read({ first: 10, last: 20 })).error).toMatchObject({
      code: "ERR_PUMP_REFUSED",
      message: expect.stringContaining("operand not supported"),
    });
  });

  test("because its response cannot be read is aborted; what answers the abort is told from what comes late", async () => {
    pump.answer = ({ hex }) => (hex === "550f" ? ["ff", SUCCESS, "0f0f5507"] : ["0f0f33"]);
    const { error } = await read({ first: 10, last: 20 });
    expect(error).toMatchObject({ code: "ERR_PUMP_DATA" });
    expect(pump.asked.at(-1)).toBe("550f");
  });

  test("because its reader has enough is aborted, and its reason is the reader's", async () => {
    const controller = new AbortController();
    pump.answer = async ({ hex }, { onHistoryData, clock }) => {
      if (hex === "550f") return ABORTED;
      onHistoryData?.(meal(10));
      await delay(clock, 100);
      controller.abort(new Error("enough"));
      return undefined;
    };
    const { error } = await read({ first: 10, last: 20, signal: controller.signal });
    expect([(error as Error).message, pump.asked.at(-1)]).toEqual(["enough", "550f"]);
    expect(pump.onHistoryData).toBeUndefined();
  });
});

describe("the bounds", () => {
  const bounds = (answers: Readonly<Record<string, string>>, records: Readonly<Record<string, Uint8Array>>): PumpAnswer => {
    return ({ hex }, { onHistoryData }) => {
      const record = records[hex];
      if (record) onHistoryData?.(record);
      return answers[hex];
    };
  };
  test("are the number of records, and those of the first and the last", async () => {
    pump.answer = bounds({ "5a330f": "660f70110100", "33660f": SUCCESS, "33690f": SUCCESS }, { "33660f": meal(5), "33690f": meal(80_000) });
    expect(await reader.bounds()).toEqual({ count: 70_000, first: 5, last: 80_000 });
  });
  test.each([
    ["no records", { "5a330f": "660f00000000" }],
    ["no records found", { "5a330f": "0f0f5a06" }],
    ["no such request", { "5a330f": "0f0f5a02" }],
    ["no first one", { "5a330f": "660f01000000", "33660f": "0f0f3306", "33690f": "0f0f3306" }],
  ])("are none: %s", async (_name, answers) => {
    pump.answer = bounds(answers, {});
    expect(await reader.bounds()).toBeUndefined();
  });
  test("are a refusal where the pump could not tell", async () => {
    pump.answer = bounds({ "5a330f": "0f0f5a08" }, {});
    await expect(reader.bounds()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
    pump.answer = bounds({ "5a330f": "660f01000000", "33660f": "0f0f3308" }, {});
    await expect(reader.bounds()).rejects.toMatchObject({ code: "ERR_PUMP_REFUSED" });
  });
  test("and pages are none without the service", async () => {
    pump.missing.add("iddRecordAccess");
    expect([await reader.bounds(), await read({ first: 0, last: 9 })]).toEqual([undefined, { pages: [], error: undefined }]);
    expect(pump.asked).toEqual([]);
  });
});

describe("a transfer over several pages", () => {
  const range = { first: 1, last: 1000, pageSize: 100, order: "oldest" } as const;
  const all = (first = 1): Uint8Array[] => Array.from({ length: 1001 - first }, (_, i) => meal(first + i));
  const first = (hex: string): number => new DataView(fromHex(hex.slice(6)).buffer).getUint32(0, true);

  /** As a link brings them: not all at once. */
  const slowly =
    (records: (from: number) => readonly Uint8Array[], response: string | null = SUCCESS): PumpAnswer =>
    async ({ hex }, at) => {
      if (hex === "550f") return ABORTED;
      for (const [i, record] of records(first(hex)).entries()) {
        at.onHistoryData?.(record);
        if (i % 20 === 0) await delay(at.clock, 1);
      }
      return response ?? undefined;
    };

  test("is one, oldest first; each page has its numbers, gaps and what was recorded meanwhile included", async () => {
    pump.answer = slowly(() => [...all().filter((_, i) => i < 150 || i >= 450), meal(1001)]);
    const { pages, error } = await read(range);
    expect(error).toBeUndefined();
    expect(pages.map((page) => [page.first, page.last, page.records.length])).toEqual([
      [1, 100, 100],
      [101, 200, 50],
      [201, 300, 0],
      [301, 400, 0],
      [401, 500, 50],
      [501, 600, 100],
      [601, 700, 100],
      [701, 800, 100],
      [801, 900, 100],
      [901, 1000, 101],
    ]);
    expect(pump.asked).toEqual(["335a0f01000000e8030000"]);
  });

  test("pauses between two pages when somebody else waits for a turn, and goes on where it was", async () => {
    const answered: string[] = [];
    pump.answer = ({ hex }, at) => {
      if (hex === "550f") return ABORTED;
      answered.push(hex);
      at.isWanted = answered.length === 1;
      for (const record of all(first(hex))) at.onHistoryData?.(record);
      return SUCCESS;
    };
    const { pages } = await read(range);
    expect(pages.flatMap(numbers)).toEqual(Array.from({ length: 1000 }, (_, i) => 1 + i));
    expect(pages.map((page) => page.first)).toEqual([1, 101, 201, 301, 401, 501, 601, 701, 801, 901]);
    expect([pump.asked[1], answered.length]).toEqual(["550f", 2]);
  });

  test("pauses when nobody takes the pages, and leaves nothing behind when they are left", async () => {
    let isOpen = true;
    pump.answer = async ({ hex }, at) => {
      if (hex === "550f") {
        isOpen = false;
        return ABORTED;
      }
      isOpen = true;
      for (const record of all(first(hex))) {
        if (!isOpen) break;
        at.onHistoryData?.(record);
        await delay(at.clock, 1);
      }
      return SUCCESS;
    };
    const pages = reader.pages(range);
    await pages.next();
    await delay(pump.clock, 2000);
    expect(pump.asked).toHaveLength(2); // stopped, with four pages at hand
    const rest: HistoryPage[] = [];
    for (let i = 0; i < 6; i++) rest.push((await pages.next()).value as HistoryPage);
    expect(rest.map((page) => page.first)).toEqual([101, 201, 301, 401, 501, 601]);
    await pages.return();
    await delay(pump.clock, 2000);
    expect([pump.asked.at(-1), pump.onHistoryData]).toEqual(["550f", undefined]);
  });

  test("is stopped at once when its reader leaves in the middle of it", async () => {
    pump.answer = slowly(() => all());
    for await (const page of reader.pages(range)) {
      expect(page.last).toBe(100);
      break;
    }
    await delay(pump.clock, 2000);
    expect(pump.asked).toEqual(["335a0f01000000e8030000", "550f"]);
  });

  test("whose session ends is not aborted: there is nobody to tell", async () => {
    const over = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
    pump.answer = (_request, at) => {
      at.onHistoryData?.(meal(1));
      at.ended = over;
      return over;
    };
    expect(await read(range)).toEqual({ pages: [], error: over });
    expect(pump.asked).toHaveLength(1);
  });

  test("whose records do not ascend is read page by page, and nothing is missing", async () => {
    pump.answer = ({ hex }, at) => {
      if (hex === "550f") return ABORTED;
      const [from, to] = [first(hex), new DataView(fromHex(hex.slice(14)).buffer).getUint32(0, true)];
      for (let number = to; number >= from; number--) at.onHistoryData?.(meal(number));
      return SUCCESS;
    };
    const { pages, error } = await read({ ...range, last: 300 });
    expect(error).toBeUndefined();
    expect(pages.map((page) => [page.first, page.last, page.records.length])).toEqual([
      [1, 100, 100],
      [101, 200, 100],
      [201, 300, 100],
    ]);
    // One is out of its order, behind the end of its page: that page comes once more, with it.
    const records = all().filter((_, i) => i !== 150);
    records.splice(400, 0, meal(151));
    pump.answer = ({ hex }, at) => {
      if (hex === "550f") return ABORTED;
      const [from, to] = [first(hex), new DataView(fromHex(hex.slice(14)).buffer).getUint32(0, true)];
      const wanted = to - from < 100 ? all(from).slice(0, to - from + 1) : records;
      for (const record of wanted) at.onHistoryData?.(record);
      return SUCCESS;
    };
    const again = await read(range);
    expect(again.error).toBeUndefined();
    expect(new Set(again.pages.flatMap(numbers)).size).toBe(1000);
  });

  test("that fails gives the whole pages and what is whole of the next one, then the error", async () => {
    pump.answer = slowly(() => all().slice(0, 250), null);
    const { pages, error } = await read(range);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(pages.map((page) => [page.first, page.last, page.records.length])).toEqual([
      [1, 100, 100],
      [101, 200, 100],
      [201, 250, 50],
    ]);
    pump.answer = sending(Array.from({ length: 5000 }, () => meal(5)));
    expect((await read(range)).error).toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
  });
});

describe("all from a number on", () => {
  const ALL = "33330f";
  const from = (number: number): string => `33550f${toHex(Uint8Array.of(number & 0xff, number >> 8, 0, 0))}`;
  const REFERENCE = fromHex("0ef000000000100e3cef070302010000");
  const reference = (number: number): Uint8Array => {
    const bytes = REFERENCE.slice();
    new DataView(bytes.buffer).setUint32(2, number, true);
    return bytes;
  };
  const meals = (first: number, last: number, grams = 30): Uint8Array[] =>
    Array.from({ length: last - first + 1 }, (_, i) => meal(first + i, grams));
  const spans = (pages: readonly HistoryPage[]): unknown[] =>
    pages.map(({ first, last, records, isLast }) => [first, last, records.length, ...(isLast ? ["last"] : [])]);

  test("comes in one transfer, in pages of so many records, whatever their numbers; the last one says so", async () => {
    pump.answer = sending([...meals(7, 100), ...meals(5000, 5100)]);
    const { pages, error } = await read({ first: 0, pageSize: 50 });
    expect([spans(pages), error]).toEqual([
      [
        [7, 56, 50],
        [57, 5005, 50],
        [5006, 5055, 50],
        [5056, 5100, 45, "last"],
      ],
      undefined,
    ]);
    pump.answer = sending(meals(90, 95));
    expect(spans((await read({ first: 90 })).pages)).toEqual([[90, 95, 6, "last"]]);
    pump.answer = () => "0f0f3306";
    expect(await read({ first: 96 })).toEqual({ pages: [], error: undefined });
    expect(pump.asked).toEqual([ALL, from(90), from(96)]);
  });

  test.each(["02", "03", "04", "05", "09", "f1"])("is refused with code %s, and not asked for again in the session", async (code) => {
    pump.answer = () => `0f0f33${code}`;
    for (let i = 0; i < 2; i++)
      expect(await read({ first: 5 })).toEqual({ pages: [], error: expect.objectContaining({ code: "ERR_PUMP_REFUSED" }) });
    expect(pump.asked).toEqual([from(5)]);
    pump.answer = sending([meal(5)]);
    expect((await read({ first: 5, last: 5 })).pages).toHaveLength(1);
  });

  test("is not asked for again where the pump does not answer that; where it could not complete it this time, it is", async () => {
    pump.answer = sending([meal(5)], "0f0f3308");
    expect(await read({ first: 5 })).toMatchObject({ pages: [{ first: 5, last: 5 }], error: { code: "ERR_PUMP_REFUSED" } });
    pump.answer = sending([meal(5)], null);
    expect(await read({ first: 5 })).toMatchObject({ pages: [{ first: 5, last: 5 }], error: expect.any(TimeoutError) });
    pump.answer = sending([], null);
    expect(await read({ first: 5 })).toMatchObject({ pages: [], error: { code: "ERR_PUMP_REFUSED" } });
    const { length } = pump.asked;
    expect(await read({ first: 5 })).toMatchObject({ pages: [], error: { code: "ERR_PUMP_REFUSED" } });
    expect(pump.asked).toHaveLength(length);
  });

  test.each([
    ["fall", [...meals(100, 130), meal(3), ...meals(131, 140)]],
    ["come twice with other octets", [...meals(100, 130), meal(130, 5), ...meals(131, 140)]],
  ])("whose numbers %s ends there: what came before is given, and of numbers that were left out nothing is said", async (_, records) => {
    pump.answer = sending([...records.slice(0, 12), ...records.slice(14)]);
    const { pages, error } = await read({ first: 100, pageSize: 20 });
    expect(error).toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(spans(pages)).toEqual([
      [100, 121, 20],
      [122, 130, 9],
    ]);
    pump.answer = sending([...records.slice(0, 2), ...records.slice(4, 31), meal(1)]);
    pump.asked.length = 0;
    // It was not asked again: what is not known to ascend is read in ranges.
    expect(await read({ first: 100 })).toMatchObject({ pages: [], error: { code: "ERR_PUMP_REFUSED" } });
    reader = new HistoryReader(pump.channel, new DeliveryReader(pump.channel));
    const again = await read({ first: 100 });
    expect(spans(again.pages)).toEqual([
      [100, 101, 2],
      [104, 130, 27],
    ]);
    expect(again.error).toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(pump.asked).toEqual([from(100), "550f"]);
  });

  test("that begins below that number is none of it", async () => {
    pump.answer = sending(meals(1, 200));
    expect(await read({ first: 100 })).toMatchObject({ pages: [], error: { code: "ERR_PUMP_PROTOCOL" } });
  });

  test("has a record once that came twice in a row", async () => {
    pump.answer = sending([meal(5), meal(5), meal(6), meal(6)]);
    expect((await read({ first: 5 })).pages.map(numbers)).toEqual([[5, 6]]);
  });

  test("without end is stopped, by the number of records and by the time; the same record without end as well", async () => {
    pump.answer = sending(Array.from({ length: 3000 }, () => meal(5)));
    expect(await read({ first: 5 })).toMatchObject({
      error: { code: "ERR_PUMP_PROTOCOL", message: expect.stringContaining("more records") },
    });
    expect(pump.asked.at(-1)).toBe("550f");
    const records = meals(1, 800); // two hours
    const slow: PumpAnswer = async ({ hex }, at) => {
      if (hex === "550f") return ABORTED;
      for (const record of records) {
        at.onHistoryData?.(record);
        await delay(at.clock, 9000);
      }
      return SUCCESS;
    };
    const doesNotEnd = { code: "ERR_PUMP_PROTOCOL", message: expect.stringContaining("does not end") };
    for (const range of [
      { first: 0, pageSize: 100 },
      { first: 1, last: 800, pageSize: 100, order: "oldest" },
    ] as const) {
      pump.answer = slow;
      const bySlow = await read(range);
      expect(bySlow.error).toMatchObject(doesNotEnd);
      pump.answer = sending(records);
      reader = new HistoryReader(pump.channel, new DeliveryReader(pump.channel), { mostRecords: 150 });
      const byMany = await read(range);
      expect(byMany.error).toMatchObject(doesNotEnd);
      expect(byMany.pages.length).toBeGreaterThan(0);
      reader = new HistoryReader(pump.channel, new DeliveryReader(pump.channel));
    }
  });

  describe("while somebody else wants a turn", () => {
    /** Stops behind the first page, and goes on with what `later` makes of the records. */
    async function interrupted(records: readonly Uint8Array[], later: (records: readonly Uint8Array[]) => readonly Uint8Array[]) {
      const number = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(2, true);
      pump.answer = ({ hex }, at) => {
        if (hex === "550f") return ABORTED;
        const asked = hex === ALL ? 0 : first(hex);
        at.isWanted = hex === ALL;
        const given = (hex === ALL ? records : later(records)).filter((bytes) => number(bytes) >= asked);
        for (const bytes of given) at.onHistoryData?.(bytes);
        return given.length > 0 ? SUCCESS : "0f0f3306";
      };
      return await read({ first: 0, pageSize: 20 });
    }
    const first = (hex: string): number => new DataView(fromHex(hex.slice(6)).buffer).getUint32(0, true);
    const records = [...meals(1, 9), reference(10), ...meals(11, 39)];

    test("it stops, and goes on at the newest reference, by which it shows that nothing has changed", async () => {
      const { pages, error } = await interrupted(records, (all) => all);
      expect(error).toBeUndefined();
      expect(spans(pages)).toEqual([
        [1, 20, 20],
        [21, 39, 19, "last"],
      ]);
      expect(pages.flatMap(numbers)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1));
      expect(pump.asked).toEqual([ALL, "550f", from(10)]);
    });

    test.each([
      ["another reference", (all: readonly Uint8Array[]) => all.map((bytes, i) => (i === 9 ? meal(10) : bytes))],
      ["another record behind it", (all: readonly Uint8Array[]) => all.map((bytes, i) => (i === 15 ? meal(16, 1) : bytes))],
      ["none of those that it gave", (all: readonly Uint8Array[]) => all.slice(20)],
      ["nothing as high", (all: readonly Uint8Array[]) => all.slice(0, 5)],
      ["nothing behind what it gave, and not even that", (all: readonly Uint8Array[]) => all.slice(0, 15)],
    ])("and has %s then, it ends there", async (_, later) => {
      const { pages, error } = await interrupted(records, later);
      expect(error).toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
      expect(pages.flatMap(numbers)).toEqual(Array.from({ length: 20 }, (_each, i) => i + 1));
    });

    test("and nothing more has come meanwhile, it is over", async () => {
      const { pages, error } = await interrupted(records, (all) => all.slice(0, 20));
      expect(error).toBeUndefined();
      expect(spans(pages)).toEqual([[1, 20, 20]]);
    });
  });
});
