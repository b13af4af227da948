import { toHex } from "jelling/bytes";
import { TimeoutError } from "jelling/core";
import { describe, expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { keptOctets, NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import { addSeconds, formatLocal, parseLocal } from "../data/date-time.ts";
import { PumpError } from "../error.ts";
import type { ReceivedRecord } from "../history/source.ts";
import { HistoryTimeline } from "../history/timeline.ts";
import { syncHistory } from "./sync.ts";

const octets = (records: readonly ReceivedRecord[]): [number, string][] =>
  records.map(({ bytes, record }) => [record.sequenceNumber, toHex(bytes)]);
/** The pump's display is an hour ahead of UTC. */
const CLOCK = { differenceS: 3600, atMs: NOW_MS };
const utc = (local: string): number => Date.parse(`${local}Z`) - 3_600_000;

describe("a sync", () => {
  test("does not date newest records by a reference that others may follow, where numbers between them are missing", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().hour().hour().hour();
    // The first record and the last one, each by a sync that is cut short behind it.
    for (const order of ["oldest", "newest"] as const) {
      const source = new MadeSource(records, { pageSize: 1 });
      source.onTransfer = (first, last) => {
        if (history.recordCount > 0 && last - first === 0 && first !== 1 && first !== records.length) throw new Error("lost");
      };
      await expect(syncHistory(history, source, { order })).rejects.toThrow("lost");
    }
    expect(keptOctets(history).map(([seq]) => seq)).toEqual([1, records.length]);
    await syncHistory(history, new MadeSource(records), { clockDifference: CLOCK });
    const timeline = new HistoryTimeline();
    const times = records.map(({ record }) => timeline.push(record)).map(({ local, sampleLocal }) => formatLocal((sampleLocal ?? local)!));
    expect([...history.records()].map(({ local }) => local)).toEqual(times);
  });

  test("brings every record in one stream, and later what is new in another", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker({ first: 500 }).days(400);
    const source = new MadeSource(records.slice(0, 200), { pageSize: 80 });
    const progress: unknown[] = [];
    expect(await syncHistory(history, source, { onProgress: (each) => progress.push(each) })).toEqual({
      ...{ pages: 3, records: 200, segment: 0, restarted: false },
      bounds: { count: 200, first: 500, last: 699 },
    });
    expect(source.asked).toEqual([
      { first: 500, last: 579 },
      { first: 580, last: 659 },
      { first: 660, last: 699 },
    ]);
    expect(progress).toEqual([80, 160, 200].map((count, i) => ({ pages: i + 1, records: count, left: undefined })));
    expect([source.questions, source.boundsAsked]).toEqual([1, 0]);
    source.records = records;
    const later = await syncHistory(history, source);
    expect(later).toMatchObject({
      records: records.length - 200,
      bounds: { count: undefined, first: undefined, last: 499 + records.length },
    });
    // It begins with the newest reference that is stored.
    const reference = records.slice(0, 200).findLast(({ record }) => record.data?.name === "ngp_reference_time")!;
    expect(source.asked[3]!.first).toBe(reference.record.sequenceNumber);
    expect(await syncHistory(history, source)).toMatchObject({ records: 0, restarted: false });
    expect([source.questions, source.boundsAsked]).toEqual([3, 0]);
    expect(keptOctets(history)).toEqual(octets(records));
    expect(history.gaps()).toEqual([]);
  });

  test("brings every record, newest page first where that is wanted, and asks for nothing twice", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().days(200);
    const source = new MadeSource(records, { pageSize: 80 });
    const progress: (number | undefined)[] = [];
    const newest = { order: "newest" } as const;
    const result = await syncHistory(history, source, { ...newest, onProgress: ({ left }) => progress.push(left) });
    expect(keptOctets(history)).toEqual(octets(records));
    expect(result).toMatchObject({ records: records.length, segment: 0, restarted: false });
    // In the end the newest reference of the first page once more: the pump still counts as it did.
    expect(source.asked.map(({ last }) => last).slice(0, -1)).toEqual([records.length, records.length - 80, records.length - 160]);
    expect(source.asked.at(-1)!.first).toBe(source.asked.at(-1)!.last);
    expect(progress).toEqual([records.length - 80, records.length - 160, 0]);
    source.asked.length = 0;
    expect(await syncHistory(history, source, newest)).toMatchObject({ records: 0, pages: 0 });
    // One record, by which to see that the numbers still mean the same.
    expect(source.asked).toHaveLength(1);
    expect(source.asked[0]!.first).toBe(source.asked[0]!.last);
    expect(history.gaps()).toEqual([]);
  });

  test("goes on after an interruption with what is missing, and keeps what came", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker({ first: 5000 }).days(150);
    const source = new MadeSource(records, { pageSize: 20 });
    source.onTransfer = (_first, _last, transfers) => {
      if (transfers === 3) throw new Error("the link was lost");
    };
    await expect(syncHistory(history, source, { order: "newest" })).rejects.toThrow("the link was lost");
    expect(keptOctets(history)).toEqual(octets(records.slice(-60)));
    expect(history.gaps()).toEqual([{ segment: 0, first: 5000, last: 5000 + records.length - 61, gone: false }]);
    source.onTransfer = undefined;
    source.asked.length = 0;
    expect(await syncHistory(history, source, { order: "oldest" })).toMatchObject({ records: records.length - 60 });
    const pages = source.asked.slice(1, -1).map(({ first }) => first);
    expect(pages).toEqual(pages.map((_, i) => 5000 + 20 * i));
    expect(pages).toHaveLength(Math.ceil((records.length - 60) / 20));
    expect(keptOctets(history)).toEqual(octets(records));
  });

  test("goes on after an interruption where the stream was, with one question", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker({ first: 5000 }).days(150);
    const source = new MadeSource(records, { pageSize: 20 });
    source.onTransfer = (_first, _last, transfers) => {
      if (transfers % 4 === 3) throw new Error("the link was lost");
    };
    await expect(syncHistory(history, source)).rejects.toThrow("the link was lost");
    expect(keptOctets(history)).toEqual(octets(records.slice(0, 60)));
    source.onTransfer = undefined;
    const { questions } = source;
    expect(await syncHistory(history, source, { clockDifference: CLOCK })).toMatchObject({
      records: records.length - 60,
      restarted: false,
    });
    expect([source.questions - questions, source.boundsAsked]).toEqual([1, 0]);
    expect(keptOctets(history)).toEqual(octets(records));
    expect(history.gaps()).toEqual([]);
    for (const { atMs, local } of history.records()) expect(atMs).toBe(utc(local!));
  });

  test("tells of numbers that the pump no longer has, and does not ask for them again", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const maker = new HistoryMaker().days(50);
    const gone = maker.next;
    const { records } = maker.skip(3).days(100);
    const source = new MadeSource(records, { pageSize: 20 });
    await syncHistory(history, source);
    expect(history.gaps()).toEqual([{ segment: 0, first: gone, last: gone + 2, gone: true }]);
    source.asked.length = 0;
    await syncHistory(history, source);
    expect(source.asked).toHaveLength(1);
    // What the pump has overwritten meanwhile was never asked for, and is gone too.
    const later = new HistoryMaker({ first: maker.next + 1000, local: formatLocal(addSeconds(parseLocal(maker.local), 90_000)) }).days(100);
    expect(await syncHistory(history, new MadeSource(later.records))).toMatchObject({ segment: 0, restarted: false });
    expect(history.gaps()).toEqual([
      { segment: 0, first: gone, last: gone + 2, gone: true },
      { segment: 0, first: maker.next, last: maker.next + 999, gone: true },
    ]);
  });

  test("of a pump that has nothing brings nothing", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    expect(await syncHistory(history, new MadeSource([]))).toEqual({
      pages: 0,
      records: 0,
      bounds: undefined,
      segment: undefined,
      restarted: false,
    });
    expect(history.gaps()).toEqual([]);
    expect(history.newestMs).toBeUndefined();
  });

  test("beside another of the same pump is refused, and one of another pump is not", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().days(100);
    const source = new MadeSource(records);
    let refused: unknown;
    source.onTransfer = async () => {
      refused = await syncHistory(store.pump(SERIAL), new MadeSource(records)).catch((error: unknown) => error);
      await syncHistory(store.pump("NG7654321H"), new MadeSource(records));
    };
    await syncHistory(history, source);
    expect(refused).toMatchObject({ code: "ERR_PUMP_STORE_SYNCING" });
    expect(keptOctets(history)).toEqual(octets(records));
    expect(keptOctets(store.pump("NG7654321H"))).toEqual(octets(records));
    await expect(syncHistory(history, new MadeSource(records))).resolves.toMatchObject({ records: 0 });
  });

  test("ends with the reason of its signal, between two pages", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().days(100);
    const controller = new AbortController();
    const reason = new Error("enough");
    const source = new MadeSource(records, { pageSize: 30 });
    const onProgress = (): void => controller.abort(reason);
    await expect(syncHistory(history, source, { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(keptOctets(history)).toEqual(octets(records.slice(0, 30)));
    await expect(syncHistory(history, source, { signal: controller.signal })).rejects.toBe(reason);
    await syncHistory(history, source);
    expect(keptOctets(history)).toEqual(octets(records));
  });

  test("keeps a record that nobody can read", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker()
      .record(0x7777, [1, 2, 3])
      .record(0xf005, [1])
      .record(0xf00e, [0x3c, 0, 0, 0, 0, 0, 0, 0])
      .meal(5);
    await syncHistory(history, new MadeSource(records));
    expect(keptOctets(history)).toEqual(octets(records));
    expect([...history.records()].map(({ record }) => record.problem?.problem)).toEqual([undefined, "length", undefined, undefined]);
  });

  test.each([
    [{ order: "first" }, "order"],
    [{ pageSize: 0 }, "pageSize"],
    [{ pageSize: 1001 }, "pageSize"],
    [{ onProgress: 1 }, "onProgress"],
    [{ pagesize: 5 }, 'did you mean "pageSize"'],
    [{ clockDifference: 5 }, "clockDifference"],
    [{ clockDifference: { differenceS: Number.NaN, atMs: 0 } }, "differenceS"],
  ])("refuses %o", async (options, words) => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const sync = syncHistory(store.pump(SERIAL), new MadeSource([]), options as never);
    await expect(sync).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(words) as string });
  });

  test.each([
    { count: 1, first: 5, last: 4 },
    { count: 1, first: -1, last: 4 },
    { count: 1, first: 0, last: 2 ** 32 },
    { count: 1, first: 0.5, last: 4 },
    { count: 1, first: Number.NaN, last: Number.NaN },
  ])("bounds %o are the pump's fault", async (bounds) => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const source = new MadeSource([]);
    source.historyBounds = () => Promise.resolve(bounds);
    await expect(syncHistory(store.pump(SERIAL), source)).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
  });
});

