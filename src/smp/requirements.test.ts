import { describe, expect, test } from "vitest";
import { type LinkSecurity, NO_SECURITY } from "../att/security.ts";
import type { LinkKeys } from "./bonding.ts";
import { AuthReq, DEFAULT_PAIRING_POLICY } from "./policy.ts";
import { answerTo, covers, fulfils, isMitmMissing, satisfies, shortfallOf, unfit } from "./requirements.ts";
import { IoCapability, type LongTermKey, type PairingPolicy, type PairingReport } from "./types.ts";

// What a policy demands of links, keys and pairings, one demand at a time.

const policy = (more: Partial<PairingPolicy> = {}): PairingPolicy => ({ ...DEFAULT_PAIRING_POLICY, ...more });
const BEST: LinkSecurity = { encrypted: true, authenticated: true, secureConnections: true, keySize: 16, bonded: true };
const link = (more: Partial<LinkSecurity> = {}): LinkSecurity => ({ ...BEST, ...more });
const LTK: LongTermKey = { key: new Uint8Array(16), ediv: 0, rand: new Uint8Array(8), keySize: 16 };
const KEYS: LinkKeys = { localLtk: LTK, peerLtk: LTK, authenticated: true, secureConnections: true, bonded: true };
const keys = (more: Partial<LinkKeys> = {}): LinkKeys => ({ ...KEYS, ...more });
const capable = { ioCapability: IoCapability.KeyboardDisplay };
const DEMANDS: [string, Partial<PairingPolicy>, Partial<LinkSecurity>][] = [
  ["a longer key", { minKeySize: 16 }, { keySize: 15 }],
  ["authentication", { ...capable, requireAuthentication: true }, { authenticated: false }],
  ["Secure Connections", { secureConnectionsOnly: true }, { secureConnections: false }],
];

describe.each(DEMANDS)("a policy that demands %s", (_what, demand, lack) => {
  test("is met by a link that has it, and by no other", () => {
    expect(satisfies(link(), policy(demand))).toBe(true);
    expect(satisfies(link(lack), policy(demand))).toBe(false);
    expect(satisfies(link(lack), policy({ minKeySize: 7 }))).toBe(true);
    expect(satisfies({ ...NO_SECURITY, keySize: 16, authenticated: true, secureConnections: true }, policy(demand))).toBe(false);
  });

  test("says what an encrypted link lacks", () => {
    expect(shortfallOf(link(), policy(demand))).toBeUndefined();
    const reason = "keySize" in lack ? 0x06 : 0x03;
    expect(shortfallOf(link(lack), policy(demand))).toMatchObject({ code: "ERR_PAIRING", side: "local", reason });
    expect(shortfallOf(link(lack), policy({ minKeySize: 7 }))).toBeUndefined();
  });

  test("takes no key without it", () => {
    const { keySize = 16, ...rest } = lack;
    expect(unfit(keys(), LTK, policy(demand))).toBeUndefined();
    const reason = "keySize" in lack ? 0x06 : 0x03;
    expect(unfit(keys(rest), { ...LTK, keySize }, policy(demand))).toMatchObject({ code: "ERR_PAIRING", side: "local", reason });
    expect(unfit(keys(rest), { ...LTK, keySize }, policy({ minKeySize: 7 }))).toBeUndefined();
  });

  test("is not fulfilled by a pairing that did not give it", () => {
    const report: PairingReport = {
      method: "passkey-entry",
      secureConnections: true,
      authenticated: true,
      bonded: true,
      keySize: 16,
      localKeys: [],
      peerKeys: [],
      refused: [],
      peerIdentity: undefined as never,
    };
    expect(fulfils(report, policy(demand))).toBe(true);
    const { encrypted: _, ...less } = lack;
    expect(fulfils({ ...report, ...less }, policy(demand))).toBe(false);
  });
});

test("no key is no key", () => {
  for (const [have, ltk] of [
    [undefined, LTK],
    [keys(), undefined],
  ] as const)
    expect(unfit(have, ltk, policy())).toMatchObject({ code: "ERR_STATE" });
});

test("protection against a man in the middle is missed where it was asked for and could be had", () => {
  const { NoInputNoOutput, DisplayOnly } = IoCapability;
  expect(isMitmMissing(false, { mitm: true, ioCapability: DisplayOnly })).toBe(true);
  expect(isMitmMissing(true, { mitm: true, ioCapability: DisplayOnly })).toBe(false);
  expect(isMitmMissing(false, { mitm: false, ioCapability: DisplayOnly })).toBe(false);
  expect(isMitmMissing(false, { mitm: true, ioCapability: NoInputNoOutput })).toBe(false);
  expect(satisfies(link({ authenticated: false }), policy({ ...capable, mitm: true }))).toBe(false);
});

