import type { Address } from "../core/address.ts";
import { ClosedError, TimeoutError } from "../core/index.ts";
import type { Connection } from "../device/index.ts";
import { DisconnectedError, HciError, HciErrorCode } from "../hci/index.ts";
import type { Activation } from "./activation.ts";
import { NOBODY } from "./addresses.ts";
import { NO_CONNECTION } from "./constants.ts";
import { createEvent } from "./events.ts";

/** Connection intervals in units of 1.25 ms, Vol 4 Part E 7.8.12. */
const LEAST_UNITS = 0x0006;
const MOST_UNITS = 0x0c80;
const UNIT_MS = 1.25;
const UNIT_US = 1250;
const DEFAULT_UNITS = [24, 40] as const;
const SUPERVISION_TIMEOUT_MS = 2560;
const SCAN_MS = 10;
/** For a duration of 0. */
const LONGEST_MS = 30_000;

export interface ConnectArguments {
  readonly peer: Address;
  readonly scanDurationMs: number;
  readonly minUs: number | undefined;
  readonly maxUs: number | undefined;
}

interface Attempt {
  readonly peer: Address;
  readonly abort: AbortController;
  /** Settles when the outcome has been told. */
  readonly over: Promise<void>;
  timer: Disposable | undefined;
}

/** `gap_connect`: one attempt at a time, and one event at the end of each that was accepted. */
export class GapConnect {
  readonly #activation: Activation;
  readonly #stopScan: () => Promise<void>;
  #attempt: Attempt | undefined;
  #isClosed = false;

  constructor(activation: Activation, { stopScan }: { stopScan: () => Promise<void> }) {
    this.#activation = activation;
    this.#stopScan = stopScan;
  }

  get isPending(): boolean {
    return this.#attempt !== undefined;
  }

  /** Whether this link is made for the attempt. */
  expects({ peerAddress, peerIdentity }: Connection): boolean {
    const peer = this.#attempt?.peer;
    return peer !== undefined && (peerAddress.equals(peer) || peerIdentity.equals(peer));
  }

