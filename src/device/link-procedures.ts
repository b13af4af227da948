import { type OperationOptions, Pending } from "../async/index.ts";
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
  ReadRemoteVersionInformation,
} from "../hci/index.ts";
import { type ConnectionParameters, connectionParametersProblem, type L2capLink } from "../l2cap/index.ts";
import { PROCEDURE_TIMEOUT_MS } from "./link-requests.ts";
import { ParameterUpdates } from "./parameter-updates.ts";
import { PeerFact } from "./peer-fact.ts";
import type { ConnectionPolicy } from "./policy.ts";
import type { RemoteVersion } from "./remote-version.ts";

/**
 * The procedures of one link that begin with a command and end with an event of their own: encryption, connection parameters, features and
 * version of the peer. Also answers the controller's questions.
 */
export class LinkProcedures {
  readonly #hci: Hci;
  readonly #link: L2capLink;
  readonly #logger: Logger;
  readonly #answer: NonNullable<ConnectionPolicy["parameterRequests"]>;
  readonly #updates: ParameterUpdates;
  readonly #features: PeerFact<bigint>;
  readonly #version: PeerFact<RemoteVersion>;
  #encryption: Pending<void> | undefined;
  #closed: BleError | undefined;

  constructor(at: { hci: Hci; link: L2capLink; logger: Logger; answer: NonNullable<ConnectionPolicy["parameterRequests"]> }) {
    this.#hci = at.hci;
    this.#link = at.link;
    this.#logger = at.logger;
    this.#answer = at.answer;
    this.#updates = new ParameterUpdates({ hci: at.hci, link: at.link, canAskOverLinkLayer: () => this.#canAskOverLinkLayer() });
    const { clock } = at.hci;
    const connectionHandle = at.link.handle;
    const askFeatures = (): Promise<void> => at.hci.send(LeReadRemoteFeatures, { connectionHandle });
    this.#features = new PeerFact({ clock, operation: "reading the peer's features", ask: askFeatures });
    const askVersion = (): Promise<void> => at.hci.send(ReadRemoteVersionInformation, { connectionHandle });
    this.#version = new PeerFact({ clock, operation: "reading the peer's version", ask: askVersion });
    if (at.link.role === "central") at.link.parameterUpdate.onRequest = (request) => this.#onParameterUpdateRequest(request);
  }

  get #connectionHandle(): number {
    return this.#link.handle;
  }

  /** HCI_LE_Enable_Encryption as central; key and rand least significant octet first. */
  async startEncryption(longTermKey: Uint8Array, randomNumber: Uint8Array, encryptedDiversifier: number): Promise<void> {
    if (this.#closed) throw this.#closed;
    if (this.#encryption) throw new StateError("encryption is under way already");
    const pending = new Pending<void>({
      clock: this.#hci.clock,
      operation: "encryption",
      timeoutMs: PROCEDURE_TIMEOUT_MS,
      onSettled: () => {
        this.#encryption = undefined;
      },
    });
    this.#encryption = pending;
    this.#link.expectEncryption();
    const parameters = { connectionHandle: this.#connectionHandle, randomNumber, encryptedDiversifier, longTermKey };
    this.#hci.send(LeEnableEncryption, parameters).catch((error: unknown) => {
      this.#link.encryptionSettled();
      pending.reject(this.#closed ?? error);
    });
    await pending.promise;
  }

  /** After everybody else has heard of it: what waited for the event is looked at now. */
  onEncryptionChange(status: number): void {
    this.#link.encryptionSettled();
    if (status === HciErrorCode.Success) this.#encryption?.resolve();
    else this.#encryption?.reject(new HciError({ status, command: "LeEnableEncryption" }));
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

  /** LE features of the peer's controller. */
  remoteFeatures(options: OperationOptions): Promise<bigint> {
    return this.#features.read(options);
  }

  onRemoteFeatures(status: number, features: bigint): void {
    if (status === HciErrorCode.Success) this.#features.resolve(features);
    else this.#features.reject(new HciError({ status, command: "LeReadRemoteFeatures" }));
  }

  /** Version of the peer's controller. */
  remoteVersion(options: OperationOptions): Promise<RemoteVersion> {
    return this.#version.read(options);
  }

  onRemoteVersion(status: number, version: RemoteVersion): void {
    if (status === HciErrorCode.Success) this.#version.resolve(version);
    else this.#version.reject(new HciError({ status, command: "ReadRemoteVersionInformation" }));
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
    this.#encryption?.reject(reason);
    for (const fact of [this.#features, this.#version]) fact.close(reason);
  }
}
