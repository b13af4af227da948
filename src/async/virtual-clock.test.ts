import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { TurnCounter } from "../../test/support/turns.ts";
import { delay, quiet, SystemClock, whileTimeStands } from "./clock.ts";
import { turn } from "./turn.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("timers fire in order of time, then of setting", async () => {
  using clock = new VirtualClock();
  const order: string[] = [];
  clock.setTimer(20, "late", () => order.push("late"));
  clock.setTimer(10, "first", () => order.push("first"));
  clock.setTimer(10, "second", () => order.push("second"));
  await clock.advance(30);
  expect(order).toEqual(["first", "second", "late"]);
  expect(clock.now()).toBe(30);
});

test("an hour passes as soon as nothing else is to be done", async () => {
  using clock = new VirtualClock();
  await delay(clock, 3_600_000);
  expect(clock.now()).toBe(3_600_000);
});

test("a clock that is not automatic stands still until it is moved", async () => {
  using clock = new VirtualClock({ auto: false });
  let fired = false;
  clock.setTimer(5, "timer", () => {
    fired = true;
  });
  await clock.advance(4);
  expect(fired).toBe(false);
  await clock.advance(1);
  expect(fired).toBe(true);
});

test("a promise that no timer can settle is told apart from a slow one", async () => {
  using clock = new VirtualClock({ auto: false });
  await expect(clock.run(new Promise(() => {}))).rejects.toMatchObject({ code: "ERR_STATE" });
});

describe("disposed timers", () => {
  test("are let go of long before they were due", () => {
    using clock = new VirtualClock({ auto: false });
    clock.setTimer(1000, "stays", () => {});
    for (let i = 0; i < 10_000; i++) {
      clock.setTimer(30_000, "timeout of a request", () => {})[Symbol.dispose]();
      expect(clock.held).toBeLessThan(600);
    }
    expect(clock.pending).toEqual(["stays"]);
  });

  test("are no more than the others, however many those are", () => {
    using clock = new VirtualClock({ auto: false });
    for (let i = 0; i < 2000; i++) clock.setTimer(i % 7, "stays", () => {});
    for (let i = 0; i < 10_000; i++) clock.setTimer(30_000, "timeout of a request", () => {})[Symbol.dispose]();
    expect(clock.held).toBeLessThanOrEqual(4001);
  });

  test("leave the order of the others as it is", async () => {
    using clock = new VirtualClock({ auto: false });
    const fired: number[] = [];
    const expected: [due: number, sequence: number][] = [];
    for (let i = 0; i < 3000; i++) {
      const due = (i * 7919) % 100;
      const timer = clock.setTimer(due, "timer", () => fired.push(i));
      if (i % 5 === 0) expected.push([due, i]);
      else timer[Symbol.dispose]();
    }
    await clock.advance(100);
    expect(fired).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, sequence]) => sequence));
  });
});

describe("what takes real time only", () => {
  const turns = async (count: number): Promise<string> => {
    for (let i = 0; i < count; i++) await turn();
    return "done";
  };

  test("is not overtaken by simulated deadlines", async () => {
    using clock = new VirtualClock();
    let isLate = false;
    clock.setTimer(15_000, "deadline", () => {
      isLate = true;
    });
    expect(await whileTimeStands(clock, () => turns(100))).toBe("done");
    expect([isLate, clock.now()]).toEqual([false, 0]);
    await delay(clock, 15_000);
    expect(isLate).toBe(true);
  });

  test("holds the clock as long as one of several goes on, also when it fails", async () => {
    using clock = new VirtualClock();
    const first = clock.hold();
    const failed = whileTimeStands(clock, async () => {
      await turns(3);
      throw new Error("no such module");
    });
    const waited = delay(clock, 10);
    await expect(failed).rejects.toThrow("no such module");
    await turns(10);
    expect(clock.now()).toBe(0);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await waited;
    expect(clock.now()).toBe(10);
  });

  test("holds a clock that is moved by hand, whoever moves it", async () => {
    using clock = new VirtualClock({ auto: false });
    const hold = clock.hold();
    let moved = 0;
    void clock.advance(5).then(() => moved++);
    void clock.run(delay(clock, 3)).then(() => moved++);
    await turns(10);
    expect([moved, clock.now()]).toEqual([0, 0]);
    hold[Symbol.dispose]();
    await turns(10);
    expect([moved, clock.now()]).toEqual([2, 5]);
  });

  test("takes the time it takes where time cannot be held", async () => {
    expect(await whileTimeStands(new SystemClock(), () => turns(1))).toBe("done");
    expect(await whileTimeStands(undefined, () => turns(1))).toBe("done");
  });

  test("does not keep a stopped clock waiting", async () => {
    const clock = new VirtualClock({ auto: false });
    clock.hold();
    const advanced = clock.advance(5);
    await turns(2);
    clock[Symbol.dispose]();
    await advanced;
  });
});

