import { type Clock, SystemClock } from "../../async/clock.ts";
import { onAbort } from "../../async/on-abort.ts";
import { DecodeError } from "../../bytes/decode-error.ts";
import { INBOX_MARK, TransportBase } from "../../hci/base-transport.ts";
import { type HciTransport, TransportClosed, TransportError } from "../../hci/transport.ts";
import { H4Framer } from "../h4.ts";

/** The sub-protocol (RFC 6455, 1.9): each binary message is one HCI packet, H4 packet type first. */
export const SUB_PROTOCOL = "hci.h4";
/** Octets that may wait before the sender is told so, and at which the transport is ended. */
const MARK = 256 * 1024;
const LONGEST_QUEUE = 16 * 1024 * 1024;
/** Between two looks at a queue that was too long, in milliseconds: a page is not told when it is short again. */
const LOOK_MS = 10;
/** How long opening and closing may take, in milliseconds. */
const CONNECT_MS = 10_000;
const CLOSE_MS = 500;
const NORMAL_CLOSURE = 1000;
const OPEN = 1;
const CLOSED = 3;

/** What a page's WebSocket and that of the package `ws` have in common, as far as it is used. */
export interface AnyWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message?: string; error?: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(packet: Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** Those of Node only. */
  pause?(): void;
  resume?(): void;
  terminate?(): void;
}

/** HCI over an open WebSocket, one packet a message. */
export class WsTransport extends TransportBase {
  readonly #socket: AnyWebSocket;
  readonly #clock: Clock;
  #looking: Disposable | undefined;
  #onClosed: (() => void) | undefined;

  constructor(socket: AnyWebSocket, info: HciTransport["info"], clock: Clock = new SystemClock()) {
    super(info);
    this.#socket = socket;
    this.#clock = clock;
    socket.binaryType = "arraybuffer";
    const framer = new H4Framer((packet) => this.deliver(packet));
    let failure: unknown;
    socket.onmessage = ({ data }) => {
      if (this.isOver) return;
      if (!(data instanceof ArrayBuffer)) {
        this.#endWith("ended: a message of text came, which is no HCI packet");
        return;
      }
      try {
        framer.push(new Uint8Array(data));
        if (framer.isInPacket) this.#endWith("ended: a message held a part of an HCI packet");
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#endWith("ended: the peer does not speak HCI", error);
      }
      if (this.waitingPackets >= INBOX_MARK) socket.pause?.();
    };
    socket.onerror = ({ error, message }) => {
      failure = error ?? message;
    };
    socket.onclose = ({ code, reason }) => {
      this.#onClosed?.();
      const words = reason === "" ? `code ${code}` : `code ${code}, ${reason}`;
      if (code === NORMAL_CLOSURE) this.#endWith("was closed by the other side");
      else this.#endWith(`was closed (${words})`, failure);
    };
  }

  send(packet: Uint8Array): void {
    if (this.isOver || this.#socket.readyState !== OPEN) return;
    this.#socket.send(packet);
    if (this.#socket.bufferedAmount > LONGEST_QUEUE) this.#endWith("ended: the other side does not read");
    else if (!this.writable) this.#look();
  }

  get writable(): boolean {
    return !this.isOver && this.#socket.bufferedAmount < MARK;
  }

  #look(): void {
    this.#looking ??= this.#clock.setTimer(LOOK_MS, "a WebSocket's queue", () => {
      this.#looking = undefined;
      if (this.isOver) return;
      if (this.writable) this.onWritable?.();
      else this.#look();
    });
  }

  protected override onDrained(): void {
    this.#socket.resume?.();
  }

  #endWith(what: string, cause?: unknown): void {
    this.end(new TransportClosed(`transport "${this.info.spec}" ${what}`, cause === undefined ? {} : { cause }));
  }

  protected async release(): Promise<void> {
    this.#looking?.[Symbol.dispose]();
    const socket = this.#socket;
    if (socket.readyState === CLOSED) return;
    socket.resume?.(); // the answer to a close is a message too
    await new Promise<void>((resolve) => {
      // A peer that does not answer holds nobody.
      const timer = this.#clock.setTimer(CLOSE_MS, "closing a WebSocket", () => {
        socket.terminate?.();
        resolve();
      });
      this.#onClosed = () => {
        timer[Symbol.dispose]();
        resolve();
      };
      socket.close(NORMAL_CLOSURE);
    });
  }
}

/** The URL of a spec: "ws://host:9001/path", and "ws:host:9001". @throws {TransportError} anything else */
export function urlOf(kind: "ws" | "wss", rest: string): string {
  const spec = `${kind}:${rest}`;
  const text = rest.startsWith("//") ? spec : `${kind}://${rest}`;
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // told below
  }
  if (!url || url.hostname === "" || url.hash !== "" || !/^\/\/[^/]/.test(text.slice(kind.length + 1)))
    throw new TransportError("unknown-spec", `transport "${spec}": expected ${kind}://HOST:PORT/PATH`);
  return url.href;
}

/**
 * Connects. A server that does not know the sub-protocol is asked once more without.
 *
 * @param connect makes the socket
 * @param describe what a failure means, where the platform tells
 * @throws {TransportError} with one sentence
 * @throws `signal.reason` once it aborts
 */
export async function openWs(
  spec: string,
  connect: (protocols: string[]) => AnyWebSocket,
  describe: (event: { message?: string; error?: unknown }) => TransportError,
  signal: AbortSignal | undefined,
): Promise<HciTransport> {
  signal?.throwIfAborted();
  try {
    return await opened(spec, connect([SUB_PROTOCOL]), describe, signal);
  } catch (error) {
    const isFinal = signal?.aborted === true || (error instanceof TransportError && error.reason !== "io");
    if (isFinal) throw error;
    return await opened(spec, connect([]), describe, signal);
  }
}

function opened(
  spec: string,
  socket: AnyWebSocket,
  describe: (event: { message?: string; error?: unknown }) => TransportError,
  signal: AbortSignal | undefined,
): Promise<HciTransport> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      timer[Symbol.dispose]();
      listener[Symbol.dispose]();
      socket.onerror = null;
      socket.onopen = null;
      act();
    };
    const fail = (reason: unknown): void =>
      settle(() => {
        socket.onerror = () => undefined; // closing a socket that is not open is one more
        socket.close();
        reject(reason);
      });
    const timer = new SystemClock().setTimer(CONNECT_MS, `connecting ${spec}`, () =>
      fail(new TransportError("not-found", `${spec}: the host cannot be reached`)),
    );
    const listener = onAbort(signal, () => fail(signal?.reason));
    // In this turn: the first message may be there already.
    socket.onopen = () => settle(() => resolve(new WsTransport(socket, { spec })));
    socket.onerror = (event) => fail(describe(event));
  });
}
