import { Broadcast, type Clock, callOut, delay, type OperationOptions, onAbort, ownTerms, Pending, SystemClock } from "jelling/async";
import {
  Address,
  BleError,
  ClosedError,
  checkFunction,
  checkMilliseconds,
  checkOperation,
  Logger,
  optionNames,
  StateError,
  systemRandom,
  TimeoutError,
} from "jelling/core";
import { type Advertising, type Connection, type ConnectionPolicy, Device } from "jelling/device";
import { MemoryBondStore } from "jelling/gap";
import { IoCapability, KeyDistribution, type PairingAgent } from "jelling/smp";
import { PumpError } from "../error.ts";
import { redactAddress, redactingLogger, redactName, redactText } from "../redact.ts";
import type { SakeKeyDatabase } from "../sake/key-database.ts";
import { type AdvertisingForm, careLinkAdvertisement, pairAdvertisement, reconnectAdvertisement } from "./advertising.ts";
import { redactPumpCapture } from "./capture.ts";
import type { PumpEvent, PumpEventDetail, PumpMode } from "./events.ts";
import { checkedName, checkPumpConnectorOptions, LONGEST_WINDOW_MS, PAIRING_WINDOW_MS, type PumpConnectorOptions } from "./options.ts";
import { careLinkInformation, mobileInformation } from "./phone-database.ts";
import { PhoneServer } from "./phone-server.ts";
import { PumpBonds } from "./pump-bonds.ts";
import type { PumpChannel } from "./pump-channel.ts";
import { PumpLink } from "./pump-link.ts";
import { type PumpSession, type PumpSnapshot, prepareSession } from "./pump-session.ts";
import { problemSentences } from "./snapshot.ts";
import { type PumpStanding, StandingKeeper } from "./standing.ts";
import { LARGEST_PDU, WriteGate } from "./write-gate.ts";

/** Advertising intervals: while the pump is expected at once, and for as long as it is wanted back. Beyond 150 ms it hardly finds us. */
const FAST_MS = [30, 50] as const;
const SLOW_MS = [100, 150] as const;
const FAST_FOR_MS = 30_000;
const PUMP_MTU = 184;
const ALL_KEYS = KeyDistribution.EncKey | KeyDistribution.IdKey | KeyDistribution.SignKey;
/** How long the bonds of a link that is over may take to reach the user's store. */
const STORE_TIMEOUT_MS = 5000;
/** After a link that failed before it was of use, so that a pump that comes and goes does not keep the radio busy. */
const PAUSE_AFTER_FAILURE_MS = 500;
const PAIR_AGAIN_HINT = "If it stays so, the pump may hold a bond that we lost: remove this device on the pump and pair again.";

/** Of every link: nothing over 23 octets, no MTU request, the pump's own answered with 184. */
const ATT_POLICY = Object.freeze({ maxTxPdu: LARGEST_PDU, mtu: PUMP_MTU, exchangeMtu: "never" } as const);

const EVENTS_OPTIONS = optionNames<{ signal?: AbortSignal }>({ signal: true });

/** A session that is ready, and what its first reads brought. */
export interface ReadySession {
  readonly session: PumpSession;
  readonly snapshot: PumpSnapshot;
}

/**
 * Takes the place of the phone: advertises, is paired by the pump, authenticates with SAKE, and gives sessions for reading. It keeps on:
 * after every lost link it advertises again, until it is closed or there is nothing left to wait for.
 */
export class PumpConnector implements AsyncDisposable {
  readonly #options: PumpConnectorOptions;
  readonly #device: Device;
  readonly #gate: WriteGate;
  readonly #bonds: PumpBonds;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #keyDatabase: SakeKeyDatabase;
  readonly #mode: PumpMode;
  readonly #name: string;
  readonly #server: PhoneServer;
  readonly #closing = new AbortController();
  readonly #events = new Broadcast<PumpEvent>();
  readonly #listeners = new Set<(event: PumpEvent) => void>();
  readonly #waiting = new Set<Pending<ReadySession>>();
  readonly #abortListener: Disposable;
  readonly #standing: StandingKeeper;
  #windowEndsMs: number;
  /** Ends the present advertisement, for another mode. */
  #rethink = new AbortController();
  #isReconnectsTurn = true;
  #link: PumpLink | undefined;
  #ready: ReadySession | undefined;
  #reason: unknown;
  #hadSession = false;
  #running: Promise<void>;