describe("going on without a timer", () => {
  test("is for a timer that fires, up to the next one, and as far as the clock is to go", async () => {
    using clock = new VirtualClock({ auto: false });
    expect(clock.pass(1)).toBe(false);
    const passed: [boolean, number][] = [];
    const pass = (ms: number): void => void passed.push([clock.pass(ms), clock.now()]);
    clock.setTimer(1, "passes", () => {
      for (const ms of [2, 4, 3.5, 0, -1]) pass(ms);
      return quiet;
    });
    clock.setTimer(7, "another", () => {
      for (const ms of [3.5, 3]) pass(ms);
      return quiet;
    });
    await clock.advance(10);
    expect(passed).toEqual([
      ...([
        [true, 3],
        [false, 3],
        [true, 6.5],
        [true, 6.5],
        [true, 6.5],
      ] as const),
      ...([
        [false, 7],
        [true, 10],
      ] as const),
    ]);
    expect(clock.pass(1)).toBe(false);
  });

  test("ends after a while, for the event loop's sake, and with the clock", async () => {
    using clock = new VirtualClock();
    let passes = 0;
    let isTurned = false;
    clock.setTimer(0, "passes", () => {
      setImmediate(() => {
        isTurned = true;
      });
      while (clock.pass(1)) passes++;
      clock.setTimer(1, "again", () => expect(isTurned).toBe(true));
      return quiet;
    });
    await delay(clock, 10_000);
    expect(passes).toBeGreaterThan(1000);
    expect(passes).toBeLessThan(5000);
    clock.setTimer(0, "stops", () => {
      clock[Symbol.dispose]();
      expect(clock.pass(1)).toBe(false);
    });
    await turn();
    await turn();
    expect.assertions(4);
  });
});

describe("a source that fires again and again, as the air does", () => {
  /** Every millisecond, with `act` each time. */
  function source(clock: VirtualClock, act: (fired: number) => void): { fired: number } & Disposable {
    const state = { fired: 0, [Symbol.dispose]: () => timer[Symbol.dispose]() };
    const fire = (): void => {
      timer = clock.setTimer(1, "source", fire);
      act(++state.fired);
    };
    let timer = clock.setTimer(1, "source", fire);
    return state;
  }

  test.each([
    ["promises", () => Promise.resolve()],
    ["ticks", () => new Promise<void>((resolve) => process.nextTick(resolve))],
  ])("waits for a chain of %s, however long it is", async (_name, link) => {
    using clock = new VirtualClock();
    const left: number[] = [];
    let links = 0;
    using _ = source(clock, () => {
      left.push(links);
      links += 1000;
      void (async () => {
        for (; links > 0; links--) await link();
      })();
    });
    await delay(clock, 50);
    expect(left).toEqual(left.map(() => 0));
    expect(left.length).toBeGreaterThan(40);
  });

  test("is no further when a turn is awaited than it was with a turn for each event", async () => {
    using clock = new VirtualClock();
    using events = source(clock, () => {});
    for (let i = 0; i < 50; i++) {
      const { fired } = events;
      await turn();
      expect(events.fired - fired).toBeLessThanOrEqual(1);
    }
    await delay(clock, 20);
    const { fired } = events;
    // Nor when that begins in the midst of its events.
    await Promise.resolve();
    await turn();
    expect(events.fired - fired).toBeLessThanOrEqual(1);
  });

  test("another timer that comes next fires before a turn is over that is awaited in the midst of its events", async () => {
    using clock = new VirtualClock();
    let reached = (): void => {};
    using _ = source(clock, () => reached());
    await delay(clock, 30);
    for (let i = 0; i < 40; i++) {
      const fired: string[] = [];
      let left = 5 + (i % 16);
      await new Promise<void>((resolve) => {
        reached = () => {
          if (--left > 0) return;
          reached = () => fired.push("event");
          clock.setTimer(0.5, "deadline", () => fired.push("deadline"));
          resolve();
        };
      });
      await turn();
      expect(fired).toEqual(["deadline"]);
    }
  });

  test("leaves real I/O a turn of the event loop for every few events, and one before a deadline", async () => {
    using clock = new VirtualClock();
    using turns = new TurnCounter();
    using events = source(clock, () => {});
    await delay(clock, 1000);
    expect(turns.count).toBeGreaterThanOrEqual(Math.floor(events.fired / 16));
    const before: number[] = [];
    for (let i = 0; i < 20; i++) {
      // Due between two events of the source.
      clock.setTimer(10.5 + i * 10, "deadline", () => before.push(turns.count));
      clock.setTimer(10.5 + i * 10, "another", () => before.push(turns.count));
    }
    await delay(clock, 300);
    for (let i = 1; i < before.length; i++) expect(before[i]).toBeGreaterThan(before[i - 1]!);
  });

  test("lets the message of a worker in", async () => {
    using clock = new VirtualClock();
    using _ = source(clock, () => {});
    const worker = new Worker(
      'require("node:worker_threads").parentPort.on("message", (text) => require("node:worker_threads").parentPort.postMessage(text))',
      {
        eval: true,
      },
    );
    const answer = new Promise((resolve) => worker.once("message", resolve));
    worker.postMessage("there");
    expect(await answer).toBe("there");
    await worker.terminate();
  });

  test("stands still while a file is read", async () => {
    using clock = new VirtualClock();
    using events = source(clock, () => {});
    await delay(clock, 10.5);
    const { fired } = events;
    const text = await whileTimeStands(clock, () => readFile(new URL(import.meta.url), "utf8"));
    expect(text).toContain("stands still while a file is read");
    expect([events.fired, clock.now()]).toEqual([fired, 10.5]);
    await delay(clock, 10);
    expect(events.fired).toBeGreaterThan(fired);
  });

  test("and throws once does not stop the time of others", async () => {
    using clock = new VirtualClock();
    using events = source(clock, (fired) => {
      if (fired === 10) throw new Error("a fault of the program");
    });
    const errors: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => errors.push(error));
    for (let i = 0; i < 40; i++) await turn();
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
    expect(errors).toMatchObject([{ message: "a fault of the program" }]);
    await delay(clock, 10);
    expect(events.fired).toBeGreaterThan(15);
  });

  test("ends with its clock", async () => {
    const clock = new VirtualClock();
    using events = source(clock, () => {});
    await delay(clock, 5.5);
    clock[Symbol.dispose]();
    const { fired } = events;
    for (let i = 0; i < 10; i++) await turn();
    expect(events.fired).toBe(fired);
  });
});
