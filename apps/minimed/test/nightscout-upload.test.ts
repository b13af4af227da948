import { expect, test } from "vitest";
import { MemoryNightscoutLedger, NightscoutError, NightscoutUploader, nightscoutDeviceStatus } from "../src/export/index.ts";
import { sha1Hex } from "../src/export/nightscout/identifier.ts";
import { at, DAY, HOUR, MemoryView, MINUTE, PUMP, seededView } from "./memory-view.ts";
import { RIGHTS, SERIAL, stateAt, World } from "./nightscout/world.ts";
import { violationsOf } from "./nightscout-rules.ts";
import { SECRET, SITE } from "./nightscout-server.ts";

const T = Date.UTC(2026, 2, 28, 22);
/** The end of three days, when nothing waits any more. */
const NOW = T + 3 * DAY + 12 * MINUTE;
const threeDays = seededView(1, { fromMs: T, days: 3 });
const reading = (atMs: number, sequenceNumber: number, mgdl = 100) => ({
  ...at(atMs, sequenceNumber),
  mgdl,
  cause: undefined,
  trendMgdlPerMin: undefined,
});
/** A few readings up to now. */
const few = (nowMs = NOW, count = 6): MemoryView =>
  new MemoryView({ glucose: Array.from({ length: count }, (_, i) => reading(nowMs - (count - i) * 5 * MINUTE, i, 100 + i)) });

test.each([
  ["v1", 48],
  ["v3", 6],
] as const)("%s: the first upload brings %i hours, each document once, and again it brings nothing", async (api, hours) => {
  const world = new World({ nowMs: NOW, view: threeDays, api, ...(hours !== 48 && { uploader: { firstUploadMs: hours * HOUR } }) });
  world.state = stateAt(NOW - 1000);
  const uploader = world.open();
  const report = await uploader.upload();
  expect(world.server.violations).toEqual([]);
  expect(world.found).toEqual(world.expected(NOW - hours * HOUR, NOW));
  expect(report).toMatchObject({
    sent: { entries: world.found.entries.length, treatments: world.found.treatments.length, devicestatus: 1 },
    unchanged: 0,
    refused: 0,
    warnings: [],
  });
  const before = world.posts.length;
  expect(await uploader.upload()).toMatchObject({ sent: { entries: 0, treatments: 0, devicestatus: 0 }, refused: 0 });
  expect(await world.open().upload()).toMatchObject({ sent: { entries: 0, treatments: 0, devicestatus: 0 } });
  expect(world.posts).toHaveLength(before);
  // More, when it is asked for.
  const fromMs = NOW - (hours + 12) * HOUR;
  await uploader.upload({ fromMs });
  expect(world.found).toEqual(world.expected(fromMs, NOW));
});

test("v1: the newest glucose first, then treatments, then one status, then what is older by days, the oldest first", async () => {
  const world = new World({ nowMs: NOW, view: threeDays });
  world.state = stateAt(NOW - 1000);
  await world.open().upload();
  const { posts } = world;
  const collections = posts.map(({ path }) => path.split("/").at(-1)!);
  const status = collections.indexOf("devicestatus");
  const recent = posts.slice(0, status);
  const entries = recent
    .filter(({ path }) => path.endsWith("entries"))
    .flatMap(({ documents }) => documents.map(({ date }) => date as number));
  expect(entries).toEqual(entries.toSorted((a, b) => b - a));
  expect(entries[0]).toBe(threeDays.newestMs);
  expect(Math.min(...entries)).toBeGreaterThanOrEqual(NOW - 6 * HOUR);
  expect(collections.slice(0, status)).toEqual(collections.slice(0, status).toSorted()); // "entries" before "treatments"
  const older = posts.slice(status + 1).filter(({ path }) => path.endsWith("entries"));
  const dates = older.flatMap(({ documents }) => documents.map(({ date }) => date as number));
  expect(dates).toEqual(dates.toSorted((a, b) => a - b));
  expect(Math.max(...posts.map(({ documents }) => documents.length))).toBeLessThanOrEqual(50);
  expect(Math.max(...world.server.requests.map(({ body }) => body.length))).toBeLessThan(100_000);
  expect(posts.length).toBeLessThan(40);
});

