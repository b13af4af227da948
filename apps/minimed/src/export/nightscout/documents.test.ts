import { expect, test } from "vitest";
import { at, DAY, HOUR, type MemoryEvents, MemoryView, MINUTE, PUMP, seededView, statusPoint, when } from "../../../test/memory-view.ts";
import { violationsOf } from "../../../test/nightscout-rules.ts";
import type { BolusEvent, GlucosePoint, TimeRange } from "../../store/view.ts";
import { type NightscoutDocumentOptions, nightscoutDocuments } from "../index.ts";
import { directionOf } from "./entries.ts";
import { identifierOfRecord, uuidV5 } from "./identifier.ts";

const T = Date.UTC(2026, 2, 28, 22);
const whole: TimeRange = { fromMs: T - DAY, toMs: T + 10 * DAY };
const LATER = T + 10 * DAY;

type Document = Readonly<Record<string, unknown>>;
const documentsOf = (
  events: Partial<MemoryEvents> | MemoryView,
  options: Partial<NightscoutDocumentOptions> = {},
  range = whole,
): { entries: readonly Document[]; treatments: readonly Document[] } =>
  nightscoutDocuments(events instanceof MemoryView ? events : new MemoryView(events), range, { pump: PUMP, nowMs: LATER, ...options });
const treatmentsOf = (events: Partial<MemoryEvents>, options: Partial<NightscoutDocumentOptions> = {}): readonly Document[] =>
  documentsOf(events, options).treatments;

const reading = (atMs: number, sequenceNumber: number, mgdl: number | undefined, more: Partial<GlucosePoint> = {}): GlucosePoint => ({
  ...at(atMs, sequenceNumber),
  mgdl,
  cause: undefined,
  trendMgdlPerMin: undefined,
  ...more,
});
const bolus = (atMs: number, sequenceNumber: number, more: Partial<BolusEvent> = {}): BolusEvent => ({
  ...at(atMs, sequenceNumber),
  bolusId: sequenceNumber,
  kind: "fast",
  automatic: false,
  programmedIu: { fast: 2, extended: 0 },
  deliveredIu: { fast: 2, extended: 0 },
  durationMin: 0,
  endReason: "delivered",
  ...more,
});

test("identifiers are UUIDs of version 5, as the site's own", () => {
  const site = new TextEncoder().encode("NightscoutRocks!");
  for (const [name, identifier] of [
    ["Libre3_1768563315863", "96457a5e-56ab-5fb5-bac4-75300b1965a5"],
    ["undefined_1768563315863", "11d98ffe-25c8-510a-988c-bdeeba62019c"],
    ["jelling://780G_1774751400000", "c721b928-c7dc-59ac-a8dc-50267b89a6b7"],
    ["jelling://780G_1774751400000_Meal Bolus", "e30240a3-ee21-5761-92fe-c2f2b9253f78"],
    ["jelling://780G_1774751400123_Temp Basal", "7bb1c56b-bd4c-550b-b780-d0f21510e8e4"],
  ] as const)
    expect(uuidV5(name, site)).toBe(identifier);
  const ref = { pump: PUMP, segment: 1, sequenceNumber: 2 };
  // It must stay what it is, or everything would be sent again as new.
  expect(identifierOfRecord(ref, "sgv")).toBe(uuidV5(`${PUMP}/1/2/sgv`));
  const others = [
    { ...ref, pump: "1123456789abcdef" },
    { ...ref, segment: 12 },
    { ...ref, sequenceNumber: 3 },
    { pump: PUMP, segment: 11, sequenceNumber: 2 },
  ];
  expect(new Set([ref, ...others].map((one) => identifierOfRecord(one, "sgv"))).size).toBe(5);
});

test.each([1, 2])("whatever happens, every document keeps the rules, and none has the key of another (seed %i)", (seed) => {
  const view = seededView(seed, { fromMs: T, days: 3 });
  for (const options of [
    {},
    {
      directions: "arrows",
      limits: "value",
      microBoluses: "single",
      calibrations: "both",
      alerts: "all",
      announcements: [105],
      batteryChange: true,
      sensorChange: true,
      nocturne: true,
    },
  ] as const) {
    const { entries, treatments } = documentsOf(view, options);
    expect(entries.length).toBeGreaterThan(700);
    for (const [collection, documents] of [
      ["entries", entries],
      ["treatments", treatments],
    ] as const) {
      const nocturne = "nocturne" in options;
      expect(documents.flatMap((document) => violationsOf(collection, document, { nowMs: LATER, nocturne }))).toEqual([]);
      const keys = documents.map(({ date, type, created_at, eventType }) => `${date} ${type} ${created_at} ${eventType}`);
      expect(new Set(keys).size).toBe(documents.length);
      expect(new Set(documents.map(({ identifier }) => identifier)).size).toBe(documents.length);
    }
  }
});

