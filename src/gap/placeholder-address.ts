import type { Address } from "../core/address.ts";

/**
 * What firmware has for a public address until somebody writes one, the same in every unit: Broadcom's and Cypress's are the chip's number, and
 * Intel's and Qualcomm's are fixed too. Two such controllers in one room would be one device to their peers.
 */
const FIRMWARE_DEFAULTS: ReadonlySet<string> = new Set([
  "20:70:02:A0:00:00",
  "43:24:B3:00:00:00",
  "43:30:B1:00:00:00",
  "43:34:1B:00:00:00",
  "43:34:B0:00:00:00",
  "43:43:A0:12:1F:AC",
  "43:45:C5:00:00:00",
  "00:03:19:9E:8B:00",
  "00:00:00:00:5A:AD",
]);

/** Whether a BD_ADDR is none: one octet six times (zeros, AA, FF), or a default of the firmware. */
export function isPlaceholderAddress(address: Address): boolean {
  return address.bytes.every((octet) => octet === address.bytes[0]) || FIRMWARE_DEFAULTS.has(address.toHex());
}
