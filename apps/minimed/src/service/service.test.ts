import { existsSync, readFileSync } from "node:fs";
import { VirtualClock } from "jelling/async";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServiceWorld } from "../../test/service-world.ts";
import { openStore } from "../../test/temporary-store.ts";
import { PumpStoreError } from "../store/index.ts";
import { PumpStore } from "../store/pump-store.ts";
import type { PumpService, PumpServiceOptions } from "./index.ts";

const MINUTE_MS = 60_000;
const EPOCH_MS = Date.UTC(2031, 2, 2, 8);

/** A world whose pump stays away: the adapter is not there. */
let world: ServiceWorld;
beforeAll(async () => {
  world = await ServiceWorld.open({ pump: { historyDays: 0 } });
});
afterAll(() => world[Symbol.asyncDispose]());

const noAdapter = (): never => {
  throw new Error("no such adapter");
};
/** Time moves when it is told to, since it does not wait for files; what is to be there from the beginning is opened before. */
let clock: VirtualClock;
const wallClock = (): number => EPOCH_MS + clock.now();
async function begin(more: Partial<PumpServiceOptions> = {}): Promise<PumpService> {
  clock = new VirtualClock({ auto: false, startMs: 7_000 });
  const store = await openStore(world.config.storeFile!);
  const service = await world.start({ controller: noAdapter, openStore: () => Promise.resolve(store), clock, wallClock, ...more });
  await clock.advance(0);
  return service;
}
/** What the system does in its own time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe("before its pump comes", () => {
  test("the page is served, what needs a pump waits, and the pump is tried again", async () => {
    await using service = await begin();
    await clock.advance(10_000);
    expect(service.health()).toMatchObject({
      status: "ok",
      uptimeS: 10,
      pump: {
        ...{ state: "failed", problem: "Error", link: "ended", lastHeard: null, lastReading: null, lastReadingAgeS: null, hint: null },
        downSince: service.health().startedAt,
      },
      store: { state: "running", downSince: null, problem: null, lastSync: null, syncing: false, newRecords: 0 },
      page: { state: "running" },
      nightscout: { state: "waiting", problem: null, lastUpload: null, sent: 0 },
      homeAssistant: { state: "waiting", connected: false, lastPublished: null },
    });
    expect(service.health().pump.failures).toBeGreaterThan(1);
    expect(service.health().startedAt).toBe(new Date(wallClock() - 10_000).toISOString());
    const urlFile = world.folder.join("state", "pump-page-url");
    await until(() => existsSync(urlFile));
    expect(service.pageUrl).toBe(readFileSync(urlFile, "utf8").trim());
    expect(service.healthPort).toBeUndefined();
    expect(service.state.link).toMatchObject({ kind: "ended", reason: "Error." });
    await clock.advance(10 * MINUTE_MS);
    expect(service.health().problems).toEqual(["Pump: it has not run for 10 min (Error)."]);
    await clock.advance(21 * MINUTE_MS);
    expect(service.health().problems).toContain("Pump: it was not heard of since the start.");
  });

  test("parts that the configuration leaves out are off", async () => {
    const { page: _page, nightscout: _nightscout, homeAssistant: _homeAssistant, ...config } = world.config;
    const none = { page: undefined, nightscout: undefined, homeAssistant: undefined, health: undefined };
    await using service = await begin({ config: { ...config, ...none } });
    await clock.advance(1_000);
    const off = { state: "off", downSince: null, problem: null, failures: 0 };
    expect(service.health()).toMatchObject({ page: off, nightscout: off, homeAssistant: { ...off, connected: false } });
    expect([service.pageUrl, world.pages.size]).toEqual([undefined, 0]);
  });

  test("the clock of the system is set, as it is where it has no battery: nothing is late by that, and times are those of the new one", async () => {
    let aheadMs = -40 * 365 * 86_400_000;
    await using service = await begin({ wallClock: () => wallClock() + aheadMs });
    await clock.advance(MINUTE_MS);
    aheadMs = 0;
    expect(service.health()).toMatchObject({
      status: "ok",
      problems: [],
      uptimeS: 60,
      startedAt: new Date(wallClock() - MINUTE_MS).toISOString(),
    });
  });

  test("who listens is told, until it gives that back; options and signals are checked before anything begins", async () => {
    const kinds: string[] = [];
    await using service = await begin();
    const listener = service.on(({ link }) => kinds.push(link.kind));
    await clock.advance(2_000);
    expect(new Set(kinds)).toEqual(new Set(["ended"]));
    listener[Symbol.dispose]();
    const count = kinds.length;
    await clock.advance(MINUTE_MS);
    expect(kinds).toHaveLength(count);

    await expect(world.start({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    for (const wrong of [
      ...[{ config: undefined }, { config: null }, { secrets: "x" }, { bonds: null }, { stateFolder: "" }, { stateFolder: 7 }],
      ...["controller", "wallClock", "capture", "fetch", "connectMqtt", "openStore", "servePage"].map((name) => ({ [name]: {} })),
      ...[{ signal: true }, { confg: {} }],
    ])
      await expect(world.start(wrong as never), JSON.stringify(wrong)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    expect(world.pages.size).toBe(1);
  });
});

test("its signal ends it: every part is taken down, and nothing runs on", async () => {
  const stop = new AbortController();
  const service = await begin({ signal: stop.signal });
  await clock.advance(1_000);
  stop.abort(new Error("SIGTERM"));
  await service.closed;
  expect([world.pages.size, service.pageUrl]).toEqual([0, undefined]);
  expect(service.health()).toMatchObject({ pump: { state: "stopped" }, store: { state: "stopped" }, page: { state: "stopped" } });
  expect(service.close()).toBe(service.close());
  // A file is written in the system's own time, and told of then.
  const said = (): string[] => world.lines.filter((line) => !line.includes("page: its address is in"));
  const before = said();
  await clock.advance(60 * MINUTE_MS);
  expect(said()).toEqual(before);
  // The database is free for another.
  using store = await openStore(world.config.storeFile!);
  expect(store.pumps()).toEqual([]);
});

test("a token that the user has chosen is the page's", async () => {
  const chosen = "a-token-of-22-letters_";
  const { keyDatabase } = world.scenario.options();
  const secrets = { keyDatabase, pageToken: chosen, nightscout: undefined, mqttPassword: undefined, tls: undefined };
  await using service = await begin({ secrets });
  await clock.advance(1_000);
  expect(service.pageUrl).toBe(`http://127.0.0.1:8377/#${chosen}`);
  expect(world.lines.join("\n")).not.toContain(chosen);
});

test("a page that cannot be served is tried again; its view is there as soon as a pump is known", async () => {
  let fails = 1;
  const pages: Parameters<NonNullable<PumpServiceOptions["servePage"]>>[0][] = [];
  await using service = await begin({
    servePage: (options) => {
      if (fails-- > 0) return Promise.reject(new Error("the port is taken"));
      pages.push(options);
      return Promise.resolve({ url: "http://127.0.0.1/", close: () => Promise.resolve() });
    },
  });
  await clock.advance(0);
  expect(service.health().page).toMatchObject({ state: "failed", problem: "Error", failures: 1 });
  await clock.advance(1_000);
  expect(service.health().page).toMatchObject({ state: "running", problem: null, failures: 1 });
  expect(pages).toHaveLength(1);
  expect(pages[0]).toMatchObject({ host: "127.0.0.1", port: undefined, allowedHosts: undefined });
  expect([pages[0]!.view(), pages[0]!.state.state]).toEqual([undefined, service.state]);
});

describe("with its pump", () => {
  test("history, site, broker and health tell of it; the link's end is told, and what is known stays", async () => {
    await using at = await ServiceWorld.open({ pump: { historyDays: 0 } });
    // The database is of no more use as it is when the pump comes: it is opened anew, and what stands on it begins then.
    let fails = 1;
    const path = at.config.storeFile!;
    const onStatement = (sql: string): void => {
      if (sql.startsWith("BEGIN") && fails-- > 0) throw new PumpStoreError("ERR_PUMP_STORE_IO", path, "the disk is gone");
    };
    await openStore(path).then((store) => store.close());
    const store = await openStore(path, { wallClock: at.wallClock }, { onStatement });
    let opened = 0;
    const service = await at.start({
      openStore: (_path, options) => (opened++ === 0 ? Promise.resolve(store) : PumpStore.openWith(path, options, { onStatement })),
    });
    const isWell = (): boolean => service.health().store.lastSync !== null && service.health().nightscout.lastUpload !== null;
    for (let i = 0; i < 30 && !isWell(); i++) await at.advance(20_000);
    await at.advance(5_000);
    expect(opened).toBe(2);
    const toldMs = at.wallClock();
    const health = service.health();
    expect(health).toMatchObject({
      status: "ok",
      pump: { state: "running", link: "ready", downSince: null, problem: null },
      store: { state: "running", problem: null, syncing: false, failures: 1 },
      nightscout: { state: "running" },
      homeAssistant: { state: "running", connected: true, problem: null },
    });
    expect(health.store.newRecords).toBeGreaterThan(0);
    expect(health.nightscout.sent).toBe(
      ["entries", "treatments", "devicestatus"].reduce((sum, each) => sum + at.site.documents(each as never).length, 0),
    );
    const age = (text: string | null): number => toldMs - Date.parse(text!);
    for (const text of [health.pump.lastHeard, health.store.lastSync, health.nightscout.lastUpload, health.homeAssistant.lastPublished])
      expect(age(text)).toBeGreaterThanOrEqual(0);
    for (const text of [health.pump.lastHeard, health.store.lastSync, health.nightscout.lastUpload, health.homeAssistant.lastPublished])
      expect(age(text)).toBeLessThan(10 * MINUTE_MS);
    expect(age(health.pump.lastReading)).toBeCloseTo(1000 * health.pump.lastReadingAgeS!, -3);
    expect(age(health.pump.linkSince)).toBeLessThan(10 * MINUTE_MS);

    const { battery } = service.state.values;
    await service.close();
    expect(service.state).toMatchObject({ link: { kind: "ended" }, values: { battery } });
    const kept = at.folder.join("state", "pump-names.json");
    expect(Object.values((JSON.parse(readFileSync(kept, "utf8")) as { pumps: object }).pumps)).toHaveLength(1);
  });
});
