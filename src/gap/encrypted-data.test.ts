import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { SeededRandom } from "../core/random.ts";
import { AdvertisingData } from "./advertising-data.ts";
import {
  createKeyMaterial,
  decodeKeyMaterial,
  decryptAdvertisingData,
  encodeKeyMaterial,
  encryptAdvertisingData,
} from "./encrypted-data.ts";

// Sample data of the Supplement to the Core Specification, Part A 1.23.
const MATERIAL = { sessionKey: fromHex("57a9da12d12e6e131e20612ad10a6a19"), iv: fromHex("9e7a00efb17ae746") };
const RANDOMIZER = fromHex("18e157cade");
const PLAIN = fromHex("0f0953686f7274204d696e692d42757303190a8c");
const SEALED = "18e157cade74e4dcafdc51c7282810c2217f0e4cef4343181fba0069cc";

describe("encrypted advertising data", () => {
  test("sample data of the specification, both ways", () => {
    const structure = encryptAdvertisingData(MATERIAL, PLAIN, { randomizer: RANDOMIZER });
    expect([structure.type, toHex(structure.data)]).toEqual([0x31, SEALED]);
    const opened = decryptAdvertisingData(MATERIAL, fromHex(SEALED))!;
    expect([toHex(opened.bytes), opened.name, opened.appearance]).toEqual([toHex(PLAIN), "Short Mini-Bus", 0x8c0a]);
  });

  test("stands among other structures, several times", () => {
    const random = new SeededRandom(1);
    const data = AdvertisingData.from(
      [
        { type: 1, data: Uint8Array.of(6) },
        encryptAdvertisingData(MATERIAL, { name: "a" }, { random }),
        encryptAdvertisingData(createKeyMaterial(random), { name: "another's" }, { random }),
        encryptAdvertisingData(MATERIAL, { appearance: 1 }, { random }),
      ],
      200,
    );
    expect(data.encrypted.length).toBe(3);
    expect(data.fields.encrypted).toEqual(data.encrypted);
    expect(AdvertisingData.from(data.fields, 200).structures.length).toBe(4);
    expect(decryptAdvertisingData(MATERIAL, data)!.fields).toEqual({ name: "a", appearance: 1 });
  });

  test("has a randomizer of its own each time", () => {
    const random = new SeededRandom(1);
    const seen = Array.from({ length: 20 }, () => toHex(encryptAdvertisingData(MATERIAL, PLAIN, { random }).data.subarray(0, 5)));
    expect(new Set(seen).size).toBe(20);
  });

  test("opens with nothing else, changed in any octet, cut at any length", () => {
    const sealed = fromHex(SEALED);
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice();
      changed[i]! ^= 1;
      expect(decryptAdvertisingData(MATERIAL, changed)).toBeUndefined();
      expect(decryptAdvertisingData(MATERIAL, sealed.subarray(0, i))).toBeUndefined();
    }
    expect(decryptAdvertisingData(createKeyMaterial(new SeededRandom(3)), sealed)).toBeUndefined();
    expect(decryptAdvertisingData(MATERIAL, AdvertisingData.from({ name: "a" }))).toBeUndefined();
  });

  test("padding behind one payload does not eat the next", () => {
    const padded = encryptAdvertisingData(MATERIAL, Uint8Array.of(2, 0x0a, 4, 0, 0, 0), { random: new SeededRandom(1) });
    const next = encryptAdvertisingData(MATERIAL, { name: "a" }, { random: new SeededRandom(2) });
    expect(decryptAdvertisingData(MATERIAL, AdvertisingData.from([padded, next], 100))!.fields).toEqual({ txPowerDbm: 4, name: "a" });
  });

  test("key material is the 24 octets of its characteristic", () => {
    const octets = encodeKeyMaterial(MATERIAL);
    expect(toHex(octets)).toBe("57a9da12d12e6e131e20612ad10a6a199e7a00efb17ae746");
    expect(decodeKeyMaterial(octets)).toEqual(MATERIAL);
  });

  test.each([
    () => encryptAdvertisingData({ ...MATERIAL, iv: new Uint8Array(7) }, PLAIN),
    () => encryptAdvertisingData({ ...MATERIAL, sessionKey: new Uint8Array(15) }, PLAIN),
    () => encryptAdvertisingData(undefined as never, PLAIN),
    () => encryptAdvertisingData(MATERIAL, PLAIN, { randomizer: new Uint8Array(4) }),
    () => encryptAdvertisingData(MATERIAL, {}),
    () => encryptAdvertisingData(MATERIAL, new Uint8Array(246)),
    () => encryptAdvertisingData(MATERIAL, PLAIN, { randomiser: RANDOMIZER } as object),
    () => decryptAdvertisingData(MATERIAL, "18e157" as never),
    () => decodeKeyMaterial(new Uint8Array(23)),
  ])("what is no material, data or randomizer is refused (%#)", (call) => {
    expect(call).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
  });
});
