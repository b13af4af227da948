import { describe, expect, test } from "vitest";
import { toHex } from "../src/bytes/hex.ts";
import { Address } from "../src/core/address.ts";
import { SeededRandom } from "../src/core/random.ts";
import { createRpa, resolveRpa } from "../src/crypto/index.ts";
import { type Bond, decodeSmp, IoCapability, type PairingPolicy } from "../src/smp/index.ts";
import { identityKey, SmpLink, user } from "./smp-link.ts";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay } = IoCapability;
const capabilities = { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay };
type Capability = keyof typeof capabilities;

function keysMatch(central: Bond, peripheral: Bond): void {
  expect(central.peerLtk).toEqual(peripheral.localLtk);
  expect(central.localLtk).toEqual(peripheral.peerLtk);
  expect(central.peerCsrk).toEqual(peripheral.localCsrk);
  expect(central.localCsrk).toEqual(peripheral.peerCsrk);
}

// Vol 3 Part H table 2.8, a row for each responder: initiators DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay.
// J Just Works, N numeric comparison, i the initiator shows the passkey, r the responder does, b both type it.
const initiators: Capability[] = ["DisplayOnly", "DisplayYesNo", "KeyboardOnly", "NoInputNoOutput", "KeyboardDisplay"];
const table: Record<Capability, { legacy: string; secure: string }> = {
  DisplayOnly: { legacy: "JJrJr", secure: "JJrJr" },
  DisplayYesNo: { legacy: "JJrJr", secure: "JNrJN" },
  KeyboardOnly: { legacy: "iibJi", secure: "iibJi" },
  NoInputNoOutput: { legacy: "JJJJJ", secure: "JJJJJ" },
  KeyboardDisplay: { legacy: "iirJi", secure: "iNrJN" },
};

describe.each(["legacy", "secure"] as const)("table 2.8, %s", (kind) => {
  const cases = (Object.keys(table) as Capability[]).flatMap((responder) =>
    initiators.map((initiator, i) => [initiator, responder, table[responder][kind][i]!] as const),
  );
  test.each(cases)("initiator %s, responder %s: %s", async (initiator, responder, expected) => {
    const people = user();
    const policy = (io: Capability): Partial<PairingPolicy> => ({
      ioCapability: capabilities[io],
      mitm: true,
      secureConnections: kind === "secure",
    });
    using link = new SmpLink({
      central: { policy: policy(initiator), agent: people.central },
      peripheral: { policy: policy(responder), agent: people.peripheral },
    });
    const report = await link.central.manager.pair();
    await link.settle();
    const seen = people.seen.toSorted().join();
    expect(seen).toBe(
      {
        J: "",
        N: "central compares,peripheral compares",
        i: "central shows,peripheral types",
        r: "central types,peripheral shows",
        b: "central types,peripheral types",
      }[expected],
    );
    const method = { J: "just-works", N: "numeric-comparison", i: "passkey-entry", r: "passkey-entry", b: "passkey-entry" }[expected];
    const authenticated = expected !== "J";
    const secureConnections = kind === "secure";
    expect(report).toMatchObject({ method, authenticated, secureConnections, keySize: 16, bonded: true });
    expect(link.peripheral.reports).toHaveLength(1);
    expect(link.peripheral.reports[0]).toMatchObject({ method, authenticated, secureConnections, keySize: 16, bonded: true });
    const security = { encrypted: true, authenticated, secureConnections, keySize: 16, bonded: true };
    expect(link.central.security).toEqual(security);
    expect(link.peripheral.security).toEqual(security);
    keysMatch(link.central.bond!, link.peripheral.bond!);
    expect(report.refused.some((sentence) => sentence.includes("man in the middle"))).toBe(!authenticated);
    expect(link.clock.pending).toEqual([]);
    expect([...link.central.failures, ...link.peripheral.failures]).toEqual([]);
  });
});