test.each([2])("a record gives the same document, whatever the range in which it is looked at (seed %i)", (seed) => {
  const view = seededView(seed, { fromMs: T, days: 1 });
  const options = { limits: "note", sensorChange: true, batteryChange: true, alerts: "all", nocturne: true } as const;
  for (const microBoluses of ["merged", "single"] as const) {
    const all = documentsOf(view, { ...options, microBoluses });
    for (const step of [47 * MINUTE, 6 * HOUR, DAY]) {
      const parts = { entries: [] as Document[], treatments: [] as Document[] };
      for (let fromMs = T - HOUR; fromMs < T + 2 * DAY; fromMs += step) {
        const part = documentsOf(view, { ...options, microBoluses }, { fromMs, toMs: fromMs + step });
        parts.entries.push(...part.entries);
        parts.treatments.push(...part.treatments);
      }
      const byIdentifier = (a: Document, b: Document): number => String(a.identifier).localeCompare(String(b.identifier));
      expect(parts.entries.sort(byIdentifier)).toEqual(all.entries.toSorted(byIdentifier));
      expect(parts.treatments.sort(byIdentifier)).toEqual(all.treatments.toSorted(byIdentifier));
    }
  }
});

test.each([1, 2])("no insulin and no carbohydrate is lost or told twice (seed %i)", (seed) => {
  const view = seededView(seed, { fromMs: T, days: 3 });
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  const { treatments } = documentsOf(view);
  const of = (name: string): number => sum(treatments.map((treatment) => Number(treatment[name] ?? 0)));
  expect(of("insulin")).toBeCloseTo(sum(view.events.boluses.map(({ deliveredIu }) => deliveredIu!.fast)), 3);
  expect(of("carbs")).toBe(sum(view.events.meals.map(({ carbohydratesG }) => carbohydratesG)));
  const relative = treatments.map(({ relative = 0, duration = 0 }) => (Number(relative) * Number(duration)) / 60);
  expect(sum(relative)).toBeCloseTo(sum(view.events.boluses.map(({ deliveredIu }) => deliveredIu!.extended)), 2);
  const microIu = sum(view.events.microBoluses.map(({ amountIu }) => amountIu));
  for (const microBoluses of ["merged", "single"] as const) {
    const pieces = documentsOf(view, { microBoluses }).treatments.filter(
      ({ automatic, eventType }) => automatic && eventType === "Temp Basal",
    );
    expect(sum(pieces.map(({ absolute, duration }) => (Number(absolute) * Number(duration)) / 60))).toBeCloseTo(microIu, 1);
  }
});

test("a reading is whole mg/dL at its own millisecond, one number in two forms", () => {
  const { entries } = documentsOf({ glucose: [reading(T + 123, 7, 112.4, { trendMgdlPerMin: 1.5 })] });
  const identifier = identifierOfRecord({ pump: PUMP, segment: 0, sequenceNumber: 7 }, "sgv");
  expect(entries).toEqual([
    {
      type: "sgv",
      date: T + 123,
      dateString: "2026-03-28T22:00:00.123Z",
      sgv: 112,
      direction: "FortyFiveUp",
      trend: 3,
      noise: 1,
      device: "jelling://780G",
      identifier,
      syncIdentifier: identifier,
    },
  ]);
  expect(documentsOf({ glucose: [reading(T, 7, 112)] }).entries[0]).not.toHaveProperty("direction");
});