test("who asks for something waits for a pairing only where that brings it, and takes no liberties that were not given", () => {
  const stricter: Partial<PairingPolicy>[] = [
    { mitm: true },
    { mitm: true, requireAuthentication: true },
    { secureConnectionsOnly: true },
    { minKeySize: 16 },
  ];
  const lax = policy({ minKeySize: 7 });
  for (const more of stricter) {
    expect([more, covers({ ...lax, ...more }, lax)]).toEqual([more, true]);
    expect([more, covers(lax, { ...lax, ...more })]).toEqual([more, false]);
    expect([more, covers({ ...lax, ...more }, { ...lax, ...more })]).toEqual([more, true]);
  }
  expect(covers({ ...lax, requireAuthentication: true }, { ...lax, mitm: true })).toBe(true);
  for (const liberty of ["allowDowngrade", "allowEqualReplacement", "allowDebugKey"] as const) {
    expect([liberty, covers({ ...lax, [liberty]: true }, lax)]).toEqual([liberty, false]);
    expect([liberty, covers(lax, { ...lax, [liberty]: true })]).toEqual([liberty, true]);
  }
  for (const other of [
    { ioCapability: IoCapability.DisplayOnly },
    { bonding: false },
    { secureConnections: false },
    { maxKeySize: 8 },
    { localKeys: 1 },
    { peerKeys: 1 },
  ]) {
    expect([other, covers({ ...lax, ...other }, lax), covers(lax, { ...lax, ...other })]).toEqual([other, false, false]);
  }
});

test("a pairing fulfils what it gave: not a longer key than asked for, not more or less than one bond, of the kind asked for", () => {
  const report = { secureConnections: true, authenticated: false, bonded: true, keySize: 16 } as PairingReport;
  expect(fulfils(report, policy())).toBe(true);
  expect(fulfils(report, policy({ minKeySize: 7, maxKeySize: 15 }))).toBe(false);
  expect(fulfils(report, policy({ bonding: false }))).toBe(false);
  expect(fulfils({ ...report, bonded: false }, policy())).toBe(false);
  expect(fulfils({ ...report, secureConnections: false }, policy())).toBe(false);
  expect(fulfils(report, policy({ ...capable, mitm: true }))).toBe(false);
});

describe("what a Security Request calls for (Vol 3 Part H 2.4.6)", () => {
  const at = (more: Partial<Parameters<typeof answerTo>[1]> = {}) => ({
    security: NO_SECURITY,
    keys: undefined,
    policy: policy(capable),
    isBondLost: false,
    ...more,
  });
  const { Mitm } = AuthReq;

  test("on an encrypted link nothing, or a pairing that brings the protection that is missing", () => {
    const plain = { encrypted: true, authenticated: false, secureConnections: true, keySize: 16, bonded: true };
    expect(answerTo(0, at({ security: plain }))).toEqual({ act: "nothing", requireAuthentication: false });
    expect(answerTo(Mitm, at({ security: plain }))).toEqual({ act: "pair", requireAuthentication: true });
    expect(answerTo(Mitm, at({ security: { ...plain, authenticated: true } }))).toEqual({ act: "nothing", requireAuthentication: false });
  });

  test("where no pairing insists, what is missing is asked for and not demanded", () => {
    const lenient = policy({ ...capable, requireAuthentication: false });
    const plain = { encrypted: true, authenticated: false, secureConnections: true, keySize: 16, bonded: true };
    expect(answerTo(Mitm, at({ policy: lenient, security: plain }))).toEqual({ act: "pair", requireAuthentication: false });
    expect(answerTo(Mitm, at({ policy: lenient, keys: keys({ authenticated: false }) }))).toEqual({
      act: "encrypt",
      requireAuthentication: false,
    });
  });

  test("with a key that is good enough its use, and a pairing after it where more is asked for", () => {
    expect(answerTo(0, at({ keys: keys() }))).toEqual({ act: "encrypt", requireAuthentication: false });
    expect(answerTo(Mitm, at({ keys: keys() }))).toEqual({ act: "encrypt", requireAuthentication: false });
    expect(answerTo(Mitm, at({ keys: keys({ authenticated: false }) }))).toEqual({ act: "encrypt", requireAuthentication: true });
  });

  test("without a key, or with one that the policy does not take, a pairing", () => {
    expect(answerTo(Mitm, at())).toEqual({ act: "pair", requireAuthentication: false });
    expect(answerTo(0, at({ keys: keys({ peerLtk: undefined }) }))).toEqual({ act: "pair", requireAuthentication: false });
    const short = { ...LTK, keySize: 7 };
    expect(answerTo(0, at({ keys: keys({ peerLtk: short }) }))).toEqual({ act: "pair", requireAuthentication: false });
  });

  test("with a key that the peer has lost a refusal, or a pairing that brings what the bond did not have", () => {
    expect(answerTo(0, at({ keys: keys(), isBondLost: true }))).toEqual({ act: "refuse", requireAuthentication: false });
    const unauthenticated = keys({ authenticated: false });
    expect(answerTo(0, at({ keys: unauthenticated, isBondLost: true }))).toEqual({ act: "refuse", requireAuthentication: false });
    expect(answerTo(Mitm, at({ keys: unauthenticated, isBondLost: true }))).toEqual({ act: "pair", requireAuthentication: true });
  });
});
