import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/virtual-clock.ts";
import { Address } from "../src/core/address.ts";
import { randomBytes, SeededRandom } from "../src/core/random.ts";
import { f4 } from "../src/crypto/index.ts";
import { agree, isRefusal, requestFor, responseFor } from "../src/smp/features.ts";
import {
  type Bond,
  completePolicy,
  createOutOfBandData,
  IoCapability,
  LocalOutOfBand,
  type OutOfBandData,
  type PairingPolicy,
} from "../src/smp/index.ts";
import { covers, isMitmMissing } from "../src/smp/requirements.ts";
import { enterSecureConnections } from "../src/smp/secure-connections.ts";
import { drawSecrets, type Session } from "../src/smp/state.ts";
import { type EndOptions, type Role, SmpLink } from "./smp-link.ts";

const { DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay } = IoCapability;
const CAPABILITIES = [DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput, KeyboardDisplay];

const key = (seed: number): Uint8Array => randomBytes(new SeededRandom(seed, "oob"), 16);
const clock = new VirtualClock();
const local = (seed = 3, more: Partial<{ lifetimeMs: number; temporaryKey: boolean; clock: VirtualClock }> = {}): LocalOutOfBand =>
  new LocalOutOfBand({ clock, random: new SeededRandom(seed, "local"), lifetimeMs: 600_000, temporaryKey: false, ...more });
const dataOf = ({ random, confirm, temporaryKey }: LocalOutOfBand): OutOfBandData => createOutOfBandData({ random, confirm, temporaryKey });

// --- tables 2.6, 2.7 and 2.8 of Vol 3 Part H, written down once more ------------------------------------------------------------------

// A row for each responder, initiators as in CAPABILITIES: J Just Works, N numeric comparison, i/r who shows the passkey, b both type.
const LEGACY = ["JJrJr", "JJrJr", "iibJi", "JJJJJ", "iirJi"];
const SECURE = ["JJrJr", "JNrJN", "iibJi", "JJJJJ", "iNrJN"];
const METHODS = { J: "just-works", N: "numeric-comparison", i: "passkey-entry", r: "passkey-entry", b: "passkey-entry", O: "out-of-band" };

interface Side {
  readonly io: number;
  readonly oob: boolean;
  readonly mitm: boolean;
}

function expected(a: Side, b: Side, secure: boolean): keyof typeof METHODS {
  if (secure ? a.oob || b.oob : a.oob && b.oob) return "O";
  if (!a.mitm && !b.mitm) return "J";
  return (secure ? SECURE : LEGACY)[CAPABILITIES.indexOf(b.io as 0)]![CAPABILITIES.indexOf(a.io as 0)] as keyof typeof METHODS;
}

function sessionOf(role: Role, side: Side, secure: boolean, own: LocalOutOfBand, peer: LocalOutOfBand): Session {
  const outOfBand = secure ? dataOf(peer) : createOutOfBandData({ temporaryKey: key(9) });
  const policy = completePolicy({
    ioCapability: side.io as IoCapability,
    mitm: side.mitm,
    secureConnections: secure,
    requireOutOfBand: false,
    ...(side.oob && { outOfBand }),
  });
  const address = Address.from("00:23:F7:01:02:03/public");
  return {
    role,
    initiator: address,
    responder: address,
    identity: { address, irk: key(1) },
    policy,
    secrets: drawSecrets(new SeededRandom(1, role)),
    isProved: false,
    wanted: true,
    localOutOfBand: own,
  };
}

const sides: Side[] = CAPABILITIES.flatMap((io) => [false, true].flatMap((oob) => [false, true].map((mitm) => ({ io, oob, mitm }))));

test.each(["legacy", "secure"] as const)(
  "%s: the method of all 400 pairs of IO capability, OOB data and MITM, as both sides see it",
  (kind) => {
    const secure = kind === "secure";
    const [a, b] = [local(3), local(4)];
    for (const initiator of sides)
      for (const responder of sides) {
        const central = sessionOf("central", initiator, secure, a, b);
        const peripheral = sessionOf("peripheral", responder, secure, b, a);
        const request = requestFor(central);
        const response = responseFor(peripheral, request);
        expect([request.oobDataFlag, response.oobDataFlag]).toEqual([Number(initiator.oob), Number(responder.oob)]);
        const [one, other] = [agree(central, request, response), agree(peripheral, request, response)];
        if (isRefusal(one) || isRefusal(other)) throw new Error("refused");
        const want = expected(initiator, responder, secure);
        const which = JSON.stringify({ initiator, responder });
        expect([one.method, other.method], which).toEqual([METHODS[want], METHODS[want]]);
        expect(one.secureConnections, which).toBe(secure);
        const shows = [one, other].map(({ passkeyHere, method }) => method === "passkey-entry" && passkeyHere === "displayed");
        expect(shows, which).toEqual([want === "i", want === "r"]);
      }
  },
);