test("arrows by the rate of change, and as the pump's display has them", () => {
  const table: [number, string, number, string][] = [
    [40.1, "RATE OUT OF RANGE", 9, "TripleUp"],
    [40, "DoubleUp", 1, "TripleUp"],
    [3.6, "DoubleUp", 1, "TripleUp"],
    [3.5, "SingleUp", 2, "TripleUp"],
    [3, "SingleUp", 2, "TripleUp"],
    [2.1, "SingleUp", 2, "DoubleUp"],
    [2, "FortyFiveUp", 3, "DoubleUp"],
    [1.1, "FortyFiveUp", 3, "SingleUp"],
    [1, "Flat", 4, "SingleUp"],
    [0, "Flat", 4, "Flat"],
    [-0.9, "Flat", 4, "Flat"],
    [-1, "FortyFiveDown", 5, "SingleDown"],
    [-1.9, "FortyFiveDown", 5, "SingleDown"],
    [-2, "SingleDown", 6, "DoubleDown"],
    [-3.4, "SingleDown", 6, "TripleDown"],
    [-3.5, "DoubleDown", 7, "TripleDown"],
    [-40.1, "RATE OUT OF RANGE", 9, "TripleDown"],
  ];
  for (const [rate, direction, trend, arrow] of table) {
    expect(directionOf(rate, "rate")).toEqual({ direction, trend });
    expect(directionOf(rate, "arrows")).toEqual({ direction: arrow });
  }
  expect(directionOf(undefined, "rate")).toBeUndefined();
  expect(directionOf(Number.NaN, "rate")).toBeUndefined();
});

test("what is no value is never sent as one", () => {
  const glucose = [0, -1, 38, 38.4, 401, 769, 776, 781, Number.NaN, undefined].map((mgdl, i) => reading(T + i * 5 * MINUTE, i, mgdl));
  expect(documentsOf({ glucose }).entries).toEqual([]);
  const edges = [38.5, 39, 400, 400.4].map((mgdl, i) => reading(T + i * 5 * MINUTE, i, mgdl));
  expect(documentsOf({ glucose: edges }).entries.map(({ sgv }) => sgv)).toEqual([39, 39, 400, 400]);
});

test("out of range: a note at the beginning of each time, or 39 and 401, or nothing", () => {
  const causes = ["below_range", "below_range", undefined, "below_range", "above_range", "above_range", "warm_up"] as const;
  const glucose = causes.map((cause, i) => reading(T + i * 5 * MINUTE, i, cause ? undefined : 60, { cause }));
  // After a hole of a quarter of an hour it is another time.
  glucose.push(
    reading(T + 2 * HOUR, 20, undefined, { cause: "above_range" }),
    reading(T + 2 * HOUR + 17 * MINUTE, 21, undefined, { cause: "above_range" }),
  );
  const notes = documentsOf({ glucose });
  expect(notes.entries.map(({ sgv }) => sgv)).toEqual([60]);
  expect(notes.treatments.map(({ eventType, notes: text, created_at }) => [eventType, text, created_at])).toEqual([
    ["Note", "Sensor glucose below 50 mg/dL (2.8 mmol/L)", "2026-03-28T22:00:00.001Z"],
    ["Note", "Sensor glucose below 50 mg/dL (2.8 mmol/L)", "2026-03-28T22:15:00.004Z"],
    ["Note", "Sensor glucose above 400 mg/dL (22.2 mmol/L)", "2026-03-28T22:20:00.005Z"],
    ["Note", "Sensor glucose above 400 mg/dL (22.2 mmol/L)", "2026-03-29T00:00:00.021Z"],
    ["Note", "Sensor glucose above 400 mg/dL (22.2 mmol/L)", "2026-03-29T00:17:00.022Z"],
  ]);
  const values = documentsOf({ glucose }, { limits: "value" });
  expect(values.entries.map(({ sgv }) => sgv)).toEqual([39, 39, 60, 39, 401, 401, 401, 401]);
  expect(values.treatments).toEqual([]);
  expect(documentsOf({ glucose }, { limits: "none" })).toMatchObject({ entries: [{ sgv: 60 }], treatments: [] });
});

test("a sample that is told live and by a record is one", () => {
  const live = reading(T + 90_000, 0, 100, { ref: undefined, trendMgdlPerMin: 0 });
  expect(documentsOf({ glucose: [reading(T, 1, 100), live] }).entries).toHaveLength(1);
  expect(documentsOf({ glucose: [reading(T, 1, 100), { ...live, atMs: T + 151_000 }] }).entries).toHaveLength(2);
});

