import { expect, test } from "vitest";
import { TurnCounter } from "../../test/support/turns.ts";
import { uncaughtDuring } from "../../test/support/uncaught.ts";
import { turn, VirtualClock } from "../async/index.ts";
import { Mailbox } from "./mailbox.ts";
import { AirEvent, Scheduler } from "./scheduler.ts";

function open() {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  return { clock, scheduler, mailbox: new Mailbox(scheduler), [Symbol.dispose]: () => clock[Symbol.dispose]() };
}

test("packets are handled in order, behind what the sender does, those that come meanwhile in a microtask of their own", async () => {
  using at = open();
  const { mailbox } = at;
  const seen: string[] = [];
  const take = (packet: Uint8Array): void => {
    seen.push(`took ${packet[0]}`);
    if (packet[0]! > 3) return;
    mailbox.post(take, Uint8Array.of(packet[0]! + 10));
    void Promise.resolve().then(() => seen.push(`behind ${packet[0]}`));
  };
  for (const octet of [1, 2, 3]) mailbox.post(take, Uint8Array.of(octet));
  seen.push("sent");
  await turn();
  expect(seen).toEqual([
    "sent",
    ...["took 1", "took 2", "took 3"],
    ...["took 11", "took 12", "took 13"],
    ...["behind 1", "behind 2", "behind 3"],
  ]);
});

test("what one receiver throws keeps nothing from the others, nor does what throws when it is due", async () => {
  using at = open();
  const { mailbox, scheduler } = at;
  const seen: number[] = [];
  const take = (packet: Uint8Array): void => {
    seen.push(packet[0]!);
    if (packet[0] === 2) throw new Error("the receiver's");
  };
  scheduler.set(
    new AirEvent(() => {
      throw new Error("a hook's");
    }),
    0,
  );
  const errors = await uncaughtDuring(async () => {
    for (const octet of [1, 2, 3]) mailbox.post(take, Uint8Array.of(octet));
    await Promise.resolve();
    await Promise.resolve();
    mailbox.post(take, Uint8Array.of(4));
    await turn();
  });
  expect(seen).toEqual([1, 2, 3, 4]);
  expect(errors).toMatchObject([{ message: "a hook's" }, { message: "the receiver's" }]);
});

test("a busy simulation lets the event loop turn every few thousand packets, whatever else shares a turn", async () => {
  using at = open();
  const { mailbox } = at;
  using turns = new TurnCounter();
  let left = 100_000;
  await new Promise<void>((resolve) => {
    const packet = new Uint8Array(1);
    const take = (): void => (--left > 0 ? mailbox.post(take, packet) : resolve());
    take();
  });
  expect(turns.count).toBeGreaterThanOrEqual(Math.floor(100_000 / 4096) - 1);
});
