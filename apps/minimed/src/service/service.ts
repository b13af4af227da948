import { join } from "node:path";
import { type Clock, onAbort, SystemClock } from "jelling/async";
import { ArgumentError, Logger, type RandomSource, systemRandom } from "jelling/core";
import type { PumpSession } from "../connector/pump-session.ts";
import { codeOf, sentence } from "../error-words.ts";
import type { NightscoutUploader } from "../export/index.ts";
import { PumpMonitor } from "../live/monitor.ts";
import type { PumpState, WallClock } from "../live/state.ts";
import type { HomeAssistantPublisher } from "../mqtt/index.ts";
import { redactingLogger } from "../redact.ts";
import { defaultStorePath, HistoryKeeper, type PumpHistory, PumpStore, type PumpStoreError } from "../store/index.ts";
import { DEFAULT_HEALTH_PORT } from "./config.ts";
import { PART_DOWN_MS, type PartHealth, problemsOf, type ServiceHealth } from "./health.ts";
import { type HealthServer, serveHealth } from "./health-server.ts";
import { checkPumpServiceOptions, type PumpServiceOptions, type ServicePage } from "./options.ts";
import { pageToken, pageUrlPath, writePageUrl } from "./page-token.ts";
import { Part, type RunningPart } from "./part.ts";
import { PumpNames } from "./pump-names.ts";
import { StateRelay } from "./state-relay.ts";

/** Of a part that does not end by itself. */
const never = (): Promise<never> => new Promise(() => undefined);
const NOT_BONDED_HINT = "There is no bond with a pump: end the service, pair with `jelling pump pair`, and start it again.";

/**
 * Connector, history, page and uploads in one process that runs for months. Each part fails and comes back by itself; none waits for another, and
 * what one cannot do the others do all the same. For information only: no dose may be based on what it shows.
 */
