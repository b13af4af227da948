import { AttOpcode } from "jelling/att";
import { Uuid } from "jelling/core";
import type { Capture } from "jelling/device";
import { PacketType } from "jelling/hci";
import { CharacteristicUuid } from "../uuids.ts";

const ATT_CID = 0x0004;
const ACL_HEADER_OCTETS = 5; // H4 type included
const L2CAP_HEADER_OCTETS = 4;
const CHARACTERISTIC = 0x2803;
const ZERO_DIGIT = 0x30;
/** What names one device: texts with a number in them, and an identifier made of its address. */
const NAMING: ReadonlySet<string> = new Set(
  [CharacteristicUuid.SerialNumber, CharacteristicUuid.DeviceName, CharacteristicUuid.SystemId].map(({ text }) => text),
);
/** "Pump 1234567H" and "NG1234567H", wherever they stand. */
const PREFIXES = ["Pump ", "NG"].map((text) => Uint8Array.from(text, (character) => character.charCodeAt(0)));
const DIGITS = 7;
/** Read Response and Read Blob Response begin with their opcode alone. */
const VALUE_AT = 1;

/** What has been seen of the attributes of the peer of one link. */
interface LinkView {
  readonly naming: Set<number>;
  /** Handle of the Read Request, or type of the Read By Type Request, that waits for its response. */
  asked: number | undefined;
  askedType: number | undefined;
  /** Octets of a hidden value that are still to come in continuations. */
  rest: number;
}

/**
 * What a capture sees of a pump, without its name and serial number: their digits are zeros, the System ID is all zeros, and packets keep their
 * form. Each packet is a copy. Keys are not touched: hiding them is the work of who writes the capture.
 *
 * @param options.keepIdentity copies only
 */
export function redactPumpCapture(capture: Capture, { keepIdentity = false }: { keepIdentity?: boolean } = {}): Capture {
  const links = new Map<number, LinkView>();
  return (direction, packet, timeMs) => {
    const copy = packet.slice();
    if (!keepIdentity) {
      if (copy[0] === PacketType.AclData) hideValues(links, direction, copy);
      if (copy[0] === PacketType.Event && copy[1] === DISCONNECTION_COMPLETE) links.delete((copy[4]! | (copy[5]! << 8)) & 0x0fff);
      hideNames(copy);
    }
    capture(direction, copy, timeMs);
  };
}
const DISCONNECTION_COMPLETE = 0x05;

/** Learns from the client's requests and the pump's declarations, and hides the values of naming attributes. */
function hideValues(links: Map<number, LinkView>, direction: "sent" | "received", packet: Uint8Array): void {
  if (packet.length <= ACL_HEADER_OCTETS) return;
  const flags = packet[1]! | (packet[2]! << 8);
  const handle = flags & 0x0fff;
  let link = links.get(handle);
  if (!link) {
    link = { naming: new Set(), asked: undefined, askedType: undefined, rest: 0 };
    links.set(handle, link);
  }
  if (((flags >> 12) & 0b11) === 0b01) {
    if (direction === "sent" || link.rest === 0) return;
    const hidden = packet.subarray(ACL_HEADER_OCTETS, ACL_HEADER_OCTETS + link.rest);
    link.rest -= hidden.length;
    hide(hidden);
    return;
  }
  if (direction === "received") link.rest = 0;
  const content = packet.subarray(ACL_HEADER_OCTETS);
  if (content.length <= L2CAP_HEADER_OCTETS || (content[2]! | (content[3]! << 8)) !== ATT_CID) return;
  const length = content[0]! | (content[1]! << 8);
  const pdu = content.subarray(L2CAP_HEADER_OCTETS);
  const word = (at: number): number => (pdu[at] ?? 0) | ((pdu[at + 1] ?? 0) << 8);
  if (direction === "sent") {
    if (pdu[0] === AttOpcode.ReadReq || pdu[0] === AttOpcode.ReadBlobReq) link.asked = word(1);
    if (pdu[0] === AttOpcode.ReadByTypeReq) link.askedType = pdu.length === 7 ? word(5) : undefined;
    return;
  }
  if (pdu[0] === AttOpcode.ReadByTypeRsp && link.askedType === CHARACTERISTIC) {
    const size = pdu[1]!;
    if (size === 7 || size === 21)
      for (let at = 2; at + size <= pdu.length; at += size)
        if (NAMING.has(Uuid.fromBytes(pdu.subarray(at + 5, at + size)).text)) link.naming.add(word(at + 3));
  }
  const isValue = pdu[0] === AttOpcode.ReadRsp || pdu[0] === AttOpcode.ReadBlobRsp;
  if (!isValue || link.asked === undefined || !link.naming.has(link.asked)) return;
  hide(pdu.subarray(VALUE_AT));
  link.rest = length - pdu.length;
}

/** Digits become zeros; what is no text becomes zeros altogether. */
function hide(value: Uint8Array): void {
  const isText = value.every((octet) => octet === 0 || (octet >= 0x20 && octet < 0x7f));
  for (let i = 0; i < value.length; i++) if (!isText || isDigit(value[i])) value[i] = isText ? ZERO_DIGIT : 0;
}

/** Names in advertising data, events, and values of any attribute. */
function hideNames(packet: Uint8Array): void {
  for (const prefix of PREFIXES)
    for (let at = packet.indexOf(prefix[0]!); at >= 0; at = packet.indexOf(prefix[0]!, at + 1)) {
      const from = at + prefix.length;
      if (!prefix.every((octet, i) => packet[at + i] === octet)) continue;
      const digits = packet.subarray(from, from + DIGITS);
      if (digits.length === DIGITS && digits.every((octet) => isDigit(octet))) digits.fill(ZERO_DIGIT);
    }
}

const isDigit = (octet: number | undefined): boolean => octet !== undefined && octet >= 0x30 && octet <= 0x39;
