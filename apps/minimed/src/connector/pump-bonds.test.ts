import { Address } from "jelling/core";
import { MemoryBondStore } from "jelling/gap";
import { createBond } from "jelling/smp";
import { describe, expect, test } from "vitest";
import { PumpBonds } from "./pump-bonds.ts";

const [PUMP, OTHER] = [Address.from("00:23:F7:01:02:03"), Address.from("00:23:F7:01:02:04")];
const bondOf = (identity: Address, { seed = 1, provisional = false } = {}) =>
  createBond({
    identity,
    localLtk: { key: new Uint8Array(16).fill(seed), rand: new Uint8Array(8), ediv: 0, keySize: 16 },
    localIrkDistributed: true,
    authenticated: false,
    secureConnections: false,
    ...(provisional && { provisional }),
  });
async function identities(store: MemoryBondStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { identity } of store.all()) found.push(identity.toHex());
  return found.toSorted();
}

describe("a pump that proves itself", () => {
  test("for the first time, where a connector pairs anew, takes the place of every other", async () => {
    const store = new MemoryBondStore([bondOf(OTHER), bondOf(PUMP, { provisional: true })]);
    const bonds = await PumpBonds.open(store);
    await bonds.prove(PUMP, bonds, { anew: true });
    expect(await identities(store)).toEqual([PUMP.toHex()]);
  });

  test("for the first time, where it does not, leaves the others alone", async () => {
    const store = new MemoryBondStore([bondOf(OTHER), bondOf(PUMP, { provisional: true })]);
    const bonds = await PumpBonds.open(store);
    await bonds.prove(PUMP, bonds);
    expect(await identities(store)).toEqual([PUMP.toHex(), OTHER.toHex()]);
    expect(await store.load(PUMP)).not.toHaveProperty("provisional");
  });

  test("again costs no other its bond, though the connector pairs anew", async () => {
    const store = new MemoryBondStore([bondOf(OTHER), bondOf(PUMP)]);
    const bonds = await PumpBonds.open(store);
    await bonds.prove(PUMP, bonds, { anew: true });
    expect(await identities(store)).toEqual([PUMP.toHex(), OTHER.toHex()]);
  });

  test("with a bond that stands in the place of a stored one has that one replaced", async () => {
    const store = new MemoryBondStore([bondOf(PUMP)]);
    const bonds = await PumpBonds.open(store);
    const newer = bondOf(PUMP, { seed: 2 });
    await bonds.save(newer);
    expect([bonds.standsInPlace(PUMP), bonds.isProved(newer), (await store.load(PUMP))!.localLtk!.key[0]]).toEqual([true, false, 1]);
    await bonds.prove(PUMP, bonds);
    expect([bonds.standsInPlace(PUMP), bonds.isProved(newer), (await store.load(PUMP))!.localLtk!.key[0]]).toEqual([false, true, 2]);
  });
});
