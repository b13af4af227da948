import { expect, test } from "vitest";
import { MemoryNightscoutLedger, type NightscoutError } from "../src/export/index.ts";
import { at, HOUR, MemoryView, MINUTE } from "./memory-view.ts";
import { FROM, NOW, options } from "./nightscout/sparse.ts";
import { World } from "./nightscout/world.ts";
import { type ServerFault, SITE } from "./nightscout-server.ts";

test("a site that stays away is left alone for 1, 2, 4 … 15 minutes, more or less; the last attempt says why", async () => {
  const world = new World(options("v1"));
  world.server.faults = () => ({ kind: "status", status: 500 });
  const times: number[] = [];
  const fetch: typeof world.server.fetch = (url, init) => {
    times.push(world.nowMs);
    return world.server.fetch(url, init);
  };
  await expect(world.open({ fetch }).upload({ attempts: 8 })).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_UNAVAILABLE", status: 500 });
  const minutes = times.slice(1).map((time, i) => (time - times[i]!) / MINUTE);
  expect(minutes).toHaveLength(7);
  for (const [i, expected] of [1, 2, 4, 8, 15, 15, 15].entries()) {
    expect(minutes[i]).toBeGreaterThanOrEqual(expected * 0.8);
    expect(minutes[i]).toBeLessThanOrEqual(expected * 1.2);
  }
  expect(new Set(minutes.map((one) => Math.round(one * 1000))).size).toBe(7); // no two the same
  expect(world.lines.filter((line) => line.includes("next attempt in"))[0]).toContain(`next attempt in ${Math.round(minutes[0]! * 60)} s`);
});

test("Retry-After is kept, in seconds and as a date, and not more than a day", async () => {
  for (const [retryAfter, least, most] of [
    ["600", 600, 660],
    [new Date(NOW + 300_000).toUTCString(), 300, 361],
    ["0", 0, 0],
    ["Thu, 01 Jan 2026 00:00:00 GMT", 0, 0],
    ["9999999999", 86_400, 86_412],
    ["soon", 48, 72],
    ["-5", 48, 72],
    ["1.5", 48, 72],
  ] as const) {
    const world = new World(options("v1"));
    world.server.faults = [{ kind: "status", status: 429, retryAfter }];
    await world.open().upload();
    const waited = (world.nowMs - NOW) / 1000;
    expect(waited, retryAfter).toBeGreaterThanOrEqual(least);
    expect(waited, retryAfter).toBeLessThanOrEqual(most);
  }
});

test("what is refused is not tried again, and bad documents do not hold up good ones", async () => {
  const view = new MemoryView({
    glucose: Array.from({ length: 9 }, (_, i) => ({
      ...at(NOW - (10 - i) * 5 * MINUTE, i),
      mgdl: 100 + i,
      cause: undefined,
      trendMgdlPerMin: undefined,
    })),
  });
  for (const status of [400, 422, 413]) {
    const world = new World({ nowMs: NOW, view });
    world.server.faults = ({ path, body }) =>
      path.endsWith("/entries") && body.includes('"sgv":104') ? { kind: "status", status } : undefined;
    const report = await world.open().upload();
    expect(report).toMatchObject({ sent: { entries: 8 }, refused: 1 });
    const asked = world.posts.length;
    expect(await world.open().upload()).toMatchObject({ sent: { entries: 0 }, refused: 0 });
    expect(world.posts).toHaveLength(asked);
    // Another content is another try.
    world.server.faults = [];
    world.view = new MemoryView({ glucose: view.events.glucose.map((point) => ({ ...point, mgdl: point.mgdl! + 50 })) });
    expect(await world.open().upload()).toMatchObject({ sent: { entries: 9 } });
  }
  // A site that refuses everything is not asked document by document.
  const world = new World({ nowMs: NOW, view });
  world.server.faults = ({ method }) => (method === "POST" ? { kind: "status", status: 400 } : undefined);
  await expect(world.open().upload()).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_REFUSED", status: 400 });
  expect(world.posts.length).toBeLessThan(10);
});

test("v3: a new JWT when the site's key changed, once; and before the old one ends", async () => {
  const world = new World(options("v3"));
  const uploader = world.open();
  await uploader.check();
  const logins = (): number => world.server.requests.filter(({ path }) => path.startsWith("/api/v2/authorization")).length;
  expect(logins()).toBe(1);
  world.server.auth.changeKey();
  await uploader.upload();
  expect(logins()).toBe(2);
  await world.clock.advance(8 * HOUR - 4 * MINUTE);
  await uploader.check();
  expect(logins()).toBe(3);
  expect(world.server.auth.failures).toBe(1);
  // A site that takes no JWT at all is not asked for ever.
  const broken = new World(options("v3"));
  broken.server.faults = ({ path }) => (path.startsWith("/api/v3") ? { kind: "status", status: 401 } : undefined);
  await expect(broken.open().upload()).rejects.toMatchObject({ status: 401 });
  expect(broken.server.requests).toHaveLength(2);
});

