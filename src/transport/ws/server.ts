import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { callOut } from "../../async/call-out.ts";
import { type Clock, SystemClock } from "../../async/clock.ts";
import { onAbort } from "../../async/on-abort.ts";
import { Logger } from "../../core/logger.ts";
import type { HciTransport } from "../../hci/transport.ts";
import { describeSocketError, listenSocket, parseHostAndPort } from "../socket.ts";
import type { ServeController, TransportOptions } from "../types.ts";
import { acceptWs, LONGEST_MESSAGE, loadWs, type NodeWebSocket } from "./node.ts";
import { SUB_PROTOCOL } from "./ws-transport.ts";

/** How long a host that comes may wait for the one before to be gone, in milliseconds: who reconnects overtakes its own farewell. */
const PATIENCE_MS = 300;

interface Accept {
  readonly spec: string;
  readonly origins: readonly string[];
  readonly logger: Logger;
  /** The socket of the one that is served; there is room for no other. */
  readonly current: () => NodeWebSocket | undefined;
  readonly onSocket: (socket: NodeWebSocket) => void;
}

/**
 * Answers handshakes. A browser says by Origin whose page asks; one that has no leave is refused, since any page that is open in a browser of
 * this machine reaches its ports. Programs send none.
 */
function acceptor({ spec, origins, logger, current, onSocket }: Accept): Server {
  const { WebSocketServer } = loadWs();
  const clock = new SystemClock();
  const handshakes = new WebSocketServer({
    noServer: true,
    maxPayload: LONGEST_MESSAGE,
    perMessageDeflate: false,
    handleProtocols: (protocols: Set<string>) => (protocols.has(SUB_PROTOCOL) ? SUB_PROTOCOL : false),
  });
  const server = createServer((_request, response) => {
    response.writeHead(426, { connection: "close", "content-type": "text/plain" }).end("A WebSocket with HCI packets is served here.\n");
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    socket.on("error", (error) => logger.debug(() => `${spec}: ${error.message}`));
    const refuse = (status: string, why: string): void => {
      logger.warn(`${spec}: a host was turned away: ${why}`);
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    };
    const { origin } = request.headers;
    if (origin !== undefined && !origins.includes(origin) && !origins.includes("*")) {
      refuse("403 Forbidden", `pages of ${JSON.stringify(origin).slice(0, 100)} have no leave (origins)`);
      return;
    }
    const before = current();
    void (before ? closesSoon(before, clock) : Promise.resolve()).then(() => {
      if (current()) refuse("503 Service Unavailable", "this controller has one already");
      else if (!socket.destroyed) handshakes.handleUpgrade(request, socket, head, onSocket);
    });
  });
  return server;
}

/** `ws:[HOST:]PORT` of `serveController`: on this machine only unless a host is given; one host at a time. */
export const serveWs: ServeController = async (controller, spec, { logger = Logger.silent, origins = [] }) => {
  const where = parseHostAndPort(spec, spec.slice("ws:".length), "ws:PORT or ws:HOST:PORT", "127.0.0.1");
  let current: NodeWebSocket | undefined;
  const onSocket = (socket: NodeWebSocket): void => {
    current = socket;
    socket.on("close", () => {
      if (current !== socket) return;
      current = undefined;
      logger.info(`${spec}: the host left`);
    });
    logger.info(`${spec}: a host connected`);
    try {
      controller.attach(acceptWs(socket, spec, logger));
    } catch (error) {
      // Removed, or taken by a host inside this process.
      logger.warn(`${spec}: a host was turned away: ${error instanceof Error ? error.message : String(error)}`);
      socket.close(1013);
    }
  };
  const server = acceptor({ spec, origins, logger, current: () => current, onSocket });
  await listenSocket(spec, server, where);
  server.on("error", (error: NodeJS.ErrnoException) => logger.error(describeSocketError(spec, error).message));
  return {
    spec: `ws://${hostText(where.host)}:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      current?.terminate();
      server.closeAllConnections();
      await closed;
    },
  };
};

/**
 * `ws-server:[HOST:]PORT`: waits until one controller has connected: a page, say, with one at its Web Serial. Nobody else gets in.
 *
 * @throws {TransportError} with one sentence
 * @throws `signal.reason` when nobody connected before
 */
export async function openWsServer(
  address: string,
  { signal, logger = Logger.silent, onListening, origins = [] }: TransportOptions = {},
): Promise<HciTransport> {
  const spec = `ws-server:${address}`;
  const where = parseHostAndPort(spec, address, "ws-server:PORT or ws-server:HOST:PORT", "127.0.0.1");
  signal?.throwIfAborted();
  let current: NodeWebSocket | undefined;
  let server: Server | undefined;
  let listener: Disposable | undefined;
  const peer = new Promise<NodeWebSocket>((resolve, reject) => {
    listener = onAbort(signal, () => reject(signal?.reason));
    const onSocket = (socket: NodeWebSocket): void => {
      current = socket;
      resolve(socket);
    };
    server = acceptor({ spec, origins, logger, current: () => current, onSocket });
    server.on("error", (error: NodeJS.ErrnoException) => reject(describeSocketError(spec, error)));
  });
  peer.catch(() => undefined); // told below; listening may fail first
  try {
    await listenSocket(spec, server!, where);
    const { port } = server!.address() as AddressInfo;
    logger.info(`${spec} listens on port ${port}`);
    callOut(onListening ?? (() => {}), port);
    return acceptWs(await peer, spec, logger);
  } finally {
    listener?.[Symbol.dispose]();
    server?.close();
  }
}

const hostText = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** Resolves when it has closed, or is not going to. */
function closesSoon(socket: NodeWebSocket, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(PATIENCE_MS, "a host that leaves", resolve);
    socket.on("close", () => {
      timer[Symbol.dispose]();
      resolve();
    });
  });
}
