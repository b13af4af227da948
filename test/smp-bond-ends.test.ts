// What becomes of bonds where their store is slow, their peer changes its mind, and their user deletes them meanwhile.
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/virtual-clock.ts";
import { fromHex, toHex } from "../src/bytes/hex.ts";
import { Address } from "../src/core/address.ts";
import { SeededRandom } from "../src/core/random.ts";
import { createRpa } from "../src/crypto/index.ts";
import { HciErrorCode } from "../src/hci/error.ts";
import { type Bond, type BondStore, MemoryBondStore } from "../src/index.ts";
import { IoCapability, isSameBond, type PairingPolicy } from "../src/smp/index.ts";
import { SimulatedAir } from "../src/testing/simulated-air.ts";
import { changed, identityKey, type Role, SmpLink, user } from "./smp-link.ts";

/** A store whose writes wait, while it is slow, until it is told how they end. */
class SlowStore extends MemoryBondStore implements BondStore {
  isSlow = false;
  readonly #waiting: ((isFull: boolean) => void)[] = [];
  override async save(bond: Bond): Promise<void> {
    await this.#turn();
    await super.save(bond);
  }
  override async delete(identity: Bond["identity"]): Promise<void> {
    await this.#turn();
    await super.delete(identity);
  }
  async #turn(): Promise<void> {
    const isFull = this.isSlow && (await new Promise<boolean>((resolve) => this.#waiting.push(resolve)));
    if (isFull) throw new Error("disk full");
  }
  /** What waits ends so, and what comes later is quick. */
  end(isFull: boolean): void {
    this.isSlow = false;
    for (const settle of this.#waiting.splice(0)) settle(isFull);
  }
}

const OWN = Address.from("00:23:F7:01:02:03/public");
const roles: Role[] = ["central", "peripheral"];

describe("keys that the peer refuses", () => {
  test.each(roles)("while the store is slow, before it hangs up: the bond goes all the same (%s)", async (role) => {
    let stored: (() => void) | undefined;
    const undone: [Bond, Bond | undefined][] = [];
    using link = new SmpLink({
      [role]: {
        more: {
          onBond: () => new Promise<void>((resolve) => (stored = resolve)),
          onBondRefused: (bond: Bond, replaced: Bond | undefined) => void undone.push([bond, replaced]),
        },
      },
    });
    const outcome = link
      .end(role)
      .manager.pair()
      .catch((error: unknown) => error);
    await link.settle();
    link.deliver(role, fromHex("050f"));
    link.disconnect();
    expect(await outcome).toMatchObject({ code: "ERR_DISCONNECTED" });
    stored!();
    await link.settle();
    expect(undone).toMatchObject([[{ secureConnections: true }, undefined]]);
  });

  test.each([true, false])("after the user has deleted the bond: the one before does not come back (slow delete: %s)", async (isSlow) => {
    await using air = new SimulatedAir({ seed: 11 });
    const [bonds, peerBonds] = [new SlowStore(), new SlowStore()];
    const { central, peripheral } = await air.connectedPair({ central: { bonds }, peripheral: { bonds: peerBonds } });
    await central.connection.pair();
    await air.advance(31_000);
    peerBonds.isSlow = true;
    await central.connection.pair();
    const failures: string[] = [];
    central.connection.on("securityFailure", ({ message }) => failures.push(message));
    await air.advance(1000); // the last keys arrive
    bonds.isSlow = isSlow;
    const deleted = central.device.bonds.delete(peripheral.device.identity);
    if (!isSlow) await deleted;
    peerBonds.end(true); // the peer says Key Rejected
    await air.advance(1000);
    bonds.end(false);
    await deleted;
    await air.advance(1000);
    expect(failures).toMatchObject([expect.stringContaining("Key Rejected")]);
    expect([bonds.size, await central.device.bonds.load(peripheral.device.identity)]).toEqual([0, undefined]);
    expect([central.connection.bonded, central.connection.security.bonded]).toEqual([false, false]);
    await expect(central.connection.encrypt()).resolves.toBeUndefined(); // the link is encrypted; there is no bond to do it again with
    await central.connection.disconnect();
    await air.advance(1000);
    expect(bonds.size).toBe(0);
  });
});

describe("a bond that is deleted while the store is slow", () => {
  test("and before its turn came is none: pair() says so", async () => {
    await using air = new SimulatedAir({ seed: 12 });
    const bonds = new SlowStore();
    const { central, peripheral } = await air.connectedPair({ central: { bonds } });
    await central.connection.pair();
    const { identity } = peripheral.device;
    const bond = (await central.device.bonds.load(identity))!;
    await central.device.bonds.delete(identity);
    bonds.isSlow = true;
    // Another write is under way, so that the pairing's has to wait.
    const { peerIrk: _, ...keys } = bond;
    const other = central.device.bonds.save({ ...keys, identity: central.device.identity });
    const outcome = central.connection.pair().catch((error: unknown) => error);
    await air.advance(2000);
    const deleted = central.device.bonds.delete(identity);
    bonds.end(false);
    await Promise.all([other, deleted]);
    expect(await outcome).toMatchObject({ code: "ERR_STATE" });
    await air.advance(1000);
    expect([central.connection.bonded, central.connection.security.bonded]).toEqual([false, false]);
    expect(await central.device.bonds.load(identity)).toBeUndefined();
  });
});

describe("a store that never answers", () => {
  test.each([false, true])(
    "holds nobody up: pair() says so after 30 s, and what it stores later is taken back (it answers: %s)",
    async (isLate) => {
      await using air = new SimulatedAir({ seed: 16 });
      const bonds = new SlowStore();
      const { central, peripheral } = await air.connectedPair({ central: { bonds } });
      bonds.isSlow = true;
      const outcome = central.connection.pair().catch((error: unknown) => error);
      await air.advance(40_000);
      expect(await outcome).toMatchObject({ code: "ERR_STATE", cause: { code: "ERR_TIMEOUT" } });
      expect([central.connection.bonded, central.connection.security.bonded]).toEqual([false, false]);
      if (!isLate) return;
      bonds.end(false);
      await air.advance(1000);
      expect([bonds.size, await central.device.bonds.load(peripheral.device.identity)]).toEqual([0, undefined]);
      expect(central.connection.bonded).toBe(false);
    },
  );
});

describe("the removal of a bond that the peer refused while it was stored", () => {
  /** The peer has refused the keys, and the store has taken the bond all the same. `remove` is how the store removes it. */
  async function removing(role: Role, remove: () => Promise<void>): Promise<{ link: SmpLink; outcome: Promise<unknown> }> {
    let stored: (() => void) | undefined;
    const onBond = (): Promise<void> => new Promise((resolve) => (stored ??= resolve));
    const link = new SmpLink({ clock: new VirtualClock({ auto: false }), [role]: { more: { onBond, onBondRefused: remove } } });
    const { manager } = link.end(role);
    const outcome = manager.pair().catch((error: unknown) => error);
    await link.settle();
    link.deliver(role, fromHex("050f"));
    stored!();
    await link.settle();
    return { link, outcome };
  }

  test("is awaited before another pairing begins, which its end would end without a word", async () => {
    let removed: (() => void) | undefined;
    const { link, outcome } = await removing("peripheral", () => new Promise((resolve) => (removed = resolve)));
    const before = link.sent.length;
    link.deliver("peripheral", fromHex("0103000d100707")); // the central pairs once more
    await link.settle();
    expect(link.sent.slice(before).map(({ from, pdu }) => [from, toHex(pdu)])).toEqual([["peripheral", "0508"]]); // refused, and told so
    removed!();
    await link.settle();
    expect(await outcome).toMatchObject({ code: "ERR_PAIRING", side: "peer" });
    expect(link.peripheral.manager.isPairing).toBe(false);
  });

  test.each(roles)("is waited for no longer than 30 s (%s)", async (role) => {
    const { link, outcome } = await removing(role, () => new Promise(() => {}));
    await link.settle(31_000);
    expect(link.end(role).manager.isPairing).toBe(false);
    link.disconnect();
    expect(await outcome).toMatchObject({ code: "ERR_STATE", cause: { code: "ERR_TIMEOUT" } });
  });
});

test("a bond that is stored too late and cannot be removed is told", async () => {
  let stored: (() => void) | undefined;
  const onBond = (): Promise<void> => new Promise((resolve) => (stored = resolve));
  const onBondRefused = (): Promise<void> => Promise.reject(new Error("disk full"));
  const link = new SmpLink({ clock: new VirtualClock({ auto: false }), central: { more: { onBond, onBondRefused } } });
  const { manager, failures } = link.central;
  const outcome = manager.pair().catch((error: unknown) => error);
  await link.settle(40_000);
  expect(await outcome).toMatchObject({ code: "ERR_STATE", cause: { code: "ERR_TIMEOUT" } });
  const before = failures.length;
  stored!();
  await link.settle();
  expect(failures.slice(before)).toMatchObject([{ code: "ERR_STATE", cause: { message: "disk full" } }]);
});

test("a store that never says what was there before the new bond holds nobody up", async () => {
  using made = new SmpLink();
  await made.central.manager.pair();
  await made.settle();
  let isHanging = false;
  const bond = made.central.bond!;
  const clock = new VirtualClock({ auto: false });
  using link = new SmpLink({
    clock,
    central: { bond, more: { findBond: () => (isHanging ? new Promise<Bond>(() => {}) : bond) } },
    peripheral: { bond: made.peripheral.bond },
    seed: 2,
  });
  void link.central.manager.encrypt();
  await link.settle();
  const outcome = link.central.manager.pair().catch((error: unknown) => error);
  link.fault = ({ from, pdu }) => {
    if (from === "central" && pdu[0] === 0x08) isHanging = true; // the last keys: what follows is storing
    return [pdu];
  };
  await link.settle(70_000);
  expect([isHanging, link.central.manager.isPairing]).toEqual([true, false]);
  link.disconnect();
  expect(await outcome).toMatchObject({ code: "ERR_STATE", cause: { code: "ERR_TIMEOUT" } });
});

describe("a bond that changes between the key and the news that it is in use", () => {
  test.each([true, false])("gives the link nothing of the new one (replaced: %s)", async (isReplaced) => {
    using made = new SmpLink();
    await made.central.manager.pair();
    await made.settle();
    using link = new SmpLink({ central: { bond: made.central.bond }, peripheral: { bond: made.peripheral.bond }, seed: 2 });
    const { manager } = link.peripheral;
    const outcome = manager.pair({ timeoutMs: 5000 }).catch((error: unknown) => error);
    const bond = made.peripheral.bond!;
    expect(manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeDefined();
    manager.bond = isReplaced ? changed(bond, { localLtk: { ...bond.localLtk!, key: new Uint8Array(16).fill(1) } }) : undefined;
    manager.onEncryptionChange(0, true);
    expect(link.peripheral.security).toMatchObject({ encrypted: true, bonded: false });
    link.central.manager.close();
    await link.settle(5000);
    expect(await outcome).toMatchObject({ code: "ERR_TIMEOUT" }); // not taken for a proof of the bond that is there now
  });
});

test("a link is not its bond's any more when another bond took its place", async () => {
  await using air = new SimulatedAir({ seed: 13 });
  const { central, peripheral } = await air.connectedPair();
  await central.connection.pair();
  await air.advance(1000);
  const { bonds, identity } = central.device;
  const bond = (await bonds.load(peripheral.device.identity))!;
  expect(central.connection.gattPeer.bonded).toBe(true);
  const key = new Uint8Array(16).fill(7);
  await bonds.save(changed(bond, { localLtk: { ...bond.localLtk!, key }, peerLtk: { ...bond.peerLtk!, key } }));
  expect([central.connection.bonded, central.connection.gattPeer.bonded, central.connection.security.bonded]).toEqual([
    false,
    false,
    false,
  ]);
  central.connection.gattPeer.onCccdChanged?.(3, 1);
  await air.advance(100);
  expect((await bonds.load(peripheral.device.identity))!.cccd).toEqual(bond.cccd);
  expect((await peripheral.device.bonds.load(identity))!.identity.equals(identity)).toBe(true);
});

test("what was given before stays known to the proved peer, though a later pairing does not give it again", async () => {
  using link = new SmpLink();
  await link.central.manager.pair();
  await link.settle();
  const { localIdentity } = link.central.bond!;
  await link.central.manager.pair({ policy: { localKeys: 0, peerKeys: 0 } });
  await link.settle();
  expect(link.central.bonds).toHaveLength(2);
  expect(link.central.bond).toMatchObject({ localIrkDistributed: true, localIdentity, peerIrk: link.central.bonds[0]!.peerIrk });
  const [rpa, next] = [3, 4].map((seed) => createRpa(identityKey("central"), new SeededRandom(seed)));
  using hidden = new SmpLink({ central: { localAddress: rpa!, identity: OWN } });
  await hidden.central.manager.pair();
  await hidden.settle();
  using again = new SmpLink({
    central: { localAddress: next!, identity: OWN, bond: hidden.central.bond },
    peripheral: { bond: hidden.peripheral.bond },
    seed: 2,
  });
  await again.central.manager.encrypt();
  await again.central.manager.pair({ policy: { localKeys: 0 } });
  await again.settle();
  expect(again.central.bond).toMatchObject({ localIrkDistributed: true, localIdentity: OWN });
});

test.each(["peripheral", "central"] as const)(
  "a peer on our own identity address is paired for this link only (victim %s)",
  async (victim) => {
    const stranger = victim === "central" ? "peripheral" : "central";
    for (const peerKeys of [0, 7]) {
      using link = new SmpLink({
        [victim]: { identity: OWN, localAddress: createRpa(identityKey(victim), new SeededRandom(3)), policy: { peerKeys } },
        [stranger]: { localAddress: OWN, identity: Address.from("C0:11:22:33:44:77/random") },
      });
      expect(await link.central.manager.pair()).toBeDefined();
      await link.settle();
      expect(link.end(victim).reports).toMatchObject([{ bonded: false }]);
      expect(link.end(victim).bonds).toEqual([]);
    }
  },
);

test("a peer that says it cannot encrypt has lost the bond", async () => {
  using made = new SmpLink();
  await made.central.manager.pair();
  await made.settle();
  using link = new SmpLink({ central: { bond: made.central.bond }, seed: 2 });
  const encrypting = link.central.manager.encrypt();
  link.central.manager.onEncryptionChange(HciErrorCode.UnsupportedRemoteFeature, false);
  await expect(encrypting).rejects.toMatchObject({ code: "ERR_BOND_LOST", side: "peer", cause: { code: "ERR_HCI" } });
});

test("a question about a bond that nobody answers is answered with no, and the bond stays", async () => {
  await using air = new SimulatedAir({ seed: 14 });
  const asked: string[] = [];
  const agent = { replaceBond: ({ bond }: { bond: { identity: string } }) => new Promise<boolean>(() => void asked.push(bond.identity)) };
  const { central, peripheral } = await air.connectedPair({ central: { agent } });
  await central.connection.pair();
  await air.advance(1000);
  const { identity } = peripheral.device;
  const bond = await central.device.bonds.load(identity);
  await central.connection.disconnect();
  await air.advance(1000);
  await peripheral.device.bonds.delete(central.device.identity);
  await peripheral.device.advertise();
  const again = await central.device.connect(identity, { policy: { dangerouslyTrustUnencryptedPeer: true } });
  const fromMs = air.nowMs;
  await expect(again.pair()).rejects.toMatchObject({
    code: "ERR_PAIRING",
    side: "local",
    advice: expect.stringContaining("delete its bond"),
  });
  expect(air.nowMs - fromMs).toBeGreaterThan(27_000);
  expect(asked).toEqual([identity.toString()]);
  expect(await central.device.bonds.load(identity)).toBe(bond);
  expect(await peripheral.device.bonds.load(central.device.identity)).toBeUndefined();
});

test("with as many bonds as allowed a new peer is paired with by nobody, and the known one may pair anew", async () => {
  await using air = new SimulatedAir({ seed: 15 });
  const { central, peripheral } = await air.connectedPair({ peripheral: { maxBonds: 1 } });
  await central.connection.pair();
  await air.advance(1000);
  await peripheral.device.advertise();
  const stranger = await air.device({ name: "stranger" });
  const link = await stranger.connect(peripheral.device.identity);
  await link.pair().catch(() => undefined);
  await air.advance(1000);
  expect([link.bonded, link.security.bonded]).toEqual([false, false]);
  expect(await peripheral.device.bonds.load(stranger.identity)).toBeUndefined();
  expect(await stranger.bonds.load(peripheral.device.identity)).toBeUndefined();
  const bond = await peripheral.device.bonds.load(central.device.identity);
  expect(await central.connection.pair()).toMatchObject({ bonded: true });
  await air.advance(1000);
  expect(await peripheral.device.bonds.load(central.device.identity)).not.toBe(bond);
  expect(peripheral.connection.security.bonded).toBe(true);
});

test("a central that answers a peripheral's demand for its bond by pairing anew is told nothing, and its bond stays", async () => {
  await using air = new SimulatedAir({ seed: 16 });
  const { central, peripheral } = await air.connectedPair();
  await central.connection.pair();
  await air.advance(1000);
  const { identity } = central.device;
  const bond = await peripheral.device.bonds.load(identity);
  await central.connection.disconnect();
  await central.device.close();
  await peripheral.device.advertise();
  const impostor = await air.device({ name: "impostor", controller: { address: identity.toHex() } });
  const failures: unknown[] = [];
  let read: Promise<unknown> | undefined;
  peripheral.device.onConnection((connection) => {
    connection.on("securityFailure", (error) => failures.push(error));
    read = connection.gatt.read(3).catch((error: unknown) => error);
  });
  await impostor.connect(peripheral.device.identity);
  await air.advance(2000);
  expect(await read).toMatchObject({ code: "ERR_PAIRING", side: "local" });
  expect(failures).toMatchObject([{ code: "ERR_PAIRING" }]);
  const [link] = peripheral.device.links;
  expect([link!.security.encrypted, link!.security.bonded]).toEqual([false, false]);
  expect(await peripheral.device.bonds.load(identity)).toBe(bond);
  expect(air.trace().filter(({ name, at }) => at === "peripheral" && name === "AttReadReq")).toEqual([]);
});

describe.each([true, false])("a link that is lost between the keys (Secure Connections %s)", (secureConnections) => {
  test.each(roles)("leaves the bond as it was, or the new one whole (%s)", async (role) => {
    const policy = { secureConnections };
    using made = new SmpLink({ central: { policy }, peripheral: { policy } });
    await made.central.manager.pair();
    await made.settle();
    const whole = Object.keys(made.end(role).bond!).sort();
    const kept: number[] = [];
    const firstKey = made.sent.findIndex(({ pdu }) => pdu[0]! >= 0x06 && pdu[0]! <= 0x0a);
    for (let last = firstKey; last < made.sent.length; last++) {
      using link = new SmpLink({
        central: { bond: made.central.bond, policy },
        peripheral: { bond: made.peripheral.bond, policy },
        seed: 2,
      });
      await link.central.manager.encrypt();
      link.fault = ({ index, pdu }) => {
        if (index < last) return [pdu];
        link.disconnect();
        return [];
      };
      await link.central.manager.pair().catch(() => undefined);
      await link.settle();
      const { bonds } = link.end(role);
      kept.push(bonds.length);
      for (const bond of bonds) expect(Object.keys(bond).sort()).toEqual(whole);
    }
    expect(kept.slice(0, -1).every((count) => count === 0) && kept.every((count) => count <= 1)).toBe(true);
  });
});

describe("the link that proved its bond", () => {
  test.each<[string, Partial<PairingPolicy>]>([
    ["a shorter key", { minKeySize: 7, maxKeySize: 15 }],
    ["legacy pairing", { secureConnections: false }],
    ["Just Works", { mitm: false }],
  ])("may not replace it by %s either, whoever asks, unless the policy says so", async (_what, weaker) => {
    const people = user();
    const [strong, peer]: Partial<PairingPolicy>[] = [
      { ioCapability: IoCapability.KeyboardOnly, mitm: true, minKeySize: 7 },
      { ioCapability: IoCapability.DisplayOnly, minKeySize: 7 },
    ];
    for (const victim of roles) {
      using link = new SmpLink({
        central: { policy: strong!, agent: people.central },
        peripheral: { policy: peer!, agent: people.peripheral },
      });
      const { manager } = link.end(victim);
      await link.central.manager.pair();
      await link.settle();
      const bond = manager.bond!;
      const refused = { code: "ERR_PAIRING", reason: 0x03, advice: expect.stringContaining("delete its bond") };
      // The other side would let it pass.
      link.central.manager.policy = { ...strong, ...weaker, allowDowngrade: victim !== "central" };
      link.peripheral.manager.policy = { ...peer, allowDowngrade: victim !== "peripheral" };
      await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x03 });
      await link.settle();
      expect(link.end(victim).failures).toMatchObject([refused]);
      expect(manager.bond).toBe(bond);
      expect(link.end(victim).security).toMatchObject({ bonded: true, keySize: 16, authenticated: true, secureConnections: true });
      manager.policy = { ...manager.policy, allowDowngrade: true };
      expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
      await link.settle();
      expect(isSameBond(manager.bond, bond)).toBe(false);
    }
  });
});

test("a central that encrypts with the key of a pairing that failed here is not told to have lost a bond", async () => {
  const isFailed = { confirm: async () => false };
  for (const [agent, failures] of [
    [isFailed, ["ERR_PAIRING"]],
    [undefined, ["ERR_BOND_LOST"]],
  ] as const) {
    using link = new SmpLink({ ...(agent && { peripheral: { agent } }) });
    if (agent) await link.central.manager.pair().catch(() => undefined);
    expect(link.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeUndefined();
    expect(link.peripheral.failures.map(({ code }) => code)).toEqual(failures);
    // Any other key is one of a bond.
    expect(link.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 1)).toBeUndefined();
    expect(link.peripheral.failures.at(-1)?.code).toBe("ERR_BOND_LOST");
  }
});
