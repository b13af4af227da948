import { describe, expect, test } from "vitest";
import type { Bond, BondStore } from "../src/index.ts";
import { Address, MemoryBondStore } from "../src/index.ts";
import { IoCapability } from "../src/smp/index.ts";
import type { SimulatedDeviceOptions } from "../src/testing/index.ts";
import { SuiteAir as SimulatedAir } from "./support/suite-air.ts";

/** A store that refuses while it is told to. */
class FullStore extends MemoryBondStore implements BondStore {
  isFull = false;
  override save(bond: Bond): Promise<void> {
    return this.isFull ? Promise.reject(new Error("disk full")) : super.save(bond);
  }
  override delete(identity: Address): Promise<void> {
    return this.isFull ? Promise.reject(new Error("disk full")) : super.delete(identity);
  }
}

describe("a store that refuses", () => {
  test.each(["central", "peripheral"] as const)("leaves no bond: not in the book, not on the link, not on the next (%s)", async (role) => {
    await using air = new SimulatedAir({ seed: 1 });
    const bonds = new FullStore();
    bonds.isFull = true;
    const { central, peripheral } = await air.connectedPair({ [role]: { bonds } });
    const [own, peer] = role === "central" ? [central, peripheral] : [peripheral, central];
    await expect(own.connection.pair()).rejects.toMatchObject({ code: "ERR_STATE", cause: { message: "disk full" } });
    await air.advance(1000);
    expect([own.connection.bonded, own.connection.security.bonded]).toEqual([false, false]);
    expect(await own.device.bonds.load(peer.device.identity)).toBeUndefined();
    // The peer was told (Vol 3 Part H 3.5.5), so both can begin anew.
    expect(await peer.device.bonds.load(own.device.identity)).toBeUndefined();
    expect(peer.connection.bonded).toBe(false);
    bonds.isFull = false;
    expect(await central.connection.pair()).toMatchObject({ bonded: true });
    await air.advance(1000);
    expect([own.connection.bonded, bonds.size]).toEqual([true, 1]);
  });

  test("keeps a bond that it does not delete", async () => {
    await using air = new SimulatedAir({ seed: 2 });
    const bonds = new FullStore();
    const { central, peripheral } = await air.connectedPair({ central: { bonds } });
    await central.connection.pair();
    bonds.isFull = true;
    await expect(central.device.bonds.delete(peripheral.device.identity)).rejects.toThrow("disk full");
    expect(central.connection.bonded).toBe(true);
    bonds.isFull = false;
    await central.device.bonds.delete(peripheral.device.identity);
    expect([central.connection.bonded, central.connection.security.bonded]).toEqual([false, false]);
  });
});

test("a stranger who claims the identity of a peer that is connected changes nothing", async () => {
  await using air = new SimulatedAir({ seed: 3 });
  const { central, peripheral } = await air.connectedPair();
  await central.connection.pair();
  await air.advance(1000);
  const { identity } = central.device;
  const before = await peripheral.device.bonds.load(identity);
  const failures: string[] = [];
  peripheral.device.onConnection((connection) => connection.on("securityFailure", (error) => failures.push(error.message)));
  await peripheral.device.advertise();
  // Its own controller has that address too, which it does not show.
  const own = withIdentity(identity);
  const stranger = await air.device({ name: "stranger", ...own });
  const link = await stranger.connect(peripheral.device.identity, { ownAddress: "resolvable" });
  await link.pair().catch(() => undefined);
  await air.advance(1000);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toContain("Key Rejected");
  expect(await peripheral.device.bonds.load(identity)).toBe(before);
  const other = peripheral.device.links.find((connection) => connection !== peripheral.connection)!;
  expect([other.bonded, other.security.bonded, other.peerIdentity.equals(identity)]).toEqual([false, false, false]);
  expect(peripheral.connection.security).toMatchObject({ encrypted: true, bonded: true });
});

test("a peer on an address that stays is bonded under it, whatever it says, and is known when it comes back, as itself or private", async () => {
  await using air = new SimulatedAir({ seed: 4 });
  const host = await air.device({ name: "host" });
  const mouse = await air.device({ name: "mouse" });
  const shown = await mouse.advertise({ ownAddress: "random", restart: "disconnected" });
  for await (const { address } of host.scan()) {
    const link = await host.connect(address);
    expect(await link.pair()).toMatchObject({ bonded: true, peerIdentity: address });
    await air.advance(1000);
    await link.disconnect();
    await air.advance(1000);
    const again = await host.connect(address);
    expect([again.bonded, again.security.bonded, again.peerIdentity.equals(address)]).toEqual([true, true, true]);
    await again.disconnect();
    await shown.stop();
    await mouse.advertise({ ownAddress: "resolvable" });
    const hidden = await host.connect(address);
    expect([hidden.peerAddress.isResolvablePrivate, hidden.security.bonded]).toEqual([true, true]);
    break;
  }
});

test("what the edge refuses: an IO capability without its callbacks, a policy name that nobody knows, a bond that is none", async () => {
  await using air = new SimulatedAir({ seed: 5 });
  const asks = { code: "ERR_ARGUMENT" };
  await expect(air.device({ pairing: { ioCapability: IoCapability.DisplayOnly } })).rejects.toMatchObject(asks);
  await expect(air.device({ pairing: { bondings: true } as never })).rejects.toMatchObject({
    ...asks,
    message: expect.stringContaining('"bonding"'),
  });
  await expect(air.device({ agent: { confirm: "yes" } as never })).rejects.toMatchObject(asks);
  const device = await air.device({ agent: { displayPasskey: () => {} }, pairing: { ioCapability: IoCapability.DisplayOnly } });
  await expect(device.bonds.save({ identity: Address.from("00:00:00:00:00:01") } as never)).rejects.toMatchObject(asks);
});

test("a bond that comes or goes while a link is in the clear changes at once what its client believes", async () => {
  await using air = new SimulatedAir({ seed: 6 });
  const { central, peripheral } = await air.connectedPair();
  await central.connection.pair();
  await air.advance(1000);
  const { identity } = central.device;
  const bond = (await peripheral.device.bonds.load(identity))!;
  await central.connection.disconnect();
  await central.device.close();
  await air.advance(100);
  await peripheral.device.bonds.delete(identity);
  await peripheral.device.advertise();
  // Somebody else with the address, who never encrypts.
  const other = await air.device({ name: "other", ...withIdentity(identity), pairing: { pairable: false } });
  await other.connect(peripheral.device.identity);
  await air.advance(100);
  const [link] = peripheral.device.links;
  expect(await link!.gatt.read(3)).toBeInstanceOf(Uint8Array);
  await peripheral.device.bonds.save(bond);
  await expect(link!.gatt.read(3, { timeoutMs: 500 })).rejects.toThrow();
  expect(link!.security.encrypted).toBe(false);
  await peripheral.device.bonds.delete(identity);
  expect(await link!.gatt.read(3)).toBeInstanceOf(Uint8Array);
});

/** What a device is opened with that has this identity, with and without a public address. */
function withIdentity(identity: Address): SimulatedDeviceOptions {
  return identity.isRandom ? { staticAddress: identity } : { controller: { address: identity.toHex() } };
}
