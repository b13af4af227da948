import type { Clock } from "jelling/async";
import type { CaptureWriter } from "jelling/capture";
import type { HciTransport } from "jelling/transport";

/** A transport whose packets are also written to a capture, seen from the controller: what arrives comes from the host. */
export function tapped(transport: HciTransport, capture: CaptureWriter, clock: Clock): HciTransport {
  let onPacket: ((packet: Uint8Array) => void) | undefined;
  return {
    info: transport.info,
    get onPacket() {
      return onPacket;
    },
    set onPacket(handler) {
      onPacket = handler;
      transport.onPacket =
        handler &&
        ((packet) => {
          capture.write("host-to-controller", packet, clock.now());
          handler(packet);
        });
    },
    get onClose() {
      return transport.onClose;
    },
    set onClose(handler) {
      transport.onClose = handler;
    },
    send: (packet) => {
      capture.write("controller-to-host", packet, clock.now());
      transport.send(packet);
    },
    get writable() {
      return transport.writable;
    },
    get onWritable() {
      return transport.onWritable;
    },
    set onWritable(handler) {
      transport.onWritable = handler;
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
