/** Octets of Command Complete and of Command Status for Reset, both. */
const ANSWER_OCTETS = 7;
/** HCI_Reset as H4 has it. */
export const RESET: readonly number[] = [0x01, 0x03, 0x0c, 0x00];

/**
 * Looks for HCI_Reset, or for the answer to it, in octets of which nobody knows where a packet begins: the mark by which both ends of H4
 * find each other again (Vol 4 Part A 4).
 */
export class ResetSearch {
  readonly #isFound: (octets: Uint8Array, at: number) => boolean;
  readonly #length: number;
  #tail = new Uint8Array(0);

  constructor(what: "command" | "answer") {
    this.#length = what === "command" ? RESET.length : ANSWER_OCTETS;
    this.#isFound = what === "command" ? isReset : isAnswer;
  }

  /** @returns what was looked for, and what came after it */
  push(octets: Uint8Array): { packet: Uint8Array; rest: Uint8Array } | undefined {
    const all = new Uint8Array(this.#tail.length + octets.length);
    all.set(this.#tail);
    all.set(octets, this.#tail.length);
    for (let at = 0; at + this.#length <= all.length; at++)
      if (this.#isFound(all, at)) return { packet: all.slice(at, at + this.#length), rest: all.slice(at + this.#length) };
    this.#tail = all.slice(Math.max(0, all.length - this.#length + 1));
    return undefined;
  }
}

const isReset = (octets: Uint8Array, at: number): boolean => RESET.every((octet, i) => octets[at + i] === octet);

/** Event, Command Complete or Command Status, four octets, then opcode and status in their places. */
function isAnswer(octets: Uint8Array, at: number): boolean {
  if (octets[at] !== 0x04 || octets[at + 2] !== 0x04) return false;
  const opcodeAt = octets[at + 1] === 0x0e ? at + 4 : octets[at + 1] === 0x0f ? at + 5 : undefined;
  return opcodeAt !== undefined && octets[opcodeAt] === 0x03 && octets[opcodeAt + 1] === 0x0c;
}