test("without the MITM bit of either side the method is Just Works, whatever they could do", async () => {
  using link = new SmpLink({
    central: { policy: { ioCapability: KeyboardDisplay } },
    peripheral: { policy: { ioCapability: KeyboardDisplay } },
  });
  expect(await link.central.manager.pair()).toMatchObject({ method: "just-works", refused: [] });
});

test("the pump's case: Just Works with the MITM bit, legacy, and the responder distributes first", async () => {
  using link = new SmpLink({
    central: { policy: { ioCapability: NoInputNoOutput, mitm: true, secureConnections: false } },
    peripheral: {},
  });
  const report = await link.central.manager.pair();
  await link.settle();
  expect(toHex(link.sent[0]!.pdu)).toBe("01030005100707");
  expect(toHex(link.sent[1]!.pdu)).toBe("02030009100707");
  expect(link.codes()).toBe(">01 <02 >03 <03 >04 <04 <06 <07 <08 <09 <0a >06 >07 >08 >09 >0a");
  expect(link.sent.slice(6).every((sent) => sent.encrypted)).toBe(true);
  expect(report).toMatchObject({
    method: "just-works",
    secureConnections: false,
    authenticated: false,
    bonded: true,
    keySize: 16,
    localKeys: ["ltk", "irk", "identity", "csrk"],
    peerKeys: ["ltk", "irk", "identity", "csrk"],
  });
  expect(link.peripheral.reports[0]!.refused).toEqual([
    "The peer asked for protection against man in the middle; the input and output of both sides do not allow it.",
    "This side has LE Secure Connections; the peer does not.",
  ]);
  const bond = link.peripheral.bond!;
  expect(bond.identity.toString()).toBe("00:23:F7:01:02:03/public");
  expect(bond.localIrkDistributed).toBe(true);
  expect(bond.localIdentity?.toString()).toBe("C0:11:22:33:44:55/random");
  expect(bond.peerIrk).toEqual(link.central.identity.irk);
  expect(bond.localLtk?.rand).not.toEqual(new Uint8Array(8));
});

test("LE Secure Connections exchange the same keys, the LTK excepted", async () => {
  using link = new SmpLink();
  await link.central.manager.pair();
  await link.settle();
  expect(link.codes()).toBe(">01 <02 >0c <0c <03 >04 <04 >0d <0d <08 <09 <0a >08 >09 >0a");
  expect(link.central.bond!.peerLtk).toMatchObject({ ediv: 0, rand: new Uint8Array(8), keySize: 16 });
  expect(link.central.bond!.peerLtk).toEqual(link.central.bond!.localLtk);
});

test("passkey entry with Secure Connections takes twenty rounds", async () => {
  const people = user();
  using link = new SmpLink({
    central: { policy: { ioCapability: KeyboardOnly, mitm: true }, agent: people.central },
    peripheral: { policy: { ioCapability: DisplayOnly }, agent: people.peripheral },
  });
  await link.central.manager.pair();
  await link.settle();
  expect(link.codes()).toContain(`<0c ${">03 <03 >04 <04 ".repeat(20)}>0d <0d`);
});

