import { expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import type { MemoryNightscoutLedger } from "../src/export/index.ts";
import { FROM, NOW, options } from "./nightscout/sparse.ts";
import { stateAt, World } from "./nightscout/world.ts";
import type { ServerFault } from "./nightscout-server.ts";

const FAULTS: readonly ServerFault[] = [
  { kind: "status", status: 408 },
  { kind: "status", status: 425 },
  { kind: "status", status: 429, retryAfter: "20" },
  { kind: "status", status: 500, page: true },
  { kind: "status", status: 503, retryAfter: "Mon, 30 Mar 2026 05:00:00 GMT" },
  { kind: "status", status: 403, page: true },
  { kind: "too_large", octets: 2000 },
  { kind: "fail_after", stored: 3 },
  { kind: "silent" },
  { kind: "silent_after_storing" },
  { kind: "page" },
  { kind: "empty_array" },
  { kind: "empty_array_after_storing" },
  { kind: "slow_body" },
  { kind: "endless_body" },
  { kind: "closed" },
  { kind: "closed_after_storing" },
];

async function requestsOf(api: "v1" | "v3"): Promise<number> {
  const world = new World(options(api));
  world.state = stateAt(NOW - 1000);
  await world.open().upload();
  expect(world.found).toEqual(world.expected(FROM[api], NOW));
  return world.server.requests.length;
}

for (const api of ["v1", "v3"] as const) {
  const fromMs = FROM[api];

  test(`${api}: every fault, at every request, and then on: the same documents once, none lost`, async () => {
    const count = await requestsOf(api);
    let tried = 0;
    for (const [f, fault] of FAULTS.entries())
      for (let index = 0; index < count; index++) {
        // In the short form every fault is tried at some requests, and every request of the smaller interface with some fault.
        if (!isFull && (index + f) % (api === "v1" ? 5 : 17) !== 0) continue;
        tried++;
        const world = new World(options(api));
        world.state = stateAt(NOW - 1000);
        world.server.faults = (_, i) => (i === index ? fault : undefined);
        const uploader = world.open();
        await uploader.upload();
        const where = `${fault.kind} ${"status" in fault ? fault.status : ""} at ${index}: ${world.server.requests[index]?.path}`;
        expect(world.found, where).toEqual(world.expected(fromMs, NOW));
        expect(world.server.violations, where).toEqual([]);
        expect(world.server.documents("devicestatus").length, where).toBeLessThanOrEqual(1);
        const before = world.posts.length;
        await world.open().upload();
        expect(world.posts.length - before, where).toBeLessThanOrEqual(0);
      }
    expect(tried).toBeGreaterThan(19);
    if (!isFull) leaveOut(`faults of a Nightscout site (${api})`, tried, FAULTS.length * count);
  });

  test(`${api}: killed at every request, before and after it arrived, and begun anew with the ledger`, async () => {
    const count = await requestsOf(api);
    let tried = 0;
    for (const arrives of [true, false])
      for (let index = 0; index < count; index += isFull || api === "v1" ? 1 : 7) {
        tried++;
        const world = new World(options(api));
        world.state = stateAt(NOW - 1000);
        const controller = new AbortController();
        const fetch: typeof world.server.fetch = async (url, init) => {
          if (world.server.requests.length !== index || controller.signal.aborted) return await world.server.fetch(url, init);
          if (arrives) await world.server.fetch(url, init);
          else world.server.requests.push({ ...world.server.requests[0]!, path: "lost" });
          controller.abort(new Error("killed"));
          return await new Promise<Response>(() => undefined);
        };
        await expect(world.open({ fetch }).upload({ signal: controller.signal })).rejects.toThrow("killed");
        await world.open().upload();
        expect(world.found, `at ${index}`).toEqual(world.expected(fromMs, NOW));
        expect(world.server.documents("devicestatus").length, `at ${index}`).toBeLessThanOrEqual(1);
        expect(world.server.violations).toEqual([]);
      }
    if (!isFull && api === "v3") leaveOut("kills of an upload (v3)", tried, 2 * count);
  });

  test(`${api}: a ledger that fails at any write: nothing lost, nothing twice`, async () => {
    for (let index = 0; ; index += isFull ? 1 : api === "v1" ? 2 : 9) {
      const world = new World(options(api));
      let writes = 0;
      const { ledger } = world;
      const failing = {
        find: ledger.find.bind(ledger),
        between: ledger.between.bind(ledger),
        progress: ledger.progress.bind(ledger),
        setProgress: (...given: Parameters<MemoryNightscoutLedger["setProgress"]>) => {
          if (writes++ === index) throw new Error("disk full");
          ledger.setProgress(...given);
        },
        put: (...given: Parameters<MemoryNightscoutLedger["put"]>) => {
          if (writes++ === index) throw new Error("disk full");
          ledger.put(...given);
        },
      };
      const outcome = await world
        .open({ ledger: failing })
        .upload()
        .catch((error: unknown) => (error as Error).message);
      if (typeof outcome === "object") break;
      expect(outcome).toBe("disk full");
      await world.open().upload();
      expect(world.found, `at ${index}`).toEqual(world.expected(fromMs, NOW));
    }
  });
}
