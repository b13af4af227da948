import { createRequire } from "node:module";
import { type Clock, SystemClock } from "../../async/clock.ts";
import { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { describeSocketError } from "../socket.ts";
import type { TransportOptions } from "../types.ts";
import { type AnyWebSocket, openWs, urlOf, WsTransport } from "./ws-transport.ts";

/** Longest HCI packet of ISO or ACL data, H4 packet type first. */
export const LONGEST_MESSAGE = 5 + 0xffff;
/** Between two signs of life that are asked for, in milliseconds: a peer that gives none meanwhile is gone. */
const PING_MS = 10_000;

/** The socket of the package `ws`. */
export interface NodeWebSocket extends AnyWebSocket {
  ping(): void;
  terminate(): void;
  on(event: "pong" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** The part of the package that is used. */
export interface WsPackage {
  readonly WebSocket: new (url: string, protocols: string[], options: Readonly<Record<string, unknown>>) => NodeWebSocket;
  readonly WebSocketServer: new (options: Readonly<Record<string, unknown>>) => NodeWebSocketServer;
}

export interface NodeWebSocketServer {
  handleUpgrade(request: unknown, socket: unknown, head: unknown, done: (socket: NodeWebSocket) => void): void;
}

/** Loads the optional package on first use. @throws {TransportError} it is missing */
export function loadWs(require: (name: string) => unknown = createRequire(import.meta.url)): WsPackage {
  try {
    return require("ws") as WsPackage;
  } catch (cause) {
    throw new TransportError("missing-package", 'WebSockets need the package ws, which does not load here: run "npm install ws"', {
      cause,
    });
  }
}

/** `ws:` and `wss:` in Node. @throws {TransportError} with one sentence */
export async function openNodeWs(kind: "ws" | "wss", rest: string, { signal, logger }: TransportOptions): Promise<HciTransport> {
  const spec = `${kind}:${rest}`;
  const url = urlOf(kind, rest);
  const { WebSocket } = loadWs();
  let last: NodeWebSocket | undefined;
  const connect = (protocols: string[]): NodeWebSocket => {
    last = new WebSocket(url, protocols, { maxPayload: LONGEST_MESSAGE, perMessageDeflate: false, followRedirects: false });
    return last;
  };
  const transport = await openWs(spec, connect, ({ message = "", error }) => describeFailure(spec, message, error), signal);
  watch(last!, spec, logger);
  return transport;
}

function describeFailure(spec: string, message: string, error: unknown): TransportError {
  const [, status] = /^Unexpected server response: (\d+)/.exec(message) ?? [];
  if (status !== undefined)
    return new TransportError("refused", `${spec} refuses the connection (HTTP status ${status})`, { cause: error });
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code !== undefined && !code.startsWith("WS_")) return describeSocketError(spec, error as NodeJS.ErrnoException);
  return new TransportError("io", `${spec} could not be opened: ${message}`, { cause: error });
}

/** Ends a link whose other side is gone without a word: a computer that sleeps, a cable that was pulled. */
export function watch(
  socket: Pick<NodeWebSocket, "on" | "ping" | "terminate">,
  spec: string,
  logger: Logger = Logger.silent,
  clock: Clock = new SystemClock(),
): void {
  let isAlive = true;
  let timer: Disposable;
  const ask = (): void => {
    timer = clock.setTimer(PING_MS, "a sign of life of a WebSocket", () => {
      if (!isAlive) {
        logger.warn(`${spec}: no sign of life for ${PING_MS} ms`);
        socket.terminate();
        return;
      }
      isAlive = false;
      socket.ping();
      ask();
    });
  };
  socket.on("pong", () => {
    isAlive = true;
  });
  socket.on("close", () => timer[Symbol.dispose]());
  ask();
}

/** What came to a server, as a transport. */
export function acceptWs(socket: NodeWebSocket, spec: string, logger: Logger): WsTransport {
  socket.on("error", (error) => logger.debug(() => `${spec}: ${error.message}`));
  watch(socket, spec, logger);
  return new WsTransport(socket, { spec });
}