describe.each([true, false])("a stored bond (Secure Connections: %s)", (secureConnections) => {
  const policy = { secureConnections };
  async function bonds(): Promise<{ central: Bond; peripheral: Bond }> {
    using link = new SmpLink({ central: { policy }, peripheral: { policy } });
    await link.central.manager.pair();
    await link.settle();
    return { central: link.central.bond!, peripheral: link.peripheral.bond! };
  }

  test("encrypts the next link without a PDU", async () => {
    const { central, peripheral } = await bonds();
    using link = new SmpLink({ central: { bond: central }, peripheral: { bond: peripheral }, seed: 2 });
    await link.central.manager.encrypt();
    await link.settle();
    expect(link.sent).toEqual([]);
    const security = { encrypted: true, authenticated: false, secureConnections, keySize: 16, bonded: true };
    expect(link.central.security).toEqual(security);
    expect(link.peripheral.security).toEqual(security);
    await link.central.manager.encrypt(); // already is
    expect(link.clock.pending).toEqual([]);
  });

  test("answers a Security Request of the peripheral", async () => {
    const { central, peripheral } = await bonds();
    using link = new SmpLink({ central: { bond: central }, peripheral: { bond: peripheral }, seed: 2 });
    const report = await link.peripheral.manager.pair();
    await link.settle();
    expect(report).toMatchObject({ fromBond: true, bonded: true, secureConnections, method: "just-works" });
    expect(link.codes()).toBe("<0b");
    expect(await link.peripheral.manager.pair()).toMatchObject({ fromBond: true });
    expect(link.codes()).toBe("<0b");
    expect(link.clock.pending).toEqual([]);
  });

  test("works with the roles exchanged", async () => {
    const { central, peripheral } = await bonds();
    using link = new SmpLink({ central: { bond: peripheral }, peripheral: { bond: central }, seed: 2 });
    await link.central.manager.encrypt();
    expect(link.central.security.encrypted).toBe(true);
  });

  test("lost by the peripheral: both sides are told what to do", async () => {
    const { central } = await bonds();
    using link = new SmpLink({ central: { bond: central }, seed: 2 });
    await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_BOND_LOST", side: "peer" });
    expect(link.peripheral.failures).toMatchObject([{ code: "ERR_BOND_LOST", side: "local" }]);
    expect(link.peripheral.failures[0]!.message).toContain("remove this device on the peer");
    expect(link.clock.pending).toEqual([]);
  });

  test("lost by the central: a Security Request leads to a new pairing, which replaces the bond if the user says so", async () => {
    const { peripheral } = await bonds();
    using refusing = new SmpLink({ peripheral: { bond: peripheral }, seed: 2 });
    await expect(refusing.peripheral.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x08, side: "local" });
    await refusing.settle();
    expect(refusing.central.failures).toMatchObject([{ reason: 0x08, side: "peer" }]);
    expect(refusing.peripheral.bonds).toEqual([]);
    using link = new SmpLink({ peripheral: { bond: peripheral, agent: { replaceBond: async () => true } }, seed: 2 });
    expect(await link.peripheral.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    keysMatch(link.central.bond!, link.peripheral.bond!);
    expect(link.peripheral.bond!.localLtk).not.toEqual(peripheral.localLtk);
  });

  test("is not given up by a peripheral whose pairing window is closed", async () => {
    const { peripheral } = await bonds();
    using link = new SmpLink({ peripheral: { bond: peripheral, policy: { pairable: false } }, seed: 2 });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x05, side: "peer" });
    expect(link.peripheral.manager.bond).toBe(peripheral);
    link.peripheral.manager.policy = { pairable: true };
    link.peripheral.forget();
    await link.central.manager.pair();
    await link.settle();
    expect(link.peripheral.bonds).toHaveLength(1);
  });
});

test("an EDIV or Rand that is not the bond's gets no key", async () => {
  using link = new SmpLink({ central: { policy: { secureConnections: false } } });
  await link.central.manager.pair();
  await link.settle();
  const { ediv, rand, key } = link.peripheral.bond!.localLtk!;
  const { manager } = link.peripheral;
  expect(manager.onLongTermKeyRequest(rand, ediv)).toEqual(key.toReversed());
  expect(manager.onLongTermKeyRequest(rand, ediv ^ 1)).toBeUndefined();
  expect(manager.onLongTermKeyRequest(rand.toReversed(), ediv)).toBeUndefined();
  expect(manager.onLongTermKeyRequest(new Uint8Array(8), 0)).toBeUndefined(); // the STK was for once
  expect(link.central.manager.onLongTermKeyRequest(rand, ediv)).toBeUndefined();
});

test("keys that differ cost the link, and with it everything that waited", async () => {
  using first = new SmpLink();
  await first.central.manager.pair();
  await first.settle();
  const ltk = first.peripheral.bond!.localLtk!;
  const damaged = { ...first.peripheral.bond!, localLtk: { ...ltk, key: ltk.key.toReversed() } };
  using link = new SmpLink({ central: { bond: first.central.bond }, peripheral: { bond: damaged } });
  await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_DISCONNECTED", reason: 0x3d });
  expect(link.clock.pending).toEqual([]);
});

