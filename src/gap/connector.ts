import { callOut } from "../async/call-out.ts";
import type { Clock } from "../async/clock.ts";
import { Pending } from "../async/pending.ts";
import type { Address } from "../core/address.ts";
import { ArgumentError, TimeoutError } from "../core/error.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { Advertisement, ResolveAddress } from "./advertisement.ts";
import { type CancellableAttempt, CancellableAttempts } from "./cancellable-attempts.ts";
import { type ConnectOptions, checkConnectOptions, type InitiatingParameters } from "./connect-options.ts";
import { ExtendedInitiatingCommands, type InitiatingCommands, LegacyInitiatingCommands } from "./initiating-commands.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import { type CommandPort, type Radio, type RadioActivity, RadioRank } from "./radio.ts";
import { isSamePeer } from "./same-peer.ts";
import type { ScanOptions } from "./scan.ts";
import type { Scanner } from "./scanner.ts";

export const DEFAULT_CONNECT_TIMEOUT_MS = 30_000;

/** A private address seen a moment ago may be gone: after so long without an answer, look for the next one. */
const PRIVATE_ATTEMPT_MS = 5000;

/**
 * One LE (Extended) Create Connection, from its command to its completion. `T` is what the device makes of the new link, `C` what it has to know for that.
 */
export interface ConnectionAttempt<T, C = undefined> extends CancellableAttempt {
  readonly context: C;
  /** Who is connected to: one, or the first of several that is heard, which the filter accept list then holds. */
  readonly peers: readonly Address[];
  readonly ownAddress: OwnAddressKind;
  readonly parameters: readonly InitiatingParameters[];
  readonly through: ConnectOptions["through"];
  readonly outcome: Pending<T>;
  readonly onInitiating: (() => void) | undefined;
  /** What the link begins on; `undefined` where extended advertising of the peer may decide, or own periodic advertising. */
  readonly linkPhy: "1M" | undefined;
  /** The own address that is shown to the peer. */
  address: Address | undefined;
}

/** What `connect` asks about the peer. */
export interface PeerQuestions {
  /** Tells an advertisement of the peer, for a peer with private addresses: it is then looked for first. */
  readonly isPeer?: ((advertisement: Advertisement) => boolean) | undefined;
  /** Called before each attempt, when those that asked before are through; what it throws is thrown. */
  readonly check?: (() => void) | undefined;
}

/** What bounds a call of `connect`. */
interface Deadline {
  readonly untilMs: number;
  readonly timeout: TimeoutError;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes connections as central, one attempt at a time, as controllers demand (Vol 4 Part E 7.8.12, 7.8.66); callers wait in a queue. Every attempt
 * ends by connection, by the controller's word, by timeout or by `signal`; the last two cancel it, and a link that wins the race
 * against the cancel is taken down.
 */
export class Connector<T, C = undefined> extends CancellableAttempts<ConnectionAttempt<T, C>> implements RadioActivity {
  readonly name = "connecting";
  readonly rank = RadioRank.Initiating;
  readonly takesAnyRandomAddress = false;
  readonly hasOwnRandomAddress = false;
  readonly goesWithoutAcceptList = false;
  readonly #commands: InitiatingCommands;
  readonly #radio: Radio;
  readonly #clock: Clock;
  readonly #scanner: Scanner;
  readonly #resolve: ResolveAddress;

  /** @param at.resolve finds the identity behind a private address, so that a link is known for its peer's under another address */
  constructor(at: { port: CommandPort; radio: Radio; clock: Clock; scanner: Scanner; resolve?: ResolveAddress }) {
    const { port, radio, clock, scanner, resolve = () => undefined } = at;
    super(clock, "LeCreateConnectionCancel");
    this.#resolve = resolve;
    this.#commands = radio.abilities.isExtended ? new ExtendedInitiatingCommands(port) : new LegacyInitiatingCommands(port);
    this.#radio = radio;
    this.#clock = clock;
    this.#scanner = scanner;
  }

  get ownAddress(): OwnAddressKind {
    return this.attempt?.ownAddress ?? "public";
  }
  get acceptList(): readonly Address[] | undefined {
    const peers = this.attempt?.peers;
    return peers && peers.length > 1 ? peers : undefined;
  }
  get isFiltered(): boolean {
    return this.switch.state !== "off" && (this.running?.peers.length ?? 0) > 1;
  }

