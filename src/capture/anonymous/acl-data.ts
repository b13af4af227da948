import { DecodeError } from "../../bytes/index.ts";
import type { HciDirection } from "../../hci/index.ts";
import { type Channel, type ChannelEnd, ChannelTable, EATT_SPSM, followKFrame } from "../channel-table.ts";
import { opposite } from "../record.ts";
import { decodeSignal } from "../signalling.ts";
import { AttPduFilter, type AttServerKnowledge, attServerKnowledge } from "./att-pdu.ts";
import type { Pseudonyms } from "./pseudonyms.ts";

const ATT_CID = 0x0004;
const LE_SIGNALLING_CID = 0x0005;
const SECURITY_MANAGER_CIDS: ReadonlySet<number> = new Set([0x0006, 0x0007]);
const IDENTITY_ADDRESS_INFORMATION = 0x09;
const FRAME_HEADER = 4;
/** Longest signalling packet that says something of channels: a Command Reject may be longer, and says nothing. */
const LONGEST_SIGNAL = 64;
/** Links are forgotten oldest first. */
const MOST_LINKS = 256;

interface Frame {
  at: number;
  readonly head: Uint8Array;
  att: AttPduFilter | undefined;
  /** Of a Security Manager PDU: its code, and whether its address has a pseudonym. */
  code: number;
  isPseudonym: boolean;
  /** Of a signalling packet: what has come of it. */
  signal: number[] | undefined;
  /** Of a K-frame: the end that it goes to, and the length of the SDU that begins with it. */
  end: ChannelEnd | undefined;
  begins: boolean;
  sduLength: number;
}

interface Link {
  /** By the direction in which they are sent. */
  readonly frames: Record<HciDirection, Frame | undefined>;
  /** By the direction in which the server sends. */
  readonly servers: Record<HciDirection, AttServerKnowledge>;
  readonly channels: ChannelTable;
  /** Of enhanced bearers: what is asked for on them, and the PDU on its way to an end. */
  readonly bearers: WeakMap<Channel, Record<HciDirection, AttServerKnowledge>>;
  readonly pdus: WeakMap<ChannelEnd, { readonly length: number; filter: AttPduFilter | undefined }>;
}

/** Takes values out of the ACL packets of one controller, frame by frame however they are cut. SDUs of the application keep their lengths. */
export class AclAnonymizer {
  readonly #pseudonyms: Pseudonyms;
  readonly #links = new Map<number, Link>();

  constructor(pseudonyms: Pseudonyms) {
    this.#pseudonyms = pseudonyms;
  }

  /** The link is there or gone: what its handle meant before is over. */
  forget(handle: number): void {
    this.#links.delete(handle);
  }

  /** A copy of the packet without values. */
  anonymize(direction: HciDirection, packet: Uint8Array): Uint8Array {
    const copy = packet.slice();
    if (packet.length <= 5) return copy;
    const flags = packet[1]! | (packet[2]! << 8);
    const link = this.#linkOf(flags & 0x0fff);
    if (((flags >> 12) & 0b11) !== 0b01)
      link.frames[direction] = {
        at: 0,
        head: new Uint8Array(FRAME_HEADER),
        att: undefined,
        code: 0,
        isPseudonym: false,
        signal: undefined,
        end: undefined,
        begins: false,
        sduLength: 0,
      };
    const frame = link.frames[direction];
    if (!frame) return copy.fill(0, 5); // a continuation of what is not in the capture
    for (let i = 5; i < copy.length; i++) if (!this.#keeps(frame, direction, link, copy, i)) copy[i] = 0;
    return copy;
  }

  #linkOf(handle: number): Link {
    let link = this.#links.get(handle);
    if (!link) {
      const servers = { "host-to-controller": attServerKnowledge(), "controller-to-host": attServerKnowledge() };
      const frames = { "host-to-controller": undefined, "controller-to-host": undefined };
      link = { frames, servers, channels: new ChannelTable(), bearers: new WeakMap(), pdus: new WeakMap() };
      this.#links.set(handle, link);
      if (this.#links.size > MOST_LINKS) this.#links.delete(this.#links.keys().next().value!);
    }
    return link;
  }

  #keeps(frame: Frame, direction: HciDirection, link: Link, packet: Uint8Array, i: number): boolean {
    const at = frame.at++;
    const octet = packet[i]!;
    if (at < FRAME_HEADER) {
      frame.head[at] = octet;
      return true;
    }
    const cid = frame.head[2]! | (frame.head[3]! << 8);
    if (cid === LE_SIGNALLING_CID) {
      this.#followSignal(frame, direction, link, octet);
      return true;
    }
    if (SECURITY_MANAGER_CIDS.has(cid)) return this.#keepsOfSecurityManager(frame, at - FRAME_HEADER, packet, i);
    if (cid !== ATT_CID) return keepsOfChannel(frame, cid, direction, link, at - FRAME_HEADER, octet);
    if (at === FRAME_HEADER) {
      frame.att = new AttPduFilter(link.servers[serverOf(direction, octet)], frame.head[0]! | (frame.head[1]! << 8));
    }
    return frame.att!.keeps(octet);
  }

