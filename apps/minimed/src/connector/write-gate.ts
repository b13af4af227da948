import { AttOpcode } from "jelling/att";
import type { Logger } from "jelling/core";
import { type HciTransport, PacketType, TransportClosed } from "jelling/hci";
import { PumpError } from "../error.ts";

/** Longest ATT PDU that ever leaves: a pump falls silent at a longer one. */
export const LARGEST_PDU = 23;
const ACL_HEADER_OCTETS = 5; // H4 type included
const L2CAP_HEADER_OCTETS = 4;
const Cid = Object.freeze({ Att: 0x0004, Signalling: 0x0005, SecurityManager: 0x0006 });
/** Requests that only read. Every other PDU of a client is held, whatever it is for. */
const READING: ReadonlySet<number> = new Set([
  AttOpcode.FindInformationReq,
  AttOpcode.FindByTypeValueReq,
  AttOpcode.ReadByTypeReq,
  AttOpcode.ReadReq,
  AttOpcode.ReadBlobReq,
  AttOpcode.ReadByGroupTypeReq,
]);

const TOO_LATE = "a Write Request that was given up is not sent any more";

/** One Write Request that may pass once. */
interface Permit {
  readonly connectionHandle: number;
  readonly pdu: Uint8Array;
  readonly stands: () => boolean;
}

/** So many Write Requests whose time has passed are remembered; older ones have left the host's queue, or never will. */
const MOST_EXPIRED = 16;

/**
 * The last thing before the controller: lets no PDU of an ATT client pass that could write, but for the Write Requests that were announced to
 * it, each once and octet for octet. It does not rely on what stands above it: whatever a host, an update of it or a patched prototype makes
 * up, the pump does not receive it. A packet that is held closes the gate for good, and with it the connector, since nothing that is meant
 * to be sent is ever held. Only a Write Request that was given up while it waited behind a full link is dropped in silence: it comes too late,
 * and its link is being taken down.
 */
export class WriteGate implements HciTransport {
  readonly #transport: HciTransport;
  readonly #logger: Logger;
  readonly #permits = new Set<Permit>();
  /** Permits whose Write Request had not come when its transaction was over. */
  readonly #expired = new Set<Permit>();
  /** Octets that an L2CAP frame on another channel than ATT still lacks, by connection handle. */
  readonly #rest = new Map<number, number>();
  #onClose: ((reason: TransportClosed) => void) | undefined;
  #isShut = false;

  constructor(transport: HciTransport, logger: Logger) {
    this.#transport = transport;
    this.#logger = logger;
  }

