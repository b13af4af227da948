import { createTransportPair } from "../../src/transport/memory-pipe.ts";
import type { Host } from "./host.ts";
import { seen } from "./workloads.ts";

const LINK = { connectionHandle: 0x40, valueHandle: 3 };
/** Of an ACL data packet with a write of 20 octets. */
const FRAME_OCTETS = 32;

/**
 * No host: the same packets through the same transport to who looks at one octet, and writes that are a frame and a promise which
 * the controller resolves in a microtask, or none. Nothing above can cost less.
 */
export function openCeiling(): Host {
  const [host, controller] = createTransportPair();
  host.onPacket = (packet) => {
    seen.octets += packet[packet.length - 1]!;
    seen.items++;
  };
  let resolve: () => void = () => undefined;
  controller.onPacket = (packet) => {
    if (packet[9] === 0x12) queueMicrotask(resolve);
  };
  return {
    name: "ceiling",
    open: () => Promise.resolve({ link: LINK, isOfBuffers: false, toHost: (packet) => controller.send(packet) }),
    write: async (kind, count) => {
      for (let i = 0; i < count; i++) {
        const frame = new Uint8Array(FRAME_OCTETS);
        frame[9] = kind === "with response" ? 0x12 : 0x52;
        const answered = kind === "with response" ? new Promise<void>((done) => (resolve = done)) : undefined;
        host.send(frame);
        await answered;
      }
    },
  };
}
