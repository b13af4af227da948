import { type OperationOptions, Pending } from "../async/index.ts";
import { ownTerms } from "../async/own-terms.ts";
import { kindOf } from "../core/arguments.ts";
import { ArgumentError, type BleError, StateError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { LinkParameters } from "../gap/index.ts";
import {
  type DisconnectedError,
  type Hci,
  HciError,
  HciErrorCode,
  LeEnableEncryption,
  LeFeature,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeReadRemoteFeatures,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
} from "../hci/index.ts";
import { type ConnectionParameters, connectionParametersProblem, type L2capLink } from "../l2cap/index.ts";
import { ParameterUpdates } from "./parameter-updates.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** The link layer ends every procedure of its own after 40 s without an answer, and with it the link (Vol 6 Part B 5.2). */
const PROCEDURE_TIMEOUT_MS = 45_000;
const FEATURES = "reading the peer's features";

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
  readonly #updates: ParameterUpdates;
  readonly #features: Procedure<bigint> = { pending: undefined };
  #remoteFeatures: bigint | undefined;
  /** The features are being read, for everybody who asks meanwhile. */
  #readingFeatures: Promise<bigint> | undefined;
  #closed: BleError | undefined;

  constructor(at: { hci: Hci; link: L2capLink; logger: Logger; answer: NonNullable<ConnectionPolicy["parameterRequests"]> }) {
    this.#hci = at.hci;
    this.#link = at.link;
    this.#logger = at.logger;
    this.#answer = at.answer;
    this.#updates = new ParameterUpdates({ hci: at.hci, link: at.link, canAskOverLinkLayer: () => this.#canAskOverLinkLayer() });
    if (at.link.role === "central") at.link.parameterUpdate.onRequest = (request) => this.#onParameterUpdateRequest(request);
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
   * @returns what is in force now; nothing: the central refused a request over L2CAP
   */
  updateParameters(wanted: ConnectionParameters, options: OperationOptions): Promise<LinkParameters | undefined> {
    return this.#updates.update(wanted, options);
  }

  onConnectionUpdate(status: number, parameters: LinkParameters): void {
    this.#updates.onComplete(status, parameters);
  }

  /** Both controllers know the link layer's own request (Vol 6 Part B 5.1.7). */
  async #canAskOverLinkLayer(): Promise<boolean> {
    if (!this.#hci.hasLeFeature(LeFeature.ConnectionParametersRequestProcedure)) return false;
    try {
      const features = await this.remoteFeatures({});
      return ((features >> BigInt(LeFeature.ConnectionParametersRequestProcedure)) & 1n) === 1n;
    } catch (error) {
      // A peripheral may be unable to ask for features; that is no reason not to ask for parameters.
      if (error instanceof HciError) return false;
      throw error;
    }
  }

  /** LE features of the peer's controller; asked for once, whoever asks. */
  async remoteFeatures(options: OperationOptions): Promise<bigint> {
    if (this.#closed) throw this.#closed;
    options.signal?.throwIfAborted();
    if (this.#remoteFeatures !== undefined) return this.#remoteFeatures;
    this.#readingFeatures ??= this.#readRemoteFeatures();
    return await ownTerms(this.#hci.clock, FEATURES, this.#readingFeatures, options);
  }

  async #readRemoteFeatures(): Promise<bigint> {
    const command = (): Promise<void> => this.#hci.send(LeReadRemoteFeatures, { connectionHandle: this.#connectionHandle });
    try {
      this.#remoteFeatures = await this.#run(this.#features, FEATURES, command, {});
      return this.#remoteFeatures;
    } finally {
      this.#readingFeatures = undefined;
    }
  }

  onRemoteFeatures(status: number, features: bigint): void {
    const { pending } = this.#features;
    if (status === HciErrorCode.Success) pending?.resolve(features);
    else pending?.reject(new HciError({ status, command: "LeReadRemoteFeatures" }));
  }

  #accepts(request: ConnectionParameters): boolean {
    if (connectionParametersProblem(request)) return false;
    if (typeof this.#answer !== "function") return this.#answer === "accept";
    const answer: unknown = this.#answer(request);
    if (typeof answer !== "boolean") throw new ArgumentError(`parameterRequests: expected true or false, got ${kindOf(answer)}`);
    return answer;
  }

  /** The peripheral asks over L2CAP; an accepted request is carried out here (Vol 3 Part A 4.20). */
  #onParameterUpdateRequest(request: ConnectionParameters): boolean {
    if (!this.#accepts(request)) return false;
    this.#inBackground("the peripheral's connection parameters", this.#updates.update(request, {}));
    return true;
  }

  /** The peer asks over the link layer, whatever its role. */
  onRemoteParameterRequest(request: ConnectionParameters): void {
    const connectionHandle = this.#connectionHandle;
    let accepted = false;
    try {
      accepted = this.#accepts(request);
    } finally {
      const { intervalMin, intervalMax, latency: maxLatency, timeout } = request;
      const parameters = { connectionHandle, intervalMin, intervalMax, maxLatency, timeout, minCeLength: 0, maxCeLength: 0 };
      const reason = HciErrorCode.UnacceptableConnectionParameters;
      if (accepted) this.#updates.onAccepted(request);
      const sent = accepted
        ? this.#hci.send(LeRemoteConnectionParameterRequestReply, parameters)
        : this.#hci.send(LeRemoteConnectionParameterRequestNegativeReply, { connectionHandle, reason });
      if (accepted) sent.catch(() => this.#updates.onAccepted(undefined)); // no event will come of it
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
    this.#link.parameterUpdate.onRequest = undefined;
    this.#updates.close(reason);
    for (const { pending } of [this.#encryption, this.#features]) pending?.reject(reason);
  }
}
