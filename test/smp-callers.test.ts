import { describe, expect, test } from "vitest";
import { fromHex } from "../src/bytes/hex.ts";
import { Address } from "../src/core/address.ts";
import { type Bond, IoCapability, type PairingAgent, PairingAttempts, type PairingPolicy, SecurityManager } from "../src/smp/index.ts";
import { changed, SmpLink, user } from "./smp-link.ts";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, KeyboardDisplay, NoInputNoOutput } = IoCapability;

/** A link whose people could do a passkey. */
function capable(more: { central?: Partial<PairingPolicy>; peripheral?: Partial<PairingPolicy> } = {}): SmpLink {
  const people = user();
  return new SmpLink({
    central: { policy: { ioCapability: KeyboardDisplay, ...more.central }, agent: people.central },
    peripheral: { policy: { ioCapability: DisplayOnly, ...more.peripheral }, agent: people.peripheral },
  });
}

describe("two callers of pair()", () => {
  test.each(["central", "peripheral"] as const)("each have their own demands (%s)", async (role) => {
    using link = capable();
    const first = link.end(role).manager.pair();
    const second = link.end(role).manager.pair({ policy: { requireAuthentication: true } });
    const third = link.end(role).manager.pair();
    expect(await first).toMatchObject({ method: "just-works" });
    expect(await third).toMatchObject({ method: "just-works" });
    expect(await second).toMatchObject({ method: "passkey-entry", authenticated: true });
    expect(link.codes().match(/>01/g)).toHaveLength(2);
    await link.settle();
    expect(link.clock.pending).toEqual([]);
  });

  test("the stricter one under way does for both", async () => {
    using link = capable();
    const strict = link.central.manager.pair({ policy: { requireAuthentication: true } });
    const lax = link.central.manager.pair();
    expect([await strict, await lax].map(({ method }) => method)).toEqual(["passkey-entry", "passkey-entry"]);
    expect(link.codes().match(/>01/g)).toHaveLength(1);
  });

  test("who asks for the same is refused with it, and not tried again", async () => {
    using link = new SmpLink({ peripheral: { policy: { pairable: false } } });
    const both = [link.central.manager.pair(), link.central.manager.pair()];
    await Promise.all(both.map((each) => expect(each).rejects.toMatchObject({ reason: 0x05, side: "peer" })));
    await link.settle();
    expect(link.codes()).toBe(">01 <05");
  });

  test("one is refused and the other is not", async () => {
    using link = new SmpLink();
    const strict = link.central.manager.pair({ policy: { requireAuthentication: true } });
    const lax = link.central.manager.pair();
    await expect(strict).rejects.toMatchObject({ reason: 0x03, side: "local" });
    expect(await lax).toMatchObject({ method: "just-works", bonded: true });
  });

  test.each<[string, Partial<PairingPolicy>, Partial<PairingPolicy>, object]>([
    ["Secure Connections", { secureConnections: false }, {}, { secureConnections: true }],
    ["legacy", {}, { secureConnections: false }, { secureConnections: false }],
    [
      "Secure Connections only",
      { secureConnections: false },
      { secureConnections: true, secureConnectionsOnly: true },
      { secureConnections: true },
    ],
    ["a longer key", { minKeySize: 7, maxKeySize: 7 }, { minKeySize: 16, maxKeySize: 16 }, { keySize: 16 }],
    ["a bond", { bonding: false }, { bonding: true }, { bonded: true }],
    ["protection, if there can be", {}, { mitm: true }, { authenticated: true }],
  ])("the second one wants %s", async (_name, first, second, expected) => {
    using link = capable({ peripheral: { minKeySize: 7, allowDowngrade: true }, central: { allowDowngrade: true } });
    const reports = [link.central.manager.pair({ policy: first }), link.central.manager.pair({ policy: second })];
    expect(await reports[1]).toMatchObject(expected);
    expect(await reports[0]).not.toMatchObject(expected);
  });

  test("permissions of one are none of the other's", async () => {
    using link = capable();
    const first = link.central.manager.pair({ policy: { allowDebugKey: true } });
    const second = link.central.manager.pair();
    // What came out of the first is all that the second asks for: nothing more has to happen.
    expect(await second).toEqual(await first);
    expect(link.codes().match(/>01/g)).toHaveLength(1);
    using other = new SmpLink({ peripheral: { policy: { pairable: false } } });
    const lenient = other.central.manager.pair({ policy: { allowDowngrade: true } });
    const strict = other.central.manager.pair();
    await expect(lenient).rejects.toMatchObject({ reason: 0x05 });
    await expect(strict).rejects.toMatchObject({ reason: 0x05 });
    expect(other.codes()).toBe(">01 <05 >01 <05"); // each failed by itself
  });

  test("the one who leaves takes only its own pairing with it", async () => {
    using link = capable();
    const controller = new AbortController();
    const first = link.central.manager.pair({ signal: controller.signal });
    const second = link.central.manager.pair({ policy: { requireAuthentication: true } });
    await link.settle(15);
    controller.abort(new Error("never mind"));
    await expect(first).rejects.toThrow("never mind");
    expect(await second).toMatchObject({ authenticated: true });
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x08, side: "peer" }]);
  });

  test("each has its own deadline", async () => {
    using link = capable();
    const first = link.central.manager.pair();
    const second = link.central.manager.pair({ policy: { requireAuthentication: true }, timeoutMs: 50 });
    await expect(second).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(await first).toMatchObject({ method: "just-works" });
    await link.settle();
    expect(link.codes().match(/>01/g)).toHaveLength(1);
  });

  test("30 s of silence end it for all, and a lost link too", async () => {
    for (const end of ["silence", "loss"]) {
      using link = capable();
      link.fault = ({ index, pdu }) => (index >= 3 ? [] : [pdu]);
      const all = [
        link.central.manager.pair(),
        link.central.manager.pair({ policy: { requireAuthentication: true } }),
        link.central.manager.encrypt({ timeoutMs: 60_000 }),
      ];
      if (end === "loss") link.clock.setTimer(35, "loss", () => link.disconnect());
      const code = end === "loss" ? "ERR_DISCONNECTED" : "ERR_PAIRING_TIMEOUT";
      await Promise.all(all.map((each) => expect(each).rejects.toMatchObject({ code })));
      await link.settle(40_000);
      expect(link.clock.pending).toEqual([]);
    }
  });
});