test("credentials are in headers, never in an address, a line of the log, an error or the ledger; no serial number anywhere", async () => {
  for (const api of ["v1", "v3"] as const) {
    const world = new World({ nowMs: NOW, view: few(), api });
    world.state = stateAt(NOW - 1000);
    const rows: unknown[] = [];
    const ledger = Object.assign(new MemoryNightscoutLedger(), {
      put(this: MemoryNightscoutLedger, site: string, all: Parameters<MemoryNightscoutLedger["put"]>[1]) {
        rows.push(site, all);
        MemoryNightscoutLedger.prototype.put.call(this, site, all);
      },
    });
    const uploader = world.open({ ledger });
    await uploader.upload();
    world.server.faults = () => ({
      kind: "status",
      status: 400,
      message: `no ${api === "v1" ? `${SECRET} ${sha1Hex(SECRET)}` : world.token} token=abc`,
    });
    const error = await uploader.check().catch((one: unknown) => one);
    expect(error).toBeInstanceOf(NightscoutError);
    world.server.faults = () => ({ kind: "closed" });
    const gone = (await uploader.check().catch((one: unknown) => one)) as Error;
    expect(gone.cause).toBeUndefined();
    const jwts = world.server.requests.flatMap(({ headers }) => headers.authorization?.split(" ")[1] ?? []);
    const secret = [SECRET, sha1Hex(SECRET), world.token, sha1Hex(world.token), SERIAL, SERIAL.slice(2, 9), "site.example/", ...jwts];
    const shown = JSON.stringify([
      world.lines,
      rows,
      [error, gone].map((one) => [String(one), { ...(one as object) }, (one as Error).stack]),
      uploader,
    ]);
    for (const text of secret) expect(shown).not.toContain(text);
    expect(world.lines.length).toBeGreaterThan(5);
    for (const { path, query, body } of world.server.requests) {
      expect(`${query}${body}`).not.toContain(SERIAL);
      if (!path.startsWith("/api/v2/authorization/request/"))
        for (const text of secret.slice(0, 4)) expect(`${path}?${query}`).not.toContain(text);
    }
  }
});

