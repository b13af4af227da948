import { aes128Decrypt, aes128Encrypt, aesCmac, constantTimeEqual } from "jelling/crypto";
import type { SakeKeys } from "./key-database.ts";

/** Why a permit is refused; the names are those of the handshake status. */
export type PermitVerdict = "valid" | "permit-invalid" | "permit-issued-to-different-device";

type PermitKeys = Pick<SakeKeys, "permitDecryptKey" | "permitAuthKey">;

/**
 * Judges the permit a peer sent: 16 octets, AES-encrypted; inside a zero octet, the device type it was issued to, ten opaque octets, and a
 * four-octet AES-CMAC over the first twelve. The opaque octets are not looked at.
 *
 * @param keys the permit keys of our entry for the peer's type
 * @param deviceType what the peer announced itself to be
 */
export function verifyPermit(keys: PermitKeys, permit: Uint8Array, deviceType: number): PermitVerdict {
  if (permit.length !== 16) return "permit-invalid";
  const plain = aes128Decrypt(keys.permitDecryptKey, permit);
  const mac = aesCmac(keys.permitAuthKey, plain.subarray(0, 12)).subarray(0, 4);
  const genuine = constantTimeEqual(mac, plain.subarray(12));
  const [version, issuedTo] = plain;
  plain.fill(0);
  if (!genuine || version !== 0) return "permit-invalid";
  return issuedTo === deviceType ? "valid" : "permit-issued-to-different-device";
}

/** Issues a permit for a device of `deviceType`. For simulations: real ones come with the key database. @param data 10 opaque octets */
export function createPermit(keys: PermitKeys, deviceType: number, data: Uint8Array = new Uint8Array(10)): Uint8Array {
  const plain = new Uint8Array(16);
  plain[1] = deviceType;
  plain.set(data.subarray(0, 10), 2);
  plain.set(aesCmac(keys.permitAuthKey, plain.subarray(0, 12)).subarray(0, 4), 12);
  return aes128Encrypt(keys.permitDecryptKey, plain);
}
