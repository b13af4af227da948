import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { formatLocal, parseLocal, secondsBetween } from "../data/date-time.ts";
import type { HistoryData, HistoryEventName } from "../history/events.ts";
import { decodeHistoryRecord, type HistoryRecord } from "../history/record.ts";
import { type HistoryTime, HistoryTimeline } from "../history/timeline.ts";
import { SimulatedHistory } from "./simulated-history.ts";

interface Entry {
  readonly record: HistoryRecord;
  readonly time: HistoryTime;
}

/** All records of a history, decoded, with their times. */
function read(history: SimulatedHistory): Entry[] {
  const timeline = new HistoryTimeline();
  const entries: Entry[] = [];
  for (let number = history.first; number <= history.last; number++) {
    const bytes = history.record(number);
    if (!bytes) continue;
    const record = decodeHistoryRecord(bytes, { e2e: false });
    expect(record.sequenceNumber).toBe(number);
    entries.push({ record, time: timeline.push(record) });
  }
  return entries;
}

type Named<Name extends HistoryEventName> = Entry & { readonly data: Extract<HistoryData, { name: Name }> };
const of = <Name extends HistoryEventName>(entries: readonly Entry[], name: Name): Named<Name>[] =>
  entries.filter(({ record }) => record.data?.name === name).map((entry) => ({ ...entry, data: entry.record.data as never }));

