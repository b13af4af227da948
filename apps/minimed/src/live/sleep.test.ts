import { delay, VirtualClock } from "jelling/async";
import { describe, expect, test } from "vitest";
import { SleepLedger } from "./sleep.ts";

const HOUR_MS = 3600_000;

describe("a sleep of the computer", () => {
  test("is what the wall clock has gone on while the other one stood still; steps of a few seconds, and steps back, are none", () => {
    let [wallMs, nowMs] = [1_900_000_000_000, 500];
    const ledger = new SleepLedger(() => wallMs, nowMs);
    const pass = (forMs: number, sleptMs = 0): number => {
      nowMs += forMs;
      wallMs += forMs + sleptMs;
      return ledger.look(nowMs);
    };
    expect(pass(60_000)).toBe(0);
    expect(pass(60_000, 9999)).toBe(0);
    expect(pass(60_000, -HOUR_MS)).toBe(0);
    expect(pass(60_000, HOUR_MS)).toBe(HOUR_MS);
    expect(pass(60_000)).toBe(0);
    expect(ledger.epochMs).toBe(wallMs - nowMs);
  });

  test("makes moments before it older, those behind it not; many are added up", () => {
    let [wallMs, nowMs] = [0, 0];
    const ledger = new SleepLedger(() => wallMs, 0);
    for (let night = 0; night < 100; night++) {
      nowMs += HOUR_MS;
      wallMs += 2 * HOUR_MS;
      ledger.look(nowMs);
    }
    expect(ledger.moment(0)).toBe(-100 * HOUR_MS);
    expect(ledger.moment(nowMs - 1)).toBe(nowMs - 1 - HOUR_MS);
    expect(ledger.moment(nowMs)).toBe(nowMs);
  });
});

test("a clock that is simulated never sleeps", async () => {
  using clock = new VirtualClock();
  const ledger = new SleepLedger(() => 1_900_000_000_000 + clock.now(), clock.now());
  await delay(clock, 10 * HOUR_MS);
  expect(ledger.look(clock.now())).toBe(0);
});
