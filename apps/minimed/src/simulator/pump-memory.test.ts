import { describe, expect, test } from "vitest";
import { formatLocal, parseLocal } from "../data/date-time.ts";
import { decodeHistoryRecord } from "../history/record.ts";
import { HistoryEvent } from "./encode/history.ts";
import type { PlannedRecords } from "./planned-records.ts";
import { PumpMemory } from "./pump-memory.ts";
import { Recorder } from "./recorder.ts";
import { StatusLatch } from "./status-latch.ts";

const octets = (number: number): Uint8Array => Uint8Array.of(number);

/** Records 10, 20, 30, … as they would be made anew. */
const past = (count: number): PlannedRecords =>
  ({
    count,
    last: count === 0 ? undefined : 10 * count,
    numberAt: (at: number) => 10 * (at + 1),
    record: (number: number) => (number % 10 === 0 && number >= 10 && number <= 10 * count ? octets(number) : undefined),
  }) as unknown as PlannedRecords;

describe("a pump's memory", () => {
  const memoryOf = (count: number, capacity: number): PumpMemory =>
    new PumpMemory({ past: past(count), capacity, update: () => undefined });
  const held = ({ count, first, last }: PumpMemory): unknown[] => [count, first, last];

  test("holds its past and what was recorded since, and of both the newest when it is full", () => {
    const memory = memoryOf(3, 4);
    expect(held(memory)).toEqual([3, 10, 30]);
    memory.append({ number: 31, bytes: octets(31) });
    expect(held(memory)).toEqual([4, 10, 31]);
    memory.append({ number: 32, bytes: octets(32) });
    expect(held(memory)).toEqual([4, 20, 32]);
    expect([10, 20, 30, 31, 32, 33].map((number) => memory.record(number)?.[0])).toEqual([undefined, 20, 30, 31, 32, undefined]);
    for (const number of [33, 34, 35]) memory.append({ number, bytes: octets(number) });
    expect(held(memory)).toEqual([4, 32, 35]);
    expect([30, 31, 32].map((number) => memory.record(number)?.[0])).toEqual([undefined, undefined, 32]);
  });

  test("that is smaller than its past begins with the end of it", () => {
    const memory = memoryOf(5, 2);
    expect(held(memory)).toEqual([2, 40, 50]);
    expect([30, 40].map((number) => memory.record(number)?.[0])).toEqual([undefined, 40]);
  });

  test("loses the oldest where it is told to, over the edge of its past and up to all", () => {
    const memory = memoryOf(2, 10);
    for (const number of [21, 22]) memory.append({ number, bytes: octets(number) });
    memory.drop(0);
    expect(held(memory)).toEqual([4, 10, 22]);
    memory.drop(3);
    expect(held(memory)).toEqual([1, 22, 22]);
    expect([20, 21].map((number) => memory.record(number))).toEqual([undefined, undefined]);
    memory.drop(5);
    expect(held(memory)).toEqual([0, undefined, undefined]);
  });

  test("that failed has nothing, and begins anew with what is recorded then", () => {
    const memory = memoryOf(2, 10);
    memory.clear();
    expect(held(memory)).toEqual([0, undefined, undefined]);
    expect(memory.record(10)).toBeUndefined();
    memory.append({ number: 1, bytes: octets(1) });
    expect(held(memory)).toEqual([1, 1, 1]);
    expect(held(memoryOf(0, 10))).toEqual([0, undefined, undefined]);
  });

  test("is brought up to date by whoever asks what it holds", () => {
    let updates = 0;
    const memory = new PumpMemory({ past: past(1), capacity: 5, update: () => updates++ });
    expect([memory.count, memory.first, memory.last]).toEqual([1, 10, 10]);
    expect(updates).toBe(3);
  });
});

