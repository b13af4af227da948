import { describe, expect, test } from "vitest";
import { concat, fromHex } from "../src/bytes/hex.ts";
import { Address } from "../src/core/address.ts";
import { SeededRandom } from "../src/core/random.ts";
import { createNonResolvableAddress, createRpa } from "../src/crypto/index.ts";
import { HciErrorCode } from "../src/hci/error.ts";
import { type Bond, type BondDescription, type BondReplacement, IoCapability, type PairingAgent } from "../src/smp/index.ts";
import { changed, type EndOptions, identityKey, type Role, SmpLink, user } from "./smp-link.ts";

const { DisplayOnly, KeyboardOnly, KeyboardDisplay } = IoCapability;
const A = Address.from("00:AA:BB:CC:DD:01/public");
const STATIC = Address.from("E1:22:33:44:55:66/random");
const other = (role: Role): Role => (role === "central" ? "peripheral" : "central");

/** The bond that `victim` has with A, who was its peer in the other role. */
async function bondWithA(victim: Role, more: { victim?: EndOptions; peer?: EndOptions } = {}): Promise<Bond> {
  using link = new SmpLink({ [victim]: more.victim ?? {}, [other(victim)]: { ...more.peer, localAddress: A } });
  await link.central.manager.pair();
  await link.settle();
  return link.end(victim).bond!;
}

/** A link between the victim, which has bonds, and somebody at `address` who says to be `identity`. */
function linkWith(
  victim: Role,
  at: { address: Address; identity?: Address; victim?: EndOptions; stranger?: EndOptions; seed?: number },
): SmpLink {
  const stranger: EndOptions = { ...at.stranger, localAddress: at.address, ...(at.identity && { identity: at.identity }) };
  return new SmpLink({ [victim]: at.victim ?? {}, [other(victim)]: stranger, seed: at.seed ?? 2 });
}

/** What it says of itself, in octets. */
function claiming(link: SmpLink, from: Role, irk: string | undefined, identity: string): void {
  link.fault = (sent) => {
    if (sent.from === from && sent.pdu[0] === 0x08 && irk !== undefined) return [concat(Uint8Array.of(0x08), fromHex(irk))];
    if (sent.from === from && sent.pdu[0] === 0x09) return [concat(Uint8Array.of(0x09), fromHex(identity))];
    return [sent.pdu];
  };
}

/** Says what the answer is told, and what was asked. */
function asked(answer: boolean | "throws"): {
  agent: Partial<PairingAgent>;
  questions: { bond: BondDescription; replacement: BondReplacement }[];
} {
  const questions: { bond: BondDescription; replacement: BondReplacement }[] = [];
  const replaceBond: NonNullable<PairingAgent["replaceBond"]> = async ({ bond, replacement }) => {
    questions.push({ bond, replacement });
    if (answer === "throws") throw new Error("no screen");
    return answer;
  };
  return { agent: { replaceBond }, questions };
}

const roles = ["central", "peripheral"] as const;
const cases = roles.flatMap((victim) => [true, false].map((secureConnections) => [victim, secureConnections] as const));