test.each(["v1", "v3"] as const)("%s: at the first 401 it stops for good", async (api) => {
  const world = new World({ nowMs: NOW, view: few(), api });
  const site = api === "v1" ? { url: SITE, secret: "another-secret-1" } : { url: SITE, token: "jelling-0000000000000000" };
  const uploader = world.open({ site });
  await expect(uploader.upload()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_UNAUTHORIZED", status: 401 });
  const asked = world.server.requests.length;
  expect(uploader.halted).toMatchObject({ code: "ERR_NIGHTSCOUT_UNAUTHORIZED" });
  await expect(uploader.upload()).rejects.toBe(uploader.halted);
  await expect(uploader.check()).rejects.toBe(uploader.halted);
  await expect(uploader.run({ signal: new AbortController().signal })).rejects.toBe(uploader.halted);
  expect(world.server.requests).toHaveLength(asked);
  expect(world.server.auth.failures).toBeLessThanOrEqual(1);
  expect(world.found).toEqual({ entries: [], treatments: [] });
});

test("v1: a token that may only read is found out at the look, before anything is sent", async () => {
  const world = new World({ nowMs: NOW, view: few() });
  const token = world.server.addToken("reader", ["readable"]);
  await expect(world.open({ site: { url: `${SITE}/?token=${token}` } }).upload()).rejects.toMatchObject({ status: 401 });
  expect(world.posts).toEqual([]);
  const narrow = world.open({ site: { url: `${SITE}/`, token: world.token }, api: "auto" });
  expect(await narrow.check()).toMatchObject({ api: "v1", canWrite: { entries: true }, warnings: [] });
  await narrow.upload();
  expect(world.found.entries).toHaveLength(6);
});

test("v1: a token without the right to the site's status is no wrong token", async () => {
  const world = new World({ nowMs: NOW, view: few(), server: { defaultRoles: ["denied"] } });
  const token = world.server.addToken("narrow", ["api:entries,treatments,devicestatus:create,read"]);
  const uploader = world.open({ site: { url: SITE, token } });
  expect(await uploader.check()).toMatchObject({ server: "nightscout", clockAheadMs: undefined, version: undefined });
  expect(await uploader.upload()).toMatchObject({ sent: { entries: 6 } });
  expect(world.server.auth.failures).toBe(0);
  // One that may not even read entries can write none.
  const blind = new World({ nowMs: NOW, view: few(), server: { defaultRoles: ["denied"] } });
  const blinded = blind.server.addToken("blind", ["api:entries:create"]);
  await expect(blind.open({ site: { url: SITE, token: blinded } }).upload()).rejects.toMatchObject({ status: 401 });
});

test("the interface is chosen by option, by what was used before, or asked", async () => {
  const world = new World({ nowMs: NOW, view: few(), api: "v3" });
  const site = { url: SITE, token: world.token };
  expect((await world.open({ site, api: "auto" }).check()).api).toBe("v1");
  await world.open().upload(); // by v3
  expect((await world.open({ site, api: "auto" }).check()).api).toBe("v3");
  expect((await world.open({ site, api: "v1" }).check()).warnings).toMatchObject([{ kind: "other_api" }]);
  const only3 = new World({ nowMs: NOW, view: few(), server: { apis: ["v3"] } });
  const auto = only3.open({ site: { url: SITE, token: only3.token }, api: "auto" });
  await auto.upload();
  expect(only3.found.entries).toHaveLength(6);
  const old = new World({ nowMs: NOW, view: few() });
  old.server.faults = ({ path }) => (path === "/api/versions" ? { kind: "status", status: 404 } : undefined);
  expect((await old.open({ site: { url: SITE, token: old.token }, api: "auto" }).check()).api).toBe("v1");
});

test("a look tells of other uploaders, clocks that differ, what may not be written, and plain HTTP", async () => {
  const world = new World({ nowMs: NOW, view: few() });
  const entry = { type: "sgv", sgv: 100, date: NOW - 30 * MINUTE };
  for (const [i, device] of ["xDrip-1", "xDrip-1", "jelling://780G", undefined].entries())
    world.server.state.insert("entries", { ...entry, date: entry.date + i * 1000, ...(device && { device }) });
  world.server.state.insert("entries", { ...entry, device: "old", date: NOW - 61 * MINUTE });
  const { warnings, foreignDevices } = await world.open().check();
  expect(foreignDevices.toSorted()).toEqual(["unnamed", "xDrip-1"]);
  expect(warnings.map(({ kind }) => kind)).toEqual(["other_uploader", "other_uploader"]);
  expect((await world.open().upload()).warnings.map(({ kind }) => kind)).toEqual(["other_uploader", "other_uploader"]);

  const ahead = new World({ nowMs: NOW, view: few(), server: { now: () => NOW + 200_000 } });
  expect(await ahead.open().check()).toMatchObject({
    clockAheadMs: 200_000,
    warnings: [{ kind: "clock" }],
    server: "nightscout",
    version: "15.0.7",
  });

  const closed = new World({ nowMs: NOW, view: few(), server: { careportal: false } });
  expect((await closed.open().check()).warnings).toMatchObject([{ kind: "not_writable" }]);

  const v3 = new World({ nowMs: NOW, view: few(), api: "v3" });
  const token = v3.server.addToken("narrow", ["api:entries:create,read"]);
  expect(
    (await v3.open({ site: { url: SITE, token } }).check()).warnings.map(({ kind, detail }) => `${kind} ${detail.split(":")[0]}`),
  ).toEqual(["not_writable treatments", "not_writable devicestatus", "not_updatable documents that are there cannot be corrected"]);
  const plain = new World({ nowMs: NOW, view: few(), server: { httpsOnly: false } });
  const http = plain.open({ site: { url: "http://site.example", secret: SECRET } });
  expect((await http.check()).warnings).toMatchObject([{ kind: "plain_http" }]);
  for (const host of ["localhost:1337", "127.0.0.1", "[::1]:80"])
    expect((await plain.open({ site: { url: `http://${host}`, secret: SECRET } }).check()).warnings).toEqual([]);
  const moved = new World({ nowMs: NOW, view: few() });
  expect((await moved.open({ site: { url: "http://site.example", secret: SECRET } }).check()).warnings).toMatchObject([
    { kind: "plain_http" },
  ]);
});

test("what the site does not take at all is left out, the rest goes on", async () => {
  const view = few();
  view.events.meals = [{ ...at(NOW - HOUR, 50), carbohydratesG: 20 }];
  const world = new World({ nowMs: NOW, view, server: { careportal: false } });
  const uploader = world.open();
  expect(await uploader.upload()).toMatchObject({ sent: { entries: 6, treatments: 0 }, warnings: [{ kind: "not_writable" }] });
  // A right that was taken away is found at the request.
  const v3 = new World({ nowMs: NOW, view, api: "v3" });
  v3.server.faults = ({ path }) =>
    path === "/api/v3/treatments" ? { kind: "status", status: 403, message: "Missing permission api:treatments:create" } : undefined;
  v3.state = stateAt(NOW - 1000);
  const report = await v3.open().upload();
  expect(report).toMatchObject({ sent: { entries: 6, treatments: 0, devicestatus: 1 } });
  expect(report.warnings).toMatchObject([{ kind: "not_writable", detail: "treatments: Missing permission api:treatments:create" }]);
  v3.server.faults = [];
  expect(await v3.open().upload()).toMatchObject({ sent: { treatments: 1 } });
});

test("plain HTTP is followed to https, and nowhere else", async () => {
  const world = new World({ nowMs: NOW, view: few() });
  await world.open({ site: { url: "http://site.example//", secret: SECRET } }).upload();
  expect(world.found.entries).toHaveLength(6);
  expect(world.server.requests.filter(({ protocol }) => protocol === "http")).toHaveLength(1);
  for (const location of [
    "https://elsewhere.example/api/v1/status.json",
    "http://site.example/api/v1/status.json",
    "https://site.example/other",
    "https://site.example:8443/api/v1/status.json",
    "::",
    "",
  ]) {
    const other = new World({ nowMs: NOW, view: few() });
    other.server.faults = [{ kind: "redirect", status: 307, location }];
    await expect(other.open().check()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_REDIRECT" });
    expect(other.server.requests).toHaveLength(1);
  }
  const round = new World({ nowMs: NOW, view: few() });
  round.server.faults = ({ path }) => ({ kind: "redirect", status: 308, location: `${SITE}${path}` });
  await expect(round.open().check()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_REDIRECT" });
  // A POST that would become a GET is not followed.
  const post = new World({ nowMs: NOW, view: few() });
  post.server.faults = ({ method, path }) =>
    method === "POST" ? { kind: "redirect", status: 302, location: `${SITE}${path}` } : undefined;
  await expect(post.open().upload()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_REDIRECT", status: 302 });
});

test("a site under a path", async () => {
  const world = new World({ nowMs: NOW, view: few(), server: { basePath: "/ns" } });
  await world.open({ site: { url: `${SITE}/ns/`, secret: SECRET } }).upload();
  expect(world.found.entries).toHaveLength(6);
});

test("events in the site's future are held, and the clock is named", async () => {
  const view = few();
  view.events.glucose.push(reading(NOW + MINUTE, 50), reading(NOW + 3 * MINUTE, 51), reading(NOW + HOUR, 52));
  const world = new World({ nowMs: NOW, view });
  const uploader = world.open();
  const report = await uploader.upload();
  expect(report).toMatchObject({ sent: { entries: 7 }, held: 2, warnings: [{ kind: "clock" }] });
  await world.clock.advance(2 * HOUR);
  expect(await uploader.upload()).toMatchObject({ sent: { entries: 2 }, held: 0, warnings: [] });
  // By the site's clock, not by ours.
  const behind = new World({ nowMs: NOW, view: few(), server: { now: () => NOW - 11 * MINUTE, isStrict: false } });
  expect(await behind.open().upload()).toMatchObject({ sent: { entries: 5 }, held: 1 });
});

test("what nobody did by hand waits until it cannot snooze an alarm; boluses and meals go at once", async () => {
  const view = few();
  view.events.meals = [{ ...at(NOW - 3 * MINUTE, 60), carbohydratesG: 20 }];
  view.events.suspensions = [{ ...at(NOW - 4 * MINUTE, 61), reason: "user_suspended", endedAtMs: undefined, endReason: undefined }];
  view.events.glucose.push(reading(NOW - 10_000, 62));
  const world = new World({ nowMs: NOW, view });
  const uploader = world.open();
  expect(await uploader.upload()).toMatchObject({ sent: { treatments: 1 }, held: 1 });
  await world.clock.advance(6 * MINUTE + 2000);
  expect(await uploader.upload()).toMatchObject({ sent: { treatments: 1 }, held: 0 });
  expect(world.server.documents("treatments").map(({ eventType }) => eventType)).toEqual(["Carb Correction", "Temp Basal"]);
});

test("a dry run asks the site nothing, and gives what is then sent", async () => {
  for (const api of ["v1", "v3"] as const) {
    const world = new World({ nowMs: NOW, view: seededView(2, { fromMs: NOW - DAY / 2 - 12 * MINUTE, days: 0.5 }), api });
    world.state = stateAt(NOW - 1000);
    const uploader = world.open();
    const planned = [];
    for await (const request of uploader.dryRun()) planned.push(request);
    expect(world.server.requests).toEqual([]);
    await uploader.upload();
    expect(planned.map(({ path, body }) => ({ path, documents: [body].flat() }))).toEqual(world.posts);
    for await (const request of uploader.dryRun()) expect.fail(JSON.stringify(request));
  }
});

test("device status: once in five minutes, with something new, and never again after an unclear answer", async () => {
  const world = new World({ nowMs: NOW, view: few() });
  const uploader = world.open();
  const count = (): number => world.server.documents("devicestatus").length;
  world.state = stateAt(NOW - 1000);
  await uploader.upload();
  await uploader.upload();
  expect(count()).toBe(1);
  await world.clock.advance(5 * MINUTE);
  await uploader.upload(); // nothing was read since
  expect(count()).toBe(1);
  world.state = stateAt(world.nowMs - 500);
  await world.open().upload(); // another run
  expect(count()).toBe(2);
  world.state = stateAt(world.nowMs - 100);
  await world.open().upload();
  expect(count()).toBe(2);
  for (const kind of ["silent_after_storing", "closed_after_storing", "empty_array_after_storing", "closed"] as const) {
    await world.clock.advance(6 * MINUTE);
    world.state = stateAt(world.nowMs - 100);
    const before = world.posts.filter(({ path }) => path.endsWith("devicestatus")).length;
    let hit = false;
    world.server.faults = ({ path }) => {
      if (hit || !path.endsWith("devicestatus")) return undefined;
      hit = true;
      return { kind };
    };
    await world.open().upload();
    expect(hit).toBe(true);
    expect(world.posts.filter(({ path }) => path.endsWith("devicestatus"))).toHaveLength(before + 1);
  }
  expect(world.server.violations).toEqual([]);
});

test("device status: what it holds", () => {
  const status = nightscoutDeviceStatus(stateAt(NOW - 30_000), { nowMs: NOW })!;
  expect(violationsOf("devicestatus", status, { nowMs: NOW, forbidden: [SERIAL] })).toEqual([]);
  const at30 = new Date(NOW - 30_000).toISOString();
  expect(status).toEqual({
    device: "jelling://780G",
    created_at: at30,
    pump: {
      clock: at30,
      manufacturer: "Medtronic",
      model: "MMT-1886",
      reservoir: 143.25,
      battery: { percent: 75 },
      iob: { timestamp: at30, iob: 1.35, bolusiob: 1.35 },
      status: { status: "normal", suspended: false, bolusing: false, timestamp: at30 },
      extended: { SmartGuard: "auto basal mode", "Transmitter battery": "90 %", "In range, 24 h": "88 %" },
    },
  });
  // By the wall clock, whatever the state's clock counts from; and never in the site's future.
  expect(nightscoutDeviceStatus(stateAt(5000, {}, NOW - 35_000), { nowMs: NOW })).toMatchObject({ created_at: at30 });
  expect(nightscoutDeviceStatus(stateAt(NOW), { nowMs: NOW, siteMs: NOW - 30_000 })).toMatchObject({
    created_at: at30,
    pump: { clock: at30 },
  });
  const told = <V>(value: V, atMs = NOW): { value: V; atMs: number } => ({ value, atMs });
  const stopped = {
    ...stateAt(NOW).values.status!.value!,
    therapyControlState: "stop",
    sensorMessage: "warm_up",
    reservoirRemainingIu: 0,
  } as const;
  const bolus = { bolusId: 1, programmed: undefined, delivered: undefined };
  expect(nightscoutDeviceStatus(stateAt(NOW, { status: told(stopped), boluses: told([bolus]) }), { nowMs: NOW })).toMatchObject({
    pump: { reservoir: 0, status: { status: "suspended", suspended: true, bolusing: true }, extended: { Sensor: "warm up" } },
  });
  const odd = { ...stopped, therapyControlState: 99, reservoirRemainingIu: undefined } as const;
  const pump = nightscoutDeviceStatus(
    stateAt(NOW, { status: told(odd), information: told({ ...stateAt(0).values.information!.value!, model: `X ${SERIAL}` }) }),
    { nowMs: NOW },
  )!.pump;
  expect(pump.status).toMatchObject({ status: "state 99", suspended: false });
  expect(pump).not.toHaveProperty("reservoir");
  expect(pump).not.toHaveProperty("model");
  // Old values are not told as new ones, and nothing at all where nothing is new.
  const old = nightscoutDeviceStatus(stateAt(NOW, { insulinOnBoard: { ...stateAt(0).values.insulinOnBoard!, atMs: NOW - 16 * MINUTE } }), {
    nowMs: NOW,
  })!;
  expect(old.pump).not.toHaveProperty("iob");
  expect(nightscoutDeviceStatus(stateAt(NOW - 16 * MINUTE), { nowMs: NOW })).toBeUndefined();
  expect(nightscoutDeviceStatus({ ...stateAt(NOW), values: {} }, { nowMs: NOW })).toBeUndefined();
  expect(nightscoutDeviceStatus({ ...stateAt(NOW), values: { battery: told(5) } }, { nowMs: NOW })!.pump).toEqual({
    clock: new Date(NOW).toISOString(),
    manufacturer: "Medtronic",
    battery: { percent: 5 },
  });
});

test("a ledger that does not keep, keeps anything from being sent", async () => {
  const world = new World({ nowMs: NOW, view: few() });
  const full = Object.assign(new MemoryNightscoutLedger(), {
    put() {
      throw new Error("disk full");
    },
  });
  await expect(world.open({ ledger: full }).upload()).rejects.toThrow("disk full");
  expect(world.posts).toEqual([]);
});

test("over loopback with the platform's fetch, v1 and v3", async () => {
  for (const api of ["v1", "v3"] as const) {
    const view = few(Date.now());
    const world = new World({ nowMs: Date.now(), view, api, server: { httpsOnly: false, now: Date.now } });
    const { url, close } = await world.server.listen();
    try {
      const site = api === "v1" ? { url, secret: SECRET } : { url, token: world.token };
      const uploader = new NightscoutUploader({ site, api, view, pump: PUMP });
      expect(await uploader.upload()).toMatchObject({ sent: { entries: 6 } });
      world.server.faults = [{ kind: "closed_after_storing" }];
      await expect(uploader.check()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_UNAVAILABLE" });
    } finally {
      await close();
    }
    await expect(new NightscoutUploader({ site: { url, token: world.token }, view, pump: PUMP }).check()).rejects.toMatchObject({
      code: "ERR_NIGHTSCOUT_UNAVAILABLE",
      isUnclear: false, // refused: nothing left
    });
  }
});

test("what is asked for wrongly is refused, and no secret is repeated", () => {
  const good = { site: { url: SITE, secret: SECRET }, view: few(), pump: PUMP };
  const made =
    (more: object): (() => unknown) =>
    () =>
      new NightscoutUploader({ ...good, ...more } as never);
  const sites: [object, string][] = [
    [{ url: "ftp://x", secret: SECRET }, "https://"],
    [{ url: "not an address", secret: SECRET }, "expected an address"],
    [{ url: 5, secret: SECRET }, "expected an address"],
    [{ url: `${SITE}?secret=${SECRET}`, secret: SECRET }, "without a query"],
    [{ url: `https://user:${SECRET}@x.example`, secret: SECRET }, "without a user"],
    [{ url: SITE }, "either a secret or a token"],
    [{ url: SITE, secret: SECRET, token: "a-0123456789abcdef" }, "either a secret or a token"],
    [{ url: `${SITE}?token=a-0123456789abcdef`, secret: SECRET }, "either a secret or a token"],
    [{ url: SITE, secret: "short" }, "12 characters"],
    [{ url: SITE, secret: "with a line\nin it" }, "without blanks"],
    [{ url: SITE, token: "" }, "without blanks"],
    [{ url: SITE, tokn: "x" }, 'did you mean "token"'],
  ];
  for (const [site, message] of sites) {
    expect(made({ site })).toThrow(message);
    try {
      made({ site })();
    } catch (error) {
      expect(String((error as Error).stack)).not.toContain(SECRET);
    }
  }
  expect(made({ site: undefined })).toThrow("null");
  expect(made({ api: "v2" })).toThrow("api");
  expect(made({ api: "v3" })).toThrow("needs a token");
  expect(made({ pump: SERIAL })).toThrow("16 hexadecimal digits");
  expect(made({ view: {} })).toThrow("view");
  expect(made({ ledger: {} })).toThrow("ledger");
  expect(made({ fetch: 1 })).toThrow("fetch");
  expect(made({ state: {} })).toThrow("state");
  expect(made({ wallClock: 1 })).toThrow("wallClock");
  expect(made({ firstUploadMs: -1 })).toThrow("firstUploadMs");
  expect(made({ timeoutMs: 0 })).toThrow("timeoutMs");
  expect(made({ mapping: { limit: "value" } })).toThrow('did you mean "limits"');
  expect(made({ maping: {} })).toThrow('did you mean "mapping"');
  expect(() => new NightscoutUploader(undefined as never)).toThrow("null");
});

test("wrong options of an upload", async () => {
  const uploader = new World({ nowMs: NOW, view: few() }).open();
  await expect(uploader.upload({ fromMs: Number.NaN })).rejects.toThrow("fromMs");
  await expect(uploader.upload({ attempts: 0 })).rejects.toThrow("attempts");
  await expect(uploader.upload({ signal: 1 as never })).rejects.toThrow("signal");
  await expect(uploader.upload({ attempt: 1 } as never)).rejects.toThrow("attempts");
  await expect(uploader.check({ timeoutMs: -1 })).rejects.toThrow("timeoutMs");
  await expect(uploader.run(undefined as never)).rejects.toThrow("null");
  await expect(uploader.run({ signal: new AbortController().signal, intervalMs: 1 })).rejects.toThrow("intervalMs");
  await expect(uploader.dryRun({ fromMs: Number.NaN }).next()).rejects.toThrow("fromMs");
  expect(RIGHTS).toHaveLength(2);
});