test("a fast bolus with a meal beside it is a Meal Bolus, alone a correction; a meal alone is a Carb Correction", () => {
  const meal = { ...at(T, 5), carbohydratesG: 42 };
  const far = { ...at(T + HOUR, 90), carbohydratesG: 12.5 };
  const none = { ...at(T + 3 * HOUR, 95), carbohydratesG: 0 };
  const documents = treatmentsOf({
    meals: [meal, far, none],
    boluses: [bolus(T + 1000, 6), bolus(T + 5 * HOUR, 99), bolus(T + 2000, 7, { automatic: true })],
  });
  expect(
    documents.map(({ eventType, insulin, carbs, automatic, created_at }) => [eventType, insulin, carbs, automatic, created_at]),
  ).toEqual([
    ["Meal Bolus", 2, 42, undefined, "2026-03-28T22:00:01.007Z"],
    ["Correction Bolus", 2, undefined, true, "2026-03-28T22:00:02.008Z"],
    ["Carb Correction", undefined, 12.5, undefined, "2026-03-28T23:00:00.091Z"],
    ["Correction Bolus", 2, undefined, undefined, "2026-03-29T03:00:00.100Z"],
  ]);
});

test("of two meals and two boluses each has its own; the nearest in time, then in records", () => {
  const documents = treatmentsOf({
    meals: [
      { ...at(T, 5), carbohydratesG: 10 },
      { ...at(T + 4 * MINUTE, 15), carbohydratesG: 20 },
    ],
    boluses: [
      bolus(T + MINUTE, 6, { deliveredIu: { fast: 1, extended: 0 }, programmedIu: undefined }),
      bolus(T + 4 * MINUTE, 16, { deliveredIu: { fast: 3, extended: 0 }, programmedIu: undefined }),
    ],
  });
  expect(documents.map(({ eventType, insulin, carbs }) => [eventType, insulin, carbs])).toEqual([
    ["Meal Bolus", 1, 10],
    ["Meal Bolus", 3, 20],
  ]);
  const same = treatmentsOf({
    meals: [{ ...at(T, 5), carbohydratesG: 10 }],
    boluses: [bolus(T, 3, { deliveredIu: { fast: 1, extended: 0 } }), bolus(T, 6)],
  });
  expect(same.map(({ eventType, carbs, insulin }) => [eventType, insulin, carbs])).toEqual([
    ["Correction Bolus", 1, undefined],
    ["Meal Bolus", 2, 10],
  ]);
  const apart = treatmentsOf({ meals: [{ ...at(T, 5), carbohydratesG: 10 }], boluses: [bolus(T + 15 * MINUTE + 1, 6)] });
  expect(apart).toHaveLength(2);
});

test("a cancelled bolus says what was programmed; one that gave nothing has no insulin", () => {
  const canceled = bolus(T, 1, { deliveredIu: { fast: 0.7, extended: 0 }, endReason: "canceled" });
  const nothing = bolus(T + HOUR, 2, { deliveredIu: { fast: 0, extended: 0 }, endReason: "canceled" });
  const [first, second] = treatmentsOf({ boluses: [canceled, nothing] });
  expect(first).toMatchObject({ eventType: "Correction Bolus", insulin: 0.7, notes: "programmed 2 U" });
  expect(second).toMatchObject({ eventType: "Correction Bolus", notes: "programmed 2 U" });
  expect(second).not.toHaveProperty("insulin");
});

test("a combined bolus: the part at once, the whole, the split, and the rate of the rest", () => {
  const multiwave = bolus(T, 1, {
    kind: "multiwave",
    programmedIu: { fast: 3, extended: 2 },
    deliveredIu: { fast: 3, extended: 2 },
    durationMin: 90,
  });
  const square = {
    ...multiwave,
    ...at(T + 3 * HOUR, 2),
    kind: "extended",
    deliveredIu: { fast: 0, extended: 2 },
    programmedIu: undefined,
  } as const;
  expect(treatmentsOf({ boluses: [multiwave] })).toMatchObject([
    { eventType: "Combo Bolus", insulin: 3, enteredinsulin: 5, splitNow: 60, splitExt: 40, duration: 90, relative: 1.3333 },
  ]);
  const [combo, note] = treatmentsOf({ boluses: [square] });
  expect(combo).toMatchObject({ eventType: "Combo Bolus", enteredinsulin: 2, splitNow: 0, splitExt: 100, duration: 90, relative: 1.3333 });
  expect(combo).not.toHaveProperty("insulin");
  // Without it the site would draw nothing.
  expect(note).toMatchObject({ eventType: "Note", notes: "Square bolus 2 U over 90 min", duration: 90 });
  const withMeal = treatmentsOf({ boluses: [square], meals: [{ ...at(T + 3 * HOUR, 3), carbohydratesG: 30 }] });
  expect(withMeal).toHaveLength(1);
  expect(withMeal[0]).toMatchObject({ eventType: "Combo Bolus", carbs: 30 });
});

