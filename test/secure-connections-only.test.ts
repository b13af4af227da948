import { describe, expect, test } from "vitest";
import { createBond, IoCapability, KeyDistribution, type PairingAgent, type PairingPolicy } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

const yes: PairingAgent = {
  confirm: async () => true,
  compare: async () => true,
  displayPasskey: () => {},
};
const comparing: Partial<PairingPolicy> = { ioCapability: IoCapability.DisplayYesNo };
const only = (more: Partial<SimulatedDeviceOptions> = {}): SimulatedDeviceOptions => ({
  pairing: comparing,
  agent: yes,
  policy: { secureConnectionsOnly: true },
  ...more,
});
const able = (pairing: Partial<PairingPolicy> = {}): SimulatedDeviceOptions => ({ pairing: { ...comparing, ...pairing }, agent: yes });
const sides = ["central", "peripheral"] as const;

describe.each(sides)("Secure Connections Only mode of the %s (Vol 3 Part C 10.2.4)", (role) => {
  const pairOf = (air: SimulatedAir, peer: SimulatedDeviceOptions) =>
    air.connectedPair(role === "central" ? { central: only(), peripheral: peer } : { central: peer, peripheral: only() });

  test("an authenticated pairing with LE Secure Connections and a whole key is level 4", async () => {
    await using air = new SimulatedAir({ seed: 1 });
    const pair = await pairOf(air, able());
    await pair.central.connection.pair();
    await air.advance(500);
    const levelFour = { encrypted: true, authenticated: true, secureConnections: true, keySize: 16 };
    for (const side of sides) expect(pair[side].connection.security).toMatchObject(levelFour);
  });

  test.each<[string, SimulatedDeviceOptions, number]>([
    ["legacy pairing: Authentication Requirements", able({ secureConnections: false }), 0x03],
    ["Just Works: Authentication Requirements", { pairing: {} }, 0x03],
    ["a smaller key: Encryption Key Size", able({ minKeySize: 7, maxKeySize: 15 }), 0x06],
  ])("refuses %s", async (_, peer, reason) => {
    await using air = new SimulatedAir({ seed: 2 });
    const pair = await pairOf(air, peer);
    const side = role === "central" ? "local" : "peer";
    await expect(pair.central.connection.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason, side });
    await air.advance(500);
    for (const end of sides) expect([pair[end].connection.security.encrypted, pair[end].connection.bonded]).toEqual([false, false]);
  });

  test.each<[string, object]>([
    ["legacy", { secureConnections: false }],
    ["both", { secureConnectionsOnly: false }],
    ["a smaller key", { minKeySize: 7 }],
    ["a smaller key at most", { minKeySize: 7, maxKeySize: 15 }],
    ["no authentication", { requireAuthentication: false }],
    ["no protection", { mitm: false }],
    ["the debug key", { allowDebugKey: true }],
  ])("pair({ policy }) cannot ask for less: %s", async (_, policy) => {
    await using air = new SimulatedAir({ seed: 3 });
    const pair = await pairOf(air, able());
    await expect(pair[role].connection.pair({ policy })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test.each<[string, object]>([
    ["not authenticated", { authenticated: false }],
    ["legacy", { secureConnections: false }],
  ])("a bond of before that is %s is not used", async (_, less) => {
    await using air = new SimulatedAir({ seed: 4 });
    const pair = await pairOf(air, able());
    await pair.central.connection.pair();
    await air.advance(500);
    const [own, peer] = role === "central" ? [pair.central, pair.peripheral] : [pair.peripheral, pair.central];
    const bond = (await own.device.bonds.load(peer.device.identity))!;
    await own.device.bonds.save(createBond({ ...bond, ...less }));
    await pair.central.connection.disconnect();
    await air.advance(500);
    await pair.peripheral.device.advertise();
    const code = role === "central" ? "ERR_PAIRING" : "ERR_BOND_LOST";
    await expect(pair.central.device.connect(pair.peripheral.device.identity)).rejects.toMatchObject({ code });
  });
});

test("attributes that ask for security are refused in the clear, and after a refused pairing; those that ask for none are open", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const { central, peripheral } = await air.connectedPair({ central: able({ secureConnections: false }), peripheral: only() });
  peripheral.gattServer.addService({
    uuid: 0xff00,
    characteristics: [
      { uuid: 0xff01, properties: ["read"], value: Uint8Array.of(1) },
      { uuid: 0xff02, properties: ["read"], value: Uint8Array.of(2), permissions: { read: "encrypted" } },
    ],
  });
  const read = async (uuid: number): Promise<Uint8Array> => await (await central.gatt.characteristic(0xff00, uuid)).read();
  expect(await read(0xff01)).toEqual(Uint8Array.of(1));
  await expect(read(0xff02)).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 0x05 });
  await expect(central.connection.pair()).rejects.toMatchObject({ reason: 0x03 });
  await expect(read(0xff02)).rejects.toMatchObject({ code: "ERR_ATT", errorCode: 0x05 });
});

test("nothing is signed, and no signature is believed", async () => {
  await using air = new SimulatedAir({ seed: 6 });
  const { SignKey } = KeyDistribution;
  const { central, peripheral } = await air.connectedPair({ central: able(), peripheral: able() });
  peripheral.gattServer.addService({
    uuid: 0xff00,
    characteristics: [{ uuid: 0xff01, properties: ["authenticated-signed-writes"] }],
  });
  await central.connection.pair({ policy: { secureConnections: false, localKeys: SignKey, peerKeys: SignKey } });
  await central.connection.disconnect();
  await air.advance(500);
  await peripheral.device.advertise();
  const connection = await central.device.connect(peripheral.device.identity, { policy: { secureConnectionsOnly: true } });
  const characteristic = await connection.gatt.characteristic(0xff00, 0xff01);
  await expect(characteristic.write(Uint8Array.of(1), { signed: true })).rejects.toMatchObject({ code: "ERR_STATE" });
});

describe("what contradicts the mode is refused when it is said", () => {
  test.each<[string, SimulatedDeviceOptions]>([
    ["legacy pairing alone", { ...only(), pairing: { ...comparing, secureConnections: false } }],
    ["smaller keys", { ...only(), pairing: { ...comparing, minKeySize: 10 } }],
    ["trust in the clear", { ...only(), policy: { secureConnectionsOnly: true, dangerouslyTrustUnencryptedPeer: true } }],
    ["another kind", { ...only(), policy: { secureConnectionsOnly: 1 as unknown as boolean } }],
  ])("%s, of a device", async (_, options) => {
    await using air = new SimulatedAir({ seed: 7 });
    await expect(air.device(options)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("a connection cannot leave the mode of its device, and can be in it by itself", async () => {
    await using air = new SimulatedAir({ seed: 8 });
    const { central, peripheral } = await air.connectedPair({ central: only(), peripheral: able() });
    await expect(central.device.connect("C0:00:00:00:00:01/random", { policy: { secureConnectionsOnly: false } })).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
    });
    await central.connection.disconnect();
    await air.advance(500);
    await central.device.advertise();
    const connection = await peripheral.device.connect(central.device.identity, {
      policy: { secureConnectionsOnly: true, security: { encrypted: true } },
    });
    expect(connection.policy).toMatchObject({
      secureConnectionsOnly: true,
      security: { encrypted: true, authenticated: true, secureConnections: true, minKeySize: 16 },
      pairing: { secureConnectionsOnly: true, requireAuthentication: true, minKeySize: 16 },
    });
  });
});