// --- whole pairings -----------------------------------------------------------------------------------------------------------------

interface Setup {
  readonly central?: EndOptions;
  readonly peripheral?: EndOptions;
}
const has = (policy: Partial<PairingPolicy>, own?: LocalOutOfBand): EndOptions => ({
  policy,
  more: { localOutOfBand: () => own },
});
const noData = { ioCapability: NoInputNoOutput };

function sameKeys(central: Bond, peripheral: Bond): void {
  expect(central.peerLtk).toEqual(peripheral.localLtk);
  expect(central).toMatchObject({ method: "out-of-band", authenticated: true });
  expect(peripheral).toMatchObject({ method: "out-of-band", authenticated: true });
}

describe("LE Secure Connections", () => {
  const cases: [string, (a: LocalOutOfBand, b: LocalOutOfBand) => Setup][] = [
    ["both have the other's data", (a, b) => ({ central: has({ outOfBand: dataOf(b) }, a), peripheral: has({ outOfBand: dataOf(a) }, b) })],
    ["the central has the peripheral's", (a, b) => ({ central: has({ outOfBand: dataOf(b) }, a), peripheral: has(noData, b) })],
    ["the peripheral has the central's", (a, b) => ({ central: has(noData, a), peripheral: has({ outOfBand: dataOf(a) }, b) })],
    [
      "the central has the peripheral's and nothing of its own",
      (_, b) => ({ central: has({ outOfBand: dataOf(b) }), peripheral: has(noData, b) }),
    ],
  ];
  test.each(cases)("%s (2.3.5.6.4)", async (_, setup) => {
    const [a, b] = [local(3), local(4)];
    const { central, peripheral } = setup(a, b);
    using link = new SmpLink({ central: central!, peripheral: peripheral! });
    const report = await link.central.manager.pair();
    await link.settle();
    expect(report).toMatchObject({ method: "out-of-band", secureConnections: true, authenticated: true, keySize: 16, refused: [] });
    expect(link.peripheral.security).toMatchObject({ authenticated: true, secureConnections: true, bonded: true });
    sameKeys(link.central.bond!, link.peripheral.bond!);
    // Request, response, public keys, and then the nonces without a Pairing Confirm; the check values follow.
    expect(link.codes()).toMatch(/^>01 <02 >0c <0c >04 <04 >0d <0d /);
    expect(link.clock.pending).toEqual([]);
  });

  test("the public keys are those of the data where the peer has them, and fresh ones where it has not", async () => {
    const [a, b] = [local(3), local(4)];
    using link = new SmpLink({ central: has({ outOfBand: dataOf(b) }, a), peripheral: has(noData, b) });
    await link.central.manager.pair();
    const [ofCentral, ofPeripheral] = link.sent.filter(({ pdu }) => pdu[0] === 0x0c).map(({ pdu }) => pdu.slice(1, 33).reverse());
    expect(ofPeripheral).toEqual(b.keyPair.publicKey.x);
    expect(ofCentral).not.toEqual(a.keyPair.publicKey.x);
    expect([a.isUsable, b.isUsable]).toEqual([true, false]);
  });

  test("C is f4(PK, PK, r, 0) of the own key (2.3.5.6.4)", () => {
    const { keyPair, random, confirm } = local(5);
    const { x } = keyPair.publicKey;
    expect(confirm).toEqual(f4(x, x, random, 0));
    expect(random).not.toEqual(local(6).random);
  });

  test.each([
    ["confirm", "central", 0x04],
    ["random", "central", 0x04],
    ["confirm", "peripheral", 0x04],
    ["random", "peripheral", 0x04],
  ] as const)("a wrong %s at the %s: Confirm Value Failed, and no key comes into use", async (field, at, reason) => {
    const [a, b] = [local(3), local(4)];
    const damage = (data: OutOfBandData): OutOfBandData => createOutOfBandData({ ...data, [field]: key(77) });
    const ofB = at === "central" ? damage(dataOf(b)) : dataOf(b);
    const ofA = at === "peripheral" ? damage(dataOf(a)) : dataOf(a);
    using link = new SmpLink({ central: has({ outOfBand: ofB }, a), peripheral: has({ outOfBand: ofA }, b) });
    const side = at === "central" ? "local" : "peer";
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason, side });
    await link.settle();
    expect(link.isEncrypted).toBe(false);
    expect([link.central.bond, link.peripheral.bond]).toEqual([undefined, undefined]);
    expect([a.isUsable, b.isUsable]).toEqual([false, false]);
  });

  test.each(["central", "peripheral"] as const)("a peer that claims to have r of the %s and does not: DHKey Check Failed", async (at) => {
    // The peer knows nothing of r: it has data of another making, as somebody who only saw the address.
    const [a, b] = [local(3), local(4)];
    const random = key(50);
    const ownerX = (at === "central" ? a : b).keyPair.publicKey.x;
    const guessed = createOutOfBandData({ random, confirm: f4(ownerX, ownerX, random, 0) });
    using link = new SmpLink({
      central: at === "central" ? has(noData, a) : has({ outOfBand: guessed }, a),
      peripheral: at === "central" ? has({ outOfBand: guessed }, b) : has(noData, b),
    });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x0b });
    await link.settle();
    expect(link.isEncrypted).toBe(false);
  });

  test.each([
    ["none was given", () => undefined],
    ["it was used", () => spent()],
    ["its time is over", () => local(3, { lifetimeMs: 0 })],
  ])("OOB Not Available where the peer has data of this side, and %s", async (_, own) => {
    using link = new SmpLink({ central: has({ outOfBand: dataOf(local(8)) }), peripheral: has(noData, own()) });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x02, side: "peer" });
    expect(link.codes()).toBe(">01 <05");
    await link.settle();
  });

  test("the central refuses in the same way when the response has the flag", async () => {
    using link = new SmpLink({ central: has(noData), peripheral: has({ outOfBand: dataOf(local(8)) }) });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x02, side: "local" });
    expect(link.codes()).toBe(">01 <02 >05");
    await link.settle();
  });

  test("data are good for one pairing: what succeeded with them cannot be done again", async () => {
    const b = local(4);
    const setup = (): SmpLink => new SmpLink({ central: has({ outOfBand: dataOf(b) }), peripheral: has(noData, b) });
    using first = setup();
    await first.central.manager.pair();
    await first.settle();
    using second = setup();
    await expect(second.central.manager.pair()).rejects.toMatchObject({ reason: 0x02, side: "peer" });
    await second.settle();
  });

  test("data that another link uses meanwhile are not used twice", async () => {
    const b = local(4);
    const [one, other] = [0, 1].map(() => new SmpLink({ central: has({ outOfBand: dataOf(b) }), peripheral: has(noData, b) }));
    using _ = one!;
    using __ = other!;
    const outcomes = Promise.allSettled([one!.central.manager.pair(), other!.central.manager.pair()]);
    await one!.settle();
    await other!.settle();
    expect((await outcomes).map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  const outOfOrder: [string, number][] = [
    ["Pairing Confirm in place of the nonce", 0x03],
    ["DHKey Check in place of the nonce", 0x0d],
    ["the public key again", 0x0c],
    ["Encryption Information", 0x06],
  ];
  test.each(outOfOrder)("%s ends it: Unspecified Reason", async (_, code) => {
    const [a, b] = [local(3), local(4)];
    const lengths: Record<number, number> = { 3: 17, 13: 17, 12: 65, 6: 17 };
    using link = new SmpLink({ central: has({ outOfBand: dataOf(b) }, a), peripheral: has({ outOfBand: dataOf(a) }, b) });
    link.fault = ({ from, pdu }) => (from === "central" && pdu[0] === 0x04 ? [new Uint8Array(lengths[code]!).fill(code)] : [pdu]);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x08, side: "peer" });
    await link.settle();
    expect(link.isEncrypted).toBe(false);
  });
});

