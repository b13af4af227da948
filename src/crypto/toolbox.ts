import { concat } from "../bytes/hex.ts";
import { ArgumentError } from "../core/error.ts";
import { AesKey, aes128Encrypt, aesCmac } from "./aes.ts";

// The cryptographic toolbox of the Security Manager, Vol 3 Part H 2.2. Names, arguments and octet order are the specification's:
// most significant octet first throughout, also of PDUs and addresses, which on air come the other way (`reversed`).

function sized(name: string, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new ArgumentError(`${name} of ${bytes.length} octets: expected ${length}`);
  return bytes;
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((octet, i) => octet ^ b[i]!);
}

/** Random address hash function, 2.2.2: 3 octets from a 3-octet prand. */
export function ah(irk: AesKey | Uint8Array, prand: Uint8Array): Uint8Array {
  return aes128Encrypt(irk, concat(new Uint8Array(13), sized("prand", prand, 3))).slice(13);
}

/**
 * Confirm value of LE legacy pairing, 2.2.3.
 *
 * @param k the Temporary Key
 * @param r 16 octets of Mrand or Srand
 * @param preq,pres Pairing Request and Response, 7 octets, last octet of the PDU first
 * @param iat,rat address types of initiator and responder: 0 public, 1 random
 * @param ia,ra their addresses as used on this link, 6 octets
 */
export function c1(
  k: Uint8Array,
  r: Uint8Array,
  preq: Uint8Array,
  pres: Uint8Array,
  iat: number,
  rat: number,
  ia: Uint8Array,
  ra: Uint8Array,
): Uint8Array {
  const p1 = concat(sized("pres", pres, 7), sized("preq", preq, 7), Uint8Array.of(rat & 1, iat & 1));
  const p2 = concat(new Uint8Array(4), sized("ia", ia, 6), sized("ra", ra, 6));
  const key = new AesKey(k);
  return key.encryptBlock(xor(key.encryptBlock(xor(sized("r", r, 16), p1)), p2));
}

/** Short Term Key of LE legacy pairing, 2.2.4. @param r1 Srand @param r2 Mrand */
export function s1(k: Uint8Array, r1: Uint8Array, r2: Uint8Array): Uint8Array {
  return aes128Encrypt(k, concat(sized("r1", r1, 16).subarray(8), sized("r2", r2, 16).subarray(8)));
}

/** Confirm value of LE Secure Connections, 2.2.6. @param u,v x coordinates @param x nonce @param z 0, or 0x80 + one bit of the passkey */
export function f4(u: Uint8Array, v: Uint8Array, x: Uint8Array, z: number): Uint8Array {
  return aesCmac(x, concat(sized("U", u, 32), sized("V", v, 32), Uint8Array.of(z)));
}

const F5_SALT = Uint8Array.of(0x6c, 0x88, 0x83, 0x91, 0xaa, 0xf5, 0xa5, 0x38, 0x60, 0x37, 0x0b, 0xdb, 0x5a, 0x60, 0x83, 0xbe);
const F5_KEY_ID = Uint8Array.of(0x62, 0x74, 0x6c, 0x65); // "btle"
const F5_LENGTH = Uint8Array.of(0x01, 0x00); // 256 bits

/**
 * MacKey and LTK of LE Secure Connections, 2.2.7.
 *
 * @param w DHKey, 32 octets
 * @param n1,n2 nonces of initiator and responder
 * @param a1,a2 their addresses: type in the first octet (0 public, 1 random), then 6 octets
 */
export function f5(
  w: Uint8Array,
  n1: Uint8Array,
  n2: Uint8Array,
  a1: Uint8Array,
  a2: Uint8Array,
): { readonly macKey: Uint8Array; readonly ltk: Uint8Array } {
  const t = new AesKey(aesCmac(F5_SALT, sized("W", w, 32)));
  const body = concat(F5_KEY_ID, sized("N1", n1, 16), sized("N2", n2, 16), sized("A1", a1, 7), sized("A2", a2, 7), F5_LENGTH);
  return { macKey: t.cmac(concat(Uint8Array.of(0), body)), ltk: t.cmac(concat(Uint8Array.of(1), body)) };
}

/**
 * Check value of LE Secure Connections, 2.2.8.
 *
 * @param w MacKey
 * @param n1,n2 nonces: own one first
 * @param r passkey or zero, 16 octets
 * @param ioCap AuthReq, OOB flag, IO capability of the sender: 3 octets
 * @param a1,a2 7-octet addresses: own one first
 */
export function f6(
  w: Uint8Array,
  n1: Uint8Array,
  n2: Uint8Array,
  r: Uint8Array,
  ioCap: Uint8Array,
  a1: Uint8Array,
  a2: Uint8Array,
): Uint8Array {
  return aesCmac(
    w,
    concat(sized("N1", n1, 16), sized("N2", n2, 16), sized("R", r, 16), sized("IOcap", ioCap, 3), sized("A1", a1, 7), sized("A2", a2, 7)),
  );
}

/** Numeric comparison, 2.2.9: the 32-bit result, of which people compare the last six decimal digits. @param u,v x coordinates @param x,y nonces, initiator first */
export function g2(u: Uint8Array, v: Uint8Array, x: Uint8Array, y: Uint8Array): number {
  const mac = aesCmac(x, concat(sized("U", u, 32), sized("V", v, 32), sized("Y", y, 16)));
  return new DataView(mac.buffer, mac.byteOffset + 12, 4).getUint32(0);
}

/** Key conversion with a 4-octet key id, 2.2.10. */
export function h6(w: Uint8Array, keyId: Uint8Array): Uint8Array {
  return aesCmac(w, sized("keyID", keyId, 4));
}

/** Key conversion with a 16-octet salt, 2.2.11. */
export function h7(salt: Uint8Array, w: Uint8Array): Uint8Array {
  return aesCmac(sized("SALT", salt, 16), sized("W", w, 16));
}

const TMP1 = Uint8Array.of(0x74, 0x6d, 0x70, 0x31); // "tmp1"
const LEBR = Uint8Array.of(0x6c, 0x65, 0x62, 0x72); // "lebr"

/** BR/EDR link key from an LE LTK, 2.4.2.4: with h7 where both devices set CT2 in AuthReq, else with h6. */
export function linkKeyFromLtk(ltk: Uint8Array, ct2: boolean): Uint8Array {
  const intermediate = ct2 ? h7(concat(new Uint8Array(12), TMP1), ltk) : h6(ltk, TMP1);
  return h6(intermediate, LEBR);
}