test("a bolus under way is not told, and its meal waits for it, but not for ever", () => {
  const events = { boluses: [bolus(T, 2, { deliveredIu: undefined })], meals: [{ ...at(T, 1), carbohydratesG: 30 }] };
  expect(treatmentsOf(events, { nowMs: T + HOUR })).toEqual([]);
  expect(treatmentsOf(events, { nowMs: T + DAY + 1 })).toMatchObject([{ eventType: "Carb Correction", carbs: 30 }]);
});

test("beside records that were not read yet nothing is told that they could change", () => {
  const events = {
    boluses: [bolus(T, 100)],
    meals: [{ ...at(T + HOUR, 120), carbohydratesG: 30 }],
    microBoluses: [
      { ...at(T + 2 * HOUR, 130), amountIu: 0.1 },
      { ...at(T + 2 * HOUR + 5 * MINUTE, 133), amountIu: 0.2 },
    ],
    glucose: [reading(T + 5 * HOUR, 150, 100)],
  };
  const gap = { segment: 0, first: 101, last: 119, gone: false };
  const nowMs = T + 6 * HOUR;
  const kinds = (gaps: MemoryEvents["gaps"], now = nowMs): unknown[] =>
    treatmentsOf({ ...events, gaps }, { nowMs: now }).map(({ eventType }) => eventType);
  expect(kinds([gap])).toEqual([]);
  const all = ["Correction Bolus", "Carb Correction", "Temp Basal", "Temp Basal"];
  expect(kinds([{ ...gap, gone: true }])).toEqual(all);
  expect(kinds([{ ...gap, segment: 1 }])).toEqual(all);
  expect(kinds([{ ...gap, first: 1, last: 10 }])).toEqual(all);
  expect(kinds([gap], nowMs + DAY)).toEqual(all);
});

test("equal micro boluses are one basal rate for up to half an hour, in U/h", () => {
  const microBoluses = [0.1, 0.1, 0.1, 0.2, 0, 0].map((amountIu, i) => ({ ...at(T + i * 5 * MINUTE, 1000 + i), amountIu }));
  const glucose = [reading(T + 2 * HOUR, 2000, 100)];
  const merged = treatmentsOf({ microBoluses, glucose });
  expect(
    merged.map(({ eventType, absolute, duration, created_at, automatic }) => [eventType, absolute, duration, created_at, automatic]),
  ).toEqual([
    ["Temp Basal", 1.2, 15, "2026-03-28T22:00:00.002Z", true].map((value) =>
      value === 1.2 ? expect.closeTo(1.2, 3) : value === 15 ? expect.closeTo(15, 3) : value,
    ),
    ["Temp Basal", expect.closeTo(2.4, 3), expect.closeTo(5, 3), "2026-03-28T22:15:00.005Z", true],
    ["Temp Basal", 0, expect.closeTo(10, 3), "2026-03-28T22:20:00.006Z", true],
  ]);
  const single = treatmentsOf({ microBoluses, glucose }, { microBoluses: "single" });
  expect(single.map(({ absolute }) => absolute)).toEqual([1.2, 1.2, 1.2, 2.4, 0, 0].map((rate) => expect.closeTo(rate, 3)));
  expect(treatmentsOf({ microBoluses, glucose }, { microBoluses: "none" })).toEqual([]);
  // Ten equal ones across the half hour: two pieces.
  const long = Array.from({ length: 10 }, (_, i) => ({ ...at(T + i * 5 * MINUTE, 1000 + i), amountIu: 0.1 }));
  expect(treatmentsOf({ microBoluses: long, glucose }).map(({ duration }) => duration)).toEqual([
    expect.closeTo(30, 3),
    expect.closeTo(20, 3),
  ]);
});

test("pieces of micro boluses touch and never overlap, and a stop cuts them", () => {
  const view = seededView(9, { fromMs: T, days: 2 });
  const rates = documentsOf(view)
    .treatments.filter(({ eventType }) => eventType === "Temp Basal")
    .map(({ created_at, duration, automatic }) => ({ fromMs: Date.parse(String(created_at)), minutes: Number(duration), automatic }))
    .sort((a, b) => a.fromMs - b.fromMs);
  expect(rates.length).toBeGreaterThan(100);
  for (const [i, { fromMs, minutes, automatic }] of rates.entries())
    if (automatic && rates[i + 1]) expect(fromMs + minutes * MINUTE).toBeLessThanOrEqual(rates[i + 1]!.fromMs);
});

