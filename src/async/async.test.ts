import { expect, test } from "vitest";
import { Broadcast } from "./broadcast.ts";
import { Emitter } from "./emitter.ts";
import { Pending } from "./pending.ts";
import { Semaphore } from "./semaphore.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("a pending operation fails at its deadline and leaves no timer", async () => {
  using clock = new VirtualClock();
  const pending = new Pending<number>({ clock, operation: "reading", timeoutMs: 30_000 });
  await expect(pending.promise).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "reading", timeoutMs: 30_000 });
  expect(clock.now()).toBe(30_000);
  expect(clock.pending).toEqual([]);
});

test("a pending operation rejects with the signal's reason and forgets its timer", async () => {
  using clock = new VirtualClock({ auto: false });
  const controller = new AbortController();
  const outcomes: string[] = [];
  const options = {
    clock,
    operation: "reading",
    timeoutMs: 5,
    signal: controller.signal,
    onSettled: (outcome: string) => outcomes.push(outcome),
  };
  const pending = new Pending<number>(options);
  controller.abort(new Error("enough"));
  pending.resolve(1);
  await expect(pending.promise).rejects.toThrow("enough");
  expect(outcomes).toEqual(["aborted"]);
  expect(clock.pending).toEqual([]);
  await expect(new Pending<number>(options).promise).rejects.toThrow("enough");
});

test("a slow reader loses the oldest items and is told how many", async () => {
  const broadcast = new Broadcast<number>();
  using reader = broadcast.subscribe({ capacity: 2 });
  for (const item of [1, 2, 3, 4]) broadcast.publish(item);
  broadcast.close();
  const items: number[] = [];
  for await (const item of reader) items.push(item);
  expect(items).toEqual([3, 4]);
  expect(reader.dropped).toBe(2);
});

test("closing with an error lets readers finish their queue, then throws once", async () => {
  const broadcast = new Broadcast<number>();
  const reader = broadcast.subscribe();
  broadcast.publish(1);
  broadcast.close(new Error("gone"));
  expect(await reader.next()).toEqual({ value: 1, done: false });
  await expect(reader.next()).rejects.toThrow("gone");
  expect(await reader.next()).toEqual({ value: undefined, done: true });
  await expect(broadcast.subscribe().next()).rejects.toThrow("gone");
});

test("break and abort leave no reader behind", async () => {
  const counts: number[] = [];
  const broadcast = new Broadcast<number>((count) => counts.push(count));
  const loop = (async () => {
    for await (const item of broadcast.subscribe()) if (item === 1) break;
  })();
  broadcast.publish(1);
  await loop;
  const controller = new AbortController();
  const next = broadcast.subscribe({ signal: controller.signal }).next();
  controller.abort(new Error("stop"));
  await expect(next).rejects.toThrow("stop");
  expect(broadcast.size).toBe(0);
  expect(counts).toEqual([1, 0, 1, 0]);
});

test("listeners are removed by their disposal only", () => {
  const emitter = new Emitter<{ change: number }>();
  const seen: number[] = [];
  const listener = (value: number): void => void seen.push(value);
  const first = emitter.on("change", listener);
  emitter.on("change", listener);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  emitter.emit("change", 5);
  expect(seen).toEqual([5]);
  expect(emitter.count()).toBe(1);
});

test("listeners that come and go while one is called: those that were there are called, the new ones the next time", () => {
  const emitter = new Emitter<{ change: number }>();
  const seen: string[] = [];
  const second = { stop: (): void => undefined };
  const first = emitter.on("change", (value) => {
    seen.push(`first ${value}`);
    first[Symbol.dispose]();
    second.stop();
    emitter.on("change", (later) => void seen.push(`third ${later}`));
    if (value === 1) emitter.emit("change", 2);
  });
  const other = emitter.on("change", (value) => void seen.push(`second ${value}`));
  second.stop = () => other[Symbol.dispose]();
  emitter.emit("change", 1);
  expect(seen).toEqual(["first 1", "third 2", "second 1"]);
  expect(emitter.count("change")).toBe(1);
});

test("permits go out in order, and an aborted waiter does not hold one up", async () => {
  using clock = new VirtualClock();
  const semaphore = new Semaphore(clock);
  const first = await semaphore.acquire();
  const controller = new AbortController();
  const second = semaphore.acquire({ signal: controller.signal });
  const third = semaphore.acquire();
  controller.abort(new Error("never mind"));
  await expect(second).rejects.toThrow("never mind");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  const held = await third;
  const late = semaphore.acquire({ timeoutMs: 10 }, "the radio");
  await expect(late).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "the radio" });
  const closing = semaphore.acquire();
  semaphore.close(new Error("closed"));
  await expect(closing).rejects.toThrow("closed");
  held[Symbol.dispose]();
});