describe.each(cases)("a stranger claims the identity of a bonded peer (victim %s, Secure Connections %s)", (victim, secureConnections) => {
  const policy = { secureConnections };

  test("with a private address: Key Rejected, and the bond stays", async () => {
    const bond = await bondWithA(victim, { victim: { policy } });
    const address = createRpa(identityKey(other(victim)), new SeededRandom(3));
    const yes = asked(true);
    using link = linkWith(victim, { address, identity: A, victim: { policy, others: [bond], agent: yes.agent } });
    await link.central.manager.pair().catch(() => undefined);
    await link.settle();
    expect(link.end(victim).failures).toMatchObject([{ code: "ERR_PAIRING", reason: 0x0f, side: "local" }]);
    expect(link.end(victim).failures[0]).toMatchObject({ advice: expect.stringContaining(A.toString()) });
    expect(yes.questions).toEqual([]); // as unprotected as before: nothing to ask
    expect(link.end(victim).stored(A)).toBe(bond);
    expect(link.end(victim).bonds).toEqual([]);
    expect(link.end(victim).security.bonded).toBe(false);
    expect(link.sent.filter(({ from }) => from === victim).at(-1)!.pdu).toEqual(Uint8Array.of(0x05, 0x0f));
    // The one who claimed has undone its side as well.
    await link.settle();
    expect(link.end(other(victim)).security.bonded).toBe(false);
    expect(link.clock.pending).toEqual([]);
  });

  test("in octets, with any key: the key has to be the one of the address", async () => {
    const bond = await bondWithA(victim, { victim: { policy } });
    using link = linkWith(victim, { address: Address.from("5A:11:22:33:44:55/random"), victim: { policy, others: [bond] } });
    claiming(link, other(victim), "ab".repeat(16), "0001ddccbbaa00");
    await link.central.manager.pair().catch(() => undefined);
    await link.settle();
    expect(link.end(victim).failures).toMatchObject([{ reason: 0x0f, side: "local" }]);
    expect(link.end(victim).stored(A)).toBe(bond);
  });

  test("with an address that stays: that address is its identity", async () => {
    const bond = await bondWithA(victim, { victim: { policy } });
    using link = linkWith(victim, { address: STATIC, identity: A, victim: { policy, others: [bond] } });
    await link.central.manager.pair();
    await link.settle();
    expect(link.end(victim).bonds.map(({ identity }) => identity.toString())).toEqual([STATIC.toString()]);
    expect(link.end(victim).reports).toMatchObject([{ bonded: true, peerIdentity: STATIC }]);
    expect(link.end(victim).reports[0]!.refused.join()).toContain(`The peer names ${A} as its identity`);
    expect(link.end(victim).bond!.peerIrk).toEqual(identityKey(other(victim)));
    expect(link.end(victim).stored(A)).toBe(bond);
  });

  test.each([true, false, "throws"] as const)("better protected: the user is asked, and answers %s", async (answer) => {
    const bond = changed(await bondWithA(victim, { victim: { policy } }), { name: "meter" });
    const people = user();
    const { agent, questions } = asked(answer);
    const address = createRpa(identityKey(other(victim)), new SeededRandom(3));
    const io = { central: KeyboardOnly, peripheral: DisplayOnly };
    using link = linkWith(victim, {
      address,
      identity: A,
      victim: { policy: { ...policy, ioCapability: io[victim], mitm: true }, others: [bond], agent: { ...people[victim], ...agent } },
      stranger: { policy: { ioCapability: io[other(victim)] }, agent: people[other(victim)] },
    });
    await link.central.manager.pair().catch(() => undefined);
    await link.settle();
    expect(questions).toEqual([
      {
        bond: expect.objectContaining({ identity: A.toString(), name: "meter", authenticated: false, keySize: 16 }),
        replacement: { method: "passkey-entry", authenticated: true, secureConnections, keySize: 16 },
      },
    ]);
    expect(JSON.stringify(questions)).not.toMatch(/[0-9a-f]{32}/);
    if (answer === true) {
      expect(link.end(victim).bond).toMatchObject({ identity: A, authenticated: true, name: "meter" });
      expect(link.end(victim).security).toMatchObject({ bonded: true, authenticated: true });
    } else {
      expect(link.end(victim).failures).toMatchObject([{ reason: 0x0f, side: "local" }]);
      expect(link.end(victim).failures[0]!.cause).toEqual(answer === "throws" ? new Error("no screen") : undefined);
      expect(link.end(victim).stored(A)).toBe(bond);
      expect(link.end(victim).bonds).toEqual([]);
    }
  });

  test("an authenticated bond is not given to a Just Works pairing, whatever the user says", async () => {
    const bond = changed(await bondWithA(victim, { victim: { policy } }), { authenticated: true });
    const yes = asked(true);
    const address = createRpa(identityKey(other(victim)), new SeededRandom(3));
    using link = linkWith(victim, { address, identity: A, victim: { policy, others: [bond], agent: yes.agent } });
    await link.central.manager.pair().catch(() => undefined);
    await link.settle();
    expect(link.end(victim).failures).toMatchObject([{ reason: 0x0f, side: "local" }]);
    expect(yes.questions).toEqual([]);
    expect(link.end(victim).stored(A)).toBe(bond);
  });
});

test("an impostor gets none of our keys before its claim is judged", async () => {
  const bond = await bondWithA("central");
  const address = createRpa(identityKey("peripheral"), new SeededRandom(3));
  using link = linkWith("central", { address, identity: A, victim: { others: [bond] } });
  await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x0f, side: "local" });
  const ours = link.sent.filter(({ from }) => from === "central").map(({ pdu }) => pdu[0]);
  expect(ours).not.toContain(0x08);
  expect(ours).not.toContain(0x0a);
});

