import { existsSync } from "node:fs";
import { VirtualClock } from "jelling/async";
import { SimulatedAir } from "jelling/testing";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import { builtPage } from "../page/build.js";
import { PumpMonitor } from "../src/live/monitor.ts";
import { inventKeys } from "../src/simulator/keys.ts";
import { SimulatedPump } from "../src/simulator/simulated-pump.ts";
import { inventPumpIdentity } from "../src/simulator/simulated-pump-options.ts";
import { type PumpHistory, syncHistory } from "../src/store/index.ts";
import { servePumpPage } from "../src/web/index.ts";
import { MemoryView } from "./memory-view.ts";
import type { Scene } from "./page-world.ts";
import { WORLD_TOKEN, WorldServer } from "./page-world-server.ts";
import { openStore, TemporaryFolder } from "./temporary-store.ts";

// The page as its user has it, in a real browser without a screen. Without one these are left out, and say so; with JELLING_LAB=required they fail.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const found = existsSync(executablePath);
const isRequired = process.env.JELLING_LAB === "required";
if (!found && !isRequired) leaveOut("the pump's page in a browser (apt-get install chromium)");

/** Looked at where everything is tried: each costs a second or two, most of it the browser's. */
const thoroughly = test.runIf(isFull);
if (found && !isFull) leaveOut("most looks at the pump's page in a browser (JELLING_ROBUSTNESS=full takes all)");

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
let browser: Browser;
let server: WorldServer;
const problems: string[] = [];
const closing: (() => Promise<void>)[] = [];

interface Look extends BrowserContextOptions {
  /** What the browser remembers. */
  readonly remembered?: Record<string, string>;
}

/** Opens the page as the program's link does. Whatever the console has to say is a fault. */
async function look({ remembered = {}, ...options }: Look = {}, url = server.page.url): Promise<Page> {
  const context = await browser.newContext({
    viewport: WIDE,
    timezoneId: "Africa/Lagos",
    colorScheme: "light",
    reducedMotion: "reduce",
    ...options,
  });
  closing.push(() => context.close());
  context.setDefaultTimeout(20_000);
  await context.addInitScript((entries) => {
    for (const [name, value] of entries) if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
  }, Object.entries(remembered));
  const page = await context.newPage();
  page.on("console", (message) => {
    if (!/getImageData/.test(message.text())) problems.push(`${message.type()}: ${message.text()}`); // that was the test
  });
  page.on("pageerror", (error) => problems.push(String(error.stack)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url.split("#")[0]!) && !request.url().startsWith("data:")) problems.push(`asks ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForSelector(".current");
  return page;
}

async function show(scene: Scene, options?: Look, days = 2): Promise<Page> {
  server.change({ scene, days });
  return look(options);
}

const drawn = (page: Page): Promise<void> => page.waitForSelector(".curve canvas").then(() => undefined);
const wordsOf = async (locator: Locator): Promise<string> => (await locator.first().textContent()) ?? "";
const text = (page: Page, selector: string): Promise<string> => wordsOf(page.locator(selector));

/** How many canvas pixels have about that colour, of the curve's or of one part of it. */
function pixels(page: Page, name: string): Promise<number> {
  return page.evaluate((variable) => {
    const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas")!;
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(--${variable})`;
    const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g)!.map(Number) as [number, number, number];
    probe.remove();
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (Math.abs(data[i]! - r) + Math.abs(data[i + 1]! - g) + Math.abs(data[i + 2]! - b) < 12 && data[i + 3]! > 200) count++;
    return count;
  }, name);
}

