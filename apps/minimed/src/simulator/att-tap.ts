import type { HciTransport } from "jelling/hci";
import { PacketType } from "jelling/hci";

const ATT_CID = 0x0004;
/** H4 type, ACL header, basic L2CAP header. */
const ATT_OPCODE_AT = 9;

/** The start of an ATT PDU on its way through the transport: its length is that of the whole PDU. */
export type AttObserver = (
  direction: "sent" | "received",
  pdu: { readonly opcode: number; readonly length: number; readonly parameters: Uint8Array },
) => void;

/**
 * Stands between a host and its controller and sees the ATT PDUs that pass, as the receiver circuit of a device would. A simulated pump has
 * one, to mind what its real kin minds and to fall silent as it does.
 */
export class AttTap implements HciTransport {
  /** While true nothing that comes over the air reaches the host, which therefore answers nothing. */
  deaf = false;
  readonly #transport: HciTransport;
  readonly #observe: AttObserver;
  #onPacket: ((packet: Uint8Array) => void) | undefined;

  constructor(transport: HciTransport, observe: AttObserver) {
    this.#transport = transport;
    this.#observe = observe;
  }

  get info(): HciTransport["info"] {
    return this.#transport.info;
  }
  get onPacket(): HciTransport["onPacket"] {
    return this.#onPacket;
  }
  set onPacket(handler: HciTransport["onPacket"]) {
    this.#onPacket = handler;
    this.#transport.onPacket =
      handler &&
      ((packet) => {
        const isData = packet[0] === PacketType.AclData;
        if (isData) this.#look("received", packet);
        if (!(isData && this.deaf)) handler(packet);
      });
  }
  get onClose(): HciTransport["onClose"] {
    return this.#transport.onClose;
  }
  set onClose(handler: HciTransport["onClose"]) {
    this.#transport.onClose = handler;
  }
  get writable(): boolean {
    return this.#transport.writable;
  }
  get onWritable(): HciTransport["onWritable"] {
    return this.#transport.onWritable;
  }
  set onWritable(handler: HciTransport["onWritable"]) {
    this.#transport.onWritable = handler;
  }

  send(packet: Uint8Array): void {
    if (packet[0] === PacketType.AclData) this.#look("sent", packet);
    this.#transport.send(packet);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#transport[Symbol.asyncDispose]();
  }

  #look(direction: "sent" | "received", packet: Uint8Array): void {
    // Packet_Boundary_Flag 0b01 continues a PDU whose beginning was seen (Vol 4 Part E 5.4.2).
    if (packet.length <= ATT_OPCODE_AT || ((packet[2]! >> 4) & 0b11) === 0b01) return;
    if ((packet[7]! | (packet[8]! << 8)) !== ATT_CID) return;
    const length = packet[5]! | (packet[6]! << 8);
    this.#observe(direction, { opcode: packet[ATT_OPCODE_AT]!, length, parameters: packet.subarray(ATT_OPCODE_AT + 1) });
  }
}
