import { type Clock, delay, type OperationOptions, onAbort, SystemClock } from "jelling/async";
import { Logger, type RandomSource, StateError, systemRandom } from "jelling/core";
import type { PumpInformation } from "../connector/pump-session.ts";
import type { PumpState } from "../live/state.ts";
import type { MqttConnect, MqttConnection, MqttMessage } from "./connection.ts";
import { componentsToRemove, discoveryPayload } from "./discovery.ts";
import { MqttError } from "./error.ts";
import { type Credentials, credentialsOf, forgetTopics } from "./forget.ts";
import { LastEventsReader } from "./last-events.ts";
import { loadMqttLibrary } from "./mqtt-library.ts";
import { type CheckedHomeAssistantOptions, checkHomeAssistantOptions, type HomeAssistantPublisherOptions } from "./options.ts";
import { type EntityValues, FirstSeen, valuesOf } from "./values.ts";
import { within } from "./within.ts";

/** Reads follow one another when a pump connects: what they change is sent as one. */
const SETTLE_MS = 1_000;
/** Sent again that often though nothing changed, so that what is in order does not expire. */
const HEARTBEAT_MS = 5 * 60_000;
/** After Home Assistant's start: at once it was seen to miss what it asked for, and all programs should not answer at the same time. */
const BIRTH_MS = [1_000, 5_000] as const;
/** Starts of Home Assistant that follow one another put the answer off no longer than this. */
const LONGEST_BIRTH_MS = 8_000;
const REPAIR_MS = 1_000;
const CONNECT_MS = 35_000;
const ANSWER_MS = 30_000;
const GOODBYE_MS = 3_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** A broker that does not know us is not asked every minute. */
const UNAUTHORIZED_WAIT_MS = 5 * 60_000;
/** A connection of that age was a good one: the next attempt comes soon. */
const GOOD_MS = 60_000;
const LARGEST_MESSAGE = 256 * 1024;
/** Why the publisher ends: with a word to the broker, or without since all is to be removed there. */
const CLOSED = new MqttError("closed", "The publisher was closed.");
const FORGOTTEN = new MqttError("closed", "The publisher is forgotten.");

export interface HomeAssistantStatus {
  readonly connected: boolean;
  /** Since when it has been so, on the clock. */
  readonly sinceMs: number;
  /** When the broker took the last state. */
  readonly publishedAtMs: number | undefined;
  /** Why there is no connection, in one sentence. */
  readonly problem: string | undefined;
}

interface Session {
  readonly connection: MqttConnection;
  /** Aborts when the connection breaks, with why; and when the publisher is closed. */
  readonly signal: AbortSignal;
  /** When everything is said from the beginning. */
  announceAtMs: number;
  /** The same because Home Assistant has started, and when it did first. */
  birth: { readonly firstMs: number; readonly dueMs: number } | undefined;
  announced: string | undefined;
  toldReach: boolean | undefined;
  toldState: string | undefined;
  toldAtMs: number;
  removed: ReadonlyMap<string, string>;
}

/**
 * Shows a pump in Home Assistant through an MQTT broker: announces its entities, and publishes each state as one JSON object. It connects and comes
 * back by itself, and takes no commands. Nothing waits for the broker: while it is away only the newest state is kept.
 */
export class HomeAssistantPublisher implements AsyncDisposable {
  readonly #options: CheckedHomeAssistantOptions;
  readonly #credentials: Credentials;
  readonly #connect: MqttConnect;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #logger: Logger;
  readonly #events: LastEventsReader;
  readonly #seen = new FirstSeen();
  readonly #closing = new AbortController();
  readonly #given: Disposable[] = [];
  readonly #running: Promise<void>;
  #state: PumpState | undefined;
  #information: PumpInformation | undefined;
  /** Since when a change has waited to be sent. */
  #changedAtMs: number | undefined;
  #wake: (() => void) | undefined;
  #status: HomeAssistantStatus;
  #closed: Promise<void> | undefined;

