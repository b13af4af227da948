import type { Clock } from "../async/clock.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { Semaphore } from "../async/semaphore.ts";
import type { Address } from "../core/address.ts";
import { ArgumentError, TimeoutError } from "../core/error.ts";
import { LeCreateConnection, LeCreateConnectionCancel } from "../hci/commands/le-connection.ts";
import { HciError, HciErrorCode } from "../hci/error.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { CommandPort, ParametersOf, Radio, RadioActivity } from "./radio.ts";
import type { Scanner, ScanOptions } from "./scanner.ts";

/** Parameters of a link. */
export interface ConnectionParameterOptions {
  /** Connection interval, one value or a range, 7.5 to 4000 ms in steps of 1.25 ms. */
  readonly intervalMs?: number | readonly [min: number, max: number] | undefined;
  /** Connection events the peripheral may skip, 0 to 499. */
  readonly latency?: number | undefined;
  /** Without a packet for so long the link is lost; 100 to 32,000 ms in steps of 10 ms. */
  readonly supervisionTimeoutMs?: number | undefined;
}

export interface ConnectOptions extends OperationOptions, ConnectionParameterOptions {
  /** Own address to connect with; by default the identity. */
  readonly ownAddress?: OwnAddressKind | undefined;
  /** How to listen for the peer; 60 and 30 ms by default. */
  readonly scanIntervalMs?: number | undefined;
  readonly scanWindowMs?: number | undefined;
}

/** In units of 1.25 ms, connection events, and units of 10 ms. */
export interface ConnectionParameterUnits {
  readonly connectionIntervalMin: number;
  readonly connectionIntervalMax: number;
  readonly maxLatency: number;
  readonly supervisionTimeout: number;
}

// TGAP(initial_conn_interval), Vol 3 Part C Appendix A, is 30 to 50 ms.
const DEFAULT_INTERVAL_MS = [30, 50] as const;
const DEFAULT_SUPERVISION_TIMEOUT_MS = 4000;
export const DEFAULT_CONNECT_TIMEOUT_MS = 30_000;

/** After a cancel the controller tells the outcome at once; one that does not is not waited for any longer. */
const CANCEL_TIMEOUT_MS = 2000;
/** A private address seen a moment ago may be gone: after so long without an answer, look for the next one. */
const PRIVATE_ATTEMPT_MS = 5000;

/** Checks what Vol 4 Part E 7.8.12 demands. @throws {ArgumentError} */
export function connectionParameterUnits(options: ConnectionParameterOptions): ConnectionParameterUnits {
  const { intervalMs = DEFAULT_INTERVAL_MS, latency = 0, supervisionTimeoutMs = DEFAULT_SUPERVISION_TIMEOUT_MS } = options;
  const [minMs, maxMs] = typeof intervalMs === "number" ? [intervalMs, intervalMs] : intervalMs;
  for (const ms of [minMs, maxMs])
    if (!(ms >= 7.5 && ms <= 4000)) throw new ArgumentError(`connection interval ${ms} ms: expected 7.5 to 4000 ms`);
  if (minMs > maxMs) throw new ArgumentError(`connection interval from ${minMs} to ${maxMs} ms: expected the smaller one first`);
  if (!Number.isInteger(latency) || latency < 0 || latency > 499) throw new ArgumentError(`latency ${latency}: expected 0 to 499 events`);
  if (!(supervisionTimeoutMs >= 100 && supervisionTimeoutMs <= 32_000))
    throw new ArgumentError(`supervision timeout ${supervisionTimeoutMs} ms: expected 100 to 32000 ms`);
  if (supervisionTimeoutMs <= (1 + latency) * maxMs * 2)
    throw new ArgumentError(
      `supervision timeout ${supervisionTimeoutMs} ms: expected more than ${(1 + latency) * maxMs * 2} ms, twice the longest time between events`,
    );
  return {
    connectionIntervalMin: Math.round(minMs / 1.25),
    connectionIntervalMax: Math.round(maxMs / 1.25),
    maxLatency: latency,
    supervisionTimeout: Math.round(supervisionTimeoutMs / 10),
  };
}

/**
 * One LE Create Connection, from its command to its completion. `T` is what the device makes of the new link, `C` what it has to know for that.
 */
