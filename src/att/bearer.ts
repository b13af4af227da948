import type { Clock } from "../async/clock.ts";
import { Emitter } from "../async/emitter.ts";
import { type OperationOptions, Pending } from "../async/pending.ts";
import { ArgumentError, type BleError, StateError } from "../core/error.ts";
import { Logger } from "../core/logger.ts";
import { PDU_OFFSET, type PduChannel } from "../l2cap/channel.ts";
import type { AttBearerEvents, AttBearerOptions, AttClientSide, AttServerSide } from "./bearer-sides.ts";
import { AttBearerClosedError, AttError, type AttTimeoutError, AttUnsentError, InsufficientSecurityError } from "./error.ts";
import { AttErrorCode } from "./error-code.ts";
import { FlowQueue } from "./flow-queue.ts";
import { IndicationQueue } from "./indication-queue.ts";
import { AttOpcode, COMMAND_FLAG, DEFAULT_ATT_MTU, isAttOpcode } from "./opcode.ts";
import { type ResolvedAttPolicy, resolveAttPolicy } from "./policy.ts";
import { type AttRequestOptions, RequestQueue } from "./request-queue.ts";
import { bothRequirements, type LinkSecurity, meets, NO_SECURITY, type SecurityRequirement } from "./security.ts";
import type { Recovery, Refuse, ResponseParser } from "./transaction.ts";

export type { AttBearerEvents, AttBearerOptions, AttClientSide, AttServerSide } from "./bearer-sides.ts";
export type { AttRequestOptions } from "./request-queue.ts";

/**
 * Says what the link is worth. For whoever owns the link, and nobody else: the server believes it, and no package entrance exports it.
 */
export let setLinkSecurity: (bearer: AttBearer, security: LinkSecurity) => void;
/** Says what the client side demands of the link: below it no request and no command leaves, and no value is handed up. For the link's owner. */
export let setClientDemand: (bearer: AttBearer, demand: SecurityRequirement) => void;
/** The channel of an enhanced bearer was reconfigured. For its owner. */
export let setEnhancedMtu: (bearer: AttBearer, mtu: number) => void;

const NO_DEMAND: SecurityRequirement = Object.freeze({});

/** Requests a peer may have on the way although it may send one only; more are dropped. */
const PIPELINED_REQUESTS = 8;

/**
 * The Attribute Protocol on one channel, both sides at once (Vol 3 Part F 3.3). The client side sends one request at a time, in the order
 * asked; the server side has one request answered at a time; notifications pass both. No PDU is ever longer than `txLimit`.
 */
export class AttBearer {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly channel: PduChannel;
  /** It stands on a channel of its own: its MTU is that channel's, and there is no exchange (Vol 3 Part F 3.2.11, 3.4.2). */
  readonly isEnhanced: boolean;
  /** Takes notifications and indications; set by GattClient. */
  client: AttClientSide | undefined;
  /** Takes requests and commands; set by GattServer. Without one every request but Exchange MTU is answered Request Not Supported. */
  server: AttServerSide | undefined;

  #policy: ResolvedAttPolicy;
  readonly #events = new Emitter<AttBearerEvents>();
  readonly #requests: RequestQueue;
  readonly #flow: FlowQueue;
  readonly #indications: IndicationQueue;
  #mtu = DEFAULT_ATT_MTU;
  #txLimit = DEFAULT_ATT_MTU;
  #mtuExchange: Promise<number> | undefined;
  #mtuExchanged = false;
  #security: LinkSecurity = NO_SECURITY;
  #demand = NO_DEMAND;
  /** The link meets the demand: asked for each value, so kept ready. */
  #isTrusted = true;
  /** What ended it: a lost link or an owner's close. */
  #closed: BleError | undefined;
  /** What refuses every sending: `#closed`, or the timeout's AttBearerClosedError. */
  #refusal: BleError | undefined;
  /** What it refuses new requests and indications with: of an enhanced bearer, that they can be sent on another one. */
  #unsent: BleError | undefined;

