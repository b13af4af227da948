import { AttOpcode } from "jelling/att";
import { Uuid } from "jelling/core";
import type { Capture } from "jelling/device";
import { PacketType } from "jelling/hci";
import { CharacteristicUuid } from "../uuids.ts";
import { AddressHider } from "./capture-addresses.ts";

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
/** Octets of a name without its last digit: so many tell whether the next packet goes on with it. */
const LONGEST_PART = 5 + DIGITS - 1;
/** Read Response and Read Blob Response begin with their opcode alone. */
const VALUE_AT = 1;

/** How much of an L2CAP frame is to come, and the last octets of it as they were: a name may be cut anywhere. */
interface FrameView {
  rest: number;
  tail: Uint8Array;
}

/** What has been seen of the attributes of the peer of one link. */
interface LinkView {
  readonly naming: Set<number>;
  /** Handle of the Read Request, or type of the Read By Type Request, that waits for its response. */
  asked: number | undefined;
  askedType: number | undefined;
  /** The frame that is being received is the value of a naming attribute. */
  isHidden: boolean;
  /** Declarations that come in several packets, as far as they are here. */
  declarations: number[] | undefined;
  readonly frames: Readonly<Record<"sent" | "received", FrameView>>;
}

/**
 * What a capture sees of a pump, without its name, serial number and address: their digits are zeros, the System ID is all zeros, as are three
 * octets of every address that is the pump's or this computer's, and packets keep their form. Each packet is a copy. Keys are not touched: hiding them is the work of who writes the capture.
 *
 * @param options.keepIdentity copies only
 */
export function redactPumpCapture(capture: Capture, { keepIdentity = false }: { keepIdentity?: boolean } = {}): Capture {
  const links = new Map<number, LinkView>();
  const addresses = new AddressHider();
  return (direction, packet, timeMs) => {
    const copy = packet.slice();
    if (!keepIdentity) {
      addresses.hide(packet, copy);
      if (packet[0] === PacketType.AclData && packet.length > ACL_HEADER_OCTETS) {
        const link = linkOf(links, (packet[1]! | (packet[2]! << 8)) & 0x0fff);
        hideValues(link, direction, packet, copy);
        hideNamesInFrame(link.frames[direction], packet, copy);
      } else hideNames(copy, NOTHING, false);
      if (copy[0] === PacketType.Event && copy[1] === DISCONNECTION_COMPLETE) links.delete((copy[4]! | (copy[5]! << 8)) & 0x0fff);
    }
    capture(direction, copy, timeMs);
  };
}
const DISCONNECTION_COMPLETE = 0x05;
const NOTHING = new Uint8Array();

function linkOf(links: Map<number, LinkView>, handle: number): LinkView {
  let link = links.get(handle);
  if (!link) {
    const frames = { sent: { rest: 0, tail: NOTHING }, received: { rest: 0, tail: NOTHING } };
    link = { naming: new Set(), asked: undefined, askedType: undefined, isHidden: false, declarations: undefined, frames };
    links.set(handle, link);
  }
  return link;
}

/** Packet_Boundary_Flag 0b01 continues a frame (Vol 4 Part E 5.4.2). */
const isContinuation = (packet: Uint8Array): boolean => ((packet[2]! >> 4) & 0b11) === 0b01;