describe("a pump that does not give all from a number on", () => {
  const { records } = new HistoryMaker({ first: 700 }).days(300);

  test.each(["ERR_PUMP_REFUSED", "ERR_PUMP_PROTOCOL"] as const)("(%s) is asked for ranges", async (code) => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const source = new MadeSource(records.slice(0, 150), { pageSize: 40 });
    source.refusal = new PumpError(code, "no");
    const left: unknown[] = [];
    await syncHistory(history, source, { clockDifference: CLOCK, onProgress: (progress) => left.push(progress.left) });
    expect(left).toEqual([110, 70, 30, 0]);
    source.records = records;
    expect(await syncHistory(history, source, { clockDifference: CLOCK })).toMatchObject({
      restarted: false,
      records: records.length - 150,
    });
    expect(keptOctets(history)).toEqual(octets(records));
    for (const { atMs, local } of history.records()) expect(atMs).toBe(utc(local!));
    source.records = new HistoryMaker({ first: 700, local: "2031-03-09T00:00:00" }).days(400).records;
    expect(await syncHistory(history, source)).toMatchObject({ restarted: true, segment: 1 });
    expect(keptOctets(history, 1)).toEqual(octets(source.records));
    expect(keptOctets(history, 0)).toEqual(octets(records));
  });

  test("and fails otherwise fails the sync", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const source = new MadeSource(records);
    for (const refusal of [new TimeoutError("a page", 10_000), new PumpError("ERR_PUMP_SESSION_ENDED", "over")]) {
      source.refusal = refusal;
      await expect(syncHistory(store.pump(SERIAL), source)).rejects.toBe(refusal);
    }
    expect(source.boundsAsked).toBe(0);
  });

  test("but all that it has, whatever it is asked for, or nothing at all, is compared", async () => {
    for (const answer of [records, []]) {
      using folder = new TemporaryFolder();
      using store = await openStore(folder.join("pump.sqlite"));
      const history = store.pump(SERIAL);
      const source = new MadeSource(records.slice(0, 150));
      await syncHistory(history, source);
      source.records = records;
      const asked = source.history.bind(source);
      source.history = (range) => (range.last === undefined ? new MadeSource(answer).history({ first: 0 }) : asked(range));
      expect(await syncHistory(history, source)).toMatchObject({ restarted: false, segment: 0 });
      expect(keptOctets(history)).toEqual(octets(records));
    }
  });

  test("ends where a pump names numbers without end and has none of them; what it had is kept", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().hour();
    const source = new MadeSource(records);
    source.refusal = new PumpError("ERR_PUMP_REFUSED", "no");
    source.historyBounds = async () => ({ count: records.length, first: 1, last: 1_000_000 });
    await expect(syncHistory(history, source, { order: "oldest" })).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(keptOctets(history)).toEqual(octets(records));
    expect(source.asked.length).toBeLessThan(200);
  });

  test("but lower numbers than it was asked for, in a range, has none of them stored where they do not belong", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const source = new MadeSource(records.slice(100, 200), { pageSize: 50 });
    await syncHistory(history, source);
    const anew = new HistoryMaker({ first: 1, local: "2031-03-09T00:00:00" }).days(20).records;
    const asked = source.history.bind(source);
    source.refusal = new PumpError("ERR_PUMP_REFUSED", "no");
    source.records = records.slice(100);
    source.history = async function* (range) {
      for await (const page of asked(range)) yield range.last === range.first ? page : { ...page, records: [...anew, ...page.records] };
    };
    await syncHistory(history, source);
    expect(keptOctets(history)).toEqual(octets(records.slice(100)));
  });
});