  #followSignal(frame: Frame, direction: HciDirection, link: Link, octet: number): void {
    const length = frame.head[0]! | (frame.head[1]! << 8);
    if (length > LONGEST_SIGNAL) return;
    frame.signal ??= [];
    frame.signal.push(octet);
    if (frame.signal.length !== length) return;
    try {
      const { code, identifier, parameters } = decodeSignal(Uint8Array.from(frame.signal));
      link.channels.follow(direction, code, identifier, parameters);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error; // of no channel
    }
  }

  /** An identity address that is cut goes whole: a part of it has no pseudonym. */
  #keepsOfSecurityManager(frame: Frame, at: number, packet: Uint8Array, i: number): boolean {
    if (at === 0) frame.code = packet[i]!;
    if (frame.code !== IDENTITY_ADDRESS_INFORMATION || at < 2) return true;
    if (at === 2 && i + 6 <= packet.length) {
      this.#pseudonyms.overwrite(packet, i);
      frame.isPseudonym = true;
    }
    return frame.isPseudonym && at < 8;
  }
}

/**
 * The length of an SDU stays, so that one sees where it begins and ends; of what it holds nothing but the structure of the attribute protocol.
 */
function keepsOfChannel(frame: Frame, cid: number, direction: HciDirection, link: Link, at: number, octet: number): boolean {
  if (at === 0) {
    frame.end = link.channels.endOf(direction, cid);
    frame.begins = frame.end !== undefined && frame.end.sdu === undefined;
  }
  const { end, begins } = frame;
  if (!end) return false; // its opening is not in the capture
  const size = frame.head[0]! | (frame.head[1]! << 8);
  if (!begins) {
    if (at === 0) followKFrame(end, size, undefined);
  } else if (at < 2) {
    frame.sduLength |= octet << (8 * at);
    if (at === 1) {
      link.pdus.set(end, { length: frame.sduLength, filter: undefined });
      followKFrame(end, size, frame.sduLength);
    }
    return true;
  }
  return end.channel.spsm === EATT_SPSM && keepsOfBearer(end, direction, link, octet);
}

/** An octet of an SDU that is a PDU of the attribute protocol. */
function keepsOfBearer(end: ChannelEnd, direction: HciDirection, link: Link, octet: number): boolean {
  const pdu = link.pdus.get(end);
  if (!pdu) return false;
  if (!pdu.filter) {
    let bearer = link.bearers.get(end.channel);
    if (!bearer) {
      const of = (which: HciDirection): AttServerKnowledge => ({ ...link.servers[which], requestedType: 0 });
      bearer = { "host-to-controller": of("host-to-controller"), "controller-to-host": of("controller-to-host") };
      link.bearers.set(end.channel, bearer);
    }
    pdu.filter = new AttPduFilter(bearer[serverOf(direction, octet)], pdu.length);
  }
  return pdu.filter.keeps(octet);
}

/** Opcodes of clients are even, and they speak of the other side's attributes (Vol 3 Part F 3.4.8). */
function serverOf(direction: HciDirection, opcode: number): HciDirection {
  return opcode % 2 === 0 ? opposite(direction) : direction;
}
