import { afterAll, beforeAll, expect } from "vitest";
import { toHex } from "../../src/bytes/index.ts";
import { P256KeyPair } from "../../src/crypto/p256.ts";

// The same seeds give the same keys in thousands of scenarios, at two milliseconds each and four for what two of them share: most of the time
// of the tests of pairing. Each is calculated once for a worker; the tests of the arithmetic itself do without.
const CAPACITY = 4096;
const pairs = new Map<string, P256KeyPair>();
const shared = new Map<string, Uint8Array | undefined>();
const { fromSeed } = P256KeyPair;
const { dhKey } = P256KeyPair.prototype;

function remembered<T>(known: Map<string, T>, key: string, calculate: () => T): T {
  if (known.has(key)) return known.get(key)!;
  if (known.size >= CAPACITY) known.clear();
  const value = calculate();
  known.set(key, value);
  return value;
}

const isOfArithmetic = (): boolean => expect.getState().testPath?.includes("/src/crypto/") ?? false;

beforeAll(() => {
  if (isOfArithmetic()) return;
  P256KeyPair.fromSeed = (seed) => remembered(pairs, toHex(seed), () => fromSeed.call(P256KeyPair, seed));
  P256KeyPair.prototype.dhKey = function (this: P256KeyPair, peer) {
    // Of one private key there is one public key.
    const key = [this.publicKey, peer].map(({ x, y }) => `${toHex(x)}${toHex(y)}`).join(" ");
    return remembered(shared, key, () => dhKey.call(this, peer))?.slice();
  };
});

afterAll(() => {
  P256KeyPair.fromSeed = fromSeed;
  P256KeyPair.prototype.dhKey = dhKey;
});
