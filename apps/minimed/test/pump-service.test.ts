import { readFileSync, statSync } from "node:fs";
import { inspect } from "node:util";
import { TransportClosed } from "jelling/hci";
import { afterEach, expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import type { PumpService } from "../src/service/index.ts";
import { PumpStoreError } from "../src/store/index.ts";
import { PumpStore } from "../src/store/pump-store.ts";
import { SECRET } from "./nightscout-server.ts";
import { ServiceWorld, type ServiceWorldOptions } from "./service-world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let world: ServiceWorld | undefined;
afterEach(async () => {
  const open = world;
  world = undefined;
  await open?.[Symbol.asyncDispose]();
});

async function opened(options: ServiceWorldOptions = {}): Promise<ServiceWorld> {
  world = await ServiceWorld.open({ ...options, pump: { historyDays: 0, ...options.pump } });
  return world;
}

/** What must hold of everything that leaves: no names, numbers, addresses or secrets. */
function expectNoSecrets(at: ServiceWorld, service: PumpService): void {
  const { digits, address } = at.scenario.pump.identity;
  const said = [at.lines.join("\n"), JSON.stringify(service.health()), JSON.stringify(at.broker.log), inspect(service, { depth: 6 })].join(
    "\n",
  );
  const token = readFileSync(at.folder.join("state", "pump-page-token"), "utf8").trim();
  for (const secret of [digits, address.toHex(), SECRET, "correct horse", "pump-user", token])
    expect(said.includes(secret), secret).toBe(false);
}

async function kept(at: ServiceWorld): Promise<{ numbers: number[]; gaps: number }> {
  const store = await PumpStore.open(at.config.storeFile!, { readOnly: true, wallClock: at.wallClock });
  using _ = store;
  const history = store.history(store.pumps()[0]!.pump)!;
  return { numbers: [...history.records()].map(({ ref }) => ref.sequenceNumber), gaps: history.gaps().length };
}

test("a pump, its history, the page, Nightscout and Home Assistant from one process; it ends at once and goes on where it was", async () => {
  const at = await opened({ config: { health: { port: 0 } } });
  const { homeAssistant, site } = at;
  const service = await at.start();
  await at.advance(4 * MINUTE_MS);
  expect(homeAssistant.stateOf("connected")).toBe("ON");
  expect(Number(homeAssistant.stateOf("glucose"))).toBeGreaterThan(39);
  expect(site.documents("entries").length).toBeGreaterThan(0);
  expect(site.documents("devicestatus").length).toBeGreaterThan(0);
  expect(at.pages.size).toBe(1);
  const urlFile = at.folder.join("state", "pump-page-url");
  expect(readFileSync(urlFile, "utf8")).toBe(`${service.pageUrl}\n`);
  expect(statSync(urlFile).mode & 0o777).toBe(0o600);
  expect(service.state.link.kind).toBe("ready");
  const health = service.health();
  expect(health).toMatchObject({
    status: "ok",
    problems: [],
    pump: { state: "running", link: "ready", hint: null, downSince: null },
    store: { state: "running", problem: null, syncing: false },
    page: { state: "running" },
    nightscout: { state: "running", failures: 0 },
    homeAssistant: { state: "running", connected: true },
  });
  expect(health.pump.lastReadingAgeS).toBeLessThanOrEqual(600);
  expect(health.nightscout.sent).toBeGreaterThan(0);

  const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${service.healthPort}${path}`, init);
  const answer = await ask("/health?verbose");
  expect([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([
    200,
    "application/json; charset=utf-8",
    "no-store",
  ]);
  expect(await answer.json()).toMatchObject({ status: "ok", pump: { link: "ready" } });
  expect((await ask("/health", { method: "POST", body: "x".repeat(100_000) })).status).toBe(405);
  expect(await (await ask("/health", { method: "HEAD" })).text()).toBe("");
  expect((await ask("/")).status).toBe(404);

  const wasMs = at.scenario.clock.now();
  await service.close();
  await service.closed;
  expect(at.scenario.clock.now() - wasMs).toBeLessThan(10_000);
  expect([at.pages.size, at.broker.connections, service.healthPort, service.pageUrl]).toEqual([0, 0, undefined, undefined]);
  expect(homeAssistant.stateOf("reservoir")).toBe("unavailable");
  expectNoSecrets(at, service);
  const { pending } = at.scenario.air.clock as unknown as { pending: string[] };
  expect(pending.filter((name) => /keeping|sync|publisher|nightscout|start|stop|page/i.test(name))).toEqual([]);

  // Another run knows its pump before it comes, and its page's address is the same.
  const announced = at.broker.log.length;
  const entries = site.documents("entries").length;
  const again = await at.start();
  await at.advance(2_000);
  expect(again.state.link.kind).not.toBe("ready");
  expect(at.broker.log.slice(announced).some(({ topic, payload }) => topic.endsWith("/status") && payload === "online")).toBe(true);
  expect(again.pageUrl).toBe(readFileSync(urlFile, "utf8").trim());
  await at.advance(4 * MINUTE_MS);
  expect(site.documents("entries").length).toBeGreaterThan(entries);
  expect(site.violations).toEqual([]);
  expect(homeAssistant.problems).toEqual([]);
  const { numbers, gaps } = await kept(at);
  expect(gaps).toBe(0);
  expect(new Set(numbers).size).toBe(numbers.length);
});

test("each part fails by itself, harms no other, and comes back", async () => {
  const at = await opened();
  const { homeAssistant, site, broker, scenario } = at;
  const fails = { store: 3, page: 2, controller: 2 };
  const service = await at.start({
    openStore: (path, options) =>
      fails.store-- > 0 ? Promise.reject(new PumpStoreError("ERR_PUMP_STORE_IN_USE", path, "in use")) : PumpStore.open(path, options),
    controller: () => {
      if (fails.controller-- > 0) throw new Error("no such adapter");
      return scenario.phoneController.transport;
    },
  });
  await at.advance(1_500);
  expect(service.health()).toMatchObject({
    store: { state: "failed", problem: "ERR_PUMP_STORE_IN_USE" },
    pump: { state: "failed", link: "ended" },
  });
  await at.advance(4 * MINUTE_MS);
  expect(service.health()).toMatchObject({
    status: "ok",
    store: { state: "running", failures: 3 },
    pump: { state: "running", failures: 2 },
  });
  expect(homeAssistant.stateOf("connected")).toBe("ON");
  expect(site.documents("entries").length).toBeGreaterThan(0);

  // The adapter is pulled out.
  const { transport } = scenario.phoneController;
  transport.onClose!(new TransportClosed("unplugged"));
  await at.advance(2_000);
  expect(service.health().pump.failures).toBe(3);
  expect(homeAssistant.stateOf("connected")).toBe("OFF");
  expect(homeAssistant.stateOf("reservoir")).not.toBe("unknown");
  // Meanwhile broker and site are away.
  broker.fault = "away";
  broker.cutAll();
  at.siteFault = "hangs";
  const before = site.documents("entries").length;
  await at.advance(4 * MINUTE_MS);
  expect(service.health()).toMatchObject({
    pump: { state: "running", link: "ready" },
    store: { state: "running" },
    homeAssistant: { connected: false },
  });
  expect(site.documents("entries").length).toBe(before);
  at.siteFault = "none";
  broker.fault = "none";
  await at.advance(5 * MINUTE_MS);
  expect(homeAssistant.stateOf("connected")).toBe("ON");
  expect(site.documents("entries").length).toBeGreaterThan(before);
  expect(service.health()).toMatchObject({ status: "ok", homeAssistant: { connected: true } });
  expectNoSecrets(at, service);
  await service.close();
  const { gaps } = await kept(at);
  expect(gaps).toBe(0);
});

test("a disk that is full is told, loses nothing, and what waited is kept when there is room", async () => {
  const at = await opened();
  let isFull = false;
  const service = await at.start({
    openStore: (path, options) =>
      PumpStore.openWith(path, options, {
        onStatement: (sql) => {
          if (isFull && sql.startsWith("BEGIN")) throw new PumpStoreError("ERR_PUMP_STORE_FULL", path, "there is no room on the disk");
        },
      }),
  });
  await at.advance(2 * MINUTE_MS);
  isFull = true;
  await at.advance(6 * MINUTE_MS);
  expect(service.health()).toMatchObject({
    status: "failing",
    problems: expect.arrayContaining(["History database: ERR_PUMP_STORE_FULL."]),
    store: { state: "running", problem: "ERR_PUMP_STORE_FULL", failures: 0 },
    pump: { link: "ready" },
  });
  expect(at.homeAssistant.stateOf("connected")).toBe("ON");
  isFull = false;
  await at.advance(2 * MINUTE_MS);
  expect(service.health()).toMatchObject({ store: { state: "running", problem: null } });
  await service.close();
  const { numbers, gaps } = await kept(at);
  expect(gaps).toBe(0);
  expect(numbers.length).toBeGreaterThan(3);
});

test("a site that does not know us is not asked again; the health says that its user is needed", async () => {
  const at = await opened();
  const service = await at.start({
    secrets: { ...secretsOf(at), nightscout: { secret: "another-secret-1" } },
  });
  await at.advance(3 * MINUTE_MS);
  expect(service.health()).toMatchObject({
    status: "failing",
    problems: ["Nightscout: it has stopped, and needs its user (ERR_NIGHTSCOUT_UNAUTHORIZED)."],
    nightscout: { state: "halted", problem: "ERR_NIGHTSCOUT_UNAUTHORIZED" },
  });
  const asked = at.site.requests.length;
  await at.advance(3 * MINUTE_MS);
  expect(at.site.requests.length).toBe(asked);
  expect(at.homeAssistant.stateOf("connected")).toBe("ON");
  expect(at.lines.join("\n")).not.toContain("another-secret-1");
});

const secretsOf = (at: ServiceWorld) => ({
  keyDatabase: at.scenario.options().keyDatabase,
  pageToken: undefined,
  nightscout: undefined,
  mqttPassword: undefined,
  tls: undefined,
});

test("without a bond it says what to do, and leaves the adapter alone", async () => {
  const at = await opened();
  const { bonds } = at.scenario;
  for await (const bond of bonds.all()) await bonds.delete(bond.identity);
  const service = await at.start();
  await at.advance(11 * MINUTE_MS);
  expect(service.health()).toMatchObject({
    status: "failing",
    problems: ["Pump: it has not run for 11 min (ERR_PUMP_NOT_BONDED)."],
    pump: { state: "failed", problem: "ERR_PUMP_NOT_BONDED", link: "ended", hint: expect.stringContaining("jelling pump pair") },
    nightscout: { state: "waiting" },
    homeAssistant: { state: "waiting" },
    page: { state: "running" },
  });
});

test.runIf(isFull)("out of reach for an hour: told, and caught up with when it is back", async () => {
  const at = await opened();
  const { scenario, homeAssistant } = at;
  const service = await at.start();
  await at.advance(4 * MINUTE_MS);
  const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
  await at.advance(HOUR_MS);
  expect(service.health()).toMatchObject({ status: "failing", pump: { link: "advertising", hint: expect.stringContaining("near") } });
  expect(service.health().problems).toEqual([expect.stringMatching(/^Pump: it was not heard of for (59|6[0-3]) min\.$/)]);
  expect([homeAssistant.stateOf("glucose"), homeAssistant.stateOf("connected")]).toEqual(["unavailable", "OFF"]);
  wall[Symbol.dispose]();
  await at.advance(8 * MINUTE_MS);
  expect(service.health()).toMatchObject({ status: "ok", pump: { link: "ready" } });
  await service.close();
  const { numbers, gaps } = await kept(at);
  expect(gaps).toBe(0);
  expect(numbers.length).toBeGreaterThan(20);
});

test.runIf(isFull)(
  "a day with faults in every part: no gap in what is kept, nothing twice on the site, no timer and no listener more than at its beginning",
  async () => {
    const at = await opened();
    const { scenario, broker } = at;
    const clock = scenario.air.clock as unknown as { pending: string[] };
    const service = await at.start();
    await at.advance(10 * MINUTE_MS);
    const timers = clock.pending.length;
    for (let hour = 0; hour < 24; hour++) {
      if (hour % 3 === 0) broker.cutAll();
      if (hour % 4 === 1) at.siteFault = "away";
      if (hour % 5 === 2) scenario.phoneController.transport.onClose!(new TransportClosed("unplugged"));
      if (hour % 6 === 3) await scenario.pump.disconnect();
      await at.advance(30 * MINUTE_MS);
      at.siteFault = "none";
      await at.advance(30 * MINUTE_MS);
    }
    await at.advance(20 * MINUTE_MS);
    expect(service.health()).toMatchObject({ status: "ok", pump: { link: "ready" } });
    expect(clock.pending.length).toBeLessThanOrEqual(timers + 4);
    expect(at.site.violations).toEqual([]);
    expect(at.homeAssistant.problems).toEqual([]);
    await service.close();
    const { numbers, gaps } = await kept(at);
    expect(gaps).toBe(0);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(600);
  },
  900_000,
);
if (!isFull) leaveOut("a day of the pump's service with faults in every part (JELLING_ROBUSTNESS=full runs it)");