  /**
   * Connects to `peer`, or to the first of several that is heard. A bonded peer that uses private addresses (`isPeer`) is looked for by scanning first: its present address is only
   * known once it is heard.
   *
   * @param context comes back with the attempt
   * @throws {TimeoutError} not connected in `timeoutMs` (30 s by default)
   * @throws {HciError} the controller refuses, or gives up: Connection Failed To Be Established
   * @throws `signal.reason` once `signal` aborts
   */
  async connect(
    peer: Address | readonly Address[],
    options: ConnectOptions,
    context: C,
    { isPeer, check }: PeerQuestions = {},
  ): Promise<T> {
    const parameters = checkConnectOptions(options, this.#radio.abilities);
    const peers = Array.isArray(peer) ? (peer as readonly Address[]) : [peer as Address];
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, ownAddress = this.#radio.own.defaultKind, onInitiating, through } = options;
    signal?.throwIfAborted();
    if (through && peers.length > 1) throw new ArgumentError("connect: through: expected one address");
    this.#radio.own.current(ownAddress);
    const { scanIntervalMs = 60, scanWindowMs = Math.min(30, scanIntervalMs) } = options;
    const phys = parameters.flatMap(({ phy }) => (phy === "2M" ? [] : phy));
    const listening = { intervalMs: scanIntervalMs, windowMs: scanWindowMs, ownAddress, phys, onInitiating };
    const what = `connecting to ${peers.join(" or ")}`;
    const deadline = { untilMs: this.#clock.now() + timeoutMs, timeout: new TimeoutError(what, timeoutMs), signal };
    const turn = await this.turns.acquire({ signal, timeoutMs }, what);
    let attempt: ConnectionAttempt<T, C> | undefined;
    try {
      for (;;) {
        const present = isPeer && !through ? [await this.#find(isPeer, listening, deadline)] : peers;
        if (this.closed) throw this.closed.error;
        check?.();
        const remainingMs = this.#remainingMs(deadline);
        attempt = this.#begin(
          { context, peers: present, ownAddress, parameters, through, signal, timeout: deadline.timeout, onInitiating },
          isPeer && !through ? Math.min(remainingMs, PRIVATE_ATTEMPT_MS) : remainingMs,
        );
        try {
          return await attempt.outcome.promise;
        } catch (error) {
          if (error !== deadline.timeout || this.#remainingMs(deadline) <= 0) throw error;
        }
        await this.#finish(attempt);
      }
    } finally {
      // The caller has its answer now; the turn is given back when the controller is free again.
      void this.#finish(attempt).then(() => turn[Symbol.dispose]());
    }
  }

  #remainingMs({ untilMs }: Deadline): number {
    return Math.max(0, untilMs - this.#clock.now());
  }

  /** Waits for a connectable advertisement of the peer; gives the address it has now. */
  async #find(
    isPeer: (advertisement: Advertisement) => boolean,
    {
      onInitiating,
      ...listening
    }: Pick<ScanOptions, "intervalMs" | "windowMs" | "ownAddress" | "phys"> & Pick<ConnectOptions, "onInitiating">,
    deadline: Deadline,
  ): Promise<Address> {
    const found = new Pending<Address>({
      clock: this.#clock,
      operation: deadline.timeout.operation,
      signal: deadline.signal,
      timeoutMs: this.#remainingMs(deadline),
      timeoutError: () => deadline.timeout,
    });
    const scanning = this.#scanner.scan({ ...listening, active: false, duplicates: "report" }, (advertisement) => {
      if (advertisement.connectable && isPeer(advertisement)) found.resolve(advertisement.address);
    });
    scanning.then(
      (scan) => {
        scan.onEnd = (error) => found.reject(error);
        callOut(onInitiating);
        if (scan.ended) found.reject(scan.ended.error);
      },
      (error: unknown) => found.reject(error),
    );
    // The caller's answer does not wait for a controller that is slow to stop.
    const stopped = found.promise
      .then(
        () => scanning,
        () => scanning,
      )
      .then((scan) => this.#scanner.stop(scan))
      .catch(() => undefined); // the scan failed, which `found` has told, or cannot be stopped, which the next command shows
    const address = await found.promise;
    await stopped;
    return address;
  }

  #begin(
    {
      signal,
      timeout,
      ...fields
    }: Pick<ConnectionAttempt<T, C>, "context" | "peers" | "ownAddress" | "parameters" | "through" | "onInitiating"> & {
      signal: AbortSignal | undefined;
      timeout: TimeoutError;
    },
    timeoutMs: number,
  ): ConnectionAttempt<T, C> {
    const attempt: ConnectionAttempt<T, C> = {
      ...fields,
      linkPhy: this.#radio.abilities.isExtended ? undefined : "1M",
      outcome: new Pending<T>({ clock: this.#clock, operation: timeout.operation, signal, timeoutMs, timeoutError: () => timeout }),
      address: undefined,
      completed: undefined,
      discarding: undefined,
    };
    attempt.outcome.promise.catch(() => undefined); // it may be rejected before the caller's turn to look at it
    this.attempt = attempt;
    void this.#radio.update();
    return attempt;
  }

  /** Resolves when the controller is not working on this attempt any more and nothing is left of it. */
  async #finish(attempt: ConnectionAttempt<T, C> | undefined): Promise<void> {
    if (!attempt) return;
    if (this.attempt === attempt) this.attempt = undefined;
    await this.#radio.update(); // an attempt that cannot be cancelled is tried again there, and stands in the way of the next one
    await attempt.discarding;
  }

  /**
   * A link as central is there.
   *
   * @param peer whose it is: a link answers the attempt to connect to this peer, not the one that is current
   * @param discard takes the link down, where nobody wants it any more; the next attempt waits for that
   * @returns the attempt that wanted it, to be resolved with what is made of the link
   */
  connected(peer: Address, discard: () => Promise<void>): ConnectionAttempt<T, C> | undefined {
    const attempt = this.running;
    if (!attempt || !this.#isOneOf(attempt.peers, peer)) {
      void discard(); // of an attempt that was given up long ago, or nobody's
      return undefined;
    }
    this.running = undefined;
    this.switch.ended();
    attempt.completed?.resolve();
    if (!attempt.outcome.settled) return attempt;
    attempt.discarding = discard();
    return undefined;
  }

  /**
   * The controller ended an attempt without a link. After a cancel the status is Unknown Connection Identifier, which is then the answer to
   * that and to nothing else.
   *
   * @param peer as the event has it; zeros where the controller does not say
   * @returns whether an attempt is over by it
   */
  ended(status: number, peer?: Address): boolean {
    const attempt = this.running;
    if (!attempt) return false;
    const isOfAnother = peer && !this.#isOneOf(attempt.peers, peer);
    if (isOfAnother && peer.bytes.some((octet) => octet !== 0)) return false;
    if (status === HciErrorCode.UnknownConnectionIdentifier && !attempt.completed) return false;
    this.running = undefined;
    this.switch.ended();
    // Interrupted for another address: it goes on afterwards. An attempt that failed by itself does not.
    if (attempt.completed) attempt.completed.resolve();
    if (status !== HciErrorCode.UnknownConnectionIdentifier) attempt.outcome.reject(new HciError({ status, command: this.#commands.name }));
    return true;
  }

  #isOneOf(peers: readonly Address[], address: Address): boolean {
    return peers.some((peer) => isSamePeer(peer, address, this.#resolve));
  }

  async turnOn(): Promise<void> {
    const attempt = this.attempt!;
    attempt.address = this.#radio.own.current(attempt.ownAddress);
    attempt.completed = undefined;
    this.running = attempt;
    try {
      const { peers, ownAddress, parameters, through } = attempt;
      const place = through?.periodic.requestPlace(through.subevent);
      const { abilities, resolvingList } = this.#radio;
      const isPrivate = !abilities.hasPrivacyMode && peers.length === 1 && (resolvingList?.holds(peers[0]!) ?? false);
      const ownAddressType = this.#radio.ownAddressType(ownAddress);
      await this.switch.on(() => this.#commands.create({ peers, isPrivate, ownAddressType, parameters, place }));
      if (this.switch.state === "on") this.running = attempt; // again, where a reset came between
      callOut(attempt.onInitiating);
    } catch (error) {
      if (this.switch.state === "off") this.running = undefined;
      throw error;
    }
  }

  protected sendCancel(): Promise<unknown> {
    return this.#commands.cancel();
  }
}
