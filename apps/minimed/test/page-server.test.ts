import { request } from "node:http";
import { connect } from "node:net";
import { VirtualClock } from "jelling/async";
import { Logger, LogLevel } from "jelling/core";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { builtPage } from "../page/build.js";
import { servePumpPage } from "../src/web/index.ts";
import type { PageMessage, PageState, PageSummary, PageView } from "../src/web/page-data.ts";
import { SECRET_SERIAL } from "./page-world.ts";
import { WORLD_MS, WORLD_TOKEN, WorldServer } from "./page-world-server.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** As `fetch`, but for headers that it does not let anybody set. */
function ask(url: string, { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    })
      .on("error", reject)
      .end();
  });
}

/** A served world, and one who has shown the token. */
async function served(options: Parameters<typeof WorldServer.open>[0] = {}, page: Parameters<typeof WorldServer.open>[1] = {}) {
  const server = await WorldServer.open({ days: 3, ...options }, { pageFolder: await builtPage(), ...page });
  open.push(server);
  const base = server.page.url.split("#")[0]!;
  const login = await ask(`${base}api/session`, { method: "POST", headers: { Authorization: `Bearer ${WORLD_TOKEN}` } });
  const cookie = String(login.headers["set-cookie"]).split(";")[0]!;
  const get = async <T>(path: string): Promise<T> => JSON.parse((await ask(base + path, { headers: { Cookie: cookie } })).text) as T;
  return { server, base, cookie, login, get };
}

type Socket = WebSocket & { messages: PageMessage[] };
function socketTo(base: string, headers: Record<string, string>): Promise<Socket | number> {
  return new Promise((resolve) => {
    const socket = Object.assign(new WebSocket(`${base.replace("http", "ws")}api/live`, { headers }), { messages: [] as PageMessage[] });
    socket.on("message", (data: Buffer) => socket.messages.push(JSON.parse(String(data)) as PageMessage));
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode!));
    socket.on("open", () => resolve(socket));
    socket.on("error", () => undefined);
  });
}