describe("encrypt()", () => {
  test("is not satisfied by a key that the policy finds too short", async () => {
    using link = new SmpLink({ peripheral: { policy: { minKeySize: 7 } } });
    const pairing = link.central.manager.pair({ policy: { minKeySize: 7, maxKeySize: 7 } });
    const joined = link.central.manager.encrypt();
    await expect(joined).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x06, side: "local" });
    await pairing;
    await expect(link.central.manager.encrypt()).rejects.toMatchObject({ reason: 0x06 });
    await expect(link.peripheral.manager.encrypt()).resolves.toBeUndefined();
  });

  test("nor by one of less worth", async () => {
    using link = capable();
    await link.central.manager.pair();
    await link.settle();
    for (const [demand, reason] of [
      [{ requireAuthentication: true }, 0x03],
      [{ minKeySize: 16 }, undefined],
    ] as const) {
      link.central.manager.policy = { ioCapability: KeyboardDisplay, ...demand };
      if (reason) await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_PAIRING", reason, side: "local" });
      else await link.central.manager.encrypt();
    }
    using legacy = new SmpLink({ central: { policy: { secureConnections: false } } });
    await legacy.central.manager.pair();
    legacy.central.manager.policy = { secureConnectionsOnly: true };
    await expect(legacy.central.manager.encrypt()).rejects.toMatchObject({ reason: 0x03 });
  });

  test("of a central with a bond goes on when the pairing that it waited for fails", async () => {
    using first = new SmpLink();
    await first.central.manager.pair();
    await first.settle();
    using link = new SmpLink({ central: { bond: first.central.bond }, peripheral: { bond: first.peripheral.bond }, seed: 2 });
    const pairing = link.central.manager.pair(); // refused: the bond is not proved, and the agent does not let it go
    const encrypted = link.central.manager.encrypt();
    await expect(pairing).rejects.toMatchObject({ code: "ERR_PAIRING" });
    await encrypted;
    expect(link.central.security).toMatchObject({ encrypted: true, bonded: true });
  });

  test("of a peripheral after the 30 s of silence says so", async () => {
    using link = new SmpLink();
    link.fault = ({ index, pdu }) => (index >= 3 ? [] : [pdu]);
    await link.central.manager.pair().catch(() => undefined);
    await link.settle(40_000);
    await expect(link.peripheral.manager.encrypt()).rejects.toMatchObject({ code: "ERR_PAIRING_TIMEOUT" });
    using encrypted = new SmpLink();
    await encrypted.central.manager.pair();
    await encrypted.settle();
    encrypted.fault = () => [];
    encrypted.deliver("peripheral", fromHex("01030009100707"));
    await encrypted.settle(40_000);
    expect(encrypted.peripheral.failures).toMatchObject([{ code: "ERR_PAIRING_TIMEOUT" }]);
    await encrypted.peripheral.manager.encrypt(); // it is
  });
});

