import { VirtualClock } from "jelling/async";
import { expect, test } from "vitest";
import { uncaughtDuring } from "../../../../test/support/uncaught.ts";
import type { PumpState, PumpValues } from "../live/state.ts";
import { StateRelay } from "./state-relay.ts";

const EPOCH_MS = Date.UTC(2031, 2, 2);

function world() {
  const clock = new VirtualClock({ auto: false, startMs: 1000 });
  return { clock, relay: new StateRelay(clock, () => EPOCH_MS + clock.now()) };
}

function state(values: Partial<{ [Name in keyof PumpValues]: unknown }>, heardAtMs?: number): PumpState {
  const told = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, atMs: 1 }]));
  return { epochMs: EPOCH_MS, link: { kind: "ready", sinceMs: 0 }, heardAtMs, hint: undefined, values: told as PumpState["values"] };
}
const of = (serial: string) => ({ information: { serial } });

test("before there is a monitor it says so, dated by the wall clock", () => {
  const { relay } = world();
  expect(relay.state).toEqual({
    epochMs: EPOCH_MS,
    link: { kind: "ended", sinceMs: 1000, reason: "it has not begun yet" },
    heardAtMs: undefined,
    hint: undefined,
    values: {},
  });
});

test("values and the time of the last word stay when the monitor goes, and until the next one knows better", async () => {
  const { clock, relay } = world();
  relay.update(state({ ...of("1"), battery: 50, transmitterBattery: 70 }, 400));
  await clock.advance(500);
  relay.down("the adapter was pulled out", "put it in again");
  expect(relay.state).toMatchObject({
    link: { kind: "ended", sinceMs: 1500, reason: "the adapter was pulled out" },
    hint: "put it in again",
    heardAtMs: 400,
    values: { battery: { value: 50 }, transmitterBattery: { value: 70 } },
  });
  relay.update(state({}));
  expect(relay.state).toMatchObject({ link: { kind: "ready" }, heardAtMs: 400, values: { battery: { value: 50 } } });
  relay.update(state({ ...of("1"), battery: 40 }, 900));
  expect(relay.state).toMatchObject({ heardAtMs: 900, values: { battery: { value: 40 }, transmitterBattery: { value: 70 } } });
  relay.down("again", undefined);
  expect(relay.state).toMatchObject({ heardAtMs: 900, hint: undefined, values: { battery: { value: 40 } } });
});

test("what is kept is as much older as the computer has slept", async () => {
  const clock = new VirtualClock({ auto: false, startMs: 1000 });
  let sleptMs = 0;
  const relay = new StateRelay(clock, () => EPOCH_MS + clock.now() + sleptMs);
  relay.update(state({ ...of("1"), battery: 50 }, 400));
  sleptMs = 8 * 3600_000;
  relay.down("the adapter is gone", undefined);
  expect(relay.state).toMatchObject({
    epochMs: EPOCH_MS + sleptMs,
    heardAtMs: 400 - sleptMs,
    values: { battery: { value: 50, atMs: 1 - sleptMs } },
  });
  const { sinceMs } = relay.state.link;
  sleptMs = 10 * 3600_000;
  relay.down("the adapter is gone", undefined);
  expect(relay.state.link.sinceMs).toBe(sinceMs - 2 * 3600_000);
  relay.update({ ...state(of("1")), epochMs: EPOCH_MS + sleptMs });
  expect(relay.state).toMatchObject({ heardAtMs: 400 - sleptMs, values: { battery: { atMs: 1 - sleptMs }, information: { atMs: 1 } } });
});

test("it is down since the first attempt that came to nothing, whatever the last one says", async () => {
  const { clock, relay } = world();
  await clock.advance(500);
  relay.down("the adapter is not there", undefined);
  expect(relay.state.link).toEqual({ kind: "ended", sinceMs: 1000, reason: "the adapter is not there" });
  relay.update(state({}));
  await clock.advance(500);
  relay.down("the adapter was pulled out", undefined);
  await clock.advance(300_000);
  relay.down("the adapter is not there", "put it in again");
  expect(relay.state).toMatchObject({ link: { sinceMs: 2000, reason: "the adapter is not there" }, hint: "put it in again" });
});

test("another pump's values are not shown as this one's, nor is when it was heard", () => {
  const { relay } = world();
  relay.update(state({ ...of("1"), battery: 50 }, 400));
  relay.down("over", undefined);
  relay.update(state(of("2")));
  expect(relay.state.values).toEqual({ information: { value: { serial: "2" }, atMs: 1 } });
  expect(relay.state.heardAtMs).toBeUndefined();
  relay.update(state({}));
  expect(relay.state.values).toEqual({});
});

test("who listens is told each state, frozen, until it gives that back; what it throws harms nobody", async () => {
  const { relay } = world();
  const told: PumpState[] = [];
  const fault = new Error("the program's fault");
  using _ = relay.on(() => {
    throw fault;
  });
  const listener = (now: PumpState): void => void told.push(now);
  const first = relay.on(listener);
  const second = relay.on(listener);
  expect(
    await uncaughtDuring(() => {
      relay.update(state({ battery: 1 }));
      first[Symbol.dispose]();
      relay.down("over", undefined);
      second[Symbol.dispose]();
      relay.update(state({}));
    }),
  ).toEqual([fault, fault, fault]);
  expect(told.map(({ link }) => link.kind)).toEqual(["ready", "ready", "ended"]);
  expect(told.every((each) => Object.isFrozen(each))).toBe(true);
  for (const wrong of [undefined, null, "no function"])
    expect(() => relay.on(wrong as never)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});