  private constructor(parts: {
    options: PumpConnectorOptions;
    device: Device;
    gate: WriteGate;
    bonds: PumpBonds;
    logger: Logger;
    mode: PumpMode;
    name: string;
  }) {
    const { options, device, gate, bonds, logger, mode, name } = parts;
    const { keyDatabase, pairingWindowMs = PAIRING_WINDOW_MS } = options;
    this.#options = options;
    this.#device = device;
    this.#gate = gate;
    this.#bonds = bonds;
    this.#clock = device.clock;
    this.#logger = logger.child("pump");
    this.#keyDatabase = keyDatabase;
    this.#mode = mode;
    this.#name = name;
    this.#standing = new StandingKeeper({ mode, bonded: bonds.find(options.pump) !== undefined, nowMs: this.#clock.now() });
    this.#windowEndsMs = mode === "reconnect" ? Number.NEGATIVE_INFINITY : this.#clock.now() + pairingWindowMs;
    const careLink = mode === "carelink";
    this.#server = new PhoneServer(
      device.gattServer,
      { name, careLink, information: { ...(careLink ? careLinkInformation : mobileInformation(name)), ...options.information } },
      {
        isPump: (peer) => this.#link?.is(peer) ?? false,
        onRead: (what) => this.#link?.onRead(what),
        onSubscription: (subscribed, restored) => this.#link?.onSubscription(subscribed, restored),
        onWrite: (value) => this.#link?.onWrite(value),
      },
    );
    this.#abortListener = onAbort(options.signal, () => this.#stop(options.signal!.reason));
    if (options.signal?.aborted) this.#stop(options.signal.reason);
    this.#running = this.#run();
  }

  /**
   * Opens the controller and starts waiting for the pump.
   *
   * @throws {KeyDatabaseError} ERR_KEY_DATABASE_UNSUITABLE: not for this mode, or without keys for a pump
   * @throws {PumpError} ERR_PUMP_NOT_BONDED: reconnecting without a bond · ERR_PUMP_BONDED: pairing with one, and not `anew`
   * @throws {ArgumentError} a name or code the pump would not take; an unknown option, or a value of a wrong kind: the controller is not taken then
   * @throws what `Device.open` throws
   */
  static async open(options: PumpConnectorOptions): Promise<PumpConnector> {
    checkPumpConnectorOptions(options);
    const { controller } = options;
    const { clock = new SystemClock(), random = systemRandom, mode = "reconnect", signal, onEvent } = options;
    const logger = redactingLogger(options.logger ?? Logger.silent);
    let transport = typeof controller === "string" ? undefined : controller;
    let device: Device | undefined;
    try {
      signal?.throwIfAborted();
      const name = checkedName(options, mode);
      const reading = PumpBonds.open(options.bonds ?? new MemoryBondStore());
      const bonds = await ownTerms(clock, "reading the bonds", reading, { signal }); // a store need not know of the signal
      const bond = bonds.find(options.pump);
      if (mode === "reconnect" && !bond) throw new PumpError("ERR_PUMP_NOT_BONDED", "There is no bond with a pump: pair first.");
      if (mode === "pair" && bond && bonds.isProved(bond) && !options.anew)
        throw new PumpError(
          "ERR_PUMP_BONDED",
          "There is a bond with a pump already: reconnect to it, or pair anew, which replaces that bond.",
        );
      if (typeof controller === "string") {
        const { openTransport } = await import("jelling/transport");
        transport = await openTransport(controller, { clock, logger, random, signal });
      }
      const gate = new WriteGate(transport!, logger.child("pump"));
      const { capture, captureIdentity = false, address, irk, staticAddress } = options;
      device = await Device.open(gate, {
        clock,
        random,
        logger,
        bonds,
        address,
        irk,
        staticAddress,
        signal,
        gattServer: "empty",
        att: ATT_POLICY,
        capture: capture && redactPumpCapture(capture, { keepIdentity: captureIdentity }),
      });
      if (mode === "carelink") careLinkAdvertisement(device.identity, options.confirmationCode!, name);
      const connector = new PumpConnector({ options, device, gate, bonds, logger, mode, name });
      if (onEvent) connector.on(onEvent);
      return connector;
    } catch (error) {
      if (device) await device.close();
      else await transport?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Own address as peers know it. */
  get identity(): Address {
    return this.#device.identity;
  }
  /** Its time is that of events and readings. */
  get clock(): Clock {
    return this.#clock;
  }

  /** Calls `listener` for every event; dispose the result to stop. Events are told in turns of their own, so none is missed after `open`. */
  on(listener: (event: PumpEvent) => void): Disposable {
    checkFunction("PumpConnector.on", listener ?? null);
    const entry = (event: PumpEvent): void => listener(event); // so that a function given twice is two
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) };
  }

  /** Events from now on as a loop, until the connector ends. A loop 256 events behind loses the oldest. */
  events(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<PumpEvent> {
    checkOperation("PumpConnector.events", options, EVENTS_OPTIONS);
    return this.#events.subscribe({ signal: options.signal });
  }

  /** The session that is up, or the next one, once its first reads are done. @throws why the connector has ended · {TimeoutError} */
  async session(options: OperationOptions = {}): Promise<ReadySession> {
    checkOperation("PumpConnector.session", options);
    const { signal, timeoutMs } = options;
    if (this.#ready && !this.#ready.session.ended) return this.#ready;
    if (this.#closing.signal.aborted) throw this.#reason;
    const pending: Pending<ReadySession> = new Pending<ReadySession>({
      clock: this.#clock,
      operation: "waiting for the pump",
      signal,
      timeoutMs,
      onSettled: () => this.#waiting.delete(pending),
    });
    if (!pending.settled) this.#waiting.add(pending);
    return await pending.promise;
  }

  /**
   * Lets a pump pair (again) for so long, 5 minutes by default; a bonded one included. Opened by the user, never by the pump.
   *
   * @throws {ArgumentError} not 1 ms to 24 h
   */
  openPairingWindow(durationMs: number = PAIRING_WINDOW_MS): void {
    checkMilliseconds("pairing window", durationMs, 1, LONGEST_WINDOW_MS);
    this.#windowEndsMs = this.#clock.now() + durationMs;
    this.#rethink.abort(new StateError("the pairing window was opened"));
  }
  get pairingWindowOpen(): boolean {
    return this.#clock.now() < this.#windowEndsMs;
  }

  /** Where it stands with its pump, and what its user can do where it does not come about by itself. */
  get standing(): PumpStanding {
    return this.#standing.standing;
  }

  /** Why it waits no longer; `undefined` while it does. */
  get ended(): unknown {
    return this.#closing.signal.aborted ? this.#reason : undefined;
  }
  /** Resolves when it has ended and taken everything down; never rejects. */
  get closed(): Promise<void> {
    return this.#running;
  }

  /** Stops advertising, drops the link, closes the controller. */
  async close(): Promise<void> {
    this.#stop(new ClosedError("the pump connector was closed"));
    await this.#running;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- the loop -----------------------------------------------------------------------------------------------------------------

  #stop(reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#reason = reason;
    this.#standing.onEnded(this.#clock.now(), reason instanceof Error ? redactText(reason.message) : "it was told to");
    this.#closing.abort(reason);
    for (const pending of [...this.#waiting]) pending.reject(reason);
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // so that listeners set after `open` hear the first event
    try {
      for (;;) {
        const mode = this.#nextMode();
        const connection = await this.#waitForPump(mode);
        if (connection) await this.#serve(connection, mode);
      }
    } catch (error) {
      this.#stop(error);
    } finally {
      this.#abortListener[Symbol.dispose]();
      this.#server[Symbol.dispose]();
      await this.#device.close();
      this.#events.close();
    }
  }

  /** FE81 without a bond would call a pump that cannot come. @throws {PumpError} neither a bond nor an open window */
  #nextMode(): PumpMode {
    this.#closing.signal.throwIfAborted();
    this.#rethink = new AbortController();
    if (this.pairingWindowOpen) return this.#mode === "carelink" ? "carelink" : this.#inTurn();
    if (this.#mode !== "carelink" && this.#bonds.find(this.#options.pump)) return "reconnect";
    const message = this.#hadSession
      ? "The session with the pump is over; whether a pump comes back to an uploader is not known: pair again."
      : "No pump paired while it was let in.";
    throw new PumpError("ERR_PUMP_PAIRING_WINDOW_CLOSED", message);
  }

  /**
   * A pump that paired, and whose link was lost before it was authenticated, may come back with its bond or have its user pair anew: both are
   * called, in turns, while the window is open.
   */
  #inTurn(): PumpMode {
    this.#isReconnectsTurn = !this.#isReconnectsTurn && this.#bonds.hasUnproved();
    return this.#isReconnectsTurn ? "reconnect" : "pair";
  }

  /** undefined when the mode has to be thought over: the window has closed, or nobody came for long. */
  async #waitForPump(mode: PumpMode): Promise<Connection | undefined> {
    const { fast, slow } = this.#options.intervalsMs ?? { fast: FAST_MS, slow: SLOW_MS };
    const connection = await this.#advertise(mode, fast, FAST_FOR_MS);
    if (connection || this.#rethink.signal.aborted) return connection;
    if (this.pairingWindowOpen && this.#mode !== "carelink" && this.#bonds.hasUnproved()) return undefined;
    return await this.#advertise(mode, slow, Number.POSITIVE_INFINITY);
  }

  async #advertise(mode: PumpMode, intervalMs: readonly [number, number], forMs: number): Promise<Connection | undefined> {
    const leftMs = mode === "reconnect" ? Number.POSITIVE_INFINITY : this.#windowEndsMs - this.#clock.now();
    if (leftMs <= 0) return undefined;
    const { pairingAddress = "identity", form = "name" } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, this.#rethink.signal]);
    const address = mode === "reconnect" ? "resolvable" : mode === "carelink" ? "public" : pairingAddress;
    const advertising: Advertising = await this.#device.advertise({
      ...this.#advertisement(mode, form),
      intervalMs,
      ownAddress: address === "identity" ? undefined : address,
      policy: this.#policy(mode),
      signal: this.#closing.signal,
    });
    try {
      const bonded = this.#bonds.find(this.#options.pump) !== undefined;
      this.#emit({ type: "advertising", mode, name: this.#name, form, intervalMs, address, bonded });
      // A connection ends advertising by itself; whoever takes it must be there before the pump asks anything.
      return await advertising.connection({ signal, timeoutMs: Math.min(forMs, leftMs) });
    } catch (error) {
      await advertising.stop();
      this.#closing.signal.throwIfAborted();
      if (error instanceof TimeoutError || this.#rethink.signal.aborted) return undefined;
      throw error;
    }
  }

  #advertisement(mode: PumpMode, form: AdvertisingForm): { data: Uint8Array; scanResponse?: Uint8Array } {
    if (mode === "reconnect") return { data: reconnectAdvertisement(this.#name, form) };
    if (mode === "pair") return { data: pairAdvertisement(this.#name, form) };
    return careLinkAdvertisement(this.#device.identity, this.#options.confirmationCode!, this.#name);
  }

  #policy(mode: PumpMode): ConnectionPolicy {
    return {
      att: ATT_POLICY,
      // The pump has neither input nor output, so Just Works is all there can be; it must get our IRK to find us again.
      pairing: {
        ioCapability: IoCapability.NoInputNoOutput,
        bonding: true,
        mitm: false,
        secureConnections: false,
        localKeys: ALL_KEYS,
        peerKeys: ALL_KEYS,
        pairable: mode !== "reconnect",
        // A pump that was re-added has lost its keys and can do no better than before. The user opens the window for it.
        allowEqualReplacement: mode !== "reconnect",
      },
      agent: this.#agent,
      parameterRequests: "refuse",
      dataLength: "never",
      elevate: "never",
    };
  }

  readonly #agent: PairingAgent = {
    confirm: () => {
      const isOpen = this.pairingWindowOpen;
      if (isOpen) this.#emit({ type: "pairing" });
      else this.#warn("A device asked to pair, and was refused: the pairing window is closed.");
      return Promise.resolve(isOpen);
    },
    replaceBond: () => {
      if (this.pairingWindowOpen) this.#emit({ type: "pairing" });
      return Promise.resolve(this.pairingWindowOpen);
    },
  };

  /** One connection, to its end. */
  async #serve(connection: Connection, mode: PumpMode): Promise<void> {
    const { intervalMs, latency, supervisionTimeoutMs } = connection.parameters;
    this.#emit({ type: "connected", peer: redactAddress(connection.peerIdentity), intervalMs, latency, timeoutMs: supervisionTimeoutMs });
    const preparations: Promise<void>[] = [];
    let proved: Promise<void> | undefined;
    const link = new PumpLink(connection, {
      clock: this.#clock,
      random: this.#options.random ?? systemRandom,
      logger: this.#logger,
      keyDatabase: this.#keyDatabase,
      gate: this.#gate,
      notify: (value) => this.#server.notify(value),
      emit: (detail) => this.#emit(detail),
      warn: (message, hint) => this.#warn(message, hint),
      onChannel: (channel) => preparations.push(this.#prepare(channel)),
      onProved: () => {
        proved = this.#storing(this.#bonds.prove(connection.peerIdentity, this.#device.bonds, { anew: this.#options.anew }));
      },
    });
    this.#link = link;
    using _ = onAbort(this.#closing.signal, () => link.drop());
    if (this.#closing.signal.aborted) link.drop();
    if (mode === "reconnect" && this.#isForeign(connection)) {
      this.#warn("Another pump came than the one that is waited for, and was sent away.");
      link.drop();
    }
    try {
      const reason = await link.over;
      this.#emit({ type: "disconnected", reason: reason.reason, message: redactText(reason.message) });
    } finally {
      this.#link = undefined;
      this.#ready = undefined;
      link[Symbol.dispose]();
      await Promise.all(preparations);
      await proved;
      await this.#storing(this.#settleBonds(connection.peerIdentity, link));
    }
    this.#closing.signal.throwIfAborted();
    if (link.authenticated) return;
    if (!link.encrypted && mode === "reconnect") this.#warn("The pump left before the link was encrypted.", PAIR_AGAIN_HINT);
    await delay(this.#clock, PAUSE_AFTER_FAILURE_MS, { signal: this.#closing.signal });
  }

  #isForeign({ peerIdentity, bonded }: Connection): boolean {
    const { pump } = this.#options;
    return pump !== undefined && bonded && !peerIdentity.equals(Address.from(pump));
  }

  /**
   * What a link has shown against the bond of its peer. A refused handshake disproves it. So does, where it took the place of another, somebody
   * who uses that identity and has another key: it may well be the one whose place it took, and who otherwise could not come back.
   */
  async #settleBonds(identity: Address, { disproved, keyRefused }: PumpLink): Promise<void> {
    const { bonds } = this.#device;
    if (disproved || (keyRefused && this.#bonds.standsInPlace(identity))) await this.#bonds.disprove(identity, bonds);
    await this.#bonds.trim(bonds);
  }

  /** Waits for the store, not for ever; what it did not take is told. */
  async #storing(stored: Promise<void>): Promise<void> {
    try {
      await ownTerms(this.#clock, "storing the bonds", stored, { timeoutMs: STORE_TIMEOUT_MS });
    } catch (error) {
      this.#warn(`The bonds could not be stored: ${(error instanceof Error ? error.message : String(error)).replace(/\.$/, "")}.`);
    }
  }

  /** The first reads of a session; then those who wait get it. */
  async #prepare(channel: PumpChannel): Promise<void> {
    // Paired and authenticated: whoever wants to pair from here on needs a new window.
    this.#windowEndsMs = Number.NEGATIVE_INFINITY;
    try {
      const session = await prepareSession(channel, { needsGlucose: this.#mode !== "carelink" });
      this.#emit({ type: "services", count: channel.services });
      const snapshot = await session.readSnapshot();
      const { information, batteryPercent, sensor, latest, problems } = snapshot;
      const { model, firmware, serial } = information;
      this.#emit({ type: "information", model, firmware, serial: serial && redactName(serial), batteryPercent });
      if (sensor)
        this.#emit({ type: "sensor", start: sensor.start?.local, runTimeHours: sensor.runTimeHours, remainingMs: sensor.remainingMs });
      if (latest) this.#emit({ type: "reading", latest });
      for (const sentence of problemSentences(problems)) this.#warn(sentence);
      this.#ready = { session, snapshot };
      this.#hadSession = true;
      this.#standing.onReady(this.#clock.now());
      for (const pending of [...this.#waiting]) pending.resolve(this.#ready);
    } catch (error) {
      if (!(error instanceof BleError)) this.#stop(error); // no fault of the pump: whoever waits for a session is to hear of it
      const cause = channel.ended?.cause;
      if (cause instanceof PumpError && cause.code === "ERR_PUMP_MOVED") this.#warn(cause.message);
      else if (!channel.ended)
        this.#warn(`The pump's values could not be read: ${(error instanceof Error ? error.message : String(error)).replace(/\.$/, "")}.`);
      // A session that is over has dropped its link, or left it to the handshake that the pump has begun anew.
      if (!channel.ended) channel.disconnect().catch(() => undefined); // a link that cannot be dropped ends the connector
    }
  }

  #warn(message: string, hint?: string): void {
    // What a host or a store says of a fault may name a device.
    this.#emit({ type: "warning", message: redactText(message), hint });
  }

  #emit(detail: PumpEventDetail): void {
    const event = { timeMs: this.#clock.now(), ...detail } as PumpEvent;
    this.#standing.onEvent(event);
    for (const listener of [...this.#listeners]) callOut(listener, event);
    this.#events.publish(event);
  }
}
