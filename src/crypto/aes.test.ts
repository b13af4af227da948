import { cmac, ctr } from "@noble/ciphers/aes.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { randomBytes, SeededRandom } from "../core/random.ts";
import { AesKey, aes128Decrypt, aes128Encrypt, aesCmac, aesCtr } from "./aes.ts";
import { aesCcmDecrypt, aesCcmEncrypt } from "./ccm.ts";
import { constantTimeEqual } from "./equal.ts";
import { reversed } from "./reversed.ts";

describe("AES-128 block (FIPS 197 appendix B and C.1)", () => {
  test.each([
    ["2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734", "3925841d02dc09fbdc118597196a0b32"],
    ["000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"],
  ])("key %s", (key, plaintext, ciphertext) => {
    expect(toHex(aes128Encrypt(fromHex(key), fromHex(plaintext)))).toBe(ciphertext);
    expect(toHex(aes128Decrypt(fromHex(key), fromHex(ciphertext)))).toBe(plaintext);
  });

  test("a block may be encrypted in place and at an offset that no word boundary holds", () => {
    const key = new AesKey(fromHex("000102030405060708090a0b0c0d0e0f"));
    const buffer = fromHex("aaaaaa 00112233445566778899aabbccddeeff");
    key.encryptBlock(buffer, buffer, 3, 3);
    expect(toHex(buffer)).toBe("aaaaaa69c4e0d86a7b0430d8cdb78070b4c55a");
  });

  test("wrong lengths are refused, and a key does not print", () => {
    expect(() => new AesKey(new Uint8Array(15))).toThrow("expected 16");
    expect(() => aes128Encrypt(new Uint8Array(16), new Uint8Array(17))).toThrow("expected 16");
    expect(JSON.stringify(new AesKey(new Uint8Array(16).fill(0xab)))).toBe("{}");
  });
});

describe("AES-CMAC (RFC 4493 section 4, also Vol 3 Part H appendix D.1)", () => {
  const message =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
  test.each([
    [0, "bb1d6929e95937287fa37d129b756746"],
    [16, "070a16b46b4d4144f79bdd9dd04a287c"],
    [40, "dfa66747de9ae63030ca32611497c827"],
    [64, "51f0bebf7e3b9d92fc49741779363cfe"],
  ])("%i octets", (length, mac) => {
    expect(toHex(aesCmac(fromHex("2b7e151628aed2a6abf7158809cf4f3c"), fromHex(message).subarray(0, length)))).toBe(mac);
  });
});

test("AES-CTR starts from the whole counter block (NIST SP 800-38A F.5.1) and carries through it", () => {
  const key = fromHex("2b7e151628aed2a6abf7158809cf4f3c");
  const counter = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  const plaintext = fromHex("6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51");
  const ciphertext = "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff";
  expect(toHex(aesCtr(key, counter, plaintext))).toBe(ciphertext);
  expect(aesCtr(key, counter, fromHex(ciphertext))).toEqual(plaintext);
  const wrapped = aesCtr(key, new Uint8Array(16).fill(0xff), new Uint8Array(32));
  expect(wrapped.subarray(16)).toEqual(aes128Encrypt(key, new Uint8Array(16)));
  expect(() => aesCtr(key, new Uint8Array(12), plaintext)).toThrow("expected 16");
});

