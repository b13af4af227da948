import { callOut } from "../../../async/index.ts";
import { TransportClosed } from "../../../hci/transport.ts";
import type { KernelSocket, SystemFault } from "../../../transport/index.ts";
import { EBADF } from "../faults.ts";

/** What a socket does with what is written to it, and what happens when it is closed. */
export interface SocketEnd {
  write(packet: Uint8Array): SystemFault | undefined;
  closed(): void;
}

/**
 * A program's end of a socket of the kernel. Packets wait in a queue of the kernel until the program is done with what it is doing; what
 * comes to a full queue is thrown away and counted, as in Linux.
 */
export class QueuedSocket implements KernelSocket {
  readonly info: KernelSocket["info"];
  readonly #end: SocketEnd;
  readonly #capacity: number;
  #queue: Uint8Array[] = [];
  #handler: ((packet: Uint8Array) => void) | undefined;
  #onClose: ((reason: TransportClosed) => void) | undefined;
  #scheduled = false;
  #closed = false;
  #lost: TransportClosed | undefined;
  droppedPackets = 0;

  constructor(info: KernelSocket["info"], capacity: number, end: SocketEnd) {
    this.info = info;
    this.#capacity = capacity;
    this.#end = end;
  }

  get onPacket(): ((packet: Uint8Array) => void) | undefined {
    return this.#handler;
  }
  set onPacket(handler: ((packet: Uint8Array) => void) | undefined) {
    this.#handler = handler;
    this.#schedule();
  }

  get onClose(): ((reason: TransportClosed) => void) | undefined {
    return this.#onClose;
  }
  set onClose(handler: ((reason: TransportClosed) => void) | undefined) {
    this.#onClose = handler;
    this.#schedule();
  }

  write(packet: Uint8Array): SystemFault | undefined {
    return this.#closed ? EBADF : this.#end.write(packet.slice());
  }

  /** Puts a packet into the queue. @returns whether there was room */
  push(packet: Uint8Array): boolean {
    if (this.#closed || this.#lost) return false;
    if (this.#queue.length >= this.#capacity) {
      this.droppedPackets++;
      return false;
    }
    this.#queue.push(packet);
    this.#schedule();
    return true;
  }

  /** The next packet, for a program that blocks. @throws {TransportClosed} the socket is gone and nothing is left in it */
  take(): Uint8Array | undefined {
    const packet = this.#queue.shift();
    if (packet === undefined && (this.#lost || this.#closed))
      throw this.#lost ?? new TransportClosed(`the ${this.info.spec} socket is closed`);
    return packet;
  }

  /** Whether `take` has something to say. */
  get isReady(): boolean {
    return this.#queue.length > 0 || this.#closed || this.#lost !== undefined;
  }

  /** The socket fails under the program; what is in the queue is still delivered. */
  lose(reason: string): void {
    if (this.#closed || this.#lost) return;
    this.#lost = new TransportClosed(`the ${this.info.spec} socket is gone: ${reason}`);
    this.#end.closed();
    this.#schedule();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    if (!this.#lost) this.#end.closed();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed || !(this.#handler || this.#lost) || (this.#queue.length === 0 && !this.#lost)) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    let at = 0;
    while (at < this.#queue.length && this.#handler && !this.#closed) {
      // What a handler causes comes behind, in the same queue, so that the capacity counts it too.
      const packet = this.#queue[at++]!;
      if (at === this.#queue.length) {
        this.#queue = [];
        at = 0;
      }
      callOut(() => this.#handler?.(packet));
    }
    if (at > 0) this.#queue.splice(0, at);
    if (!this.#lost || this.#closed || !this.#onClose || (this.#queue.length > 0 && this.#handler)) return;
    this.#closed = true;
    const reason = this.#lost;
    callOut(() => this.#onClose?.(reason));
  }
}
