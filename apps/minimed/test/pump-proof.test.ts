import { toHex } from "jelling/bytes";
import { Address, SeededRandom } from "jelling/core";
import type { Bond } from "jelling/smp";
import { describe, expect, test } from "vitest";
import { inventKeys } from "../src/simulator/keys.ts";
import { HandPump } from "./hand-pump.ts";
import { Scenario } from "./scenario.ts";

// A bond from its pairing to its proof: pairing is Just Works and proves nothing, SAKE does.

const PUMP = Address.from("00:23:F7:01:02:03");
const STRANGER = Address.from("00:AA:BB:CC:DD:01");

async function stored(scenario: Scenario): Promise<Bond[]> {
  const bonds: Bond[] = [];
  for await (const bond of scenario.bonds.all()) bonds.push(bond);
  return bonds;
}
const keyIn = async (scenario: Scenario, identity: Address): Promise<string> => toHex((await scenario.bonds.load(identity))!.localLtk!.key);

/** A pump that has paired, proved itself and left; no connector is open. */
async function provedPump(scenario: Scenario): Promise<HandPump> {
  await using connector = await scenario.connector();
  const pump = await HandPump.open(scenario, "hand pump", PUMP);
  const connection = await pump.pair();
  await pump.authenticate(connection);
  await pump.lose(connection);
  expect(connector.ended).toBeUndefined();
  return pump;
}

describe("a link that is lost between pairing and the handshake", () => {
  test("leaves the bond; the pump comes back with it and proves itself, while the window is open", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const pump = await HandPump.open(scenario, "hand pump", PUMP);
    await pump.lose(await pump.pair());
    expect(await stored(scenario)).toMatchObject([{ provisional: true }]);
    const back = await pump.comeBack();
    expect(back.security).toMatchObject({ encrypted: true, bonded: true });
    expect(scenario.of("paired")).toHaveLength(1);
    await pump.authenticate(back);
    await pump.lose(back);
    const [bond, ...others] = await stored(scenario);
    expect([bond!.identity.toHex(), bond!.provisional, others]).toEqual([PUMP.toHex(), undefined, []]);
    expect(connector.ended).toBeUndefined();
  });

  test("leaves the bond to the next connector, which needs no new pairing", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    const pump = await HandPump.open(scenario, "hand pump", PUMP);
    await pump.lose(await pump.pair());
    await first.close();
    await using _ = await scenario.connector({ mode: "reconnect" });
    await pump.authenticate(await pump.comeBack());
    await scenario.air.advance(100);
    expect(await stored(scenario)).not.toMatchObject([{ provisional: true }]);
    expect(scenario.of("paired")).toHaveLength(1);
  });

  test("does not keep the user from pairing: it is called in both ways, in turns", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    const pump = await HandPump.open(scenario, "hand pump", PUMP);
    await pump.lose(await pump.pair());
    await first.close();
    scenario.events.length = 0;
    await using _ = await scenario.connector(); // no `anew`: nobody has proved to be a pump
    await scenario.air.advance(100_000);
    expect(
      scenario.of("advertising").map(({ mode, timeMs }) => [mode, Math.round((timeMs - scenario.of("advertising")[0]!.timeMs) / 1000)]),
    ).toEqual([
      ["pair", 0],
      ["reconnect", 30],
      ["pair", 60],
      ["reconnect", 90],
    ]);
    await pump.authenticate(await pump.pair());
    expect(await stored(scenario)).toHaveLength(1);
  });

  test("in the middle of the handshake, and a handshake that is met with silence, show nothing", async () => {
    await using scenario = await Scenario.open();
    await using _ = await scenario.connector();
    const pump = await HandPump.open(scenario, "hand pump", PUMP);
    const connection = await pump.pair();
    const port = await connection.gatt.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325");
    await port.subscribe(() => {});
    await pump.lose(connection);
    expect(await stored(scenario)).toMatchObject([{ provisional: true }]);
    const silent = await pump.comeBack();
    await (await silent.gatt.characteristic(0xfe82, "0000fe82-0000-1000-0000-009132591325")).subscribe(() => {});
    await silent.closed;
    await scenario.air.advance(100);
    expect(scenario.of("warning")).toContainEqual(expect.objectContaining({ message: expect.stringContaining("SAKE failed") }));
    expect(await stored(scenario)).toMatchObject([{ provisional: true }]);
  });
});

