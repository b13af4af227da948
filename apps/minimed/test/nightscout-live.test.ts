import { turn } from "jelling/async";
import { expect, test } from "vitest";
import { NightscoutError, type NightscoutReport } from "../src/export/index.ts";
import type { BolusEvent, GlucosePoint } from "../src/store/view.ts";
import { at, DAY, HOUR, MemoryView, MINUTE, seededView, when } from "./memory-view.ts";
import { QUIET, stateAt, World } from "./nightscout/world.ts";

const T = Date.UTC(2026, 2, 28, 22);
const live = (atMs: number, mgdl = 100): GlucosePoint => ({ ...when(atMs), ref: undefined, mgdl, cause: undefined, trendMgdlPerMin: 0.5 });
const recorded = (atMs: number, sequenceNumber: number, mgdl = 100): GlucosePoint => ({
  ...at(atMs, sequenceNumber),
  mgdl,
  cause: undefined,
  trendMgdlPerMin: undefined,
});
const treatments = (world: World): unknown[][] =>
  world.server
    .documents("treatments")
    .map(({ eventType, created_at, duration, absolute, insulin, carbs }) => [eventType, created_at, duration, absolute, insulin, carbs]);

test.each([3])("a day watched as it happens comes out as the day looked at afterwards (seed %i)", async (seed) => {
  const whole = seededView(seed, { fromMs: T, days: 0.25 });
  const world = new World({ nowMs: T, view: new MemoryView(), uploader: { firstUploadMs: HOUR } });
  const uploader = world.open();
  const endMs = T + DAY / 4 + QUIET + HOUR;
  while (world.nowMs < endMs) {
    await world.clock.advance(5 * MINUTE);
    world.view = whole.until(world.nowMs);
    world.state = stateAt(world.nowMs - 1000);
    await uploader.upload();
  }
  expect(world.server.violations).toEqual([]);
  expect(world.found.entries).toEqual(world.expected(T, endMs).entries);
  // What lasted was told in pieces, never written anew; all else is the same, once.
  const isStop = (line: string): boolean => line.includes("suspended");
  const expected = world.expected(T, endMs).treatments;
  expect(world.found.treatments.filter((line) => !isStop(line))).toEqual(expected.filter((line) => !isStop(line)));
  const posted = world.posts
    .filter(({ path }) => path.endsWith("treatments"))
    .flatMap(({ documents }) => documents.map(({ identifier }) => identifier));
  expect(new Set(posted).size).toBe(posted.length);
  expect(world.server.documents("devicestatus").length).toBeGreaterThan(80);
  expect(Math.max(...world.posts.map(({ documents }) => documents.length))).toBeLessThan(20);
});

test("a stop is told of while it lasts, in pieces of half an hour, and ended when it ends; nothing is rewritten", async () => {
  const stop = { ...at(T, 8), reason: "user_suspended", endedAtMs: undefined as number | undefined, endReason: undefined };
  const view = (nowMs: number, endedAtMs?: number): MemoryView =>
    new MemoryView({ suspensions: [{ ...stop, endedAtMs }], glucose: [recorded(nowMs - MINUTE, 100)] });
  const world = new World({ nowMs: T + QUIET, view: view(T + QUIET) });
  const uploader = world.open();
  await uploader.upload();
  expect(treatments(world)).toEqual([["Temp Basal", "2026-03-28T22:00:00.009Z", 30, 0, undefined, undefined]]);
  await world.clock.advance(31 * MINUTE); // 22:42
  world.view = view(world.nowMs);
  await uploader.upload();
  expect(treatments(world)).toHaveLength(2);
  await world.clock.advance(20 * MINUTE); // 23:02
  world.view = view(world.nowMs, T + 50 * MINUTE);
  await uploader.upload();
  await uploader.upload();
  expect(treatments(world)).toEqual([
    ["Temp Basal", "2026-03-28T22:00:00.009Z", 30, 0, undefined, undefined],
    ["Temp Basal", "2026-03-28T22:30:00.009Z", 30, 0, undefined, undefined],
    ["Temp Basal", "2026-03-28T22:50:00.000Z", 0, undefined, undefined, undefined],
  ]);
  expect(world.posts.filter(({ path }) => path.endsWith("treatments"))).toHaveLength(3);
});