function spent(): LocalOutOfBand {
  const used = local(3);
  used.spend();
  return used;
}

describe("legacy", () => {
  const withKey = (seed: number): EndOptions =>
    has({ secureConnections: false, outOfBand: createOutOfBandData({ temporaryKey: key(seed) }) });

  test("both have the temporary key, all 128 bits of it (2.3.5.4)", async () => {
    using link = new SmpLink({ central: withKey(9), peripheral: withKey(9) });
    const report = await link.central.manager.pair();
    await link.settle();
    expect(report).toMatchObject({ method: "out-of-band", secureConnections: false, authenticated: true, refused: [] });
    sameKeys(link.central.bond!, link.peripheral.bond!);
    expect(link.codes()).toMatch(/^>01 <02 >03 <03 >04 <04 /);
    for (const index of [0, 1]) expect(link.sent[index]!.pdu[2]).toBe(1);
  });

  test("keys that differ: Confirm Value Failed", async () => {
    using link = new SmpLink({ central: withKey(9), peripheral: withKey(10) });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x04, side: "peer" });
    await link.settle();
    expect(link.isEncrypted).toBe(false);
  });

  test("the temporary key of the side that made it is used up with it", async () => {
    const own = local(3, { temporaryKey: true });
    const { temporaryKey } = own;
    const setup = (): SmpLink =>
      new SmpLink({
        central: has({ secureConnections: false, outOfBand: createOutOfBandData({ temporaryKey }) }),
        peripheral: has({ requireOutOfBand: true }, own),
      });
    using first = setup();
    expect(await first.central.manager.pair()).toMatchObject({ method: "out-of-band", secureConnections: false });
    expect(own.isUsable).toBe(false);
    await first.settle();
    using second = setup();
    await expect(second.central.manager.pair()).rejects.toMatchObject({ reason: 0x02, side: "peer" });
    await second.settle();
  });

  test("a temporary key alone is of legacy pairing, whatever else the policy offers", async () => {
    const policy = { outOfBand: createOutOfBandData({ temporaryKey: key(9) }) };
    using link = new SmpLink({ central: has(policy), peripheral: has(policy) });
    expect(await link.central.manager.pair()).toMatchObject({ method: "out-of-band", secureConnections: false });
    expect(link.sent[0]!.pdu[3]! & 0x08).toBe(0);
    await link.settle();
  });

  test("both have data for Secure Connections, and the peer does not do that: OOB Not Available, for want of a temporary key", async () => {
    using link = new SmpLink({ central: has({ outOfBand: dataOf(local(3)) }), peripheral: withKey(9) });
    await expect(link.central.manager.pair()).rejects.toMatchObject({ reason: 0x02, side: "local" });
    await link.settle();
  });
});

