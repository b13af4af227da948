import { appendE2eCrc, checkE2eCrc, e2eCrc } from "../../data/e2e-crc.ts";

const LAST = 255;

/** The number behind 1 to 255: 0 is not among them. */
export const nextCounter = (counter: number): number => (counter % LAST) + 1;

/** `content` with its counter and the CRC over both. */
export function protect(content: Uint8Array, counter: number): Uint8Array {
  return appendE2eCrc(Uint8Array.of(...content, counter));
}

/** Content and counter of what is protected. @throws {PumpDataError} "crc", "length" */
export function unprotect(name: string, bytes: Uint8Array): { content: Uint8Array; counter: number | undefined } {
  const checked = checkE2eCrc(name, bytes);
  return { content: checked.subarray(0, -1), counter: checked.at(-1) };
}

/** IDD Features with counter and CRC in use: they come first. @param features as they are without */
export function protectFeatures(features: Uint8Array, counter: number): Uint8Array {
  const bytes = features.slice();
  bytes[2] = counter;
  const crc = e2eCrc(bytes.subarray(2));
  bytes[0] = crc & 0xff;
  bytes[1] = crc >> 8;
  return bytes;
}
