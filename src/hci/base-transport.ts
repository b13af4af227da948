import { rethrowLater } from "../async/call-out.ts";
import { type HciTransport, TransportClosed } from "./transport.ts";

/** Packets that may wait for a receiver that has not been set yet, or that is busy with the one before. */
const INBOX_CAPACITY = 4096;
/** Octets of a piece of which packets are views: whoever keeps one of them keeps its whole piece. */
export const LONGEST_PIECE = 4096;
/** Past this many waiting packets the sender of a pair is told to wait. */
export const INBOX_MARK = 1024;

/**
 * What every transport does the same way: packets are delivered in order and never inside the delivery of another one, those that come
 * before `onPacket` is set wait for it, and the end is told once.
 */
export abstract class TransportBase implements HciTransport {
  readonly info: HciTransport["info"];
  onWritable: (() => void) | undefined;
  #onPacket: ((packet: Uint8Array) => void) | undefined;
  #onClose: ((reason: TransportClosed) => void) | undefined;
  #inbox: Uint8Array[] = [];
  #delivering = false;
  #ended: TransportClosed | undefined;
  #told = false;
  #disposed = false;
  #released: Promise<void> | undefined;

  constructor(info: HciTransport["info"]) {
    this.info = info;
  }

  abstract send(packet: Uint8Array): void;
  abstract readonly writable: boolean;
  /** Frees what the transport holds; called once. */
  protected abstract release(): void | Promise<void>;

  get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return this.#onPacket;
  }
  set onPacket(handler: ((packet: Uint8Array) => void) | undefined) {
    this.#onPacket = handler;
    if (handler && !this.#delivering && this.#inbox.length > 0) this.#drain();
  }

  get onClose(): ((reason: TransportClosed) => void) | undefined {
    return this.#onClose;
  }
  set onClose(handler: ((reason: TransportClosed) => void) | undefined) {
    this.#onClose = handler;
    this.#tell();
  }

  /** True once disposed or ended: nothing is sent any more. */
  protected get isOver(): boolean {
    return this.#disposed || this.#ended !== undefined;
  }

  protected get waitingPackets(): number {
    return this.#inbox.length;
  }

  /** Called when the inbox has been emptied. */
  protected onDrained(): void {}

  /** Hands a received packet on. */
  protected deliver(packet: Uint8Array): void {
    if (this.isOver) return;
    const handler = this.#onPacket;
    if (handler && !this.#delivering) {
      this.#delivering = true;
      try {
        handler(packet);
      } catch (error) {
        rethrowLater(error);
      }
      this.#delivering = false;
      if (this.#inbox.length > 0 || this.#ended) this.#drain();
      return;
    }
    if (this.#inbox.length >= INBOX_CAPACITY) {
      this.#inbox = [];
      this.end(new TransportClosed(`transport "${this.info.spec}" ended: ${INBOX_CAPACITY} packets came and nobody read them`));
    } else this.#inbox.push(packet);
  }

  /** The transport is gone. What arrived before is still delivered first. */
  protected end(reason: TransportClosed): void {
    if (this.isOver) return;
    this.#ended = reason;
    this.#release().catch(() => undefined); // told to who disposes of it
    this.#tell();
  }

  /** Closes; `onClose` is not called. Resolves when everything is given back, after an end too. @throws what could not be */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#inbox = [];
    await this.#release();
  }

  #release(): Promise<void> {
    this.#released ??= (async () => await this.release())();
    return this.#released;
  }

  #drain(): void {
    this.#delivering = true;
    let at = 0;
    // Handlers may add to the inbox while it is read, and may take themselves away.
    for (; at < this.#inbox.length && this.#onPacket; at++) {
      try {
        this.#onPacket(this.#inbox[at]!);
      } catch (error) {
        rethrowLater(error);
      }
      if (this.#disposed) break;
      if (at === INBOX_MARK) {
        this.#inbox.splice(0, at + 1);
        at = -1;
      }
    }
    this.#inbox.splice(0, at);
    this.#delivering = false;
    if (this.#inbox.length === 0) {
      this.#tell();
      this.onDrained();
    }
  }

  #tell(): void {
    if (!this.#ended || this.#told || this.#disposed || !this.#onClose || this.#delivering) return;
    // A receiver that is not there will not come for these packets; one that is gets them before the end.
    if (this.#inbox.length > 0 && this.#onPacket) return;
    this.#told = true;
    try {
      this.#onClose(this.#ended);
    } catch (error) {
      rethrowLater(error);
    }
  }
}
