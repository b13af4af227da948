import { describe, expect, test } from "vitest";
import { Address } from "../src/core/address.ts";
import { SeededRandom } from "../src/core/random.ts";
import { createRpa } from "../src/crypto/index.ts";
import type { Connection, Device } from "../src/device/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import { type Bond, IoCapability, type PairingAgent } from "../src/smp/index.ts";
import { SimulatedAir, type SimulatedDeviceOptions } from "../src/testing/index.ts";
import { changed, identityKey, type Role, SmpLink, user } from "./smp-link.ts";

// Somebody claims the identity of a device that is connected by another link.

const A = Address.from("00:AA:BB:CC:DD:01/public");
const STATIC = Address.from("E1:22:33:44:55:66/random");
const roles = ["central", "peripheral"] as const;
const other = (role: Role): Role => (role === "central" ? "peripheral" : "central");
const rpa = (role: Role): Address => createRpa(identityKey(role), new SeededRandom(3));

/** A link on which the other side claims to be A from a private address made with its own key; A is on another link while `at.isThere`. */
function claimOn(
  victim: Role,
  at: { isThere: boolean },
  more: { bond?: Bond; address?: Address; agent?: Partial<PairingAgent> } = {},
): SmpLink {
  const { bond, address = rpa(other(victim)), agent } = more;
  const isOnAnotherLink = (identity: Address): boolean => at.isThere && identity.equals(A);
  return new SmpLink({
    [victim]: { ...(bond && { bond }), ...(agent && { agent }), more: { isOnAnotherLink } },
    [other(victim)]: { localAddress: address, identity: A },
    seed: 2,
  });
}

async function settled(link: SmpLink): Promise<void> {
  await link.central.manager.pair().catch(() => undefined);
  await link.settle();
}

describe.each(roles)("the identity of a device on another link (we are the %s)", (victim) => {
  const refused = { code: "ERR_PAIRING", reason: 0x0f, side: "local", advice: expect.stringContaining("disconnect the other link") };

  test("is not believed: Key Rejected, before anything is stored", async () => {
    using link = claimOn(victim, { isThere: true });
    await settled(link);
    expect(link.end(victim).failures).toMatchObject([refused]);
    expect(link.end(victim).failures[0]!.message).toContain(A.toString());
    expect(link.sent.filter(({ from }) => from === victim).at(-1)!.pdu).toEqual(Uint8Array.of(0x05, 0x0f));
    expect([link.end(victim).bonds, link.end(victim).security.bonded]).toEqual([[], false]);
    expect(link.end(other(victim)).security.bonded).toBe(false);
    expect(link.clock.pending).toEqual([]);
  });

  test("is believed where no other link has it", async () => {
    using link = claimOn(victim, { isThere: false });
    await settled(link);
    expect(link.end(victim).failures).toEqual([]);
    expect(link.end(victim).bond).toMatchObject({ identity: A });
  });

  test("is the peer's when it uses that address itself", async () => {
    using link = claimOn(victim, { isThere: true }, { address: A });
    await settled(link);
    expect(link.end(victim).failures).toEqual([]);
    expect(link.end(victim).bond).toMatchObject({ identity: A });
  });

  test("is the peer's when the link is encrypted with the bond's key, and not by the private address alone", async () => {
    using first = claimOn(victim, { isThere: false });
    await settled(first);
    const bonds = { central: first.central.bond!, peripheral: first.peripheral.bond! };
    for (const isProved of [true, false]) {
      const at = { isThere: true };
      using link = claimOn(victim, at, { bond: bonds[victim], agent: { replaceBond: async () => true } });
      if (isProved) {
        link.end(other(victim)).manager.bond = bonds[other(victim)];
        await link.central.manager.encrypt();
        await link.settle(50);
      }
      await link
        .end(isProved ? "central" : victim)
        .manager.pair()
        .catch(() => undefined);
      await link.settle();
      if (isProved) expect([link.end(victim).failures, link.end(victim).bonds.length]).toEqual([[], 1]);
      else {
        expect(link.end(victim).failures).toMatchObject([refused]);
        expect(link.end(victim).bonds).toEqual([]);
      }
    }
  });

  test("without identity information a private address that resolves does not show it either", async () => {
    using first = claimOn(victim, { isThere: false });
    await settled(first);
    const people = user();
    const io = { central: IoCapability.KeyboardOnly, peripheral: IoCapability.DisplayOnly };
    using link = new SmpLink({
      [victim]: {
        bond: first.end(victim).bond!,
        policy: { ioCapability: io[victim], mitm: true, peerKeys: 0 },
        agent: { ...people[victim], replaceBond: async () => true },
        more: { isOnAnotherLink: () => true },
      },
      [other(victim)]: {
        localAddress: rpa(other(victim)),
        identity: A,
        policy: { ioCapability: io[other(victim)] },
        agent: people[other(victim)],
      },
      seed: 2,
    });
    await settled(link);
    expect(link.end(victim).failures).toMatchObject([refused]);
    expect(link.end(victim).bonds).toEqual([]);
    expect(link.end(victim).manager.bond).toBe(first.end(victim).bond);
  });

  test("is asked for at once: the user is not asked about a claim that cannot be had", async () => {
    using first = claimOn(victim, { isThere: false });
    await settled(first);
    const people = user();
    const questions: unknown[] = [];
    const io = { central: IoCapability.KeyboardOnly, peripheral: IoCapability.DisplayOnly };
    using link = new SmpLink({
      [victim]: {
        others: [changed(first.end(victim).bond!, { peerIrk: new Uint8Array(16).fill(9) })],
        policy: { ioCapability: io[victim], mitm: true },
        agent: {
          ...people[victim],
          replaceBond: async (question: unknown) => {
            questions.push(question);
            return true;
          },
        },
        more: { isOnAnotherLink: () => true },
      },
      [other(victim)]: {
        localAddress: rpa(other(victim)),
        identity: A,
        policy: { ioCapability: io[other(victim)] },
        agent: people[other(victim)],
      },
      seed: 2,
    });
    await settled(link);
    expect(link.end(victim).failures).toMatchObject([refused]);
    expect(questions).toEqual([]);
  });

  test.each(["before the last key", "while the bond is stored"])("which comes %s", async (when) => {
    const at = { isThere: false };
    const seen: Address[] = [];
    const taken: Bond[] = [];
    using late = new SmpLink({
      [victim]: {
        more: {
          isOnAnotherLink: (identity: Address) => {
            seen.push(identity);
            const isThere = at.isThere;
            if (when === "before the last key") at.isThere = true; // it was not when the claim came
            return isThere;
          },
          onBond: async () => {
            at.isThere = true;
          },
          onBondRefused: (bond: Bond) => void taken.push(bond),
        },
      },
      [other(victim)]: { localAddress: rpa(other(victim)), identity: A },
      seed: 2,
    });
    await settled(late);
    expect(late.end(victim).failures).toMatchObject([refused]);
    expect(late.end(victim).reports).toEqual([]);
    expect(taken).toHaveLength(when === "before the last key" ? 0 : 1);
    expect([late.end(victim).security.bonded, late.end(other(victim)).security.bonded]).toEqual([false, false]);
    expect(late.end(victim).manager.bond).toBeUndefined();
    expect(seen.every((identity) => identity.equals(A))).toBe(true);
  });
});

