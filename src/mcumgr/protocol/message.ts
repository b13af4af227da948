import { DecodeError } from "../../bytes/decode-error.ts";
import { checkOctets } from "../../core/arguments.ts";
import { type CborLengths, type CborMap, decodeCbor, encodeCbor } from "./cbor.ts";
import { MessageTooLongError } from "./error.ts";
import { decodeHeader, MCUMGR_HEADER_LENGTH, MCUMGR_MAX_PAYLOAD, type McumgrHeader, type McumgrHeaderInit, writeHeader } from "./header.ts";

export interface McumgrMessage {
  readonly header: McumgrHeader;
  readonly payload: CborMap;
}

/**
 * A whole message. A payload of octets is sent as it is, for groups of applications that do not speak CBOR.
 *
 * @param lengths "indefinite" is how the known servers answer
 * @throws {ArgumentError} · {MessageTooLongError} the payload is longer than 65_535 octets
 */
export function encodeMessage(header: McumgrHeaderInit, payload: CborMap | Uint8Array, lengths: CborLengths = "definite"): Uint8Array {
  const content = payload instanceof Uint8Array ? payload : encodeCbor(payload, lengths);
  const length = MCUMGR_HEADER_LENGTH + content.length;
  if (content.length > MCUMGR_MAX_PAYLOAD) throw new MessageTooLongError(length, MCUMGR_HEADER_LENGTH + MCUMGR_MAX_PAYLOAD);
  const message = new Uint8Array(length);
  writeHeader(message, header, content.length);
  message.set(content, MCUMGR_HEADER_LENGTH);
  return message;
}

/**
 * Header and payload of exactly one message, the payload as octets.
 *
 * @throws {DecodeError} the octets are fewer or more than the header says
 */
export function splitMessage(octets: Uint8Array): { readonly header: McumgrHeader; readonly payload: Uint8Array } {
  checkOctets("message", octets);
  const header = decodeHeader(octets);
  const has = octets.length - MCUMGR_HEADER_LENGTH;
  if (has !== header.length)
    throw new DecodeError({
      path: "header.length",
      problem: `says ${header.length} octets of payload, there are ${has}`,
      offset: 2,
      length: octets.length,
      packet: octets,
    });
  return { header, payload: octets.subarray(MCUMGR_HEADER_LENGTH) };
}

/**
 * Exactly one message. A payload of no octets reads as an empty map; `header.length` tells the difference.
 *
 * @throws {DecodeError} with path and offset: lengths that do not agree, CBOR that is damaged, or no map
 */
export function decodeMessage(octets: Uint8Array): McumgrMessage {
  const { header } = splitMessage(octets);
  return { header, payload: header.length === 0 ? {} : decodeCbor(octets, MCUMGR_HEADER_LENGTH) };
}

/** All messages that follow each other in one packet. @throws {DecodeError} one of them is damaged */
export function decodeMessages(octets: Uint8Array): McumgrMessage[] {
  return splitMessages(octets).map(decodeMessage);
}

/** Cuts a packet into its messages; the last may be shorter than its header says. */
export function splitMessages(octets: Uint8Array): Uint8Array[] {
  checkOctets("messages", octets);
  const messages: Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = at + MCUMGR_HEADER_LENGTH + (octets.length - at < MCUMGR_HEADER_LENGTH ? 0 : decodeHeader(octets, at).length);
    messages.push(octets.subarray(at, end));
    at = end;
  }
  return messages;
}