describe("a key that is too short", () => {
  test("does not satisfy the pair() of a peripheral", async () => {
    const policy = { minKeySize: 7, maxKeySize: 7 };
    using link = new SmpLink({ central: { policy: { minKeySize: 7 } }, peripheral: { policy } });
    await link.peripheral.manager.pair();
    await link.settle();
    expect(link.peripheral.security).toMatchObject({ encrypted: true, bonded: true, keySize: 7 });
    // A Security Request cannot say how long the key must be, and the central finds seven octets enough.
    const longer = { policy: { minKeySize: 16, maxKeySize: 16 }, timeoutMs: 1000 };
    await expect(link.peripheral.manager.pair(longer)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(link.codes().match(/<0b/g)).toHaveLength(2);
    expect(await link.peripheral.manager.pair({ policy })).toMatchObject({ fromBond: true, keySize: 7 });
    expect(link.codes().match(/<0b/g)).toHaveLength(2);
  });

  test("of the central's bond does not answer a peripheral's Security Request either", async () => {
    const policy = { minKeySize: 7, maxKeySize: 7 };
    using first = new SmpLink({ central: { policy }, peripheral: { policy } });
    await first.central.manager.pair();
    await first.settle();
    using link = new SmpLink({
      central: { bond: first.central.bond, policy: { minKeySize: 7 } },
      peripheral: { bond: first.peripheral.bond, policy: { minKeySize: 7 }, agent: { replaceBond: async () => true } },
      seed: 2,
    });
    const wants16 = link.peripheral.manager.pair({ policy: { minKeySize: 16 }, timeoutMs: 5000 });
    const outcome = await wants16.catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: "ERR_TIMEOUT" }); // the central encrypted with seven octets and thought that enough
    expect(link.peripheral.security).toMatchObject({ encrypted: true, keySize: 7 });
  });
});

