import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { AesKey } from "./aes.ts";
import { DEBUG_PRIVATE_KEY, equalPublicKeys, isDebugPublicKey, isValidPublicKey, P256KeyPair } from "./p256.ts";
import { createNonResolvableAddress, createRpa, createStaticAddress, resolveRpa } from "./private-address.ts";
import { reversed } from "./reversed.ts";
import { ah, c1, f4, f5, f6, g2, h6, h7, linkKeyFromLtk, s1 } from "./toolbox.ts";

// Sample data of Vol 3 Part H appendix D.
const u = fromHex("20b003d2f297be2c5e2c83a7e9f9a5b9eff49111acf4fddbcc0301480e359de6");
const v = fromHex("55188b3d32f6bb9a900afcfbeed4e72a59cb9ac2f19d7cfb6b4fdd49f47fc5fd");
const n1 = fromHex("d5cb8454d177733effffb2ec712baeab");
const n2 = fromHex("a6e8e7cc25a75f6e216583f7ff3dc4cf");
const a1 = fromHex("0056123737bfce");
const a2 = fromHex("00a713702dcfc1");
const dhKey = "ec0234a357c8ad05341010a60a397d9b99796b13b4f866f1868d34f373bfa698";
const key = fromHex("ec0234a357c8ad05341010a60a397d9b");

describe("LE legacy pairing", () => {
  test("c1, 2.2.3", () => {
    const confirm = c1(
      new Uint8Array(16),
      fromHex("5783D52156AD6F0E6388274EC6702EE0"),
      fromHex("07071000000101"),
      fromHex("05000800000302"),
      1,
      0,
      fromHex("A1A2A3A4A5A6"),
      fromHex("B1B2B3B4B5B6"),
    );
    expect(toHex(confirm)).toBe("1e1e3fef878988ead2a74dc5bef13b86");
  });

  test("s1, 2.2.4", () => {
    const stk = s1(new Uint8Array(16), fromHex("000F0E0D0C0B0A091122334455667788"), fromHex("010203040506070899AABBCCDDEEFF00"));
    expect(toHex(stk)).toBe("9a1fe1f0e8b0f49b5b4216ae796da062");
  });
});

describe("LE Secure Connections", () => {
  test("f4, D.2", () => {
    expect(toHex(f4(u, v, n1, 0))).toBe("f2c916f107a9bd1cf1eda1bea974872d");
  });

  test("f5, D.3", () => {
    const { macKey, ltk } = f5(fromHex(dhKey), n1, n2, a1, a2);
    expect(toHex(ltk)).toBe("6986791169d7cd23980522b594750a38");
    expect(toHex(macKey)).toBe("2965f176a1084a02fd3f6a20ce636e20");
  });

  test("f6, D.4", () => {
    const check = f6(
      fromHex("2965f176a1084a02fd3f6a20ce636e20"),
      n1,
      n2,
      fromHex("12a3343bb453bb5408da42d20c2d0fc8"),
      fromHex("010102"),
      a1,
      a2,
    );
    expect(toHex(check)).toBe("e3c473989cd0e8c5d26c0b09da958f61");
  });

  test("g2, D.5", () => {
    expect(g2(u, v, n1, n2)).toBe(0x2f9ed5ba);
    expect(g2(u, v, n1, n2) % 1_000_000).toBe(938_554);
  });

  test("h6, D.6", () => {
    expect(toHex(h6(key, fromHex("6c656272")))).toBe("2d9ae102e76dc91ce8d3a9e280b16399");
  });

  test("h7, D.8", () => {
    expect(toHex(h7(fromHex("000000000000000000000000746D7031"), key))).toBe("fb173597c6a3c0ecd2998c2a75a57011");
  });

  test("LTK to link key, D.9 with h7 and D.10 with h6", () => {
    const ltk = fromHex("368df9bce3264b58bd066c33334fbf64");
    expect(toHex(linkKeyFromLtk(ltk, true))).toBe("287ad379dca402530a39f1f43047b835");
    expect(toHex(linkKeyFromLtk(ltk, false))).toBe("bc1ca4ef633fc1bd0d8230afee388fb0");
  });

  test("an argument of a wrong length is named", () => {
    expect(() => f4(u, v.subarray(1), n1, 0)).toThrow("V of 31 octets: expected 32");
  });
});

