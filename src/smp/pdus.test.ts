import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { decodeSmp, encodeSmp, type SmpPdu, smpPdus } from "./pdus.ts";

const sixteen = "0102030405060708090a0b0c0d0e0f10";
const turned = fromHex("100f0e0d0c0b0a090807060504030201");
const thirtyTwo = `${sixteen}1112131415161718191a1b1c1d1e1f20`;

const table: [SmpPdu, string][] = [
  [
    {
      name: "PairingRequest",
      ioCapability: 3,
      oobDataFlag: 0,
      authReq: 5,
      maximumEncryptionKeySize: 16,
      initiatorKeyDistribution: 7,
      responderKeyDistribution: 3,
    },
    "01030005100703",
  ],
  [
    {
      name: "PairingResponse",
      ioCapability: 4,
      oobDataFlag: 1,
      authReq: 0x2d,
      maximumEncryptionKeySize: 7,
      initiatorKeyDistribution: 2,
      responderKeyDistribution: 0,
    },
    "0204012d070200",
  ],
  [{ name: "PairingConfirm", confirmValue: turned }, `03${sixteen}`],
  [{ name: "PairingRandom", randomValue: turned }, `04${sixteen}`],
  [{ name: "PairingFailed", reason: 0x0b }, "050b"],
  [{ name: "EncryptionInformation", longTermKey: turned }, `06${sixteen}`],
  [{ name: "CentralIdentification", ediv: 0x2474, rand: fromHex("9078563412efcdab") }, "0774249078563412efcdab"],
  [{ name: "IdentityInformation", identityResolvingKey: turned }, `08${sixteen}`],
  [{ name: "IdentityAddressInformation", address: Address.from("C0:11:22:33:44:55/random") }, "0901554433221 1c0".replace(" ", "")],
  [{ name: "SigningInformation", signatureKey: turned }, `0a${sixteen}`],
  [{ name: "SecurityRequest", authReq: 9 }, "0b09"],
  [
    {
      name: "PairingPublicKey",
      x: fromHex(thirtyTwo).reverse(),
      y: fromHex(sixteen + sixteen).reverse(),
    },
    `0c${thirtyTwo}${sixteen}${sixteen}`,
  ],
  [{ name: "PairingDhKeyCheck", dhKeyCheck: turned }, `0d${sixteen}`],
  [{ name: "PairingKeypressNotification", notificationType: 4 }, "0e04"],
];

describe.each(table)("$name", (pdu, hex) => {
  test("goes both ways, also from the middle of a buffer", () => {
    expect(toHex(encodeSmp(pdu))).toBe(hex);
    expect(decodeSmp(fromHex(hex))).toEqual({ kind: "pdu", pdu });
    expect(decodeSmp(fromHex(`ffff${hex}ffff`), 2, 2 + hex.length / 2)).toEqual({ kind: "pdu", pdu });
  });

  test("cut at every length, and with octets left over, is malformed", () => {
    const whole = fromHex(hex);
    for (let length = 1; length < whole.length; length++) {
      expect(decodeSmp(whole.subarray(0, length))).toMatchObject({ kind: "malformed", name: pdu.name, error: { code: "ERR_DECODE" } });
    }
    expect(decodeSmp(Uint8Array.of(...whole, 0))).toMatchObject({ kind: "malformed", name: pdu.name });
  });
});

test("every code of the specification is declared", () => {
  expect([...smpPdus.keys()]).toEqual(Array.from({ length: 14 }, (_, i) => i + 1));
  expect(new Set(table.map(([{ name }]) => name)).size).toBe(14);
});

test("an empty PDU and codes reserved for future use are told apart from malformed ones", () => {
  expect(decodeSmp(new Uint8Array(0))).toEqual({ kind: "reserved", code: undefined });
  for (const code of [0x00, 0x0f, 0x7f, 0xff]) expect(decodeSmp(Uint8Array.of(code, 1, 2))).toEqual({ kind: "reserved", code });
});

test("a value that does not fit names its field", () => {
  expect(() => encodeSmp({ name: "PairingConfirm", confirmValue: new Uint8Array(15) })).toThrow("confirmValue: 15 octets: expected 16");
});

test("random octets decode to something that encodes to the same octets, or to nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(15), (body, code) => {
      const octets = Uint8Array.of(code, ...body);
      const decoded = decodeSmp(octets);
      if (decoded.kind !== "pdu") return;
      // The address type is folded to its lowest bit; every other octet comes back.
      const expected = decoded.pdu.name === "IdentityAddressInformation" ? octets.with(1, octets[1]! & 1) : octets;
      expect(encodeSmp(decoded.pdu)).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});