describe("numbers that begin anew", () => {
  const old = new HistoryMaker().days(300).records;
  const anew = new HistoryMaker({ local: "2031-03-05T10:00:00" }).days(900).records;

  test.each([
    ["fewer than before", 100],
    ["as many as before", 300],
    ["more than before", 800],
  ])("are another segment: %s", async (_, count) => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    await syncHistory(history, new MadeSource(old));
    const now = anew.slice(0, count === 300 ? old.length : count);
    expect(await syncHistory(history, new MadeSource(now))).toMatchObject({ segment: 1, restarted: true, records: now.length });
    expect(keptOctets(history, 0)).toEqual(octets(old));
    expect(keptOctets(history, 1)).toEqual(octets(now));
    expect(await syncHistory(history, new MadeSource(anew))).toMatchObject({ segment: 1, restarted: false });
    expect(keptOctets(history, 1)).toEqual(octets(anew));
  });

  test.each([1, 2, 3, 4, 5, 6, 7])("in the middle of a sync, at transfer %i, lose nothing and mix nothing", async (at) => {
    for (const order of ["newest", "oldest"] as const) {
      using folder = new TemporaryFolder();
      using store = await openStore(folder.join("pump.sqlite"));
      const history = store.pump(SERIAL);
      const source = new MadeSource(old, { pageSize: 40 });
      source.onTransfer = (_first, _last, transfers) => {
        if (transfers === at) source.records = anew.slice(0, 120);
      };
      await syncHistory(history, source, { order });
      await syncHistory(history, source, { order });
      const oldOctets = new Map(octets(old));
      // What came before is the old numbering's, and all of the new one is there.
      expect(keptOctets(history, 0).every(([seq, bytes]) => oldOctets.get(seq) === bytes)).toBe(true);
      expect(keptOctets(history, 1)).toEqual(octets(anew.slice(0, 120)));
      expect(keptOctets(history, 0).length).toBeGreaterThanOrEqual(40 * at);
    }
  });

  test("and lie above all that is stored are another segment, where the pump has too few of them to have overwritten the old ones", async () => {
    for (const [count, restarted] of [
      [100, true],
      [200, false],
    ] as const)
      for (const order of ["oldest", "newest"] as const) {
        using folder = new TemporaryFolder();
        using store = await openStore(folder.join("pump.sqlite"));
        const history = store.pump(SERIAL);
        await syncHistory(history, new MadeSource(old, { pageSize: 40 }), { order });
        const above = new HistoryMaker({ first: old.length + 1, local: "2031-03-08T10:00:00" }).days(count).records;
        expect(await syncHistory(history, new MadeSource(above), { order })).toMatchObject({ restarted, segment: restarted ? 1 : 0 });
        if (restarted) expect(keptOctets(history, 1)).toEqual(octets(above));
        else expect(keptOctets(history)).toEqual(octets([...old, ...above]));
        expect(keptOctets(history, 0).slice(0, old.length)).toEqual(octets(old));
      }
  });

  test("and have no number in common with the old ones are another segment; where one that is stored is left, they are not", async () => {
    const before = new HistoryMaker().days(60);
    const hole = before.next;
    const all = before.skip(10).days(150).records.slice();
    // The newest reference that is stored is overwritten, some records behind it are not.
    const reference = all.findLast(({ record }) => record.data?.name === "ngp_reference_time")!.record.sequenceNumber;
    const later = [...all.filter(({ record }) => record.sequenceNumber > reference), ...before.days(500).records.slice(all.length)];
    const other = [
      ...new HistoryMaker({ first: hole, local: "2031-03-08T10:00:00" }).days(10).records.slice(0, 10),
      ...new HistoryMaker({ first: before.next, local: "2031-03-08T11:00:00" }).days(300).records,
    ];
    for (const [records, restarted] of [
      [later, false],
      [other, true],
    ] as const) {
      using folder = new TemporaryFolder();
      using store = await openStore(folder.join("pump.sqlite"));
      const history = store.pump(SERIAL);
      await syncHistory(history, new MadeSource(all));
      expect(await syncHistory(history, new MadeSource(records))).toMatchObject({ restarted });
      if (restarted) expect(keptOctets(history, 1)).toEqual(octets(records));
      else
        expect(keptOctets(history)).toEqual(
          octets([...all, ...records.filter(({ record }) => record.sequenceNumber > all.at(-1)!.record.sequenceNumber)]),
        );
    }
  });

  test("without end are the pump's fault", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const source = new MadeSource(old, { pageSize: 40 });
    source.onTransfer = (_first, _last, transfers) => {
      source.records = anew.slice(0, 300 - 10 * transfers);
    };
    const sync = syncHistory(store.pump(SERIAL), source, { order: "newest" });
    await expect(sync).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    source.onTransfer = (_first, _last, transfers) => {
      const local = formatLocal(addSeconds(parseLocal("2032-01-01T10:00:00"), 86_400 * transfers));
      source.records = new HistoryMaker({ local }).days(300 - transfers).records;
    };
    await expect(syncHistory(store.pump("NG7654321H"), source)).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
  });
});