describe("P-256 (Vol 2 Part G 7.1.2)", () => {
  const a = P256KeyPair.fromPrivateKey(Uint8Array.from(DEBUG_PRIVATE_KEY));
  const b = P256KeyPair.fromPrivateKey(fromHex("55188b3d32f6bb9a900afcfbeed4e72a59cb9ac2f19d7cfb6b4fdd49f47fc5fd"));

  test("public keys and the shared key of the sample data", () => {
    expect(toHex(a.publicKey.x)).toBe(toHex(u));
    expect(toHex(a.publicKey.y)).toBe("dc809c49652aeb6d63329abf5a52155c766345c28fed3024741c8ed01589d28b");
    expect(toHex(b.publicKey.x)).toBe("1ea1f0f01faf1d9609592284f19e4c0047b58afd8615a69f559077b22faaa190");
    expect(toHex(b.publicKey.y)).toBe("4c55f33e429dad377356703a9ab85160472d1130e28e36765f89aff915b1214a");
    expect(toHex(a.dhKey(b.publicKey)!)).toBe(dhKey);
    expect(toHex(b.dhKey(a.publicKey)!)).toBe(dhKey);
  });

  test("a point off the curve, out of range or at infinity gives no key", () => {
    const { x, y } = b.publicKey;
    const bent = y.slice();
    bent[31]! ^= 1;
    for (const point of [
      { x, y: bent },
      { x: new Uint8Array(32), y: new Uint8Array(32) },
      { x: new Uint8Array(32).fill(0xff), y },
      { x, y: new Uint8Array(32) },
      { x: x.subarray(1), y },
    ]) {
      expect(isValidPublicKey(point)).toBe(false);
      expect(a.dhKey(point)).toBeUndefined();
    }
  });

  test("the debug key is known, fresh keys differ and follow the source of chance", () => {
    expect(isDebugPublicKey(a.publicKey)).toBe(true);
    expect(isDebugPublicKey(b.publicKey)).toBe(false);
    const random = new SeededRandom(1);
    const fresh = P256KeyPair.generate(random);
    expect(isValidPublicKey(fresh.publicKey)).toBe(true);
    expect(equalPublicKeys(fresh.publicKey, P256KeyPair.generate(random).publicKey)).toBe(false);
    expect(equalPublicKeys(fresh.publicKey, P256KeyPair.generate(new SeededRandom(1)).publicKey)).toBe(true);
  });

  test("private keys out of range are refused, and none is printed", () => {
    expect(() => P256KeyPair.fromPrivateKey(new Uint8Array(32))).toThrow("expected 32 octets");
    expect(() => P256KeyPair.fromPrivateKey(new Uint8Array(31).fill(1))).toThrow("expected 32 octets");
    expect(inspect(a, { depth: 5, showHidden: true })).not.toContain("63, 73, 246");
  });
});

describe("private addresses", () => {
  const irk = fromHex("ec0234a357c8ad05341010a60a397d9b");

  test("ah, D.7", () => {
    expect(toHex(ah(irk, fromHex("708194")))).toBe("0dfbaa");
    expect(resolveRpa(irk, Address.from("70:81:94:0D:FB:AA/random"))).toBe(true);
    expect(resolveRpa(irk, Address.from("70:81:94:0D:FB:AB/random"))).toBe(false);
    expect(resolveRpa(irk, Address.from("70:81:94:0D:FB:AA/public"))).toBe(false);
  });

  test("an own private address resolves with its key and no other", () => {
    const random = new SeededRandom(3);
    const expanded = new AesKey(irk);
    for (let i = 0; i < 200; i++) {
      const address = createRpa(expanded, random);
      expect(address.isResolvablePrivate).toBe(true);
      expect(resolveRpa(irk, address)).toBe(true);
      expect(resolveRpa(reversed(irk), address)).toBe(false);
    }
  });

  test("the random part is never all zeros nor all ones", () => {
    for (const octet of [0x00, 0xff]) {
      const flat = { fill: (into: Uint8Array) => void into.fill(octet) };
      expect([0x400000, 0x7fffff]).not.toContain(Number.parseInt(createRpa(irk, flat).toHex().replaceAll(":", "").slice(0, 6), 16));
      expect(createStaticAddress(flat)).toMatchObject({ isStaticRandom: true });
      expect(new Set(createStaticAddress(flat).bytes.subarray(0, 5)).size).toBe(2);
      expect(createNonResolvableAddress(flat)).toMatchObject({ isNonResolvablePrivate: true });
      expect(new Set(createNonResolvableAddress(flat).bytes.subarray(0, 5)).size).toBe(2);
    }
  });
});