  #serverBusy = false;
  /** The request being answered came while our own Exchange MTU Request was on its way. */
  #defaultMtuResponse = false;
  #pipelined: Uint8Array[] = [];

  /** @throws {ArgumentError} a policy that cannot be kept */
  constructor(channel: PduChannel, { clock, logger = Logger.silent, policy, enhancedMtu }: AttBearerOptions) {
    this.channel = channel;
    this.isEnhanced = enhancedMtu !== undefined;
    this.clock = clock;
    this.logger = logger;
    this.#policy = resolveAttPolicy(policy);
    if (enhancedMtu !== undefined) {
      this.#mtuExchanged = true;
      this.#mtu = enhancedMtu;
      this.#txLimit = Math.min(enhancedMtu, this.#policy.maxTxPdu);
    }
    const onTimeout = (error: AttTimeoutError): void => this.#fail(error);
    this.#flow = new FlowQueue(channel, clock, () => this.writable);
    this.#requests = new RequestQueue({
      channel,
      clock,
      onTimeout,
      onOutOfSync: () => this.#events.emit("outOfSync", undefined),
      refusal: (security) => this.securityRefusal(security),
    });
    this.#indications = new IndicationQueue(channel, this.#flow, clock, onTimeout);
    channel.onPdu = (bytes, offset, end) => {
      if (bytes[offset] === AttOpcode.HandleValueNtf && end - offset >= 3)
        this.#onHandleValue(bytes[offset + 1]! | (bytes[offset + 2]! << 8), bytes, offset + 3, end, false);
      else if (end > offset) this.#onPdu(bytes[offset]!, bytes, offset, end);
    };
    channel.onClose = (reason) => this.close(reason);
  }

  get policy(): ResolvedAttPolicy {
    return this.#policy;
  }

  /**
   * Changes the policy's MTU, where no exchange was made or asked for yet: our receive MTU is the same whoever asks (Vol 3 Part F 3.4.2.2).
   *
   * @returns false: it is too late for that on this bearer
   * @throws {ArgumentError} below 23 or above 65,535
   */
  setPreferredMtu(mtu: number): boolean {
    const policy = resolveAttPolicy({ ...this.#policy, mtu });
    if (this.#mtuExchanged || this.#mtuExchange) return false;
    this.#policy = policy;
    return true;
  }

  /** ATT_MTU, the same in both directions: 23 until an exchange; of an enhanced bearer what both sides of its channel take. */
  get mtu(): number {
    return this.#mtu;
  }

  /** An exchange was made or refused, whoever asked, or our own is under way: another one cannot be begun. */
  get mtuExchanged(): boolean {
    return this.#mtuExchanged || this.#mtuExchange !== undefined;
  }

  /** The longest PDU that is sent: ATT_MTU, or the policy's `maxTxPdu` where that is less. */
  get txLimit(): number {
    return this.#txLimit;
  }

  /** `txLimit`, unless the request at hand overtook our own MTU exchange: then its response keeps to 23 (Vol 3 Part F 3.4.2.2). */
  get responseLimit(): number {
    return this.#defaultMtuResponse ? DEFAULT_ATT_MTU : this.#txLimit;
  }

  static {
    setLinkSecurity = (bearer, security) => bearer.#setSecurity(security);
    setClientDemand = (bearer, demand) => bearer.#setDemand(demand);
    setEnhancedMtu = (bearer, mtu) => bearer.#setMtu(mtu);
  }

  /** Security of the link, as its owner knows it. */
  get security(): LinkSecurity {
    return this.#security;
  }

  /** What the client side demands of the link, from its bond and its policy. */
  get demand(): SecurityRequirement {
    return this.#demand;
  }

  /** The link has what the connection demands, and `security` with it: a request may leave, a value be believed. */
  permits(security?: SecurityRequirement): boolean {
    return this.#isTrusted && (security === undefined || meets(this.#security, security));
  }

  /** Why a request that asks for `security` may not leave now; `undefined` where it may. */
  securityRefusal(security?: SecurityRequirement): InsufficientSecurityError | undefined {
    if (this.permits(security)) return undefined;
    return new InsufficientSecurityError(bothRequirements(this.#demand, security), this.#security);
  }

  #setSecurity(security: LinkSecurity): void {
    this.#security = Object.freeze({ ...security });
    this.#isTrusted = meets(this.#security, this.#demand);
    this.#events.emit("security", this.#security);
  }

  #setDemand(demand: SecurityRequirement): void {
    this.#demand = Object.freeze({ ...demand });
    this.#isTrusted = meets(this.#security, this.#demand);
  }

  /** Why the bearer is closed; `undefined` while it is open. */
  get ended(): BleError | undefined {
    return this.#closed;
  }

  /** Why nothing can be sent: closed, or failed by a timeout. */
  get refusal(): BleError | undefined {
    return this.#refusal;
  }

  /** Requests and indications that were sent and not answered, and everything that waits to be sent. For tests and diagnosis. */
  get pending(): number {
    return this.#requests.size + this.#flow.size + this.#indications.size;
  }

  /** Indications that wait for their turn or for their confirmation. */
  get unconfirmed(): number {
    return this.#indications.size;
  }

  on<K extends keyof AttBearerEvents>(event: K, listener: (value: AttBearerEvents[K]) => void): Disposable {
    return this.#events.on(event, listener);
  }

  /** A frame with room for a PDU of `length` octets from PDU_OFFSET. @throws {ArgumentError} longer than may be sent */
  allocate(length: number): Uint8Array {
    if (length > this.#txLimit) throw new ArgumentError(`ATT PDU of ${length} octets: at most ${this.#txLimit} may be sent`);
    return this.channel.allocate(length);
  }

  /**
   * Sends a request made in a frame of `allocate`, after those before it, and gives what `parse` reads in the response. Aborting a request
   * that was sent rejects at once; its response is swallowed when it comes, and until then no other request leaves.
   *
   * @throws {AttError} the peer refuses · {AttProtocolError} its answer is malformed · {AttTimeoutError} no answer within 30 s
   * @throws {AttBearerClosedError} an earlier transaction timed out · {StateError} too many requests wait
   * @throws {InsufficientSecurityError} the link is worth less than the connection or `options.security` demands when its turn comes
   */
  request<T>(frame: Uint8Array, parse: ResponseParser<T>, options: AttRequestOptions = {}, recovery?: Recovery<T>): Promise<T> {
    if (this.#unsent) return Promise.reject(this.#unsent);
    return this.#requests.push(frame, parse, options, recovery);
  }

  /**
   * Asks for the policy's MTU, once in the life of a link; later calls give what was agreed. A peer that knows no exchange leaves 23.
   *
   * @throws {StateError} the policy forbids it
   */
  async exchangeMtu(options: OperationOptions = {}): Promise<number> {
    options.signal?.throwIfAborted();
    if (this.policy.exchangeMtu === "never") throw new StateError("this connection's policy forbids starting an MTU exchange");
    if (this.#refusal) throw this.#refusal;
    if (this.#mtuExchanged) return this.#mtu;
    this.#mtuExchange ??= this.#exchangeMtu();
    if (!options.signal && options.timeoutMs === undefined) return this.#mtuExchange;
    const wait = new Pending<number>({ clock: this.clock, operation: "MTU exchange", ...options });
    this.#mtuExchange.then(
      (mtu) => wait.resolve(mtu),
      (error) => wait.reject(error),
    );
    return wait.promise;
  }

  async #exchangeMtu(): Promise<number> {
    const frame = this.#mtuFrame(AttOpcode.ExchangeMtuReq);
    try {
      // From here until the answer no notification leaves: the peer could not know its limit (Vol 3 Part F 3.4.2.2).
      this.#flow.paused = true;
      await this.#requests.push(frame, (bytes, offset, end) => {
        if (end - offset !== 2) return; // not understood: the default stays
        this.#agreeMtu(bytes[offset]! | (bytes[offset + 1]! << 8));
      });
      this.#mtuExchanged = true;
    } catch (error) {
      const isUnsent = error instanceof InsufficientSecurityError || error instanceof StateError;
      if (isUnsent) this.#mtuExchange = undefined;
      else this.#mtuExchanged = true;
      if (!(error instanceof AttError)) throw error;
      this.logger.info(() => `MTU exchange refused: ${error.message}`);
    } finally {
      this.#flow.paused = false;
      this.#flow.pump();
    }
    return this.#mtu;
  }

  #agreeMtu(peerMtu: number): void {
    this.#mtuExchanged = true;
    // A value below the default is a mistake and changes nothing (Vol 3 Part F 3.4.2.2).
    if (peerMtu < DEFAULT_ATT_MTU) return;
    this.#setMtu(Math.min(this.policy.mtu, peerMtu));
  }

  #setMtu(mtu: number): void {
    this.#mtu = mtu;
    this.#txLimit = Math.min(mtu, this.policy.maxTxPdu);
    this.#events.emit("mtu", mtu);
  }

  /** A notification or command would leave at once. */
  get writable(): boolean {
    return this.#flow.size === 0 && !this.#flow.paused && this.#refusal === undefined && this.channel.writable;
  }

  /** Resolves when `writable`. @throws the reason, once nothing can be sent any more */
  async whenWritable(options: OperationOptions = {}): Promise<void> {
    while (!this.writable) {
      if (this.#refusal) throw this.#refusal;
      await (this.#flow.size > 0 || this.#flow.paused ? this.#flow.whenEmpty(options) : this.channel.whenWritable(options));
    }
  }

  /** Sends a notification or command at once; only while `writable`. @throws {InsufficientSecurityError} a command that may not leave now */
  sendNow(frame: Uint8Array): void {
    if (!this.#isTrusted && frame[PDU_OFFSET]! & COMMAND_FLAG) throw this.securityRefusal()!;
    this.channel.sendFrame(frame);
  }

  /**
   * Sends a notification or command after those before it, when the link has room; resolves when it was handed to the link. One that had to
   * wait is judged by `refuse` when it could leave.
   *
   * @throws {StateError} 256 wait already · the reason, once nothing can be sent any more
   */
  sendFlow(frame: Uint8Array, options: AttRequestOptions = {}, refuse?: Refuse): Promise<void> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if ((frame[PDU_OFFSET]! & COMMAND_FLAG) === 0) return this.#flow.push(frame, options, refuse);
    const refusal = this.securityRefusal(options.security) ?? options.refuse?.();
    if (refusal) return Promise.reject(refusal);
    if (options.signal?.aborted || !this.writable) return this.#queueCommand(frame, options);
    this.channel.sendFrame(frame);
    return Promise.resolve();
  }

  #queueCommand(frame: Uint8Array, options: AttRequestOptions): Promise<void> {
    return this.#flow.push(frame, options, () => this.securityRefusal(options.security) ?? options.refuse?.());
  }

  /**
   * Sends an indication, one at a time, and resolves when the peer has confirmed it. `refuse` judges it when it could leave.
   *
   * @throws {AttTimeoutError} not confirmed within 30 s · {StateError} too many wait
   */
  indicate(frame: Uint8Array, options: OperationOptions = {}, refuse?: Refuse): Promise<void> {
    if (this.#unsent) return Promise.reject(this.#unsent);
    return this.#indications.push(frame, options, refuse);
  }

  /**
   * A frame with a PDU of `opcode`, `handle` and as much of `value` as fits: the form of notifications, indications, write requests and
   * commands. What does not fit is left out (Vol 3 Part F 3.4.7.1).
   */
  valueFrame(opcode: number, handle: number, value: Uint8Array): Uint8Array {
    const room = this.#txLimit - 3;
    const length = Math.min(value.length, room);
    const frame = this.channel.allocate(3 + length);
    frame[PDU_OFFSET] = opcode;
    frame[PDU_OFFSET + 1] = handle & 0xff;
    frame[PDU_OFFSET + 2] = handle >> 8;
    frame.set(length === value.length ? value : value.subarray(0, length), PDU_OFFSET + 3);
    return frame;
  }

  /** Sends the response to the request at hand. */
  respond(frame: Uint8Array): void {
    if (!this.#serverBusy) throw new StateError("no request is waiting for a response");
    this.#defaultMtuResponse = false;
    this.channel.sendFrame(frame);
    this.server?.onResponded();
    this.#serverBusy = false;
    this.#nextPipelined();
  }

  /** Answers the request at hand with ATT_ERROR_RSP. */
  respondError(requestOpcode: number, attributeHandle: number, errorCode: number): void {
    this.respond(this.#frameOf(AttOpcode.ErrorRsp, requestOpcode, attributeHandle & 0xff, attributeHandle >> 8, errorCode));
  }

  #mtuFrame(opcode: number): Uint8Array {
    const { mtu } = this.policy;
    return this.#frameOf(opcode, mtu & 0xff, mtu >> 8);
  }

  #frameOf(...pdu: number[]): Uint8Array {
    const frame = this.channel.allocate(pdu.length);
    frame.set(pdu, PDU_OFFSET);
    return frame;
  }

  /** Ends the bearer: everything pending rejects with `reason`, and nothing is sent any more. The link itself is its owner's affair. */
  close(reason: BleError): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#refusal = reason;
    this.#pipelined = [];
    this.channel.onPdu = undefined;
    this.#settleAll(reason);
    this.#events.emit("closed", reason);
  }

  #fail(error: AttTimeoutError): void {
    if (this.#refusal) return;
    this.logger.warn(() => `${error.message}; the bearer sends nothing more`);
    this.#refusal = new AttBearerClosedError("the ATT bearer is closed: an earlier transaction timed out", { cause: error });
    this.#settleAll(this.#refusal);
    this.#events.emit("failed", error);
  }

  #settleAll(error: BleError): void {
    // Another bearer of the link may carry what has not left here.
    this.#unsent = this.isEnhanced ? new AttUnsentError("the ATT bearer was closed before this was sent", { cause: error }) : error;
    this.#requests.close(error, this.#unsent);
    this.#indications.close(error, this.#unsent);
    this.#flow.close(error);
  }

  #onPdu(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    switch (opcode) {
      case AttOpcode.HandleValueNtf:
        return; // shorter than its header: ignored
      case AttOpcode.HandleValueInd:
        this.#onIndication(bytes, offset, end);
        return;
      case AttOpcode.MultipleHandleValueNtf:
        this.#onMultipleNotification(bytes, offset + 1, end);
        return;
      case AttOpcode.HandleValueCfm:
        if (end - offset === 1) this.#indications.onConfirmation();
        return;
      case AttOpcode.ErrorRsp:
      case AttOpcode.ExchangeMtuRsp:
      case AttOpcode.FindInformationRsp:
      case AttOpcode.FindByTypeValueRsp:
      case AttOpcode.ReadByTypeRsp:
      case AttOpcode.ReadRsp:
      case AttOpcode.ReadBlobRsp:
      case AttOpcode.ReadMultipleRsp:
      case AttOpcode.ReadByGroupTypeRsp:
      case AttOpcode.WriteRsp:
      case AttOpcode.PrepareWriteRsp:
      case AttOpcode.ExecuteWriteRsp:
      case AttOpcode.ReadMultipleVariableRsp:
        if (!this.#requests.onResponse(opcode, bytes, offset + 1, end))
          this.logger.debug(() => `ignored a response that nothing asked for, opcode 0x${opcode.toString(16)}`);
        return;
      default:
        if (opcode & COMMAND_FLAG) this.server?.onCommand(opcode, bytes, offset, end);
        else this.#onRequest(opcode, bytes, offset, end);
    }
  }

  #onIndication(bytes: Uint8Array, offset: number, end: number): void {
    // Confirmed first, so that a request made by whoever receives the value cannot overtake the confirmation. Even a malformed one is
    // confirmed, and dropped (Vol 3 Part F 3.4.7.2).
    const frame = this.channel.allocate(1);
    frame[PDU_OFFSET] = AttOpcode.HandleValueCfm;
    this.channel.sendFrame(frame);
    if (end - offset < 3) return;
    this.#onHandleValue(bytes[offset + 1]! | (bytes[offset + 2]! << 8), bytes, offset + 3, end, true);
  }

  // Hot path.
  #onHandleValue(handle: number, bytes: Uint8Array, offset: number, end: number, indication: boolean): void {
    if (handle === 0) return; // no attribute has it (Vol 3 Part F 3.2.2): invalid, ignored (3.4.7.1, 3.4.7.2)
    if (this.#isTrusted) this.client?.onHandleValue(handle, bytes, offset, end, indication);
    else this.logger.info(() => `a value of handle ${handle} was not believed: the link is not what this connection demands`);
  }

  /** All of its tuples are good, or none is handed up: nobody could say what else in it is wrong (Vol 3 Part F 3.4.7.4). */
  #onMultipleNotification(bytes: Uint8Array, offset: number, end: number): void {
    let at = offset;
    while (at < end) {
      if ((bytes[at]! | bytes[at + 1]!) === 0) return;
      at += 4 + (bytes[at + 2]! | (bytes[at + 3]! << 8));
    }
    if (at !== end) return; // a tuple may not be cut short, in its value or before
    for (at = offset; at < end; ) {
      const next = at + 4 + (bytes[at + 2]! | (bytes[at + 3]! << 8));
      this.#onHandleValue(bytes[at]! | (bytes[at + 1]! << 8), bytes, at + 4, next, false);
      at = next;
    }
  }

  #onRequest(opcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (this.#serverBusy) {
      // A client has to wait for the response before it sends another request (Vol 3 Part F 3.3.2); one that does not is served in turn.
      if (this.#pipelined.length < PIPELINED_REQUESTS) this.#pipelined.push(bytes.slice(offset, end));
      else this.logger.warn("dropped a request: the peer sends more than it may");
      return;
    }
    this.#serverBusy = true;
    this.#defaultMtuResponse = this.#flow.paused && !this.#mtuExchanged;
    if (opcode === AttOpcode.ExchangeMtuReq && !this.isEnhanced) this.#onExchangeMtuReq(bytes, offset, end);
    else if (!this.server || !isAttOpcode(opcode) || opcode === AttOpcode.ExchangeMtuReq)
      this.respondError(opcode, 0, AttErrorCode.RequestNotSupported);
    else this.server.onRequest(opcode, bytes, offset, end);
  }

  #onExchangeMtuReq(bytes: Uint8Array, offset: number, end: number): void {
    if (end - offset !== 3) {
      this.respondError(AttOpcode.ExchangeMtuReq, 0, AttErrorCode.InvalidPdu);
      return;
    }
    const peerMtu = bytes[offset + 1]! | (bytes[offset + 2]! << 8);
    this.channel.sendFrame(this.#mtuFrame(AttOpcode.ExchangeMtuRsp));
    this.#agreeMtu(peerMtu);
    this.server?.onResponded();
    this.#serverBusy = false;
    this.#nextPipelined();
  }

  #nextPipelined(): void {
    const next = this.#pipelined.shift();
    if (next && !this.#closed) this.#onRequest(next[0]!, next, 0, next.length);
  }
}
