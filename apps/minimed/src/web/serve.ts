import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { createAdaptorServer } from "@hono/node-server";
import { type Clock, onAbort, SystemClock } from "jelling/async";
import { Logger, systemRandom } from "jelling/core";
import { WebSocketServer } from "ws";
import { PumpError } from "../error.ts";
import type { WallClock } from "../live/state.ts";
import { PageGuard } from "./guard.ts";
import { LiveClients, type MakeMessage, MOST_CLIENTS } from "./live-clients.ts";
import { checkPageOptions, DEFAULT_PAGE_PORT, type PumpPageOptions } from "./options.ts";
import { createPageApp } from "./page-app.ts";
import type { PageMessage, PageState } from "./page-data.ts";
import { loadPage } from "./page-files.ts";
import { pageState } from "./page-state.ts";

const TOKEN_OCTETS = 16;
const MOST_CONNECTIONS = 96;
/** Those who connect and say nothing are in the others' way for so long. */
const REQUEST_MS = 5_000;
const CHECK_MS = 1_000;
/** Changes that come closer together than this are told as one. */
const PUSH_MS = 100;
/** How often pages are told the time, so that they know that the program lives. */
const BEAT_MS = 10_000;
/** Whether time runs otherwise than it should - a simulation's does, and a computer's that slept - is looked at that often. */
const LOOK_MS = 500;
const TIME_JUMP_MS = 3_000;

/** The page, while it is served. */
export interface PumpPage extends AsyncDisposable {
  /** With the token behind the "#": who has it sees everything. Never log it. */
  readonly url: string;
  readonly port: number;
  /** Pages that look on at present. */
  readonly clients: number;
  /** Ends every connection and frees the port. Never throws. */
  close(): Promise<void>;
}

/**
 * Serves the page that shows a pump: the curve, what happened, and how it stands. It reads and has nothing to write with. For information only: no
 * dose may be based on it.
 *
 * @throws {ArgumentError} an option
 * @throws {PumpError} "ERR_PUMP_PAGE_PORT" the port is in use or not to be had · "ERR_PUMP_PAGE_MISSING" the page is not built
 * @throws `signal.reason`
 */
export async function servePumpPage(options: PumpPageOptions): Promise<PumpPage> {
  checkPageOptions(options);
  const { signal, host = "127.0.0.1", port = DEFAULT_PAGE_PORT, logger = Logger.silent, state: source } = options;
  signal?.throwIfAborted();
  const wallClock = options.wallClock ?? Date.now;
  const timers = options.clock ?? new SystemClock();
  const token = options.token ?? randomToken();
  const guard = new PageGuard(token, host, options.allowedHosts ?? []);
  const current = (): PageState => pageState(source?.state, options.view(), wallClock());
  const app = createPageApp({ guard, files: loadPage(options.pageFolder), view: options.view, state: current, wallClock, logger });

  const serverOptions = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS };
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions }) as Server;
  server.maxConnections = MOST_CONNECTIONS;
  const clients = new LiveClients(timers);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024, perMessageDeflate: false });
  const stateMessage = (): string | undefined => {
    try {
      return message({ type: "state", state: current() });
    } catch (error) {
      // A store that cannot be read at present: the page keeps what it has, and shows how old it is.
      logger.error(() => `the state could not be told: ${error instanceof Error ? error.name : "unknown"}`);
      return undefined;
    }
  };
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const status = refusedUpgrade(request, guard, clients.count);
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    sockets.handleUpgrade(request, socket, head, (page) => clients.add(page, stateMessage));
  });

  await listening(server, host, port);
  const bound = (server.address() as { port: number }).port;
  logger.info(() => `the page is served on port ${bound}`);
  const pusher = new Pusher(clients, timers, wallClock, stateMessage);
  const listener = source?.on(() => pusher.changed());

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      aborted[Symbol.dispose]();
      listener?.[Symbol.dispose]();
      pusher[Symbol.dispose]();
      clients[Symbol.dispose]();
      sockets.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closing;
  };
  const aborted = onAbort(signal, () => void close());
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${name}:${bound}${guard.path}/#${token}`,
    port: bound,
    get clients() {
      return clients.count;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Tells pages what has changed, and what time it is. */
class Pusher implements Disposable {
  readonly #clients: LiveClients;
  readonly #timers: Clock;
  readonly #wallClock: WallClock;
  readonly #message: MakeMessage;
  #pending: Disposable | undefined;
  #beat: Disposable;
  #toldMs = 0;
  #toldNowMs = 0;

  constructor(clients: LiveClients, timers: Clock, wallClock: WallClock, message: MakeMessage) {
    this.#clients = clients;
    this.#timers = timers;
    this.#wallClock = wallClock;
    this.#message = message;
    this.#beat = this.#nextBeat();
  }

  changed(): void {
    this.#pending ??= this.#timers.setTimer(PUSH_MS, "page push", () => {
      this.#pending = undefined;
      this.#clients.tell(this.#message);
    });
  }

  [Symbol.dispose](): void {
    this.#pending?.[Symbol.dispose]();
    this.#beat[Symbol.dispose]();
  }

  #nextBeat(): Disposable {
    return this.#timers.setTimer(LOOK_MS, "page beat", () => {
      const elapsedMs = this.#timers.now() - this.#toldMs;
      const nowMs = this.#wallClock();
      if (elapsedMs >= BEAT_MS || Math.abs(nowMs - this.#toldNowMs - elapsedMs) > TIME_JUMP_MS) {
        this.#toldMs = this.#timers.now();
        this.#toldNowMs = nowMs;
        this.#clients.tellIdle(message({ type: "now", nowMs: Math.round(nowMs) }));
      }
      this.#beat = this.#nextBeat();
    });
  }
}

function message(value: PageMessage): string {
  return JSON.stringify(value);
}

/** A status line for a socket that is not let in. */
function refusedUpgrade(request: IncomingMessage, guard: PageGuard, clients: number): string | undefined {
  const { host, origin, cookie } = request.headers;
  const fetchSite = request.headers["sec-fetch-site"];
  if (guard.refusal({ host, origin, fetchSite: Array.isArray(fetchSite) ? "many" : fetchSite }) !== undefined) return "403 Forbidden";
  if (request.url !== `${guard.path}/api/live`) return "404 Not Found";
  if (!guard.knows(cookie)) return "401 Unauthorized";
  return clients >= MOST_CLIENTS ? "503 Service Unavailable" : undefined;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why =
        error.code === "EADDRINUSE"
          ? `Port ${port} is in use: another page may be open there. Choose another one.`
          : error.code === "EACCES"
            ? `Port ${port} is not for this user. Choose one from 1024 on.`
            : `The page cannot be served on ${host}, port ${port} (${error.code ?? "unknown"}).`;
      reject(new PumpError("ERR_PUMP_PAGE_PORT", why, { cause: error }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

function randomToken(): string {
  const octets = new Uint8Array(TOKEN_OCTETS);
  systemRandom.fill(octets);
  return Buffer.from(octets).toString("base64url");
}