  /** Made by `open`. */
  private constructor(options: HomeAssistantPublisherOptions, checked: CheckedHomeAssistantOptions, connect: MqttConnect) {
    const { clock = new SystemClock(), random = systemRandom, logger = Logger.silent, source, view, signal } = options;
    this.#options = checked;
    this.#credentials = credentialsOf(options);
    this.#connect = connect;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#events = new LastEventsReader(view, (error) => logger.warn(() => `the history does not tell its last events: ${nameOf(error)}`));
    this.#status = { connected: false, sinceMs: clock.now(), publishedAtMs: undefined, problem: undefined };
    if (checked.isOpen) logger.warn(`the way to ${checked.broker} is not encrypted: values and password can be read on it`);
    if (source) {
      this.update(source.state);
      this.#given.push(source.on((state) => this.update(state)));
    }
    this.#given.push(onAbort(signal, () => void this.close()));
    this.#running = this.#run();
  }

  /**
   * Begins to publish; the broker may come later.
   *
   * @throws {ArgumentError} an option
   * @throws {MqttError} "missing-package" the package `mqtt` is not installed
   * @throws `signal.reason` it has aborted already
   */
  static async open(options: HomeAssistantPublisherOptions): Promise<HomeAssistantPublisher> {
    const checked = checkHomeAssistantOptions("HomeAssistantPublisher.open", options);
    options.signal?.throwIfAborted();
    const connect = options.connect ?? (await loadMqttLibrary());
    options.signal?.throwIfAborted();
    return new HomeAssistantPublisher(options, checked, connect);
  }

  get status(): HomeAssistantStatus {
    return this.#status;
  }