describe.each(roles)("an identity that nobody has yet (we are the %s)", (role) => {
  const peer = other(role);
  const pair = async (link: SmpLink): Promise<void> => {
    await link.central.manager.pair().catch(() => undefined);
    await link.settle();
  };

  test("is believed with the key of the private address", async () => {
    using link = linkWith(role, { address: createRpa(identityKey(peer), new SeededRandom(3)), identity: A });
    await pair(link);
    expect(link.end(role).bond).toMatchObject({ identity: A, peerIrk: identityKey(peer) });
  });

  test("with the key of another address is refused", async () => {
    using link = linkWith(role, { address: createRpa(new Uint8Array(16).fill(9), new SeededRandom(3)), identity: A });
    await pair(link);
    expect(link.end(role).failures).toMatchObject([{ reason: 0x0f, side: "local" }]);
    expect(link.end(role).bonds).toEqual([]);
  });

  test("without a key, or with an address that no key was made with, is not proved: for this link only", async () => {
    const rpa = createRpa(identityKey(peer), new SeededRandom(3));
    for (const [address, irk] of [
      [rpa, "00".repeat(16)],
      [createNonResolvableAddress(new SeededRandom(3)), undefined],
    ] as const) {
      using link = linkWith(role, { address, identity: A });
      claiming(link, peer, irk, "0001ddccbbaa00");
      await pair(link);
      expect(link.end(role).failures).toEqual([]);
      expect(link.end(role).bonds).toEqual([]);
      expect(link.end(role).reports).toMatchObject([{ bonded: false, peerIdentity: address }]);
      expect(link.end(role).reports[0]!.refused.join()).toContain("does not prove");
    }
  });

  test.each(["00", "01"])("of zeros (type %s) is none: a private address is not bonded, one that stays is its own", async (type) => {
    const rpa = createRpa(identityKey(peer), new SeededRandom(3));
    for (const [address, irk] of [
      [rpa, "00".repeat(16)],
      [rpa, undefined],
      [STATIC, "00".repeat(16)],
      [STATIC, undefined],
    ] as const) {
      using link = linkWith(role, { address });
      claiming(link, peer, irk, `${type}000000000000`);
      await pair(link);
      expect(link.end(role).failures).toEqual([]);
      const bonds = link.end(role).bonds.map(({ identity, peerIrk }) => [identity.toString(), peerIrk]);
      expect(bonds).toEqual(address === STATIC ? [[STATIC.toString(), undefined]] : []);
      expect(link.end(role).reports[0]!.peerKeys).toEqual(["ltk", "csrk"]);
    }
  });

  test("on an address of zeros there is nobody to keep a bond for", async () => {
    using link = linkWith(role, { address: Address.from("00:00:00:00:00:00/public") });
    claiming(link, peer, undefined, "00000000000000");
    await pair(link);
    expect(link.end(role).bonds).toEqual([]);
  });

  test("with the identity resolving key of another bond is refused", async () => {
    const holder = Address.from("00:00:00:00:00:07");
    const holders: [string, string][] = [];
    const findIrkHolder = (irk: Uint8Array, identity: Address): Address => {
      holders.push([[...irk].join(), identity.toString()]);
      return holder;
    };
    using link = linkWith(role, { address: STATIC, victim: { more: { findIrkHolder } } });
    await pair(link);
    expect(link.end(role).failures).toMatchObject([{ reason: 0x0f, side: "local", advice: expect.stringContaining(holder.toString()) }]);
    expect(holders).toEqual([[[...identityKey(peer)].join(), STATIC.toString()]]);
    expect(link.end(role).bonds).toEqual([]);
  });

  test("other than the one its address resolves to is refused", async () => {
    const bond = await bondWithA(role);
    const address = createRpa(identityKey(peer), new SeededRandom(3));
    using link = linkWith(role, {
      address,
      identity: STATIC,
      victim: { bond, agent: { replaceBond: async () => true }, policy: { allowEqualReplacement: true } },
    });
    await pair(link);
    expect(link.end(role).failures).toMatchObject([{ reason: 0x0f, side: "local", advice: expect.stringContaining("delete the bond") }]);
    expect(link.end(role).bonds).toEqual([]);
  });

  test("that cannot be looked up fails the pairing, on this side", async () => {
    const findBond = (): never => {
      throw new Error("disk gone");
    };
    using link = linkWith(role, { address: STATIC, victim: { more: { findBond } } });
    await pair(link);
    expect(link.end(role).failures).toMatchObject([{ reason: 0x08, side: "local", cause: { message: "disk gone" } }]);
    expect(link.end(role).bonds).toEqual([]);
  });
});