describe("a latch of what has changed", () => {
  const bits = (latch: StatusLatch): string => Buffer.from(latch.field).toString("hex");

  test("is reset of what was told; what came since is told by the next", () => {
    const latch = new StatusLatch();
    let raised = 0;
    latch.raise([3]); // nobody listens yet
    latch.onRaised = () => raised++;
    latch.raise([]);
    expect([raised, latch.isEmpty]).toEqual([0, false]);
    const told = latch.tell();
    expect(Buffer.from(told).toString("hex")).toBe(bits(latch));
    latch.raise([5]);
    expect(raised).toBe(1);
    latch.reset();
    const only = new StatusLatch();
    only.raise([5]);
    expect([bits(latch), latch.isEmpty]).toEqual([bits(only), false]);
    latch.raise([5]);
    latch.tell();
    latch.reset();
    expect(latch.isEmpty).toBe(true);
  });

  test("that is raised again after it was told outlives the reset", () => {
    const latch = new StatusLatch();
    latch.raise([3]);
    latch.tell();
    latch.raise([3]);
    latch.reset();
    expect(latch.isEmpty).toBe(false);
  });
});

describe("a recorder", () => {
  const recorder = (): Recorder =>
    new Recorder({ nextNumber: 7, referenceAtS: 1000, clock: { atS: 1000, local: parseLocal("2031-03-02T08:00:00") }, lost: undefined });
  const reference = (atS: number, clock: object) => ({ atS, type: HistoryEvent.ReferenceTime, data: new Uint8Array(), clock }) as never;
  const read = (bytes: Uint8Array) => decodeHistoryRecord(bytes, { e2e: false });
  const told = (bytes: Uint8Array) => {
    const { relativeOffsetSeconds, data } = read(bytes);
    if (data?.name !== "ngp_reference_time") throw new Error("no reference time");
    return [relativeOffsetSeconds, data.reason, data.local && formatLocal(data.local)];
  };

  test("counts numbers, leaves out those it is told to, and begins with 1 when the memory failed", () => {
    const at = recorder();
    const meal = (atS: number, skips?: number) =>
      ({ atS, type: HistoryEvent.Meal, data: new Uint8Array(2), ...(skips && { skips }) }) as never;
    expect(at.record(meal(1000))?.number).toBe(7);
    expect(at.record(meal(1000, 3))?.number).toBe(11);
    expect(at.record({ atS: 1000, type: undefined, data: new Uint8Array(), skips: 2 } as never)).toBeUndefined();
    expect(at.state.nextNumber).toBe(14);
    at.restart();
    expect(at.record(meal(1000))?.number).toBe(1);
  });

  test("tells seconds since the last reference, whole ones, as far as the field goes", () => {
    const at = recorder();
    const since = (atS: number) =>
      read(at.record({ atS, type: HistoryEvent.Meal, data: new Uint8Array(2) } as never)!.bytes).relativeOffsetSeconds;
    expect([since(1000), since(1000.9), since(1059.5), since(990), since(1000 + 65_535), since(1000 + 70_000)]).toEqual([
      0, 0, 59, 0, 65_535, 65_535,
    ]);
  });

  test("a clock that is read, set, lost, and set as it was", () => {
    const at = recorder();
    expect(told(at.record(reference(4600, { kind: "periodic" }))!.bytes)).toEqual([3600, "periodic_recording", "2031-03-02T09:00:00"]);
    expect(told(at.record(reference(4660, { kind: "shift", seconds: -3600 }))!.bytes)).toEqual([
      60,
      "set_date_time",
      "2031-03-02T08:01:00",
    ]);
    expect(told(at.record(reference(5000, { kind: "lost" }))!.bytes)).toEqual([0, "date_time_loss", "2015-01-01T00:00:00"]);
    expect(formatLocal(at.localAt(5060.5))).toBe("2015-01-01T00:01:00");
    expect(told(at.record(reference(5100, { kind: "lost" }))!.bytes)).toEqual([0, "date_time_loss", "2015-01-01T00:00:00"]);
    expect(told(at.record(reference(5260, { kind: "restored" }))!.bytes)).toEqual([160, "set_date_time", "2031-03-02T08:11:00"]);
    expect(at.state.lost).toBeUndefined();
    expect(told(at.record(reference(5320, { kind: "restored" }))!.bytes)).toEqual([60, "set_date_time", "2031-03-02T08:12:00"]);
  });
});