  /** Another state; it replaces one that has not been sent yet. */
  update(state: PumpState): void {
    if (this.#closing.signal.aborted) return;
    this.#state = state;
    this.#information = state.values.information?.value ?? this.#information;
    this.#changedAtMs ??= this.#clock.now();
    this.#wake?.();
  }

  /**
   * Removes the pump from Home Assistant, and everything that the broker keeps of it, and closes the publisher.
   *
   * @throws {MqttError} the broker is not to be had, and what it keeps is still there
   * @throws {TimeoutError} · `signal.reason`
   */
  async forget(options: OperationOptions = {}): Promise<void> {
    if (this.#closed) throw new StateError("The publisher is closed: use forgetHomeAssistant.");
    await this.#close(false);
    await forgetTopics(this.#options, this.#credentials, this.#connect, this.#clock, options);
  }

  /** Says that this program is gone, and ends; within three seconds, whatever the broker does. Never throws. */
  close(): Promise<void> {
    return this.#close(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #close(sayOffline: boolean): Promise<void> {
    this.#closed ??= (async () => {
      for (const each of this.#given) each[Symbol.dispose]();
      this.#closing.abort(sayOffline ? CLOSED : FORGOTTEN);
      await this.#running;
    })();
    return this.#closed;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let waitMs = FIRST_WAIT_MS;
    while (!signal.aborted) {
      const beganMs = this.#clock.now();
      let problem: unknown;
      try {
        await this.#serve();
      } catch (error) {
        problem = error;
      }
      if (signal.aborted) break;
      const isUnknown = problem instanceof MqttError && problem.problem === "unauthorized";
      if (this.#clock.now() - beganMs >= GOOD_MS) waitMs = FIRST_WAIT_MS;
      const nextMs = isUnknown ? UNAUTHORIZED_WAIT_MS : waitMs;
      // Half of it by chance, so that all who lost a broker do not come back at once.
      const delayMs = nextMs * (0.5 + 0.5 * this.#fraction());
      waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
      this.#away(problem, delayMs);
      await this.#pause(delayMs, signal);
    }
    this.#setStatus({ connected: false, problem: undefined });
  }

  #away(problem: unknown, delayMs: number): void {
    const said = problem instanceof Error && "code" in problem ? problem.message : `The publisher failed: ${nameOf(problem)}.`;
    this.#logger.warn(() => `${this.#options.broker}: ${said} Next attempt in ${Math.ceil(delayMs / 1000)} s.`);
    this.#setStatus({ connected: false, problem: said });
  }

  /** One connection, from its beginning to its end. */
  async #serve(): Promise<void> {
    const lost = new AbortController();
    using _closing = onAbort(this.#closing.signal, () => lost.abort(this.#closing.signal.reason));
    let session: Session | undefined;
    const connection = await within(
      { clock: this.#clock, operation: "connecting with the broker", timeoutMs: CONNECT_MS, signal: lost.signal },
      (signal) =>
        this.#connect({
          ...this.#credentials,
          clientId: this.#options.deviceId, // the same in every run: what is left of an earlier connection goes, and its will with it
          will: { topic: this.#options.topics.status, payload: "offline", retain: true },
          onMessage: (message) => session && this.#onMessage(session, message),
          onClosed: (reason) => lost.abort(reason),
          signal,
        }),
      (late) => late.drop(),
    );
    session = {
      connection,
      signal: lost.signal,
      announceAtMs: this.#clock.now(),
      birth: undefined,
      announced: undefined,
      toldReach: undefined,
      toldState: undefined,
      toldAtMs: Number.NEGATIVE_INFINITY,
      removed: new Map(),
    };
    try {
      await this.#subscribe(session);
      this.#logger.info(() => `connected with ${this.#options.broker}`);
      this.#setStatus({ connected: true, problem: undefined });
      for (;;) {
        lost.signal.throwIfAborted();
        await this.#act(session);
      }
    } catch (error) {
      if (this.#closing.signal.aborted) await this.#goodbye(connection);
      else connection.drop();
      throw error;
    }
  }

  /** What the broker keeps of an earlier announcement comes with it, before ours replaces it. */
  async #subscribe({ connection, signal }: Session): Promise<void> {
    const { birth, status, config } = this.#options.topics;
    for (const topic of [birth, status, config]) {
      try {
        await this.#answered(signal, () => connection.subscribe(topic));
      } catch (error) {
        if (!(error instanceof MqttError) || error.problem !== "unauthorized") throw error;
        // Announcements are retained: without hearing Home Assistant start there is still something to see.
        this.#logger.warn(() => `${this.#options.broker} does not let us listen on "${topic}"`);
      }
    }
  }

  /** Does what is due, or waits for it. */
  async #act(session: Session): Promise<void> {
    const nowMs = this.#clock.now();
    if (nowMs >= Math.min(session.announceAtMs, session.birth?.dueMs ?? Number.POSITIVE_INFINITY)) {
      session.announceAtMs = Number.POSITIVE_INFINITY;
      session.birth = undefined;
      await this.#announce(session);
      return;
    }
    const { values, isInReach, validUntilMs } = this.#valuesAt(nowMs);
    const settledMs = this.#changedAtMs === undefined ? nowMs : this.#changedAtMs + SETTLE_MS;
    const beatMs = session.toldAtMs + HEARTBEAT_MS;
    if (nowMs >= settledMs) {
      this.#changedAtMs = undefined;
      if (session.announced !== discoveryPayload(this.#options, this.#information)) return await this.#discover(session);
      if (session.toldReach !== isInReach) return await this.#tellReach(session, isInReach);
      if (session.toldState !== comparable(values) || nowMs >= beatMs) return await this.#tellState(session, values);
    }
    const dueMs = Math.min(
      session.announceAtMs,
      session.birth?.dueMs ?? Number.POSITIVE_INFINITY,
      settledMs > nowMs ? settledMs : Number.POSITIVE_INFINITY,
      Math.max(beatMs, settledMs),
      validUntilMs < nowMs ? Number.POSITIVE_INFINITY : validUntilMs + 1,
    );
    await this.#sleep(dueMs - nowMs, session.signal);
  }

  /** In this order: Home Assistant takes states only of what it knows and holds for available. */
  async #announce(session: Session): Promise<void> {
    await this.#discover(session);
    await this.#publish(session, this.#options.topics.status, "online", true);
    const { values, isInReach } = this.#valuesAt(this.#clock.now());
    await this.#tellReach(session, isInReach);
    await this.#tellState(session, values);
  }

  async #discover(session: Session): Promise<void> {
    const { config } = this.#options.topics;
    const payload = discoveryPayload(this.#options, this.#information);
    // What was announced once and is no more goes in two steps: named with its platform alone, and then left out.
    if (session.removed.size > 0)
      await this.#publish(session, config, discoveryPayload(this.#options, this.#information, session.removed), true);
    session.removed = new Map();
    await this.#publish(session, config, payload, true);
    session.announced = payload;
  }

  async #tellReach(session: Session, isInReach: boolean): Promise<void> {
    await this.#publish(session, this.#options.topics.reach, isInReach ? "online" : "offline", true);
    session.toldReach = isInReach;
  }

  async #tellState(session: Session, values: EntityValues): Promise<void> {
    const nowMs = this.#clock.now();
    const { glucose_mmol, ...others } = values;
    await this.#publish(
      session,
      this.#options.topics.state,
      JSON.stringify(this.#options.mmol ? { ...others, glucose_mmol } : others),
      false,
    );
    session.toldState = comparable(values);
    session.toldAtMs = nowMs;
    this.#setStatus({ publishedAtMs: nowMs });
  }

  #publish({ connection, signal }: Session, topic: string, payload: string, retain: boolean): Promise<void> {
    return this.#answered(signal, () => connection.publish({ topic, payload, retain }));
  }

