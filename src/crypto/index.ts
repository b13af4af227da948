/// <reference lib="esnext.disposable" preserve="true" />
export { AesKey, aes128Decrypt, aes128Encrypt, aesCmac, aesCtr } from "./aes.ts";
export { aesCcmDecrypt, aesCcmEncrypt } from "./ccm.ts";
export { constantTimeEqual } from "./equal.ts";
export {
  DEBUG_PRIVATE_KEY,
  equalPublicKeys,
  isDebugPublicKey,
  isValidPublicKey,
  P256_SEED_LENGTH,
  P256KeyPair,
  type P256PublicKey,
} from "./p256.ts";
export { createNonResolvableAddress, createRpa, createStaticAddress, resolveRpa } from "./private-address.ts";
export { reversed } from "./reversed.ts";
export { SIGNATURE_LENGTH, signCounterOf, signPdu } from "./signature.ts";
export { ah, c1, f4, f5, f6, g2, h6, h7, linkKeyFromLtk, s1 } from "./toolbox.ts";
