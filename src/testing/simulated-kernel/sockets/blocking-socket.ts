import type { VirtualClock } from "../../../async/index.ts";
import type { BlockingKernelSocket, SystemFault } from "../../../transport/index.ts";
import type { QueuedSocket } from "./queued-socket.ts";

/** A socket for a program that blocks: while it reads, the kernel's time passes and nothing else. */
export class SimulatedBlockingSocket implements BlockingKernelSocket {
  readonly info: BlockingKernelSocket["info"];
  readonly #queue: QueuedSocket;
  readonly #clock: VirtualClock;

  constructor(queue: QueuedSocket, clock: VirtualClock) {
    this.info = queue.info;
    this.#queue = queue;
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  write(packet: Uint8Array): SystemFault | undefined {
    return this.#queue.write(packet);
  }

  read(timeoutMs: number): Uint8Array | undefined {
    this.#clock.block(timeoutMs, () => this.#queue.isReady);
    return this.#queue.take();
  }

  [Symbol.dispose](): void {
    void this.#queue[Symbol.asyncDispose]();
  }
}