describe("what a caller gives", () => {
  const bad = (value: unknown): never => value as never;
  test.each<[string, unknown, string]>([
    ["an unknown option", { timeout: 5 }, "timeoutMs"],
    ["no options object", 5, "options"],
    ["an unknown name in the policy", { policy: { requireAuthentification: true } }, "requireAuthentication"],
    ["text for a switch", { policy: { mitm: "yes" } }, "mitm"],
    ["an IO capability by name", { policy: { ioCapability: "DisplayOnly" } }, "ioCapability"],
    ["text for a key size", { policy: { minKeySize: "16" } }, "key sizes"],
    ["keys out of range", { policy: { localKeys: 16 } }, "localKeys"],
    ["keys that are no mask", { policy: { peerKeys: 1.5 } }, "peerKeys"],
  ])("%s is refused, with what was expected", async (_name, options, named) => {
    using link = new SmpLink();
    const error: unknown = await link.central.manager.pair(bad(options)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(named) });
    expect(link.sent).toEqual([]);
    await expect(link.central.manager.encrypt(bad({ policy: {} }))).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  const opened = (policy: Partial<PairingPolicy>, agent?: unknown): SecurityManager => {
    using link = new SmpLink();
    const { channel, identity } = link.central;
    const addresses = { localAddress: Address.from("00:00:00:00:00:01"), peerAddress: Address.from("00:00:00:00:00:02") };
    const random = { fill: () => {} };
    const startEncryption = async (): Promise<void> => {};
    return new SecurityManager({
      channel,
      role: "central",
      ...addresses,
      identity,
      clock: link.clock,
      random,
      link: { startEncryption },
      policy,
      ...(agent !== undefined && { agent: bad(agent) }),
    });
  };

  test.each<[string, IoCapability, (keyof PairingAgent)[]]>([
    ["nothing", NoInputNoOutput, []],
    ["a display", DisplayOnly, ["displayPasskey"]],
    ["a display and a button", DisplayYesNo, ["displayPasskey", "compare"]],
    ["a keyboard", KeyboardOnly, ["enterPasskey"]],
    ["both", KeyboardDisplay, ["displayPasskey", "enterPasskey", "compare"]],
  ])("an agent needs what it is asked, with %s, and no more", (_name, ioCapability, needed) => {
    const callbacks = Object.fromEntries(needed.map((name) => [name, () => undefined]));
    expect(opened({ ioCapability }, callbacks).policy.ioCapability).toBe(ioCapability);
    for (const name of needed) expect(() => opened({ ioCapability }, { ...callbacks, [name]: undefined })).toThrow(name);
    if (needed.length > 0) expect(() => opened({ ioCapability })).toThrow("expected a pairing agent with");
    if (needed.includes("compare"))
      expect(opened({ ioCapability, secureConnections: false }, { ...callbacks, compare: undefined })).toBeDefined();
  });

  test("an agent that is none, or has something else than functions", () => {
    for (const agent of [5, { confirm: true }, { replaceBond: "yes" }]) expect(() => opened({}, agent)).toThrow("pairing agent");
  });

  test("the policy of one pairing is held against the agent too", async () => {
    using link = new SmpLink();
    link.central.manager.agent = {};
    await expect(link.central.manager.pair({ policy: { ioCapability: DisplayOnly } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });

  test("an agent without an answer refuses", async () => {
    using link = new SmpLink();
    link.peripheral.manager.agent = {};
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "peer" });
    expect(link.peripheral.failures).toMatchObject([{ reason: 0x08, side: "local" }]);
  });

  test("what an agent throws is told as the cause, and not as the peer's fault", async () => {
    const thrown = new Error("no screen");
    const policy = { ioCapability: DisplayYesNo, mitm: true };
    for (const agent of [
      { compare: () => Promise.reject(thrown) },
      {
        compare: () => {
          throw thrown;
        },
      },
    ]) {
      using link = new SmpLink({ central: { policy, agent }, peripheral: { policy, agent: { compare: async () => true } } });
      await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x0c, side: "local", cause: thrown });
    }
    using link = new SmpLink({
      central: {
        policy: { ioCapability: DisplayOnly, mitm: true },
        agent: {
          displayPasskey: () => {
            throw thrown;
          },
        },
      },
      peripheral: { policy: { ioCapability: KeyboardOnly } },
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x01, side: "local", cause: thrown });
  });

  test("an agent that ends the link in the middle is the end: nothing is sent after it", async () => {
    const link = new SmpLink({
      central: {
        policy: { ioCapability: DisplayOnly, mitm: true, secureConnections: false },
        agent: { displayPasskey: () => link.disconnect() },
      },
      peripheral: { policy: { ioCapability: KeyboardOnly }, agent: { enterPasskey: () => new Promise(() => {}) } },
    });
    using _ = link;
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    expect(link.codes()).toBe(">01 <02");
  });

  test("an agent that closes the Security Manager in the middle is the end of it too", async () => {
    const people = user();
    const link = new SmpLink({
      central: {
        policy: { ioCapability: DisplayOnly, mitm: true, secureConnections: false },
        agent: { displayPasskey: () => link.central.manager.close() },
      },
      peripheral: { policy: { ioCapability: KeyboardOnly }, agent: people.peripheral },
    });
    using _ = link;
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await link.settle();
    expect(link.codes()).toBe(">01 <02");
  });
});

