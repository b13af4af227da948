import { type AddressInfo, createServer, type Socket } from "node:net";
import { callOut } from "../async/call-out.ts";
import { onAbort } from "../async/on-abort.ts";
import { Logger } from "../core/logger.ts";
import type { HciTransport } from "../hci/transport.ts";
import { describeSocketError, listenSocket, parseHostAndPort } from "./socket.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { TransportOptions } from "./types.ts";

/**
 * `tcp-server:[HOST:]PORT`: listens, on this machine only unless a host is given, until one controller has connected. Resolves then;
 * nobody else gets in.
 *
 * @param options.onListening called with the port, which matters where it was given as 0
 * @throws {TransportError} with one sentence
 * @throws `signal.reason` when nobody connected before
 */
export async function openTcpServer(
  address: string,
  { signal, logger = Logger.silent, onListening }: TransportOptions = {},
): Promise<HciTransport> {
  const spec = `tcp-server:${address}`;
  const { host, port } = parseHostAndPort(spec, address, "tcp-server:PORT or tcp-server:HOST:PORT", "127.0.0.1");
  signal?.throwIfAborted();
  const server = createServer({ noDelay: true });
  server.maxConnections = 1;
  let listener: Disposable | undefined;
  const peer = new Promise<Socket>((resolve, reject) => {
    listener = onAbort(signal, () => reject(signal?.reason));
    server.once("connection", resolve);
    server.on("error", (error: NodeJS.ErrnoException) => reject(describeSocketError(spec, error)));
  });
  peer.catch(() => undefined); // told below; listening may fail first
  try {
    await listenSocket(spec, server, { host, port });
    const { port: actual } = server.address() as AddressInfo;
    logger.info(`${spec} listens on port ${actual}`);
    callOut(onListening, actual);
    return new SocketTransport(await peer, { spec });
  } finally {
    listener?.[Symbol.dispose]();
    server.close();
  }
}
