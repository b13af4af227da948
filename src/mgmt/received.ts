import { DecodeError } from "../bytes/index.ts";
import { decodePacket, eventNames, HEADER_OCTETS, type MgmtPacket, type MgmtReplyPacket, peekReply } from "../mgmt-protocol/index.ts";
import type { MgmtEvent } from "./types.ts";

/** What a packet of the kernel's is: a reply, an event, a reply that cannot be read but still ends its command, or not even a header. */
export type Received =
  | { readonly kind: "reply"; readonly reply: MgmtReplyPacket }
  | { readonly kind: "event"; readonly event: MgmtEvent; readonly error?: DecodeError }
  | { readonly kind: "brokenReply"; readonly opcode: number; readonly index: number; readonly status: number; readonly error: DecodeError }
  | { readonly kind: "nothing"; readonly error: DecodeError };

export function readReceived(packet: Uint8Array): Received {
  let decoded: MgmtPacket;
  try {
    decoded = decodePacket(packet);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return readMalformed(packet, error);
  }
  if (decoded.kind !== "event") return { kind: "reply", reply: decoded };
  const { index, parameters } = decoded;
  const event = eventNames.get(decoded.code);
  if (event === undefined || parameters instanceof Uint8Array)
    return { kind: "event", event: { event: "unknown", code: decoded.code, index, parameters: packet.slice(HEADER_OCTETS) } };
  return { kind: "event", event: { event, index, ...parameters } as MgmtEvent };
}

/** An event is passed on with what is wrong with it. */
function readMalformed(packet: Uint8Array, error: DecodeError): Received {
  try {
    const reply = peekReply(packet);
    if (reply) return { ...reply, kind: "brokenReply", error };
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
  }
  if (packet.length < HEADER_OCTETS) return { kind: "nothing", error };
  const header = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const [code, index] = [header.getUint16(0, true), header.getUint16(2, true)];
  return { kind: "event", event: { event: "unknown", code, index, parameters: packet.slice(HEADER_OCTETS), error }, error };
}
