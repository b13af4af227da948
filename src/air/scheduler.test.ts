import { expect, test } from "vitest";
import { delay, VirtualClock } from "../async/index.ts";
import { SeededRandom } from "../core/index.ts";
import { AirEvent, Scheduler } from "./scheduler.ts";

test("events fire in order of time, then of setting, whatever is set, moved and cleared", async () => {
  using clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const random = new SeededRandom(1);
  const fired: number[] = [];
  const times = new Map<AirEvent, number>();
  const events = Array.from({ length: 500 }, () => {
    const event: AirEvent = new AirEvent(() => {
      expect(scheduler.nowUs).toBe(times.get(event));
      fired.push(scheduler.nowUs);
      times.delete(event);
    });
    return event;
  });
  for (let round = 0; round < 3; round++) {
    for (const event of events) {
      const timeUs = 10 + (random.uint32() % 2000);
      scheduler.set(event, timeUs);
      times.set(event, timeUs);
    }
  }
  for (const event of events.slice(0, 100)) {
    scheduler.clear(event);
    times.delete(event);
  }
  await clock.advance(5);
  expect(fired).toHaveLength(400);
  expect(fired).toEqual([...fired].sort((a, b) => a - b));
});

test("an event that throws does not stop the others", async () => {
  const clock = new VirtualClock({ auto: false });
  const scheduler = new Scheduler(clock);
  let fired = 0;
  scheduler.set(
    new AirEvent(() => {
      throw new Error("a hook's");
    }),
    1000,
  );
  scheduler.set(new AirEvent(() => fired++), 2000);
  await expect(clock.advance(1)).rejects.toThrow("a hook's");
  await clock.advance(2);
  expect(fired).toBe(1);
});

test("what is due is fired before input from outside is handled", async () => {
  using clock = new VirtualClock();
  const order: string[] = [];
  const done = new Promise<void>((resolve) => {
    clock.setTimer(3, "outside", () => {
      scheduler.catchUp();
      order.push("outside");
      resolve();
    });
  });
  const scheduler = new Scheduler(clock);
  scheduler.set(new AirEvent(() => order.push("air")), 3000); // set later, for the same time
  await done;
  expect(order).toEqual(["air", "outside"]);
});

test("going on without a timer changes neither order nor time, whatever else is set", async () => {
  /** What happened when, with a clock that may pass on at once and with one that cannot. */
  const history = async (seed: number, mayPass: boolean): Promise<string[]> => {
    using clock = new VirtualClock();
    const random = new SeededRandom(seed);
    const pick = (count: number): number => random.uint32() % count;
    const seen: string[] = [];
    const note = (what: string): void => void seen.push(`${clock.now()} ${scheduler.nowUs} ${what}`);
    const plain = { now: () => clock.now(), setTimer: clock.setTimer.bind(clock) };
    await delay(clock, random.unit());
    const scheduler: Scheduler = new Scheduler(mayPass ? clock : plain);
    let left = 400;
    const outside = (): void => {
      note("outside");
      scheduler.catchUp();
      if (left-- > 0) clock.setTimer(pick(20) / 4, "outside", outside);
    };
    const events = Array.from({ length: 5 }, (_, i) => {
      const event: AirEvent = new AirEvent(() => {
        note(`event ${i}`);
        if (pick(3) === 0) {
          scheduler.wake();
          void Promise.resolve().then(() => note("woken"));
          if (pick(4) === 0) clock.setTimer(pick(8) / 4, "outside", outside);
        }
        for (const other of events) if (left > 0 && pick(4) === 0) scheduler.set(other, scheduler.nowUs + 250 * pick(20));
        if (left-- > 0) scheduler.set(event, scheduler.nowUs + 250 * (1 + pick(20)));
      });
      return event;
    });
    for (const event of events) scheduler.set(event, 250 * pick(20));
    clock.setTimer(2, "outside", outside);
    await delay(clock, 1000);
    return seen;
  };
  for (let seed = 0; seed < 20; seed++) {
    const plain = await history(seed, false);
    expect(plain.length).toBeGreaterThan(400);
    expect(await history(seed, true)).toEqual(plain);
  }
});
