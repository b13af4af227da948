import { expect, test } from "vitest";
import { FakeChannel } from "../../test/support/pdu-channel-pair.ts";
import { turn } from "../async/turn.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { ClosedError } from "../core/error.ts";
import { FlowQueue } from "./flow-queue.ts";

const LOST = new ClosedError("the link is lost");

function create() {
  const channel = new FakeChannel();
  const clock = new VirtualClock({ auto: false });
  const queue: FlowQueue = new FlowQueue(channel, clock, () => queue.size === 0 && !queue.paused && channel.writable);
  const told: string[] = [];
  const watch = (name: string, signal?: AbortSignal): void =>
    void queue.whenEmpty({ signal }).then(
      () => told.push(name),
      (error: Error) => told.push(`${name}: ${error.message}`),
    );
  const push = (octet: number): Promise<void> => queue.push(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, octet), {});
  return { channel, clock, queue, told, watch, push, sent: () => channel.sent.map(([octet]) => octet) };
}

test("it is empty when nothing waits any more, not before", async () => {
  const { channel, queue, told, watch, push, sent } = create();
  channel.writable = false;
  const first = push(1);
  watch("a");
  const second = push(2);
  await turn();
  expect(told).toEqual([]);
  channel.filter = () => {
    channel.writable = false; // room for one
    return false;
  };
  channel.writable = true;
  await first;
  await turn();
  expect([told, sent(), queue.size]).toEqual([[], [1], 1]);
  channel.writable = true;
  await second;
  await turn();
  expect([told, sent()]).toEqual([["a"], [1, 2]]);
});

test("while it is paused nothing leaves, whatever room there is; pumping goes on", async () => {
  const { queue, told, watch, push, sent } = create();
  queue.paused = true;
  const first = push(1);
  watch("a");
  queue.pump();
  await turn();
  expect([told, sent()]).toEqual([[], []]);
  queue.paused = false;
  queue.pump();
  await first;
  await turn();
  expect([told, sent()]).toEqual([["a"], [1]]);
  watch("b");
  queue.pump();
  await turn();
  expect(told).toEqual(["a", "b"]);
});

test("one that stops in the middle of the flow is not overtaken", async () => {
  const { channel, queue, push, sent } = create();
  channel.writable = false;
  const flows = [push(1), push(2), push(3)];
  channel.filter = () => {
    queue.paused = sent().length === 1;
    return false;
  };
  channel.writable = true;
  await flows[0];
  await turn();
  expect([sent(), queue.size]).toEqual([[1], 2]);
  queue.paused = false;
  queue.pump();
  await Promise.all(flows);
  expect(sent()).toEqual([1, 2, 3]);
});

test("who gives up waiting is forgotten, and nobody else", async () => {
  const { channel, told, watch, push } = create();
  channel.writable = false;
  const first = push(1);
  const abort = new AbortController();
  watch("a", abort.signal);
  watch("b");
  watch("c", AbortSignal.abort(new Error("before")));
  abort.abort(new Error("enough"));
  await turn();
  expect(told).toEqual(["c: before", "a: enough"]);
  channel.writable = true;
  await first;
  await turn();
  expect(told.slice(2)).toEqual(["b"]);
});

test("taking back the last one that waits makes it empty", async () => {
  const { channel, queue, told, watch, push } = create();
  channel.writable = false;
  const takeBack = queue.pushWatched(new Uint8Array(10), () => expect.unreachable());
  watch("a");
  const abort = new AbortController();
  const aborted = expect(queue.push(new Uint8Array(10), { signal: abort.signal })).rejects.toThrow("enough");
  takeBack!();
  await turn();
  expect(told).toEqual([]);
  abort.abort(new Error("enough"));
  await aborted;
  await turn();
  expect([told, queue.size]).toEqual([["a"], 0]);
  const last = push(1);
  takeBack!(); // once more does nothing
  expect(queue.size).toBe(1);
  channel.writable = true;
  await last;
});

test("the end of the link ends everything that waits", async () => {
  const { channel, queue, told, watch, push, sent } = create();
  channel.writable = false;
  const first = expect(push(1)).rejects.toBe(LOST);
  watch("a");
  channel.close(LOST);
  await first;
  await turn();
  expect([told, queue.size, sent()]).toEqual([["a: the link is lost"], 0, []]);
});
