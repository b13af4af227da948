import { DecodeError } from "../../bytes/decode-error.ts";
import { type CborMap, decodeCbor } from "../protocol/cbor.ts";
import { McumgrResponseError } from "../protocol/error.ts";
import { MCUMGR_HEADER_LENGTH } from "../protocol/header.ts";
import type { Answer } from "./requests.ts";

/** The payload of an answer. @throws {McumgrResponseError} lengths that do not agree, or CBOR that is damaged */
export function payloadOf({ header, octets }: Answer, title: string): CborMap {
  const has = octets.length - MCUMGR_HEADER_LENGTH;
  if (has === 0 && header.length === 0) return {};
  try {
    if (header.length !== has) {
      const problem = `says ${header.length} octets of payload, there are ${has}`;
      throw new DecodeError({ path: "header.length", problem, offset: 2, length: octets.length, packet: octets });
    }
    return decodeCbor(octets, MCUMGR_HEADER_LENGTH);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new McumgrResponseError({ command: title, path: cause.path, problem: cause.problem }, { cause });
  }
}