/** Learns from the client's requests and the pump's declarations, and hides the values of naming attributes. */
function hideValues(link: LinkView, direction: "sent" | "received", packet: Uint8Array, copy: Uint8Array): void {
  const content = packet.subarray(ACL_HEADER_OCTETS);
  if (isContinuation(packet)) {
    if (direction === "sent") return;
    if (link.isHidden) hide(copy.subarray(ACL_HEADER_OCTETS, ACL_HEADER_OCTETS + link.frames.received.rest));
    if (!link.declarations) return;
    link.declarations.push(...content);
    learn(link, link.declarations);
    return;
  }
  if (direction === "received") {
    link.isHidden = false;
    link.declarations = undefined;
  }
  if (content.length <= L2CAP_HEADER_OCTETS || (content[2]! | (content[3]! << 8)) !== ATT_CID) return;
  const pdu = content.subarray(L2CAP_HEADER_OCTETS);
  const word = (at: number): number => (pdu[at] ?? 0) | ((pdu[at + 1] ?? 0) << 8);
  if (direction === "sent") {
    if (pdu[0] === AttOpcode.ReadReq || pdu[0] === AttOpcode.ReadBlobReq) link.asked = word(1);
    if (pdu[0] === AttOpcode.ReadByTypeReq) link.askedType = pdu.length === 7 ? word(5) : undefined;
    return;
  }
  if (pdu[0] === AttOpcode.ReadByTypeRsp && link.askedType === CHARACTERISTIC) {
    link.declarations = [...pdu];
    learn(link, link.declarations);
  }
  const isValue = pdu[0] === AttOpcode.ReadRsp || pdu[0] === AttOpcode.ReadBlobRsp;
  link.isHidden = isValue && link.asked !== undefined && link.naming.has(link.asked);
  if (link.isHidden) hide(copy.subarray(ACL_HEADER_OCTETS + L2CAP_HEADER_OCTETS + VALUE_AT));
}

/** Which attributes name the device, from as much of a Read By Type Response as is here. */
function learn(link: LinkView, declarations: readonly number[]): void {
  const size = declarations[1];
  if (size !== 7 && size !== 21) return;
  for (let at = 2; at + size <= declarations.length; at += size)
    if (NAMING.has(Uuid.fromBytes(Uint8Array.from(declarations.slice(at + 5, at + size))).text))
      link.naming.add(declarations[at + 3]! | (declarations[at + 4]! << 8));
}

/** Hides names in one packet of a frame, those included that began in the packet before or go on in the next. */
function hideNamesInFrame(frame: FrameView, packet: Uint8Array, copy: Uint8Array): void {
  const octets = packet.length - ACL_HEADER_OCTETS;
  if (isContinuation(packet)) frame.rest = Math.max(0, frame.rest - octets);
  else {
    frame.rest =
      octets < L2CAP_HEADER_OCTETS ? LONGEST_FRAME : Math.max(0, (packet[5]! | (packet[6]! << 8)) - (octets - L2CAP_HEADER_OCTETS));
    frame.tail = NOTHING;
  }
  const original = Uint8Array.of(...frame.tail, ...packet.subarray(ACL_HEADER_OCTETS));
  hideNames(copy.subarray(ACL_HEADER_OCTETS), frame.tail, frame.rest > 0);
  frame.tail = frame.rest > 0 ? original.slice(-LONGEST_PART) : NOTHING;
}
const LONGEST_FRAME = 0xffff;

/** Digits become zeros; what is no text becomes zeros altogether. */
function hide(value: Uint8Array): void {
  const isText = value.every((octet) => octet === 0 || (octet >= 0x20 && octet < 0x7f));
  for (let i = 0; i < value.length; i++) if (!isText || isDigit(value[i])) value[i] = isText ? ZERO_DIGIT : 0;
}

/**
 * Names in advertising data, events, and values of any attribute.
 *
 * @param tail what stood before `octets`, as it was
 * @param goesOn whether more octets follow: digits at the end may then be the first of a name's
 */
function hideNames(octets: Uint8Array, tail: Uint8Array, goesOn: boolean): void {
  const joined = tail.length === 0 ? octets : Uint8Array.of(...tail, ...octets);
  for (const prefix of PREFIXES)
    for (let at = joined.indexOf(prefix[0]!); at >= 0; at = joined.indexOf(prefix[0]!, at + 1)) {
      const from = at + prefix.length;
      if (!prefix.every((octet, i) => joined[at + i] === octet)) continue;
      const digits = joined.subarray(from, from + DIGITS);
      if (!digits.every((octet) => isDigit(octet)) || (digits.length < DIGITS && !goesOn)) continue;
      octets.fill(ZERO_DIGIT, Math.max(0, from - tail.length), Math.max(0, from + digits.length - tail.length));
    }
}

const isDigit = (octet: number | undefined): boolean => octet !== undefined && octet >= 0x30 && octet <= 0x39;
