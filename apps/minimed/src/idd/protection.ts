import { checkOctets } from "jelling/core";
import { checkedFlag } from "../data/checked-flag.ts";
import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";

/** Whether values of the insulin delivery service end with a counter and a CRC: bit 0 of IDD Features. Never seen on a pump. */
export interface IddProtection {
  readonly e2e: boolean;
}

const LAST_COUNTER = 255;

/** The counter that follows: it begins at 1, and 1 follows 255. */
export function nextE2eCounter(counter: number | undefined): number {
  return counter === undefined || counter >= LAST_COUNTER ? 1 : counter + 1;
}

/** `content` with its counter and its CRC behind it. */
export function protect(content: Uint8Array, counter: number): Uint8Array {
  return appendE2eCrc(Uint8Array.of(...content, counter));
}

/** What stands before counter and CRC, and the counter. @throws {PumpDataError} "crc", "length" */
export function openProtected(name: string, bytes: Uint8Array): { readonly content: Uint8Array; readonly counter: number } {
  const content = checkE2eCrc(name, bytes);
  if (content.length === 0) throw new PumpDataError("length", `${name}: no counter before its CRC`);
  return { content: content.subarray(0, -1), counter: content.at(-1)! };
}

/** What stands before counter and CRC, where there are any. The counter is not looked at. @throws {ArgumentError} · {PumpDataError} "crc", "length" */
export function unprotected(name: string, bytes: Uint8Array, protection: IddProtection): Uint8Array {
  return checkedFlag(name, protection, "e2e") ? openProtected(name, bytes).content : checkOctets(name, bytes);
}