describe("a bond that is not proved goes", () => {
  test("when its owner fails the handshake, at once or when it comes back", async () => {
    await using scenario = await Scenario.open();
    await using _ = await scenario.connector();
    const stranger = await HandPump.open(scenario, "stranger", STRANGER);
    await stranger.failSake(await stranger.pair());
    await scenario.air.advance(100);
    expect(await stored(scenario)).toEqual([]);
    await stranger.lose(await stranger.pair());
    expect(await stored(scenario)).toHaveLength(1);
    await stranger.failSake(await stranger.comeBack());
    await scenario.air.advance(100);
    expect(await stored(scenario)).toEqual([]);
  });

  test("when its owner fails the handshake with a later connector", async () => {
    await using scenario = await Scenario.open();
    await using first = await scenario.connector();
    const stranger = await HandPump.open(scenario, "stranger", STRANGER);
    await stranger.lose(await stranger.pair());
    await first.close();
    await using connector = await scenario.connector({ mode: "reconnect" });
    await stranger.failSake(await stranger.comeBack());
    await connector.closed;
    expect(connector.ended).toMatchObject({ code: "ERR_PUMP_PAIRING_WINDOW_CLOSED" });
    expect(await stored(scenario)).toEqual([]);
  });

  test("when another pump proves itself", async () => {
    await using scenario = await Scenario.open();
    await using connector = await scenario.connector();
    const stranger = await HandPump.open(scenario, "stranger", STRANGER);
    await stranger.lose(await stranger.pair());
    await scenario.pair(connector);
    expect((await stored(scenario)).map(({ identity }) => identity.toHex())).toEqual([scenario.pump.identity.address.toHex()]);
  });

  test("when there are too many: the oldest of them", async () => {
    await using scenario = await Scenario.open();
    await using _ = await scenario.connector();
    for (let i = 1; i <= 6; i++) {
      const stranger = await HandPump.open(scenario, `stranger ${i}`, Address.from(`00:AA:BB:CC:DD:0${i}`));
      await stranger.lose(await stranger.pair());
    }
    expect((await stored(scenario)).map(({ identity }) => identity.toString().slice(0, 17))).toEqual(
      [3, 4, 5, 6].map((i) => `00:AA:BB:CC:DD:0${i}`),
    );
  });
});

describe("a pump that has proved itself keeps its bond", () => {
  test("from who pairs under its address and leaves: the pump is refused once, and comes back", async () => {
    await using scenario = await Scenario.open();
    const pump = await provedPump(scenario);
    const key = await keyIn(scenario, PUMP);
    await using connector = await scenario.connector({ anew: true });
    const impostor = await HandPump.open(scenario, "impostor", PUMP);
    await impostor.lose(await impostor.pair());
    expect(await keyIn(scenario, PUMP)).toBe(key); // a crash from here on costs nothing
    await expect(pump.comeBack()).rejects.toMatchObject({ code: "ERR_BOND_LOST" });
    await scenario.air.advance(100);
    const back = await pump.comeBack();
    expect(back.security).toMatchObject({ encrypted: true, bonded: true });
    await pump.authenticate(back);
    expect(await keyIn(scenario, PUMP)).toBe(key);
    expect(await stored(scenario)).not.toMatchObject([{ provisional: true }]);
    await expect(impostor.comeBack()).rejects.toMatchObject({ code: expect.any(String) });
    expect(connector.ended).toBeUndefined();
  });

  test("from who pairs under its address and fails the handshake: it comes back at once", async () => {
    await using scenario = await Scenario.open();
    const pump = await provedPump(scenario);
    await using connector = await scenario.connector({ anew: true, pairingWindowMs: 60_000 });
    const impostor = await HandPump.open(scenario, "impostor", PUMP);
    await impostor.failSake(await impostor.pair());
    await scenario.air.advance(100);
    expect((await pump.comeBack()).security).toMatchObject({ encrypted: true, bonded: true });
    expect(connector.ended).toBeUndefined();
  });

  test("from who pairs under its address, once the connector is closed", async () => {
    await using scenario = await Scenario.open();
    const pump = await provedPump(scenario);
    await using first = await scenario.connector({ anew: true });
    const impostor = await HandPump.open(scenario, "impostor", PUMP);
    await impostor.lose(await impostor.pair());
    await first.close();
    await using _ = await scenario.connector({ mode: "reconnect" });
    await pump.authenticate(await pump.comeBack());
  });

  test("but for a pairing under its address that proves itself: the pump that lost its keys", async () => {
    await using scenario = await Scenario.open();
    const pump = await provedPump(scenario);
    const key = await keyIn(scenario, PUMP);
    await using _ = await scenario.connector({ anew: true });
    await pump.lose(await pump.pair());
    expect(await keyIn(scenario, PUMP)).toBe(key);
    await pump.authenticate(await pump.comeBack());
    await scenario.air.advance(100);
    expect(await keyIn(scenario, PUMP)).not.toBe(key);
    expect(await stored(scenario)).not.toMatchObject([{ provisional: true }]);
  });

  test("whatever the handshake says later, as with another key database", async () => {
    await using scenario = await Scenario.open();
    const pump = await provedPump(scenario);
    await using connector = await scenario.connector({ mode: "reconnect", keyDatabase: inventKeys(new SeededRandom(98)).phone });
    const connection = await pump.comeBack();
    await expect(pump.authenticate(connection)).rejects.toMatchObject({ code: "ERR_SAKE_HANDSHAKE" });
    await pump.lose(connection);
    await pump.failSake(await pump.comeBack());
    await scenario.air.advance(100);
    expect(await stored(scenario)).toHaveLength(1);
    expect(connector.ended).toBeUndefined();
  });
});