test("a dose whose time is not over is held until the next one is known, or none came", () => {
  const microBoluses = [
    { ...at(T, 1), amountIu: 0.1 },
    { ...at(T + 5 * MINUTE, 2), amountIu: 0.1 },
  ];
  const now = { nowMs: T + 7 * MINUTE };
  expect(treatmentsOf({ microBoluses }, now)).toEqual([]);
  expect(treatmentsOf({ microBoluses, glucose: [reading(T + 12 * MINUTE, 3, 100, { ref: undefined })] }, now)).toEqual([]);
  const single = treatmentsOf({ microBoluses }, { ...now, microBoluses: "single" });
  expect(single).toHaveLength(1);
  const followed = treatmentsOf({ microBoluses, glucose: [reading(T + 15 * MINUTE, 3, 100)] }, now);
  expect(followed).toMatchObject([{ duration: expect.closeTo(10, 3), absolute: expect.closeTo(1.2, 3) }]);
});

test("a meal waits two minutes for its bolus, or an hour where nothing more is heard of the pump", () => {
  const meals = [{ ...at(T, 5), carbohydratesG: 30 }];
  const count = (now: number, known?: number): number =>
    treatmentsOf({ meals, ...(known !== undefined && { glucose: [reading(known, 9, 100)] }) }, { nowMs: now }).length;
  expect([count(T + 10 * MINUTE), count(T + 62 * MINUTE), count(T + 62 * MINUTE + 1)]).toEqual([0, 0, 1]);
  expect([count(T + 10 * MINUTE, T + 2 * MINUTE - 1), count(T + 10 * MINUTE, T + 2 * MINUTE)]).toEqual([0, 1]);
});

test("a fingerstick of which the calibration may be told yet waits, where that makes a difference", () => {
  const bloodGlucose = [{ ...at(T, 5), mgdl: 120, calibration: "none" as const }];
  const count = (calibrations: "mbg" | "bg_check", now: number): number =>
    treatmentsOf({ bloodGlucose }, { nowMs: now, calibrations }).length;
  expect([count("mbg", T + MINUTE), count("bg_check", T + MINUTE), count("mbg", T + 2 * HOUR)]).toEqual([0, 1, 1]);
});

test("a bolus of which only the end is known waits for its beginning, as long as that may come", () => {
  const boluses = [bolus(T, 500, { programmedIu: undefined })];
  const count = (first: number, last: number, now = T + HOUR): number =>
    treatmentsOf({ boluses, gaps: [{ segment: 0, first, last, gone: false }] }, { nowMs: now }).length;
  expect([count(1, 100), count(501, 600), count(1, 100, T + DAY + 1)]).toEqual([0, 1, 1]);
});

test("a stop is a rate of 0 from stop to restart", () => {
  const suspensions = [{ ...at(T, 8), reason: "low_sg_suspended", endedAtMs: T + 47 * MINUTE, endReason: "lgm_manual_resume" }];
  expect(treatmentsOf({ suspensions })).toMatchObject([
    {
      eventType: "Temp Basal",
      absolute: 0,
      duration: expect.closeTo(47, 2),
      notes: "low sg suspended",
      created_at: "2026-03-28T22:00:00.009Z",
    },
  ]);
  expect(treatmentsOf({ suspensions }, { nocturne: true }).map(({ eventType }) => eventType)).toEqual([
    "Temp Basal",
    "Suspend Pump",
    "Resume Pump",
  ]);
  const resumed = (range: TimeRange): unknown[] =>
    documentsOf({ suspensions }, { nocturne: true }, range).treatments.map(({ eventType }) => eventType);
  const endMs = T + 47 * MINUTE;
  expect(resumed({ fromMs: endMs, toMs: endMs + 1 })).toEqual(["Resume Pump"]);
  expect(resumed({ fromMs: T + 1000, toMs: endMs })).toEqual([]);
});

test("a stop that lasts is told of for half an hour at a time, as far as the pump is known", () => {
  const suspensions = [{ ...at(T, 8), reason: "user_suspended", endedAtMs: undefined, endReason: undefined }];
  const documents = (known: number, now: number): unknown[] =>
    treatmentsOf({ suspensions, glucose: [reading(known, 9, 100)] }, { nowMs: now }).map(({ created_at, duration }) => [
      created_at,
      duration,
    ]);
  expect(documents(T, T + MINUTE)).toEqual([["2026-03-28T22:00:00.009Z", 30]]);
  expect(documents(T + 45 * MINUTE, T + 50 * MINUTE)).toEqual([
    ["2026-03-28T22:00:00.009Z", 30],
    ["2026-03-28T22:30:00.009Z", 30],
  ]);
  // Nothing was heard of the pump for a day: it is not said to stand still.
  expect(documents(T + 10 * MINUTE, T + DAY)).toHaveLength(1);
});

