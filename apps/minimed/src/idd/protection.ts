import { checkE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";

/** Whether values of the insulin delivery service end with a counter and a CRC: bit 0 of IDD Features. Never seen on a pump. */
export interface IddProtection {
  readonly e2e: boolean;
}

/** What stands before counter and CRC. @throws {PumpDataError} "crc", "length" */
export function unprotected(name: string, bytes: Uint8Array, { e2e }: IddProtection): Uint8Array {
  if (!e2e) return bytes;
  const content = checkE2eCrc(name, bytes);
  if (content.length === 0) throw new PumpDataError("length", `${name}: no counter before its CRC`);
  return content.subarray(0, content.length - 1);
}