test("a piece of a stop whose sending is not known, and that meanwhile ended, is sent as it was", async () => {
  const stop = { ...at(T, 8), reason: "user_suspended", endedAtMs: undefined as number | undefined, endReason: undefined };
  const world = new World({ nowMs: T + QUIET, view: new MemoryView({ suspensions: [stop] }) });
  world.server.faults = ({ path }) => (path.endsWith("treatments") ? { kind: "closed_after_storing" } : undefined);
  await expect(world.open().upload({ attempts: 1 })).rejects.toThrow(NightscoutError);
  world.server.faults = [];
  world.view = new MemoryView({ suspensions: [{ ...stop, endedAtMs: T + 20 * MINUTE }] });
  await world.clock.advance(30 * MINUTE);
  await world.open().upload();
  expect(treatments(world)).toEqual([["Temp Basal", "2026-03-28T22:00:00.009Z", expect.closeTo(20, 1), 0, undefined, undefined]]);
});

test("a reading that was sent live is not sent again when the history tells it, some seconds away", async () => {
  for (const shiftMs of [0, 4000, -90_000]) {
    const world = new World({ nowMs: T + HOUR, view: new MemoryView({ glucose: [live(T)] }) });
    const uploader = world.open();
    await uploader.upload();
    world.view = new MemoryView({ glucose: [recorded(T + shiftMs, 5), recorded(T + 5 * MINUTE, 6)] });
    expect(await uploader.upload()).toMatchObject({ sent: { entries: 1 } });
    expect(world.server.documents("entries").map(({ date, direction }) => [date, direction])).toEqual([
      [T, "Flat"],
      [T + 5 * MINUTE, undefined],
    ]);
    // Nor the other way round.
    world.view = new MemoryView({ glucose: [live(T + 5 * MINUTE + 3000)] });
    expect(await uploader.upload()).toMatchObject({ sent: { entries: 0 }, unchanged: 1 });
  }
});

test("a live reading of which it is not known whether it arrived is sent by its own name, as the history has it", async () => {
  for (const kind of ["closed", "closed_after_storing"] as const) {
    const world = new World({ nowMs: T + HOUR, view: new MemoryView({ glucose: [live(T)] }) });
    world.server.faults = ({ path }) => (path === "/api/v1/entries" ? { kind } : undefined);
    await expect(world.open().upload({ attempts: 1 })).rejects.toThrow(NightscoutError);
    world.server.faults = [];
    world.view = new MemoryView({ glucose: [recorded(T + 4000, 5)] });
    await world.open().upload();
    await world.open().upload();
    expect(world.server.documents("entries")).toMatchObject([{ date: T, dateString: new Date(T).toISOString(), sgv: 100 }]);
  }
});

test.each(["v1", "v3"] as const)(
  "%s: what is there keeps its time, when its record is dated otherwise afterwards; its value is corrected",
  async (api) => {
    const view = (shiftMs: number, mgdl: number): MemoryView =>
      new MemoryView({ glucose: [recorded(T + shiftMs, 5, mgdl)], meals: [{ ...at(T + shiftMs, 7), carbohydratesG: mgdl }] });
    const world = new World({ nowMs: T + 2 * HOUR, view: view(0, 100), api });
    const uploader = world.open();
    await uploader.upload();
    const before = world.posts.length;
    world.view = view(4000, 100);
    expect(await uploader.upload()).toMatchObject({ sent: { entries: 0, treatments: 0 } });
    expect(world.posts).toHaveLength(before);
    world.view = view(4000, 110);
    expect(await uploader.upload()).toMatchObject({ sent: { entries: 1, treatments: 1 }, refused: 0 });
    expect(world.server.documents("entries")).toMatchObject([{ date: T, dateString: new Date(T).toISOString(), sgv: 110 }]);
    expect(world.server.documents("treatments")).toMatchObject([{ created_at: "2026-03-28T22:00:00.008Z", carbs: 110 }]);
  },
);

test("Nocturne: what changed afterwards stays as it is there, since it would be another document", async () => {
  const view = (mgdl: number): MemoryView =>
    new MemoryView({ glucose: [recorded(T, 5, mgdl)], meals: [{ ...at(T, 7), carbohydratesG: mgdl }] });
  const world = new World({ nowMs: T + 2 * HOUR, view: view(100), server: { nocturne: true } });
  const uploader = world.open();
  await uploader.upload();
  world.view = view(110);
  for (let i = 0; i < 2; i++) expect(await uploader.upload()).toMatchObject({ sent: { entries: 0, treatments: 0 } });
  expect(world.server.documents("entries")).toMatchObject([{ sgv: 100 }]);
  expect(world.server.documents("treatments")).toMatchObject([{ carbs: 100 }]);
});

test("a live reading and a record are one within two and a half minutes, and no further", async () => {
  for (const [shiftMs, count] of [
    [150_000, 1],
    [-150_000, 1],
    [150_001, 2],
    [-150_001, 2],
  ] as const) {
    const world = new World({ nowMs: T + HOUR, view: new MemoryView({ glucose: [live(T)] }) });
    await world.open().upload();
    world.view = new MemoryView({ glucose: [recorded(T + shiftMs, 5)] });
    await world.open().upload();
    expect(world.server.documents("entries")).toHaveLength(count);
  }
});