test("temporary basal rates last until something else; scheduled ones need no document", () => {
  const change = (minutes: number, sequenceNumber: number, rate: number, source: "delivered" | "context" | "temporary") => ({
    ...at(T + minutes * MINUTE, sequenceNumber),
    rate,
    source,
  });
  const basal = [
    change(0, 1, 0.8, "delivered"),
    change(10, 2, 1.6, "temporary"),
    change(10, 3, 1.6, "delivered"),
    change(60, 4, 1.6, "temporary"), // the hourly snapshot
    change(70, 5, 0.8, "delivered"),
    change(120, 6, 0.8, "context"),
    change(180, 7, 0, "temporary"),
    change(200, 8, 1.2, "temporary"),
    change(210, 9, 1.2, "context"),
  ];
  expect(treatmentsOf({ basal }).map(({ absolute, duration, created_at }) => [absolute, duration, created_at])).toEqual([
    [1.6, expect.closeTo(60, 2), "2026-03-28T22:10:00.003Z"],
    [0, expect.closeTo(20, 2), "2026-03-29T01:00:00.008Z"],
    [1.2, expect.closeTo(10, 2), "2026-03-29T01:20:00.009Z"],
  ]);
});

test("a fingerstick is one BG Check, also where it calibrated the sensor", () => {
  const stick = (atMs: number, sequenceNumber: number, calibration: "none" | "accepted" | "rejected", mgdl = 129.6) => ({
    ...at(atMs, sequenceNumber),
    mgdl,
    calibration,
  });
  const bloodGlucose = [
    stick(T, 1, "none"),
    stick(T + MINUTE, 2, "accepted"),
    stick(T + HOUR, 3, "accepted", 200),
    stick(T + 2 * HOUR, 4, "rejected", 90),
    stick(T + 3 * HOUR, 5, "none", 0),
  ];
  const documents = documentsOf({ bloodGlucose });
  expect(documents.entries).toEqual([]);
  expect(documents.treatments.map(({ glucose, notes }) => [glucose, notes])).toEqual([
    [130, undefined],
    [200, undefined],
    [90, "not accepted as a calibration"],
  ]);
  expect(documents.treatments[0]).toMatchObject({ eventType: "BG Check", glucoseType: "Finger", units: "mg/dl" });
  const asEntries = documentsOf({ bloodGlucose }, { calibrations: "mbg" });
  expect(asEntries.entries.map(({ type, mbg }) => [type, mbg])).toEqual([
    ["mbg", 130],
    ["mbg", 200],
  ]);
  expect(asEntries.treatments.map(({ glucose }) => glucose)).toEqual([90]);
  const both = documentsOf({ bloodGlucose }, { calibrations: "both" });
  expect([both.entries.length, both.treatments.length]).toEqual([2, 3]);
});

test("alerts only where they were chosen, as notes or announcements; never with markup", () => {
  const alerts = [
    { ...at(T, 1), instanceId: 1, code: 802, name: "low_sg_plgm_alert", clearedAtMs: undefined },
    { ...at(T + HOUR, 2), instanceId: 2, code: 7, name: "<b>no & delivery", clearedAtMs: undefined },
    { ...at(T + 2 * HOUR, 3), instanceId: 3, code: undefined, name: undefined, clearedAtMs: undefined },
    { ...at(T + 3 * HOUR, 4), instanceId: 4, code: 104, name: "low_pump_battery", clearedAtMs: T + 4 * HOUR },
  ];
  expect(treatmentsOf({ alerts })).toEqual([]);
  expect(treatmentsOf({ alerts }, { alerts: [802] }).map(({ eventType, notes }) => [eventType, notes])).toEqual([
    ["Note", "802 low sg plgm alert"],
  ]);
  expect(treatmentsOf({ alerts }, { announcements: [7] }).map(({ eventType, notes }) => [eventType, notes])).toEqual([
    ["Announcement", "7 b no delivery"],
  ]);
  expect(treatmentsOf({ alerts }, { alerts: "all" }).map(({ notes }) => notes)).toEqual([
    "802 low sg plgm alert",
    "7 b no delivery",
    "alert",
    "104 low pump battery",
  ]);
  expect(treatmentsOf({ alerts }, { batteryChange: true })).toMatchObject([
    { eventType: "Pump Battery Change", created_at: "2026-03-29T02:00:00.005Z", notes: "alert 104 cleared" },
  ]);
});

