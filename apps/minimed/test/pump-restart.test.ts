import { inspect } from "node:util";
import { delay } from "jelling/async";
import { Address, StateError } from "jelling/core";
import type { Bond } from "jelling/smp";
import { describe, expect, test } from "vitest";
import type { PumpSession } from "../src/connector/pump-session.ts";
import { HandPump } from "./hand-pump.ts";
import { Scenario } from "./scenario.ts";

const SAKE_SERVICE = 0xfe82;
const SAKE_PORT = "0000fe82-0000-1000-0000-009132591325";

describe("a pump that begins its handshake again", () => {
  test("in the middle of the first reads keeps its link, and has a session on it", async () => {
    await using scenario = await Scenario.open();
    await using _ = await scenario.connector();
    const pump = await HandPump.open(scenario, "hand pump", Address.from("00:23:F7:01:02:03"));
    const connection = await pump.pair();
    for (let round = 1; round <= 3; round++) {
      await pump.authenticate(connection); // the phone has begun to look for its services
      expect([scenario.of("authenticated").length, scenario.of("connected").length, scenario.of("disconnected").length]).toEqual([
        round,
        1,
        0,
      ]);
    }
  });

  test("and gives it up does not hold the link for ever: it is dropped after two minutes, and comes back", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const port = await scenario.pump.connection!.gatt.characteristic(SAKE_SERVICE, SAKE_PORT);
    const cccd = (await port.descriptor(0x2902)).handle;
    await scenario.pump.connection!.gatt.write(cccd, Uint8Array.of(1, 0));
    expect(session.ended).toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
    await delay(scenario.clock, 500); // the wake-up comes
    await scenario.pump.connection!.gatt.write(cccd, Uint8Array.of(0, 0));
    await delay(scenario.clock, 60_000);
    expect(scenario.of("disconnected")).toEqual([]);
    const again = await connector.session({ timeoutMs: 300_000 });
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
    expect(scenario.of("warning").map(({ message }) => message)).toContain("The pump did not authenticate itself in two minutes.");
  });
});

/** What readers are given before their options. */
const ARGUMENTS: Readonly<Partial<Record<keyof PumpSession, readonly unknown[]>>> = {
  readHighLowSettings: ["high"],
  readCounter: ["lifetime", "remaining"],
  readCgmSessionStart: [1],
  readVendorValue: ["sensorExpiration"],
};

describe("a session's entrances", () => {
  test("refuse what is of another kind, name or range, before anything is asked", async () => {
    await using scenario = await Scenario.open({ traceCapacity: 0 });
    await using connector = await scenario.connector();
    const { session } = await scenario.pair(connector);
    const refusal = { code: "ERR_ARGUMENT" };
    const readers = (Object.getOwnPropertyNames(Object.getPrototypeOf(session)) as (keyof PumpSession)[]).filter((name) =>
      /^(read[A-Z]|historyBounds)/.test(name),
    );
    expect(readers.length).toBeGreaterThan(25);
    for (const name of readers) {
      const first = ARGUMENTS[name] ?? [];
      for (const options of [
        null,
        5,
        "10 s",
        [],
        { timeout: 5 },
        { timeoutMs: "10" },
        { timeoutMs: Number.NaN },
        { timeoutMs: -1 },
        { signal: {} },
      ]) {
        const read = session[name] as (...given: unknown[]) => Promise<unknown>;
        await expect(read.call(session, ...first, options), `${name} ${inspect(options)}`).rejects.toMatchObject(refusal);
      }
    }
    for (const range of [{ fromOffsetMin: "0" }, { toOffsetMin: 65_536 }, { fromOffsetMin: 10, toOffsetMin: 9 }, { fromOffsetMin: 0.5 }])
      await expect(session.readReadings(range as never)).rejects.toMatchObject(refusal);
    for (const options of [null, { pollMs: 0 }, { pollMs: Number.NaN }, { pollMs: "60000" }, { signal: 5 }, { poll: 1 }])
      expect(() => session.readings(options as never), inspect(options)).toThrow(expect.objectContaining(refusal));
    for (const range of [
      undefined,
      null,
      {},
      { last: 1 },
      { first: 2, last: 1 },
      { first: 0, last: 1, signal: 5 },
      { first: 0, last: 1, order: "up" },
    ])
      expect(() => session.history(range as never), inspect(range)).toThrow(expect.objectContaining(refusal));
    for (const listener of [undefined, null, "print", {}]) {
      expect(() => session.onEnded(listener as never)).toThrow(expect.objectContaining(refusal));
      expect(() => connector.on(listener as never)).toThrow(expect.objectContaining(refusal));
    }
    for (const options of [null, { timeoutMs: "1" }, { signal: "x" }, { timeout: 1 }]) {
      await expect(connector.session(options as never)).rejects.toMatchObject(refusal);
      expect(() => connector.events(options as never)).toThrow(expect.objectContaining(refusal));
    }
    expect(session.ended).toBeUndefined();
    let heard = 0;
    const listener = (): void => void heard++;
    const [once, twice] = [connector.on(listener), connector.on(listener)];
    once[Symbol.dispose]();
    await session.disconnect();
    await delay(scenario.clock, 1000);
    expect(heard).toBeGreaterThan(0);
    twice[Symbol.dispose]();
  });
});

test("what a host or a store says of a fault reaches nobody with the address, name or serial number in it", async () => {
  await using scenario = await Scenario.open();
  const { bonds } = scenario;
  const faulty = {
    load: (identity: Address) => bonds.load(identity),
    delete: (identity: Address) => bonds.delete(identity),
    all: () => bonds.all(),
    save: (bond: Bond) =>
      bond.provisional
        ? bonds.save(bond)
        : Promise.reject(
            new StateError(`${bond.identity} has the key of ${scenario.pump.identity.name}, ${scenario.pump.identity.serial}`),
          ),
  };
  const said: string[] = [];
  await using connector = await scenario.connector({ bonds: faulty });
  connector.on((event) => said.push(JSON.stringify(event), inspect(event, { depth: 9 })));
  await scenario.pair(connector);
  await scenario.pump.disconnect();
  await delay(scenario.clock, 10_000);
  expect(said.join()).toContain("could not be stored");
  const { address, digits } = scenario.pump.identity;
  for (const secret of [address.toHex(), digits]) expect(said.join().toUpperCase()).not.toContain(secret.toUpperCase());
});