test("v3: what is there from v1, or cannot be replaced, is there", async () => {
  const view = new MemoryView({
    glucose: [{ ...at(NOW - 5 * MINUTE, 1), mgdl: 100, cause: undefined, trendMgdlPerMin: undefined }],
    meals: [{ ...at(NOW - HOUR, 2), carbohydratesG: 30 }],
  });
  const world = new World({ nowMs: NOW, view });
  await world.open().upload();
  const site = { url: SITE, token: world.token };
  const fresh = new MemoryNightscoutLedger();
  expect(await world.open({ site, api: "v3", ledger: fresh }).upload()).toMatchObject({ sent: { entries: 1, treatments: 1 }, refused: 0 });
  expect(world.server.documents("entries")).toHaveLength(1);
  expect(world.server.documents("treatments")).toHaveLength(1);
  // Another one's document of the same time and type is not ours: what is refused then is refused.
  const other = new World({ nowMs: NOW, view, api: "v3" });
  other.server.faults = ({ path, method }) =>
    method === "POST" && path === "/api/v3/treatments"
      ? { kind: "status", status: 400, message: "Field date cannot be modified by the client" }
      : undefined;
  expect(await other.open().upload()).toMatchObject({ sent: { treatments: 0 }, refused: 1 });

  const create = new World({ nowMs: NOW, view, api: "v3" });
  const token = create.server.addToken("create", ["api:status:read", "api:entries,treatments,devicestatus:create,read"]);
  await create.open({ site: { url: SITE, token } }).upload();
  const again = await create.open({ site: { url: SITE, token }, ledger: new MemoryNightscoutLedger() }).upload();
  expect(again).toMatchObject({ sent: { entries: 1, treatments: 1 }, refused: 0 });
  expect(again.warnings.map(({ kind }) => kind)).toEqual(["not_updatable"]);
});

test("v3: a site that does not tell of rights is written to all the same", async () => {
  const world = new World(options("v3"));
  world.server.faults = ({ path }) =>
    path === "/api/v3/status" ? { kind: "status", status: 403, message: "Missing permission api:status:read" } : undefined;
  expect(await world.open().check()).toMatchObject({ canWrite: { entries: undefined }, canUpdate: true, warnings: [] });
  await world.open().upload();
  expect(world.found).toEqual(world.expected(FROM.v3, NOW));
});

test("v3: an answer that says nothing of the document is no success", async () => {
  const world = new World(options("v3"));
  world.server.faults = ({ method }) => (method === "POST" ? { kind: "empty_array" } : undefined);
  await expect(world.open().upload({ attempts: 1 })).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_ANSWER", isUnclear: true });
});

test("what a site says of itself is taken where it is text and numbers", async () => {
  const world = new World(options("v1"));
  const fetch: typeof world.server.fetch = async (url, init) => {
    const response = await world.server.fetch(url, init);
    if (!String(url).includes("/status.json")) return response;
    return Response.json({ status: "ok", name: 5, version: "", serverTimeEpoch: "now", careportalEnabled: null });
  };
  expect(await world.open({ fetch }).check()).toMatchObject({
    server: "nightscout",
    name: undefined,
    version: undefined,
    clockAheadMs: undefined,
    canWrite: { treatments: true },
    warnings: [],
  });
  for (const body of ["[]", "null", "5", "{}"]) {
    const other = new World(options("v1"));
    const odd: typeof fetch = async (url, init) =>
      String(url).includes("/api/v1/entries")
        ? new Response(body, { headers: { "content-type": "application/json" } })
        : await other.server.fetch(url, init);
    const checked = other.open({ fetch: odd }).check();
    if (body === "[]") expect(await checked).toMatchObject({ foreignDevices: [] });
    else await expect(checked).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_ANSWER" });
  }
});

