import { type AddressInfo, createServer, type Socket } from "node:net";
import { Logger } from "../core/logger.ts";
import { TransportError } from "../hci/transport.ts";
import { describeSocketError, listenSocket, parseHostAndPort } from "./socket.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { ServeController } from "./types.ts";

/** What `serveController` does, in Node. */
export const serve: ServeController = async (controller, spec, { logger = Logger.silent }) => {
  const where = parseServeSpec(spec);
  let current: Socket | undefined;
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", (error) => logger.debug(`${spec}: ${error.message}`));
    if (current) {
      logger.warn(`${spec}: a second host was turned away, this controller has one already`);
      socket.destroy();
      return;
    }
    current = socket;
    socket.once("close", () => {
      current = undefined;
      logger.info(`${spec}: the host left`);
    });
    logger.info(`${spec}: a host connected`);
    try {
      controller.attach(new SocketTransport(socket, { spec }));
    } catch (error) {
      // Removed, or taken by a host inside this process.
      logger.warn(`${spec}: a host was turned away: ${error instanceof Error ? error.message : String(error)}`);
      socket.destroy();
    }
  });
  await listenSocket(spec, server, where);
  server.on("error", (error: NodeJS.ErrnoException) => logger.error(describeSocketError(spec, error).message));
  const { port } = ("path" in where ? { port: 0 } : server.address()) as AddressInfo;
  return {
    spec: "path" in where ? `unix:${where.path}` : `tcp:${where.host.includes(":") ? `[${where.host}]` : where.host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      current?.destroy();
      await closed;
    },
  };
};

function parseServeSpec(spec: string): { host: string; port: number } | { path: string } {
  const form = "tcp:PORT, tcp:HOST:PORT or unix:/PATH";
  if (spec.startsWith("unix:") && spec.length > 5) return { path: spec.slice(5) };
  if (spec.startsWith("tcp:")) return parseHostAndPort(spec, spec.slice(4), form, "127.0.0.1");
  throw new TransportError("unknown-spec", `"${spec}" cannot be served: expected ${form}`);
}
