import { expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { ClosedError } from "../../core/error.ts";
import { SendQueue } from "./send-queue.ts";

function setUp() {
  const clock = new VirtualClock();
  const queue = new SendQueue(clock);
  const begun: number[] = [];
  const finish: ((error?: Error) => void)[] = [];
  const run = (n: number, options: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
    queue.run(() => {
      begun.push(n);
      return new Promise((resolve, reject) => finish.push((error) => (error ? reject(error) : resolve())));
    }, options);
  const outcome = (promise: Promise<void>) =>
    promise.then(
      () => "sent",
      (error: unknown) => error,
    );
  return { clock, queue, begun, finish, run, outcome };
}

test("one is sent after the other, in the order of the calls, whatever becomes of those before", async () => {
  const at = setUp();
  const failure = new Error("no power");
  const all = [1, 2, 3].map((n) => at.outcome(at.run(n)));
  await at.clock.advance(1);
  expect(at.begun).toEqual([1]);
  at.finish[0]!();
  expect(await all[0]).toBe("sent");
  await at.clock.advance(1);
  expect(at.begun).toEqual([1, 2]);
  at.finish[1]!(failure);
  expect(await all[1]).toBe(failure);
  await at.clock.advance(1);
  at.finish[2]!();
  expect(await all[2]).toBe("sent");
});

test("who gives up while waiting is forgotten; who gives up while its own is sent leaves, and the next waits still", async () => {
  const at = setUp();
  const [one, two] = [new AbortController(), new AbortController()];
  const all = [at.run(1, { signal: one.signal }), at.run(2, { signal: two.signal }), at.run(3)].map(at.outcome);
  await at.clock.advance(1);
  two.abort("two");
  one.abort("one");
  expect(await Promise.all([all[0], all[1]])).toEqual(["one", "two"]);
  await at.clock.advance(1);
  expect(at.begun).toEqual([1]);
  at.finish[0]!();
  await at.clock.advance(1);
  expect(at.begun).toEqual([1, 3]);
  at.finish[1]!();
  expect(await all[2]).toBe("sent");
});

test("the time of a caller is for waiting and sending together", async () => {
  const at = setUp();
  const first = at.outcome(at.run(1));
  const second = at.outcome(at.run(2, { timeoutMs: 100 }));
  await at.clock.advance(60);
  at.finish[0]!();
  expect(await first).toBe("sent");
  expect(await second).toMatchObject({ code: "ERR_TIMEOUT", operation: "sending an mcumgr message", timeoutMs: 100 });
  expect([at.clock.now(), at.begun]).toEqual([100, [1, 2]]);
});

test("at the end all are rejected at once, with its reason, and so is who comes later", async () => {
  const at = setUp();
  const all = [1, 2].map((n) => at.outcome(at.run(n)));
  await at.clock.advance(1);
  const reason = new ClosedError("gone");
  at.queue.close(reason);
  expect(await Promise.all(all)).toEqual([reason, reason]);
  expect(await at.outcome(at.run(3))).toBe(reason);
  expect(at.begun).toEqual([1]);
});

test("no more than 256 wait", async () => {
  const at = setUp();
  const all = Array.from({ length: 257 }, (_, n) => at.outcome(at.run(n)));
  expect(await at.outcome(at.run(257))).toMatchObject({ code: "ERR_STATE", message: "256 messages wait to be sent already" });
  at.queue.close("over");
  expect(new Set(await Promise.all(all))).toEqual(new Set(["over"]));
});
