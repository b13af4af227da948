import { type Clock, type OperationOptions, Pending } from "../../async/index.ts";
import type { BleError } from "../../core/error.ts";
import { type AclLink, allocateFrame, PacketType } from "../../hci/index.ts";
import { PDU_OFFSET } from "../channel.ts";
import { framesOf } from "./options.ts";
import type { FrameSource } from "./scheduler.ts";

/** Octets of SDUs that wait before `writable` is false. */
const MOST_OCTETS = 1024 * 1024;
/** A K-frame that is made of whole link layer packets is not made longer than this: others wait behind it. */
const LONGEST_PACKED = 2048;
const L2CAP_HEADER = 4;

/** An SDU that waits. */
export interface Entry {
  sdu: Uint8Array;
  readonly size: number;
  /** Octets that have gone. */
  at: number;
  isStarted: boolean;
  isGone: boolean;
  pending: Pending<void> | undefined;
}

export interface SenderOptions {
  readonly clock: Clock;
  readonly link: AclLink;
  readonly remoteCid: number;
  readonly peerMps: number;
  readonly credits: number;
  readonly sendQueue: number;
  /** Octets that a link layer packet of this link carries. */
  readonly packetLength: () => number;
}

/** Cuts SDUs into K-frames (Vol 3 Part A 3.4.3, 7.3) and spends the peer's credits on them. */
export class ChannelSender implements FrameSource {
  isScheduled = false;
  peerMps: number;
  credits: number;
  /** Called when nothing waits any more. */
  onDrained: (() => void) | undefined;
  readonly #options: SenderOptions;
  readonly #link: AclLink;
  readonly #entries: Entry[] = [];
  #octets = 0;
  /** Payload of the K-frames of the SDU under way. */
  #payload = 0;
  #writableWaiters: Pending<void>[] = [];
  #closed: BleError | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#link = options.link;
    this.peerMps = options.peerMps;
    this.credits = options.credits;
  }

  get isReady(): boolean {
    return this.credits > 0 && this.#entries.length > 0;
  }

  /** SDUs of which something has not gone. */
  get waiting(): number {
    return this.#entries.length;
  }

  get writable(): boolean {
    return this.#closed === undefined && this.#entries.length < this.#options.sendQueue && this.#octets < MOST_OCTETS;
  }

  /** Queues an SDU. */
  push(sdu: Uint8Array): Entry {
    const entry: Entry = { sdu, size: sdu.length, at: 0, isStarted: false, isGone: false, pending: undefined };
    this.#entries.push(entry);
    this.#octets += sdu.length;
    return entry;
  }

  /** What of it has not gone is kept, whatever becomes of the octets that were given. */
  keep(entry: Entry): void {
    if (entry.isGone) return;
    entry.sdu = entry.sdu.slice(entry.at);
    entry.at = 0;
  }

  /** Resolves when the last K-frame has gone. An SDU that has not been begun is withdrawn by `signal` and `timeoutMs`; another one goes on. */
  whenGone(entry: Entry, options: OperationOptions): Promise<void> {
    if (entry.isGone) return Promise.resolve();
    if (this.#closed) return Promise.reject(this.#closed);
    const pending = new Pending<void>({
      ...options,
      clock: this.#options.clock,
      operation: "sending an SDU",
      onSettled: (outcome) => {
        entry.pending = undefined;
        if (outcome !== "resolved" && outcome !== "rejected") this.#withdraw(entry);
      },
    });
    entry.pending = pending;
    return pending.promise;
  }

  whenWritable(options: OperationOptions): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.writable) return Promise.resolve();
    const pending: Pending<void> = new Pending<void>({
      ...options,
      clock: this.#options.clock,
      operation: "waiting for room to send",
      onSettled: () => {
        this.#writableWaiters = this.#writableWaiters.filter((waiter) => waiter !== pending);
      },
    });
    this.#writableWaiters.push(pending);
    return pending.promise;
  }

  sendFrame(): void {
    const entry = this.#entries[0]!;
    const { sdu, at } = entry;
    let offset = PDU_OFFSET;
    if (!entry.isStarted) {
      this.#payload = this.#payloadFor(sdu.length);
      offset += 2;
    }
    // The peer may take less than when the SDU was begun.
    const size = Math.min(Math.min(this.#payload, this.peerMps) - (offset - PDU_OFFSET), sdu.length - at);
    const frame = allocateFrame(offset + size);
    const length = frame.length - PDU_OFFSET;
    const { handle } = this.#link;
    frame[0] = PacketType.AclData;
    frame[1] = handle & 0xff;
    frame[2] = handle >> 8;
    frame[3] = (length + L2CAP_HEADER) & 0xff;
    frame[4] = ((length + L2CAP_HEADER) >> 8) & 0xff; // more than the field holds only where the frame will be cut anyway
    frame[5] = length & 0xff;
    frame[6] = length >> 8;
    frame[7] = this.#options.remoteCid;
    if (!entry.isStarted) {
      entry.isStarted = true;
      frame[PDU_OFFSET] = sdu.length & 0xff;
      frame[PDU_OFFSET + 1] = sdu.length >> 8;
    }
    frame.set(size === sdu.length ? sdu : sdu.subarray(at, at + size), offset);
    this.credits--;
    entry.at = at + size;
    if (entry.at < sdu.length) {
      this.#link.sendFrame(frame);
      return;
    }
    entry.isGone = true;
    this.#entries.shift();
    this.#octets -= entry.size;
    this.#link.sendFrame(frame);
    entry.pending?.resolve();
    this.#onRoom();
  }

  /** Whoever waits is told; nothing is sent any more. */
  close(reason: BleError): void {
    if (this.#closed) return;
    this.#closed = reason;
    const entries = this.#entries.splice(0);
    this.#octets = 0;
    this.credits = 0;
    for (const { pending } of entries) pending?.reject(reason);
    for (const waiter of this.#writableWaiters) waiter.reject(reason);
  }

  /**
   * As many whole link layer packets as the peer takes in a K-frame; as much as it takes where that would cost credits that are not there: a
   * peer may give just enough of them for an SDU of its MTU.
   */
  #payloadFor(length: number): number {
    const unit = this.#options.packetLength();
    const longest = Math.min(this.peerMps + L2CAP_HEADER, Math.max(LONGEST_PACKED, unit));
    const packed = longest - (longest % unit) - L2CAP_HEADER;
    if (packed < unit - L2CAP_HEADER || packed >= this.peerMps) return this.peerMps;
    const frames = framesOf(length, packed);
    return frames <= this.credits || frames === framesOf(length, this.peerMps) ? packed : this.peerMps;
  }

  /** Whoever asked for it has left. */
  #withdraw(entry: Entry): void {
    if (entry.isStarted) {
      this.keep(entry); // the peer waits for the rest
      return;
    }
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#octets -= entry.size;
    this.#onRoom();
  }

  #onRoom(): void {
    if (this.#writableWaiters.length > 0 && this.writable) for (const waiter of this.#writableWaiters) waiter.resolve();
    if (this.#entries.length === 0) this.onDrained?.();
  }
}
