import type { HciTransport } from "../../src/hci/index.ts";

export interface InBetween {
  /** Sees what the controller sends, and passes it on, or not. */
  readonly received?: (packet: Uint8Array, deliver: (packet: Uint8Array) => void) => void;
  /** Sees what the host sends, which is passed on. */
  readonly sent?: (packet: Uint8Array) => void;
}

/** A transport with somebody in between. */
export function between(inner: HciTransport, { received = (packet, deliver) => deliver(packet), sent }: InBetween): HciTransport {
  return {
    get info() {
      return inner.info;
    },
    get onPacket() {
      return inner.onPacket;
    },
    set onPacket(handler) {
      inner.onPacket = handler && ((packet) => received(packet, handler));
    },
    get onClose() {
      return inner.onClose;
    },
    set onClose(handler) {
      inner.onClose = handler;
    },
    get writable() {
      return inner.writable;
    },
    get onWritable() {
      return inner.onWritable;
    },
    set onWritable(handler) {
      inner.onWritable = handler;
    },
    send: (packet) => {
      sent?.(packet);
      inner.send(packet);
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
