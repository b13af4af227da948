import { describe, expect, test } from "vitest";
import { createBond, type PrivacyMode } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

/** Bonded by private addresses: each knows the key that the other one's addresses are made with. */
async function bonded(air: SimulatedAir, mode: PrivacyMode | undefined, options: SimulatedDeviceOptions = {}) {
  const pair = await air.connectedPair({
    central: options,
    peripheral: options,
    advertise: { ownAddress: "resolvable", intervalMs: 20 },
    connect: { ownAddress: "resolvable" },
  });
  const { central, peripheral } = pair;
  await central.connection.pair({ policy: { secureConnections: false } });
  await air.advance(500);
  for (const [own, other] of [
    [central, peripheral],
    [peripheral, central],
  ] as const) {
    const bond = (await own.device.bonds.load(other.device.identity))!;
    await own.device.bonds.save(createBond({ ...bond, privacyMode: mode }));
  }
  await central.connection.disconnect();
  await air.advance(500);
  return pair;
}

describe("privacy mode of a bond (Vol 6 Part B 4.7)", () => {
  test.each(["network", "device", undefined] as const)("%s: a peer with a private address is known", async (mode) => {
    await using air = new SimulatedAir({ seed: 1 });
    const { central, peripheral } = await bonded(air, mode);
    await peripheral.device.advertise({ ownAddress: "resolvable" });
    const connection = await central.device.connect(peripheral.device.identity, { ownAddress: "resolvable" });
    expect([connection.bonded, connection.security.encrypted]).toEqual([true, true]);
  });

  test.each(["device", undefined] as const)("%s: the identity address is believed on air", async (mode) => {
    await using air = new SimulatedAir({ seed: 2 });
    const { central, peripheral } = await bonded(air, mode);
    await peripheral.device.advertise();
    const connection = await central.device.connect(peripheral.device.identity);
    expect([connection.bonded, connection.security.encrypted]).toEqual([true, true]);
  });

  test("network: who advertises with the identity address is not connected to", async () => {
    await using air = new SimulatedAir({ seed: 3 });
    const { central, peripheral } = await bonded(air, "network");
    await peripheral.device.advertise();
    await expect(central.device.connect(peripheral.device.identity, { timeoutMs: 3000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("network: who connects with the identity address is a stranger, and is disconnected", async () => {
    await using air = new SimulatedAir({ seed: 4 });
    // A controller that resolves would not let it come that far.
    const { central, peripheral } = await bonded(air, "network", { addressResolution: "host" });
    const own = (await central.device.bonds.load(peripheral.device.identity))!;
    await central.device.bonds.save(createBond({ ...own, privacyMode: "device" }));
    const seen: boolean[] = [];
    peripheral.device.on("connection", (connection) => seen.push(connection.bonded));
    await peripheral.device.advertise({ ownAddress: "resolvable" });
    await expect(central.device.connect(peripheral.device.identity, { timeoutMs: 2000 })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_/),
    });
    await air.advance(1000);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).not.toContain(true);
    expect(peripheral.device.links).toEqual([]);
    expect(await peripheral.device.bonds.load(central.device.identity)).toBeDefined();
  });

  test("network without an identity resolving key says nothing: the device has only that address", async () => {
    await using air = new SimulatedAir({ seed: 5 });
    const { central, peripheral } = await bonded(air, "network");
    const { peerIrk: _, ...bond } = (await central.device.bonds.load(peripheral.device.identity))!;
    await central.device.bonds.save(createBond(bond));
    const { peerIrk: __, ...other } = (await peripheral.device.bonds.load(central.device.identity))!;
    await peripheral.device.bonds.save(createBond(other));
    await peripheral.device.advertise();
    expect((await central.device.connect(peripheral.device.identity)).security.encrypted).toBe(true);
  });
});
