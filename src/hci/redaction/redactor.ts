import { EventCode } from "../declare.ts";
import { PacketType } from "../transport.ts";
import { KEY_PDUS, SECURITY_MANAGER_CHANNELS, type Secret, secretsOfCommand, secretsOfEvent, secretsOfReturns } from "./secrets.ts";

/** Which way an HCI packet goes. */
export type HciDirection = "host-to-controller" | "controller-to-host";

const KEY_OCTETS = 16;
/** Length and channel of an L2CAP frame, and the code of a Security Manager PDU. */
const HEAD_OCTETS = 5;

/** Where one direction of one link is inside an L2CAP frame. */
interface FrameProgress {
  /** Octets of the frame seen. */
  at: number;
  readonly head: Uint8Array;
}
/** ACL handles have 12 bits; links that a capture never closes are forgotten oldest first. */
const MOST_FRAMES = 512;

/**
 * Overwrites keys, passkeys, the random numbers keys are made of, and what vendors say in their own words with zeros, so that a packet stays
 * well-formed. Keys in Security Manager PDUs are found however the PDU was cut into ACL packets. Attribute values are the application's and
 * stay. One for each controller: it remembers the frames that are under way.
 */
export class Redactor {
  readonly #frames = new Map<number, FrameProgress>();

  /** The packet itself when it holds no secret, else a copy without it. */
  redact(direction: HciDirection, packet: Uint8Array): Uint8Array {
    switch (packet[0]) {
      case PacketType.Command:
        return zero(packet, 4, secretsOfCommand((packet[1] ?? 0) | ((packet[2] ?? 0) << 8)));
      case PacketType.Event:
        if (packet[1] === EventCode.CommandComplete) return zero(packet, 6, secretsOfReturns((packet[4] ?? 0) | ((packet[5] ?? 0) << 8)));
        return zero(packet, 3, secretsOfEvent(packet[1] ?? 0, packet[3] ?? 0));
      case PacketType.AclData:
        return this.#redactAcl(direction, packet);
      default:
        return packet;
    }
  }

  #redactAcl(direction: HciDirection, packet: Uint8Array): Uint8Array {
    if (packet.length <= 5) return packet;
    const flags = packet[1]! | (packet[2]! << 8);
    const key = (flags & 0x0fff) | (direction === "host-to-controller" ? 0x1000 : 0);
    const isContinuation = ((flags >> 12) & 0b11) === 0b01;
    let frame = this.#frames.get(key);
    if (!isContinuation) {
      frame = { at: 0, head: new Uint8Array(HEAD_OCTETS) };
      this.#frames.delete(key);
      this.#frames.set(key, frame);
      if (this.#frames.size > MOST_FRAMES) this.#frames.delete(this.#frames.keys().next().value!);
    }
    // The beginning is not known, because the capture began later or was cut: this may be a key.
    if (!frame) return zero(packet, 5, [[0, packet.length]]);
    let redacted = packet;
    const start = frame.at;
    for (let i = 5; i < packet.length; i++, frame.at++) {
      if (frame.at < HEAD_OCTETS) {
        frame.head[frame.at] = packet[i]!;
        continue;
      }
      if (!SECURITY_MANAGER_CHANNELS.has(frame.head[2]! | (frame.head[3]! << 8)) || !KEY_PDUS.has(frame.head[4]!)) break;
      if (frame.at >= HEAD_OCTETS + KEY_OCTETS) break;
      if (redacted === packet) redacted = packet.slice();
      redacted[i] = 0;
    }
    frame.at = start + packet.length - 5;
    return redacted;
  }
}

function zero(packet: Uint8Array, base: number, secrets: readonly Secret[]): Uint8Array {
  if (secrets.length === 0) return packet;
  const redacted = packet.slice();
  for (const [offset, length] of secrets) redacted.fill(0, base + offset, base + offset + length);
  return redacted;
}
