import { callOut } from "../async/call-out.ts";
import { type Clock, type OperationOptions, Pending, type WaitOptions } from "../async/index.ts";
import { checkInteger } from "../core/arguments.ts";
import { type BleError, ClosedError, type Logger } from "../core/index.ts";
import { EarlyPackets } from "./early-packets.ts";
import { allocateFrame } from "./frame-memory.ts";
import { FrameQueue } from "./frame-queue.ts";
import { PacketType, plainOctets } from "./transport.ts";

/** H4 packet type and ACL header. */
const ACL_HEADER = 5;
const L2CAP_HEADER = 4;
/** Octets of a packet up to which a loop copies them faster than the view takes that `set` needs. */
const LONG = 64;
/** Frames waiting on a link from which on flows are asked to wait, and at which they may go on. */
const HIGH_MARK = 32;
const LOW_MARK = 16;
/** Frames waiting on a link below which `onRoom` is called. */
const ROOM_MARK = 4;
/** Frames that may wait on a link; at more the link is given up. */
const QUEUE_CAPACITY = 1024;

// Packet_Boundary_Flag in the third octet of the header, Vol 4 Part E 5.4.2.
const BOUNDARY_MASK = 0x30;
const BOUNDARY_CONTINUING = 0x10;
const BOUNDARY_COMPLETE = 0x30; // not used on LE
/** Set in both of these, and in none with which a PDU starts. */
const BOUNDARY_NOT_FIRST = 0x10;

/** The ACL data of one connection: whole L2CAP PDUs both ways. */
export interface AclLink {
  readonly handle: number;
  /**
   * Called synchronously with a PDU in `bytes[offset, end)`, basic L2CAP header first; its length field has been checked. Whoever keeps
   * octets copies them.
   */
  onPdu: ((bytes: Uint8Array, offset: number, end: number) => void) | undefined;
  /** Called when a frame has left the queue and few are left in it; set it while there is more to send. */
  onRoom: (() => void) | undefined;
  /** Called once, when the link is gone. */
  onClose: ((reason: BleError) => void) | undefined;
  readonly ended: BleError | undefined;
  /**
   * Queues a PDU. `frame` is a whole H4 ACL data packet (type, handle, length, then the L2CAP header and PDU), however long; it is cut
   * into fragments as the controller requires. It belongs to the link afterwards. Dropped once closed.
   */
  sendFrame(frame: Uint8Array): void;
  /** False while many frames wait. */
  readonly writable: boolean;
  /** Frames that have not been handed to the controller yet. */
  readonly waiting: number;
  /** Frames queued, ever. */
  readonly queued: number;
  /** The controller has reported everything queued so far as completed. */
  readonly idle: boolean;
  /** Resolves when there is room again; rejects with the close reason. */
  whenWritable(options?: OperationOptions): Promise<void>;
  /** Resolves when the controller has reported as completed all that was queued so far; rejects with the close reason. */
  whenSent(options?: WaitOptions): Promise<void>;
  /** Asks for the link to be disconnected: more waits on it than may. `problem` goes to the log. */
  giveUp(problem: string): void;
  /** Ends the link on this side. Packets the controller still holds stay accounted for until it reports them or the disconnection. */
  close(reason: BleError): void;
}

export interface AclManagerOptions {
  clock: Clock;
  logger: Logger;
  transmit: (packet: Uint8Array) => void;
  /** A link has more waiting than it may; it should be disconnected. */
  onOverflow: (handle: number) => void;
}

/**
 * ACL data of all connections: fragmentation, recombination, and the controller's buffers (Vol 4 Part E 4.1.1) shared out in turn.
 * Never more packets are under way than the controller granted, and no link can take the last of them from links that have none.
 */
export class AclManager {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #transmit: (packet: Uint8Array) => void;
  readonly #onOverflow: (handle: number) => void;
  readonly #links = new Map<number, Link>();
  readonly #early: EarlyPackets;
  /** The link of the last packet: data comes in runs. */
  #recent: Link | undefined;
  #ready: Link[] = [];
  #pumping = false;
  /** Packets of links that were closed on this side, which the controller still holds. */
  readonly #abandoned = new Map<number, number>();
  #total = 0;
  #free = 0;
  #share = 0;
  #packetLength = 27;

  /** Made by the Hci. @internal */
  constructor({ clock, logger, transmit, onOverflow }: AclManagerOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#transmit = transmit;
    this.#onOverflow = onOverflow;
    this.#early = new EarlyPackets(clock);
  }

  /** Sets the controller's buffers: octets of data in a packet, and packets. */
  configure(packetLength: number, packets: number): void {
    this.#packetLength = packetLength;
    this.#total = packets;
    this.#free = packets;
    this.#shareOut();
  }

