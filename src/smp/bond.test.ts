import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { bondFromJson, bondToJson, checkBond, createBond, describeBond } from "./bond.ts";
import type { Bond } from "./types.ts";

const key = (octet: number): Uint8Array => new Uint8Array(16).fill(octet);
const full: Bond = createBond({
  identity: Address.from("C0:11:22:33:44:55/random"),
  peerLtk: { key: key(0xa1), ediv: 0x1234, rand: fromHex("0102030405060708"), keySize: 16 },
  localLtk: { key: key(0xa2), ediv: 0, rand: new Uint8Array(8), keySize: 7 },
  peerIrk: key(0xa3),
  peerCsrk: key(0xa4),
  localCsrk: key(0xa5),
  localSignCounter: 7,
  peerSignCounter: 0x1_0000_0000,
  localIrkDistributed: true,
  localIdentity: Address.from("00:11:22:33:44:55/public"),
  authenticated: true,
  secureConnections: false,
  method: "passkey-entry",
  name: "Pump",
  cccd: { 12: 1, 65535: 2 },
  cccdOf: { 12: "180f/2a19" },
  databaseHash: "00112233445566778899aabbccddeeff",
  provisional: true,
  privacyMode: "network",
});
const least: Bond = createBond({
  identity: Address.from("00:11:22:33:44:56/public"),
  localIrkDistributed: false,
  authenticated: false,
  secureConnections: true,
});

test.each([full, least])("a bond survives JSON text", (bond) => {
  const text = JSON.stringify(bondToJson(bond));
  expect(bondFromJson(JSON.parse(text))).toEqual(bond);
});

test("a bond prints without its keys, whatever prints it", () => {
  const texts = [inspect(full, { depth: 9 }), inspect({ deep: { in: [full] } }, { depth: 9 }), JSON.stringify({ full })];
  for (const text of texts) {
    expect(text).not.toMatch(/a1a1|a2a2|a3a3|a4a4|a5a5|161, 161|"0":161/);
  }
  expect(texts[0]).toContain("C0:11:22:33:44:55/random");
  expect(describeBond(full)).toEqual({
    identity: "C0:11:22:33:44:55/random",
    name: "Pump",
    method: "passkey-entry",
    authenticated: true,
    secureConnections: false,
    keySize: 16,
    peerKeys: ["ltk", "irk", "csrk"],
    localKeys: ["ltk", "irk", "csrk"],
    localIdentity: "00:11:22:33:44:55/public",
    provisional: true,
    privacyMode: "network",
  });
  expect(describeBond(least)).toMatchObject({ keySize: 0, peerKeys: [], localKeys: [] });
});

test("a changed copy of a bond prints without its keys too", () => {
  expect(inspect(createBond({ ...full, cccd: { 3: 1 } }), { depth: 9 })).not.toContain("161, 161");
});

test.each<[string, unknown]>([
  ["localSignCounter", -1],
  ["localSignCounter", 0.5],
  ["peerSignCounter", 0x1_0000_0001],
  ["privacyMode", "none"],
])("a bond that a program gives with %s %j is refused", (field, value) => {
  checkBond(full);
  expect(() => checkBond(createBond({ ...full, [field]: value }))).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

describe("a damaged file", () => {
  const json = (): Record<string, unknown> => JSON.parse(JSON.stringify(bondToJson(full))) as Record<string, unknown>;
  test.each<[string, unknown, string]>([
    ["version", 2, "version"],
    ["identity", "nonsense", "identity"],
    ["identity", "C0:11:22:33:44:55", "identity"], // without a type it would be taken for public
    ["identity", "40:11:22:33:44:55/random", "identity"],
    ["identity", 5, "identity"],
    ["peerLtk", "a1", "peerLtk"],
    ["peerLtk", { key: "a1", ediv: 1, rand: "0102030405060708", keySize: 16 }, "peerLtk.key"],
    ["peerLtk", { key: "a1".repeat(16), ediv: 65_536, rand: "0102030405060708", keySize: 16 }, "peerLtk.ediv"],
    ["peerLtk", { key: "a1".repeat(16), ediv: 1, rand: "01", keySize: 16 }, "peerLtk.rand"],
    ["localLtk", { key: "a1".repeat(16), ediv: 1, rand: "0102030405060708", keySize: 6 }, "localLtk.keySize"],
    ["peerIrk", "zz".repeat(16), "peerIrk"],
    ["peerCsrk", "a4a4", "peerCsrk"],
    ["localCsrk", null, "localCsrk"],
    ["localIrkDistributed", "yes", "localIrkDistributed"],
    ["localIdentity", "40:11:22:33:44:55/random", "localIdentity"],
    ["authenticated", 1, "authenticated"],
    ["secureConnections", undefined, "secureConnections"],
    ["method", "magic", "method"],
    ["name", 7, "name"],
    ["cccd", [], "cccd"],
    ["cccd", { "0": 1 }, "cccd"],
    ["cccd", { "70000": 1 }, "cccd"],
    ["cccd", { "3": -1 }, "cccd.3"],
    ["cccd", { "12x": 1 }, "cccd"],
    ["cccdOf", { "12x": "180f/2a19" }, "cccdOf"],
    ["cccdOf", { "12": 5 }, "cccdOf.12"],
    ["databaseHash", {}, "databaseHash"],
    ["provisional", "yes", "provisional"],
    ["localSignCounter", -1, "localSignCounter"],
    ["peerSignCounter", 0x1_0000_0001, "peerSignCounter"],
    ["peerSignCounter", "1", "peerSignCounter"],
    ["privacyMode", "none", "privacyMode"],
  ])("%s: %j names the field and no secret", (field, value, named) => {
    const error = (() => {
      try {
        bondFromJson({ ...json(), [field]: value });
        return undefined;
      } catch (thrown) {
        return thrown as Error & { field: string; code: string };
      }
    })();
    expect(error).toMatchObject({ code: "ERR_BOND_FORMAT", field: named });
    expect(error!.message).not.toMatch(/a1a1|a4a4|zzzz/);
  });

  test("anything at all gives a bond or a typed error", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.dictionary(fc.constantFrom(...Object.keys(json())), fc.anything()).map((part) => ({ ...json(), ...part })),
        ),
        (value) => {
          try {
            expect(bondFromJson(value).identity).toBeInstanceOf(Address);
          } catch (error) {
            expect(error).toMatchObject({ code: "ERR_BOND_FORMAT" });
          }
        },
      ),
    );
  });
});
