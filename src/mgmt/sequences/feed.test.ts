import { expect, test } from "vitest";
import { Feed, type Sink } from "./feed.ts";

/** A source that is driven by the test. */
function source({ capacity = 4, signal }: { capacity?: number; signal?: AbortSignal } = {}) {
  const log: string[] = [];
  let sink: Sink<number> | undefined;
  const feed = new Feed<number>({ capacity, signal }, (given) => {
    log.push("begun");
    sink = given;
    return async () => {
      await Promise.resolve();
      log.push("left");
    };
  });
  return { feed, log, push: (item: number) => sink?.push(item), end: (error?: unknown) => sink?.end(error) };
}

test("a source runs from the first item that is asked for until the loop is left, and is left before the loop is", async () => {
  const { feed, log, push } = source();
  expect(log).toEqual([]);
  const first = feed.next();
  push(1);
  expect(await first).toEqual({ value: 1, done: false });
  await feed.return();
  await feed.return();
  expect(log).toEqual(["begun", "left"]);
  expect(await feed.next()).toEqual({ value: undefined, done: true });
});

test("what is queued comes before the error, and the error once", async () => {
  const { feed, log, push, end } = source();
  const first = feed.next();
  push(1);
  push(2);
  end(new Error("gone"));
  await first;
  expect(await feed.next()).toEqual({ value: 2, done: false });
  await expect(feed.next()).rejects.toThrow("gone");
  expect(log).toEqual(["begun", "left"]);
  expect(await feed.next()).toEqual({ value: undefined, done: true });
});

test("a source that ends while it begins is left all the same", async () => {
  const log: string[] = [];
  const feed = new Feed<number>({ capacity: 4 }, (sink) => {
    sink.end(new Error("at once"));
    return async () => void log.push("left");
  });
  await expect(feed.next()).rejects.toThrow("at once");
  expect(log).toEqual(["left"]);
});

test("an aborted signal begins nothing; one that aborts later ends everything with its reason", async () => {
  const never = source({ signal: AbortSignal.abort(new Error("before")) });
  await expect(never.feed.next()).rejects.toThrow("before");
  expect(never.log).toEqual([]);
  const abort = new AbortController();
  const { feed, log } = source({ signal: abort.signal });
  const next = feed.next();
  abort.abort(new Error("later"));
  await expect(next).rejects.toThrow("later");
  expect(log).toEqual(["begun", "left"]);
});

test("disposal ends a loop that waits, quietly", async () => {
  const { feed, log } = source();
  const next = feed.next();
  await feed[Symbol.asyncDispose]();
  expect(await next).toEqual({ value: undefined, done: true });
  expect(log).toEqual(["begun", "left"]);
});

test("a slow reader loses the oldest, and they are counted", async () => {
  const { feed, push } = source({ capacity: 2 });
  const first = feed.next();
  for (const item of [1, 2, 3, 4]) push(item);
  await first;
  expect([(await feed.next()).value, (await feed.next()).value, feed.dropped]).toEqual([3, 4, 1]);
});