  /**
   * Resolves when the controller looks for the peer. A scan ends before.
   *
   * @throws {BleOsError} EALREADY: connecting, or connected · ENOMEM: no room for another connection · EINVAL · what the controller refuses
   */
  async start(given: ConnectArguments): Promise<void> {
    const { errors, links } = this.#activation;
    const intervalMs = this.#intervals(given);
    if (this.#attempt) throw errors.create("EALREADY", "gapConnect: a connection is being made already");
    if (links.findPeer(given.peer))
      throw errors.create(errors.isStrict ? "EIO" : "EALREADY", `gapConnect: connected to ${given.peer} already`);
    await new Promise<void>((accept, refuse) => {
      const abort = new AbortController();
      let isAccepted = false;
      const accepted = (): void => {
        if (!isAccepted) attempt.timer = this.#limit(attempt, given.scanDurationMs);
        isAccepted = true;
        accept();
      };
      const attempt: Attempt = {
        peer: given.peer,
        abort,
        timer: undefined,
        over: this.#connect(given.peer, intervalMs, abort.signal, accepted).then(
          (connection) => this.#finish(attempt, connection),
          (error: unknown) => {
            const isRefused = !isAccepted && !abort.signal.aborted;
            if (isRefused || this.#isClosed) {
              this.#leave(attempt);
              refuse(this.#refusal(error));
            } else this.#finish(attempt, error);
            accept();
          },
        ),
      };
      this.#attempt = attempt;
    });
  }

  /** Gives the attempt up; its event has been raised when this resolves. @throws {BleOsError} EALREADY: there is none */
  async cancel(): Promise<void> {
    const attempt = this.#attempt;
    if (!attempt) throw this.#activation.errors.create("EALREADY", "gapConnect: no connection is being made");
    attempt.abort.abort(new HciError({ status: HciErrorCode.OperationCancelledByHost, command: "LeCreateConnection" }));
    await attempt.over;
  }

  /** No event follows. */
  close(): void {
    this.#isClosed = true;
    this.#attempt?.abort.abort(new ClosedError("Bluetooth was switched off"));
  }

  #intervals({ minUs, maxUs }: ConnectArguments): readonly [min: number, max: number] {
    const min = minUs ? Math.trunc(minUs / UNIT_US) : DEFAULT_UNITS[0];
    const max = maxUs ? Math.trunc(maxUs / UNIT_US) : DEFAULT_UNITS[1];
    const isPermitted = min >= LEAST_UNITS && min <= max && max <= MOST_UNITS && 2 * max * UNIT_MS < SUPERVISION_TIMEOUT_MS;
    if (!isPermitted)
      throw this.#activation.errors.ofStatus(
        HciErrorCode.InvalidHciCommandParameters,
        `gapConnect: an interval from ${min * UNIT_MS} to ${max * UNIT_MS} ms: expected 7.5 ms to 1278.75 ms, the smaller one first`,
      );
    return [min * UNIT_MS, max * UNIT_MS];
  }

  async #connect(peer: Address, intervalMs: readonly [number, number], signal: AbortSignal, onInitiating: () => void): Promise<Connection> {
    const { device, settings } = this.#activation;
    await this.#stopScan();
    return await device.connect(peer, {
      signal,
      timeoutMs: Number.POSITIVE_INFINITY,
      intervalMs,
      supervisionTimeoutMs: SUPERVISION_TIMEOUT_MS,
      scanIntervalMs: SCAN_MS,
      scanWindowMs: SCAN_MS,
      ownAddress: settings.ownAddress,
      policy: this.#activation.policy(),
      onInitiating,
    });
  }

  /** The time is one for looking: a link that has come is left to prove itself. */
  #limit(attempt: Attempt, scanDurationMs: number): Disposable {
    const durationMs = scanDurationMs === 0 ? LONGEST_MS : scanDurationMs;
    return this.#activation.clock.setTimer(durationMs, "gapConnect", () => {
      const giveUp = (): void => attempt.abort.abort(new TimeoutError("gapConnect", durationMs));
      const { coming } = this.#activation.links;
      if (coming) void coming.closed.then(giveUp);
      else giveUp();
    });
  }

  #leave(attempt: Attempt): void {
    attempt.timer?.[Symbol.dispose]();
    if (this.#attempt === attempt) this.#attempt = undefined;
  }

  #finish(attempt: Attempt, outcome: unknown): void {
    this.#leave(attempt);
    const { links, dispatcher, logger } = this.#activation;
    if (this.#isClosed) return;
    const connection = outcome as Connection;
    if (!(outcome instanceof Error) && links.announce(connection)) return;
    logger.info(() => `gapConnect came to nothing: ${String(outcome)}`);
    const reason = reasonOf(outcome instanceof Error ? outcome : connection.ended);
    dispatcher.raise(
      createEvent("peripheralDisconnect", { connHandle: NO_CONNECTION, addrType: NOBODY.addrType, addr: NOBODY.addr.slice(), reason }),
    );
  }

  #refusal(error: unknown): Error {
    const { errors, device } = this.#activation;
    const isFull = error instanceof HciError && error.status === HciErrorCode.CommandDisallowed && device.links.length > 0;
    if (isFull) return errors.ofStatus(error.status, "gapConnect: no room for another connection", { code: "ENOMEM", cause: error });
    return errors.of("gapConnect", error);
  }
}

/** Why no link came of it, as a value of HciErrorCode. */
function reasonOf(error: unknown): number {
  if (error instanceof HciError) return error.status;
  if (error instanceof DisconnectedError) return error.reason;
  return error instanceof TimeoutError ? HciErrorCode.ConnectionTimeout : HciErrorCode.UnspecifiedError;
}
