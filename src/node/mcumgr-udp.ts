import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { callOut } from "../async/call-out.ts";
import { type Clock, SystemClock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { checkFunction, checkInteger, checkOctets, checkOperation, checkOptions, checkText, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, ClosedError } from "../core/error.ts";
import { TransportError } from "../hci/transport.ts";
import { MessageAssembler } from "../mcumgr/links/fragments.ts";
import type { McumgrLink, OpenMcumgrLink, ServerBuffers } from "../mcumgr/links/link.ts";
import { LinkBase } from "../mcumgr/links/link-base.ts";
import { decodeHeader, MCUMGR_HEADER_LENGTH } from "../mcumgr/protocol/header.ts";

/** The port that servers listen on. */
export const MCUMGR_UDP_PORT = 1337;
/** What a datagram's headers take of a packet. */
const HEADERS = { 4: 28, 6: 48 } as const;
/** The payload of the longest datagram. */
const LONGEST_DATAGRAM = 65_507;
const ETHERNET_MTU = 1500;
/** Servers over UDP are built with buffers of 2048 octets; half of it is a cautious beginning. */
const PROVEN_LIMIT = 1024;
const DEFAULT_TIMEOUT_MS = 10_000;

export interface UdpLinkOptions extends OperationOptions {
  /** A name or an address: "device.local", "192.0.2.7", "2001:db8::7". */
  readonly host: string;
  /** 1337 by default. */
  readonly port?: number | undefined;
  /** Which address of a name is taken; IPv4 where it has one by default. */
  readonly family?: 4 | 6 | undefined;
  /** Octets of the longest packet on the way there: a longer message would come in pieces, which servers do not join. 1500 by default. */
  readonly mtu?: number | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

const CLIENT = optionNames<UdpLinkOptions>({ signal: true, timeoutMs: true, host: true, port: true, family: true, mtu: true, clock: true });

/**
 * An mcumgr server over UDP: a message in a datagram. Nobody is asked whether it is there; a host that answers that nobody listens ends the
 * link.
 *
 * @throws {ArgumentError} · {TransportError} the name is not known · {TimeoutError} it is not resolved in `timeoutMs`, 10 s by default
 */
export async function openUdpLink(options: UdpLinkOptions): Promise<McumgrLink> {
  return await createUdpOpener(options)();
}

/** The same each time it is called, the name asked for anew. `signal` and `timeoutMs` of a call take the place of those here. @throws {ArgumentError} */
export function createUdpOpener(options: UdpLinkOptions): OpenMcumgrLink {
  checkOperation("openUdpLink", options ?? null, CLIENT);
  const { host, port = MCUMGR_UDP_PORT, family, mtu = ETHERNET_MTU, clock = new SystemClock() } = options;
  if (checkText("openUdpLink: host", host) === "") throw new ArgumentError("openUdpLink: host: expected a name or an address");
  checkInteger("openUdpLink: port", port, 1, 65_535);
  checkInteger("openUdpLink: mtu", mtu, 68, 65_575);
  if (family !== undefined && family !== 4 && family !== 6) throw new ArgumentError("openUdpLink: family: expected 4 or 6");
  return async (given = {}) => {
    checkOperation("openUdpLink", given);
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = { ...options, ...given };
    signal?.throwIfAborted();
    const opening = new Pending<McumgrLink>({ clock, operation: `opening the mcumgr link to ${host}`, signal, timeoutMs });
    connect(host, port, family, mtu, clock).then(
      (link) => {
        if (opening.settled) void Promise.resolve(link[Symbol.asyncDispose]()).catch(() => undefined);
        else opening.resolve(link);
      },
      (error: unknown) => opening.reject(error),
    );
    return await opening.promise;
  };
}

async function connect(host: string, port: number, family: 4 | 6 | undefined, mtu: number, clock: Clock): Promise<McumgrLink> {
  const at = await resolve(host, family);
  const socket = createSocket(at.family === 6 ? "udp6" : "udp4");
  await new Promise<void>((done, fail) => {
    socket.once("error", fail);
    socket.connect(port, at.address, done); // an answer of the host's that nobody listens is told to a connected socket only
  }).catch((cause: unknown) => {
    socket.close();
    throw new TransportError("io", `no way to ${host}, port ${port}: ${textOf(cause)}`, { cause });
  });
  socket.removeAllListeners("error");
  const target = `${host}:${port}${at.address === host ? "" : ` (${at.address})`}`;
  return new UdpLink(socket, target, Math.min(LONGEST_DATAGRAM, mtu - HEADERS[at.family]), clock);
}

async function resolve(host: string, family: 4 | 6 | undefined): Promise<{ address: string; family: 4 | 6 }> {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const kind = isIP(bare.split("%")[0]!);
  if (kind !== 0) {
    if (family !== undefined && family !== kind) throw new ArgumentError(`openUdpLink: ${host} is no IPv${family} address`);
    return { address: bare, family: kind as 4 | 6 };
  }
  try {
    const all = await lookup(bare, { all: true, ...(family && { family }) });
    const found = all.find((one) => one.family === 4) ?? all[0];
    if (found) return { address: found.address, family: found.family as 4 | 6 };
  } catch (cause) {
    throw new TransportError("not-found", lookupText(host, cause), { cause });
  }
  throw new TransportError("not-found", `the name ${host} has no address`);
}

class UdpLink extends LinkBase {
  readonly isLossy = true;
  readonly provenLimit: number;
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #assembler: MessageAssembler;
  readonly #sending = new Set<Pending<void>>();

  constructor(socket: Socket, target: string, limit: number, clock: Clock) {
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

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Where a datagram came from. */
export interface UdpPeer {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

export interface UdpServerOptions {
  /** A peer that sends for the first time, or for the first time in a while. */
  readonly onLink: (link: McumgrLink, peer: UdpPeer) => void;
  /** The address to listen at: "0.0.0.0" (default), "::" for IPv6 and IPv4 both, "127.0.0.1", … */
  readonly host?: string | undefined;
  /** 1337 by default; 0 for any that is free. */
  readonly port?: number | undefined;
  /** Peers remembered at a time; whoever has been silent the longest is forgotten at more. 64 by default. */
  readonly maxPeers?: number | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

/** A socket that an mcumgr server listens on. */
export interface UdpServer extends AsyncDisposable {
  readonly host: string;
  /** The port actually in use. */
  readonly port: number;
  /** Why it ended by itself; set once. */
  onClose: ((reason: BleError) => void) | undefined;
}

const SERVER = optionNames<UdpServerOptions>({ onLink: true, host: true, port: true, maxPeers: true, signal: true });

/**
 * Listens for clients over UDP: each is a link, and each datagram a message, whatever it says.
 *
 * @throws {ArgumentError} · {TransportError} the port is in use, or the address not there
 */
export async function serveMcumgrOverUdp(options: UdpServerOptions): Promise<UdpServer> {
  checkOptions("serveMcumgrOverUdp", options ?? null, SERVER);
  const { onLink, host = "0.0.0.0", port = MCUMGR_UDP_PORT, maxPeers = 64, signal } = options;
  checkFunction("serveMcumgrOverUdp: onLink", onLink ?? null);
  checkInteger("serveMcumgrOverUdp: port", port, 0, 65_535);
  checkInteger("serveMcumgrOverUdp: maxPeers", maxPeers, 1, 65_536);
  if (isIP(checkText("serveMcumgrOverUdp: host", host)) === 0)
    throw new ArgumentError(`serveMcumgrOverUdp: host: expected an address to listen at, got "${host}"`);
  signal?.throwIfAborted();
  const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
  await new Promise<void>((done, fail) => {
    socket.once("error", fail);
    socket.bind(port, host, done);
  }).catch((cause: unknown) => {
    socket.close();
    const reason = (cause as NodeJS.ErrnoException).code === "EADDRINUSE" ? "busy" : "io";
    throw new TransportError(reason, `cannot listen at ${host}, port ${port}: ${textOf(cause)}`, { cause });
  });
  socket.removeAllListeners("error");
  const server = new UdpSocketServer(socket, host, onLink, maxPeers);
  if (signal?.aborted) {
    await server[Symbol.asyncDispose]();
    throw signal.reason;
  }
  return server;
}

class UdpSocketServer implements UdpServer {
  readonly host: string;
  readonly port: number;
  onClose: ((reason: BleError) => void) | undefined;
  readonly #socket: Socket;
  /** By address and port, whoever sent last at the end. */
  readonly #links = new Map<string, UdpPeerLink>();
  #closing: Promise<void> | undefined;

  constructor(socket: Socket, host: string, onLink: UdpServerOptions["onLink"], maxPeers: number) {
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
  readonly #socket: Socket;
  readonly #to: RemoteInfo;
  readonly #onEnd: () => void;

  constructor(socket: Socket, to: RemoteInfo, onEnd: () => void) {
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

function lookupText(host: string, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOTFOUND") return `the name ${host} is not known`;
  if (code === "EAI_AGAIN") return `the name ${host} cannot be looked up now: no name server answers`;
  return `the name ${host} is not known: ${textOf(cause)}`;
}
