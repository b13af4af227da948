import type { VirtualClock } from "jelling/async";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import type { PumpConnector } from "../src/connector/pump-connector.ts";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { PumpMonitor } from "../src/live/monitor.ts";
import { watchUnhandled } from "./faults.ts";
import { calm, TROUBLES, Troubles } from "./pump-troubles.ts";
import { Scenario } from "./scenario.ts";

// A connector that is followed for long, with a pump and a link that go wrong every so often.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A month where that is asked for, which takes many minutes; days of it where everything is tried, else hours. */
const HOURS = process.env.JELLING_PUMP_DAYS ? 24 * Number(process.env.JELLING_PUMP_DAYS) : isFull ? 4 * 24 : 4;
/** Another one draws other faults. */
const SEED = Number(process.env.JELLING_PUMP_SEED ?? 1);
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

test(`${HOURS} hours of a pump with faults: no gap longer than the fault, nothing unhandled, nothing left over`, async () => {
  if (HOURS < 30 * 24) leaveOut("hours of a pump's month with faults (JELLING_PUMP_DAYS=30)", 30 * 24 - HOURS, 30 * 24);
  await using scenario = await Scenario.open({ seed: 20 + SEED, traceCapacity: 0, prepare: () => {} });
  await using first = await scenario.connector();
  await scenario.pair(first);
  let connector: PumpConnector = first;
  const keeper = new Keeper();
  let monitor = new PumpMonitor(connector, { history: keeper.keep });
  const { pump, air, clock } = scenario;
  const random = new SeededRandom(SEED, "faults of a month");
  const troubles = new Troubles(scenario, random, TROUBLES);
  let okUntilMs = clock.now();
  let excuseMs = clock.now();
  const look = (): void => {
    const told = monitor.state.values.glucose?.value;
    const latest = pump.sensor?.latestOffsetMin;
    const isFresh = told && (told.kind === "no-sensor" ? latest === undefined : told.timeOffsetMin === latest);
    if (isFresh) okUntilMs = clock.now();
    // The time that faults take excuses a gap.
    const gapMs = clock.now() - Math.max(okUntilMs, excuseMs);
    expect(gapMs, `a gap after: ${troubles.last}`).toBeLessThan(RECOVERY_MS);
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
    excuseMs = Math.max(excuseMs, clock.now() + (await troubles.strike()));
    nextMs = excuseMs + (7 + 9 * random.unit()) * MINUTE_MS;
    // Now and then the computer starts anew.
    if (++round % 10 === 0) {
      await monitor.close();
      await connector.close();
      connector = await scenario.connector({ mode: "reconnect" });
      monitor = new PumpMonitor(connector, { history: keeper.keep });
    }
  }
  calm(scenario);
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
  expect(troubles.struck.length).toBeGreaterThan(HOURS);
  expect(unhandled).toEqual([]);
}, 10_800_000);