test("a stop that the site refused is tried again when it says something else", async () => {
  const stop = { ...at(T, 8), reason: "user_suspended", endedAtMs: undefined as number | undefined, endReason: undefined };
  const world = new World({ nowMs: T + QUIET, view: new MemoryView({ suspensions: [stop] }) });
  world.server.faults = ({ path }) => (path.endsWith("treatments") ? { kind: "status", status: 422 } : undefined);
  expect(await world.open().upload()).toMatchObject({ refused: 1 });
  world.server.faults = [];
  expect(await world.open().upload()).toMatchObject({ sent: { treatments: 0 }, unchanged: 1 });
  world.view = new MemoryView({ suspensions: [{ ...stop, endedAtMs: T + 20 * MINUTE }] });
  await world.clock.advance(HOUR);
  expect(await world.open().upload()).toMatchObject({ sent: { treatments: 1 } });
});

test("two records that are near each other are two readings", async () => {
  const world = new World({ nowMs: T + HOUR, view: new MemoryView({ glucose: [recorded(T, 1), recorded(T + MINUTE, 2, 110)] }) });
  await world.open().upload();
  expect(world.server.documents("entries")).toHaveLength(2);
});

test("a sensor that is read again with another start to the second is the same sensor", async () => {
  const world = new World({ nowMs: T + HOUR, view: new MemoryView({ sensorStarts: [{ ...when(T), runTimeHours: 168 }] }) });
  const uploader = world.open();
  await uploader.upload();
  for (const shiftMs of [1000, -2000, 9 * MINUTE]) {
    world.view = new MemoryView({ sensorStarts: [{ ...when(T + shiftMs), runTimeHours: 168 }] });
    await uploader.upload();
  }
  expect(treatments(world)).toHaveLength(1);
});

const bolus = (atMs: number, sequenceNumber: number, more: Partial<BolusEvent> = {}): BolusEvent => ({
  ...at(atMs, sequenceNumber),
  bolusId: 1,
  kind: "fast",
  automatic: false,
  programmedIu: { fast: 2, extended: 0 },
  deliveredIu: { fast: 2, extended: 0 },
  durationMin: 0,
  endReason: "delivered",
  ...more,
});

test("what was told apart is not told together afterwards: no carbohydrate and no insulin twice", async () => {
  const meal = { ...at(T, 1), carbohydratesG: 30 };
  const after = recorded(T + 20 * MINUTE, 9);
  const first = { glucose: [after], meals: [meal] };
  const both = new MemoryView({ ...first, boluses: [bolus(T, 2)] });
  const alone = { meal: new MemoryView(first), bolus: new MemoryView({ glucose: [after], boluses: [bolus(T, 2)] }) };
  for (const start of ["meal", "bolus"] as const) {
    const world = new World({ nowMs: T + HOUR, view: alone[start] });
    const uploader = world.open();
    await uploader.upload();
    world.view = both;
    await uploader.upload();
    await uploader.upload();
    const told = treatments(world).map(([eventType, , , , insulin, carbs]) => JSON.stringify([eventType, insulin, carbs]));
    expect(told.toSorted((a, b) => a.localeCompare(b))).toEqual(['["Carb Correction",null,30]', '["Correction Bolus",2,null]']);
  }
  const world = new World({ nowMs: T + HOUR, view: both });
  await world.open().upload();
  expect(treatments(world).map(([eventType, , , , insulin, carbs]) => [eventType, insulin, carbs])).toEqual([["Meal Bolus", 2, 30]]);
  // A combined bolus whose meal was told of.
  const square = bolus(T, 2, { kind: "extended", deliveredIu: { fast: 0, extended: 3 }, durationMin: 60 });
  const combined = new World({ nowMs: T + HOUR, view: alone.meal });
  await combined.open().upload();
  combined.view = new MemoryView({ ...first, boluses: [square] });
  await combined.open().upload();
  await combined.open().upload();
  expect(treatments(combined).map(([eventType, , , , , carbs]) => [eventType, carbs])).toEqual([
    ["Carb Correction", 30],
    ["Combo Bolus", undefined],
  ]);
});

/** Lets time pass, and what is under way come to its end before and after. */
async function pass(world: World, ms: number): Promise<void> {
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) await turn();
  };
  await settle();
  await world.clock.advance(ms);
  await settle();
}

