import type { OperationOptions, WaitOptions } from "../async/pending.ts";
import { checkOctets } from "../core/arguments.ts";
import { ArgumentError, type BleError } from "../core/error.ts";
import { type AclLink, allocateFrame, PacketType } from "../hci/index.ts";
import { PDU_OFFSET, type PduChannel } from "./channel.ts";

/** Channel identifiers of an LE link, Vol 3 Part A 2.1. */
export const FixedChannelId = Object.freeze({ Attribute: 0x0004, LeSignalling: 0x0005, SecurityManager: 0x0006 });

const LONGEST_PDU = 0xffff;

/** A fixed channel: whole PDUs in basic mode, Vol 3 Part A 3.1. */
export class FixedChannel implements PduChannel {
  readonly channelId: number;
  onPdu: PduChannel["onPdu"];
  onClose: PduChannel["onClose"];
  readonly #link: AclLink;

  constructor(link: AclLink, channelId: number) {
    this.#link = link;
    this.channelId = channelId;
  }

  allocate(length: number): Uint8Array {
    if ((length & LONGEST_PDU) !== length)
      // negative, too long, or no whole number
      throw new ArgumentError(`PDU of ${length} octets: expected at most ${LONGEST_PDU}`);
    const { handle } = this.#link;
    const frame = allocateFrame(PDU_OFFSET + length);
    frame[0] = PacketType.AclData;
    frame[1] = handle & 0xff;
    frame[2] = handle >> 8; // the first packet of a PDU from the host: boundary flag 00, Vol 4 Part E 5.4.2
    frame[3] = (length + 4) & 0xff;
    frame[4] = ((length + 4) >> 8) & 0xff; // more than the field holds only where the frame will be cut anyway
    frame[5] = length & 0xff;
    frame[6] = length >> 8;
    frame[7] = this.channelId;
    return frame;
  }

  sendFrame(frame: Uint8Array): void {
    this.#link.sendFrame(frame);
  }

  send(pdu: Uint8Array): void {
    checkOctets("PduChannel.send", pdu);
    const frame = this.allocate(pdu.length);
    frame.set(pdu, PDU_OFFSET);
    this.#link.sendFrame(frame);
  }

  get writable(): boolean {
    return this.#link.writable;
  }

  get waiting(): number {
    return this.#link.waiting;
  }

  get queued(): number {
    return this.#link.queued;
  }

  get idle(): boolean {
    return this.#link.idle;
  }

  whenWritable(options?: OperationOptions): Promise<void> {
    return this.#link.whenWritable(options);
  }

  whenSent(options?: WaitOptions): Promise<void> {
    return this.#link.whenSent(options);
  }

  /** For the link: the channel is gone. */
  close(reason: BleError): void {
    this.onPdu = undefined;
    const { onClose } = this;
    this.onClose = undefined;
    onClose?.(reason);
  }
}