describe("the history of a simulated pump", () => {
  // 40 days: several sensors and set changes, some changes of the clock.
  const history = new SimulatedHistory({ seed: 11, days: 40, startLocal: parseLocal("2031-01-20T00:00:00") });
  const entries = read(history);

  test("every record is decoded to its last octet, and all kinds of events are there", () => {
    expect(entries.filter(({ record }) => record.problem !== undefined)).toEqual([]);
    expect(entries).toHaveLength(history.count);
    const names = new Set(entries.map(({ record }) => record.data?.name));
    for (const name of [
      "bolus_programmed_p1",
      "bolus_programmed_p2",
      "bolus_delivered_p1",
      "bolus_delivered_p2",
      "delivered_basal_rate_changed",
      "max_bolus_amount_changed",
      "auto_basal_delivery",
      "cl1_transition",
      "therapy_context",
      "meal",
      "bg_reading",
      "calibration_complete",
      "calibration_rejected",
      "insulin_delivery_stopped",
      "insulin_delivery_restarted",
      "sg_measurement",
      "cgm_analytics_data_backfill",
      "ngp_reference_time",
      "annunciation_cleared",
      "annunciation_consolidated",
      "max_auto_basal_rate_changed",
    ] as const)
      expect(names, name).toContain(name);
    expect(names).toContain(undefined); // events that nobody knows
    expect(entries.length / 40).toBeGreaterThan(800);
    expect(entries.length / 40).toBeLessThan(1300);
  });

  test("a glucose value every five minutes while a sensor is worn, with words for why there is none", () => {
    const samples = of(entries, "sg_measurement");
    const specials = new Set(samples.map(({ data }) => data.special));
    for (const special of [undefined, "sensor_starting", "sensor_updating", "below_range"] as const) expect(specials).toContain(special);
    const steps = samples.slice(1).map((entry, i) => entry.time.elapsedSeconds! - samples[i]!.time.elapsedSeconds!);
    expect(steps.filter((step) => step === 300).length / steps.length).toBeGreaterThan(0.98);
    expect(Math.max(...steps)).toBeGreaterThan(1200); // nights without one, and sensors that are changed
    expect(Math.min(...steps)).toBeGreaterThan(290);
    for (const { data } of samples) if (data.glucoseMgdl !== undefined) expect(data.glucoseMgdl).toBeGreaterThanOrEqual(50);
  });

  test("boluses: two parts of each event side by side, delivered what was programmed or less, ids ascending", () => {
    const programmed = of(entries, "bolus_programmed_p1");
    expect(programmed.length).toBeGreaterThan(100);
    for (const part of [...programmed, ...of(entries, "bolus_delivered_p1")]) {
      const next = decodeHistoryRecord(history.record(part.record.sequenceNumber + 1)!, { e2e: false });
      expect(next.eventName).toBe(part.data.name.replace("p1", "p2"));
      expect(next.relativeOffsetSeconds).toBe(part.record.relativeOffsetSeconds);
    }
    const delivered = new Map(of(entries, "bolus_delivered_p1").map(({ data }) => [data.bolusId, data]));
    let canceled = 0;
    for (const { data } of programmed) {
      const given = delivered.get(data.bolusId)!;
      expect(given.fastIu!).toBeLessThanOrEqual(data.fastIu!);
      if (given.fastIu! < data.fastIu!) canceled++;
    }
    expect(canceled).toBeGreaterThan(0);
    expect(canceled).toBeLessThan(programmed.length / 5);
    const ids = programmed.map(({ data }) => data.bolusId);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(programmed.map(({ data }) => data.bolusType))).toEqual(new Set(["fast", "multiwave"]));
  });

  test("a reference every hour with a picture of the therapy behind it; the user sets the clock, and the pump loses it", () => {
    const references = of(entries, "ngp_reference_time");
    const reasons = references.map(({ data }) => data.reason);
    expect(reasons.filter((reason) => reason === "periodic_recording")).toHaveLength(40 * 24);
    expect(reasons).toContain("set_date_time");
    for (const { record } of references)
      expect(decodeHistoryRecord(history.record(record.sequenceNumber + 1)!, { e2e: false })).toMatchObject({
        eventName: "therapy_context",
        relativeOffsetSeconds: 0,
      });
    expect(formatLocal(references[0]!.data.local!)).toBe("2031-01-20T00:00:00");
    // Elapsed time runs on whatever the user does; only a lost clock ends it.
    const day = references.filter(({ time }) => time.segment === 0).at(-1)!;
    expect(day.time.elapsedSeconds! % 60).toBeLessThanOrEqual(59);
    expect(entries.every(({ time }) => time.elapsedSeconds !== undefined && time.elapsedSeconds >= 0)).toBe(true);
  });

  test("what is stopped is restarted, what is raised is cleared, the loop is left and entered in turn", () => {
    const stops = entries.filter(({ record }) => /insulin_delivery_(?:stopped|restarted)/.test(record.eventName ?? ""));
    expect(stops.map(({ record }) => record.eventName)).toEqual(
      stops.map((_, i) => (i % 2 === 0 ? "insulin_delivery_stopped" : "insulin_delivery_restarted")),
    );
    const raised = of(entries, "annunciation_consolidated");
    const cleared = new Set(of(entries, "annunciation_cleared").map(({ data }) => data.instanceId));
    for (const { data, time } of raised) {
      expect(cleared).toContain(data.instanceId);
      expect(Math.abs(secondsBetween(data.raisedAt, time.local!))).toBeLessThanOrEqual(1);
      expect(data.codeName).toBeDefined();
    }
    const transitions = of(entries, "cl1_transition").map(({ data }) => data.transition === "into_si_pass");
    expect(transitions).toEqual(transitions.map((_, i) => (i % 2 === 0 ? transitions[0] : !transitions[0])));
    expect(transitions.length).toBeGreaterThan(4);
  });

  test("numbers ascend, with holes", () => {
    const numbers = entries.map(({ record }) => record.sequenceNumber);
    const holes = numbers.slice(1).filter((number, i) => number !== numbers[i]! + 1);
    expect(holes.length).toBeGreaterThan(0);
    expect(history.last - history.first + 1).toBeGreaterThan(history.count);
    expect(history.record(history.first - 1)).toBeUndefined();
    expect(history.record(history.last + 1)).toBeUndefined();
  });

  test("any record is the same whenever it is asked for, and of another seed another", () => {
    const again = new SimulatedHistory({ seed: 11, days: 40, startLocal: parseLocal("2031-01-20T00:00:00") });
    for (const { record } of [entries.at(-1)!, entries[20_000]!, entries[5]!, entries[30_000]!, entries[1000]!]) {
      const bytes = again.record(record.sequenceNumber)!;
      expect(toHex(bytes)).toBe(toHex(history.record(record.sequenceNumber)!));
      bytes.fill(0); // a copy
    }
    expect(toHex(again.record(entries[5]!.record.sequenceNumber)!)).not.toBe("00".repeat(8));
    const other = new SimulatedHistory({ seed: 12, days: 1 });
    const of200 = (each: SimulatedHistory) => Array.from({ length: 200 }, (_, i) => toHex(each.record(each.first + i) ?? new Uint8Array()));
    expect(of200(other)).not.toEqual(of200(history));
  });
});

test("as many records as are asked for, and options that are checked", () => {
  const history = new SimulatedHistory({ seed: 3, recordCount: 2500 });
  expect(history.count).toBe(2500);
  expect(read(history)).toHaveLength(2500);
  for (const options of [{ seed: -1 }, { seed: 1, days: 0 }, { seed: 1, recordCount: 0.5 }, { seed: 1, recordcount: 5 }])
    expect(() => new SimulatedHistory(options as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});
