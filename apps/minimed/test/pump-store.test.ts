import { delay } from "jelling/async";
import { Address } from "jelling/core";
import { MemoryBondStore } from "jelling/gap";
import { type Bond, isSameBond } from "jelling/smp";
import { describe, expect, test } from "vitest";
import { watchUnhandled } from "./faults.ts";
import { HandPump } from "./hand-pump.ts";
import { Scenario } from "./scenario.ts";

// A user's store that refuses or does not answer, at each change that the connector makes.

const unhandled = watchUnhandled();
const STRANGER = Address.from("00:AA:BB:CC:DD:01");
type How = "refuses" | "hangs";

/** A store that takes everything, but for the calls that `fails` names. */
class FaultyStore extends MemoryBondStore {
  fails: (what: "save" | "delete", bond: Bond | undefined) => How | undefined = () => undefined;

  override save(bond: Bond): Promise<void> {
    return this.#do(this.fails("save", bond)) ?? super.save(bond);
  }
  override delete(identity: Address): Promise<void> {
    return this.#do(this.fails("delete", undefined)) ?? super.delete(identity);
  }

  #do(how: How | undefined): Promise<void> | undefined {
    if (how === "hangs") return new Promise(() => {});
    return how && Promise.reject(new Error("disk full"));
  }
}

const told = (scenario: Scenario): string[] => scenario.of("warning").map(({ message }) => message);
const WARNINGS = {
  refuses: "The bonds could not be stored: disk full.",
  hangs: "The bonds could not be stored: storing the bonds did not finish within 5000 ms.",
} as const;

describe.each(["refuses", "hangs"] as const)("a store that %s", (how) => {
  test("to forget who failed the handshake: it is told, and the pump can still come", async () => {
    await using scenario = await Scenario.open();
    const bonds = new FaultyStore();
    await using connector = await scenario.connector({ bonds });
    const stranger = await HandPump.open(scenario, "stranger", STRANGER);
    bonds.fails = (what) => (what === "delete" ? how : undefined);
    await stranger.failSake(await stranger.pair());
    await delay(scenario.clock, 6000);
    expect(told(scenario)).toContain(WARNINGS[how]);
    expect(connector.ended).toBeUndefined();
    expect(scenario.of("advertising").at(-1)!.timeMs).toBeGreaterThan(scenario.of("disconnected").at(-1)!.timeMs);
    await scenario.pair(connector).catch((error: unknown) => expect(how, String(error)).toBe("hangs")); // its own bond waits behind the other
  });

  test("to keep the bond when it is proved: there is a session, and it is told when the link ends", async () => {
    await using scenario = await Scenario.open();
    const bonds = new FaultyStore();
    await using connector = await scenario.connector({ bonds });
    bonds.fails = (what, bond) => (what === "save" && !bond!.provisional ? how : undefined);
    const { session } = await scenario.pair(connector);
    expect(await session.readLatest()).toMatchObject({ kind: "reading" });
    await session.disconnect();
    await delay(scenario.clock, 6000);
    expect(told(scenario)).toContain(WARNINGS[how]);
    expect((await bonds.load(scenario.pump.identity.address))!.provisional).toBe(true);
    // The pump comes back with the bond that is there; a store that takes it by then has it proved.
    bonds.fails = () => undefined;
    const again = await connector.session({ timeoutMs: 300_000 });
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
    if (how === "refuses") expect((await bonds.load(scenario.pump.identity.address))!.provisional).toBeUndefined();
  });

  test("to keep the bond of a pairing at all: nothing waits for ever, whatever comes of it", async () => {
    await using scenario = await Scenario.open();
    const bonds = new FaultyStore();
    bonds.fails = () => how;
    await using connector = await scenario.connector({ bonds, pairingWindowMs: 120_000 });
    const outcomes = await Promise.allSettled([
      connector.session({ timeoutMs: 200_000 }),
      scenario.pump.pairNewPhone({ timeoutMs: 100_000 }),
    ]);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: expect.any(String) });
    const beforeMs = scenario.clock.now();
    await connector.close();
    expect(scenario.clock.now() - beforeMs).toBeLessThan(20_000);
    expect(bonds.size).toBe(0);
  });
});

test("a store that refuses the bond of a pump that was paired anew has it when the pump comes back, in the place of the old one", async () => {
  await using scenario = await Scenario.open();
  const bonds = new FaultyStore();
  const pump = await HandPump.open(scenario, "hand pump", STRANGER);
  await using first = await scenario.connector({ bonds });
  const paired = await pump.pair();
  await pump.authenticate(paired);
  await pump.lose(paired);
  await first.close();
  const before = (await bonds.load(STRANGER))!;
  await using _ = await scenario.connector({ bonds, anew: true });
  bonds.fails = (what) => (what === "save" ? "refuses" : undefined);
  const anew = await pump.pair();
  await pump.authenticate(anew);
  await pump.lose(anew);
  expect(told(scenario)).toContain(WARNINGS.refuses);
  expect(isSameBond(await bonds.load(STRANGER), before)).toBe(true);
  bonds.fails = () => undefined;
  await pump.authenticate(await pump.comeBack());
  await scenario.air.advance(100);
  const after = (await bonds.load(STRANGER))!;
  expect([isSameBond(after, before), after.provisional]).toEqual([false, undefined]);
});

test("a store that does not answer when it is read is waited for until the signal aborts", async () => {
  await using scenario = await Scenario.open();
  const bonds = new MemoryBondStore();
  bonds.all = async function* (): AsyncIterable<Bond> {
    await new Promise(() => {});
    yield* [];
  };
  const control = new AbortController();
  const opening = expect(scenario.connector({ bonds, signal: control.signal })).rejects.toThrow("enough");
  await delay(scenario.clock, 1000);
  control.abort(new Error("enough"));
  await opening;
});

test("nothing of all this is left to nobody", () => {
  expect(unhandled).toEqual([]);
});
