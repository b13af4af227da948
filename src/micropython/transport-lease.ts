import { EventCode, type HciTransport, PacketType, type TransportClosed } from "../hci/index.ts";

/** Reset, Vol 4 Part E 7.3.2. */
const RESET_OPCODE = 0x0c03;

/**
 * The use of a transport from one `active(true)` to the next `active(false)`: disposing it ends the use, and closes the transport only where it
 * was opened for this. What still arrives on one that is kept belongs to nobody.
 */
export class TransportLease implements HciTransport {
  readonly info: HciTransport["info"];
  readonly #transport: HciTransport;
  readonly #isKept: boolean;
  #onPacket: ((packet: Uint8Array) => void) | undefined;
  #isOver = false;
  /** The controller has confirmed the last Reset; its host does nothing after the one with which it leaves. */
  isReset = false;
  #awaitsReset = false;

  constructor(transport: HciTransport, { isKept }: { isKept: boolean }) {
    this.#transport = transport;
    this.#isKept = isKept;
    this.info = transport.info;
  }

  get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return this.#onPacket;
  }
  set onPacket(handler: ((packet: Uint8Array) => void) | undefined) {
    if (this.#isOver) return;
    this.#onPacket = handler;
    this.#transport.onPacket = handler && this.#receive;
  }
  get onClose(): ((reason: TransportClosed) => void) | undefined {
    return this.#transport.onClose;
  }
  set onClose(handler: ((reason: TransportClosed) => void) | undefined) {
    if (!this.#isOver) this.#transport.onClose = handler;
  }
  get writable(): boolean {
    return this.#transport.writable;
  }
  get onWritable(): (() => void) | undefined {
    return this.#transport.onWritable;
  }
  set onWritable(handler: (() => void) | undefined) {
    if (!this.#isOver) this.#transport.onWritable = handler;
  }

  send(packet: Uint8Array): void {
    if (this.#isOver) return;
    if (packet[0] === PacketType.Command) {
      this.isReset = false;
      this.#awaitsReset = (packet[1]! | (packet[2]! << 8)) === RESET_OPCODE;
    }
    this.#transport.send(packet);
  }

  readonly #receive = (packet: Uint8Array): void => {
    if (this.#awaitsReset && isResetDone(packet)) {
      this.#awaitsReset = false;
      this.isReset = true;
    }
    this.#onPacket?.(packet);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onPacket = undefined;
    this.#transport.onWritable = undefined;
    this.#transport.onClose = undefined;
    if (!this.#isKept) return await this.#transport[Symbol.asyncDispose]();
    this.#transport.onPacket = () => undefined;
  }
}

/** Command Complete of Reset with status 0. */
function isResetDone(packet: Uint8Array): boolean {
  if (packet[0] !== PacketType.Event || packet[1] !== EventCode.CommandComplete) return false;
  return (packet[4]! | (packet[5]! << 8)) === RESET_OPCODE && packet[6] === 0;
}
