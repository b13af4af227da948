import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { PumpError } from "../error.ts";
import type { ServiceHealth } from "./health.ts";
import type { RunningPart } from "./part.ts";

const REQUEST_MS = 5_000;
const MOST_CONNECTIONS = 16;

export interface HealthServer extends RunningPart {
  readonly port: number;
}

/**
 * Answers GET and HEAD of /health: 200 while all is well, 503 where somebody should look, with the health as JSON.
 *
 * @param port 0: any that is free
 * @throws {PumpError} "ERR_PUMP_PAGE_PORT" the port is in use or not to be had
 */
export async function serveHealth(
  health: () => ServiceHealth,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HealthServer> {
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, keepAliveTimeout: 1_000, connectionsCheckingInterval: 1_000 },
    (request, response) => answer(request, response, health),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on("clientError", (_error, socket) => socket.destroy());
  let end: (reason: unknown) => void;
  const ended = new Promise<unknown>((resolve) => {
    end = resolve;
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new PumpError("ERR_PUMP_PAGE_PORT", `The health cannot be served on port ${port} (${error.code ?? "unknown"}).`, { cause: error }),
      ),
    );
    server.listen(port, host, resolve);
  });
  server.on("error", (error) => end(error));
  return {
    port: (server.address() as { port: number }).port,
    ended,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(request: IncomingMessage, response: ServerResponse, health: () => ServiceHealth): void {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff" };
  const send = (status: number, body: unknown, more: Record<string, string> = {}): void => {
    response.writeHead(status, { ...headers, ...more });
    response.end(request.method === "HEAD" ? undefined : `${JSON.stringify(body)}\n`);
  };
  request.resume(); // a body is nothing to us
  if (request.url?.split("?", 1)[0] !== "/health") send(404, { status: "not found" });
  else if (request.method !== "GET" && request.method !== "HEAD") send(405, { status: "method not allowed" }, { allow: "GET, HEAD" });
  else {
    try {
      const body = health();
      send(body.status === "ok" ? 200 : 503, body);
    } catch {
      send(500, { status: "failing", problems: ["The health could not be told."] });
    }
  }
}
