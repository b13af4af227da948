import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Clock, SystemClock } from "../async/clock.ts";
import { Logger } from "../core/logger.ts";
import { TransportError } from "../hci/transport.ts";
import { describeSocketError, listenSocket, parseHostAndPort } from "./socket.ts";
import { SocketTransport } from "./socket-transport.ts";
import type { ServeController } from "./types.ts";

/** How long a host that comes may wait for the one before to be gone: a host that reconnects at once overtakes its own farewell. */
const PATIENCE_MS = 300;
/** Hosts that may wait at a time. */
const LONGEST_LINE = 4;

/** What `serveController` does, in Node. */
export const serve: ServeController = async (controller, spec, options) => {
  if (spec.startsWith("pty:")) return await (await import("./lines/serve-line.ts")).servePty(controller, spec, options);
  if (spec.startsWith("serial:")) return await (await import("./lines/serve-line.ts")).serveSerial(controller, spec, options);
  if (spec.startsWith("ws:")) return await (await import("./ws/server.ts")).serveWs(controller, spec, options);
  return await serveSocket(controller, spec, options);
};

const serveSocket: ServeController = async (controller, spec, { logger = Logger.silent }) => {
  const where = parseServeSpec(spec);
  const clock = new SystemClock();
  const sockets = new Set<Socket>();
  let current: Socket | undefined;

  const turnAway = (socket: Socket, why: string): void => {
    logger.warn(`${spec}: a host was turned away: ${why}`);
    socket.destroy();
  };
  const admit = async (socket: Socket): Promise<void> => {
    while (current) {
      if (sockets.size > LONGEST_LINE || !(await closesSoon(current, clock))) {
        turnAway(socket, "this controller has one already");
        return;
      }
    }
    if (socket.destroyed) return;
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
      turnAway(socket, error instanceof Error ? error.message : String(error));
    }
  };
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", (error) => logger.debug(`${spec}: ${error.message}`));
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void admit(socket);
  });
  await listenSocket(spec, server, where);
  server.on("error", (error: NodeJS.ErrnoException) => logger.error(describeSocketError(spec, error).message));
  const { port } = ("path" in where ? { port: 0 } : server.address()) as AddressInfo;
  return {
    spec: "path" in where ? `unix:${where.path}` : `tcp:${where.host.includes(":") ? `[${where.host}]` : where.host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
};

function parseServeSpec(spec: string): { host: string; port: number } | { path: string } {
  const form = "tcp:PORT, tcp:HOST:PORT, unix:/PATH, ws:PORT, ws:HOST:PORT, pty:[/LINK] or serial:PORT";
  if (spec.startsWith("unix:") && spec.length > 5) return { path: spec.slice(5) };
  if (spec.startsWith("tcp:")) return parseHostAndPort(spec, spec.slice(4), form, "127.0.0.1");
  throw new TransportError("unknown-spec", `"${spec}" cannot be served: expected ${form}`);
}

function closesSoon(socket: Socket, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(PATIENCE_MS, "a host that leaves", () => {
      socket.off("close", onClose);
      resolve(false);
    });
    const onClose = (): void => {
      timer[Symbol.dispose]();
      resolve(true);
    };
    socket.once("close", onClose);
  });
}
