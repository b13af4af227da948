/** Gives the signature of a PDU, 12 octets (Vol 3 Part H 2.4.5), when its counter is used up for good. */
export type Sign = (pdu: Uint8Array) => Promise<Uint8Array>;
