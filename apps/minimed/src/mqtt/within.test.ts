import { VirtualClock } from "jelling/async";
import { expect, test } from "vitest";
import { within } from "./within.ts";

const limits = (clock: VirtualClock, signal?: AbortSignal) => ({ clock, operation: "x", timeoutMs: 2000, signal });

test("what comes in time is given; what comes late is handed to who gets rid of it, and the work hears that it is late", async () => {
  using clock = new VirtualClock({ auto: false });
  const late: string[] = [];
  expect(
    await within(
      limits(clock),
      () => Promise.resolve("in time"),
      (value) => late.push(value),
    ),
  ).toBe("in time");
  let finish: ((value: string) => void) | undefined;
  let heard: AbortSignal | undefined;
  const waiting = within(
    limits(clock),
    (signal) => {
      heard = signal;
      return new Promise<string>((resolve) => {
        finish = resolve;
      });
    },
    (value) => late.push(value),
  );
  const refused = expect(waiting).rejects.toMatchObject({ problem: "timeout", message: "The broker did not answer within 2 s." });
  await clock.advance(1999);
  expect(heard!.aborted).toBe(false);
  await clock.advance(1);
  await refused;
  expect(heard!.aborted).toBe(true);
  finish!("late");
  await clock.advance(0);
  expect(late).toEqual(["late"]);
  expect(clock.pending).toEqual([]);
});

test("its signal ends it with its reason; work that throws at once or later is its own reason, and leaves no timer", async () => {
  using clock = new VirtualClock({ auto: false });
  const stop = new AbortController();
  const waiting = within(limits(clock, stop.signal), () => new Promise(() => undefined));
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  let began = false;
  const never = within(limits(clock, stop.signal), () => {
    began = true;
    return Promise.resolve();
  });
  await expect(never).rejects.toThrow("enough");
  expect(began).toBe(false);
  const thrown = within(limits(clock), () => {
    throw new TypeError("at once");
  });
  await expect(thrown).rejects.toThrow("at once");
  await expect(within(limits(clock), () => Promise.reject(new Error("later")))).rejects.toThrow("later");
  expect(clock.pending).toEqual([]);
});