/** Something that a socket brings, whenever that is. */
async function until<T>(what: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = what();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("who is let in", () => {
  test("the token gives a cookie for this page's path alone; nothing else gives one", async () => {
    const { base, login, cookie } = await served();
    expect(login.status).toBe(204);
    expect(login.headers["set-cookie"]).toEqual([
      expect.stringMatching(/; Path=\/[0-9a-f]{16}\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/),
    ]);
    expect(cookie).not.toContain(WORLD_TOKEN);
    expect(new URL(base).pathname).toMatch(/^\/[0-9a-f]{16}\/$/);
    for (const headers of [{}, { Authorization: "Bearer " }, { Authorization: `Bearer ${WORLD_TOKEN}x` }, { Authorization: WORLD_TOKEN }]) {
      const refused = await ask(`${base}api/session`, { method: "POST", headers: headers as Record<string, string> });
      expect([refused.status, refused.headers["set-cookie"]], JSON.stringify(headers)).toEqual([401, undefined]);
    }
    expect(
      (await ask(`${base}api/session`, { headers: { Authorization: `Bearer ${WORLD_TOKEN}` } })).headers["set-cookie"],
    ).toBeUndefined();
  });

  test.each(["api/state", `api/view?from=0&to=1`, "api/summary", "api/session", "api/other"])(
    "%s tells nothing without the cookie",
    async (path) => {
      const { base, cookie } = await served();
      const [name] = cookie.split("=");
      for (const Cookie of ["", `${name}=`, `${name}=0`, `${name}=${WORLD_TOKEN}`, `other=${cookie.split("=")[1]}`]) {
        const { status, text } = await ask(base + path, { headers: { Cookie } });
        expect([401, 404], `${path} ${Cookie}`).toContain(status);
        expect(text).not.toContain("glucose");
      }
    },
  );

  test("a foreign host, origin or page is refused, for files, data and sockets alike", async () => {
    const { base, cookie, server } = await served({}, { allowedHosts: ["pump.lan"] });
    const host = `127.0.0.1:${server.page.port}`;
    const cases: [Record<string, string>, number][] = [
      [{}, 200],
      [{ Host: `localhost:${server.page.port}` }, 200],
      [{ Host: "localhost:1" }, 200], // a container's other port
      [{ Host: `PUMP.lan:${server.page.port}` }, 200],
      [{ Origin: `http://${host}` }, 200],
      [{ Origin: `http://${host}`, "Sec-Fetch-Site": "same-origin" }, 200],
      [{ Host: "evil.example" }, 403],
      [{ Host: `evil.example:${server.page.port}` }, 403],
      [{ Host: "127.0.0.1.evil.example" }, 403],
      [{ Origin: "http://evil.example" }, 403],
      [{ Origin: "null" }, 403],
      [{ Origin: `http://127.0.0.1:${server.page.port + 1}` }, 403],
      [{ Origin: `http://evil.example`, Host: "evil.example" }, 403],
      [{ "Sec-Fetch-Site": "cross-site" }, 403],
      [{ "Sec-Fetch-Site": "same-site" }, 403],
    ];
    for (const [headers, status] of cases) {
      for (const path of ["", "api/state"])
        expect((await ask(base + path, { headers: { Cookie: cookie, ...headers } })).status, `${path} ${JSON.stringify(headers)}`).toBe(
          status,
        );
      const socket = await socketTo(base, { Cookie: cookie, ...headers });
      expect(typeof socket === "number" ? socket : 200, JSON.stringify(headers)).toBe(status);
    }
    const { port } = server.page;
    const without = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${new URL(base).pathname} HTTP/1.0\r\n\r\n`));
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += String(chunk);
      });
      socket.on("close", () => resolve(text));
    });
    expect(without).toMatch(/^HTTP\/1\.1 (400|403) /);
  });

  test("a socket needs the cookie and the path", async () => {
    const { base, cookie } = await served();
    expect(await socketTo(base, {})).toBe(401);
    expect(await socketTo(base.replace(/[0-9a-f]{16}/, "0000000000000000"), { Cookie: cookie })).toBe(404);
    expect(await socketTo(base, { Cookie: cookie })).toBeInstanceOf(WebSocket);
  });

  test("another token knows neither the path nor the cookie of the first", async () => {
    const first = await served();
    const second = await served({}, { token: "another-token-of-no-value" });
    expect(new URL(first.base).pathname).not.toBe(new URL(second.base).pathname);
    expect((await ask(`${second.base}api/state`, { headers: { Cookie: first.cookie } })).status).toBe(401);
    const drawn = await served({}, { token: undefined });
    expect(drawn.server.page.url.split("#")[1]).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});

describe("what is sent", () => {
  test("files by their path, nothing beside them, and nothing that a browser could be tricked with", async () => {
    const { base } = await served();
    const page = await ask(base);
    expect(page.status).toBe(200);
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(page.headers["content-security-policy"]).not.toMatch(/unsafe|https?:|\*/);
    expect(page.headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    });
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(links.length).toBeGreaterThan(2);
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|style="|\son\w+=|https?:/);
    for (const link of links) {
      expect(link).toMatch(/^\.\//);
      const file = await ask(new URL(link, base).href, { headers: { "Accept-Encoding": "gzip" } });
      expect([file.status, file.headers["content-encoding"]], link).toEqual([200, "gzip"]);
      if (link.includes("assets")) expect(file.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    }
    for (const path of ["../package.json", "%2e%2e/package.json", "..%2fpackage.json", "assets", "assets/", "index", ".env"])
      expect((await ask(base + path)).status, path).toBe(404);
    expect((await ask(new URL("/", base).href)).status).toBe(404);
    expect((await ask(base.slice(0, -1))).headers.location).toBe(new URL(base).pathname);
  });

  test("the page weighs less than 60 kB on its way", async () => {
    const { base } = await served();
    const zipped = { headers: { "Accept-Encoding": "gzip" } };
    const text = (await ask(base)).text;
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => new URL(match[1]!, base).href);
    const sizes = await Promise.all([base, ...links].map(async (url) => Number((await ask(url, zipped)).headers["content-length"])));
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(60_000);
  });

  test("a state has what a page shows, in UTC, and no name of a device", async () => {
    const { get, server } = await served({ scene: "alarm" });
    const state = await get<PageState>("api/state");
    const newest = server.world.points.at(-1)!;
    expect(state).toMatchObject({
      link: { kind: "ready" },
      glucose: { kind: "reading", mgdl: newest.mgdl, atMs: newest.atMs },
      lastReading: null,
      pumpOffsetMs: HOUR,
      displaysMgdl: true,
      clock24h: true,
      limits: {
        low: [
          { fromMin: 0, toMin: 420, mgdl: 80 },
          { fromMin: 420, toMin: 1440, mgdl: 70 },
        ],
        high: [{ fromMin: 0, toMin: 1440, mgdl: 180 }],
      },
      alarm: { value: { code: 816, state: "pending" } },
      batteryPercent: { value: 75 },
      model: "SIM-780",
    });
    expect(state.nowMs).toBeGreaterThanOrEqual(WORLD_MS);
    expect(state.recent.bolus?.iu).toBeGreaterThan(0);
    expect(state.quarterBeforeMgdl).toBe(server.world.points.at(-4)!.mgdl);
  });

  test("nothing that names a device leaves: serial number, store's name of the pump, token", async () => {
    const lines: string[] = [];
    const { base, cookie } = await served(
      { days: 3 },
      { logger: new Logger("", LogLevel.Trace, (_level, scope, line) => lines.push(scope + line)) },
    );
    const texts = [...lines];
    for (const path of ["api/state", `api/view?from=${WORLD_MS - DAY}&to=${WORLD_MS}`, "api/summary?days=7", ""])
      texts.push((await ask(base + path, { headers: { Cookie: cookie } })).text);
    const socket = (await socketTo(base, { Cookie: cookie })) as Socket;
    texts.push(JSON.stringify(await until(() => socket.messages[0])));
    for (const text of texts)
      for (const secret of [SECRET_SERIAL, "7654321", "00112233aabbccdd", WORLD_TOKEN]) expect(text).not.toContain(secret);
    expect(lines.length).toBeGreaterThan(0);
  });

  test("data is never kept by a browser", async () => {
    const { base, cookie } = await served({ days: 2 });
    for (const path of ["api/state", `api/view?from=${WORLD_MS - DAY}&to=${WORLD_MS}`, "api/summary", "api/none"])
      expect((await ask(base + path, { headers: { Cookie: cookie } })).headers["cache-control"], path).toBe("no-store");
  });

  test("a span has its points, what happened, and what reaches into it", async () => {
    const { get, server } = await served({ scene: "suspended" });
    const fromMs = WORLD_MS - 6 * HOUR;
    const view = await get<PageView>(`api/view?from=${fromMs}&to=${WORLD_MS}`);
    const points = server.world.points.filter(({ atMs }) => atMs >= fromMs && atMs < WORLD_MS);
    expect(view.glucose.map(([atMs, mgdl]) => [atMs, mgdl])).toEqual(points.map(({ atMs, mgdl }) => [atMs, mgdl ?? null]));
    expect(view.isThinned).toBe(false);
    expect(view.offsets).toEqual([{ fromMs: points[0]!.atMs, offsetMs: HOUR }]);
    expect(view.loop).toEqual([]); // its beginning is weeks back
    expect(view.suspensions).toEqual([expect.objectContaining({ endedAtMs: null, reason: "user" })]);
    expect(view.meals.length).toBeGreaterThan(0);
    expect(view.microBoluses.length).toBeGreaterThan(3);
  });

  test("weeks are thinned without losing a low, a high or a gap", async () => {
    const { get, server } = await served({ days: 30 });
    const fromMs = WORLD_MS - 30 * DAY;
    const view = await get<PageView>(`api/view?from=${fromMs}&to=${WORLD_MS}`);
    expect(view.isThinned).toBe(true);
    expect(view.glucose.length).toBeLessThan(2600);
    const all = server.world.points.flatMap(({ mgdl }) => (mgdl === undefined ? [] : [mgdl]));
    const kept = view.glucose.flatMap(([, mgdl]) => (mgdl === null ? [] : [mgdl]));
    expect([Math.min(...kept), Math.max(...kept)]).toEqual([Math.min(...all), Math.max(...all)]);
    expect(new Set(view.glucose.map(([, , cause]) => cause))).toEqual(new Set(server.world.points.map(({ cause }) => cause ?? null)));
  });

  test("a summary counts days and times of day as the pump's display has them", async () => {
    const { get, server } = await served({ days: 10, offsetMs: 9 * HOUR });
    const summary = await get<PageSummary>("api/summary?days=7");
    expect(summary.perDay.map(({ date }) => date)).toEqual([
      "2031-03-03",
      "2031-03-04",
      "2031-03-05",
      "2031-03-06",
      "2031-03-07",
      "2031-03-08",
      "2031-03-09",
      "2031-03-10",
    ]);
    const points = server.world.points.filter(({ atMs }) => atMs >= summary.fromMs && atMs < summary.toMs);
    expect(summary.readings).toBe(
      points.filter(({ mgdl, cause }) => mgdl !== undefined || cause === "below_range" || cause === "above_range").length,
    );
    const day = points.filter(({ local }) => local!.startsWith("2031-03-05"));
    expect(summary.perDay[2]!.readings).toBe(day.filter(({ mgdl, cause }) => mgdl !== undefined || cause?.endsWith("range")).length);
    expect(summary.perDay[2]!.fromMs).toBe(Date.UTC(2031, 2, 5) - 9 * HOUR);
    expect(Object.values(summary.shares!).reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    expect(summary.slots).toHaveLength(96);
    for (const { percentiles } of summary.slots) expect([...(percentiles ?? [])]).toEqual([...(percentiles ?? [])].sort((a, b) => a - b));
  });

  test.each([
    "api/view",
    "api/view?from=1",
    "api/view?from=2&to=1",
    "api/view?from=5&to=5",
    "api/view?from=-1&to=5",
    "api/view?from=a&to=5",
    "api/view?from=1e3&to=5000",
    `api/view?from=0&to=${36 * DAY}`,
    "api/view?from=0&to=99999999999999",
    "api/summary?days=0",
    "api/summary?days=91",
    "api/summary?days=1.5",
    "api/summary?days=",
    "api/summary?days=abc",
  ])("%s is refused, and says what is expected", async (path) => {
    const { base, cookie } = await served({ days: 1 });
    const { status, text } = await ask(base + path, { headers: { Cookie: cookie } });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({ error: expect.stringMatching(/expected|at most/) });
  });

  test("without a history there is none, and a state all the same; a store that fails is told, and no more", async () => {
    const lines: string[] = [];
    let fails = false;
    const view = () => {
      if (fails) throw new Error("secret path /home/somebody");
      return undefined;
    };
    const logger = new Logger("", LogLevel.Trace, (_level, _scope, line) => lines.push(line));
    const { base, cookie, server } = await served({}, { view, logger });
    const get = (path: string) => ask(base + path, { headers: { Cookie: cookie } });
    expect((await get("api/view?from=0&to=1")).status).toBe(404);
    expect((await get("api/summary")).status).toBe(404);
    expect(JSON.parse((await get("api/state")).text)).toMatchObject({ newestMs: null, recent: { bolus: null } });
    const socket = (await socketTo(base, { Cookie: cookie })) as Socket;
    await until(() => socket.messages.length > 0);
    fails = true;
    const failed = await get("api/state");
    expect([failed.status, failed.headers["content-security-policy"] !== undefined]).toEqual([500, true]);
    expect(failed.text + lines.join()).not.toContain("somebody");
    server.change({});
    await until(() => lines.some((line) => line.includes("could not be told")));
    fails = false;
    server.change({ scene: "high" });
    await until(() =>
      socket.messages.some((each) => each.type === "state" && each.state.glucose?.kind === "reading" && each.state.glucose.mgdl > 250),
    );
  });
});

describe("pages that look on", () => {
  test("are told the state at once, every change, and the time", async () => {
    const clock = new VirtualClock({ auto: false });
    const { base, cookie, server } = await served({}, { clock });
    const socket = (await socketTo(base, { Cookie: cookie })) as Socket;
    const first = await until(() => socket.messages[0]);
    expect(first).toMatchObject({ type: "state", state: { link: { kind: "ready" } } });
    server.change({ scene: "lost" });
    await clock.advance(500);
    await until(() => socket.messages.some((each) => each.type === "state" && each.state.link.kind === "advertising"));
    await until(() => socket.messages.some((each) => each.type === "now" && each.nowMs > WORLD_MS));
    expect(server.page.clients).toBe(1);
    socket.send("nothing that a page says matters");
    socket.close();
    await until(() => server.page.clients === 0);
  });

  test("a slow one gets the newest state, and costs no more memory than one", async () => {
    const clock = new VirtualClock({ auto: false });
    const { base, cookie, server } = await served({ days: 1 }, { clock });
    const socket = (await socketTo(base, { Cookie: cookie })) as Socket;
    await until(() => socket.messages[0]);
    socket.pause();
    const { world } = server;
    let made = 0;
    const large = "x".repeat(16 << 20); // more than sockets hold between them
    const state = Object.defineProperty({ ...world.state }, "hint", {
      get: () => {
        made++;
        return large;
      },
    });
    server.world = { ...world, state };
    server.changed();
    await clock.advance(200);
    for (let i = 0; i < 3; i++) {
      for (let change = 0; change < 100; change++) server.changed();
      await clock.advance(200);
    }
    expect(made).toBe(1);
    server.world = { ...world, state: { ...world.state, hint: "the newest" } };
    socket.resume();
    await until(() => socket.messages.some((each) => each.type === "state" && each.state.hint === "the newest"));
    expect(socket.messages.filter(({ type }) => type === "state")).toHaveLength(3);
  });

  test("are sixteen at most; a further one is told to wait", async () => {
    const { base, cookie, server } = await served({ days: 1 });
    for (let i = 0; i < 16; i++) expect(await socketTo(base, { Cookie: cookie })).toBeInstanceOf(WebSocket);
    expect(await socketTo(base, { Cookie: cookie })).toBe(503);
    expect(server.page.clients).toBe(16);
  });

  test("close ends them all, frees the port and lets go of the state; a second close is the same", async () => {
    const { base, cookie, server } = await served({ days: 1 });
    const socket = (await socketTo(base, { Cookie: cookie })) as Socket;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    expect(server.listeners).toBe(1);
    const { port } = server.page;
    await Promise.all([server.page.close(), server.page.close()]);
    await closed;
    expect(server.listeners).toBe(0);
    await server.serve({ port, pageFolder: await builtPage() });
    expect((await ask(`${base}api/state`, { headers: { Cookie: cookie } })).status).toBe(200); // the same token: who was let in still is
  });
});

describe("serving", () => {
  const view = () => undefined;

  test("a signal closes it; one that has aborted lets nothing open", async () => {
    const stop = new AbortController();
    const { server, base } = await served({ days: 1 }, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await server.page.close();
    await expect(ask(base)).rejects.toThrow();
    await expect(servePumpPage({ view, port: 0, signal: stop.signal })).rejects.toThrow("enough");
  });

  test("a port in use is told with its number, a page that is not built with what to do", async () => {
    const { server } = await served({ days: 1 });
    const { port } = server.page;
    await expect(servePumpPage({ view, port, pageFolder: await builtPage() })).rejects.toMatchObject({
      code: "ERR_PUMP_PAGE_PORT",
      message: expect.stringContaining(String(port)),
    });
    await expect(servePumpPage({ view, port: 0, pageFolder: "/nonexistent" })).rejects.toMatchObject({ code: "ERR_PUMP_PAGE_MISSING" });
  });

  test.each([
    [undefined, "object of options"],
    [{}, "view"],
    [{ view: 1 }, "view"],
    [{ view, port: 70_000 }, "port"],
    [{ view, port: "80" }, "port"],
    [{ view, host: 1 }, "host"],
    [{ view, token: "short" }, "token"],
    [{ view, token: "with a blank and long enough" }, "token"],
    [{ view, allowedHosts: "pump.lan" }, "allowedHosts"],
    [{ view, allowedHosts: [1] }, "allowedHosts"],
    [{ view, state: {} }, "state"],
    [{ view, wallClock: 5 }, "wallClock"],
    [{ view, clock: 5 }, "clock"],
    [{ view, signal: {} }, "signal"],
    [{ view, tokn: "x" }, "tokn"],
  ])("options %j are refused by name", async (options, name) => {
    await expect(servePumpPage(options as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(name) });
  });
});
