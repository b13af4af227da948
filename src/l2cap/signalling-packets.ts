import { type Codec, repeated, rest, struct, u16, Writer } from "../bytes/index.ts";

/** A signalling packet, Vol 3 Part A 4: its code, and what stands behind code, identifier and length. */
export interface SignallingPacket<T> {
  readonly code: number;
  readonly name: string;
  readonly data: Codec<T>;
}

const packet = <T>(code: number, name: string, data: Codec<T>): SignallingPacket<T> => ({ code, name, data });
const creditBased = {
  mtu: u16, // octets of an SDU that the sender of the packet takes
  mps: u16, // octets of a K-frame's payload that it takes
  initialCredits: u16, // K-frames that it takes
} as const;
const endpoints = struct({
  destinationCid: u16, // of who answers
  sourceCid: u16, // of who asks
});

/** 4.1. What is wrong follows the reason: the MTU, or the CIDs. */
export const CommandReject = packet(0x01, "Command Reject", struct({ reason: u16, data: rest }));
/** 4.6 */
export const DisconnectionRequest = packet(0x06, "Disconnection Request", endpoints);
/** 4.7 */
export const DisconnectionResponse = packet(0x07, "Disconnection Response", endpoints);
/** 4.20 */
export const ConnectionParameterUpdateRequest = packet(
  0x12,
  "Connection Parameter Update Request",
  struct({
    intervalMin: u16, // units of 1.25 ms
    intervalMax: u16, // units of 1.25 ms
    latency: u16, // connection events
    timeout: u16, // units of 10 ms
  }),
);
/** 4.21. 0 accepted, 1 rejected. */
export const ConnectionParameterUpdateResponse = packet(0x13, "Connection Parameter Update Response", struct({ result: u16 }));
/** 4.22 */
export const LeCreditBasedConnectionRequest = packet(
  0x14,
  "LE Credit Based Connection Request",
  struct({ spsm: u16, sourceCid: u16, ...creditBased }),
);
/** 4.23. All but the result counts only where that is Success. */
export const LeCreditBasedConnectionResponse = packet(
  0x15,
  "LE Credit Based Connection Response",
  struct({ destinationCid: u16, ...creditBased, result: u16 }),
);
/** 4.24. Not answered. */
export const FlowControlCreditInd = packet(
  0x16,
  "Flow Control Credit Ind",
  struct({
    cid: u16, // of who sends this
    credits: u16,
  }),
);
/** 4.25 */
export const CreditBasedConnectionRequest = packet(
  0x17,
  "Credit Based Connection Request",
  struct({ spsm: u16, ...creditBased, sourceCids: repeated(u16) }),
);
/** 4.26. One destination CID for each source CID of the request, in its order; 0 stands for a channel that was refused. */
export const CreditBasedConnectionResponse = packet(
  0x18,
  "Credit Based Connection Response",
  struct({ ...creditBased, result: u16, destinationCids: repeated(u16) }),
);
/** 4.27. The CIDs are those of who sends this. */
export const CreditBasedReconfigureRequest = packet(
  0x19,
  "Credit Based Reconfigure Request",
  struct({ mtu: u16, mps: u16, destinationCids: repeated(u16) }),
);
/** 4.28 */
export const CreditBasedReconfigureResponse = packet(0x1a, "Credit Based Reconfigure Response", struct({ result: u16 }));

/**
 * Codes of packets that answer another. They are never rejected: rejecting an answer would be answered in turn. Everything else is, where it
 * is not understood: codes that never had a meaning, those that lost it with version 5.3 (0x0C to 0x11), and known ones of a wrong length.
 */
const RESPONSES: ReadonlySet<number> = new Set([
  CommandReject.code,
  0x03, // Connection Response
  0x05, // Configuration Response
  DisconnectionResponse.code,
  0x09, // Echo Response
  0x0b, // Information Response
  ConnectionParameterUpdateResponse.code,
  LeCreditBasedConnectionResponse.code,
  CreditBasedConnectionResponse.code,
  CreditBasedReconfigureResponse.code,
]);

export function isResponse(code: number): boolean {
  return RESPONSES.has(code);
}

/** Code, identifier and length. */
export const SIGNALLING_HEADER = 4;

/** A whole signalling packet. */
export function encodeSignal<T>({ code, data }: SignallingPacket<T>, identifier: number, value: T): Uint8Array {
  const writer = new Writer(24);
  writer.u8(code);
  writer.u8(identifier);
  writer.u16(0);
  data.encode(writer, value);
  const bytes = writer.finish();
  const length = bytes.length - SIGNALLING_HEADER;
  bytes[2] = length & 0xff;
  bytes[3] = length >> 8;
  return bytes;
}
