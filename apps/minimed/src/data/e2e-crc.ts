import { checkOctets } from "jelling/core";
import { PumpDataError } from "./error.ts";

/**
 * End-to-end CRC of the pump: CRC-16/CCITT-FALSE (polynomial 0x1021, initial 0xFFFF, not reflected). The service texts of the Bluetooth SIG
 * describe the reflected form, which the pump does not use.
 */
export function e2eCrc(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const octet of bytes) {
    crc ^= octet << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}

/** `bytes` with its CRC behind it, little-endian. */
export function appendE2eCrc(bytes: Uint8Array): Uint8Array {
  const crc = e2eCrc(bytes);
  const whole = new Uint8Array(bytes.length + 2);
  whole.set(bytes);
  whole.set([crc & 0xff, crc >> 8], bytes.length);
  return whole;
}

/** What stands before the CRC. @throws {PumpDataError} "length" shorter than a CRC, "crc" it does not match */
export function checkE2eCrc(name: string, bytes: Uint8Array): Uint8Array {
  checkOctets(name, bytes);
  if (bytes.length < 2) throw new PumpDataError("length", `${name}: ${bytes.length} octets have no room for a CRC`);
  const content = bytes.subarray(0, -2);
  if (e2eCrc(content) !== (bytes[bytes.length - 2]! | (bytes[bytes.length - 1]! << 8)))
    throw new PumpDataError("crc", `${name}: the E2E-CRC of ${bytes.length} octets does not match`);
  return content;
}