describe.each(cases)("pairing again with a bonded peer (we are the %s, Secure Connections %s)", (role, secureConnections) => {
  const policy = { secureConnections };
  const bond = (): Promise<Bond> => bondWithA(role, { victim: { policy } });
  const replaced = (link: SmpLink): boolean => link.end(role).bonds.length > 0;

  test("on a link that has not proved the bond, begun by the peer: refused before anything is exchanged, unasked", async () => {
    const yes = asked(true);
    using link = linkWith(role, { address: A, victim: { policy, bond: await bond(), agent: yes.agent } });
    if (role === "peripheral") {
      link.deliver("peripheral", fromHex("01030001100707"));
      await link.settle();
      expect(link.codes()).toBe("<05");
    } else {
      // The peer has lost its keys: the central's key is refused first.
      await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_BOND_LOST" });
      link.deliver("central", fromHex("0b01"));
      await link.settle();
      expect(link.codes()).toBe(">05");
    }
    expect(link.end(role).failures.at(-1)).toMatchObject({
      code: "ERR_PAIRING",
      side: "local",
      advice: expect.stringContaining("delete its bond"),
    });
    expect([yes.questions, replaced(link)]).toEqual([[], false]);
  });

  test("the user's own wish asks, and the answer counts", async () => {
    for (const answer of [true, false]) {
      const { agent, questions } = asked(answer);
      using link = linkWith(role, { address: A, victim: { policy, bond: await bond(), agent } });
      const pairing = link.end(role).manager.pair();
      if (answer) expect(await pairing).toMatchObject({ bonded: true });
      else await expect(pairing).rejects.toMatchObject({ reason: 0x08, side: "local", advice: expect.stringContaining("delete its bond") });
      await link.settle();
      expect(questions).toHaveLength(1);
      expect(replaced(link)).toBe(answer);
    }
  });

  test("the default agent refuses", async () => {
    using link = linkWith(role, { address: A, victim: { policy, bond: await bond() } });
    await expect(link.end(role).manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "local" });
    expect(replaced(link)).toBe(false);
  });

  test("on the link that proved the bond is nobody's business", async () => {
    const kept = await bond();
    const both = { central: {}, peripheral: {}, [role]: { policy, bond: kept } };
    const mirrored = changed(kept, {
      identity: Address.from(role === "central" ? "00:23:F7:01:02:03" : "C0:11:22:33:44:55/random"),
      localLtk: kept.peerLtk,
      peerLtk: kept.localLtk,
    });
    using link = linkWith(role, { address: A, victim: both[role], stranger: { bond: mirrored } });
    await link.central.manager.encrypt();
    await link.settle(50);
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    expect(replaced(link)).toBe(true);
    expect(link.end(role).security.bonded).toBe(true);
  });

  test("after the bond was deleted is a first pairing", async () => {
    using link = linkWith(role, { address: A, victim: { policy, bond: await bond() } });
    link.end(role).forget();
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    expect(replaced(link)).toBe(true);
  });

  test("without keeping a bond is refused too: the link would pass for the bonded peer's", async () => {
    const yes = asked(true);
    using link = linkWith(role, { address: A, victim: { policy, bond: await bond(), agent: yes.agent } });
    await expect(link.end(role).manager.pair({ policy: { bonding: false } })).rejects.toMatchObject({ code: "ERR_PAIRING", side: "local" });
    expect(yes.questions).toEqual([]);
  });

  test("better protected, begun by the peer: asked", async () => {
    const people = user();
    const { agent, questions } = asked(true);
    const io = { central: KeyboardOnly, peripheral: DisplayOnly };
    using link = linkWith(role, {
      address: A,
      victim: { policy: { ...policy, ioCapability: io[role], mitm: true }, bond: await bond(), agent: { ...people[role], ...agent } },
      stranger: { policy: { ioCapability: io[other(role)], mitm: true }, agent: people[other(role)] },
    });
    await link.end(other(role)).manager.pair();
    await link.settle();
    expect(questions).toHaveLength(1);
    expect(link.end(role).bond).toMatchObject({ identity: A, authenticated: true });
  });
});

