import { VirtualClock } from "jelling/async";
import { ArgumentError, Logger, LogLevel, SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { codeOf, sentence } from "../error-words.ts";
import { Part, type RunningPart } from "./part.ts";

const MINUTE_MS = 60_000;

function world() {
  const clock = new VirtualClock({ auto: false });
  const lines: string[] = [];
  const starts: number[] = [];
  let running = 0;
  let fail: ((reason: unknown) => void) | undefined;
  let fault: unknown;
  const start = (): Promise<RunningPart | undefined> => {
    starts.push(clock.now());
    if (fault !== undefined) return Promise.reject(fault as Error);
    running++;
    return Promise.resolve({
      ended: new Promise<unknown>((resolve) => {
        fail = resolve;
      }),
      stop: () => {
        running--;
      },
    });
  };
  const part = (more: Partial<ConstructorParameters<typeof Part>[0]> = {}): Part =>
    new Part({
      name: "part",
      clock,
      random: new SeededRandom(1),
      logger: new Logger("", LogLevel.Info, (_level, _scope, line) => lines.push(line)),
      start,
      ...more,
    });
  return {
    clock,
    lines,
    starts,
    part,
    get running() {
      return running;
    },
    fail: (reason: unknown) => fail!(reason),
    setFault: (error: unknown) => {
      fault = error;
    },
  };
}

test("a part that does not start is tried again ever more rarely, up to five minutes; then it runs", async () => {
  const at = world();
  at.setFault(new ArgumentError("the reason"));
  const part = at.part();
  part.begin();
  part.begin();
  await at.clock.advance(60 * MINUTE_MS);
  const gaps = at.starts.slice(1).map((atMs, i) => atMs - at.starts[i]!);
  expect(gaps[0]).toBeLessThanOrEqual(1_000);
  expect(gaps.slice(9).every((gap) => gap >= 225_000 && gap <= 300_000)).toBe(true);
  expect(part.status).toMatchObject({ state: "failed", failures: at.starts.length, downSinceMs: 0 });
  expect(at.lines[0]).toBe("part: the reason. It is tried again in 1 s.");
  at.setFault(undefined);
  await at.clock.advance(5 * MINUTE_MS);
  expect(part.status).toMatchObject({ state: "running", downSinceMs: undefined, problem: undefined });
  await at.clock.run(part.end());
  expect([at.running, part.status.state, at.clock.pending]).toEqual([0, "stopped", []]);
});

test("a part that fails after a long time comes back at once; one that fails soon after does not", async () => {
  const at = world();
  const part = at.part();
  part.begin();
  await at.clock.advance(20 * MINUTE_MS);
  for (let i = 0; i < 6; i++) {
    at.fail(new ArgumentError("gone"));
    await at.clock.advance(40_000);
  }
  expect(at.starts).toHaveLength(7);
  await at.clock.advance(20 * MINUTE_MS);
  at.fail(undefined);
  await at.clock.advance(1_000);
  expect(at.starts).toHaveLength(8);
  expect(at.running).toBe(1);
  await at.clock.run(part.end());
});

test("what nothing can help but its user is not tried again, until it is begun anew", async () => {
  const at = world();
  at.setFault(new ArgumentError("wrong password"));
  const part = at.part({ isFinal: (error) => error instanceof ArgumentError });
  part.begin();
  await at.clock.advance(24 * 60 * MINUTE_MS);
  expect(at.starts).toHaveLength(1);
  expect(part.status.state).toBe("halted");
  at.setFault(undefined);
  part.restart();
  await at.clock.advance(1);
  expect(part.status.state).toBe("running");
  await at.clock.run(part.end());
});

test("a part without anything to do waits, and begins when it is told to; begun anew, the old one is stopped first", async () => {
  const at = world();
  let isWanted = false;
  const part = at.part();
  const waiting = at.part({
    start: () => (isWanted ? Promise.resolve({ ended: new Promise(() => {}), stop: () => {} }) : Promise.resolve(undefined)),
  });
  waiting.begin();
  part.begin();
  await at.clock.advance(60 * MINUTE_MS);
  expect(waiting.status).toMatchObject({ state: "waiting", failures: 0 });
  isWanted = true;
  waiting.restart();
  part.restart();
  part.restart();
  await at.clock.advance(1);
  expect([waiting.status.state, at.running, at.starts.length]).toEqual(["running", 1, 2]);
  await at.clock.run(Promise.all([waiting.end(), part.end()]));
  expect(at.clock.pending).toEqual([]);
});

test("a part that hangs at its start or its end holds nobody up, and what starts too late is stopped", async () => {
  const at = world();
  let stopped = 0;
  let finish: (() => void) | undefined;
  let signal: AbortSignal | undefined;
  const part = at.part({
    start: (given) => {
      signal = given;
      return new Promise((resolve) => {
        finish = () =>
          resolve({
            ended: new Promise(() => {}),
            stop: () => {
              stopped++;
              return new Promise(() => {});
            },
          });
      });
    },
  });
  part.begin();
  await at.clock.advance(119_000);
  const first = signal!;
  await at.clock.advance(1_500);
  expect(part.status).toMatchObject({ state: "failed", problem: { code: "ERR_TIMEOUT" } });
  expect(first.aborted).toBe(true);
  finish!();
  await at.clock.advance(0);
  expect(stopped).toBe(1);
  await at.clock.advance(2_000);
  finish!();
  await at.clock.advance(0);
  expect(part.status.state).toBe("running");
  const beganMs = at.clock.now();
  await at.clock.run(part.end());
  expect(at.clock.now() - beganMs).toBe(5_000);
  expect(at.lines.join()).toContain("does not stop");
});

test("errors of others are told by their kind alone; a stop that fails is told too", async () => {
  const at = world();
  at.setFault(new TypeError("secret"));
  const part = at.part();
  part.begin();
  await at.clock.advance(0);
  const failing = at.part({
    start: () => Promise.resolve({ ended: new Promise(() => {}), stop: () => Promise.reject(new Error("secret")) }),
  });
  failing.begin();
  await at.clock.advance(0);
  await at.clock.run(failing.end());
  await at.clock.run(part.end());
  expect(at.lines.join("\n")).toMatch(/part: TypeError\. It is tried again/);
  expect(at.lines.join("\n")).not.toContain("secret");
});

test("a part whose start hangs ends at once, and leaves no timer; its start hears of it, and what comes of it late is stopped", async () => {
  const at = world();
  let signal: AbortSignal | undefined;
  let stopped = 0;
  let finish: ((part: RunningPart) => void) | undefined;
  const part = at.part({
    start: (given) => {
      signal = given;
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
  });
  part.begin();
  await at.clock.advance(1_000);
  expect(signal!.aborted).toBe(false);
  await part.end();
  expect([signal!.aborted, part.status.state, at.clock.now(), at.clock.pending]).toEqual([true, "stopped", 1_000, []]);
  finish!({ ended: new Promise(() => {}), stop: () => void stopped++ });
  await at.clock.advance(0);
  expect([stopped, at.clock.pending]).toEqual([1, []]);
});

test("a part is told since when it is as it is, and since when it does not run, through all its attempts", async () => {
  const at = world();
  const part = at.part();
  expect(part.status).toEqual({ state: "waiting", sinceMs: 0, downSinceMs: 0, problem: undefined, failures: 0 });
  await at.clock.advance(500);
  part.begin();
  await at.clock.advance(0);
  expect(part.status).toEqual({ state: "running", sinceMs: 500, downSinceMs: undefined, problem: undefined, failures: 0 });
  expect(at.lines).toEqual(["part: running"]);
  await at.clock.advance(500);
  const reason = new ArgumentError("gone");
  at.setFault(reason);
  at.fail(reason);
  await at.clock.advance(0);
  expect(part.status).toEqual({ state: "failed", sinceMs: 1_000, downSinceMs: 1_000, problem: reason, failures: 1 });
  await at.clock.advance(10_000);
  const { failures, ...rest } = part.status;
  expect(rest).toEqual({ state: "failed", sinceMs: 1_000, downSinceMs: 1_000, problem: reason });
  expect(failures).toBe(at.starts.length); // it ran once
  await part.end();
  expect(part.status).toMatchObject({ state: "stopped", sinceMs: 11_000, downSinceMs: 1_000, problem: undefined });
  expect(at.clock.pending).toEqual([]);
  await at.clock.advance(60 * MINUTE_MS);
  expect(at.starts).toHaveLength(failures);
});

test("waits double, each drawn from three quarters to the whole, and begin anew when the part is begun anew", async () => {
  for (const [octet, share] of [
    [0, 0.75],
    [128, 0.875],
  ] as const) {
    const at = world();
    at.setFault(new ArgumentError("no"));
    const part = at.part({ random: { fill: (octets) => void octets.fill(octet) } });
    part.begin();
    await at.clock.advance(30 * MINUTE_MS);
    const gaps = (): number[] => at.starts.slice(1).map((atMs, i) => atMs - at.starts[i]!);
    expect(gaps().slice(0, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((s) => s * 1000 * share));
    part.restart();
    await at.clock.advance(0);
    at.starts.splice(0, at.starts.length - 1);
    await at.clock.advance(4_000);
    expect(gaps().slice(0, 2)).toEqual([1000 * share, 2000 * share]);
    await part.end();
  }
});

test.each([
  [new ArgumentError("Is it there?"), "Is it there?", "ERR_ARGUMENT"],
  [new ArgumentError("two\nlines"), "two lines.", "ERR_ARGUMENT"],
  [new ArgumentError("enough!"), "enough!", "ERR_ARGUMENT"],
  [new RangeError("secret"), "RangeError.", "RangeError"],
  [Object.assign(new Error("secret"), { code: "EACCES" }), "EACCES.", "EACCES"],
  [Object.assign(new Error("secret"), { code: 7 }), "Error.", "Error"],
  ["secret", "unknown.", "unknown"],
  [undefined, "unknown.", "unknown"],
  [null, "unknown.", "unknown"],
])("an error in a line and in a word: %s", (error, line, word) => {
  expect([sentence(error), codeOf(error)]).toEqual([line, word]);
});
