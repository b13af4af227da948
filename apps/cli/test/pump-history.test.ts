import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtPage } from "../../minimed/page/build.js";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// The commands that follow a pump and look at its history, with the simulated pump of `sim:`, from end to end.

const digits = "3894555";
const clock = new FastClock();
let folder: string;
let store: string;
const env = () => ({ XDG_STATE_HOME: join(folder, "state"), XDG_DATA_HOME: join(folder, "data") });
const pump = (...args: string[]) => jelling(["pump", ...args], { clock, env: env() });
const look = (...args: string[]) => jelling(["pump", ...args, "--store", store], { env: env() });
const objects = (out: string): Record<string, unknown>[] =>
  out
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
  store = join(folder, "pump.sqlite");
});
afterAll(async () => {
  clock[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

describe("a pump that is followed", () => {
  test("status tells everything once, without the serial number", async () => {
    const { status, out, err } = await pump("status", "-t", "sim:");
    expect(status, err).toBe(0);
    expect(out).toMatch(/^glucose {2,}\d+ mg\/dL .*\n/);
    for (const label of ["insulin on board", "basal rate", "SmartGuard", "time in range", "pump", "sensor", "battery", "low limit"])
      expect(out).toMatch(new RegExp(`^${label} {2,}\\S`, "m"));
    const json = await pump("status", "-t", "sim:", "--json");
    const [state] = objects(json.out);
    expect(state).toMatchObject({ link: { kind: "ready" }, insulinOnBoard: { value: { insulinOnBoardIu: expect.any(Number) as number } } });
    expect(state!.features).toMatchObject({ value: { bits: expect.stringMatching(/^0x/) as string } });
    for (const text of [out, json.out]) expect(text).not.toContain(digits);
  });

  test("sync reads the whole history into the store, and the next time what is new", async () => {
    const first = await pump("sync", "-t", "sim:", "--store", store);
    expect(first.status, first.err).toBe(0);
    const [, records] = /^(\d+) new records; (\d+) in /.exec(first.out)!;
    expect(Number(records)).toBeGreaterThan(2000);
    expect(first.out).not.toContain(digits);
  });

  test("sync that is stopped on its way says what is to be done, and the next one goes on", async () => {
    const part = join(folder, "part.sqlite");
    const stopped = await pump("sync", "-t", "sim:", "--store", part, "--fault", "stop-transfer 400");
    expect([stopped.status, stopped.out]).toEqual([1, ""]);
    expect(stopped.err).toMatch(
      /^jelling: the history was not read to its end: .*[^.]; what came is kept, and the next sync goes on from there$/m,
    );
    const pumps = await jelling(["pump", "history", "--pumps", "--store", part, "--json"], { env: env() });
    expect(objects(pumps.out)).toHaveLength(1);
  });

  test("watch prints a line for each reading where there is no terminal, and ends with Ctrl-C", async () => {
    const io = fakeIo({ clock, env: env() });
    const done = main(["pump", "watch", "-t", "sim:"], io);
    await io.saw("mg/dL");
    io.stop();
    expect(await done).toBe(130);
    expect(io.out.text).toMatch(/^(2031-03-02 09:\d\d:\d\d {2})?\d+ mg\/dL/); // the first value may come before the pump's time
    expect(io.listeners).toBe(0);
  });

  test("watch ends well when its time is over and the pump was there; status says that it was not read to its end", async () => {
    const seen = await pump("watch", "-t", "sim:", "--timeout", "1m", "--json");
    expect([seen.status, seen.out.includes('"kind":"ready"')]).toEqual([0, true]);
    for (const state of objects(seen.out)) expect(state).toHaveProperty("link");
    expect(seen.err).not.toContain("jelling: ");
  });

  test("watch draws value, curve and state in a terminal, no line wider or higher than it is, and gives the cursor back", async () => {
    for (const [columns, rows] of [
      [80, 24],
      [132, 50],
      [40, 16],
    ] as const) {
      const io = fakeIo({ clock, env: { ...env(), LANG: "C.UTF-8" }, isTTY: true, columns, rows });
      const done = main(["pump", "watch", "-t", "sim:"], io);
      await io.saw("connected for");
      io.stop();
      expect(await done).toBe(130);
      const frames = io.out.text.split("\r").filter((frame) => frame.includes("mg/dL"));
      expect(frames.length).toBeGreaterThan(0);
      for (const frame of frames) {
        const lines = stripVTControlCharacters(frame).split("\n").slice(0, -1);
        expect(lines.length).toBeLessThan(rows);
        for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
      }
      expect(io.out.text).toContain("\u001b[?25l");
      expect(io.out.text.endsWith("\u001b[?25h")).toBe(true);
    }
  });

  test("web serves the page, says its address, and nothing is left when it ends", async () => {
    const io = fakeIo({ clock, env: env() });
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith("jelling-pump-"));
    // Nobody has to build before the tests.
    const done = main(["pump", "web", "-t", "sim:", "--port", "0", "--page-folder", await builtPage()], io);
    const failed = done.then((status) => Promise.reject(new Error(`it ended with ${status}: ${io.err.text}`)));
    await Promise.race([io.saw("new records"), failed]);
    failed.catch(() => undefined); // its end is asked for below
    const [, url] = /(http:\/\/127\.0\.0\.1:\d+\/\S+)/.exec(io.out.text)!;
    expect((await fetch(url!.split("#")[0]!)).headers.get("content-type")).toMatch(/html/);
    io.stop();
    expect(await done).toBe(130);
    await expect(fetch(url!)).rejects.toThrow();
    expect((await readdir(tmpdir())).filter((name) => name.startsWith("jelling-pump-"))).toEqual(before);
  });

  test.each([
    [["status"], /--keys FILE is missing/, 2],
    [["status", "-t", "sim:echo"], /no pump in this air: -t sim:pump has one/, 2],
    [["watch", "-t", "hci:0", "--speed", "10", "--keys", "x"], /--speed is for simulated pumps/, 2],
    [["sync", "-t", "sim:", "--speed", "0"], /speed "0"/, 2],
    [["watch", "-t", "sim:", "--unit", "mol"], /mg\/dL, mmol\/L/, 2],
    [["status", "-t", "sim:", "--timeout", "2s"], /no pump came within 2 s/, 1],
    [["watch", "-t", "sim:", "--timeout", "2s"], /no pump came within 2 s/, 1],
    [["web", "-t", "sim:", "--store", ""], /--store is empty/, 2],
  ])("%j is told in one line", async (args, says, expected) => {
    const { status, out, err } = await pump(...args);
    const lines = err.split("\n").filter((line) => line.startsWith("jelling:"));
    expect([status, out, lines.length]).toEqual([expected, "", 1]);
    expect(lines[0]).toMatch(says);
  });
});

describe("the history that was read", () => {
  const period = ["--last", "4w"];

  test("is listed by time, and by kind", async () => {
    const { status, out } = await look("history", ...period, "--kind", "bolus", "--kind", "meal");
    expect(status).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(10);
    expect(out).toMatch(/ {2}meal {11}meal, \d+ g\n/);
    expect(out).toMatch(/ {2}bolus {10}(fast bolus|automatic correction), [\d.]+ U\n/);
    const json = objects((await look("history", ...period, "--kind", "meal", "--json")).out);
    expect(json[0]).toMatchObject({
      kind: "meal",
      at: expect.stringMatching(/Z$/) as string,
      carbohydratesG: expect.any(Number) as number,
    });
    const boluses = objects((await look("history", ...period, "--kind", "bolus", "--json")).out);
    expect(new Set(boluses.map(({ kind }) => kind))).toEqual(new Set(["bolus"])); // and not what kind of bolus it was
    for (const { bolusKind } of boluses) expect(bolusKind).toMatch(/^(fast|extended|multiwave)$/);
    const twice = await look("history", ...period, "--kind", "meal", "--kind", "meal", "--json");
    expect(objects(twice.out)).toEqual(json);
    const times = json.map(({ at }) => at as string);
    expect(times).toEqual([...times].sort());
  });

  test("shows what is missing, and which pumps there are", async () => {
    const gaps = await look("history", ...period, "--gaps");
    expect(gaps.out).toMatch(/no glucose for/);
    const pumps = await look("history", "--pumps");
    expect(pumps.out).toMatch(/^[0-9a-f]{16} {2}\S+ {2}SIM-780, seen /);
    expect(pumps.out).not.toContain(digits);
    const [name] = pumps.out.split(" ");
    expect((await look("history", "--pump", name!, ...period, "--kind", "alert")).status).toBe(0);
    const unknown = await look("history", "--pump", "nobody");
    expect([unknown.status, unknown.err]).toEqual([1, expect.stringContaining(`holds no history of nobody; it has ${name!}`)]);
  });

  test("is exported as CSV and as JSON lines, the same events in both", async () => {
    const csv = (await look("export", "csv", ...period, "--kind", "meal", "--kind", "alert")).out.split("\r\n").slice(1, -1);
    const lines = objects((await look("export", "jsonl", ...period, "--kind", "meal", "--kind", "alert")).out);
    expect(csv.length).toBe(lines.length);
    expect(csv.length).toBeGreaterThan(10);
    expect(csv[0]!.split(",")[0]).toBe(lines[0]!.time_utc);
  });

  test("is shown as Nightscout would get it, and nothing is asked of the site", async () => {
    const { status, out, err } = await look(
      ...["export", "nightscout", "--url", "https://cgm.invalid", "--dry-run", "--from", "2026-01-01", "--json"],
    );
    expect([status, err]).toEqual([2, expect.stringMatching(/secret or a token/)]);
    expect(out).toBe("");
    const io = { env: { ...env(), JELLING_NIGHTSCOUT_TOKEN: "jelling-0123456789abcdef" } };
    const dry = await jelling(
      ["pump", "export", "nightscout", "--store", store, "--url", "https://cgm.invalid", "--dry-run", "--from", "2026-01-01", "--json"],
      io,
    );
    expect(dry.status, dry.err).toBe(0);
    expect(dry.out).not.toContain("0123456789abcdef");
    const requests = objects(dry.out);
    expect(requests[0]).toMatchObject({ method: "POST", path: "/api/v1/entries" });
  });

  test("that is not there is told in one line, and nothing is made", async () => {
    const missing = join(folder, "none.sqlite");
    for (const args of [["history"], ["export", "csv"], ["history", "--pumps"]]) {
      const { status, out, err } = await jelling(["pump", ...args, "--store", missing], { env: env() });
      expect([status, out]).toEqual([1, ""]);
      expect(err).toMatch(/^jelling: there is no history at .*: jelling pump sync reads a pump's\n$/);
    }
    expect(await readdir(folder)).not.toContain("none.sqlite");
  });

  test.each([
    [["--last", "yesterday"], /is no span of time/],
    [["--from", "1.3.2031"], /--from "1.3.2031": expected a day or a time/],
    [["--kind", "dinner"], /kind "dinner": expected one of glucose, bolus/],
    [["--from", "2031-03-02", "--last", "1h"], /leave one out/],
    [["--from", "2031-02-30"], /there is no such day/],
    [["--store", ""], /--store is empty/],
  ])("is not listed by %j", async (args, says) => {
    const { status, err } = await look("history", ...args);
    expect([status, err]).toEqual([2, expect.stringMatching(says)]);
  });
});
