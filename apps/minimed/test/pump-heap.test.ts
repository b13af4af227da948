import { statSync } from "node:fs";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { TransportClosed } from "jelling/hci";
import { expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import { PumpStoreError } from "../src/store/index.ts";
import { PumpStore } from "../src/store/pump-store.ts";
import { watchUnhandled } from "./faults.ts";
import { countObjects, type HeapSample, sampleHeap } from "./heap.ts";
import { calm, TROUBLES, type Trouble, Troubles } from "./pump-troubles.ts";
import { ServiceWorld } from "./service-world.ts";

// The service for long: what it keeps of each reading, each session and each fault would be found in its memory.

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const READING_MS = 5 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Days that are judged, behind one in which everything happens for the first time. */
const DAYS = Number(process.env.JELLING_PUMP_DAYS ?? 3);
/** Another one draws other faults. */
const SEED = Number(process.env.JELLING_PUMP_SEED ?? 1);
const WARM_UP_MS = 30 * MINUTE_MS;
const WINDOW_MS = 75 * MINUTE_MS;
/** About a day of them. */
const RECORDS = 900;
/** A pump that comes rarely, a link that is found dead, a part that is tried again after five minutes. */
const CALM_MS = HOUR_MS;
/** SQLite goes over to the beginning of its log at about 4 MB. */
const LARGEST_LOG = 8 * 1024 * 1024;
/** Behind the pages that a day of it took; a page of WebAssembly has 64 KiB, and comes with others. */
const MORE_EXTERNAL = 2 * 1024 * 1024;
/** What V8 keeps for itself comes and goes by some hundred thousand: this finds what is large, and the objects are counted. */
const MORE_OCTETS_A_DAY = 1_000_000;
/** The simulated pump alone, without a service, has 4000 objects more on each of these days: the plans of three days are kept at hand. */
const SETTLED_DAYS = 2;

const unhandled = watchUnhandled();

/** Lets time pass until nothing is under way: the timers that are set are those that were set then. */
async function quiet(at: ServiceWorld, as?: string): Promise<string> {
  const names = (): string => [...(at.scenario.clock as unknown as { pending: string[] }).pending].sort().join(", ");
  if (as === undefined) {
    // Few timers are set where little is under way.
    const seen: string[] = [];
    for (let i = 0; i < 60; i++) {
      await at.advance(SECOND_MS);
      seen.push(names());
    }
    as = seen.reduce((least, each) => (each.split(", ").length < least.split(", ").length ? each : least));
  }
  for (let i = 0; names() !== as; i++) {
    expect(i, `it does not come to rest: ${names()}; it did with: ${as}`).toBeLessThan(2000);
    await at.advance(SECOND_MS);
  }
  await new Promise((resolve) => setImmediate(resolve));
  return as;
}

test.runIf(isFull)("readings leave nothing behind in the service's memory", async () => {
  await using at = await ServiceWorld.open({ pump: { historyDays: 0, historyCapacity: 20 } });
  const service = await at.start();
  await at.advance(WARM_UP_MS);
  const rest = await quiet(at);
  at.forget(0);
  const before = countObjects();
  await at.advance(WINDOW_MS);
  await quiet(at, rest);
  expect(service.health()).toMatchObject({ status: "ok", pump: { link: "ready" }, homeAssistant: { connected: true } });
  expect(service.health().store.newRecords).toBeGreaterThan(20);
  expect(at.site.documents("entries").length).toBeGreaterThan(10);
  at.forget(0);
  // One object for each reading would be as many as there were readings; a few come and go.
  expect(countObjects() - before).toBeLessThan(WINDOW_MS / READING_MS);
});

test.runIf(isFull)(
  `${DAYS} days with faults everywhere: every hour's history is kept, and memory stays as it was`,
  async () => {
    await using at = await ServiceWorld.open({ seed: 30 + SEED, prepare: () => {}, pump: { historyDays: 0, historyCapacity: RECORDS } });
    const { scenario, broker, site, homeAssistant } = at;
    const { pump, clock } = scenario;
    let isDiskFull = false;
    const openStore: typeof PumpStore.open = (path, options) =>
      PumpStore.openWith(path, options ?? {}, {
        onStatement: (sql) => {
          if (isDiskFull && sql.startsWith("BEGIN")) throw new PumpStoreError("ERR_PUMP_STORE_FULL", path, "there is no room on the disk");
        },
      });
    let service = await at.start({ openStore });
    const later = (ms: number, end: () => void): number => {
      clock.setTimer(ms, "the end of a trouble", end);
      return ms;
    };
    const ofService: Readonly<Record<string, Trouble>> = {
      "no broker": (_, random) => {
        broker.fault = random.unit() < 0.5 ? "away" : "mute";
        broker.cutAll();
        return later(20 * MINUTE_MS * random.unit(), () => (broker.fault = "none"));
      },
      "no site": (_, random) => {
        at.siteFault = random.unit() < 0.5 ? "away" : "hangs";
        return later(40 * MINUTE_MS * random.unit(), () => (at.siteFault = "none"));
      },
      "a site that answers wrongly": (_, random) => {
        const kinds = ["silent_after_storing", "page", "empty_array", "closed", "closed_after_storing"] as const;
        site.faults = Array.from({ length: 1 + (random.uint32() % 4) }, () => ({ kind: kinds[random.uint32() % kinds.length]! }));
        return 0;
      },
      "no adapter": () => {
        scenario.phoneController.transport.onClose?.(new TransportClosed("unplugged"));
        return 0;
      },
      "a disk that is full": (_, random) => {
        isDiskFull = true;
        return later(30 * MINUTE_MS * random.unit(), () => (isDiskFull = false));
      },
      "numbers from 1 on": () => {
        pump.faults.restartNumbering();
        return 0;
      },
      "a computer that starts anew": async () => {
        await service.close();
        service = await at.start({ openStore });
        return 0;
      },
    };
    const random = new SeededRandom(SEED, "faults of a service's days");
    const troubles = new Troubles(scenario, random, { ...TROUBLES, ...ofService });
    const samples: HeapSample[] = [];
    let rest: string | undefined;
    for (let day = 0; day <= DAYS; day++) {
      const calmAtMs = clock.now() + DAY_MS - CALM_MS;
      while (clock.now() < calmAtMs) {
        await at.advance((5 + 40 * random.unit()) * MINUTE_MS);
        await at.advance(Math.max(0, Math.min(await troubles.strike(), calmAtMs - clock.now())));
      }
      calm(scenario);
      await at.advance(CALM_MS);
      expect(service.health(), troubles.last).toMatchObject({ status: "ok", problems: [], pump: { link: "ready" } });
      rest = await quiet(at, rest);
      at.forget(0);
      samples.push(sampleHeap());
      expect(statSync(`${at.config.storeFile}-wal`).size).toBeLessThan(LARGEST_LOG);
    }
    expect(unhandled.filter((each) => (each as Error).name !== "ExperimentalWarning")).toEqual([]); // of counting objects
    expect([site.violations, homeAssistant.problems]).toEqual([[], []]);
    await service.close();
    const store = await PumpStore.open(at.config.storeFile!, { readOnly: true, wallClock: at.wallClock });
    using _ = store;
    const history = store.history(store.pumps()[0]!.pump)!;
    const kept = new Map(
      [...history.records({ segment: history.currentSegment()! })].map(({ ref, bytes }) => [ref.sequenceNumber, toHex(bytes)]),
    );
    // What was recorded while it was being closed is the next one's to read.
    for (let number = pump.history.first!; number <= Math.max(...kept.keys()); number++) {
      const bytes = pump.history.record(number);
      expect([number, kept.get(number)]).toEqual([number, bytes && toHex(bytes)]);
    }
    const [first, last] = [samples[0]!, samples.at(-1)!];
    for (const name of ["functions", "promises", "signals", "controllers", "maps", "sets"] as const)
      expect(last[name] - first[name], name).toBeLessThan(100);
    expect(last.externalOctets - first.externalOctets).toBeLessThan(MORE_EXTERNAL);
    const settled = samples[SETTLED_DAYS];
    if (!settled || DAYS <= SETTLED_DAYS) return;
    // The simulated pump's records are no part of the service: each is an array of octets and its buffer.
    const others = ({ objects, octets }: HeapSample): number => objects - 2 * octets;
    expect((others(last) - others(settled)) / (DAYS - SETTLED_DAYS)).toBeLessThan(DAY_MS / READING_MS);
    expect((last.usedOctets - settled.usedOctets) / (DAYS - SETTLED_DAYS)).toBeLessThan(MORE_OCTETS_A_DAY);
  },
  10_800_000,
);
if (!isFull) leaveOut("days of the pump's service with faults everywhere and its memory (JELLING_ROBUSTNESS=full runs them)");
