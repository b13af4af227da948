import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { createOutOfBandData, OutOfBandRole } from "../smp/index.ts";
import { decodeOutOfBandData, encodeOutOfBandData } from "./out-of-band.ts";

const confirm = fromHex("000102030405060708090a0b0c0d0e0f");
const random = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
const temporaryKey = fromHex("102132435465768798a9bacbdcedfe0f");
const ADDRESS = "081b 5544332211c0 01";
const ROLE = "021c02";
const CONFIRM = "1122 0f0e0d0c0b0a09080706050403020100";
const RANDOM = "1123 fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0";
const octets = (...parts: string[]): Uint8Array => fromHex(parts.join("").replaceAll(" ", ""));

const address = Address.from("C0:11:22:33:44:55/random");
const role = OutOfBandRole.PeripheralPreferred;
const cases = [
  ["Secure Connections", { address, role, random, confirm }, octets(ADDRESS, ROLE, CONFIRM, RANDOM)],
  [
    "legacy",
    { address: Address.from("00:23:F7:01:02:03/public"), role: 0, temporaryKey },
    octets("081b 030201f72300 00", "021c00", "1110", toHex(temporaryKey.slice().reverse())),
  ],
  [
    "both, without an address or a role",
    { random, confirm, temporaryKey },
    concat(octets("1110"), temporaryKey.slice().reverse(), octets(CONFIRM, RANDOM)),
  ],
] as const;

test.each(cases)("%s, both ways (Supplement Part A 1.8, 1.16 to 1.18)", (_, data, bytes) => {
  expect(toHex(encodeOutOfBandData(data))).toBe(toHex(bytes));
  expect({ ...decodeOutOfBandData(bytes) }).toEqual(data);
});

test("what else a tag says is passed over, and what is read keeps no view of it", () => {
  const bytes = octets("020106", ADDRESS, "0509 4a656c6c", CONFIRM, RANDOM, "0000");
  const data = decodeOutOfBandData(bytes);
  bytes.fill(0xee);
  expect({ ...data }).toEqual({ address, confirm, random });
});

describe("hostile data", () => {
  test.each([
    ["no octets", octets()],
    ["nothing to pair with", octets(ADDRESS, ROLE)],
    ["a confirm value alone", octets(ADDRESS, CONFIRM)],
    ["a random value alone", octets(ADDRESS, RANDOM)],
    ["a temporary key of zeros", octets("1110", "00".repeat(16))],
    ["a temporary key of 15 octets", octets("1010", "11".repeat(15))],
    ["a confirm value of 17 octets", octets("1222", "11".repeat(17), RANDOM)],
    ["a random value of none", octets(CONFIRM, "0123")],
    ["two confirm values", octets(CONFIRM, CONFIRM, RANDOM)],
    ["two addresses", octets(ADDRESS, ADDRESS, CONFIRM, RANDOM)],
    ["an address of 6 octets", octets("071b 5544332211c0", CONFIRM, RANDOM)],
    ["an address type of 2", octets("081b 5544332211c0 02", CONFIRM, RANDOM)],
    ["an address of zeros", octets("081b 000000000000 00", CONFIRM, RANDOM)],
    ["a role of 4", octets("021c04", CONFIRM, RANDOM)],
    ["a structure that is cut short", octets(CONFIRM, RANDOM).subarray(0, 35)],
  ])("%s is refused", (_, bytes) => {
    expect(() => decodeOutOfBandData(bytes)).toThrow(expect.objectContaining({ code: "ERR_DECODE" }));
  });

  test("the error shows no octet of it", () => {
    const bytes = octets(ADDRESS, "1022", "ab".repeat(15), RANDOM);
    expect(() => decodeOutOfBandData(bytes)).toThrow(expect.objectContaining({ message: expect.not.stringContaining("ab") }));
    expect(() => decodeOutOfBandData(bytes)).toThrow("LeSecureConnectionsConfirmationValue of 15 octets, must be 16");
  });

  test("every cut of good data is refused or is whole data", () => {
    const whole = octets(ADDRESS, ROLE, CONFIRM, RANDOM);
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeOutOfBandData(whole.subarray(0, length)), String(length)).toThrow(expect.objectContaining({ code: "ERR_DECODE" }));
  });

  test("more octets than a tag has, and what is no octets, is the caller's fault", () => {
    for (const value of [new Uint8Array(1025), "1122" as unknown as Uint8Array])
      expect(() => decodeOutOfBandData(value)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
    expect(() => encodeOutOfBandData(createOutOfBandData({ address }))).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});