describe("times", () => {
  /** What the store says of each record, by number. */
  const kept = async (records: readonly ReceivedRecord[], steps: readonly (readonly [number, number])[] = [[0, records.length]]) => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    for (const [from, to] of steps) {
      const source = new MadeSource(records.slice(from, to), { pageSize: 37 });
      // The clock is read in the end: in the middle it may have been another one.
      const clockDifference = to >= records.length ? CLOCK : undefined;
      await syncHistory(history, source, { clockDifference, order: from % 2 ? "oldest" : "newest" });
    }
    return [...history.records()].map(({ ref, atMs, local }) => ({ seq: ref.sequenceNumber, atMs, local }));
  };
  const expected = (records: readonly ReceivedRecord[]) => {
    const timeline = new HistoryTimeline();
    return records.map(({ record }) => {
      const { local, sampleLocal, isLost } = timeline.push(record);
      const shown = sampleLocal ?? local;
      return { seq: record.sequenceNumber, local: shown && !isLost ? formatLocal(shown) : undefined };
    });
  };

  test("are those of the timeline, whichever page comes first", async () => {
    const maker = new HistoryMaker().meal(10).glucose(100).days(120).meal(10);
    const { records } = maker;
    const all = await kept(records);
    expect(all.map(({ seq, local }) => ({ seq, local }))).toEqual(expected(records));
    for (const { atMs, local } of all) expect(atMs).toBe(local && utc(local));
    expect(
      await kept(records, [
        [60, 90],
        [30, 120],
        [0, records.length],
      ]),
    ).toEqual(all);
  });

  test("of old events stay where they were when the user sets the clock, and the elapsed time runs on", async () => {
    const maker = new HistoryMaker().hour().hour();
    maker.setClock("2031-03-02T01:00:00").hour(); // it was 2:00
    const { records } = maker;
    const all = await kept(records);
    const at = all.map(({ atMs }) => atMs!);
    // Glucose every five minutes, without a jump.
    const glucose = all.filter((_, i) => records[i]!.record.eventType === 0xf00c).map(({ atMs }) => atMs!);
    expect(glucose.slice(1).every((ms, i) => ms - glucose[i]! === 300_000)).toBe(true);
    expect(at.at(-1)).toBe(utc(all.at(-1)!.local!)); // what was measured is the clock as it is now
    expect(all.map(({ seq, local }) => ({ seq, local }))).toEqual(expected(records));
  });

  test("of a lost clock are told as instants only, and by its user's next setting", async () => {
    const maker = new HistoryMaker().hour().hour();
    maker.loseClock().pass(600).glucose(90).pass(3000).reference().pass(60).meal(7).setClock("2031-03-02T05:00:00").hour();
    const { records } = maker;
    const all = await kept(records);
    expect(all.map(({ seq, local }) => ({ seq, local }))).toEqual(expected(records));
    const meal = all.find((_, i) => records[i]!.record.eventType === 0xf005)!;
    expect(meal).toEqual({ seq: meal.seq, local: undefined, atMs: utc("2031-03-02T05:00:00") });
    expect(all[0]).toEqual({ seq: 1, local: "2031-03-02T00:00:00", atMs: utc("2031-03-02T00:00:00") });
    for (const steps of [
      [
        [20, 40],
        [0, 50],
      ],
      [
        [32, 33],
        [28, 36],
        [0, 50],
      ],
      [
        [35, 50],
        [10, 50],
        [0, 50],
      ],
    ] as [number, number][][])
      expect(await kept(records, steps)).toEqual(all);
  });

  test("that were computed stay, though the clock drifts, and newer ones follow it", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const maker = new HistoryMaker().days(60);
    const sync = (differenceS: number) =>
      syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS, atMs: NOW_MS } });
    const instants = () => [...history.records()].map(({ atMs, local }) => (local ? Date.parse(`${local}Z`) - atMs! : undefined));
    await sync(3610);
    expect(new Set(instants())).toEqual(new Set([3_600_000]));
    const before = instants();
    maker.hour();
    await sync(3655); // less than a minute from what was used
    expect(new Set(instants())).toEqual(new Set([3_600_000]));
    maker.hour();
    await sync(3665);
    expect(instants().slice(0, before.length)).toEqual(before);
    expect(instants().at(-1)).toBe(3_660_000);
  });

  test("come as soon as the clock is known", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const { records } = new HistoryMaker().days(120);
    await syncHistory(history, new MadeSource(records));
    expect([...history.records()].every(({ atMs, local }) => atMs === undefined && local !== undefined)).toBe(true);
    history.recordClock(CLOCK);
    await syncHistory(history, new MadeSource(records));
    for (const { atMs, local } of history.records()) expect(atMs).toBe(utc(local!));
  });

  test("a measurement from before the user set the clock is not taken for one of after", async () => {
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    const maker = new HistoryMaker().hour().hour();
    const atMs = utc(maker.local);
    await syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS: 3600, atMs } });
    maker
      .pass(60)
      .setClock(formatLocal(addSeconds(parseLocal(maker.local), 1800)))
      .hour();
    await syncHistory(history, new MadeSource(maker.records), { clockDifference: { differenceS: 3600, atMs } });
    expect([...history.records()].at(-1)!.atMs).toBe(utc("2031-03-02T03:00:00"));
  });
});
