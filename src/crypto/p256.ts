import { p256 } from "@noble/curves/nist.js";
import { concat, fromHex } from "../bytes/hex.ts";
import { ArgumentError } from "../core/error.ts";
import { type RandomSource, randomBytes } from "../core/random.ts";
import { constantTimeEqual } from "./equal.ts";

/** A point of P-256: both coordinates, 32 octets each, most significant first. Not yet proven to lie on the curve. */
export interface P256PublicKey {
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

export const P256_SEED_LENGTH = 48;

/** A key pair of P-256. The private key is out of reach of loggers and `inspect`. */
export class P256KeyPair {
  readonly #privateKey: Uint8Array;
  readonly publicKey: P256PublicKey;

  private constructor(privateKey: Uint8Array) {
    this.#privateKey = privateKey;
    const point = p256.getPublicKey(privateKey, false);
    this.publicKey = Object.freeze({ x: point.slice(1, 33), y: point.slice(33) });
  }

  static generate(random: RandomSource): P256KeyPair {
    return P256KeyPair.fromSeed(randomBytes(random, P256_SEED_LENGTH));
  }

  /**
   * The pair that belongs to 48 random octets. Reduced modulo the order they leave a bias far below what could be measured
   * (FIPS 186-5 A.2.1), and no value has to be drawn again.
   */
  static fromSeed(seed: Uint8Array): P256KeyPair {
    return new P256KeyPair(p256.utils.randomSecretKey(seed));
  }

  /** @throws {ArgumentError} not 32 octets with a value from 1 to the order of the curve - 1 */
  static fromPrivateKey(privateKey: Uint8Array): P256KeyPair {
    if (privateKey.length !== 32 || !p256.utils.isValidSecretKey(privateKey))
      throw new ArgumentError("P-256 private key: expected 32 octets with a value from 1 to the order of the curve - 1");
    return new P256KeyPair(privateKey.slice());
  }

  /**
   * DHKey of Vol 3 Part H 2.3.5.6.1: the x coordinate of the shared point, or `undefined` where `peer` is not a point of the curve, which a
   * pairing must treat as an attack (2.3.5.6.1, invalid curve).
   */
  dhKey(peer: P256PublicKey): Uint8Array | undefined {
    if (!isValidPublicKey(peer)) return undefined;
    return p256.getSharedSecret(this.#privateKey, encoded(peer), false).slice(1, 33);
  }
}

function encoded({ x, y }: P256PublicKey): Uint8Array {
  return concat(Uint8Array.of(4), x, y);
}

/** Whether both coordinates are in range and the point lies on the curve. */
export function isValidPublicKey(key: P256PublicKey): boolean {
  if (key.x.length !== 32 || key.y.length !== 32) return false;
  try {
    p256.Point.fromBytes(encoded(key)).assertValidity();
    return true;
  } catch {
    return false; // the curve library tells an invalid point by throwing
  }
}

export function equalPublicKeys(a: P256PublicKey, b: P256PublicKey): boolean {
  return constantTimeEqual(a.x, b.x) && constantTimeEqual(a.y, b.y);
}

/** The private key that everybody knows, for sniffers, Vol 3 Part H 2.3.5.6.1. Never accepted from a peer unless policy allows debugging. */
export const DEBUG_PRIVATE_KEY = Object.freeze([...fromHex("3f49f6d4a3c55f3874c9b3e3d2103f504aff607beb40b7995899b8a6cd3c1abd")]);
const DEBUG_X = fromHex("20b003d2f297be2c5e2c83a7e9f9a5b9eff49111acf4fddbcc0301480e359de6");

/** Whether this is the debug public key, with either sign of y. */
export function isDebugPublicKey(key: P256PublicKey): boolean {
  return constantTimeEqual(key.x, DEBUG_X);
}
