import { EventEmitter } from "node:events";
import { VirtualClock } from "jelling/async";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { LiveClients } from "./live-clients.ts";

/** A socket whose octets leave when the test says so. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly sent: string[] = [];
  pings = 0;
  isTerminated = false;
  readonly #done: ((error?: Error) => void)[] = [];

  send(text: string, done: (error?: Error) => void): void {
    this.sent.push(text);
    this.#done.push(done);
  }
  left(error?: Error): void {
    this.#done.shift()!(error);
  }
  ping(): void {
    this.pings++;
  }
  terminate(): void {
    this.isTerminated = true;
    this.readyState = 3;
    this.emit("close");
  }
}

function opened() {
  const clock = new VirtualClock();
  const clients = new LiveClients(clock);
  const add = (): FakeSocket => {
    const socket = new FakeSocket();
    clients.add(socket as unknown as WebSocket, () => "hello");
    return socket;
  };
  return { clock, clients, add };
}

test("what waits for a slow page is the newest of everything, made when it can leave", () => {
  const { clients, add } = opened();
  const [slow, quick] = [add(), add()];
  quick.left();
  const made: number[] = [];
  for (let i = 1; i <= 5; i++) {
    clients.tell(() => {
      made.push(i);
      return `state ${i}`;
    });
    quick.left();
  }
  expect([slow.sent, quick.sent]).toEqual([["hello"], ["hello", "state 1", "state 2", "state 3", "state 4", "state 5"]]);
  slow.left();
  expect(slow.sent).toEqual(["hello", "state 5"]);
  expect(made).toEqual([1, 2, 3, 4, 5, 5]);
  slow.left();
  expect(slow.sent).toHaveLength(2);
});

test("the time is told to those that wait for nothing, and never stands in for a state", () => {
  const { clients, add } = opened();
  const [slow, quick] = [add(), add()];
  quick.left();
  clients.tell(() => "state");
  quick.left();
  clients.tellIdle("now");
  expect(quick.sent).toEqual(["hello", "state", "now"]);
  slow.left();
  expect(slow.sent).toEqual(["hello", "state"]);
});

test("a message that cannot be made is left out, and the next one is sent", () => {
  const { clients, add } = opened();
  const page = add();
  clients.tell(() => undefined);
  page.left();
  expect(page.sent).toEqual(["hello"]);
  clients.tell(() => "state");
  expect(page.sent).toEqual(["hello", "state"]);
});

test("a page that takes nothing, or answers nothing, for a minute is let go; one that answers stays", async () => {
  const { clock, clients, add } = opened();
  const [mute, stuck, good] = [add(), add(), add()];
  mute.left();
  good.left();
  good.on("ping", () => undefined);
  for (let i = 0; i < 6; i++) {
    await clock.advance(20_000);
    good.emit("pong");
  }
  expect([mute.isTerminated, stuck.isTerminated, good.isTerminated]).toEqual([true, true, false]);
  expect(good.pings).toBeGreaterThan(4);
  expect(clients.count).toBe(1);
  good.emit("error", new Error("reset"));
  expect([good.isTerminated, clients.count]).toEqual([true, 0]);
  expect(clock.pending).toEqual([]); // nobody is left to ping
});

test("a send that fails ends that page alone", () => {
  const { clients, add } = opened();
  const [bad, good] = [add(), add()];
  bad.left(new Error("gone"));
  good.left();
  clients.tell(() => "state");
  expect([bad.isTerminated, good.sent, clients.count]).toEqual([true, ["hello", "state"], 1]);
  clients[Symbol.dispose]();
  expect([good.isTerminated, clients.count]).toEqual([true, 0]);
});