  /** Octets of data that one packet to the controller holds. */
  get packetLength(): number {
    return this.#packetLength;
  }
  /** Packets that the controller can take now. */
  get freePackets(): number {
    return this.#free;
  }

  /**
   * The link of a new connection. One that is left over from an earlier connection with the same handle is closed. Data that has overtaken
   * the event of the connection is delivered when whoever opens the link has set it up: after the event, or in the next microtask.
   *
   * @throws {ArgumentError} no connection handle (Vol 4 Part E 5.3)
   */
  open(handle: number): AclLink {
    checkInteger("AclManager.open: handle", handle, 0, 0x0eff);
    this.#end(handle, new ClosedError(`connection handle ${handle} was given to a new connection`));
    const link = new Link(this, this.#clock, handle);
    this.#links.set(handle, link);
    this.#shareOut();
    if (this.#early.has(handle)) queueMicrotask(() => this.deliverEarly());
    return link;
  }

  /** Hands on the data of links that were opened since it came. */
  deliverEarly(): void {
    if (this.#early.size === 0) return;
    for (const handle of this.#links.keys()) for (const packet of this.#early.take(handle)) callOut(() => this.receive(packet));
  }

  /** @param packet a whole H4 ACL data packet, in a Uint8Array of any kind */
  receive(packet: Uint8Array): void {
    const length = packet.length;
    if (length < ACL_HEADER || (packet[3]! | (packet[4]! << 8)) !== length - ACL_HEADER) {
      this.#logger.warn("an ACL data packet of wrong length was dropped");
      return;
    }
    const flags = packet[2]!;
    const handle = packet[1]! | ((flags & 0x0f) << 8);
    let link = this.#recent;
    if (link === undefined || link.handle !== handle) {
      link = this.#linkOf(handle, packet);
      if (link === undefined) return;
    }
    const isWhole =
      (flags & BOUNDARY_NOT_FIRST) === 0 &&
      link.partial === undefined &&
      length >= ACL_HEADER + L2CAP_HEADER &&
      lengthAt(packet, ACL_HEADER) === length - ACL_HEADER - L2CAP_HEADER;
    if (isWhole) link.onPdu?.(plainOctets(packet), ACL_HEADER, length);
    else link.receiveFragment(packet);
  }

  #linkOf(handle: number, packet: Uint8Array): Link | undefined {
    this.deliverEarly(); // which came before
    const link = this.#links.get(handle);
    if (link !== undefined) this.#recent = link;
    // On USB events and data come by different endpoints, and the event of the connection may be on its way.
    else if (!this.#early.keep(handle, packet)) this.#logger.debug("ACL data for an unknown connection handle was dropped");
    return link;
  }

  /** @param packet a whole Number Of Completed Packets event of consistent length */
  onCompleted(packet: Uint8Array): void {
    const end = 4 + 4 * (packet[3] ?? 0);
    if (packet.length < Math.max(4, end)) {
      this.#logger.warn("a Number Of Completed Packets event of wrong length was dropped");
      return;
    }
    for (let at = 4; at < end; at += 4) {
      const handle = packet[at]! | ((packet[at + 1]! & 0x0f) << 8);
      const count = packet[at + 2]! | (packet[at + 3]! << 8);
      const link = this.#links.get(handle);
      if (link) {
        const completed = Math.min(count, link.inFlight);
        if (completed < count) this.#logger.warn(() => `handle ${handle}: more packets completed than were under way`);
        this.#free += completed;
        link.complete(completed);
        this.schedule(link);
      } else this.#reclaim(handle, count);
    }
    this.pump();
  }

  /** The connection is gone: its link ends, and its packets count as completed, since the controller need not report them any more (4.1.1). */
  onDisconnected(handle: number, reason: BleError): void {
    this.#early.disconnected(handle);
    this.#end(handle, reason);
  }

  #end(handle: number, reason: BleError): void {
    this.#links.get(handle)?.close(reason);
    this.#reclaim(handle, Number.POSITIVE_INFINITY);
    this.pump();
  }

  /** Ends all links. */
  close(reason: BleError): void {
    this.#free = 0;
    for (const link of this.#links.values()) link.close(reason);
    this.#early.clear();
    this.#abandoned.clear();
    this.#free = 0;
  }

  // The rest is for Link, below.

  /** Sends at once what fits into one packet and is allowed to go. @internal @returns whether it went */
  trySend(link: Link, frame: Uint8Array): boolean {
    if (this.#free === 0 || link.inFlight >= this.#share || frame.length - ACL_HEADER > this.#packetLength) return false;
    this.#free--;
    link.inFlight++;
    this.#transmit(frame);
    return true;
  }

  /** @internal */
  schedule(link: Link): void {
    if (link.isReady || link.queue.length === 0) return;
    link.isReady = true;
    this.#ready.push(link);
  }

  /** One packet of each link that has some, in turn, as long as the controller takes them. @internal */
  pump(): void {
    if (this.#pumping) return; // credits that came back inside `transmit`: the loop below goes on
    this.#pumping = true;
    while (this.#free > 0) {
      const link = this.#ready.shift();
      if (!link) break;
      link.isReady = false;
      if (link.inFlight >= this.#share) continue; // scheduled again when packets of it complete
      const packet = link.nextPacket(this.#packetLength);
      if (!packet) continue;
      this.schedule(link);
      this.#free--;
      link.inFlight++;
      this.#transmit(packet);
      if (link.onRoom !== undefined && link.queue.length < ROOM_MARK) link.onRoom();
    }
    this.#pumping = false;
  }

  /** @internal */
  giveUp(link: Link, problem: string): void {
    this.#logger.error(`handle ${link.handle}: ${problem}, the link is given up`);
    this.#onOverflow(link.handle);
  }

  /** @internal */
  dropped(handle: number, problem: string): void {
    this.#logger.warn(() => `handle ${handle}: ACL data dropped: ${problem}`);
  }

  /** @internal */
  remove(link: Link): void {
    this.#links.delete(link.handle);
    if (this.#recent === link) this.#recent = undefined;
    this.#ready = this.#ready.filter((ready) => ready !== link);
    if (link.inFlight > 0) this.#abandoned.set(link.handle, link.inFlight + (this.#abandoned.get(link.handle) ?? 0));
    this.#shareOut();
    // The others may take more now.
    for (const other of this.#links.values()) this.schedule(other);
    this.pump();
  }

  #reclaim(handle: number, count: number): void {
    const held = this.#abandoned.get(handle);
    if (held === undefined) return;
    const completed = Math.min(held, count);
    this.#free += completed;
    if (completed === held) this.#abandoned.delete(handle);
    else this.#abandoned.set(handle, held - completed);
  }

  #shareOut(): void {
    this.#share = Math.max(1, this.#total - Math.max(0, this.#links.size - 1));
  }
}

class Link implements AclLink {
  readonly handle: number;
  onPdu: AclLink["onPdu"];
  onRoom: AclLink["onRoom"];
  onClose: AclLink["onClose"];
  ended: BleError | undefined;
  inFlight = 0;
  isReady = false;
  readonly queue = new FrameQueue();
  queued = 0;
  /** The PDU being recombined; while its header is not complete, just the header. */
  partial: Uint8Array | undefined;
  #filled = 0;
  readonly #manager: AclManager;
  readonly #clock: Clock;
  /** Octets of the first frame in the queue that went out as fragments. */
  #fragmented = 0;
  /** Packets queued and completed, ever. */
  #queuedPackets = 0;
  #completedPackets = 0;
  #refusing = false;
  #writableWaiters: Pending<void>[] = [];
  #sentWaiters: { target: number; pending: Pending<void> }[] = [];

  constructor(manager: AclManager, clock: Clock, handle: number) {
    this.#manager = manager;
    this.#clock = clock;
    this.handle = handle;
  }

  get writable(): boolean {
    return this.ended === undefined && this.queue.length < HIGH_MARK;
  }

  get waiting(): number {
    return this.queue.length;
  }

  get idle(): boolean {
    return this.#completedPackets >= this.#queuedPackets;
  }

  sendFrame(frame: Uint8Array): void {
    if (this.ended !== undefined || this.#refusing) return;
    this.queued++;
    if (this.queue.length === 0) {
      this.#queuedPackets++;
      if (this.#manager.trySend(this, frame)) return;
      this.#queuedPackets--;
    } else if (this.queue.length >= QUEUE_CAPACITY) {
      this.#refusing = true;
      this.giveUp(`${QUEUE_CAPACITY} frames wait to be sent`);
      return;
    }
    this.#queuedPackets += Math.max(1, Math.ceil((frame.length - ACL_HEADER) / this.#manager.packetLength));
    this.queue.push(frame);
    this.#manager.schedule(this);
    this.#manager.pump();
  }

  whenWritable(options?: OperationOptions): Promise<void> {
    if (this.ended) return Promise.reject(this.ended);
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.writable) return Promise.resolve();
    const pending: Pending<void> = new Pending<void>({
      ...options,
      clock: this.#clock,
      operation: "waiting for room to send",
      onSettled: () => {
        this.#writableWaiters = this.#writableWaiters.filter((waiter) => waiter !== pending);
      },
    });
    this.#writableWaiters.push(pending);
    return pending.promise;
  }

  whenSent(options?: WaitOptions): Promise<void> {
    if (this.ended) return Promise.reject(this.ended);
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.idle) return Promise.resolve();
    const pending: Pending<void> = new Pending<void>({
      ...options,
      clock: this.#clock,
      operation: "waiting for the controller to send",
      onSettled: () => {
        this.#sentWaiters = this.#sentWaiters.filter((waiter) => waiter.pending !== pending);
      },
    });
    this.#sentWaiters.push({ target: this.#queuedPackets, pending });
    return pending.promise;
  }

  giveUp(problem: string): void {
    if (!this.ended) this.#manager.giveUp(this, problem);
  }

  close(reason: BleError): void {
    if (this.ended) return;
    this.ended = reason;
    this.queue.clear();
    this.partial = undefined;
    this.onPdu = undefined;
    this.onRoom = undefined;
    for (const waiter of this.#writableWaiters) waiter.reject(reason);
    for (const { pending } of this.#sentWaiters) pending.reject(reason);
    this.#manager.remove(this);
    callOut(this.onClose, reason);
  }

  complete(count: number): void {
    this.inFlight -= count;
    this.#completedPackets += count;
    if (this.#sentWaiters.length === 0) return;
    for (const { target, pending } of this.#sentWaiters) if (target <= this.#completedPackets) pending.resolve();
  }

  /** The next packet of the queue, a fragment of at most `packetLength` octets where the frame is longer. */
  nextPacket(packetLength: number): Uint8Array | undefined {
    const frame = this.queue.first;
    if (!frame) return undefined;
    const left = frame.length - ACL_HEADER - this.#fragmented;
    let packet = frame;
    if (this.#fragmented > 0) {
      const size = Math.min(left, packetLength);
      packet = allocateFrame(ACL_HEADER + size);
      packet[0] = PacketType.AclData;
      packet[1] = frame[1]!;
      packet[2] = (frame[2]! & ~BOUNDARY_MASK) | BOUNDARY_CONTINUING;
      packet[3] = size & 0xff;
      packet[4] = size >> 8;
      const from = ACL_HEADER + this.#fragmented;
      packet.set(frame.subarray(from, from + size), ACL_HEADER);
    } else if (left > packetLength) {
      frame[3] = packetLength & 0xff;
      frame[4] = packetLength >> 8;
      packet = frame.subarray(0, ACL_HEADER + packetLength);
    }
    if (left > packetLength) this.#fragmented += packetLength;
    else {
      this.#fragmented = 0;
      this.queue.shift();
      if (this.#writableWaiters.length > 0 && this.queue.length <= LOW_MARK) for (const waiter of this.#writableWaiters) waiter.resolve();
    }
    return packet;
  }

  /** A packet that is not a whole PDU, or comes where one is incomplete. */
  receiveFragment(packet: Uint8Array): void {
    const boundary = packet[2]! & BOUNDARY_MASK;
    if (boundary === BOUNDARY_COMPLETE) this.#manager.dropped(this.handle, "a packet boundary flag that LE does not have");
    else if (boundary !== BOUNDARY_CONTINUING) this.#startPdu(packet);
    else if (this.partial) this.#append(packet, this.partial);
    else this.#drop("the continuation of no PDU");
  }

  #startPdu(packet: Uint8Array): void {
    if (this.partial) this.#drop("a PDU was left incomplete");
    this.#filled = 0;
    if (packet.length === ACL_HEADER) this.#drop("a PDU that starts with no octet");
    // The header first: a fragment may be shorter than it, since the peer's controller cuts where it likes.
    else this.#append(packet, new Uint8Array(L2CAP_HEADER));
  }

  #append(packet: Uint8Array, begun: Uint8Array): void {
    let at = ACL_HEADER;
    let pdu = begun;
    let filled = this.#filled;
    if (filled < L2CAP_HEADER && filled + packet.length - at >= L2CAP_HEADER) {
      while (filled < L2CAP_HEADER) begun[filled++] = packet[at++]!;
      // Not an array of its own, which would cost more than all the fragments of a notification.
      pdu = allocateFrame(L2CAP_HEADER + lengthAt(begun, 0));
      for (let i = 0; i < L2CAP_HEADER; i++) pdu[i] = begun[i]!;
    }
    const end = filled + packet.length - at;
    if (end > pdu.length) {
      this.#drop("a PDU longer than its length says");
      return;
    }
    // Not by `subarray`, which a kind of Uint8Array may have of its own.
    if (packet.length > LONG) pdu.set(new Uint8Array(packet.buffer, packet.byteOffset + at, end - filled), filled);
    else while (filled < end) pdu[filled++] = packet[at++]!;
    this.#filled = end;
    const isWhole = end >= L2CAP_HEADER && end === pdu.length;
    this.partial = isWhole ? undefined : pdu;
    if (isWhole) this.onPdu?.(pdu, 0, end);
  }

  /** What there was of a PDU is given up. */
  #drop(problem: string): void {
    this.partial = undefined;
    this.#manager.dropped(this.handle, problem);
  }
}

function lengthAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}