test("a policy can let the user be asked about an equal pairing that the peer begins, and never about a worse one", async () => {
  const bond = await bondWithA("peripheral");
  const { agent, questions } = asked(true);
  using link = linkWith("peripheral", { address: A, victim: { bond, agent, policy: { allowEqualReplacement: true } } });
  await link.central.manager.pair();
  await link.settle();
  expect([questions.length, link.peripheral.bonds.length]).toEqual([1, 1]);
  using worse = linkWith("peripheral", {
    address: A,
    victim: { bond: changed(bond, { authenticated: true }), agent, policy: { allowEqualReplacement: true } },
  });
  await expect(worse.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "peer" });
  expect(questions).toHaveLength(1);
});

test("a pairing that distributes no key does not replace a bond that has one, not even on the link that proved it", async () => {
  const policy = { secureConnections: false };
  const bond = await bondWithA("peripheral", { victim: { policy } });
  const central = changed(bond, { identity: Address.from("C0:11:22:33:44:55/random"), localLtk: bond.peerLtk, peerLtk: bond.localLtk });
  for (const request of ["01030001100000", "01030001100200", "01030001100001", "01030001100100"]) {
    using link = linkWith("peripheral", {
      address: A,
      victim: { policy, bond, agent: { replaceBond: async () => true } },
      stranger: { bond: central },
    });
    await link.central.manager.encrypt();
    await link.settle(50);
    link.deliver("peripheral", fromHex(request));
    await link.settle();
    expect([...link.sent.at(-1)!.pdu]).toEqual([0x05, 0x03]);
    expect(link.peripheral.bonds).toEqual([]);
    expect(link.peripheral.manager.bond).toBe(bond);
  }
  // Where the bond has one key of the two, that one is enough.
  using link = linkWith("peripheral", {
    address: A,
    victim: { policy, bond: changed(bond, { peerLtk: undefined }) },
    stranger: { bond: central },
  });
  await link.central.manager.encrypt();
  await link.settle(50);
  link.deliver("peripheral", fromHex("01030001100001"));
  await link.settle(5);
  expect(link.sent.at(-1)!.pdu[0]).toBe(0x02);
});

test("what the peer configured and the key it gave stay with the proved peer, and go with a replaced one", async () => {
  const bond = changed(await bondWithA("peripheral"), { cccd: { 3: 1 }, cccdOf: { 3: "x" }, databaseHash: "aa", name: "watch" });
  const central = changed(bond, { identity: Address.from("C0:11:22:33:44:55/random") });
  for (const isProved of [true, false]) {
    using link = linkWith("peripheral", {
      address: A,
      victim: { bond, agent: { replaceBond: async () => true }, policy: { allowEqualReplacement: true, peerKeys: 0 } },
      stranger: { bond: central, agent: { replaceBond: async () => true } },
    });
    if (isProved) await link.central.manager.encrypt();
    await link.settle(50);
    await link.central.manager.pair();
    await link.settle();
    const kept = { cccd: { 3: 1 }, cccdOf: { 3: "x" }, databaseHash: "aa", peerIrk: bond.peerIrk };
    const none = { cccd: undefined, cccdOf: undefined, databaseHash: undefined, peerIrk: undefined };
    const { cccd, cccdOf, databaseHash, peerIrk, name } = link.peripheral.bond!;
    expect({ cccd, cccdOf, databaseHash, peerIrk, name }).toEqual({ ...(isProved ? kept : none), name: "watch" });
  }
});

