import { describe, expect, test } from "vitest";
import { StateError, TimeoutError, UnsupportedError } from "../core/error.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import { isDisallowed, isRefusal, Switch } from "./switch.ts";

const hci = (status: number) => new HciError({ status, command: "LeSetScanEnable" });
const DISALLOWED = hci(HciErrorCode.CommandDisallowed);
const REFUSED = hci(HciErrorCode.UnspecifiedError);
const LOST = new TimeoutError("LeSetScanEnable", 1000);
const fails = (error: Error) => () => Promise.reject(error);
const works = () => Promise.resolve();

/** A switch in this state, and what became of a command. */
async function after(from: "off" | "on" | "unknown", command: "on" | "off", send: (at: Switch) => Promise<unknown>) {
  const at = new Switch();
  if (from === "on") await at.on(works);
  if (from === "unknown") at.distrust();
  expect(at.state).toBe(from);
  const outcome = await at[command](() => send(at)).then(
    () => "done",
    (error: unknown) => error,
  );
  return [outcome, at.state];
}

test("what says no has had no effect; what is not answered may have", () => {
  for (const error of [DISALLOWED, REFUSED, new UnsupportedError("no"), new StateError("no")]) expect(isRefusal(error)).toBe(true);
  for (const error of [LOST, new Error("no"), undefined]) expect(isRefusal(error)).toBe(false);
  expect([DISALLOWED, REFUSED, LOST, { status: HciErrorCode.CommandDisallowed }].map(isDisallowed)).toEqual([true, false, false, false]);
});

describe("switching on", () => {
  test("is on when the controller has said so, off when it refused, unknown when it said nothing", async () => {
    expect(await after("off", "on", works)).toEqual(["done", "on"]);
    expect(await after("off", "on", fails(REFUSED))).toEqual([REFUSED, "off"]);
    expect(await after("off", "on", fails(DISALLOWED))).toEqual([DISALLOWED, "off"]);
    expect(await after("off", "on", fails(LOST))).toEqual([LOST, "unknown"]);
  });

  test("counts as on from the command on", async () => {
    let during = "";
    await after("off", "on", async ({ state }) => {
      during = state;
    });
    expect(during).toBe("on");
  });

  test("that ended by itself before its answer was on, whatever becomes of the answer", async () => {
    const ended = (error?: Error) => async (at: Switch) => {
      at.ended();
      if (error) throw error;
    };
    expect(await after("off", "on", ended())).toEqual(["done", "off"]);
    expect(await after("off", "on", ended(LOST))).toEqual(["done", "off"]);
  });

  test("is on after a reset that came between: the command reached the controller afterwards", async () => {
    expect(await after("off", "on", async (at) => at.reset())).toEqual(["done", "on"]);
  });

  test("an end from before says nothing of the next time", async () => {
    const at = new Switch();
    await at.on(works);
    at.ended();
    await expect(at.on(fails(LOST))).rejects.toBe(LOST);
    expect(at.state).toBe("unknown");
  });
});

describe("switching off", () => {
  test("is off when the controller has said so, and stays what it was when it refused", async () => {
    expect(await after("on", "off", works)).toEqual(["done", "off"]);
    expect(await after("unknown", "off", works)).toEqual(["done", "off"]);
    expect(await after("on", "off", fails(REFUSED))).toEqual([REFUSED, "on"]);
    expect(await after("unknown", "off", fails(REFUSED))).toEqual([REFUSED, "unknown"]);
  });

  test("is unknown when the controller said nothing", async () => {
    for (const from of ["on", "unknown"] as const) expect(await after(from, "off", fails(LOST))).toEqual([LOST, "unknown"]);
  });

  test("Command Disallowed contradicts what was said to be on, and settles what was unknown", async () => {
    expect(await after("on", "off", fails(DISALLOWED))).toEqual([DISALLOWED, "unknown"]);
    expect(await after("unknown", "off", fails(DISALLOWED))).toEqual(["done", "off"]);
  });

  test("that ended by itself meanwhile is off, whatever the answer", async () => {
    for (const error of [REFUSED, DISALLOWED, LOST])
      expect(
        await after("on", "off", async (at) => {
          at.ended();
          throw error;
        }),
      ).toEqual(["done", "off"]);
  });
});

test("after a reset it is off", async () => {
  const at = new Switch();
  await at.on(works);
  at.reset();
  expect(at.state).toBe("off");
});