test("errors say what may be done next", async () => {
  const outcomes: [ServerFault, Partial<NightscoutError>][] = [
    [
      { kind: "status", status: 401 },
      { code: "ERR_NIGHTSCOUT_UNAUTHORIZED", isRetryable: false },
    ],
    [
      { kind: "status", status: 403 },
      { code: "ERR_NIGHTSCOUT_FORBIDDEN", isRetryable: false, reason: "No" },
    ],
    [
      { kind: "status", status: 403, page: true },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isRetryable: true },
    ],
    [
      { kind: "status", status: 400 },
      { code: "ERR_NIGHTSCOUT_REFUSED", isRetryable: false },
    ],
    [
      { kind: "status", status: 404 },
      { code: "ERR_NIGHTSCOUT_REFUSED", isRetryable: false },
    ],
    [
      { kind: "status", status: 413 },
      { code: "ERR_NIGHTSCOUT_TOO_LARGE", isRetryable: false },
    ],
    [
      { kind: "status", status: 422 },
      { code: "ERR_NIGHTSCOUT_REFUSED", isRetryable: false },
    ],
    [
      { kind: "status", status: 408 },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isRetryable: true, isUnclear: true },
    ],
    [
      { kind: "status", status: 425 },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isRetryable: true, isUnclear: false },
    ],
    [
      { kind: "status", status: 429 },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isRetryable: true, isUnclear: false },
    ],
    [
      { kind: "status", status: 500 },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isRetryable: true, isUnclear: true },
    ],
    [
      { kind: "status", status: 503, retryAfter: "9" },
      { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isUnclear: false, retryAfterMs: 9000 },
    ],
    [{ kind: "page" }, { code: "ERR_NIGHTSCOUT_ANSWER", isRetryable: true, status: 200 }],
    [{ kind: "silent" }, { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isUnclear: true }],
    [{ kind: "slow_body" }, { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isUnclear: true }],
    [{ kind: "endless_body" }, { code: "ERR_NIGHTSCOUT_ANSWER", isUnclear: true }],
    [{ kind: "closed" }, { code: "ERR_NIGHTSCOUT_UNAVAILABLE", isUnclear: true }],
  ];
  for (const [fault, expected] of outcomes) {
    const world = new World(options("v1"));
    world.server.faults = [fault];
    const error = (await world
      .open()
      .check()
      .catch((one: unknown) => one)) as NightscoutError;
    expect(error, JSON.stringify(fault)).toMatchObject(expected);
    expect(world.nowMs - NOW).toBe(fault.kind === "silent" || fault.kind === "slow_body" ? 30_000 : 0);
  }
});

test("a fetch that minds no signal, and one that never answers, hold nothing up", async () => {
  const world = new World(options("v1"));
  const controller = new AbortController();
  const uploading = world.open({ fetch: () => new Promise(() => undefined) }).upload({ signal: controller.signal, attempts: 2 });
  await expect(uploading).rejects.toMatchObject({ code: "ERR_NIGHTSCOUT_UNAVAILABLE" });
  const other = world.open({ fetch: () => new Promise(() => undefined) }).upload({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await expect(other).rejects.toThrow("enough");
});

test("a look is over within its time, whatever it waits for", async () => {
  const world = new World(options("v1"));
  const uploader = world.open({ fetch: () => new Promise(() => undefined), timeoutMs: 10_000 });
  const waiting = uploader.check({ timeoutMs: 15_000 }).catch((error: unknown) => [world.nowMs - NOW, error]);
  const [behind, error] = (await uploader.check({ timeoutMs: 12_000 }).catch((one: unknown) => [world.nowMs - NOW, one])) as [
    number,
    Error,
  ];
  expect([behind, error.constructor.name]).toEqual([12_000, "TimeoutError"]); // the first gave up after ten, its own request not
  expect(await waiting).toMatchObject([10_000, { code: "ERR_NIGHTSCOUT_UNAVAILABLE" }]);
});

test("Nocturne: a flat curve keeps its readings, and nothing is there twice after an unclear answer", async () => {
  const glucose = Array.from({ length: 40 }, (_, i) => ({
    ...at(NOW - (41 - i) * 5 * MINUTE, i),
    mgdl: i % 13 === 12 ? 101 : 100,
    cause: undefined,
    trendMgdlPerMin: undefined,
  }));
  const view = new MemoryView({
    glucose,
    meals: [{ ...at(NOW - HOUR, 60), carbohydratesG: 30 }],
    suspensions: [{ ...at(NOW - 2 * HOUR, 61), reason: "user_suspended", endedAtMs: NOW - HOUR, endReason: "user_selects_resume" }],
  });
  const site = { nowMs: NOW, view, server: { nocturne: true } };
  const plain = new World(site);
  expect(await plain.open().check()).toMatchObject({ server: "nocturne" });
  expect(await plain.open().upload()).toMatchObject({ sent: { entries: 40, treatments: 4 } });
  const dates = (world: World): number[] =>
    world.server
      .documents("entries")
      .map(({ date }) => date as number)
      .toSorted((a, b) => a - b);
  expect(dates(plain)).toHaveLength(40);
  for (const [i, date] of dates(plain).entries()) expect(Math.abs(date - glucose[i]!.atMs)).toBeLessThan(1000);
  expect(
    plain.server
      .documents("treatments")
      .map(({ eventType }) => String(eventType))
      .toSorted((a, b) => a.localeCompare(b)),
  ).toEqual(["Carb Correction", "Resume Pump", "Suspend Pump", "Temp Basal"]);
  for (const kind of ["closed_after_storing", "silent_after_storing", "closed", "empty_array"] as const)
    for (let index = 0; index < plain.server.requests.length; index++) {
      const world = new World(site);
      world.server.faults = (_, i) => (i === index ? { kind } : undefined);
      await world.open().upload();
      expect(dates(world).length, `${kind} at ${index}`).toBe(40);
      expect(world.server.documents("treatments").length, `${kind} at ${index}`).toBe(4);
      expect(world.server.violations).toEqual([]);
    }
});
