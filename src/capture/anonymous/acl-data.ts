import type { HciDirection } from "../../hci/index.ts";
import { AttPduFilter, type AttServerKnowledge, attServerKnowledge } from "./att-pdu.ts";
import type { Pseudonyms } from "./pseudonyms.ts";

const ATT_CID = 0x0004;
const LE_SIGNALLING_CID = 0x0005;
const SECURITY_MANAGER_CIDS: ReadonlySet<number> = new Set([0x0006, 0x0007]);
const IDENTITY_ADDRESS_INFORMATION = 0x09;
const FRAME_HEADER = 4;
/** Links are forgotten oldest first. */
const MOST_LINKS = 256;

interface Frame {
  at: number;
  readonly head: Uint8Array;
  att: AttPduFilter | undefined;
  /** Of a Security Manager PDU: its code, and whether its address has a pseudonym. */
  code: number;
  isPseudonym: boolean;
}

interface Link {
  /** By the direction in which they are sent. */
  readonly frames: Record<HciDirection, Frame | undefined>;
  /** By the direction in which the server sends. */
  readonly servers: Record<HciDirection, AttServerKnowledge>;
}

/** Takes values out of the ACL packets of one controller, frame by frame however they are cut. Channels of the application keep nothing. */
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
      link.frames[direction] = { at: 0, head: new Uint8Array(FRAME_HEADER), att: undefined, code: 0, isPseudonym: false };
    const frame = link.frames[direction];
    if (!frame) return copy.fill(0, 5); // a continuation of what is not in the capture
    for (let i = 5; i < copy.length; i++) if (!this.#keeps(frame, direction, link, copy, i)) copy[i] = 0;
    return copy;
  }

  #linkOf(handle: number): Link {
    let link = this.#links.get(handle);
    if (!link) {
      const servers = { "host-to-controller": attServerKnowledge(), "controller-to-host": attServerKnowledge() };
      link = { frames: { "host-to-controller": undefined, "controller-to-host": undefined }, servers };
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
    if (cid === LE_SIGNALLING_CID) return true;
    if (SECURITY_MANAGER_CIDS.has(cid)) return this.#keepsOfSecurityManager(frame, at - FRAME_HEADER, packet, i);
    if (cid !== ATT_CID) return false;
    if (at === FRAME_HEADER) {
      // Opcodes of clients are even, and they speak of the other side's attributes (Vol 3 Part F 3.4.8).
      const server = octet % 2 === 0 ? opposite(direction) : direction;
      frame.att = new AttPduFilter(link.servers[server], frame.head[0]! | (frame.head[1]! << 8));
    }
    return frame.att!.keeps(octet);
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

function opposite(direction: HciDirection): HciDirection {
  return direction === "host-to-controller" ? "controller-to-host" : "host-to-controller";
}
