import { stripVTControlCharacters } from "node:util";
import type { GlucoseReading, HighLowSettings, LatestGlucose, NoGlucoseValue } from "@jelling/minimed";
import { PumpError } from "@jelling/minimed";
import { VirtualClock } from "jelling/async";
import { describe, expect, test } from "vitest";
import { pumpState, reading } from "../../minimed/test/pump-state.ts";
import { Context } from "../src/context.ts";
import { EarlierReadings } from "../src/pump/earlier-readings.ts";
import { stateRows } from "../src/pump/state-text.ts";
import { timelineText } from "../src/pump/timeline-text.ts";
import { UtcPoints } from "../src/pump/utc-points.ts";
import { type WatchFrame, watchFrame } from "../src/pump/watch-frame.ts";
import { Screen } from "../src/screen.ts";
import { Terminal } from "../src/terminal.ts";
import { fakeIo } from "./fake-io.ts";

const SPAN_MS = 6 * 3_600_000;

describe("the screen of watch", () => {
  const nowMs = 3_600_000;
  const limits = { blocks: [{ durationMin: 1440, limitMgdl: 70 }] } as unknown as HighLowSettings;
  const state = pumpState(nowMs, { lowSettings: limits, highSettings: limits });
  const frame = (columns: number, rows: number, more: Partial<WatchFrame> = {}): string[] =>
    watchFrame({
      state,
      points: [{ atMs: nowMs - 60_000, mgdl: 120 }],
      spanMs: SPAN_MS,
      nowMs,
      unit: undefined,
      notes: [],
      rows,
      columns,
      paint: (_style, text) => text,
      ascii: true,
      ...more,
    });
  const whole = (lines: readonly string[]): string => lines.map((line) => line.trim()).join(" ");

  test.each([
    [20, 12],
    [20, 40],
    [30, 24],
    [47, 24],
    [48, 24],
    [80, 24],
    [200, 60],
  ])("of %i columns and %i rows keeps to them, and leaves out neither the value nor what it is not for", (columns, rows) => {
    const lines = frame(columns, rows);
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    expect(whole(lines)).toMatch(/^\d+ mg\/dL \(\d+\.\d mmol\/L\)/);
    expect(whole(lines)).toMatch(/For information only: no dose may be based on it. Ctrl-C ends.$/);
    expect(whole(lines)).toMatch(/connected for/);
  });

  test("that is narrow shows each value with its name, and no curve without its newest end", () => {
    const lines = frame(20, 40);
    expect(whole(lines)).toMatch(/insulin on board: \d/);
    expect(lines.join("\n")).not.toContain("+---");
    expect(frame(24, 60).join("\n")).toMatch(/\*$/m);
  });

  test("tells what could not be read, and calls nothing old that was never there", () => {
    const note = "Earlier readings are missing: the pump is busy.";
    expect(whole(frame(40, 30, { notes: [note] }))).toContain(note);
    const { glucose: _, ...values } = state.values;
    expect(frame(80, 24, { state: { ...state, values } })[0]).toBe("no glucose yet");
  });
});

describe("points of the curve", () => {
  const at = (ms: number) => reading(100, { takenAtMs: ms, receivedAtMs: ms });
  test("from before a sleep of the computer, when its clock stood still, are as far back as they were", () => {
    const points = new UtcPoints(SPAN_MS);
    const epochMs = 1_900_000_000_000;
    points.keep([at(0), at(300_000)], { epochMs, nowMs: 310_000 });
    const afterwards = { epochMs: epochMs + 3_600_000, nowMs: 320_000 };
    points.keep([at(315_000)], afterwards);
    expect(points.on(afterwards).map(({ atMs }) => atMs)).toEqual([-3_600_000, -3_300_000, 315_000]);
    points.keep([], { epochMs: epochMs + SPAN_MS, nowMs: 320_000 }); // it slept longer than the curve reaches
    expect(points.on(afterwards).map(({ atMs }) => atMs)).toEqual([315_000]);
  });
  test("are one a minute, the last that was told", () => {
    const points = new UtcPoints(SPAN_MS);
    for (const mgdl of [100, 101]) points.keep([reading(mgdl, { takenAtMs: 0, receivedAtMs: 0 })], { epochMs: 0, nowMs: 0 });
    expect(points.on({ epochMs: 0 })).toEqual([{ atMs: 0, mgdl: 101 }]);
  });
});

test("what a pump says of itself moves no cursor and clears no screen", () => {
  const nowMs = 3_600_000;
  const model = "780G\u001b[2J\u009b1A\r\n";
  const { information } = pumpState(nowMs).values;
  const state = pumpState(nowMs, { information: { ...information!.value!, model }, lowSettings: undefined, highSettings: undefined });
  const rows = stateRows(state, nowMs).map(({ text }) => text);
  const context = new Context(fakeIo(), { log: "silent" });
  const told = timelineText(context, 0, "phone", `the pump is a ${model}`);
  for (const text of [...rows, told]) expect(text).not.toMatch(/\p{Cc}/u);
  expect(told).toContain("780G\\u{1b}[2J\\u{9b}1A");
  context[Symbol.dispose]();
});

