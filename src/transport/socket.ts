import { existsSync } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { connect, type Server, Socket, type SocketConnectOpts } from "node:net";
import { dirname } from "node:path";
import { SystemClock } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import { TransportError } from "../hci/transport.ts";
import { SocketTransport } from "./socket-transport.ts";

/** How long the network may take to connect, in real milliseconds. */
const CONNECT_MS = 10_000;

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Reads "host:port", "[ipv6]:port" and, where `defaultHost` is given, "port". @throws {TransportError} anything else */
export function parseHostAndPort(spec: string, text: string, form: string, defaultHost?: string): HostAndPort {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2] ?? defaultHost;
  const port = Number(match?.[3]);
  if (!match || host === undefined || port > 65_535) throw new TransportError("unknown-spec", `transport "${spec}": expected ${form}`);
  return { host, port };
}

/** One sentence for an error of the system. `spec` is the transport, `action` what failed. */
export function describeSocketError(spec: string, error: NodeJS.ErrnoException): TransportError {
  const because = (reason: TransportError["reason"], message: string): TransportError =>
    new TransportError(reason, message, { cause: error });
  switch (error.code) {
    case "ECONNREFUSED":
      return because("refused", `nothing listens at ${spec}: start the other side first`);
    case "ENOENT":
      return because("not-found", `${spec}: there is no such socket or folder`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return because("not-found", `${spec}: the name of the host is not known`);
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
      return because("not-found", `${spec}: the host cannot be reached`);
    case "EADDRNOTAVAIL":
      return because("not-found", `${spec}: this machine does not have that address`);
    case "EADDRINUSE":
      return because("busy", `${spec} is in use by another program`);
    case "EACCES":
    case "EPERM":
      return because("permission", `${spec}: this user may not open it`);
    default:
      return because("io", `${spec} could not be opened: ${error.code ?? error.message}`);
  }
}

/** Connects. @throws {TransportError} with a sentence; `signal.reason` */
export async function connectSocket(spec: string, where: SocketConnectOpts, signal?: AbortSignal): Promise<SocketTransport> {
  signal?.throwIfAborted();
  const socket = connect(where);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      settle();
      socket.on("error", () => undefined); // said already
      socket.destroy();
      reject(error);
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(describeSocketError(spec, firstOf(error)));
    const onConnect = (): void => {
      settle();
      resolve();
    };
    const timer = new SystemClock().setTimer(CONNECT_MS, `connecting ${spec}`, () =>
      onError(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })),
    );
    const settle = (): void => {
      timer[Symbol.dispose]();
      listener[Symbol.dispose]();
      socket.off("error", onError);
      socket.off("connect", onConnect);
    };
    socket.on("error", onError);
    socket.on("connect", onConnect);
    const listener = onAbort(signal, () => fail(signal?.reason));
  });
  return new SocketTransport(socket, { spec });
}

/** A name with several addresses fails with one error for each. */
function firstOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  return error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as NodeJS.ErrnoException) : error;
}

/** Listens. @throws {TransportError} with a sentence */
export async function listenSocket(spec: string, server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  try {
    await listenOnce(server, where);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isLeftBehind = code === "EADDRINUSE" && "path" in where && (await isAbandoned(where.path));
    if (!isLeftBehind) throw describeSocketError(spec, withoutFolder(error as NodeJS.ErrnoException, where));
    await rm(where.path, { force: true });
    await listenOnce(server, where).catch((again: NodeJS.ErrnoException) => {
      throw describeSocketError(spec, again);
    });
  }
}

/** Where the folder is missing Node says that it may not be opened. */
function withoutFolder(error: NodeJS.ErrnoException, where: { host: string; port: number } | { path: string }): NodeJS.ErrnoException {
  const isMissing = error.code === "EACCES" && "path" in where && !existsSync(dirname(where.path));
  return isMissing ? Object.assign(new Error(error.message, { cause: error }), { code: "ENOENT" }) : error;
}

function listenOnce(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether this is a socket file that nobody listens at: its process died. Any other file is somebody's. */
async function isAbandoned(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  if (!status?.isSocket()) return false;
  return await new Promise((resolve) => {
    const socket = new Socket();
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
    socket.connect({ path }, () => {
      socket.destroy();
      resolve(false);
    });
  });
}