test("private addresses on the link enter the check values, identities enter the bond", async () => {
  const random = new SeededRandom(5);
  const irk = identityKey("central");
  const identity = Address.from("F0:00:00:00:00:01/random");
  using link = new SmpLink({ central: { localAddress: createRpa(irk, random), identity }, peripheral: {} });
  const peripheral = await link.central.manager.pair();
  await link.settle();
  expect(peripheral.peerIdentity.toString()).toBe("C0:11:22:33:44:55/random");
  expect(link.peripheral.bond!.identity.equals(identity)).toBe(true);
  expect(link.peripheral.reports[0]!.peerIdentity.equals(identity)).toBe(true);
  expect(resolveRpa(link.peripheral.bond!.peerIrk!, createRpa(link.central.identity.irk, random))).toBe(true);
});

test("a peer with a private address that gives no identity is paired for this link only", async () => {
  using link = new SmpLink({
    central: { localAddress: Address.from("40:00:00:00:00:01/random"), policy: { localKeys: 1 } },
    peripheral: {},
  });
  await link.central.manager.pair();
  await link.settle();
  expect(link.peripheral.bonds).toEqual([]);
  expect(link.peripheral.reports[0]).toMatchObject({ bonded: false });
  expect(link.peripheral.reports[0]!.refused.join()).toContain("gave no identity");
  expect(link.peripheral.security).toMatchObject({ encrypted: true, bonded: false });
});

describe("key distribution", () => {
  test.each([
    [0, 0, ">0d <0d"],
    [1, 0, ">0d <0d"],
    [2, 0, ">0d <0d >08 >09"],
    [0, 2, ">0d <0d <08 <09"],
    [4, 3, ">0d <0d <08 <09 >0a"],
  ])("central gives %i, peripheral gives %i", async (byCentral, byPeripheral, expected) => {
    using link = new SmpLink({ central: { policy: { localKeys: byCentral, peerKeys: byPeripheral } } });
    await link.central.manager.pair();
    await link.settle();
    expect(link.codes().slice(link.codes().indexOf(">0d"))).toBe(expected);
    expect(link.peripheral.reports).toHaveLength(1);
  });

  test("the responder names no key that the initiator did not, and says what it held back", async () => {
    using link = new SmpLink({
      peripheral: { policy: { secureConnections: false, localKeys: 3, peerKeys: 2 } },
    });
    const report = await link.central.manager.pair();
    await link.settle();
    expect(link.codes()).toBe(">01 <02 >03 <03 >04 <04 <06 <07 <08 <09 >08 >09");
    expect(report).toMatchObject({ localKeys: ["irk", "identity"], peerKeys: ["ltk", "irk", "identity"] });
    expect(report.refused).toEqual([
      "This side has LE Secure Connections; the peer does not.",
      "This side asked for csrk; the peer does not give it.",
      "This side offered ltk, csrk; the peer does not take it.",
    ]);
  });

  test("without bonding no key is exchanged and none is kept", async () => {
    using link = new SmpLink({ central: { policy: { bonding: false } } });
    const report = await link.central.manager.pair();
    await link.settle();
    expect(link.codes()).toBe(">01 <02 >0c <0c <03 >04 <04 >0d <0d");
    expect(report).toMatchObject({ bonded: false, peerKeys: ["ltk"] });
    expect(link.peripheral.reports[0]!.refused).toContain("This side asked for bonding; the peer did not.");
    expect([...link.central.bonds, ...link.peripheral.bonds]).toEqual([]);
    expect(link.central.security).toMatchObject({ encrypted: true, bonded: false });
  });

  test("an Identity Resolving Key of zeros is none", async () => {
    using link = new SmpLink({
      central: { more: { identity: { address: Address.from("00:23:F7:01:02:03"), irk: new Uint8Array(16) } } },
    });
    await link.central.manager.pair();
    await link.settle();
    expect(link.peripheral.bond!.peerIrk).toBeUndefined();
    expect(link.peripheral.reports[0]!.peerKeys).toEqual(["ltk", "identity", "csrk"]);
  });
});

