import type { Clock } from "../async/clock.ts";
import type { OperationOptions } from "../async/pending.ts";
import { DecodeError } from "../bytes/decode-error.ts";
import { type BleError, StateError } from "../core/error.ts";
import { PDU_OFFSET, type PduChannel } from "../l2cap/channel.ts";
import { Departures, ignoreLoss } from "./departure.ts";
import { AttError, AttProtocolError, AttTimeoutError } from "./error.ts";
import { AttErrorCode } from "./error-code.ts";
import { AttOpcode, attOpcodeName, TRANSACTION_TIMEOUT_MS } from "./opcode.ts";
import type { SecurityRequirement } from "./security.ts";
import { type Recovery, type Refuse, type ResponseParser, Transaction, type TransactionKind } from "./transaction.ts";

/** Requests that may wait for their turn; a program that asks faster than the peer answers is told so. */
const CAPACITY = 256;

export interface AttRequestOptions extends OperationOptions {
  /** What the link must have when the request leaves, beyond what the connection demands. */
  security?: SecurityRequirement | undefined;
  /** Asked when it could leave: what this gives rejects it, and it does not leave. */
  refuse?: Refuse | undefined;
}

/** Requests that rest on handles which the client learned earlier, and a peer refuses once as out of sync (Vol 3 Part G 2.5.2.1). */
const RESTS_ON_HANDLES: readonly number[] = [
  AttOpcode.ReadReq,
  AttOpcode.ReadBlobReq,
  AttOpcode.ReadMultipleReq,
  AttOpcode.ReadMultipleVariableReq,
  AttOpcode.WriteReq,
  AttOpcode.PrepareWriteReq,
];

export interface RequestQueueOptions {
  readonly channel: PduChannel;
  readonly clock: Clock;
  readonly onTimeout: (error: AttTimeoutError) => void;
  /** The peer says that its services are not what the client knows. */
  readonly onOutOfSync: () => void;
  /** Why a request may not leave on the link as it is now. */
  readonly refusal: (security: SecurityRequirement | undefined) => BleError | undefined;
}

/** The client side's requests: one on its way, the others in the order they were made (Vol 3 Part F 3.3.2). */
export class RequestQueue {
  readonly #channel: PduChannel;
  readonly #departures: Departures<Transaction<unknown>>;
  readonly #kind: TransactionKind;
  readonly #onTimeout: RequestQueueOptions["onTimeout"];
  readonly #refusal: RequestQueueOptions["refusal"];
  readonly #tellOutOfSync: RequestQueueOptions["onOutOfSync"];
  #current: Transaction<unknown> | undefined;
  #waiting: Transaction<unknown>[] = [];

  constructor({ channel, clock, onTimeout, onOutOfSync, refusal }: RequestQueueOptions) {
    this.#tellOutOfSync = onOutOfSync;
    this.#channel = channel;
    this.#departures = new Departures(channel, (transaction) => this.#onLeft(transaction));
    this.#kind = { clock, operation: (frame) => attOpcodeName(frame[PDU_OFFSET]!), onGivenUp: (transaction) => this.#leave(transaction) };
    this.#onTimeout = onTimeout;
    this.#refusal = refusal;
  }

  get size(): number {
    return this.#waiting.length + (this.#current ? 1 : 0);
  }