/** What a device is opened with that has this identity. */
const withIdentity = (identity: Address): SimulatedDeviceOptions =>
  identity.isRandom
    ? { staticAddress: identity, controller: { address: "00:00:00:00:00:00" } }
    : { controller: { address: identity.toHex() } };

/** A store that saves when it is told to. */
class SlowStore extends MemoryBondStore {
  saving: (() => void) | undefined;
  override async save(bond: Bond): Promise<void> {
    await new Promise<void>((resolve) => {
      this.saving = resolve;
    });
    await super.save(bond);
  }
}

describe.each(roles.flatMap((role) => [A, STATIC].map((identity) => [role, identity] as const)))(
  "on the air (we are the %s, the identity is %s)",
  (role, identity) => {
    /** A link between `victim` and `peer`, which shows its identity or hides it. */
    async function join(victim: Device, peer: Device, isHidden: boolean): Promise<[own: Connection, peers: Connection]> {
      const hidden = isHidden ? ({ ownAddress: "resolvable" } as const) : {};
      const [from, to] = role === "central" ? [victim, peer] : [peer, victim];
      const advertising = await to.advertise({ ...(to === peer && hidden) });
      const arriving = advertising.connection();
      let shown = to.identity;
      for await (const { address } of from.scan()) {
        shown = address;
        break;
      }
      const link = await from.connect(shown, { ...(from === peer && hidden) });
      const arrived = await arriving;
      await advertising.stop();
      return from === victim ? [link, arrived] : [arrived, link];
    }

    async function people(more: { victim?: SimulatedDeviceOptions; stranger?: SimulatedDeviceOptions } = {}) {
      const air = new SimulatedAir({ seed: 3 });
      const victim = await air.device({ name: "victim", ...more.victim });
      const a = await air.device({ name: "a", ...withIdentity(identity) });
      const stranger = await air.device({ name: "stranger", ...withIdentity(identity), ...more.stranger });
      return { air, victim, a, stranger };
    }
    const failuresOf = (connection: Connection): string[] => {
      const failures: string[] = [];
      connection.on("securityFailure", (error) => failures.push(error.message));
      return failures;
    };

    test("who has it is connected and not bonded: the claim fails, and it can pair itself", async () => {
      const { air, victim, a, stranger } = await people();
      await using _ = air;
      const [toA] = await join(victim, a, false);
      const [link] = await join(victim, stranger, true);
      const failures = failuresOf(link);
      await link.pair().catch(() => undefined);
      await air.advance(1000);
      expect(failures).toEqual([expect.stringContaining("connected by another link")]);
      expect(await victim.bonds.load(identity)).toBeUndefined();
      expect([link.bonded, link.security.bonded, toA.bonded, toA.security.encrypted]).toEqual([false, false, false, false]);
      expect(await toA.pair()).toMatchObject({ bonded: true, peerIdentity: identity });
      await air.advance(1000);
      expect([toA.bonded, toA.security.bonded, link.bonded]).toEqual([true, true, false]);
    });

    test("who has it connects while the claim is being stored: it is taken back", async () => {
      const bonds = new SlowStore();
      const { air, victim, a, stranger } = await people({ victim: { bonds } });
      await using _ = air;
      const [link] = await join(victim, stranger, true);
      const failures = failuresOf(link);
      const pairing = link.pair().catch((error: unknown) => error);
      await air.advance(1000);
      expect(bonds.saving).toBeDefined();
      const [toA] = await join(victim, a, false);
      bonds.saving!();
      await air.advance(1000);
      expect(await pairing).toMatchObject({ code: "ERR_PAIRING", reason: 0x0f, side: "local" });
      expect(failures).toHaveLength(1);
      expect([await victim.bonds.load(identity), bonds.size]).toEqual([undefined, 0]);
      expect([link.bonded, toA.bonded, toA.security.encrypted]).toEqual([false, false, false]);
    });

    test("both pair at the same time: only the one with the address is bonded", async () => {
      const { air, victim, a, stranger } = await people();
      await using _ = air;
      const [link] = await join(victim, stranger, true);
      const failures = failuresOf(link);
      const [toA] = await join(victim, a, false);
      const pairings = [link.pair().catch(() => undefined), toA.pair()];
      await air.advance(2000);
      await Promise.all(pairings);
      expect(failures).toEqual([expect.stringContaining("connected by another link")]);
      expect([link.bonded, toA.bonded]).toEqual([false, true]);
    });

    test("who has it comes after the claim was stored: it is not taken for the one who claimed", async () => {
      const { air, victim, a, stranger } = await people({
        victim: { agent: { confirm: async () => true, replaceBond: async () => true } },
      });
      await using _ = air;
      const [link] = await join(victim, stranger, true);
      await link.pair();
      await air.advance(1000);
      expect([link.bonded, link.security.bonded]).toEqual([true, true]);
      if (role === "central") {
        // The identity is connected, says the book, until the one who claimed it has left; and then the key is another.
        await a.advertise();
        await expect(victim.connect(identity)).rejects.toMatchObject({ code: "ERR_STATE" });
        await link.disconnect();
        await expect(victim.connect(identity)).rejects.toMatchObject({ code: "ERR_BOND_LOST" });
        return;
      }
      const [toA] = await join(victim, a, false);
      expect(toA.security.encrypted).toBe(false);
      // The user agrees that it replaces the bond, which shows itself by its address.
      expect(await toA.pair()).toMatchObject({ bonded: true, peerIdentity: identity });
      await air.advance(1000);
      expect([toA.security.bonded, link.security.bonded, link.bonded]).toEqual([true, false, false]);
    });
  },
);