describe.skipIf(!found && !isRequired)("the page in a browser", () => {
  beforeAll(async () => {
    server = await WorldServer.open({ days: 2 }, { pageFolder: await builtPage() });
    browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.page.close();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    expect(problems.splice(0)).toEqual([]);
  });

  test("the token leaves the address at once; the cookie lets a second page in, and a page without either is locked", async () => {
    const page = await show("normal");
    await drawn(page);
    expect(page.url()).not.toContain(WORLD_TOKEN);
    expect(page.url()).not.toContain("#");
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
    await page.reload();
    await drawn(page);
    const stranger = await look();
    await stranger.context().clearCookies();
    await stranger.reload();
    await stranger.getByText("This page is locked").waitFor();
    expect(problems.splice(0).filter((problem) => !problem.includes("401"))).toEqual([]);
  });

  thoroughly("before there is anything it says so, also for the weeks, and whose time it shows", async () => {
    await using bare = await WorldServer.open({ scene: "pairing", days: 1 }, { view: () => undefined, pageFolder: await builtPage() });
    const page = await look({ viewport: { width: 320, height: 640 } }, bare.page.url);
    await page.getByText("No reading yet").first().waitFor();
    await page.getByText("There is no history yet.").first().waitFor();
    expect(await text(page, "footer .clock")).toMatch(/^this computer’s time \d+:\d\d$/);
    await page.keyboard.press("5");
    await page.getByText("There is no history yet.").first().waitFor();
    expect(await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector(".tabs")!.scrollWidth])).toEqual([
      320,
      await page.evaluate(() => document.querySelector(".tabs")!.clientWidth),
    ]);
    expect(problems.splice(0).filter((problem) => !problem.includes("404"))).toEqual([]);
  });

  thoroughly("one reading is a curve of one, and none is invented beside it", async () => {
    await using one = await WorldServer.open({ scene: "normal", days: 1 }, { pageFolder: await builtPage() });
    const { view, state } = one.world;
    const [reading] = view.glucose({ fromMs: one.now() - 3_600_000, toMs: one.now() }).slice(-1);
    one.world = { view: new MemoryView({ glucose: [reading!] }), state, points: [reading!] };
    const page = await look({ remembered: { range: "1" } }, one.page.url);
    await drawn(page);
    await page.keyboard.press("t");
    await expect.poll(() => page.locator("table tbody tr").count()).toBe(1);
    await page.keyboard.press("5");
    expect(await text(page, "footer .clock")).toMatch(/^pump time /);
  });

  test("draws the curve: every reading, the range, insulin and food", async () => {
    const page = await show("normal", { remembered: { range: "2" } });
    await drawn(page);
    const { points } = server.world;
    const newest = points.at(-1)!;
    expect(await text(page, "[data-testid=glucose]")).toBe(String(newest.mgdl));
    await page.waitForFunction(() => Number(document.querySelector<HTMLElement>(".curve")?.dataset.readings) > 60);
    const shown = Number(await page.locator(".curve").getAttribute("data-readings"));
    expect(shown).toBe(points.filter(({ atMs }) => atMs >= server.now() - 6 * 3600_000).length);
    expect(await pixels(page, "in-range")).toBeGreaterThan(shown * 8);
    expect(await pixels(page, "band")).toBeGreaterThan(20_000);
    expect(await pixels(page, "insulin")).toBeGreaterThan(50);
    expect(await pixels(page, "carbs")).toBeGreaterThan(10);
    expect(await text(page, ".legend")).toMatch(/70–180, the pump’s alert limits.*bolus.*carbs/);
    expect(await text(page, "footer")).toContain("not for therapy decisions");
  });

  thoroughly("units: the pump's at first, then the user's, remembered", async () => {
    server.change({ displaysMgdl: false, days: 2 });
    const page = await look();
    await drawn(page);
    const mgdl = server.world.points.at(-1)!.mgdl!;
    const mmol = (Math.floor((mgdl / 18.0182) * 10 + 0.5) / 10).toFixed(1);
    const value = page.locator("[data-testid=glucose]");
    expect(await wordsOf(value)).toBe(mmol);
    await page.keyboard.press("u");
    await expect.poll(() => wordsOf(value)).toBe(String(mgdl));
    await page.reload();
    await drawn(page);
    expect(await wordsOf(value)).toBe(String(mgdl));
    await page.getByRole("button", { name: "Unit: mg/dL" }).click();
    await expect.poll(() => wordsOf(value)).toBe(mmol);
  });

  test("keys choose the range, walk through the readings and read them out, show help and a table", async () => {
    const page = await show("normal", { remembered: { range: "1" } });
    await drawn(page);
    const spoken = page.locator("[data-testid=spoken]");
    const readings = () => page.locator(".curve").getAttribute("data-readings").then(Number);
    expect(await readings()).toBeLessThan(40);
    await page.keyboard.press("4");
    await expect.poll(readings).toBeGreaterThan(200);
    expect(await wordsOf(page.locator('[aria-pressed="true"]'))).toBe("24 h");
    const valued = server.world.points;
    await page.keyboard.press("ArrowLeft");
    const newest = valued.at(-1)!;
    await expect.poll(() => wordsOf(spoken)).toContain(`${newest.local!.slice(11, 16)}: ${newest.mgdl} mg/dL, `);
    await page.keyboard.press("ArrowLeft");
    const before = valued.at(-2)!;
    await expect.poll(() => wordsOf(spoken)).toContain(`${before.local!.slice(11, 16)}: ${before.mgdl} mg/dL, `);
    expect(await text(page, ".tip")).toContain(`${before.mgdl} mg/dL`);
    await page.keyboard.press("Shift+ArrowLeft");
    await expect
      .poll(() => wordsOf(spoken))
      .toContain(`${valued.findLast(({ atMs }) => atMs <= before.atMs - 3600_000)!.local!.slice(11, 16)}: `);
    await page.keyboard.press("End");
    await expect.poll(() => wordsOf(spoken)).toContain(newest.local!.slice(11, 16));
    await page.keyboard.press("Escape");
    await expect.poll(() => wordsOf(spoken)).toBe("");
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("t");
    await expect.poll(() => page.locator(".readings tbody tr").count()).toBe(await readings());
    await page.keyboard.press("[");
    await page.getByRole("button", { name: "Now", exact: true }).click();
    expect(await text(page, ".paging")).toContain("until now");
    await page.keyboard.press("Control+u"); // the browser's, not ours
    expect(await wordsOf(page.locator(".unit b.on"))).toBe("mg/dL");
  });

  test("what is old cannot be overlooked: struck through, said in large letters, in the title and in the icon", async () => {
    const page = await show("normal");
    await drawn(page);
    const icon = () => page.locator("#icon").getAttribute("href");
    const fresh = await icon();
    await expect.poll(() => page.title()).toBe(`${server.world.points.at(-1)!.mgdl} · Jelling`);
    server.change({ scene: "stale", days: 2 });
    await page.locator("s[data-testid=glucose]").waitFor();
    expect(await text(page, ".no-data")).toMatch(/^No data for\s+2[3-7] min$/);
    expect(
      await page.locator(".no-data").evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize)),
    ).toBeGreaterThanOrEqual(22);
    await expect.poll(() => page.title()).toMatch(/^⚠ no data for 2[3-7] min · Jelling$/);
    expect(await icon()).not.toBe(fresh);
    expect(await page.locator("strong[data-testid=glucose]").count()).toBe(0);
    expect(await text(page, ".link")).toMatch(/^waiting for the pump, /);
    await page.getByText("Bring the pump nearer").waitFor();
    server.change({ scene: "normal", days: 2 });
    await page.locator("strong[data-testid=glucose]").waitFor();
  });

  thoroughly("what stands in place of a value is told as what it is", async () => {
    const page = await show("normal");
    for (const [scene, words, title] of [
      ["no-sensor", "No sensor", "no sensor"],
      ["warm-up", "Sensor warming up", "sensor warming up"],
      ["below-range", "<50", "<50"],
    ] as const) {
      server.change({ scene, days: 2 });
      await expect.poll(() => text(page, "[data-testid=glucose]")).toBe(words);
      await expect.poll(() => page.title()).toBe(`${title} · Jelling`);
    }
  });

  thoroughly("an alarm and a stopped delivery are told; what is under way is shown", async () => {
    const page = await show("alarm");
    expect(await text(page, ".notice.alarm")).toContain("High glucose");
    server.change({ scene: "suspended", days: 2 });
    await page.locator(".fact.bad").getByText("Stopped").waitFor();
    server.change({ scene: "bolus", days: 2 });
    await page.getByText("Bolus under way").waitFor();
    expect(await wordsOf(page.locator(".fact").filter({ hasText: "under way" }))).toMatch(/1\.5 U\s*of 4\.2 U/);
  });

  thoroughly("a gap stays a gap: no line crosses it", async () => {
    const page = await show("gap", { remembered: { range: "2" } });
    await drawn(page);
    await expect.poll(() => page.locator(".curve").getAttribute("data-readings").then(Number)).toBeGreaterThan(40);
    // Of the columns between the readings on both sides, none has the line's colour.
    const crossed = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas")!;
      const context = canvas.getContext("2d")!;
      const colours = new Set<string>();
      const at = Math.round(canvas.width * 0.64);
      const { data } = context.getImageData(at, 30, 1, Math.round(canvas.height * 0.6));
      for (let i = 0; i < data.length; i += 4) colours.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return [...colours].some((colour) => ["18,128,106", "185,190,198", "149,87,0"].includes(colour));
    });
    expect(crossed).toBe(false);
    expect(await text(page, ".legend")).toContain("61 records of the pump not read yet");
  });

  thoroughly("the pump's times, also where they differ from this computer's and where its clock was set", async () => {
    const page = await show("clock-change", { remembered: { range: "3" }, timezoneId: "America/Phoenix" });
    await drawn(page);
    expect(await text(page, ".notice.quiet")).toMatch(/The pump’s clock shows 16:2\d, 8 h ahead of this computer’s/);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Home");
    const first = server.world.points.find(({ atMs }) => atMs >= server.now() - 12 * 3600_000)!;
    await expect.poll(() => wordsOf(page.locator("[data-testid=spoken]"))).toContain(first.local!.slice(11, 16));
    const lagos = await look();
    await drawn(lagos);
    expect(await lagos.locator(".notice.quiet").count()).toBe(0);
  });

  thoroughly("weeks: time in range, the usual day, each day, which opens that day", async () => {
    const page = await show("normal", {}, 16);
    await page.keyboard.press("5");
    await page.waitForSelector(".profile canvas");
    const shares = await page.locator(".shares dd").allTextContents();
    expect(shares).toHaveLength(5);
    expect(await pixels(page, "ink")).toBeGreaterThan(300); // the median
    const days = page.locator(".days tbody tr");
    expect(await days.count()).toBeGreaterThanOrEqual(14);
    await days.nth(3).getByRole("button").click();
    await drawn(page);
    expect(await wordsOf(page.locator('[aria-pressed="true"]'))).toBe("24 h");
    await expect.poll(() => page.locator(".curve").getAttribute("data-readings").then(Number)).toBeGreaterThan(200);
    expect(await text(page, ".paging")).toMatch(/until Fri 7 Mar, 00:00/);
  });

  test.each(["light", "dark"] as const)("fits a phone, %s: nothing to scroll sideways, everything to be read", async (colorScheme) => {
    const page = await show("stale", { viewport: PHONE, hasTouch: true, isMobile: true, colorScheme, remembered: { range: "3" } });
    await drawn(page);
    for (const key of ["3", "5"]) {
      await page.keyboard.press(key);
      await page.waitForSelector(key === "5" ? ".profile canvas" : ".curve canvas");
      const [scroll, client] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      expect(scroll).toBe(client);
    }
    expect(await faint(page)).toEqual([]);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(dark).toBe(colorScheme === "dark" ? "rgb(14, 17, 20)" : "rgb(243, 242, 238)");
    await page.keyboard.press("1");
    await drawn(page);
    const box = (await page.locator(".curve").boundingBox())!;
    await page.touchscreen.tap(box.x + box.width / 2, box.y + 80);
    await page.waitForSelector(".tip");
  });

  thoroughly("a page with a fault of its own says so, and shows nothing that could be taken for new", async () => {
    const page = await show("normal");
    await drawn(page);
    await page.evaluate(() => void setTimeout(() => JSON.parse("{"), 0));
    await page.getByText("This page has a fault").waitFor();
    expect(await page.locator("[data-testid=glucose]").count()).toBe(0);
    await expect.poll(() => page.title()).toBe("⚠ fault · Jelling");
    expect(problems.splice(0)).toEqual([expect.stringContaining("SyntaxError")]);
    await page.getByRole("button", { name: "Load it again" }).click();
    await drawn(page);
  });

  test("a program that ends is told at once, and what was shown is not taken for new; it comes back by itself", async () => {
    const page = await show("normal");
    await drawn(page);
    const { port } = server.page;
    await server.page.close();
    await page.getByText("This page has lost the program").waitFor();
    await expect.poll(() => page.title()).toBe("⚠ no contact · Jelling");
    await server.serve({ port, pageFolder: await builtPage() });
    await page.getByText("This page has lost the program").waitFor({ state: "detached" });
    server.change({ scene: "high", days: 2 });
    await expect.poll(() => text(page, "[data-testid=glucose]").then(Number)).toBeGreaterThan(255);
    expect(problems.splice(0).filter((problem) => !/ERR_CONNECTION_REFUSED|WebSocket connection/.test(problem))).toEqual([]);
  });

  // The whole way: a pump in its life, over simulated radio, through SAKE, the store and the server, to what stands in the window.
  test("a simulated pump's day is on the page as it happens", async () => {
    const clock = new VirtualClock({ auto: false }); // time stands still while the browser is asked
    const air = new SimulatedAir({ seed: 3, traceCapacity: 10, clock });
    const keys = inventKeys(air.random("keys"));
    const transport = air.addController({ name: "pump", address: inventPumpIdentity(3).address }).transport;
    const pump = await clock.run(
      SimulatedPump.open({ transport, clock, random: air.random("pump"), seed: 3, keyDatabase: keys.pump, historyDays: 0 }),
    );
    const startMs = Date.UTC(2031, 2, 2, 8) - clock.now();
    const wallClock = (): number => startMs + clock.now();
    using folder = new TemporaryFolder();
    using store = await openStore(folder.join("pump.db"), { wallClock });
    let history: PumpHistory | undefined;
    const monitor = await clock.run(
      PumpMonitor.open({
        controller: air.addController({ name: "phone" }).transport,
        clock,
        random: air.random("phone"),
        keyDatabase: keys.phone,
        mode: "pair",
        wallClock,
        history: async (session, signal) => {
          const information = await session.readInformation();
          history ??= store.pump(information.serial!, information);
          history.recordStatus(monitor.state);
          await syncHistory(history, session, { signal });
        },
      }),
    );
    await using _closed = {
      [Symbol.asyncDispose]: async () => {
        for (const each of [monitor, pump, air]) await clock.run(each[Symbol.asyncDispose]());
      },
    };
    await clock.run(pump.pairNewPhone());
    await clock.advance(60_000);
    await using served = await servePumpPage({ view: () => history, state: monitor, wallClock, port: 0, pageFolder: await builtPage() });
    const page = await look({ remembered: { range: "2" } }, served.url);
    await drawn(page);
    const seen = new Set<string>();
    const [minutes, stepMin] = isFull ? [24 * 60, 60] : [40, 20];
    for (let elapsedMin = 0; elapsedMin < minutes; elapsedMin += stepMin) {
      await clock.advance(stepMin * 60_000);
      const latest = monitor.state.values.glucose!.value!;
      if (latest.kind !== "reading") continue;
      await expect.poll(() => text(page, "strong[data-testid=glucose]")).toBe(String(latest.mgdl));
      seen.add(await page.title());
    }
    expect(seen.size).toBeGreaterThan(1);
    const stored = history!.glucose({ fromMs: wallClock() - 6 * 3600_000, toMs: wallClock() }).filter(({ mgdl }) => mgdl !== undefined);
    expect(stored.length).toBeGreaterThan(isFull ? 60 : 5);
    // Time stands still now, while the page believes that it runs on as fast as before: it may have asked for hours that are still to come.
    // Within ten seconds the program tells it the time, and within a minute it asks again.
    await expect.poll(() => page.locator(".curve").getAttribute("data-readings").then(Number)).toBeGreaterThan(stored.length - 13);
    expect(await text(page, "body")).not.toContain(pump.identity.serial);
    await page.context().close(); // before the program, which it would miss
  });
});

/** Texts whose colour is too near to what is behind them: less than 4.5 to 1, by the arithmetic of WCAG 2. */
function faint(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parse = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = ([r = 0, g = 0, b = 0]: number[]): number => {
      const [x, y, z] = [r, g, b].map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x! + 0.7152 * y! + 0.0722 * z!;
    };
    const behind = (element: Element | null): number[] => {
      for (let each = element; each; each = each.parentElement) {
        const colour = parse(getComputedStyle(each).backgroundColor);
        if (colour.length === 3 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    return [...document.querySelectorAll("#app *")].flatMap((element) => {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      if (!own || element.closest("[disabled], .unseen, s")) return [];
      const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return ratio < 4.5 ? [`${element.textContent?.slice(0, 30)} ${ratio.toFixed(2)}`] : [];
    });
  });
}
