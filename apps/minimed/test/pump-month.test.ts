import type { VirtualClock } from "jelling/async";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import type { PumpConnector } from "../src/connector/pump-connector.ts";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { PumpMonitor } from "../src/live/monitor.ts";
import { watchUnhandled } from "./faults.ts";
import { Scenario } from "./scenario.ts";

// A connector that is followed for long, with a pump and a link that go wrong every so often.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A month where that is asked for, which takes many minutes; days of it where everything is tried, else hours. */
const HOURS = process.env.JELLING_PUMP_DAYS ? 24 * Number(process.env.JELLING_PUMP_DAYS) : isFull ? 4 * 24 : 4;
/**
 * Beside the fault itself: a link that is found dead (10 s of ATT), the pump's rare listening (its window of 20 ms in 10.24 s meets the
 * advertising within a minute or two), and a poll, which comes after six minutes without a push.
 */
const RECOVERY_MS = 10 * MINUTE_MS;

const unhandled = watchUnhandled();

/** Keeps the history of a pump as a store would: what is missing, oldest first, each page as it comes. */
class Keeper {
  readonly records = new Map<number, string>();
  next: number | undefined;
  failures = 0;

  readonly keep = async (session: PumpSession, signal: AbortSignal): Promise<void> => {
    try {
      const bounds = await session.historyBounds({ signal });
      if (!bounds) return;
      this.next = Math.max(this.next ?? bounds.last - 20, bounds.first);
      if (this.next > bounds.last) return;
      for await (const { last, records } of session.history({ first: this.next, last: bounds.last, order: "oldest", signal })) {
        for (const { record, bytes } of records) this.records.set(record.sequenceNumber, toHex(bytes));
        this.next = Math.max(this.next, last + 1);
      }
    } catch (error) {
      this.failures++;
      throw error;
    }
  };
}

/** What goes wrong: gives how long it lasts, in ms. */
type Fault = (scenario: Scenario, random: SeededRandom) => number | Promise<number>;

const count = (random: SeededRandom): number => 1 + (random.uint32() % 3);
const minutes = (random: SeededRandom, most: number): number => Math.ceil(MINUTE_MS * (0.2 + most * random.unit()));
const later = (scenario: Scenario, delayMs: number, act: () => void): number => {
  scenario.clock.setTimer(delayMs, "the end of a fault", act);
  return delayMs;
};

const FAULTS: Readonly<Record<string, Fault>> = {
  "silent pump": ({ pump }, random) => {
    const forMs = minutes(random, 15);
    pump.faults.fallSilent(forMs);
    return forMs;
  },
  "link lost": async ({ pump }) => {
    await pump.faults.loseLink();
    return 0;
  },
  "out of range": (scenario, random) => {
    const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
    return later(scenario, minutes(random, 25), () => wall[Symbol.dispose]());
  },
  "wrong tags": ({ pump }, random) => {
    pump.faults.wrongTags = count(random);
    return 0;
  },
  "wrong checksums": ({ pump }, random) => {
    pump.faults.wrongCrcs = count(random);
    return 0;
  },
  busy: ({ pump }, random) => {
    pump.faults.busyWrites = count(random);
    return 0;
  },
  "not completed": ({ pump }, random) => {
    pump.faults.uncompletedRequests = count(random);
    return 0;
  },
  "no answer": ({ pump }) => {
    pump.faults.unansweredRequests = 1;
    return 0;
  },
  "reset refused": ({ pump }, random) => {
    pump.faults.refusedResets = count(random);
    return 0;
  },
  "no push": (scenario, random) => {
    scenario.pump.faults.withholdsPushes = true;
    return later(scenario, minutes(random, 30), () => {
      scenario.pump.faults.withholdsPushes = false;
    });
  },
  "a transfer that stops": ({ pump }, random) => {
    pump.faults.stopTransferAfter = random.uint32() % 4;
    pump.faults.recordUnknownEvent();
    return 0;
  },
  "events that nobody knows": ({ pump }, random) => {
    pump.faults.recordUnknownEvent(0xf0aa, Uint8Array.of(random.uint32() & 0xff));
    pump.faults.recordGarbage();
    pump.faults.leaveHole(count(random));
    return 0;
  },
  "clock lost": (scenario, random) => {
    scenario.pump.faults.loseClock();
    return later(scenario, minutes(random, 20), () => scenario.pump.faults.setClock());
  },
  "other software": async ({ pump }) => {
    await pump.faults.updateFirmware();
    return 0;
  },
};