export class PumpService implements AsyncDisposable {
  readonly #options: PumpServiceOptions;
  readonly #clock: Clock;
  readonly #wallClock: WallClock;
  readonly #random: RandomSource;
  readonly #logger: Logger;
  readonly #names: PumpNames;
  readonly #pageToken: string;
  readonly #relay: StateRelay;
  readonly #keeper: HistoryKeeper;
  /** On the clock, as all times here: the system's may be set while the service runs. */
  readonly #startedMs: number;
  readonly #parts: Readonly<Record<"health" | "store" | "page" | "nightscout" | "homeAssistant" | "pump", Part | undefined>>;
  readonly #given: Disposable[] = [];
  #store: PumpStore | undefined;
  #storeBroken: ((error: PumpStoreError) => void) | undefined;
  #history: PumpHistory | undefined;
  /** The store's name of the pump, as far as it is known. */
  #pump: string | undefined;
  /** The pump that is or was there: its serial number, and what it says of itself. */
  #seen: { readonly identity: string; readonly serial: string } | undefined;
  #uploader: NightscoutUploader | undefined;
  #uploads: { lastMs: number | undefined; sent: number; problem: string | undefined } = { lastMs: undefined, sent: 0, problem: undefined };
  #publisher: HomeAssistantPublisher | undefined;
  #page: ServicePage | undefined;
  #healthServer: HealthServer | undefined;
  #closed: Promise<void> | undefined;
  #onEnded!: () => void;
  readonly #ended = new Promise<void>((resolve) => {
    this.#onEnded = resolve;
  });

  /** Made by `open`. */
  private constructor(options: PumpServiceOptions, { names, pump, token }: { names: PumpNames; pump: string | undefined; token: string }) {
    const { clock = new SystemClock(), wallClock = Date.now, random = systemRandom, logger = Logger.silent, config, signal } = options;
    this.#options = options;
    this.#clock = clock;
    this.#wallClock = wallClock;
    this.#random = random;
    this.#logger = redactingLogger(logger).child("service");
    this.#names = names;
    this.#pump = pump;
    this.#pageToken = token;
    this.#startedMs = clock.now();
    this.#relay = new StateRelay(clock, wallClock);
    this.#keeper = new HistoryKeeper({
      clock,
      logger: this.#logger,
      onKept: () => this.#uploader?.poke(),
      onBroken: (error) => this.#storeBroken?.(error),
    });
    this.#given.push(this.#relay.on((state) => this.#keeper.onState(state)));
    const part = (
      name: string,
      start: (signal: AbortSignal) => Promise<RunningPart | undefined>,
      isFinal?: (error: unknown) => boolean,
    ): Part => new Part({ name, clock, random, logger: this.#logger, start, isFinal });
    this.#parts = {
      health: config.health && part("health", () => this.#startHealth()),
      store: part("store", (ending) => this.#startStore(ending)),
      page: config.page && part("page", (ending) => this.#startPage(ending)),
      nightscout:
        config.nightscout &&
        part(
          "nightscout",
          () => this.#startNightscout(),
          (error) => codeOf(error) === "ERR_NIGHTSCOUT_UNAUTHORIZED" || error instanceof ArgumentError,
        ),
      homeAssistant:
        config.homeAssistant &&
        part(
          "home-assistant",
          () => this.#startHomeAssistant(),
          (error) => error instanceof ArgumentError,
        ),
      pump: part("pump", (ending) => this.#startPump(ending)),
    };
    // What shows how things stand first, and what comes from outside last.
    for (const each of Object.values(this.#parts)) each?.begin();
    this.#given.push(onAbort(signal, () => void this.close()));
  }

  /**
   * Begins. What does not come about - a database in use, a broker that is away, a pump that does not come - is no error here: it is tried again, and
   * the health tells of it.
   *
   * @throws {ArgumentError} an unknown option, or one of a wrong kind
   * @throws `signal.reason` it has aborted already
   */
  static async open(options: PumpServiceOptions): Promise<PumpService> {
    checkPumpServiceOptions(options);
    options.signal?.throwIfAborted();
    const logger = redactingLogger(options.logger ?? Logger.silent).child("service");
    const names = await PumpNames.open(join(options.stateFolder, "pump-names.json"), logger);
    const pump = await names.expected(options.bonds, options.config.pump);
    const token = options.secrets.pageToken ?? (await pageToken(options.stateFolder, options.random ?? systemRandom, logger));
    options.signal?.throwIfAborted();
    return new PumpService(options, { names, pump, token });
  }

  /** What is known of the pump now. */
  get state(): PumpState {
    return this.#relay.state;
  }

  on(listener: (state: PumpState) => void): Disposable {
    return this.#relay.on(listener);
  }

  /** The page's address with its token; undefined: it is not served at present. Never log it. */
  get pageUrl(): string | undefined {
    return this.#page?.url;
  }

  /** Port of the health; undefined: it is not served at present. */
  get healthPort(): number | undefined {
    return this.#healthServer?.port;
  }

  /** How the service stands. */
  health(): ServiceHealth {
    const nowMs = this.#wallClock();
    const toUtc = nowMs - this.#clock.now();
    const { link, heardAtMs, hint, values } = this.#relay.state;
    const iso = (clockMs: number | undefined): string | null => (clockMs === undefined ? null : isoOf(clockMs + toUtc));
    const partOf = (part: Part | undefined, problem?: string): PartHealth => {
      if (!part) return { state: "off", downSince: null, problem: null, failures: 0 };
      const { state, downSinceMs, failures, problem: own } = part.status;
      return { state, downSince: iso(downSinceMs), problem: own === undefined ? (problem ?? null) : codeOf(own), failures };
    };
    const latest = values.glucose?.value;
    const readingMs = latest?.kind === "reading" ? (latest.takenAtMs ?? latest.receivedAtMs) : undefined;
    const { syncedAtMs, isSyncing, records, writeProblem } = this.#keeper.status;
    const published = this.#publisher?.status;
    const isAway = published !== undefined && !published.connected && this.#clock.now() - published.sinceMs > PART_DOWN_MS;
    const parts = this.#parts;
    const health = {
      startedAt: isoOf(this.#startedMs + toUtc),
      uptimeS: Math.round((this.#clock.now() - this.#startedMs) / 1000),
      pump: {
        ...partOf(parts.pump),
        link: link.kind,
        linkSince: isoOf(link.sinceMs + toUtc),
        lastHeard: iso(heardAtMs),
        lastReading: iso(readingMs),
        lastReadingAgeS: readingMs === undefined ? null : Math.max(0, Math.round((this.#clock.now() - readingMs) / 1000)),
        hint: hint ?? null,
      },
      store: {
        ...partOf(parts.store, writeProblem),
        lastSync: iso(syncedAtMs),
        syncing: isSyncing,
        newRecords: records,
      },
      page: partOf(parts.page),
      nightscout: {
        ...partOf(parts.nightscout),
        lastUpload: iso(this.#uploads.lastMs),
        sent: this.#uploads.sent,
      },
      homeAssistant: {
        ...partOf(parts.homeAssistant, isAway ? "ERR_MQTT" : undefined),
        connected: published?.connected ?? false,
        lastPublished: iso(published?.publishedAtMs),
      },
    };
    const problems = problemsOf(health, nowMs);
    return { status: problems.length === 0 ? "ok" : "failing", problems, ...health };
  }

  /** Ends everything, in half a minute at most: first the pump, whose adapter is given back, then what is kept, then who looks on. Never throws. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Resolves when it has ended; never rejects. */
  get closed(): Promise<void> {
    return this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.resolve(); // so that #closed is set
    this.#logger.info("ending");
    const { pump, nightscout, homeAssistant, page, store, health } = this.#parts;
    await pump?.end();
    await this.#keeper.close();
    await Promise.all([nightscout?.end(), homeAssistant?.end(), page?.end()]);
    await store?.end();
    await health?.end();
    for (const each of this.#given) each[Symbol.dispose]();
    this.#logger.info("ended");
    this.#onEnded();
  }

  // --- parts --------------------------------------------------------------------------------------------------------------------

  async #startHealth(): Promise<RunningPart> {
    const { host = "127.0.0.1", port = DEFAULT_HEALTH_PORT } = this.#options.config.health!;
    const server = await serveHealth(() => this.health(), { host, port });
    this.#healthServer = server;
    return {
      ended: server.ended,
      stop: async () => {
        this.#healthServer = undefined;
        await server.stop();
      },
    };
  }

  async #startStore(signal: AbortSignal): Promise<RunningPart> {
    const { config, openStore = (path, options) => PumpStore.open(path, options) } = this.#options;
    const store = await openStore(config.storeFile ?? defaultStorePath(), { wallClock: this.#wallClock, logger: this.#logger, signal });
    this.#store = store;
    const ended = new Promise<unknown>((resolve) => {
      this.#storeBroken = resolve;
    });
    this.#findHistory();
    return {
      ended,
      stop: async () => {
        this.#store = undefined;
        this.#storeBroken = undefined;
        this.#setHistory(undefined);
        // Who reads from it has to have let go of it.
        await Promise.resolve();
        store.close();
      },
    };
  }

  async #startPump(signal: AbortSignal): Promise<RunningPart> {
    const { config, secrets, bonds, irk, staticAddress, address, controller, capture } = this.#options;
    let monitor: PumpMonitor;
    try {
      monitor = await PumpMonitor.open({
        controller: controller ? await controller() : config.transport,
        keyDatabase: secrets.keyDatabase,
        bonds,
        irk,
        staticAddress,
        address,
        name: config.name,
        pump: config.pump,
        mode: "reconnect",
        clock: this.#clock,
        random: this.#random,
        wallClock: this.#wallClock,
        logger: this.#logger,
        capture,
        history: (session) => this.#keeper.sync(session),
        signal,
      });
    } catch (error) {
      this.#relay.down(sentence(error), codeOf(error) === "ERR_PUMP_NOT_BONDED" ? NOT_BONDED_HINT : undefined);
      throw error;
    }
    const told = monitor.on((state) => this.#relay.update(state));
    const sessions = monitor.onSession((session) => this.#onSession(session, monitor.state));
    this.#relay.update(monitor.state);
    return {
      ended: monitor.closed.then(() => monitor.connector.ended),
      stop: async () => {
        told[Symbol.dispose]();
        sessions[Symbol.dispose]();
        const { link } = monitor.state;
        await monitor.close();
        this.#relay.down(link.kind === "ended" ? link.reason : "the connector was closed", undefined);
      },
    };
  }

  async #startPage(signal: AbortSignal): Promise<RunningPart> {
    const { config, stateFolder, servePage } = this.#options;
    const { host = "127.0.0.1", port, allowedHosts } = config.page!;
    const page = await (servePage ?? (await import("../web/index.ts")).servePumpPage)({
      view: () => this.#history,
      state: this.#relay,
      host,
      port,
      token: this.#pageToken,
      allowedHosts,
      wallClock: this.#wallClock,
      logger: this.#logger,
      signal,
    });
    this.#page = page;
    // Behind its back: the page is served whatever becomes of it.
    writePageUrl(stateFolder, page.url).then(
      () => this.#logger.info(`page: its address is in ${pageUrlPath(stateFolder)}`),
      (error: unknown) => this.#logger.warn(() => `page: ${sentence(error)}`),
    );
    return {
      ended: never(),
      stop: async () => {
        this.#page = undefined;
        await page.close();
      },
    };
  }

  async #startNightscout(): Promise<RunningPart | undefined> {
    const { config, secrets, fetch } = this.#options;
    const [history, store] = [this.#history, this.#store];
    if (!history || !store) return undefined;
    const { NightscoutUploader: Uploader } = await import("../export/index.ts");
    const { url, api, mapping, intervalS } = config.nightscout!;
    const uploader = new Uploader({
      site: { url, ...secrets.nightscout },
      view: history,
      pump: history.pump,
      state: () => this.#relay.state,
      ledger: store.ledger,
      api,
      mapping,
      clock: this.#clock,
      wallClock: this.#wallClock,
      random: this.#random,
      fetch,
      logger: this.#logger,
    });
    const ending = new AbortController();
    const running = uploader.run({
      signal: ending.signal,
      intervalMs: intervalS === undefined ? undefined : intervalS * 1000,
      onRound: (round) => {
        if (round instanceof Error) return;
        const { entries, treatments, devicestatus } = round.sent;
        this.#uploads = { ...this.#uploads, lastMs: this.#clock.now(), sent: this.#uploads.sent + entries + treatments + devicestatus };
      },
    });
    this.#uploader = uploader;
    const ended = running.catch((error: unknown) => error);
    return {
      ended,
      stop: async () => {
        this.#uploader = undefined;
        ending.abort(new Error("end"));
        await ended;
      },
    };
  }

  async #startHomeAssistant(): Promise<RunningPart | undefined> {
    const { config, secrets, connectMqtt } = this.#options;
    const pump = this.#pump;
    if (pump === undefined) return undefined;
    const { HomeAssistantPublisher: Publisher } = await import("../mqtt/index.ts");
    const { passwordFile: _p, caFile: _a, certFile: _c, keyFile: _k, ...settings } = config.homeAssistant!;
    const publisher = await Publisher.open({
      ...settings,
      password: secrets.mqttPassword,
      tls: secrets.tls,
      pump,
      source: this.#relay,
      view: () => this.#history,
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      connect: connectMqtt,
    });
    this.#publisher = publisher;
    return {
      ended: never(),
      stop: async () => {
        await publisher.close();
        this.#publisher = undefined;
      },
    };
  }

  // --- which pump ---------------------------------------------------------------------------------------------------------------

  #onSession(session: PumpSession, state: PumpState): void {
    const identity = session.identity.toString();
    this.#seen = { identity, serial: state.values.information?.value?.serial ?? identity };
    this.#findHistory();
  }

  /** Of the pump that was there, or else of the one that is expected. */
  #findHistory(): void {
    const store = this.#store;
    if (!store) return;
    try {
      const history = this.#seen
        ? store.pump(this.#seen.serial, this.#relay.state.values.information?.value)
        : this.#pump === undefined
          ? undefined
          : store.history(this.#pump);
      if (this.#seen && history) {
        void this.#names.remember(this.#seen.identity, history.pump);
        this.#setPump(history.pump);
      }
      this.#setHistory(history);
    } catch (error) {
      this.#logger.error(() => `store: ${sentence(error)}`);
      this.#storeBroken?.(error as PumpStoreError);
    }
  }

  #setPump(pump: string): void {
    if (pump === this.#pump) return;
    this.#pump = pump;
    this.#parts.homeAssistant?.restart();
  }

  #setHistory(history: PumpHistory | undefined): void {
    if (history === this.#history) return;
    this.#history = history;
    this.#keeper.setHistory(history);
    this.#parts.nightscout?.restart();
  }
}

function isoOf(utcMs: number): string {
  return new Date(Math.round(utcMs)).toISOString();
}
