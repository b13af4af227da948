import { PacketType } from "../../hci/transport.ts";

/** Packet types, Vol 4 Part D 4.4; those of HCI packets have the numbers of H4. */
export const H5PacketType = Object.freeze({ Acknowledgment: 0, LinkControl: 15 });

const HEADER_OCTETS = 4;
const CHECK_OCTETS = 2;
/** The field of the length has twelve bits, Vol 4 Part D 4.5. */
export const LONGEST_PAYLOAD = 4095;
export const LONGEST_PACKET = HEADER_OCTETS + LONGEST_PAYLOAD + CHECK_OCTETS;

export interface H5Packet {
  /** 0 in packets that are not reliable. */
  readonly sequence: number;
  /** The next sequence number that the sender expects. */
  readonly acknowledgment: number;
  readonly isReliable: boolean;
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Vol 4 Part D 4. */
export function encodePacket({ sequence, acknowledgment, isReliable, type, payload }: H5Packet, hasCheck: boolean): Uint8Array {
  const packet = new Uint8Array(HEADER_OCTETS + payload.length + (hasCheck ? CHECK_OCTETS : 0));
  packet[0] = sequence | (acknowledgment << 3) | (hasCheck ? 0x40 : 0) | (isReliable ? 0x80 : 0);
  packet[1] = type | ((payload.length & 0x0f) << 4);
  packet[2] = payload.length >> 4;
  packet[3] = 0xff - ((packet[0]! + packet[1]! + packet[2]!) & 0xff);
  packet.set(payload, HEADER_OCTETS);
  if (hasCheck) new DataView(packet.buffer).setUint16(packet.length - CHECK_OCTETS, integrityCheck(packet, packet.length - CHECK_OCTETS));
  return packet;
}

/** @returns undefined for what the line has damaged: header checksum, length or data integrity check do not hold. The payload is a view */
export function decodePacket(packet: Uint8Array): H5Packet | undefined {
  if (packet.length < HEADER_OCTETS || ((packet[0]! + packet[1]! + packet[2]! + packet[3]!) & 0xff) !== 0xff) return undefined;
  const hasCheck = (packet[0]! & 0x40) !== 0;
  const end = HEADER_OCTETS + ((packet[1]! >> 4) | (packet[2]! << 4));
  if (packet.length !== end + (hasCheck ? CHECK_OCTETS : 0)) return undefined;
  if (hasCheck && integrityCheck(packet, end) !== ((packet[end]! << 8) | packet[end + 1]!)) return undefined;
  return {
    sequence: packet[0]! & 7,
    acknowledgment: (packet[0]! >> 3) & 7,
    isReliable: (packet[0]! & 0x80) !== 0,
    type: packet[1]! & 0x0f,
    payload: packet.subarray(HEADER_OCTETS, end),
  };
}

/** Whether the sender repeats an HCI packet until it is acknowledged: not where it would come too late anyway. */
export function isSentReliably(type: number): boolean {
  return type !== PacketType.SynchronousData && type !== PacketType.IsoData;
}

/**
 * The 16-bit CCITT check, D16 + D12 + D5 + 1, register all ones at first, octets least significant bit first, of the first `length` octets
 * (Vol 4 Part D 4.7). It is sent most significant octet first.
 */
export function integrityCheck(octets: Uint8Array, length = octets.length): number {
  let register = 0xffff;
  for (let i = 0; i < length; i++) register = (register >> 8) ^ TABLE[(register ^ octets[i]!) & 0xff]!;
  return reversed(register);
}

/** The register is kept mirrored, so that an octet is one step; this turns it as the specification draws it. */
function reversed(value: number): number {
  let result = 0;
  for (let i = 0; i < 16; i++) result |= ((value >> i) & 1) << (15 - i);
  return result;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) === 0 ? 0 : 0x8408);
  return value;
});
