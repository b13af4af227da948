import type { Socket } from "node:net";
import { delay, SystemClock } from "../async/clock.ts";
import { DecodeError } from "../bytes/decode-error.ts";
import { TransportBase } from "../hci/base-transport.ts";
import { type HciTransport, TransportClosed } from "../hci/transport.ts";
import { H4Framer } from "./h4.ts";

/** Octets that may wait for a peer which does not read; at more the connection is ended. */
const LONGEST_QUEUE = 16 * 1024 * 1024;
/** How long closing waits for what was sent before, in milliseconds. */
const FLUSH_MS = 500;

/** H4 over a connected socket, TCP or Unix. */
export class SocketTransport extends TransportBase {
  readonly #socket: Socket;
  #corked = false;
  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  constructor(socket: Socket, info: HciTransport["info"]) {
    super(info);
    this.#socket = socket;
    socket.setNoDelay(true);
    const framer = new H4Framer((packet) => this.deliver(packet));
    let failure: Error | undefined;
    socket.on("data", (chunk: Buffer) => {
      if (this.isOver) return;
      try {
        framer.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.end(new TransportClosed(`transport "${info.spec}" ended: the peer does not speak H4`, { cause: error }));
      }
    });
    socket.on("drain", () => {
      if (!this.isOver) this.onWritable?.();
    });
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("close", () =>
      this.end(
        failure
          ? new TransportClosed(`transport "${info.spec}" failed: ${failure.message}`, { cause: failure })
          : new TransportClosed(`transport "${info.spec}" was closed by the other side`),
      ),
    );
  }

  send(packet: Uint8Array): void {
    if (this.isOver || this.#socket.destroyed) return;
    if (!this.#corked) {
      // All packets of one turn leave in one system call.
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#socket.write(packet);
    if (this.#socket.writableLength > LONGEST_QUEUE)
      this.end(new TransportClosed(`transport "${this.info.spec}" ended: the other side does not read`));
  }

  get writable(): boolean {
    return !this.isOver && !this.#socket.writableNeedDrain;
  }

  protected async release(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    if (this.#corked) this.#uncork();
    socket.destroySoon();
    const patience = new AbortController();
    const tooLong = delay(new SystemClock(), FLUSH_MS, { signal: patience.signal }).then(
      () => socket.destroy(),
      () => undefined,
    );
    await closed;
    patience.abort();
    await tooLong;
  }
}
