import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { checkOctets } from "../core/arguments.ts";
import { type BleError, ClosedError } from "../core/error.ts";
import { MessageAssembler } from "../mcumgr/links/fragments.ts";
import type { McumgrLink, ServerBuffers } from "../mcumgr/links/link.ts";
import { LinkBase } from "../mcumgr/links/link-base.ts";
import { decodeHeader, MCUMGR_HEADER_LENGTH } from "../mcumgr/protocol/header.ts";

/** The payload of the longest datagram. */
export const LONGEST_DATAGRAM = 65_507;
/** Servers over UDP are built with buffers of 2048 octets; half of it is a cautious beginning. */
const PROVEN_LIMIT = 1024;

/** Where a datagram came from, as Node tells it. */
export interface DatagramSender {
  readonly address: string;
  readonly port: number;
  readonly family: "IPv4" | "IPv6";
}

/** What is used of one of Node's sockets; described here, so that programs need not have Node's types to compile. */
export interface DatagramSocket {
  on(event: "message", listener: (datagram: Uint8Array, from: DatagramSender) => void): unknown;
  on(event: "error", listener: (cause: Error) => void): unknown;
  /** On a connected socket. */
  send(message: Uint8Array, sent: (cause: Error | null) => void): void;
  send(message: Uint8Array, port: number, address: string, sent: (cause: Error | null) => void): void;
  address(): { readonly port: number };
  close(closed?: () => void): unknown;
}

/** A client's end, on a connected socket. */
export class UdpLink extends LinkBase {
  readonly isLossy = true;
  readonly provenLimit: number;
  readonly #socket: DatagramSocket;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #assembler: MessageAssembler;
  readonly #sending = new Set<Pending<void>>();

  constructor(socket: DatagramSocket, target: string, limit: number, clock: Clock) {
    super({ kind: "udp", target });
    this.#socket = socket;
    this.#limit = limit;
    this.#clock = clock;
    this.provenLimit = Math.min(PROVEN_LIMIT, limit);
    this.#assembler = new MessageAssembler({ clock, onMessage: (message) => this.deliver(message) });
    socket.on("message", (datagram) => this.#receive(new Uint8Array(datagram.buffer, datagram.byteOffset, datagram.length)));
    socket.on("error", (cause) => this.#fail(cause));
  }

  messageLimit(buffers: ServerBuffers | undefined): number {
    return buffers ? Math.min(this.#limit, buffers.bufSize) : this.provenLimit;
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, this.#limit);
    options.signal?.throwIfAborted();
    const pending: Pending<void> = new Pending<void>({
      clock: this.#clock,
      operation: "sending an mcumgr message",
      ...options,
      onSettled: () => this.#sending.delete(pending),
    });
    this.#sending.add(pending);
    this.#socket.send(message, (cause) => {
      if (!cause) pending.resolve();
      else if (this.reason) pending.reject(this.reason);
      else this.#fail(cause); // which rejects it
    });
    await pending.promise;
  }

  resynchronise(): void {
    this.#assembler.reset();
  }

  /** A server may spread a long answer over several datagrams. */
  #receive(datagram: Uint8Array): void {
    // One that is whole by itself follows a loss, where something is held.
    if (this.#assembler.pending > 0 && isWhole(datagram)) this.#assembler.reset();
    this.#assembler.push(datagram);
  }

  #fail(cause: Error): void {
    const { code } = cause as NodeJS.ErrnoException;
    const what = code === "ECONNREFUSED" ? "nobody listens there" : textOf(cause);
    this.end(new ClosedError(`${this.info.target}: ${what}`, { cause }));
  }

  protected release(reason: BleError): void {
    for (const pending of [...this.#sending]) pending.reject(reason);
    this.#socket.close();
  }
}

/** One message or several, and nothing besides. */
function isWhole(datagram: Uint8Array): boolean {
  let at = 0;
  while (at + MCUMGR_HEADER_LENGTH <= datagram.length) at += MCUMGR_HEADER_LENGTH + decodeHeader(datagram, at).length;
  return at === datagram.length;
}

export function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Where a datagram came from. */
export interface UdpPeer {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** A socket that an mcumgr server listens on. */
export interface UdpServer extends AsyncDisposable {
  readonly host: string;
  /** The port actually in use. */
  readonly port: number;
  /** Why it ended by itself; set once. */
  onClose: ((reason: BleError) => void) | undefined;
}

/** Clients by where their datagrams come from, on a bound socket. */
export class UdpSocketServer implements UdpServer {
  readonly host: string;
  readonly port: number;
  onClose: ((reason: BleError) => void) | undefined;
  readonly #socket: DatagramSocket;
  /** By address and port, whoever sent last at the end. */
  readonly #links = new Map<string, UdpPeerLink>();
  #closing: Promise<void> | undefined;

  constructor(socket: DatagramSocket, host: string, onLink: (link: McumgrLink, peer: UdpPeer) => void, maxPeers: number) {
    this.host = host;
    this.port = socket.address().port;
    this.#socket = socket;
    socket.on("error", (cause) => {
      const reason = new ClosedError(`the socket at ${host}, port ${this.port} failed: ${cause.message}`, { cause });
      void this.#close(reason);
      callOut(this.onClose, reason);
    });
    socket.on("message", (datagram, from) => {
      const key = `${from.address} ${from.port}`;
      let link = this.#links.get(key);
      if (link) this.#links.delete(key);
      else {
        link = new UdpPeerLink(socket, from, () => this.#links.delete(key));
        callOut(onLink, link, { address: from.address, port: from.port, family: from.family === "IPv6" ? 6 : 4 });
      }
      if (!link.isOver) this.#links.set(key, link);
      if (this.#links.size > maxPeers) this.#links.values().next().value!.forget();
      link.receive(new Uint8Array(datagram.buffer, datagram.byteOffset, datagram.length).slice());
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close(new ClosedError("the server was closed"));
  }

  #close(reason: BleError): Promise<void> {
    this.#closing ??= new Promise((done) => {
      for (const link of [...this.#links.values()]) link.cut(reason);
      this.#socket.close(done);
    });
    return this.#closing;
  }
}

/** One peer of a server's socket. */
class UdpPeerLink extends LinkBase {
  readonly isLossy = true;
  readonly provenLimit = LONGEST_DATAGRAM;
  readonly #socket: DatagramSocket;
  readonly #to: DatagramSender;
  readonly #onEnd: () => void;

  constructor(socket: DatagramSocket, to: DatagramSender, onEnd: () => void) {
    super({ kind: "udp", target: `${to.address}, port ${to.port}` });
    this.#socket = socket;
    this.#to = to;
    this.#onEnd = onEnd;
  }

  get isOver(): boolean {
    return this.reason !== undefined;
  }

  messageLimit(): number {
    return LONGEST_DATAGRAM;
  }

  async send(message: Uint8Array, options: OperationOptions = {}): Promise<void> {
    checkOctets("send: message", message);
    this.checkSend(message, LONGEST_DATAGRAM);
    options.signal?.throwIfAborted();
    // What becomes of a datagram nobody says; a peer that is gone is silent.
    await new Promise<void>((done) => this.#socket.send(message, this.#to.port, this.#to.address, () => done()));
  }

  resynchronise(): void {}

  receive(datagram: Uint8Array): void {
    this.deliver(datagram);
  }

  /** Makes room for others. */
  forget(): void {
    this.end(new ClosedError(`${this.info.target} was silent, and others came`));
  }
  cut(reason: BleError): void {
    this.end(reason);
  }

  protected release(): void {
    this.#onEnd();
  }
}
