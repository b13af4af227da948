import { expect, test, vi } from "vitest";
import { TimeoutError } from "../core/error.ts";
import { callOut } from "./call-out.ts";
import { Deadline } from "./deadline.ts";
import { onAbort } from "./on-abort.ts";
import { Pending } from "./pending.ts";
import { SharedWork } from "./shared-work.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("any number of operations hang on one signal by one listener, which goes with the last of them", () => {
  const { signal } = new AbortController();
  const add = vi.spyOn(signal, "addEventListener");
  const remove = vi.spyOn(signal, "removeEventListener");
  const act = vi.fn<() => void>();
  const listeners = Array.from({ length: 50 }, () => onAbort(signal, act));
  expect(add).toHaveBeenCalledTimes(1);
  for (const listener of listeners.slice(1)) listener[Symbol.dispose]();
  expect(remove).not.toHaveBeenCalled();
  listeners[0]![Symbol.dispose]();
  listeners[0]![Symbol.dispose]();
  expect(remove).toHaveBeenCalledTimes(1);
});

test("an aborted signal calls each that still waits, once; disposing one of two that are equal leaves the other", () => {
  const controller = new AbortController();
  const act = vi.fn<() => void>();
  const first = onAbort(controller.signal, act);
  onAbort(controller.signal, act);
  first[Symbol.dispose]();
  controller.abort();
  expect(act).toHaveBeenCalledTimes(1);
  onAbort(controller.signal, act);
  onAbort(undefined, act)[Symbol.dispose]();
  expect(act).toHaveBeenCalledTimes(1);
});

test("a Pending on an aborted signal rejects, and calls nobody from within its constructor", async () => {
  const reason = new Error("gone");
  let pending: Pending<void> | undefined;
  const outcomes: string[] = [];
  pending = new Pending<void>({
    clock: new VirtualClock(),
    operation: "x",
    signal: AbortSignal.abort(reason),
    timeoutMs: 5,
    onSettled: (outcome) => outcomes.push(`${outcome} ${pending?.settled}`),
  });
  expect(outcomes).toEqual([]);
  await expect(pending.promise).rejects.toBe(reason);
  expect(outcomes).toEqual(["aborted true"]);
});

test("a deadline bounds the whole: its signal aborts with the operation's TimeoutError, or with the caller's reason", async () => {
  const clock = new VirtualClock();
  using late = new Deadline({ clock, operation: "all of it", timeoutMs: 10 });
  await clock.advance(9);
  expect(late.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(late.signal.reason).toEqual(new TimeoutError("all of it", 10));

  const controller = new AbortController();
  using aborted = new Deadline({ clock, operation: "x", signal: controller.signal });
  controller.abort("why");
  expect(aborted.signal.reason).toBe("why");
  using over = new Deadline({ clock, operation: "x", signal: controller.signal, timeoutMs: 10 });
  expect(over.signal.reason).toBe("why");
});

test("a deadline that is disposed aborts nothing", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const deadline = new Deadline({ clock, operation: "x", signal: controller.signal, timeoutMs: 10 });
  deadline[Symbol.dispose]();
  await clock.advance(20);
  controller.abort();
  expect(deadline.signal.aborted).toBe(false);
});

test("shared work: one that leaves harms no other, and the last one out ends the work", async () => {
  const clock = new VirtualClock();
  let finish!: (value: number) => void;
  let workSignal!: AbortSignal;
  const begin = (): SharedWork<number> =>
    new SharedWork<number>({
      clock,
      operation: "work",
      run: (signal) => {
        workSignal = signal;
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
  const first = new AbortController();
  const work = begin();
  const [left, stays, slow] = [work.join({ signal: first.signal }), work.join({}), work.join({ timeoutMs: 5 })];
  const late = expect(slow).rejects.toEqual(new TimeoutError("work", 5));
  first.abort("left");
  await expect(left).rejects.toBe("left");
  await clock.advance(5);
  await late;
  expect([workSignal.aborted, work.over]).toEqual([false, false]);
  finish(7);
  await expect(stays).resolves.toBe(7);
  expect([workSignal.aborted, work.over]).toEqual([false, true]);

  const alone = new AbortController();
  const abandoned = begin();
  const only = abandoned.join({ signal: alone.signal });
  alone.abort("gone");
  await expect(only).rejects.toBe("gone");
  expect([workSignal.aborted, abandoned.over]).toEqual([true, true]);
});

test("what a callback throws surfaces in a turn of its own, and the caller goes on", async () => {
  const thrown = new Promise((resolve) => {
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => {
      for (const other of others) process.on("uncaughtException", other);
      resolve(error);
    });
  });
  const fault = new Error("the program's");
  expect(() =>
    callOut(() => {
      throw fault;
    }),
  ).not.toThrow();
  callOut(undefined);
  expect(await thrown).toBe(fault);
});