describe("AES-CCM (RFC 3610 section 8)", () => {
  const rfcKey = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf";
  test.each([
    // number, nonce, additional data, plaintext, MIC length, ciphertext with MIC
    [
      1,
      "00000003020100a0a1a2a3a4a5",
      "0001020304050607",
      "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
      8,
      "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    ],
    [
      2,
      "00000004030201a0a1a2a3a4a5",
      "0001020304050607",
      "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      8,
      "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916",
    ],
    [
      4,
      "00000006050403a0a1a2a3a4a5",
      "000102030405060708090a0b",
      "0c0d0e0f101112131415161718191a1b1c1d1e",
      8,
      "a28c6865939a9a79faaa5c4c2a9d4a91cdac8c96c861b9c9e61ef1",
    ],
    [
      7,
      "00000009080706a0a1a2a3a4a5",
      "0001020304050607",
      "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
      10,
      "0135d1b2c95f41d5d1d4fec185d166b8094e999dfed96c048c56602c97acbb7490",
    ],
  ] as const)("packet vector %i", (_number, nonce, additional, plaintext, micLength, ciphertext) => {
    const key = fromHex(rfcKey);
    expect(toHex(aesCcmEncrypt(key, fromHex(nonce), fromHex(plaintext), fromHex(additional), micLength))).toBe(ciphertext);
    expect(toHex(aesCcmDecrypt(key, fromHex(nonce), fromHex(ciphertext), fromHex(additional), micLength)!)).toBe(plaintext);
  });
});

describe("AES-CCM of the Link Layer (encryption sample data, Vol 6 Part C 1.2)", () => {
  // LTK and session key diversifiers, least significant octet last as in the specification's numbers.
  const sessionKey = aes128Encrypt(fromHex("4C68384139F574D836BCF34E9DFB01BF"), fromHex("0213243546576879ACBDCEDFE0F10213"));
  const iv = fromHex("24ABDCBABEBAAFDE"); // as on air
  const nonce = (counter: number, fromCentral: boolean): Uint8Array => Uint8Array.of(counter, 0, 0, 0, fromCentral ? 0x80 : 0, ...iv);

  test("the session key is e(LTK, SKD)", () => {
    expect(toHex(sessionKey)).toBe("99ad1b5226a37e3e058e3b8e27c2c666");
  });

  test.each([
    ["LL_START_ENC_RSP of the central", 0, true, "03", "06", "9fcda7f448"],
    ["LL_START_ENC_RSP of the peripheral", 0, false, "03", "06", "a34c13a415"],
    [
      "data of the central",
      1,
      true,
      "02",
      "1700636465666768696a6b6c6d6e6f707131323334353637383930",
      "7a70d66415226df26b17839a060405596bd6564f796b5b9ce6ff32f75a6d33",
    ],
    [
      "data of the peripheral",
      1,
      false,
      "02",
      "170037363534333231304142434445464748494a4b4c4d4e4f5051",
      "f38881e7bd94c9c369b9a66846dd4786aa8c39ce540d0dae3adcdf89b96088",
    ],
  ] as const)("%s", (_name, counter, fromCentral, header, plaintext, ciphertext) => {
    const sealed = aesCcmEncrypt(sessionKey, nonce(counter, fromCentral), fromHex(plaintext), fromHex(header));
    expect(toHex(sealed)).toBe(ciphertext);
  });
});

test("any message opens again, and any changed bit is noticed", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.uint8Array({ minLength: 7, maxLength: 13 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(4, 6, 8, 16),
      fc.nat(),
      (key, nonce, plaintext, additional, micLength, bit) => {
        const sealed = aesCcmEncrypt(key, nonce, plaintext, additional, micLength);
        expect(aesCcmDecrypt(key, nonce, sealed, additional, micLength)).toEqual(plaintext);
        const at = bit % (8 * sealed.length);
        sealed[at >> 3]! ^= 1 << (at & 7);
        expect(aesCcmDecrypt(key, nonce, sealed, additional, micLength)).toBeUndefined();
      },
    ),
  );
});

test("lengths that CCM cannot hold are refused; a ciphertext shorter than its MIC is only wrong", () => {
  const none = new Uint8Array(0);
  expect(() => aesCcmEncrypt(new Uint8Array(16), new Uint8Array(6), none, none)).toThrow("expected 7 to 13");
  expect(() => aesCcmEncrypt(new Uint8Array(16), new Uint8Array(13), new Uint8Array(65_536), none)).toThrow("too many");
  expect(() => aesCcmEncrypt(new Uint8Array(16), new Uint8Array(13), none, none, 5)).toThrow("even number");
  expect(aesCcmDecrypt(new Uint8Array(16), new Uint8Array(13), new Uint8Array(3), none)).toBeUndefined();
});

test("comparison and reversal", () => {
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  const bytes = Uint8Array.of(1, 2, 3);
  expect(reversed(bytes)).toEqual(Uint8Array.of(3, 2, 1));
  expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
});

test("CMAC and CTR of every length are those of another implementation; a key that was wiped makes others", () => {
  const random = new SeededRandom(1, "aes");
  for (let length = 0; length <= 70; length++) {
    const [octets, block, message] = [randomBytes(random, 16), randomBytes(random, 16), randomBytes(random, length)];
    if (length % 3 === 0) block.fill(0xff, length % 16); // the counter overflows into octets before
    const key = new AesKey(octets);
    expect(key.cmac(message)).toEqual(cmac(message, octets));
    expect(key.cmac(message)).toEqual(cmac(message, octets)); // the second with subkeys that are known
    expect(key.ctr(block, message)).toEqual(ctr(octets, block).encrypt(message));
    key.wipe();
    expect(key.cmac(message)).not.toEqual(cmac(message, octets));
    expect(key.encryptBlock(block)).not.toEqual(new AesKey(octets).encryptBlock(block));
  }
});
