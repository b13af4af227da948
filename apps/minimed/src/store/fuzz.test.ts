import fc from "fast-check";
import { toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { isFull } from "../../../../test/support/left-out.ts";
import { HistoryMaker, MadeSource, SET } from "../../test/made-history.ts";
import { keptOctets, NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import { formatLocal } from "../data/date-time.ts";
import { PumpError } from "../error.ts";
import type { ReceivedRecord } from "../history/source.ts";
import { HistoryTimeline } from "../history/timeline.ts";
import { syncHistory } from "./sync.ts";

const REFUSAL = new PumpError("ERR_PUMP_REFUSED", "it gives ranges only");
const CLOCK = { differenceS: 3600, atMs: NOW_MS };
const octets = (records: readonly ReceivedRecord[]): [number, string][] =>
  records.map(({ bytes, record }) => [record.sequenceNumber, toHex(bytes)]);

/** What a pump does. */
type Deed = "hour" | "glucose" | "meal" | "bolus" | "set" | "lose" | "gap" | "odd";
const DEEDS: readonly Deed[] = ["hour", "hour", "glucose", "glucose", "meal", "bolus", "set", "lose", "gap", "odd"];
const history = fc.array(fc.tuple(fc.constantFrom(...DEEDS), fc.nat(3000)), { minLength: 3, maxLength: 25 });

function make(deeds: readonly (readonly [Deed, number])[], maker = new HistoryMaker()): HistoryMaker {
  for (const [deed, amount] of deeds) {
    maker.pass(amount);
    if (deed === "hour") maker.hour();
    else if (deed === "glucose") maker.glucose(60 + (amount % 300), amount % 7);
    else if (deed === "meal") maker.meal(amount % 90);
    else if (deed === "bolus")
      maker
        .programmed({ id: amount % 5, fast: 1 })
        .pass(60)
        .delivered({ id: amount % 5, fast: 1 });
    else if (deed === "set") maker.reference(SET, `2031-03-0${1 + (amount % 7)}T0${amount % 10}:00:00`);
    else if (deed === "lose") maker.loseClock();
    else if (deed === "gap") maker.skip(1 + (amount % 4));
    else maker.record(0x7000 + (amount % 256), [amount & 0xff]);
  }
  return maker;
}

/** What the pump's display told, by the timeline: another way to the same. */
function timesOf(records: readonly ReceivedRecord[]): (string | undefined)[] {
  const timeline = new HistoryTimeline();
  return records.map(({ record }) => {
    const { local, sampleLocal, isLost } = timeline.push(record);
    const shown = sampleLocal ?? local;
    return shown && !isLost ? formatLocal(shown) : undefined;
  });
}

/**
 * A sync: how many numbers a page has, in which order, whether the pump gives ranges only, after how many transfers the link is lost, and how much of the
 * history there is by then.
 */
const sync = fc.record({
  pageSize: fc.integer({ min: 1, max: 60 }),
  order: fc.constantFrom("newest" as const, "oldest" as const),
  refusal: fc.constantFrom(undefined, undefined, REFUSAL),
  lostAfter: fc.option(fc.nat(6)),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
});

test("whatever the pages, interruptions and gaps, the store has what the pump had, with the same times", async () => {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  let pump = 0;
  await fc.assert(
    fc.asyncProperty(history, fc.array(sync, { maxLength: 5 }), async (deeds, syncs) => {
      const { records } = make(deeds);
      fc.pre(records.length > 0);
      const kept = store.pump(`${SERIAL}${pump++}`);
      let most = 0;
      for (const { pageSize, order, refusal, lostAfter, share } of syncs) {
        most = Math.max(most, Math.ceil(share * records.length));
        const source = new MadeSource(records.slice(0, most), { pageSize });
        source.refusal = refusal;
        source.onTransfer = (_first, _last, transfers) => {
          if (transfers === lostAfter) throw new Error("lost");
        };
        await syncHistory(kept, source, { order }).catch((error: Error) => expect(error.message).toBe("lost"));
        const all = new Map(octets(records));
        expect(keptOctets(kept).every(([seq, bytes]) => all.get(seq) === bytes)).toBe(true);
      }
      await syncHistory(kept, new MadeSource(records, { pageSize: 23 }), { clockDifference: CLOCK });
      expect(keptOctets(kept)).toEqual(octets(records));
      const stored = [...kept.records()];
      expect(stored.map(({ local }) => local)).toEqual(timesOf(records));
      // Gaps and records together are all numbers, each once.
      const gone = kept.gaps().flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
      const numbers = [...gone, ...stored.map(({ ref }) => ref.sequenceNumber)].sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
      expect(kept.gaps().every((gap) => gap.gone)).toBe(true);
    }),
    { numRuns: isFull ? 400 : 15 },
  );
});

test("a gap in the midst of which a later transfer begins is one gap", async () => {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  const { records } = new HistoryMaker().hour().skip(2).glucose(60, 0).record(0x7000, [0]);
  const kept = store.pump(SERIAL);
  await syncHistory(kept, new MadeSource(records.slice(0, -1), { pageSize: 1 }), { order: "newest" });
  const gaps = kept.gaps();
  expect(gaps).toHaveLength(1);
  await syncHistory(kept, new MadeSource(records, { pageSize: 23 }));
  expect(kept.gaps()).toEqual(gaps);
  expect(keptOctets(kept)).toEqual(octets(records));
});

test("however the clock was set, instants run on as the time did, and once told they stay", async () => {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  let pump = 0;
  const deeds = fc.array(fc.tuple(fc.constantFrom<Deed>("hour", "glucose", "meal", "set"), fc.nat(3000)), { minLength: 3, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(deeds, fc.array(sync, { maxLength: 4 }), async (made, syncs) => {
      // When each record came into being, by a clock that nobody sets.
      const maker = new HistoryMaker().reference();
      const elapsed: number[] = [0];
      for (const deed of made) {
        make([deed], maker);
        while (elapsed.length < maker.records.length) elapsed.push(maker.elapsedS);
      }
      const { records } = maker;
      const kept = store.pump(`${SERIAL}${pump++}`);
      const told = new Map<number, number>();
      const look = (): void => {
        for (const { ref, atMs } of kept.records()) {
          const before = told.get(ref.sequenceNumber);
          if (before !== undefined) expect(atMs).toBe(before);
          if (atMs !== undefined) told.set(ref.sequenceNumber, atMs);
        }
      };
      for (const { pageSize, order, refusal, lostAfter } of syncs) {
        const source = new MadeSource(records, { pageSize });
        source.refusal = refusal;
        source.onTransfer = (_first, _last, transfers) => {
          if (transfers === lostAfter) throw new Error("lost");
        };
        await syncHistory(kept, source, { order, clockDifference: CLOCK }).catch(() => undefined);
        look();
      }
      await syncHistory(kept, new MadeSource(records), { clockDifference: CLOCK });
      look();
      // References and meals are dated by the moment of their record; hours end in glucose, whose minutes are rounded.
      const exact = records.flatMap(({ record: { data, sequenceNumber } }, i) =>
        data?.name === "ngp_reference_time" || data?.name === "meal" ? [{ at: told.get(sequenceNumber)!, i }] : [],
      );
      const last = records.findLastIndex(({ record }) => record.data?.name === "ngp_reference_time");
      const atLast = told.get(records[last]!.record.sequenceNumber)!;
      for (const { at, i } of exact)
        if (made.every(([deed]) => deed !== "hour")) expect((at - atLast) / 1000).toBe(elapsed[i]! - elapsed[last]!);
        else expect(at).toBeLessThanOrEqual(Math.max(at, atLast));
    }),
    { numRuns: isFull ? 200 : 15 },
  );
});

/** Records of another numbering. By no number both have the same: that would tell nobody that they are two. */
function anewFrom(first: number, count: number): readonly ReceivedRecord[] {
  const maker = new HistoryMaker({ first, local: "2031-03-07T08:00:00" });
  if (first === 1) maker.reference();
  return maker.days(count).records.slice(0, count);
}

test("numbers that begin anew at any time, also while they are read, mix nothing", async () => {
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  let pump = 0;
  const plan = fc.record({
    old: fc.integer({ min: 1, max: 120 }),
    anew: fc.integer({ min: 1, max: 120 }),
    first: fc.constantFrom(0, 1),
    before: fc.option(sync),
    during: sync,
    at: fc.nat(8),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ old, anew, first, before, during, at }) => {
      const [former, present] = [new HistoryMaker().days(old).records.slice(0, old), anewFrom(first, anew)];
      const kept = store.pump(`${SERIAL}${pump++}`);
      if (before) await syncHistory(kept, new MadeSource(former.slice(0, Math.ceil(before.share * old)), { pageSize: before.pageSize }));
      const source = new MadeSource(former, { pageSize: during.pageSize });
      source.refusal = during.refusal;
      source.onTransfer = (_first, _last, transfers) => {
        if (transfers === at) source.records = present;
      };
      await syncHistory(kept, source, { order: during.order });
      source.records = present;
      await syncHistory(kept, source);
      const [formerOctets, presentOctets] = [new Map(octets(former)), octets(present)];
      const segments = new Map<number, [number, string][]>();
      for (const { ref, bytes } of kept.records())
        segments.set(ref.segment, [...(segments.get(ref.segment) ?? []), [ref.sequenceNumber, toHex(bytes)]]);
      const newest = Math.max(...segments.keys());
      expect(segments.get(newest)).toEqual(presentOctets);
      segments.delete(newest);
      for (const rows of segments.values()) expect(rows.every(([seq, bytes]) => formerOctets.get(seq) === bytes)).toBe(true);
    }),
    { numRuns: isFull ? 400 : 20 },
  );
});
