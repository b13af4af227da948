import { VirtualClock } from "../../src/async/index.ts";
import { DisconnectedError, encodeEvent, Hci, NumberOfCompletedPackets } from "../../src/hci/index.ts";
import { L2cap, type L2capLink, type L2capListeners } from "../../src/l2cap/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";
import { ScriptedController } from "./scripted-hci.ts";

const HANDLE = 1;
const PACKET_MS = 1;
const PACKETS = 8;
const PACKET_LENGTH = 251;

/** What becomes of one ACL data packet. */
export interface WireFault {
  readonly index: number;
  /** "end": the link is lost with it. */
  readonly kind: "lose" | "double" | "cut" | "swap" | "falsify" | "end";
}

export interface WireEnd {
  readonly hci: Hci;
  readonly link: L2capLink;
  readonly listeners: L2capListeners;
}

export interface Wire {
  readonly clock: VirtualClock;
  readonly ends: readonly [WireEnd, WireEnd];
  /** ACL data packets so far, both ways. */
  readonly count: () => number;
}

/** Two hosts whose links are joined by a wire of ACL data packets, each of which takes a millisecond; one of them may be struck. */
export async function openWire(fault?: WireFault): Promise<Wire> {
  const clock = new VirtualClock();
  let count = 0;
  const controllers: ScriptedController[] = [];
  const ends: WireEnd[] = [];
  for (const role of ["central", "peripheral"] as const) {
    const [host, end] = createTransportPair();
    const controller = new ScriptedController(end);
    controller.buffers(PACKET_LENGTH, PACKETS);
    controllers.push(controller);
    const hci = await Hci.open(host, { clock });
    const l2cap = new L2cap(hci);
    const link = l2cap.open({ handle: HANDLE, role });
    link.setTxOctets(PACKET_LENGTH);
    ends.push({ hci, link, listeners: l2cap.listeners });
  }
  for (const [i, controller] of controllers.entries()) {
    const other = controllers[1 - i]!;
    const queue: Uint8Array[] = [];
    let isMoving = false;
    let swapped: Uint8Array | undefined;
    const deliver = (packet: Uint8Array): void => {
      other.transport.send(packet);
      if (!swapped) return;
      const late = swapped;
      swapped = undefined;
      other.transport.send(late);
    };
    const move = (): void => {
      isMoving = true;
      clock.setTimer(PACKET_MS, "a packet on the wire", () => {
        const packet = queue.shift()!;
        controller.transport.send(
          encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: HANDLE, numCompletedPackets: 1 }] }),
        );
        const kind = count++ === fault?.index ? fault.kind : undefined;
        if (kind === "end") {
          for (const { link } of ends) link.close(new DisconnectedError(0x08));
          return;
        }
        if (kind === "swap") swapped = packet;
        else if (kind !== "lose") deliver(kind ? struck(packet, kind, fault!.index) : packet);
        if (kind === "double") deliver(packet.slice());
        isMoving = false;
        if (queue.length > 0) move();
      });
    };
    // Data goes over the wire; commands are answered as before.
    const commands = controller.transport.onPacket!;
    controller.transport.onPacket = (packet) => {
      if (packet[0] !== 2) {
        commands(packet);
        return;
      }
      queue.push(packet);
      if (!isMoving) move();
    };
  }
  return { clock, ends: [ends[0]!, ends[1]!], count: () => count };
}

function struck(packet: Uint8Array, kind: WireFault["kind"], index: number): Uint8Array {
  if (kind === "cut") {
    const shorter = packet.slice(0, 5 + Math.floor((packet.length - 5) / 2));
    shorter[3] = shorter.length - 5;
    return shorter;
  }
  const copy = packet.slice();
  if (kind === "falsify") {
    const at = 5 + (index % (copy.length - 5));
    copy[at] = copy[at]! ^ (1 << (index & 7));
  }
  return copy;
}