test("a bonded device that is connected by a private address is known by its bond: its identity is not to be had on another link", async () => {
  await using air = new SimulatedAir({ seed: 4 });
  const asked: string[] = [];
  const replaceBond = async (): Promise<boolean> => {
    asked.push("replace");
    return true;
  };
  const people = user();
  const victim = await air.device({
    name: "victim",
    agent: { ...people.peripheral, confirm: async () => true, replaceBond },
    pairing: { ioCapability: IoCapability.DisplayOnly, mitm: true },
  });
  const a = await air.device({ name: "a", ...withIdentity(A) });
  const stranger = await air.device({
    name: "stranger",
    ...withIdentity(A),
    pairing: { ioCapability: IoCapability.KeyboardOnly, mitm: true },
    agent: people.central,
  });
  await victim.advertise();
  const first = await a.connect(victim.identity, { ownAddress: "resolvable" });
  await first.pair();
  await air.advance(1000);
  const before = await victim.bonds.load(A);
  const [toA] = victim.links;
  expect([toA!.peerAddress.isResolvablePrivate, toA!.security.bonded]).toEqual([true, true]);
  await victim.advertise();
  // Better protected than the bond, and the user would agree.
  const link = await stranger.connect(victim.identity, { ownAddress: "resolvable" });
  await link.pair().catch(() => undefined);
  await air.advance(1000);
  expect([link.bonded, victim.links.map(({ bonded }) => bonded)]).toEqual([false, [true, false]]);
  expect(asked).toEqual([]);
  expect(await victim.bonds.load(A)).toBe(before);
  expect(toA!.security).toMatchObject({ bonded: true, encrypted: true });
});
