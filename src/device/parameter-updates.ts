import { Deadline, type OperationOptions, Pending, Semaphore } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import type { BleError } from "../core/error.ts";
import { commandParameters, hasInterval, isWithin, type LinkParameters } from "../gap/index.ts";
import { type Hci, HciError, HciErrorCode, LeConnectionUpdate } from "../hci/index.ts";
import type { ConnectionParameters, L2capLink } from "../l2cap/index.ts";

const WHAT = "connection parameter update";
/** A new interval applies some events after it was agreed: at most 32 s at the longest interval, usually at once. */
const UPDATE_TIMEOUT_MS = 60_000;

/** What was asked for, and who waits for it. */
interface Asked {
  readonly wanted: ConnectionParameters;
  /** By a command of ours: an event with an error status is its answer. Otherwise by a request to the central. */
  readonly isCommand: boolean;
  readonly pending: Pending<LinkParameters>;
}

/**
 * Changes of one link's parameters. HCI_LE_Connection_Update_Complete does not say whose change it tells of, and ends the peer's procedure
 * as well as ours (Vol 4 Part E 7.7.65.3). So one change is asked for at a time, whoever gave up waiting for it, and an event answers it only
 * if its values are among those that were asked for.
 */
export class ParameterUpdates {
  readonly #hci: Hci;
  readonly #link: L2capLink;
  /** Whether both controllers know the link layer's own request (Vol 6 Part B 5.1.7). */
  readonly #canAskOverLinkLayer: () => Promise<boolean>;
  readonly #turns: Semaphore;
  #asked: Asked | undefined;
  /** The peer's request that was accepted and whose event has not come yet. */
  #accepted: ConnectionParameters | undefined;
  #closed: BleError | undefined;

  constructor(at: { hci: Hci; link: L2capLink; canAskOverLinkLayer: () => Promise<boolean> }) {
    this.#hci = at.hci;
    this.#link = at.link;
    this.#canAskOverLinkLayer = at.canAskOverLinkLayer;
    this.#turns = new Semaphore(at.hci.clock);
  }

  /**
   * Changes the parameters, or asks for it; after those who asked before.
   *
   * @returns what is in force now; nothing: the central refused a request over L2CAP
   */
  async update(
    wanted: ConnectionParameters,
    { signal, timeoutMs = UPDATE_TIMEOUT_MS }: OperationOptions,
  ): Promise<LinkParameters | undefined> {
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    const { clock } = this.#hci;
    using deadline = new Deadline({ clock, operation: WHAT, signal, timeoutMs });
    const turn = await this.#turns.acquire({ signal: deadline.signal }, WHAT);
    // The controllers go on with it when the caller has left, and until they are done no other may be asked for.
    const procedure = this.#ask(wanted).finally(() => turn[Symbol.dispose]());
    return await ownTerms(clock, WHAT, procedure, { signal: deadline.signal });
  }

  async #ask(wanted: ConnectionParameters): Promise<LinkParameters | undefined> {
    const isCentral = this.#link.role === "central";
    if (!isCentral && !(await this.#canAskOverLinkLayer())) return await this.#request(wanted);
    try {
      return await this.#command(wanted);
    } catch (error) {
      // The central's link layer may turn out not to know the procedure; then L2CAP is the way (Vol 3 Part A 4.20).
      const isUnknown = error instanceof HciError && error.status === HciErrorCode.UnsupportedRemoteFeature;
      if (isCentral || !isUnknown || this.#closed) throw error;
      return await this.#request(wanted);
    }
  }

  async #command(wanted: ConnectionParameters): Promise<LinkParameters> {
    const pending = this.#expect(wanted, true);
    const command = { connectionHandle: this.#link.handle, ...commandParameters(wanted), minCeLength: 0, maxCeLength: 0 };
    this.#hci.send(LeConnectionUpdate, command).catch((error: unknown) => pending.reject(this.#closed ?? error));
    return await pending.promise;
  }

  async #request(wanted: ConnectionParameters): Promise<LinkParameters | undefined> {
    const pending = this.#expect(wanted, false);
    // The answer and the update itself are two things: the event may come before the answer is looked at, which then says nothing new.
    const answer = this.#link.parameterUpdate.request(wanted);
    answer.catch(() => undefined);
    try {
      if (!(await Promise.race([answer, pending.promise.then(() => true)]))) return undefined;
      return await pending.promise;
    } finally {
      pending.reject(this.#closed);
    }
  }

  #expect(wanted: ConnectionParameters, isCommand: boolean): Pending<LinkParameters> {
    if (this.#closed) throw this.#closed;
    const pending = new Pending<LinkParameters>({
      clock: this.#hci.clock,
      operation: WHAT,
      timeoutMs: UPDATE_TIMEOUT_MS,
      onSettled: () => {
        this.#asked = undefined;
      },
    });
    pending.promise.catch(() => undefined); // awaited by who asks, unless a request is refused
    this.#asked = { wanted, isCommand, pending };
    return pending;
  }

  /** The event. */
  onComplete(status: number, parameters: LinkParameters): void {
    const asked = this.#asked;
    if (status !== HciErrorCode.Success) {
      // A request of the peer that comes to nothing is not told (7.7.65.3).
      if (asked?.isCommand) asked.pending.reject(new HciError({ status, command: "LeConnectionUpdate" }));
      return;
    }
    if (asked && isWithin(parameters, asked.wanted)) asked.pending.resolve(parameters);
    else if (this.#accepted && isWithin(parameters, this.#accepted)) this.#accepted = undefined;
    // A central may take the interval it was asked for and have its own mind about the rest.
    else if (asked && this.#link.role === "peripheral" && hasInterval(parameters, asked.wanted)) asked.pending.resolve(parameters);
  }

  /** A request of the peer over the link layer was accepted; nothing: the acceptance did not reach it. */
  onAccepted(request: ConnectionParameters | undefined): void {
    this.#accepted = request;
  }

  /** The link is gone. */
  close(reason: BleError): void {
    this.#closed = reason;
    this.#turns.close(reason);
    this.#asked?.pending.reject(reason);
  }
}
