import { PacketType } from "../hci/transport.ts";
import type { CaptureDirection } from "./record.ts";

/** Octets [offset, offset + length) of a packet's parameters. */
type Secret = readonly [offset: number, length: number];

const LE = 0x08;
const opcode = (ogf: number, ocf: number): number => (ogf << 10) | ocf;

/**
 * Commands whose parameters hold a key, a passkey or what a key is made of; offsets from the first parameter.
 * Those of BR/EDR are here since a capture may come from another host.
 */
const COMMANDS: Readonly<Record<number, readonly Secret[]>> = {
  [opcode(0x01, 0x000b)]: [[6, 16]], // Link Key Request Reply: Link_Key
  [opcode(0x01, 0x000d)]: [[7, 16]], // PIN Code Request Reply: PIN_Code
  [opcode(0x01, 0x002e)]: [[6, 4]], // User Passkey Request Reply: Numeric_Value
  [opcode(0x01, 0x0030)]: [[6, 32]], // Remote OOB Data Request Reply: C, R
  [opcode(0x01, 0x0045)]: [[6, 64]], // Remote OOB Extended Data Request Reply
  [opcode(0x03, 0x0011)]: [[1, 255]], // Write Stored Link Key: everything after the count
  [opcode(LE, 0x0017)]: [[0, 32]], // LE Encrypt: Key, Plaintext_Data
  [opcode(LE, 0x0019)]: [[12, 16]], // LE Enable Encryption: Long_Term_Key
  [opcode(LE, 0x001a)]: [[2, 16]], // LE Long Term Key Request Reply: Long_Term_Key
  [opcode(LE, 0x0027)]: [[7, 32]], // LE Add Device To Resolving List: Peer_IRK, Local_IRK
  [opcode(LE, 0x0068)]: [[15, 16]], // LE Create BIG: Broadcast_Code
  [opcode(LE, 0x006b)]: [[4, 16]], // LE BIG Create Sync: Broadcast_Code
};

/** Return parameters of Command Complete, after the status. LE Rand is here because hosts make keys of it. */
const RETURNS: Readonly<Record<number, readonly Secret[]>> = {
  [opcode(0x03, 0x0057)]: [[1, 32]], // Read Local OOB Data: C, R
  [opcode(0x03, 0x007d)]: [[1, 64]], // Read Local OOB Extended Data
  [opcode(LE, 0x0017)]: [[1, 16]], // LE Encrypt: Encrypted_Data
  [opcode(LE, 0x0018)]: [[1, 8]], // LE Rand: Random_Number
};

const COMMAND_COMPLETE = 0x0e;
const LE_META = 0x3e;
const EVENTS: Readonly<Record<number, readonly Secret[]>> = {
  21: [[1, 254]], // Return Link Keys: everything after the count
  24: [[6, 16]], // Link Key Notification: Link_Key
  51: [[6, 4]], // User Confirmation Request: Numeric_Value
  59: [[6, 4]], // User Passkey Notification: Passkey
};
/** Offsets count the subevent code. */
const LE_EVENTS: Readonly<Record<number, readonly Secret[]>> = {
  9: [[2, 32]], // LE Generate DHKey Complete: DHKey
};

/** Security Manager PDUs that carry a key of 16 octets behind their code, Vol 3 Part H 3.6: Encryption, Identity and Signing Information. */
const KEY_PDUS: ReadonlySet<number> = new Set([0x06, 0x08, 0x0a]);
const SECURITY_MANAGER_CHANNELS: ReadonlySet<number> = new Set([0x0006, 0x0007]);

/** Where one direction of one link is inside an L2CAP frame. */
interface FrameProgress {
  /** Octets of the frame seen. */
  at: number;
  /** The first five: length, channel, code. */
  readonly head: Uint8Array;
}
/** ACL handles have 12 bits; links that a capture never closes are forgotten oldest first. */
const MOST_FRAMES = 512;

/**
 * Overwrites keys, passkeys and the random numbers keys are made of with zeros, so that a packet stays well-formed. Keys in Security Manager
 * PDUs are found however the PDU was cut into ACL packets. Attribute values are the application's and stay.
 */
export class Redactor {
  readonly #frames = new Map<number, FrameProgress>();

  /** The packet itself when it holds no secret, else a copy without it. */
  redact(direction: CaptureDirection, packet: Uint8Array): Uint8Array {
    switch (packet[0]) {
      case PacketType.Command:
        return zero(packet, 4, COMMANDS[(packet[1] ?? 0) | ((packet[2] ?? 0) << 8)]);
      case PacketType.Event:
        return redactEvent(packet);
      case PacketType.AclData:
        return this.#redactAcl(direction, packet);
      default:
        return packet;
    }
  }

  #redactAcl(direction: CaptureDirection, packet: Uint8Array): Uint8Array {
    if (packet.length < 5) return packet;
    const flags = packet[1]! | (packet[2]! << 8);
    const key = (flags & 0x0fff) | (direction === "host-to-controller" ? 0x1000 : 0);
    const isContinuation = ((flags >> 12) & 0b11) === 0b01;
    let frame = this.#frames.get(key);
    if (!isContinuation || !frame) {
      // A continuation without a beginning is of no known frame; nothing in it can be told to be a key.
      if (isContinuation) return packet;
      frame = { at: 0, head: new Uint8Array(5) };
      this.#frames.delete(key);
      this.#frames.set(key, frame);
      if (this.#frames.size > MOST_FRAMES) this.#frames.delete(this.#frames.keys().next().value!);
    }
    let redacted = packet;
    const start = frame.at;
    for (let i = 5; i < packet.length; i++, frame.at++) {
      if (frame.at < 5) {
        frame.head[frame.at] = packet[i]!;
        continue;
      }
      if (!SECURITY_MANAGER_CHANNELS.has(frame.head[2]! | (frame.head[3]! << 8)) || !KEY_PDUS.has(frame.head[4]!)) break;
      if (frame.at >= 5 + 16) break;
      if (redacted === packet) redacted = packet.slice();
      redacted[i] = 0;
    }
    frame.at = start + packet.length - 5;
    return redacted;
  }
}

function redactEvent(packet: Uint8Array): Uint8Array {
  if (packet[1] === COMMAND_COMPLETE) return zero(packet, 6, RETURNS[(packet[4] ?? 0) | ((packet[5] ?? 0) << 8)]);
  if (packet[1] === LE_META) return zero(packet, 3, LE_EVENTS[packet[3] ?? 0]);
  return zero(packet, 3, EVENTS[packet[1] ?? 0]);
}

function zero(packet: Uint8Array, base: number, secrets: readonly Secret[] | undefined): Uint8Array {
  if (!secrets) return packet;
  const redacted = packet.slice();
  for (const [offset, length] of secrets) redacted.fill(0, base + offset, base + offset + length);
  return redacted;
}
