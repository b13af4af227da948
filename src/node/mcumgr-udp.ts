import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Clock, SystemClock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { checkFunction, checkInteger, checkOperation, checkOptions, checkText, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { TransportError } from "../hci/transport.ts";
import type { McumgrLink, OpenMcumgrLink } from "../mcumgr/links/link.ts";
import { LONGEST_DATAGRAM, textOf, UdpLink, type UdpPeer, type UdpServer, UdpSocketServer } from "./mcumgr-udp-links.ts";

/** The port that servers listen on. */
export const MCUMGR_UDP_PORT = 1337;
/** What a datagram's headers take of a packet. */
const HEADERS = { 4: 28, 6: 48 } as const;
const ETHERNET_MTU = 1500;
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

function lookupText(host: string, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOTFOUND") return `the name ${host} is not known`;
  if (code === "EAI_AGAIN") return `the name ${host} cannot be looked up now: no name server answers`;
  return `the name ${host} is not known: ${textOf(cause)}`;
}