describe("key size", () => {
  test.each([true, false])("is the smaller maximum, and every key is cut to it (Secure Connections: %s)", async (secureConnections) => {
    const policy = { minKeySize: 7, secureConnections };
    using link = new SmpLink({ central: { policy: { ...policy, maxKeySize: 10 } }, peripheral: { policy } });
    expect(await link.central.manager.pair()).toMatchObject({ keySize: 10 });
    await link.settle();
    for (const ltk of [link.central.bond!.peerLtk!, link.central.bond!.localLtk!]) {
      expect(ltk.keySize).toBe(10);
      expect(toHex(ltk.key)).toMatch(/^0{12}/);
    }
    keysMatch(link.central.bond!, link.peripheral.bond!);
    expect(link.peripheral.security.keySize).toBe(10);
  });

  test("below 16 is refused by default", async () => {
    using link = new SmpLink({ central: { policy: { minKeySize: 7, maxKeySize: 15 } } });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x06, side: "peer" });
    using other = new SmpLink({ peripheral: { policy: { minKeySize: 7, maxKeySize: 15 } } });
    await expect(other.central.manager.pair()).rejects.toMatchObject({ reason: 0x06, side: "local" });
  });

  test("a stored key that is too short for the policy is not used", async () => {
    const policy = { minKeySize: 7, maxKeySize: 7 };
    using first = new SmpLink({ central: { policy }, peripheral: { policy } });
    await first.central.manager.pair();
    await first.settle();
    using link = new SmpLink({ central: { bond: first.central.bond }, peripheral: { bond: first.peripheral.bond, policy } });
    await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x06, side: "local" });
    using back = new SmpLink({ central: { bond: first.central.bond, policy }, peripheral: { bond: first.peripheral.bond } });
    await expect(back.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_BOND_LOST" });
    expect(back.peripheral.failures).toMatchObject([{ code: "ERR_PAIRING", reason: 0x06, side: "local" }]);
  });
});