describe("after the last key", () => {
  const refused = { code: "ERR_PAIRING", reason: 0x0f, side: "peer" };
  function link(more: { bond?: Bond; refusals?: [Bond, Bond | undefined][]; onBond?: () => Promise<void> } = {}): SmpLink {
    const onBondRefused = (bond: Bond, replaced: Bond | undefined): void => void more.refusals?.push([bond, replaced]);
    const policy = { allowEqualReplacement: true };
    const agent = { replaceBond: async () => true };
    const { onBond } = more;
    return new SmpLink({
      central: { more: { onBondRefused, ...(onBond && { onBond }) }, policy, agent, bond: more.bond },
      peripheral: { policy, agent },
      seed: more.bond ? 2 : 1,
    });
  }

  test("Pairing Failed undoes the bond (Vol 3 Part H 3.5.5), and the one that it replaced is back", async () => {
    using first = link();
    await first.central.manager.pair();
    for (const bond of [undefined, first.central.bond!]) {
      const refusals: [Bond, Bond | undefined][] = [];
      using each = link({ refusals, ...(bond && { bond }) });
      await each.central.manager.pair();
      await each.settle();
      each.deliver("central", fromHex("050f"));
      await each.settle();
      expect(refusals).toEqual([[each.central.bond, bond]]);
      expect(each.central.manager.bond).toBe(bond);
      expect(each.central.security).toMatchObject({ encrypted: true, bonded: false });
      expect(each.central.failures).toMatchObject([refused]);
      each.deliver("central", fromHex("050f"));
      expect(refusals).toHaveLength(1);
    }
  });

  test("whatever the reason, and not when the peer has had its 30 s, or pairs anew", async () => {
    for (const [waitMs, undone] of [
      [30_000, true],
      [30_001, false],
    ] as const) {
      const refusals: [Bond, Bond | undefined][] = [];
      using each = link({ refusals });
      await each.central.manager.pair();
      const doneMs = each.clock.now();
      await each.clock.advance(doneMs + waitMs - each.clock.now());
      each.deliver("central", fromHex("0508"));
      await each.settle();
      expect(refusals).toHaveLength(undone ? 1 : 0);
      expect(each.central.failures).toHaveLength(undone ? 1 : 0);
    }
  });

  test("while the bond is being stored: pair() rejects", async () => {
    const refusals: [Bond, Bond | undefined][] = [];
    let stored: (() => void) | undefined;
    using each = link({ refusals, onBond: () => new Promise((resolve) => (stored = resolve)) });
    const pairing = each.central.manager.pair();
    await each.settle();
    each.deliver("central", fromHex("050f"));
    stored!();
    await expect(pairing).rejects.toMatchObject(refused);
    expect(refusals).toHaveLength(1);
    expect(each.central.manager.bond).toBeUndefined();
    expect(each.central.reports).toEqual([]);
    await expect(each.central.manager.encrypt()).resolves.toBeUndefined(); // the link is, the bond is not
  });

  test("a store that cannot take it back is told of", async () => {
    using each = new SmpLink({ central: { more: { onBondRefused: () => Promise.reject(new Error("disk full")) } } });
    await each.central.manager.pair();
    await each.settle();
    each.deliver("central", fromHex("050f"));
    await each.settle();
    expect(each.central.failures).toMatchObject([{ code: "ERR_PAIRING" }, { code: "ERR_STATE", cause: { message: "disk full" } }]);
  });

  test("a store that refuses: the peer is told, and no key is used later", async () => {
    for (const role of ["central", "peripheral"] as const) {
      using each = new SmpLink({ [role]: { more: { onBond: () => Promise.reject(new Error("disk full")) } } });
      await expect(each.end(role).manager.pair()).rejects.toMatchObject({ code: "ERR_STATE", cause: { message: "disk full" } });
      await each.settle();
      const peer = each.end(role === "central" ? "peripheral" : "central");
      expect(peer.failures).toMatchObject([refused]);
      expect(peer.manager.bond).toBeUndefined();
      expect(each.end(role).security).toMatchObject({ encrypted: true, bonded: false });
      expect(each.end(role).reports).toEqual([]);
      // The link is switched to plain and back: there is no key.
      each.end(role).manager.onEncryptionChange(0, false);
      if (role === "central") await expect(each.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_STATE" });
      else expect(each.peripheral.manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeUndefined();
    }
  });

  test("a bond that another link puts in its place is not used on this one", async () => {
    using each = link();
    await each.central.manager.pair();
    await each.settle();
    const { manager } = each.central;
    const named = changed(manager.bond!, { name: "watch" });
    manager.bond = named;
    expect(manager.security.bonded).toBe(true);
    manager.bond = changed(named, { peerLtk: { ...named.peerLtk!, key: new Uint8Array(16) }, localLtk: undefined });
    expect(manager.security).toMatchObject({ encrypted: true, bonded: false });
    manager.bond = undefined;
    expect(each.central.securities.filter(({ bonded }) => !bonded)).toHaveLength(2);
  });
});

describe("too many pairings", () => {
  test("that fail before the features are exchanged run into the wait (2.3.6)", async () => {
    using link = new SmpLink();
    link.fault = ({ from, pdu }) => (from === "central" && pdu[0] === 0x01 ? [] : [pdu]);
    let requests = 0;
    for (let i = 0; i < 1000; i++) {
      link.deliver("central", fromHex("0b01"));
      await link.settle(1);
      link.deliver("central", fromHex("0508"));
    }
    for (const { from, pdu } of link.sent) if (from === "central" && pdu[0] === 0x01) requests++;
    expect(requests).toBeLessThanOrEqual(5);
    expect(link.sent.filter(({ pdu }) => pdu[0] === 0x05 && pdu[1] === 0x09).length).toBeGreaterThan(900);
  });

  test("whose features are refused count too", async () => {
    using link = new SmpLink();
    for (let i = 0; i < 5; i++) link.deliver("peripheral", fromHex("01030001060707"));
    await link.settle();
    expect(link.sent.map(({ pdu }) => pdu[1])).toEqual([0x0a, 0x0a, 0x0a, 0x0a, 0x09]);
  });

  test("that succeed are bounded as well: each is a write to the store", async () => {
    using link = new SmpLink();
    link.central.manager.agent = {};
    let refused = 0;
    for (let i = 0; i < 50; i++) {
      await link.central.manager.pair().catch(() => refused++);
      await link.settle(10);
    }
    expect(link.peripheral.bonds.length).toBeLessThanOrEqual(8);
    expect(refused).toBeGreaterThan(40);
    expect(link.peripheral.failures.at(-1)).toMatchObject({ reason: 0x09, side: "local", retryAfterMs: expect.any(Number) });
    await link.clock.advance(3_600_000);
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
  });

  test("of the peer do not stop the user's own", async () => {
    using link = new SmpLink();
    const attempts = new PairingAttempts({ clock: link.clock });
    for (let i = 0; i < 10; i++) attempts.succeeded("C0:11:22:33:44:55/random");
    expect(attempts.waitMs("C0:11:22:33:44:55/random")).toBe(0);
    expect(attempts.waitForPeerMs("C0:11:22:33:44:55/random")).toBeGreaterThan(0);
    using own = new SmpLink({ clock: link.clock, central: { more: { attempts } } });
    expect(await own.central.manager.pair()).toMatchObject({ bonded: true });
    own.deliver("central", fromHex("0b05"));
    await own.settle();
  });
});

test("a link lost in the middle of a pairing is told to both sides, asked or not", async () => {
  using link = new SmpLink();
  const pairing = link.central.manager.pair();
  await link.settle(35);
  link.disconnect(0x08);
  await expect(pairing).rejects.toMatchObject({ code: "ERR_DISCONNECTED", reason: 0x08 });
  for (const end of [link.central, link.peripheral]) expect(end.failures).toMatchObject([{ code: "ERR_DISCONNECTED", reason: 0x08 }]);
  using idle = new SmpLink();
  await idle.central.manager.pair();
  await idle.settle();
  idle.disconnect();
  expect([...idle.central.failures, ...idle.peripheral.failures]).toEqual([]);
});

test("the Secure Connections bit of a response says what this side supports (3.5.1)", async () => {
  for (const [policy, authReq] of [
    [{ mitm: true }, 0x0d],
    [{}, 0x09],
    [{ secureConnections: false, mitm: true }, 0x05],
  ] as const) {
    using link = new SmpLink({ peripheral: { policy } });
    link.deliver("peripheral", fromHex("01040005100707"));
    await link.settle(5);
    expect(link.sent[0]!.pdu[3]).toBe(authReq);
  }
});

test("a pairing that a listener begins when it hears of another one fails for whoever asked for it", async () => {
  let second: Promise<unknown> | undefined;
  const onPaired = (): void => {
    second ??= link.central.manager.pair({ policy: { mitm: true } });
  };
  using link: SmpLink = new SmpLink({ central: { policy: { ioCapability: IoCapability.KeyboardDisplay }, more: { onPaired } } });
  await link.central.manager.pair();
  await expect(second).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x03, side: "local" });
  await link.settle();
  expect(link.central.failures).toHaveLength(1);
});