  #answered(signal: AbortSignal, ask: () => Promise<void>): Promise<void> {
    return within({ clock: this.#clock, operation: "an answer of the broker", timeoutMs: ANSWER_MS, signal }, ask);
  }

  #valuesAt(nowMs: number): ReturnType<typeof valuesOf> {
    const state = this.#state;
    const events = state ? this.#events.read(nowMs, nowMs + state.epochMs) : {};
    return valuesOf(state, events, nowMs, this.#seen);
  }

  #onMessage(session: Session, { topic, payload, retain }: MqttMessage): void {
    if (payload.length > LARGEST_MESSAGE) return;
    const { birth, status, config } = this.#options.topics;
    const nowMs = this.#clock.now();
    if (topic === birth && !retain && payload === this.#options.birthPayload) {
      // The last of several starts counts: what was sent before it is lost.
      const firstMs = session.birth?.firstMs ?? nowMs;
      const waitMs = BIRTH_MS[0] + this.#fraction() * (BIRTH_MS[1] - BIRTH_MS[0]);
      session.birth = { firstMs, dueMs: Math.min(nowMs + waitMs, firstMs + LONGEST_BIRTH_MS) };
    } else if (topic === status && !retain && payload === "offline") {
      // The will of an earlier connection, which the broker took for alive until now.
      session.announceAtMs = Math.min(session.announceAtMs, nowMs + REPAIR_MS);
    } else if (topic === config && retain) session.removed = componentsToRemove(payload, this.#options);
    else return;
    this.#wake?.();
  }

  async #goodbye(connection: MqttConnection): Promise<void> {
    try {
      await within({ clock: this.#clock, operation: "the goodbye to the broker", timeoutMs: GOODBYE_MS }, async () => {
        if (this.#closing.signal.reason === CLOSED)
          await connection.publish({ topic: this.#options.topics.status, payload: "offline", retain: true });
        await connection.close();
      });
    } catch {
      connection.drop(); // the broker has our will
    }
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        timer?.[Symbol.dispose]();
        listener[Symbol.dispose]();
        this.#wake = undefined;
        resolve();
      };
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : this.#clock.setTimer(ms, "Home Assistant publisher", done);
      const listener = onAbort(signal, done);
      this.#wake = done;
    });
  }

  /** Between two connections; another state does not shorten it. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await delay(this.#clock, ms, { signal, name: "Home Assistant publisher, next attempt" }).catch(() => undefined);
  }

  #setStatus(change: Partial<Omit<HomeAssistantStatus, "sinceMs">>): void {
    const { connected, sinceMs } = this.#status;
    const isOther = change.connected !== undefined && change.connected !== connected;
    this.#status = { ...this.#status, ...change, sinceMs: isOther ? this.#clock.now() : sinceMs };
  }

  /** 0 to 1. */
  #fraction(): number {
    const octets = new Uint8Array(4);
    this.#random.fill(octets);
    return new DataView(octets.buffer).getUint32(0) / 0x1_0000_0000;
  }
}

/** What a state is compared by: that the pump was heard of again is no news by itself, and is told with the next. */
function comparable(values: EntityValues): string {
  return JSON.stringify({ ...values, last_contact: null });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? ("code" in error ? String(error.code) : error.name) : "unknown";
}