describe("requirements", () => {
  test("Secure Connections only", async () => {
    using link = new SmpLink({
      central: { policy: { secureConnections: false } },
      peripheral: { policy: { secureConnectionsOnly: true } },
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "peer" });
    using other = new SmpLink({
      central: { policy: { secureConnectionsOnly: true } },
      peripheral: { policy: { secureConnections: false } },
    });
    await expect(other.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "local" });
  });

  test("authentication, where input and output do not allow it", async () => {
    using link = new SmpLink({ central: { policy: { requireAuthentication: true } } });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x03, side: "local" });
    expect(link.central.failures[0]!.message).toContain("input and output");
  });

  test("of one pairing only, on top of the connection's policy", async () => {
    using link = new SmpLink();
    await expect(link.central.manager.pair({ policy: { secureConnectionsOnly: true, requireAuthentication: true } })).rejects.toMatchObject(
      {
        reason: 0x03,
      },
    );
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await expect(link.central.manager.pair({ policy: { minKeySize: 3 } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  });
});

describe("Security Request", () => {
  test("makes the central pair, with the security asked for", async () => {
    const people = user();
    using link = new SmpLink({
      central: { policy: { ioCapability: KeyboardDisplay }, agent: people.central },
      peripheral: { policy: { ioCapability: DisplayOnly, mitm: true }, agent: people.peripheral },
    });
    expect(await link.peripheral.manager.pair()).toMatchObject({ method: "passkey-entry", authenticated: true });
    expect(link.codes()).toMatch(/^<0b >01 <02 /);
  });

  test("asks for no consent of the side that asked for the pairing itself", async () => {
    const asked: string[] = [];
    const agent = (role: string) => ({
      confirm: (): Promise<boolean> => {
        asked.push(role);
        return Promise.resolve(true);
      },
    });
    using link = new SmpLink({
      central: { agent: agent("central") },
      peripheral: { agent: agent("peripheral"), policy: { pairable: false } },
    });
    await link.peripheral.manager.pair();
    expect(asked).toEqual(["central"]);
  });

  test("of a central that is not pairable is refused", async () => {
    using link = new SmpLink({ central: { policy: { pairable: false } } });
    await expect(link.peripheral.manager.pair()).rejects.toMatchObject({ reason: 0x05, side: "peer" });
    expect(link.central.failures).toMatchObject([{ reason: 0x05, side: "local" }]);
    expect(link.clock.pending).toEqual([]);
  });

  test("that is ignored fails after 30 s and leaves the link able to pair", async () => {
    using link = new SmpLink();
    link.fault = ({ from, pdu }) => (from === "peripheral" && pdu[0] === 0x0b ? [] : [pdu]);
    await expect(link.peripheral.manager.pair()).rejects.toMatchObject({ code: "ERR_TIMEOUT", operation: "Security Request" });
    expect(link.clock.now()).toBe(30_000);
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
  });

  test("encrypt() of a peripheral asks the central, who may pair", async () => {
    using link = new SmpLink();
    await link.peripheral.manager.encrypt();
    await link.settle();
    expect(link.peripheral.reports).toHaveLength(1);
    expect(link.clock.pending).toEqual([]);
  });

  test("of an encrypted link is ignored unless it asks for more", async () => {
    const people = user();
    using link = new SmpLink({
      central: { policy: { ioCapability: KeyboardDisplay }, agent: people.central },
      peripheral: { policy: { ioCapability: DisplayOnly }, agent: people.peripheral },
    });
    await link.central.manager.pair();
    await link.settle();
    const count = link.sent.length;
    link.deliver("central", Uint8Array.of(0x0b, 0x01));
    await link.settle();
    expect(link.sent).toHaveLength(count);
    expect(await link.peripheral.manager.pair({ policy: { mitm: true } })).toMatchObject({ authenticated: true });
    await link.settle();
    expect(link.central.security.authenticated).toBe(true);
  });
});

test("a bond removed while the link is there is not used any more", async () => {
  using first = new SmpLink();
  await first.central.manager.pair();
  await first.settle();
  using link = new SmpLink({ central: { bond: first.central.bond }, peripheral: { bond: first.peripheral.bond } });
  link.peripheral.forget();
  await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_BOND_LOST", side: "peer" });
  link.central.forget();
  await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("a handler that throws does not stop the pairing", async () => {
  const thrown: unknown[] = [];
  const listener = (error: unknown): void => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", listener);
  try {
    const more = {
      onSecurity: () => {
        throw new Error("in a handler");
      },
    };
    using link = new SmpLink({ central: { more } });
    expect(await link.central.manager.pair()).toMatchObject({ bonded: true });
    await link.settle();
    expect(thrown).toHaveLength(2);
  } finally {
    process.off("uncaughtException", listener);
    for (const other of others) process.on("uncaughtException", other);
  }
});

test("a central without a key to encrypt with is told to pair", async () => {
  using link = new SmpLink();
  await expect(link.central.manager.encrypt()).rejects.toMatchObject({ code: "ERR_STATE" });
});

test("pairing again on an encrypted link replaces the keys", async () => {
  using link = new SmpLink();
  await link.central.manager.pair();
  await link.settle();
  const before = link.central.bond!;
  await link.central.manager.pair();
  await link.settle();
  expect(link.central.bond!.peerLtk).not.toEqual(before.peerLtk);
  keysMatch(link.central.bond!, link.peripheral.bond!);
});

test("equal seeds give equal octets", async () => {
  const run = async (seed: number): Promise<string> => {
    using link = new SmpLink({ seed });
    await link.central.manager.pair();
    await link.settle();
    return link.sent.map(({ pdu }) => toHex(pdu)).join();
  };
  expect(await run(1)).toBe(await run(1));
  expect(await run(1)).not.toBe(await run(2));
});

test("every PDU sent decodes", async () => {
  using link = new SmpLink({ central: { policy: { secureConnections: false } } });
  await link.central.manager.pair();
  await link.settle();
  for (const { pdu } of link.sent) expect(decodeSmp(pdu)).toMatchObject({ kind: "pdu" });
});