describe("a pairing begun because protection was missing never ends without it", () => {
  const agent: Partial<PairingAgent> = { replaceBond: async () => true };

  test("central with a display and a Just Works bond that the peer has lost", async () => {
    const bond = await bondWithA("central");
    using link = linkWith("central", { address: A, victim: { bond, agent, policy: { ioCapability: KeyboardDisplay } } });
    await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_BOND_LOST", side: "peer" });
    link.deliver("central", fromHex("0b05"));
    await link.settle();
    expect(link.codes()).toBe(">01 <02 >05");
    expect(link.sent[0]!.pdu[3]! & 0x04).toBe(0x04);
    expect([...link.sent[2]!.pdu]).toEqual([0x05, 0x03]);
    expect(link.central.bonds).toEqual([]);
    expect(link.central.security.encrypted).toBe(false);
  });

  test("on an encrypted link, in both roles", async () => {
    for (const role of roles) {
      using link = new SmpLink({ [role]: { policy: { ioCapability: KeyboardDisplay } } });
      await link.central.manager.pair();
      await link.settle();
      const before = link.end(role).bond;
      if (role === "central") link.deliver("central", fromHex("0b05"));
      else {
        const pairing = link.peripheral.manager.pair({ policy: { mitm: true } });
        link.central.manager.pair().catch(() => undefined);
        await expect(pairing).rejects.toMatchObject({ reason: 0x03, side: "local" });
      }
      await link.settle();
      expect(link.end(role).failures).toMatchObject([{ reason: 0x03, side: "local" }]);
      expect(link.end(role).bond).toBe(before);
    }
  });

  test("the bond is proved first, so that nobody has to be asked; where more is impossible the link keeps what the bond gives", async () => {
    using first = new SmpLink();
    await first.central.manager.pair();
    await first.settle();
    for (const pairable of [true, false]) {
      using link = new SmpLink({
        central: { bond: first.central.bond, policy: { ioCapability: KeyboardDisplay, pairable } },
        peripheral: { bond: first.peripheral.bond },
        seed: 2,
      });
      link.deliver("central", fromHex("0b05"));
      await link.settle();
      expect(link.codes()).toBe(pairable ? ">01 <02 >05" : ">05");
      expect(link.sent.every(({ encrypted }) => encrypted)).toBe(true);
      expect(link.central.security).toMatchObject({ encrypted: true, bonded: true, authenticated: false });
      expect(link.central.bonds).toEqual([]);
    }
  });

  test("that this side could not give in a new pairing either is not missed", async () => {
    using link = new SmpLink({ central: { policy: { mitm: true } } });
    await link.central.manager.pair();
    await link.settle();
    const count = link.sent.length;
    link.deliver("central", fromHex("0b05"));
    await link.settle();
    expect(link.sent).toHaveLength(count);
    expect(await link.central.manager.pair()).toMatchObject({ method: "just-works" });
  });

  test("where it is possible it is had", async () => {
    const people = user();
    const bond = await bondWithA("central");
    using link = linkWith("central", {
      address: A,
      victim: { bond, agent: { ...people.central, ...agent }, policy: { ioCapability: KeyboardDisplay } },
      stranger: { policy: { ioCapability: DisplayOnly }, agent: people.peripheral },
    });
    await link.central.manager.encrypt().catch(() => undefined);
    link.deliver("central", fromHex("0b05"));
    await link.settle();
    expect(link.central.bond).toMatchObject({ authenticated: true });
  });
});

describe("a bond that was made under another identity of ours", () => {
  test("says so when the peer does not know its key", async () => {
    const bond = await bondWithA("central");
    expect(bond.localIdentity?.toString()).toBe("00:23:F7:01:02:03/public");
    for (const identity of [STATIC, undefined]) {
      using link = linkWith("central", { address: A, victim: { bond, ...(identity && { identity }) } });
      const error: unknown = await link.central.manager.encrypt().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "ERR_BOND_LOST", side: "peer", otherIdentity: identity && bond.localIdentity });
      expect((error as Error).message.includes("another identity of ours")).toBe(identity !== undefined);
    }
  });

  test("which is the address on the link where none was told", async () => {
    using link = new SmpLink({ central: { policy: { localKeys: 0 } } });
    await link.central.manager.pair();
    await link.settle();
    expect(link.central.bond).toMatchObject({ localIrkDistributed: false, localIdentity: Address.from("00:23:F7:01:02:03") });
    using unknown = new SmpLink({
      central: { policy: { localKeys: 0 }, localAddress: createRpa(identityKey("central"), new SeededRandom(3)) },
    });
    await unknown.central.manager.pair();
    expect(unknown.central.bond!.localIdentity).toBeUndefined();
  });

  test("any other fault of the controller is what it is", async () => {
    const bond = await bondWithA("central");
    using link = linkWith("central", { address: A, victim: { bond } });
    const encrypting = link.central.manager.encrypt();
    link.central.manager.onEncryptionChange(HciErrorCode.ConnectionTimeout, false);
    await expect(encrypting).rejects.toMatchObject({ code: "ERR_HCI", status: HciErrorCode.ConnectionTimeout });
  });
});
