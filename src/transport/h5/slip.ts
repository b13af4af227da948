/** Between packets, Vol 4 Part D 3.1. */
const DELIMITER = 0xc0;
const ESCAPE = 0xdb;
export const XON = 0x11;
export const XOFF = 0x13;
/** What stands after the escape, for each octet that is escaped (Vol 4 Part D 3.1 and 3.2). */
const ESCAPED: Readonly<Record<number, number>> = { [DELIMITER]: 0xdc, [ESCAPE]: 0xdd, [XON]: 0xde, [XOFF]: 0xdf };
const MEANT = new Map(Object.entries(ESCAPED).map(([octet, code]) => [code, Number(octet)]));

/** By octet, what stands after the escape; 0 for those that stand for themselves. */
function codes(...octets: number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const octet of octets) table[octet] = ESCAPED[octet]!;
  return table;
}
const PLAIN = codes(DELIMITER, ESCAPE);
const WITH_FLOW_CONTROL = codes(DELIMITER, ESCAPE, XON, XOFF);

/** A packet as it goes over the line. @param hasFlowControl 0x11 and 0x13 belong to the flow control, so they are escaped too */
export function encodeSlip(packet: Uint8Array, hasFlowControl: boolean): Uint8Array {
  const table = hasFlowControl ? WITH_FLOW_CONTROL : PLAIN;
  let size = packet.length + 2;
  for (let i = 0; i < packet.length; i++) if (table[packet[i]!] !== 0) size++;
  const line = new Uint8Array(size);
  let at = 0;
  line[at++] = DELIMITER;
  for (let i = 0; i < packet.length; i++) {
    const code = table[packet[i]!]!;
    if (code === 0) line[at++] = packet[i]!;
    else {
      line[at++] = ESCAPE;
      line[at++] = code;
    }
  }
  line[at] = DELIMITER;
  return line;
}

/** Finds the packets in a stream of octets. What is longer than a packet, or escaped wrongly, is dropped up to the next delimiter. */
export class SlipDecoder {
  readonly #onPacket: (packet: Uint8Array) => void;
  readonly #buffer: Uint8Array;
  #length = 0;
  #isEscaped = false;
  /** Until the first delimiter nobody knows where a packet starts. */
  #isSpoilt = true;

  /** @param onPacket gets a view that is valid during the call */
  constructor(longest: number, onPacket: (packet: Uint8Array) => void) {
    this.#buffer = new Uint8Array(longest);
    this.#onPacket = onPacket;
  }

  push(octets: Uint8Array): void {
    for (const octet of octets) this.#take(octet);
  }

  #take(octet: number): void {
    if (octet === DELIMITER) {
      const isWhole = !this.#isSpoilt && !this.#isEscaped && this.#length > 0;
      const length = this.#length;
      this.#length = 0;
      this.#isEscaped = false;
      this.#isSpoilt = false;
      if (isWhole) this.#onPacket(this.#buffer.subarray(0, length));
      return;
    }
    if (this.#isSpoilt) return;
    if (octet === ESCAPE) {
      this.#isSpoilt = this.#isEscaped;
      this.#isEscaped = true;
      return;
    }
    const meant = this.#isEscaped ? MEANT.get(octet) : octet;
    this.#isEscaped = false;
    if (meant === undefined || this.#length === this.#buffer.length) this.#isSpoilt = true;
    else this.#buffer[this.#length++] = meant;
  }
}