  /**
   * Lets this Write Request pass once. Dispose the result when its transaction is over: what was not sent by then never is.
   *
   * @param stands asked when the request comes, which may be later where the link is full: false drops it
   */
  permit(connectionHandle: number, pdu: Uint8Array, stands: () => boolean = () => true): Disposable {
    const permit = { connectionHandle, pdu: pdu.slice(), stands };
    this.#permits.add(permit);
    return { [Symbol.dispose]: () => this.#expire(permit) };
  }

  #expire(permit: Permit): void {
    if (!this.#permits.delete(permit)) return;
    this.#expired.add(permit);
    for (const oldest of this.#expired) {
      if (this.#expired.size <= MOST_EXPIRED) break;
      this.#expired.delete(oldest);
    }
  }

  get info(): HciTransport["info"] {
    return this.#transport.info;
  }
  get onPacket(): HciTransport["onPacket"] {
    return this.#transport.onPacket;
  }
  set onPacket(handler: HciTransport["onPacket"]) {
    this.#transport.onPacket = handler;
  }
  get onClose(): HciTransport["onClose"] {
    return this.#onClose;
  }
  set onClose(handler: HciTransport["onClose"]) {
    this.#onClose = handler;
    this.#transport.onClose = handler;
  }
  get writable(): boolean {
    return this.#transport.writable;
  }
  get onWritable(): HciTransport["onWritable"] {
    return this.#transport.onWritable;
  }
  set onWritable(handler: HciTransport["onWritable"]) {
    this.#transport.onWritable = handler;
  }

  send(packet: Uint8Array): void {
    if (this.#isShut) return;
    const held = this.#whyHeld(packet);
    if (held === undefined) this.#transport.send(packet);
    else if (held === TOO_LATE) this.#logger.info(held);
    else this.#shut(held);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#transport[Symbol.asyncDispose]();
  }

  #shut(held: string): void {
    this.#isShut = true;
    const cause = new PumpError("ERR_PUMP_FORBIDDEN", `Held back before it reached the pump: ${held}.`);
    this.#logger.error(cause.message);
    const onClose = this.#onClose;
    // Not from within `send`: the host is in the middle of something.
    queueMicrotask(() => onClose?.(new TransportClosed("the connector's write gate is shut", { cause })));
    this.#transport[Symbol.asyncDispose]().then(undefined, (error: unknown) =>
      this.#logger.warn(() => `the controller could not be closed: ${String(error)}`),
    );
  }

  /** Why a packet must not pass; `undefined` lets it. */
  #whyHeld(packet: Uint8Array): string | undefined {
    if (packet[0] === PacketType.Command) return undefined;
    if (packet[0] !== PacketType.AclData) return `a packet of type ${packet[0]}`;
    if (packet.length < ACL_HEADER_OCTETS) return "an ACL packet without its header";
    const flags = packet[1]! | (packet[2]! << 8);
    const connectionHandle = flags & 0x0fff;
    const octets = packet.length - ACL_HEADER_OCTETS;
    // Packet_Boundary_Flag 0b01 continues a frame (Vol 4 Part E 5.4.2).
    if (((flags >> 12) & 0b11) === 0b01) {
      const rest = this.#rest.get(connectionHandle) ?? 0;
      if (octets > rest) return "a continuation of nothing that passed";
      this.#rest.set(connectionHandle, rest - octets);
      return undefined;
    }
    if (octets < L2CAP_HEADER_OCTETS) return "an L2CAP frame without its header";
    const length = packet[5]! | (packet[6]! << 8);
    const cid = packet[7]! | (packet[8]! << 8);
    const content = octets - L2CAP_HEADER_OCTETS;
    if (content > length) return "an L2CAP frame longer than it says";
    if (cid === Cid.Att) return this.#whyAttHeld(connectionHandle, length, packet.subarray(ACL_HEADER_OCTETS + L2CAP_HEADER_OCTETS));
    // Enhanced bearers would be channels of their own: there are none.
    if (cid !== Cid.Signalling && cid !== Cid.SecurityManager) return `a frame on channel 0x${cid.toString(16).padStart(4, "0")}`;
    this.#rest.set(connectionHandle, length - content);
    return undefined;
  }

  #whyAttHeld(connectionHandle: number, length: number, pdu: Uint8Array): string | undefined {
    this.#rest.delete(connectionHandle);
    // 23 octets and their header fit the smallest buffer a controller may have (27, Vol 4 Part E 7.8.2), so that none is ever cut.
    if (length > LARGEST_PDU) return `an ATT PDU of ${length} octets`;
    if (pdu.length !== length || length === 0) return "a part of an ATT PDU";
    const opcode = pdu[0]!;
    // Responses, notifications and indications of our own server are odd; of the even ones the confirmation is no request (Vol 3 Part F 3.4.8).
    if ((opcode % 2 === 1 && opcode <= AttOpcode.MultipleHandleValueNtf) || opcode === AttOpcode.HandleValueCfm || READING.has(opcode))
      return undefined;
    if (opcode === AttOpcode.WriteReq) {
      const isOf = (permit: Permit): boolean => permit.connectionHandle === connectionHandle && equal(permit.pdu, pdu);
      const permit = take(this.#permits, isOf);
      if (permit) return permit.stands() ? undefined : TOO_LATE;
      if (take(this.#expired, isOf)) return TOO_LATE;
    }
    return `an ATT PDU with opcode 0x${opcode.toString(16).padStart(2, "0")} that nothing permits`;
  }
}

/** Takes the first of them out. */
function take(permits: Set<Permit>, isIt: (permit: Permit) => boolean): Permit | undefined {
  for (const permit of permits)
    if (isIt(permit)) {
      permits.delete(permit);
      return permit;
    }
  return undefined;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
