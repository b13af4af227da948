import { onAbort } from "jelling/async";
import type { IClientOptions, MqttClient } from "mqtt";
import type { MqttConnect, MqttConnection, MqttConnectOptions, MqttPublication } from "./connection.ts";
import { MqttError, type MqttProblem } from "./error.ts";

/** Half-dead connections are noticed after one and a half of it, by either side. */
const KEEP_ALIVE_S = 30;
const CONNECT_MS = 30_000;
/** CONNACK codes of MQTT 3.1.1 and 5 that are about who we are. */
const UNAUTHORIZED = new Set([4, 5, 0x86, 0x87, 0x8c]);

/** Loads the package `mqtt`, so that a missing one is told before anything begins. @throws {MqttError} "missing-package" */
export async function loadMqttLibrary(): Promise<MqttConnect> {
  let connect: typeof import("mqtt").connect;
  try {
    ({ connect } = (await import("mqtt")).default);
  } catch (error) {
    throw new MqttError("missing-package", "The package mqtt is not installed: npm install mqtt.", { cause: error });
  }
  return (options) => connectBy(connect, options);
}

/** @param connect the package's own */
export async function connectBy(connect: typeof import("mqtt").connect, options: MqttConnectOptions): Promise<MqttConnection> {
  const { url, clientId, username, password, tls, will, onMessage, onClosed, signal } = options;
  signal.throwIfAborted();
  const settings: IClientOptions = {
    clientId,
    clean: true,
    protocolVersion: 4,
    keepalive: KEEP_ALIVE_S,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: 0, // when to come back is for who asked
    queueQoSZero: false,
    resubscribe: false,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
    ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: will.retain } }),
  };
  const client = connect(url, settings);
  return await new Promise((resolve, reject) => {
    const connection = new LibraryConnection(client, onClosed);
    const abort = onAbort(signal, () => {
      connection.drop();
      reject(signal.reason);
    });
    let last: unknown;
    client.on("error", (error) => {
      last = error;
    });
    client.on("message", (topic, payload, { retain }) => onMessage({ topic, payload: payload.toString("utf8"), retain }));
    client.on("connect", () => {
      abort[Symbol.dispose]();
      connection.established = true;
      resolve(connection);
    });
    client.on("close", () => {
      abort[Symbol.dispose]();
      const reason = connectionError(last);
      if (!connection.established) connection.drop();
      connection.lost(reason);
      reject(reason);
    });
  });
}

class LibraryConnection implements MqttConnection {
  established = false;
  readonly #client: MqttClient;
  readonly #onClosed: (reason: MqttError) => void;
  /** Whoever waits for an answer of the broker: the library leaves them waiting when the connection breaks. */
  readonly #waiting = new Set<(error: MqttError) => void>();
  #ended: MqttError | undefined;

  constructor(client: MqttClient, onClosed: (reason: MqttError) => void) {
    this.#client = client;
    this.#onClosed = onClosed;
  }

  lost(reason: MqttError): void {
    if (this.#ended) return;
    this.#end(reason);
    if (this.established) this.#onClosed(reason);
  }

  publish({ topic, payload, retain }: MqttPublication): Promise<void> {
    return this.#answered((done) => this.#client.publish(topic, payload, { qos: 1, retain }, done));
  }

  subscribe(topic: string): Promise<void> {
    return this.#answered((done) =>
      this.#client.subscribe(topic, { qos: 1 }, (error, granted) => {
        const refused = granted?.some(({ qos }) => qos > 2);
        done(refused ? new MqttError("unauthorized", "The broker does not let this user listen where it should.") : error);
      }),
    );
  }

  async close(): Promise<void> {
    this.#end(new MqttError("closed", "The connection with the broker was closed."));
    await new Promise<void>((resolve) => this.#client.end(false, {}, () => resolve()));
  }

  drop(): void {
    this.#end(new MqttError("closed", "The connection with the broker was given up."));
    this.#client.end(true);
  }

  #end(reason: MqttError): void {
    this.#ended ??= reason;
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
  }

  #answered(ask: (done: (error?: Error | null) => void) => void): Promise<void> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      ask((error) => {
        this.#waiting.delete(reject);
        if (error) reject(error instanceof MqttError ? error : connectionError(error));
        else resolve();
      });
    });
  }
}

/** What the library or the system said, without its words: they may hold an address with a password. */
function connectionError(error: unknown): MqttError {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const said = (problem: MqttProblem, text: string): MqttError => new MqttError(problem, text);
  if (typeof code === "number")
    return UNAUTHORIZED.has(code)
      ? said("unauthorized", `The broker does not take this user name and password, or does not let this user do it (reason ${code}).`)
      : said("refused", `The broker refuses (reason ${code}).`);
  if (typeof code === "string") {
    if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_OSSL|EPROTO)/.test(code))
      return said(
        "tls",
        `The broker's certificate is not trusted, or TLS failed (${code}). A certificate of one's own authority is given as \`ca\`.`,
      );
    if (code === "ETIMEDOUT") return said("timeout", "The broker did not answer in time (ETIMEDOUT).");
    return said("unreachable", `The broker cannot be reached (${code}).`);
  }
  const text = error instanceof Error ? error.message : "";
  if (/timeout/i.test(text)) return said("timeout", "The broker did not answer in time.");
  return said("closed", `The connection with the broker is gone${typeof name === "string" && name !== "Error" ? ` (${name})` : ""}.`);
}