describe("who asks for out-of-band data gets nothing less", () => {
  const temporaryKey = createOutOfBandData({ temporaryKey: key(9) });
  test.each<[string, Setup]>([
    [
      "a central whose legacy peer has no data",
      { central: has({ outOfBand: temporaryKey }), peripheral: has({ secureConnections: false }) },
    ],
    [
      "a peripheral whose legacy peer has no data",
      { central: has({ secureConnections: false }), peripheral: has({ outOfBand: temporaryKey }) },
    ],
    [
      "a peripheral that must have it, of a peer that has none",
      { central: has(noData), peripheral: has({ requireOutOfBand: true }, local(4)) },
    ],
    ["a central that must have it", { central: has({ requireOutOfBand: true }, local(3)), peripheral: has(noData) }],
  ])("%s", async (_, setup) => {
    using link = new SmpLink(setup);
    await expect(link.central.manager.pair()).rejects.toMatchObject({ code: "ERR_PAIRING", reason: 0x02 });
    await link.settle();
    expect(link.isEncrypted).toBe(false);
  });

  test("unless it says that something else will do: then by the tables, and the report says so", async () => {
    using link = new SmpLink({
      central: has({ outOfBand: temporaryKey, requireOutOfBand: false }),
      peripheral: has({ secureConnections: false }),
    });
    expect(await link.central.manager.pair()).toMatchObject({ method: "just-works", authenticated: false });
    await link.settle();
    expect(link.peripheral.reports[0]!.refused).toContain("The peer has out-of-band data; this side has none to use with it.");
  });

  test("pair({ outOfBand }) gives the data for one pairing, and does not join one without", async () => {
    const b = local(4);
    using link = new SmpLink({ central: has(noData), peripheral: has(noData, b) });
    const plain = link.central.manager.pair();
    const banded = link.central.manager.pair({ outOfBand: dataOf(b) });
    await link.settle(5000);
    expect(await plain).toMatchObject({ method: "just-works" });
    expect(await banded).toMatchObject({ method: "out-of-band", authenticated: true });
  });

  test("a Security Request that asks for protection leads to a pairing with the data, though there is neither input nor output", async () => {
    const b = local(4);
    using link = new SmpLink({ central: has({ outOfBand: dataOf(b) }), peripheral: has({ mitm: true }, b) });
    expect(await link.peripheral.manager.pair()).toMatchObject({ method: "out-of-band" });
    await link.settle();
  });
});

