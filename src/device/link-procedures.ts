import { type OperationOptions, Pending } from "../async/index.ts";
import type { BleError } from "../core/error.ts";
import { StateError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { ConnectionParameterUnits } from "../gap/index.ts";
import {
  type DisconnectedError,
  type Hci,
  HciError,
  HciErrorCode,
  LeConnectionUpdate,
  LeEnableEncryption,
  LeFeature,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeReadRemoteFeatures,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
} from "../hci/index.ts";
import { connectionParametersProblem, type L2capLink } from "../l2cap/index.ts";
import type { ConnectionPolicy, ParameterRequest } from "./policy.ts";

/** The link layer ends every procedure of its own after 40 s without an answer, and with it the link (Vol 6 Part B 5.2). */
const PROCEDURE_TIMEOUT_MS = 45_000;
/** A new interval applies some events after it was agreed: at most 32 s at the longest interval, usually at once. */
const UPDATE_TIMEOUT_MS = 60_000;

interface Procedure<T> {
  pending: Pending<T> | undefined;
}

/**
 * The procedures of one link that begin with a command and end with an event of their own: encryption, connection parameters, features of
 * the peer. Also answers the controller's questions.
 */
export class LinkProcedures {
  readonly #hci: Hci;
  readonly #link: L2capLink;
  readonly #logger: Logger;
  readonly #answer: NonNullable<ConnectionPolicy["parameterRequests"]>;
  readonly #encryption: Procedure<void> = { pending: undefined };
  readonly #update: Procedure<void> = { pending: undefined };
  readonly #features: Procedure<bigint> = { pending: undefined };
  #remoteFeatures: bigint | undefined;
  #closed: BleError | undefined;

  constructor(at: { hci: Hci; link: L2capLink; logger: Logger; answer: NonNullable<ConnectionPolicy["parameterRequests"]> }) {
    this.#hci = at.hci;
    this.#link = at.link;
    this.#logger = at.logger;
    this.#answer = at.answer;
    if (at.link.role === "central")
      at.link.signalling.onConnectionParameterUpdateRequest = (request) => this.#onParameterUpdateRequest(request);
  }

  get #connectionHandle(): number {
    return this.#link.handle;
  }

  /** Sends a command and waits for its event, which settles `procedure.pending`. */
  async #run<T>(procedure: Procedure<T>, what: string, command: () => Promise<unknown>, options: OperationOptions): Promise<T> {
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    if (procedure.pending) throw new StateError(`${what} is under way already`);
    const pending = new Pending<T>({
      clock: this.#hci.clock,
      operation: what,
      timeoutMs: PROCEDURE_TIMEOUT_MS,
      ...options,
      onSettled: () => {
        if (procedure.pending === pending) procedure.pending = undefined;
      },
    });
    procedure.pending = pending;
    command().catch((error: unknown) => pending.reject(this.#closed ?? error));
    return pending.promise;
  }

  /** HCI_LE_Enable_Encryption as central; key and rand least significant octet first. */
  startEncryption(longTermKey: Uint8Array, randomNumber: Uint8Array, encryptedDiversifier: number): Promise<void> {
    const parameters = { connectionHandle: this.#connectionHandle, randomNumber, encryptedDiversifier, longTermKey };
    const command = (): Promise<void> => {
      this.#link.expectEncryption();
      const sent = this.#hci.send(LeEnableEncryption, parameters);
      sent.catch(() => this.#link.encryptionSettled());
      return sent;
    };
    return this.#run(this.#encryption, "encryption", command, {});
  }

  /** After everybody else has heard of it: what waited for the event is looked at now. */
  onEncryptionChange(status: number): void {
    this.#link.encryptionSettled();
    const { pending } = this.#encryption;
    if (status === HciErrorCode.Success) pending?.resolve();
    else pending?.reject(new HciError({ status, command: "LeEnableEncryption" }));
  }

  answerLongTermKeyRequest(longTermKey: Uint8Array | undefined): void {
    const connectionHandle = this.#connectionHandle;
    if (longTermKey) this.#link.expectEncryption();
    const sent = longTermKey
      ? this.#hci.send(LeLongTermKeyRequestReply, { connectionHandle, longTermKey })
      : this.#hci.send(LeLongTermKeyRequestNegativeReply, { connectionHandle });
    this.#inBackground("answer to a long term key request", sent);
  }

  /**
   * Changes the parameters, or asks for it.
   *
   * @returns false: the central refused a request over L2CAP
   */
  async updateParameters(units: ConnectionParameterUnits, options: OperationOptions): Promise<boolean> {
    const { clock } = this.#hci;
    const { timeoutMs = UPDATE_TIMEOUT_MS, signal } = options;
    const untilMs = clock.now() + timeoutMs;
    const remaining = (): OperationOptions => ({ signal, timeoutMs: Math.max(0, untilMs - clock.now()) });
    if (this.#link.role === "central" || (await this.#canAskOverLinkLayer(remaining()))) {
      await this.#run(this.#update, "connection parameter update", () => this.#sendUpdate(units), remaining());
      return true;
    }
    // The answer and the update itself are two things: the event may come before or after the answer is looked at.
    const updated = this.#run(this.#update, "connection parameter update", () => Promise.resolve(), remaining());
    updated.catch(() => undefined); // awaited below, unless the request is refused
    const request: ParameterRequest = {
      intervalMin: units.connectionIntervalMin,
      intervalMax: units.connectionIntervalMax,
      latency: units.maxLatency,
      timeout: units.supervisionTimeout,
    };
    try {
      if (!(await this.#link.signalling.requestConnectionParameterUpdate(request, remaining()))) {
        this.#update.pending?.resolve();
        return false;
      }
    } catch (error) {
      this.#update.pending?.reject(error);
      throw error;
    }
    await updated;
    return true;
  }

  #sendUpdate(units: ConnectionParameterUnits): Promise<void> {
    return this.#hci.send(LeConnectionUpdate, { connectionHandle: this.#connectionHandle, ...units, minCeLength: 0, maxCeLength: 0 });
  }

  onConnectionUpdate(status: number): void {
    const { pending } = this.#update;
    if (status === HciErrorCode.Success) pending?.resolve();
    else pending?.reject(new HciError({ status, command: "LeConnectionUpdate" }));
  }

  /** Both controllers know the link layer's own request (Vol 6 Part B 5.1.7). */
  async #canAskOverLinkLayer(options: OperationOptions): Promise<boolean> {
    if (!this.#hci.hasLeFeature(LeFeature.ConnectionParametersRequestProcedure)) return false;
    try {
      const features = await this.remoteFeatures(options);
      return ((features >> BigInt(LeFeature.ConnectionParametersRequestProcedure)) & 1n) === 1n;
    } catch (error) {
      // A peripheral may be unable to ask for features; that is no reason not to ask for parameters.
      if (error instanceof HciError) return false;
      throw error;
    }
  }

  async remoteFeatures(options: OperationOptions): Promise<bigint> {
    if (this.#closed) throw this.#closed;
    if (this.#remoteFeatures !== undefined) return this.#remoteFeatures;
    if (this.#features.pending) return this.#features.pending.promise;
    const command = (): Promise<void> => this.#hci.send(LeReadRemoteFeatures, { connectionHandle: this.#connectionHandle });
    this.#remoteFeatures = await this.#run(this.#features, "reading the peer's features", command, options);
    return this.#remoteFeatures;
  }

  onRemoteFeatures(status: number, features: bigint): void {
    const { pending } = this.#features;
    if (status === HciErrorCode.Success) pending?.resolve(features);
    else pending?.reject(new HciError({ status, command: "LeReadRemoteFeatures" }));
  }

  #accepts(request: ParameterRequest): boolean {
    if (connectionParametersProblem(request)) return false;
    return typeof this.#answer === "function" ? this.#answer(request) : this.#answer === "accept";
  }

  /** The peripheral asks over L2CAP; an accepted request is carried out here (Vol 3 Part A 4.20). */
  #onParameterUpdateRequest(request: ParameterRequest): boolean {
    if (!this.#accepts(request)) return false;
    const units = {
      connectionIntervalMin: request.intervalMin,
      connectionIntervalMax: request.intervalMax,
      maxLatency: request.latency,
      supervisionTimeout: request.timeout,
    };
    this.#inBackground("the peripheral's connection parameters", this.#sendUpdate(units));
    return true;
  }

  /** The peer asks over the link layer, whatever its role. */
  onRemoteParameterRequest(request: ParameterRequest): void {
    const connectionHandle = this.#connectionHandle;
    let accepted = false;
    try {
      accepted = this.#accepts(request);
    } finally {
      const { intervalMin, intervalMax, latency: maxLatency, timeout } = request;
      const parameters = { connectionHandle, intervalMin, intervalMax, maxLatency, timeout, minCeLength: 0, maxCeLength: 0 };
      const reason = HciErrorCode.UnacceptableConnectionParameters;
      const sent = accepted
        ? this.#hci.send(LeRemoteConnectionParameterRequestReply, parameters)
        : this.#hci.send(LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle, reason });
      this.#inBackground("answer to a request for connection parameters", sent);
    }
  }

  #inBackground(what: string, sent: Promise<unknown>): void {
    sent.catch((error: unknown) => {
      if (!this.#closed) this.#logger.warn(() => `${what}: ${String(error)}`);
    });
  }

  /** The link is gone. */
  close(reason: DisconnectedError): void {
    this.#closed = reason;
    this.#link.signalling.onConnectionParameterUpdateRequest = undefined;
    for (const { pending } of [this.#encryption, this.#update, this.#features]) pending?.reject(reason);
  }
}