test(`${HOURS} hours of a pump with faults: no gap longer than the fault, nothing unhandled, nothing left over`, async () => {
  if (HOURS < 30 * 24) leaveOut("hours of a pump's month with faults (JELLING_PUMP_DAYS=30)", 30 * 24 - HOURS, 30 * 24);
  await using scenario = await Scenario.open({ seed: 21, traceCapacity: 0, prepare: () => {} });
  await using first = await scenario.connector();
  await scenario.pair(first);
  let connector: PumpConnector = first;
  const keeper = new Keeper();
  let monitor = new PumpMonitor(connector, { history: keeper.keep });
  const { pump, air, clock } = scenario;
  const random = new SeededRandom(7, "faults of a month");
  const names = Object.keys(FAULTS);
  const struck: string[] = [];
  let okUntilMs = clock.now();
  let excuseMs = clock.now();
  const look = (): void => {
    const told = monitor.state.values.glucose?.value;
    const latest = pump.sensor?.latestOffsetMin;
    const isFresh = told && (told.kind === "no-sensor" ? latest === undefined : told.timeOffsetMin === latest);
    if (isFresh) okUntilMs = clock.now();
    // The time that faults take excuses a gap.
    const gapMs = clock.now() - Math.max(okUntilMs, excuseMs);
    expect(gapMs, `a gap after: ${struck.slice(-3).join(", ")}`).toBeLessThan(RECOVERY_MS);
  };
  let nextMs = clock.now() + 20 * MINUTE_MS;
  const endMs = clock.now() + HOURS * HOUR_MS;
  let timers: number | undefined;
  const pending = (): number => (clock as VirtualClock).pending.length;
  for (let round = 0; clock.now() < endMs; ) {
    await air.advance(MINUTE_MS);
    look();
    if (clock.now() < nextMs) continue;
    timers ??= pending();
    const name = names[round++ % names.length]!;
    struck.push(name);
    const lastsMs = await FAULTS[name]!(scenario, random);
    excuseMs = Math.max(excuseMs, clock.now() + lastsMs);
    nextMs = excuseMs + (7 + 9 * random.unit()) * MINUTE_MS;
    // Now and then the computer starts anew.
    if (round % 10 === 0) {
      await monitor.close();
      await connector.close();
      connector = await scenario.connector({ mode: "reconnect" });
      monitor = new PumpMonitor(connector, { history: keeper.keep });
    }
  }
  Object.assign(pump.faults, {
    wrongTags: 0,
    wrongCrcs: 0,
    busyWrites: 0,
    unansweredRequests: 0,
    uncompletedRequests: 0,
    refusedResets: 0,
  });
  await air.advance(20 * MINUTE_MS);
  look();
  expect(pending()).toBeLessThan(timers! + 10);
  const { session } = monitor;
  await keeper.keep(session!, new AbortController().signal);
  await monitor.close();
  await connector.close();
  // Every record that the pump has from the first that was kept on, octet for octet.
  const from = Math.min(...keeper.records.keys());
  for (let number = from; number <= pump.history.last!; number++) {
    const bytes = pump.history.record(number);
    expect([number, keeper.records.get(number)]).toEqual([number, bytes && toHex(bytes)]);
  }
  expect(struck.length).toBeGreaterThan(HOURS);
  expect(unhandled).toEqual([]);
}, 1_800_000);