describe("what a program gives", () => {
  const good = { random: key(1), confirm: key(2) };
  test.each<[string, unknown]>([
    ["nothing", {}],
    ["an unknown name", { ...good, tk: key(3) }],
    ["random without confirm", { random: key(1) }],
    ["confirm without random", { confirm: key(1) }],
    ["a short random", { ...good, random: key(1).subarray(1) }],
    ["a long confirm", { ...good, confirm: new Uint8Array(17) }],
    ["text", { ...good, confirm: "00" }],
    ["a short temporary key", { temporaryKey: Uint8Array.of(1, 2, 3) }],
    ["a temporary key of zeros, which is Just Works", { temporaryKey: new Uint8Array(16) }],
    ["a role that there is not", { ...good, role: 4 }],
    ["an address that is none", { ...good, address: "C0:11:22:33:44:55" }],
    ["no object", "data"],
  ])("%s is refused", (_, outOfBand) => {
    expect(() => completePolicy({ outOfBand: outOfBand as OutOfBandData })).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("a temporary key alone cannot be had with Secure Connections only", () => {
    const outOfBand = createOutOfBandData({ temporaryKey: key(1) });
    expect(() => completePolicy({ secureConnectionsOnly: true, outOfBand })).toThrow("legacy");
    expect(completePolicy({ secureConnectionsOnly: true, outOfBand: createOutOfBandData(good) }).outOfBand).toBeDefined();
  });

  test("what is printed shows no secret", () => {
    const address = Address.from("C0:11:22:33:44:55/random");
    const data = createOutOfBandData({ ...good, address, role: 0, temporaryKey: key(3) });
    const shown = { address: "C0:11:22:33:44:55/random", role: 0, holds: "random and confirm, temporary key" };
    expect(JSON.parse(JSON.stringify(data))).toEqual(shown);
    expect(inspect(data)).toBe(inspect(shown));
    expect(inspect(local(1))).not.toContain(String(local(1).keyPair.publicKey.x[0]).repeat(3));
  });
});

describe("one by one", () => {
  const policy = (more: Partial<PairingPolicy>): PairingPolicy => completePolicy(more);

  test("who must have it does not join a pairing without, and what others have is not taken for it", () => {
    expect(covers(policy({}), policy({ requireOutOfBand: true }))).toBe(false);
    expect(covers(policy({ requireOutOfBand: true }), policy({}))).toBe(true);
    const outOfBand = dataOf(local(3));
    expect(covers(policy({ outOfBand }), policy({ outOfBand }))).toBe(true);
    expect(covers(policy({ outOfBand }), policy({ outOfBand: dataOf(local(4)) }))).toBe(false);
  });

  test("protection is missed by a side without input and output that has data", () => {
    const missed = (more: Partial<PairingPolicy>): boolean => isMitmMissing(false, policy({ mitm: true, ...more }));
    expect([missed({}), missed({ outOfBand: dataOf(local(3)) })]).toEqual([false, true]);
  });

  test("data that were used between the agreement and the public key are not used again", () => {
    const own = local(3);
    const side = { io: NoInputNoOutput, oob: false, mitm: false };
    const session = sessionOf("peripheral", side, true, own, local(4));
    const request = requestFor(sessionOf("central", { ...side, oob: true }, true, local(4), own));
    const agreement = agree(session, request, responseFor(session, request));
    if (isRefusal(agreement)) throw new Error("refused");
    expect(enterSecureConnections(session, agreement)[0].at).toBe("public-key");
    own.spend();
    expect(enterSecureConnections(session, agreement)[0]).toMatchObject({ at: "failed", reason: 0x02, side: "local" });
  });

  test("a peripheral that must have it is not content with the central's old key", async () => {
    using first = new SmpLink();
    await Promise.all([first.central.manager.pair(), first.settle()]);
    using link = new SmpLink({ central: { bond: first.central.bond }, peripheral: { bond: first.peripheral.bond } });
    const failed = expect(link.peripheral.manager.pair({ policy: { requireOutOfBand: true } })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
    await link.settle(31_000);
    await failed;
    expect(link.isEncrypted).toBe(true);
  });
});