  push<T>(frame: Uint8Array, parse: ResponseParser<T>, options: AttRequestOptions = {}, recovery?: Recovery<T>): Promise<T> {
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (this.#waiting.length >= CAPACITY) return Promise.reject(new StateError(`${CAPACITY} ATT requests are waiting already`));
    const { signal, timeoutMs, security, refuse } = options;
    const transaction = new Transaction<T>(this.#kind, frame, { signal, timeoutMs, parse, security, refuse, recovery });
    if (!this.#current && this.#waiting.length === 0) this.#begin(transaction as Transaction<unknown>);
    else this.#waiting.push(transaction as Transaction<unknown>);
    return transaction.promise;
  }

  // One that was sent stays the current one: its response must be told from the next one's.
  #leave(transaction: Transaction<unknown>): void {
    const at = this.#waiting.indexOf(transaction);
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (this.#current === transaction && !transaction.sent) {
      this.#current = undefined;
      this.#next();
    }
  }

  #next(): void {
    if (this.#current || this.#waiting.length === 0) return;
    this.#begin(this.#waiting.shift()!);
  }

  #begin(transaction: Transaction<unknown>): void {
    this.#current = transaction;
    if (this.#channel.writable) this.#start(transaction);
    else this.#channel.whenWritable().then(() => this.#start(transaction), ignoreLoss);
  }

  #start(transaction: Transaction<unknown>): void {
    if (this.#current !== transaction) return; // it was given up while the link was full
    const refusal = this.#refusal(transaction.security) ?? transaction.refuse?.();
    if (refusal) {
      this.#current = undefined;
      transaction.reject(refusal);
      this.#next();
      return;
    }
    transaction.sent = true;
    this.#departures.send(transaction);
  }

  #onLeft(transaction: Transaction<unknown>): void {
    // The answer may have come before the controller's report.
    if (this.#current === transaction)
      transaction.timer = this.#kind.clock.setTimer(TRANSACTION_TIMEOUT_MS, "ATT transaction", this.#expire);
  }

  /** The time of the current one is over: the timer ends with it. */
  readonly #expire = (): void => {
    const transaction = this.#current!;
    const error = new AttTimeoutError(transaction.frame[PDU_OFFSET]!);
    this.#current = undefined;
    transaction.reject(error);
    this.#onTimeout(error);
  };

  /** `bytes[offset, end)` follow the opcode. False where no request waits for such a response. */
  onResponse(opcode: number, bytes: Uint8Array, offset: number, end: number): boolean {
    const transaction = this.#current;
    if (!transaction?.sent) return false;
    const requestOpcode = transaction.frame[PDU_OFFSET]!;
    if (opcode === AttOpcode.ErrorRsp) {
      if (end - offset === 4 && bytes[offset] !== requestOpcode) return false;
    } else if (opcode !== requestOpcode + 1) return false;
    transaction.stopTimer();
    this.#current = undefined;
    if (opcode === AttOpcode.ErrorRsp) this.#refuse(transaction, requestOpcode, bytes, offset, end);
    else if (!transaction.settled) this.#accept(transaction, requestOpcode, bytes, offset, end);
    if (opcode === AttOpcode.ErrorRsp && end - offset === 4 && bytes[offset + 3] === AttErrorCode.DatabaseOutOfSync) this.#onOutOfSync();
    this.#next();
    return true;
  }

  #accept(transaction: Transaction<unknown>, requestOpcode: number, bytes: Uint8Array, offset: number, end: number): void {
    try {
      transaction.resolve(transaction.parse!(bytes, offset, end));
    } catch (error) {
      transaction.reject(error instanceof DecodeError ? new AttProtocolError(requestOpcode, error.message, { cause: error }) : error);
    }
  }

  #refuse(transaction: Transaction<unknown>, requestOpcode: number, bytes: Uint8Array, offset: number, end: number): void {
    if (transaction.settled) return;
    if (end - offset !== 4)
      transaction.reject(new AttProtocolError(requestOpcode, `error response of ${end - offset + 1} octets, must be 5`));
    else
      transaction.reject(
        new AttError({ errorCode: bytes[offset + 3]!, requestOpcode, attributeHandle: bytes[offset + 1]! | (bytes[offset + 2]! << 8) }),
      );
  }

  /**
   * The peer says this once, and takes the next request for one that knows better. Those that wait were made before it was said: they are
   * refused here, before they reach what now has their handles.
   */
  #onOutOfSync(): void {
    const errorCode = AttErrorCode.DatabaseOutOfSync;
    const refused = this.#waiting.filter(({ frame }) => RESTS_ON_HANDLES.includes(frame[PDU_OFFSET]!));
    this.#waiting = this.#waiting.filter((transaction) => !refused.includes(transaction));
    for (const transaction of refused) {
      const { frame } = transaction;
      const attributeHandle = frame[PDU_OFFSET + 1]! | (frame[PDU_OFFSET + 2]! << 8);
      transaction.reject(new AttError({ errorCode, requestOpcode: frame[PDU_OFFSET]!, attributeHandle }));
    }
    this.#tellOutOfSync();
  }

  /** @param unsent for those that have not left */
  close(error: Error, unsent = error): void {
    const current = this.#current;
    this.#current = undefined;
    current?.stopTimer();
    current?.reject(current.sent ? error : unsent);
    for (const transaction of this.#waiting.splice(0)) transaction.reject(unsent);
  }
}
