import { PDU_OFFSET } from "../l2cap/channel.ts";

/** Fills the PDU of a frame, field by field. */
export class FrameWriter {
  readonly frame: Uint8Array;
  #at = PDU_OFFSET;

  constructor(frame: Uint8Array, opcode: number) {
    this.frame = frame;
    this.u8(opcode);
  }
  u8(value: number): void {
    this.frame[this.#at++] = value;
  }
  u16(value: number): void {
    this.frame[this.#at++] = value & 0xff;
    this.frame[this.#at++] = value >> 8;
  }
  bytes(value: Uint8Array): void {
    this.frame.set(value, this.#at);
    this.#at += value.length;
  }
}