test("SmartGuard, a set change and a sensor", () => {
  const loopTransitions = [
    { ...at(T, 1), active: true, reason: "into_si_pass" },
    { ...at(T + HOUR, 2), active: false, reason: "out_high_sg" },
  ];
  expect(treatmentsOf({ loopTransitions }).map(({ notes }) => notes)).toEqual([
    "SmartGuard on: into si pass",
    "SmartGuard off: out high sg",
  ]);
  expect(treatmentsOf({ loopTransitions }, { loop: false })).toEqual([]);
  const step = (minutes: number, therapyState: string, operationalState: string) => ({
    ...statusPoint(T + minutes * MINUTE),
    therapyState,
    operationalState,
  });
  const status = [
    step(0, "run", "ready"),
    step(1, "stop", "ready"), // by its user: no change of the set
    step(9, "run", "ready"),
    step(10, "stop", "waiting"),
    step(12, "stop", "priming"),
    step(13, "stop", "waiting"),
    step(14, "stop", "priming"),
    step(15, "stop", "ready"),
    step(16, "run", "ready"),
    step(20, "run", "ready"),
  ];
  const changes = (siteChange?: "both" | "site" | "insulin" | "none"): unknown[] =>
    treatmentsOf({ status }, siteChange ? { siteChange } : {}).map(({ eventType, created_at }) => [eventType, created_at]);
  const at16 = "2026-03-28T22:16:00.000Z";
  expect(changes()).toEqual([
    ["Site Change", at16],
    ["Insulin Change", at16],
  ]);
  expect(changes("site")).toEqual([["Site Change", at16]]);
  expect(changes("insulin")).toEqual([["Insulin Change", at16]]);
  expect(changes("none")).toEqual([]);
  const sensorStarts = [
    { ...when(T + 700), runTimeHours: 168 },
    { ...when(T + 1900), runTimeHours: 168 }, // the same, read again
    { ...when(T + DAY), runTimeHours: 168 },
  ];
  const sensors = treatmentsOf({ sensorStarts }, { sensorChange: true }).map(({ eventType, created_at }) => [eventType, created_at]);
  expect(sensors).toEqual([
    ["Sensor Start", "2026-03-28T22:00:00.000Z"],
    ["Sensor Change", "2026-03-28T22:00:00.000Z"],
    ["Sensor Start", "2026-03-29T22:00:00.000Z"],
    ["Sensor Change", "2026-03-29T22:00:00.000Z"],
  ]);
  expect(treatmentsOf({ sensorStarts })).toHaveLength(2);
});

test("what is asked for wrongly is refused", () => {
  const view = new MemoryView();
  const options = { pump: PUMP, nowMs: T };
  const asked =
    (more: object): (() => unknown) =>
    () =>
      nightscoutDocuments(view, whole, { ...options, ...more } as never);
  expect(asked({ pump: "NG1234567H" })).toThrow("16 hexadecimal digits");
  expect(asked({ pump: undefined })).toThrow("pump");
  expect(asked({ nowMs: "1" })).toThrow("nowMs");
  expect(asked({ directions: "up" })).toThrow("directions");
  expect(asked({ limits: 39 })).toThrow("limits");
  expect(asked({ microBoluses: true })).toThrow("microBoluses");
  expect(asked({ calibrations: "" })).toThrow("calibrations");
  expect(asked({ siteChange: "all" })).toThrow("siteChange");
  expect(asked({ sensorChange: 1 })).toThrow("sensorChange");
  expect(asked({ batteryChange: 1 })).toThrow("batteryChange");
  expect(asked({ loop: "no" })).toThrow("loop");
  expect(asked({ nocturne: 1 })).toThrow("nocturne");
  expect(asked({ alerts: "some" })).toThrow("alerts");
  expect(asked({ alerts: ["802"] })).toThrow("alerts");
  expect(asked({ announcements: [-1] })).toThrow("announcements");
  expect(asked({ announcement: [] })).toThrow('did you mean "announcements"');
  expect(() => nightscoutDocuments(view, { fromMs: 1, toMs: 0 }, options)).toThrow("range");
  expect(() => nightscoutDocuments(view, whole, undefined as never)).toThrow("null");
});