export interface ConnectionAttempt<T, C = undefined> {
  readonly context: C;
  readonly peer: Address;
  readonly ownAddress: OwnAddressKind;
  readonly command: Omit<ParametersOf<typeof LeCreateConnection>, "ownAddressType" | "peerAddress" | "peerAddressType">;
  readonly outcome: Pending<T>;
  /** The own address that is shown to the peer. */
  address: Address | undefined;
  /** Set by a cancel; settles when the controller has said how the attempt ended. */
  completed: Pending<void> | undefined;
  /** What is being done about a link that came after nobody wanted it any more. */
  discarding: Promise<void> | undefined;
}

interface Deadline {
  readonly untilMs: number;
  readonly timeout: TimeoutError;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes connections as central, one LE Create Connection at a time, as a legacy controller demands; callers wait in a queue. Every attempt
 * ends by connection, by the controller's word, by timeout or by `signal`; the last two cancel it, and a link that wins the race
 * against the cancel is taken down.
 */
export class Connector<T, C = undefined> implements RadioActivity {
  readonly name = "connecting";
  readonly takesAnyRandomAddress = false;
  readonly #port: CommandPort;
  readonly #radio: Radio;
  readonly #clock: Clock;
  readonly #scanner: Scanner;
  readonly #turns: Semaphore;
  #attempt: ConnectionAttempt<T, C> | undefined;
  #closed: { readonly error: unknown } | undefined;
  /** What the controller is working on. */
  #initiating: ConnectionAttempt<T, C> | undefined;

  constructor({ port, radio, clock, scanner }: { port: CommandPort; radio: Radio; clock: Clock; scanner: Scanner }) {
    this.#port = port;
    this.#radio = radio;
    this.#clock = clock;
    this.#scanner = scanner;
    this.#turns = new Semaphore(clock);
  }

  get wanted(): boolean {
    return this.#attempt !== undefined && !this.#attempt.outcome.settled;
  }
  get running(): boolean {
    return this.#initiating !== undefined;
  }
  get stale(): boolean {
    return this.#initiating !== undefined && this.#initiating !== this.#attempt;
  }
  get ownAddress(): OwnAddressKind {
    return this.#attempt?.ownAddress ?? "public";
  }

