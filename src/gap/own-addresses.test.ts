import { describe, expect, test } from "vitest";
import { delay } from "../async/clock.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { AesKey, createRpa, resolveRpa } from "../crypto/index.ts";
import { OwnAddresses, type OwnAddressesOptions } from "./own-addresses.ts";
import { isPlaceholderAddress } from "./placeholder-address.ts";
import { isSamePeer } from "./same-peer.ts";

const PUBLIC = Address.from("00:11:22:33:44:55");
const STATIC = Address.from("C0:11:22:33:44:55/random");
const OTHER = Address.from("C0:11:22:33:44:66/random");
const PRIVATE = Address.from("4A:00:00:00:00:01/random");
const NONE = Address.from("00:00:00:00:00:00");
const IRK = new Uint8Array(16).fill(7);

function own(options: Partial<OwnAddressesOptions> = {}): OwnAddresses {
  return new OwnAddresses({ clock: new VirtualClock(), random: new SeededRandom(1), publicAddress: PUBLIC, ...options });
}

describe("the identity", () => {
  test("is the public address, else the static one, or what is chosen", () => {
    expect(own().identity).toBe(PUBLIC);
    expect(own({ identity: PUBLIC }).identity).toBe(PUBLIC);
    expect(own({ identity: "random", staticAddress: STATIC }).identity).toBe(STATIC);
    expect(own({ identity: STATIC }).identity).toBe(STATIC);
    expect(own({ publicAddress: NONE, staticAddress: STATIC }).identity).toBe(STATIC);
    expect(own({ staticAddress: STATIC }).identity).toBe(PUBLIC);
    expect([own().defaultKind, own({ identity: STATIC }).defaultKind]).toEqual(["public", "random"]);
  });

  test("of a controller without a public address goes with the identity resolving key", () => {
    const one = own({ publicAddress: NONE, irk: IRK });
    const again = own({ publicAddress: NONE, irk: IRK, random: new SeededRandom(2) });
    const else1 = own({ publicAddress: NONE, irk: new Uint8Array(16).fill(8) });
    expect(one.identity.isStaticRandom).toBe(true);
    expect([one.identity.equals(again.identity), one.identity.equals(else1.identity)]).toEqual([true, false]);
    expect(own({ publicAddress: NONE }).identity.equals(own({ publicAddress: NONE, random: new SeededRandom(2) }).identity)).toBe(false);
    expect(() => one.current("public")).toThrow("no public address");
  });

  test.each<[string, Partial<OwnAddressesOptions>, string]>([
    ["a private one", { identity: PRIVATE }, "expected a public address or a static random one"],
    ["another public one", { identity: Address.from("00:11:22:33:44:66") }, `is ${PUBLIC} and cannot be chosen`],
    ["a public one where there is none", { identity: PUBLIC, publicAddress: NONE }, "is not set and cannot be chosen"],
    ["a word", { identity: "static" as never }, "own address"],
    ["a public one for the static one", { staticAddress: PUBLIC }, "static address: expected a static random Address"],
    ["a text for the static one", { staticAddress: "C0:11:22:33:44:55" as never }, "static address: expected a static random Address"],
    ["two static ones", { identity: STATIC, staticAddress: OTHER }, "expected one of them, or twice the same"],
    ["a short key", { irk: IRK.subarray(1) }, "identity resolving key of 15 octets: expected 16"],
    ["a rotation too fast", { privateAddressIntervalMs: 999 }, "private address interval 999"],
    ["a rotation too slow", { privateAddressIntervalMs: 3_600_001 }, "private address interval 3600001"],
  ])("is not %s", (_what, options, message) => {
    expect(() => own(options)).toThrow(message);
    expect(() => own(options)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });

  test("may be said twice", () => {
    expect(own({ identity: STATIC, staticAddress: STATIC }).staticAddress).toBe(STATIC);
  });
});

test("the key is kept as it was given, whatever becomes of the caller's octets", () => {
  const given = IRK.slice();
  const addresses = own({ irk: given });
  given.fill(0);
  expect(addresses.irk).toEqual(IRK);
  expect(resolveRpa(new AesKey(IRK), addresses.current("resolvable"))).toBe(true);
  expect(own().irk).toHaveLength(16);
});

test("private addresses are made when they are first shown, and are due after their time", async () => {
  using clock = new VirtualClock();
  const addresses = own({ clock, privateAddressIntervalMs: 1000 });
  expect(addresses.rotationDueInMs).toBe(0);
  const [resolvable, other] = [addresses.current("resolvable"), addresses.current("non-resolvable")];
  expect([resolvable.isResolvablePrivate, other.isResolvablePrivate, other.isIdentity]).toEqual([true, false, false]);
  expect(addresses.current("resolvable")).toBe(resolvable);
  expect(addresses.rotationDueInMs).toBe(1000);
  await delay(clock, 400);
  expect(addresses.rotationDueInMs).toBe(600);
  await delay(clock, 700);
  expect(addresses.rotationDueInMs).toBe(-100);
  addresses.rotate();
  expect([addresses.rotationDueInMs, addresses.current("resolvable").equals(resolvable)]).toEqual([1000, false]);
  expect(addresses.current("non-resolvable").equals(other)).toBe(false);
  expect(own().current("non-resolvable").isIdentity).toBe(false);
});

test("private addresses change with time, a non-resolvable one unless it is to stay", () => {
  const kinds = ["public", "random", "resolvable", "non-resolvable"] as const;
  expect(kinds.map((kind) => own().changesWithTime(kind))).toEqual([false, false, true, true]);
  expect(kinds.map((kind) => own({ nonResolvableAddress: "stays" }).changesWithTime(kind))).toEqual([false, false, true, false]);
  expect(() => own({ nonResolvableAddress: "goes" as "stays" })).toThrow('expected "changes", "stays"');
});

test("a non-resolvable address that stays outlives the resolvable ones, until a new one is asked for", () => {
  const addresses = own({ nonResolvableAddress: "stays" });
  const [first, resolvable] = [addresses.current("non-resolvable"), addresses.current("resolvable")];
  expect(first.isNonResolvablePrivate).toBe(true);
  addresses.rotate();
  expect(addresses.current("resolvable").equals(resolvable)).toBe(false);
  expect(addresses.current("non-resolvable")).toBe(first);
  const second = addresses.renewNonResolvable();
  expect([second.isNonResolvablePrivate, second.equals(first)]).toEqual([true, false]);
  expect(addresses.current("non-resolvable")).toBe(second);
});

test("a default of the firmware is no address, and one octet six times is none", () => {
  for (const text of ["00:00:00:00:00:00", "AA:AA:AA:AA:AA:AA", "FF:FF:FF:FF:FF:FF", "43:43:A0:12:1F:AC", "00:00:00:00:5A:AD"])
    expect([text, isPlaceholderAddress(Address.from(text))]).toEqual([text, true]);
  for (const text of ["00:00:00:00:00:01", "01:00:00:00:00:00", "00:00:01:00:00:00", "43:43:A0:12:1F:AD"])
    expect([text, isPlaceholderAddress(Address.from(text))]).toEqual([text, false]);
});

test("two addresses are of one device when they are the same, or lead to one identity", () => {
  const [mine, stranger] = [createRpa(IRK, new SeededRandom(1)), createRpa(new Uint8Array(16).fill(9), new SeededRandom(1))];
  const again = createRpa(IRK, new SeededRandom(2));
  const resolve = (address: Address): Address | undefined => (resolveRpa(new AesKey(IRK), address) ? PUBLIC : undefined);
  for (const [a, b, isSame] of [
    [PUBLIC, PUBLIC, true],
    [PUBLIC, mine, true],
    [mine, again, true],
    [mine, PUBLIC, true],
    [stranger, stranger, true],
    [PUBLIC, STATIC, false],
    [PUBLIC, stranger, false],
    [stranger, PRIVATE, false],
    [PUBLIC, new Address(PUBLIC.bytes, 1), false],
  ] as const)
    expect([String(a), String(b), isSamePeer(a, b, resolve)]).toEqual([String(a), String(b), isSame]);
});