test("run: what is new at every interval and poke, everything once an hour, until its signal ends it", async () => {
  const world = new World({ nowMs: T, isStill: true, view: new MemoryView() });
  const uploader = world.open();
  const controller = new AbortController();
  const rounds: (NightscoutReport | NightscoutError)[] = [];
  const whole = seededView(7, { fromMs: T - DAY, days: 1 });
  world.view = whole;
  const running = uploader.run({ signal: controller.signal, intervalMs: MINUTE, onRound: (round) => rounds.push(round) });
  running.catch(() => undefined);
  await pass(world, 30_000);
  expect(rounds).toHaveLength(1);
  uploader.poke();
  await pass(world, 1000);
  expect(rounds).toHaveLength(2);
  await pass(world, 3 * MINUTE);
  expect(rounds).toHaveLength(5);
  expect(world.found.entries).toEqual(world.expected(T - DAY, T).entries);
  // Something of yesterday that was read late.
  whole.events.glucose = [...whole.events.glucose, recorded(T - DAY + 7 * HOUR + MINUTE, 77_777)];
  const isThere = (): boolean => world.server.documents("entries").some(({ date }) => date === T - DAY + 7 * HOUR + MINUTE);
  await pass(world, 50 * MINUTE);
  expect(isThere()).toBe(false);
  await pass(world, 10 * MINUTE);
  expect(isThere()).toBe(true);
  // A site that is away is left alone, pokes or not.
  world.server.faults = () => ({ kind: "status", status: 503, retryAfter: "1800" });
  whole.events.glucose = [...whole.events.glucose, recorded(world.nowMs - MINUTE, 77_778)];
  await pass(world, 2 * MINUTE);
  const asked = world.server.requests.length;
  expect(rounds.at(-1)).toBeInstanceOf(NightscoutError);
  for (let i = 0; i < 20; i++) {
    uploader.poke();
    await pass(world, MINUTE);
  }
  expect(world.server.requests).toHaveLength(asked);
  world.server.faults = [];
  await pass(world, 15 * MINUTE);
  expect(rounds.at(-1)).toMatchObject({ refused: 0 });
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
  expect(world.clock.pending).toEqual([]);
});

test("run: a poke that comes while it uploads is not lost", async () => {
  const world = new World({ nowMs: T, isStill: true, view: new MemoryView({ glucose: [recorded(T - HOUR, 1)] }) });
  const uploader = world.open();
  const controller = new AbortController();
  let rounds = 0;
  const running = uploader.run({
    signal: controller.signal,
    intervalMs: HOUR,
    onRound: () => {
      if (++rounds === 1) uploader.poke();
    },
  });
  await pass(world, 1000);
  expect(rounds).toBe(2);
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
});

test("run: a site that refuses for another reason is asked again an hour later", async () => {
  const world = new World({ nowMs: T, isStill: true, view: new MemoryView({ glucose: [recorded(T - HOUR, 1)] }) });
  world.server.faults = [{ kind: "status", status: 404 }];
  const controller = new AbortController();
  const rounds: (NightscoutReport | NightscoutError)[] = [];
  const running = world.open().run({ signal: controller.signal, onRound: (round) => rounds.push(round) });
  running.catch(() => undefined);
  await pass(world, HOUR - 1000);
  expect(rounds).toMatchObject([{ code: "ERR_NIGHTSCOUT_REFUSED", status: 404 }]);
  await pass(world, 2000);
  expect(rounds[1]).toMatchObject({ sent: { entries: 1 } });
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
});

test("two uploads at once run one after the other, and send nothing twice", async () => {
  const world = new World({ nowMs: T + DAY, view: seededView(1, { fromMs: T, days: 0.3 }) });
  const uploader = world.open();
  const [first, second] = await Promise.all([uploader.upload(), uploader.upload()]);
  expect(first!.sent.entries).toBeGreaterThan(50);
  expect(second!.sent).toEqual({ entries: 0, treatments: 0, devicestatus: 0 });
});

test("after weeks without it goes on where it was, also when that is cut short", async () => {
  const view = seededView(5, { fromMs: T, days: 4 });
  const world = new World({ nowMs: T + DAY, view: view.until(T + DAY) });
  await world.open().upload();
  await world.clock.advance(20 * DAY + HOUR);
  world.view = view;
  const stop = new AbortController();
  let posts = 0;
  const fetch: typeof world.server.fetch = (url, init) => {
    if (init?.method === "POST" && ++posts === 4) stop.abort(new Error("killed"));
    return world.server.fetch(url, init);
  };
  await expect(world.open({ fetch }).upload({ signal: stop.signal })).rejects.toThrow("killed");
  await world.open().upload();
  expect(world.found.entries).toEqual(world.expected(T - DAY, world.nowMs).entries);
});