  /**
   * Connects to `peer`. A bonded peer that uses private addresses (`isPrivate`) is looked for by scanning first: its present address is
   * only known once it is heard.
   *
   * @param context comes back with the attempt
   * @param isPeer tells an advertisement of the peer, for a peer with private addresses
   * @throws {TimeoutError} not connected in `timeoutMs` (30 s by default)
   * @throws {HciError} the controller refuses, or gives up: Connection Failed To Be Established
   * @throws `signal.reason` once `signal` aborts
   */
  async connect(peer: Address, options: ConnectOptions, context: C, isPeer?: (identity: Address | undefined) => boolean): Promise<T> {
    const { signal, timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, ownAddress = this.#radio.own.defaultKind } = options;
    signal?.throwIfAborted();
    this.#radio.own.current(ownAddress);
    const { scanIntervalMs = 60, scanWindowMs = Math.min(30, scanIntervalMs) } = options;
    const leScanInterval = Math.round(scanIntervalMs / 0.625);
    const leScanWindow = Math.round(scanWindowMs / 0.625);
    if (!(leScanInterval >= 4 && leScanInterval <= 0x4000 && leScanWindow >= 4 && leScanWindow <= leScanInterval))
      throw new ArgumentError(`scan window ${scanWindowMs} ms in ${scanIntervalMs} ms: expected 2.5 to 10240 ms, the window not larger`);
    const command = {
      leScanInterval,
      leScanWindow,
      initiatorFilterPolicy: 0,
      ...connectionParameterUnits(options),
      minCeLength: 0,
      maxCeLength: 0,
    };
    const what = `connecting to ${peer}`;
    const deadline = { untilMs: this.#clock.now() + timeoutMs, timeout: new TimeoutError(what, timeoutMs), signal };
    const turn = await this.#turns.acquire({ signal, timeoutMs }, what);
    let attempt: ConnectionAttempt<T, C> | undefined;
    try {
      for (;;) {
        const present = isPeer ? await this.#find(isPeer, { intervalMs: scanIntervalMs, windowMs: scanWindowMs }, deadline) : peer;
        if (this.#closed) throw this.#closed.error;
        const remainingMs = this.#remainingMs(deadline);
        attempt = this.#begin(
          { context, peer: present, ownAddress, command, signal, timeout: deadline.timeout },
          isPeer ? Math.min(remainingMs, PRIVATE_ATTEMPT_MS) : remainingMs,
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
    isPeer: (identity: Address | undefined) => boolean,
    listening: Pick<ScanOptions, "intervalMs" | "windowMs">,
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
      if (advertisement.connectable && isPeer(advertisement.identity)) found.resolve(advertisement.address);
    });
    scanning.then(
      (scan) => {
        scan.onEnd = (error) => found.reject(error);
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
      .catch(() => undefined); // the scan itself failed, which `found` has told
    const address = await found.promise;
    await stopped;
    return address;
  }

  #begin(
    {
      signal,
      timeout,
      ...fields
    }: Pick<ConnectionAttempt<T, C>, "context" | "peer" | "ownAddress" | "command"> & {
      signal: AbortSignal | undefined;
      timeout: TimeoutError;
    },
    timeoutMs: number,
  ): ConnectionAttempt<T, C> {
    const attempt: ConnectionAttempt<T, C> = {
      ...fields,
      outcome: new Pending<T>({ clock: this.#clock, operation: timeout.operation, signal, timeoutMs, timeoutError: () => timeout }),
      address: undefined,
      completed: undefined,
      discarding: undefined,
    };
    attempt.outcome.promise.catch(() => undefined); // it may be rejected before the caller's turn to look at it
    this.#attempt = attempt;
    void this.#radio.update();
    return attempt;
  }

  /** Resolves when the controller is not working on this attempt any more and nothing is left of it. */
  async #finish(attempt: ConnectionAttempt<T, C> | undefined): Promise<void> {
    if (!attempt) return;
    if (this.#attempt === attempt) this.#attempt = undefined;
    await this.#radio.update();
    await attempt.discarding;
  }

  /**
   * A link as central is there.
   *
   * @param discard takes the link down, where nobody wants it any more; the next attempt waits for that
   * @returns the attempt that wanted it, to be resolved with what is made of the link
   */
  connected(discard: () => Promise<void>): ConnectionAttempt<T, C> | undefined {
    const attempt = this.#initiating;
    this.#initiating = undefined;
    attempt?.completed?.resolve();
    if (attempt && !attempt.outcome.settled) return attempt;
    const discarding = discard();
    if (attempt) attempt.discarding = discarding;
    return undefined;
  }

  /** The attempt ended without a link. After a cancel the status is Unknown Connection Identifier. */
  ended(status: number): void {
    const attempt = this.#initiating;
    this.#initiating = undefined;
    if (!attempt) return;
    if (attempt.completed) attempt.completed.resolve();
    else attempt.outcome.reject(new HciError({ status, command: "LeCreateConnection" }));
  }

  async turnOn(): Promise<void> {
    const attempt = this.#attempt!;
    attempt.address = this.#radio.own.current(attempt.ownAddress);
    attempt.completed = undefined;
    this.#initiating = attempt;
    try {
      await this.#port.send(LeCreateConnection, {
        ...attempt.command,
        peerAddressType: attempt.peer.type,
        peerAddress: attempt.peer.bytes,
        ownAddressType: attempt.ownAddress === "public" ? 0 : 1,
      });
    } catch (error) {
      if (this.#initiating === attempt) this.#initiating = undefined;
      throw error;
    }
  }

  /** Cancels, and waits until the controller has said what became of it: no link, or a link after all. */
  async turnOff(): Promise<void> {
    const attempt = this.#initiating;
    if (!attempt) return;
    const completed = new Pending<void>({ clock: this.#clock, operation: "LeCreateConnectionCancel", timeoutMs: CANCEL_TIMEOUT_MS });
    attempt.completed = completed;
    completed.promise.catch(() => undefined); // it may be rejected before the command is answered
    try {
      await this.#port.send(LeCreateConnectionCancel, {});
    } catch (error) {
      // Command Disallowed: it had completed already, and the event is on its way.
      if (!(error instanceof HciError && error.status === HciErrorCode.CommandDisallowed)) completed.reject(error);
    }
    try {
      await completed.promise;
    } finally {
      this.#initiating = undefined;
    }
  }

  failed(error: unknown): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#initiating?.completed?.reject(error);
    this.#initiating = undefined;
    attempt?.outcome.reject(error);
  }

  /** Ends the attempt and those that wait; the next `update` of the radio cancels what the controller is doing. */
  close(error: unknown): void {
    this.#closed ??= { error };
    this.#turns.close(error);
    this.#attempt?.outcome.reject(error);
  }
}