describe("a screen", () => {
  /** What a terminal shows of it in the end: lines, with the cursor's moves done. */
  function shownOf(text: string): string[] {
    const lines: string[] = [""];
    let row = 0;
    for (const [part, up, below] of text.replaceAll("\u001b[", "␛").matchAll(/␛(\d+)A|(␛J)|␛K|␛\?\d+[hl]|\r|\n|[^␛\r\n]+/g)) {
      if (up !== undefined) row -= Number(up);
      else if (below !== undefined) lines.splice(row, lines.length, "");
      else if (part === "\n") lines[++row] ??= "";
      else if (part !== "\r" && !part.startsWith("␛")) lines[row] = part;
    }
    return lines;
  }

  test("makes room for a note, which stays above it, and nothing of it is left behind", () => {
    const io = fakeIo({ isTTY: true });
    const both: string[] = [];
    const shared = { ...io.stdout, write: (text: string | Uint8Array) => both.push(String(text)) > 0 };
    const mixed = { ...io, stdout: shared, stderr: shared };
    const terminal = new Terminal(mixed, { json: false });
    {
      using screen = new Screen(mixed, terminal);
      terminal.note("first");
      screen.draw(["a", "b"]);
      terminal.note("second");
      terminal.note("third");
      screen.draw(["c"]);
      expect(shownOf(both.join(""))).toEqual(["first", "second", "third", "c", ""]);
    }
    terminal.note("last");
    expect(shownOf(both.join(""))).toEqual(["first", "second", "third", "c", "last", ""]);
  });

  test("finds its top when the terminal has become narrower, and broken its lines", () => {
    const io = fakeIo({ isTTY: true });
    let columns = 80;
    const stdout = {
      ...io.stdout,
      get columns() {
        return columns;
      },
    };
    const terminal = new Terminal({ ...io, stdout }, { json: false });
    using screen = new Screen({ ...io, stdout }, terminal);
    screen.draw(["x".repeat(80), "\u001b[31mpainted\u001b[39m", ""]);
    expect(terminal.columns).toBe(80);
    columns = 30;
    expect(terminal.columns).toBe(30);
    const before = io.out.text.length;
    screen.draw(["x"]);
    expect(io.out.text.slice(before)).toContain("\u001b[5A"); // 3 + 1 + 1
    expect(stripVTControlCharacters(io.out.text)).toContain("painted");
  });
});

describe("earlier readings", () => {
  const latest: GlucoseReading = reading(120, { takenAtMs: 0, receivedAtMs: 0, timeOffsetMin: 1000 });
  type Answer = () => Promise<readonly (GlucoseReading | NoGlucoseValue)[] | undefined>;
  function opened(answers: Answer[], newest: () => Promise<LatestGlucose> = () => Promise.resolve(latest)) {
    const clock = new VirtualClock();
    const read: number[] = [];
    const asked: unknown[] = [];
    const ending = new AbortController();
    const earlier = new EarlierReadings({
      spanMs: SPAN_MS,
      clock,
      signal: ending.signal,
      onRead: (readings) => read.push(readings.length),
    });
    const session = {
      ended: undefined as PumpError | undefined,
      readLatest: newest,
      readReadings: ({ fromOffsetMin }: { fromOffsetMin?: number }) => {
        asked.push(fromOffsetMin);
        return answers.shift()!();
      },
    };
    return { clock, earlier, session, read, asked, ending };
  }
  const busy = (): Promise<never> => Promise.reject(new PumpError("ERR_PUMP_REFUSED", "The pump is busy."));

  test("are asked for again after a failure, which is told meanwhile", async () => {
    const { clock, earlier, session, read, asked } = opened([busy, busy, () => Promise.resolve([latest])]);
    const done = earlier.read(session);
    await clock.advance(1000);
    expect([earlier.problem, read]).toEqual(["Earlier readings are missing: The pump is busy.", []]);
    await clock.advance(15_000);
    expect(asked).toEqual([640, 640]);
    await clock.advance(60_000);
    await done;
    expect([earlier.problem, read, asked.length]).toEqual([undefined, [1], 3]);
  });

  test("none is an answer, and so is a pump that gives no ranges, or has no sensor", async () => {
    const none = opened([() => Promise.resolve([])]);
    await none.earlier.read(none.session);
    expect([none.earlier.problem, none.read]).toEqual([undefined, [0]]);
    const mute = opened([() => Promise.resolve(undefined)]);
    await mute.earlier.read(mute.session);
    expect(mute.earlier.problem).toMatch(/the pump does not give them/);
    const bare = opened([], () => Promise.resolve({ kind: "no-sensor", receivedAtMs: 0 }));
    await bare.earlier.read(bare.session);
    expect([bare.earlier.problem, bare.read, bare.asked]).toEqual([undefined, [0], []]);
  });

  test("a latest value that cannot be read is such a failure too", async () => {
    const { clock, earlier, session, ending } = opened([], busy);
    const done = earlier.read(session);
    await clock.advance(1000);
    expect(earlier.problem).toMatch(/The pump is busy/);
    ending.abort();
    await done;
  });

  test("of a session that has ended, or was followed by another, or of a command that ends, are not asked for again", async () => {
    const ended = opened([busy]);
    ended.session.readReadings = () => {
      ended.session.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "It is over.");
      return Promise.reject(ended.session.ended);
    };
    await ended.earlier.read(ended.session);
    expect(ended.earlier.problem).toBeUndefined();

    const { clock, earlier, session, ending, asked } = opened([busy, () => Promise.resolve([latest]), busy]);
    const first = earlier.read(session);
    await clock.advance(1000);
    await earlier.read({ ...session }); // the next one
    await clock.advance(600_000);
    await first;
    expect([asked.length, earlier.problem]).toEqual([2, undefined]);
    const last = earlier.read(session);
    await clock.advance(1000);
    ending.abort(new Error("Ctrl-C"));
    await last;
    expect([asked.length, clock.pending]).toEqual([3, []]);
  });
});
