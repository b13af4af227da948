import { DecodeError } from "../bytes/decode-error.ts";
import { decode } from "../bytes/index.ts";
import { type BleError, type Logger, StateError } from "../core/index.ts";
import type { PduChannel } from "./channel.ts";
import { CommandRejectReason } from "./error.ts";
import {
  CommandReject,
  encodeSignal,
  FlowControlCreditInd,
  isResponse,
  SIGNALLING_HEADER,
  type SignallingPacket,
} from "./signalling-packets.ts";

/** MTUsig of an LE link: the longest signalling packet taken. */
const SIGNALLING_MTU = 23;
/** Answers that may wait to be sent. */
const MOST_ANSWERS = 32;

/** Response Timeout Expired timer: between 1 s and 60 s, Vol 3 Part A 6.2.1. */
export const RTX_MS = 30_000;
/** Extended Response Timeout Expired timer, for an answer that is announced: between 60 s and 300 s, 6.2.2. */
export const ERTX_MS = 300_000;

/** A request of ours under way. One of the three is called, at most once but for `onAnswer`. */
export interface Question<T> {
  /** What answers it. */
  readonly answer: SignallingPacket<T>;
  /** @returns false: this was not it, or not all of it, and the question stays open */
  readonly onAnswer: (value: T) => boolean;
  /** The peer sent Command Reject. */
  readonly onReject: (reason: number) => void;
  /** The link is gone. */
  readonly onClose: (reason: BleError) => void;
}

/** The channel, with a count of what it took. */
export interface SignallingChannel extends PduChannel {
  /** Frames queued on the link, ever. */
  readonly queued: number;
}

interface Handler {
  readonly packet: SignallingPacket<unknown>;
  readonly handle: (value: never, identifier: number) => void;
}

/**
 * The LE signalling channel, Vol 3 Part A 4: leads requests of the peer to who handles them and answers to who asked. Any number of requests
 * may be under way; an answer is known by its code and its identifier.
 */
export class Signalling {
  readonly #channel: SignallingChannel;
  readonly #logger: Logger;
  readonly #handlers = new Map<number, Handler>();
  readonly #questions = new Map<number, Question<never>>();
  #identifier = 0;
  /** Where in the link's queue the last answers stand, as a ring: they are sent in order, so the oldest tells of all. */
  readonly #answers = Array.from({ length: MOST_ANSWERS }, () => -1);
  #answered = 0;
  #closed: BleError | undefined;

  constructor(channel: SignallingChannel, { logger }: { logger: Logger }) {
    this.#channel = channel;
    this.#logger = logger;
    channel.onPdu = (bytes, offset, end) => this.#receive(bytes, offset, end);
    channel.onClose = (reason) => {
      this.#closed = reason;
      const questions = [...this.#questions.values()];
      this.#questions.clear();
      for (const { onClose } of questions) onClose(reason);
    };
  }

  /** Why the link is gone. */
  get closed(): BleError | undefined {
    return this.#closed;
  }

  /** Sets who handles a request or an indication of the peer; others are rejected. A packet of wrong length does not come to it. */
  handle<T>(packet: SignallingPacket<T>, handle: (value: T, identifier: number) => void): void {
    this.#handlers.set(packet.code, { packet, handle: handle as Handler["handle"] });
  }

  /** Sends a packet that nobody answers. */
  indicate<T>(packet: SignallingPacket<T>, value: T): void {
    this.#channel.send(encodeSignal(packet, this.#nextIdentifier(), value));
  }

  /**
   * Sends a request. The question stays open until it is answered, the link is gone, or the result is disposed: its identifier is not used
   * again meanwhile.
   *
   * @throws {StateError} 255 requests are under way
   * @throws the link's close reason
   */
  ask<Q, R>(packet: SignallingPacket<Q>, value: Q, question: Question<R>): Disposable {
    if (this.#closed) throw this.#closed;
    if (this.#questions.size >= 255) throw new StateError("255 signalling requests are under way");
    const identifier = this.#nextIdentifier();
    const entry = question as unknown as Question<never>;
    this.#questions.set(identifier, entry);
    this.#channel.send(encodeSignal(packet, identifier, value));
    return {
      [Symbol.dispose]: () => {
        if (this.#questions.get(identifier) === entry) this.#questions.delete(identifier);
      },
    };
  }

  /** Answers a request. */
  respond<T>(packet: SignallingPacket<T>, identifier: number, value: T): void {
    if (this.#closed) return;
    this.#answers[this.#answered++ % MOST_ANSWERS] = this.#channel.queued;
    this.#channel.send(encodeSignal(packet, identifier, value));
  }

  /** Command Reject, Vol 3 Part A 4.1. */
  reject(identifier: number, reason: number, ...values: number[]): void {
    this.#logger.debug(() => `a signalling packet was rejected, reason ${reason}`);
    const data = Uint8Array.from(values.flatMap((value) => [value & 0xff, value >> 8]));
    this.respond(CommandReject, identifier, { reason, data });
  }

  /** Never 0x00, and none that a request under way has. */
  #nextIdentifier(): number {
    do this.#identifier = (this.#identifier % 255) + 1;
    while (this.#questions.has(this.#identifier) && this.#questions.size < 255);
    return this.#identifier;
  }

  /** So many answers have not left yet that the peer seems not to take them. */
  get #isFlooded(): boolean {
    return this.#answers[this.#answered % MOST_ANSWERS]! >= this.#channel.queued - this.#channel.waiting;
  }

  #receive(bytes: Uint8Array, offset: number, end: number): void {
    const size = end - offset;
    const code = bytes[offset]!;
    const identifier = bytes[offset + 1]!;
    // Too short to be answered, or an identifier that no request has.
    if (size < SIGNALLING_HEADER || identifier === 0) {
      this.#logger.debug("a signalling packet without identifier was dropped");
      return;
    }
    const answers = isResponse(code);
    // A peer that asks without taking the answers gets no more of them; answers to our own requests, and credits, are still read.
    if (!answers && code !== FlowControlCreditInd.code && this.#isFlooded) return;
    if (size > SIGNALLING_MTU) {
      if (!answers) this.#rejectCommand(identifier, code, CommandRejectReason.SignallingMtuExceeded, SIGNALLING_MTU);
      return;
    }
    // One command a packet on LE (Vol 3 Part A 4), so a length that is not all of it is wrong.
    if ((bytes[offset + 2]! | (bytes[offset + 3]! << 8)) !== size - SIGNALLING_HEADER) {
      if (!answers) this.#rejectCommand(identifier, code, CommandRejectReason.CommandNotUnderstood);
      return;
    }
    if (answers) this.#answer(code, identifier, bytes, offset + SIGNALLING_HEADER, end);
    else this.#request(code, identifier, bytes, offset + SIGNALLING_HEADER, end);
  }

  #rejectCommand(identifier: number, code: number, reason: number, ...values: number[]): void {
    // Where credits flow unseen, so would the rejects.
    if (code === FlowControlCreditInd.code && this.#isFlooded) return;
    this.reject(identifier, reason, ...values);
  }

  #request(code: number, identifier: number, bytes: Uint8Array, offset: number, end: number): void {
    const handler = this.#handlers.get(code);
    const value = handler && this.#decode(handler.packet, bytes, offset, end);
    if (value === undefined) this.#rejectCommand(identifier, code, CommandRejectReason.CommandNotUnderstood);
    else handler!.handle(value as never, identifier);
  }

  #answer(code: number, identifier: number, bytes: Uint8Array, offset: number, end: number): void {
    const question = this.#questions.get(identifier);
    if (!question) return;
    if (code === CommandReject.code) {
      const rejected = this.#decode(CommandReject, bytes, offset, end);
      if (!rejected) return;
      this.#questions.delete(identifier);
      question.onReject(rejected.reason);
      return;
    }
    if (code !== question.answer.code) return;
    const value = this.#decode(question.answer, bytes, offset, end);
    if (value === undefined) return;
    // Removed first: what it does may ask anew.
    this.#questions.delete(identifier);
    if (!question.onAnswer(value)) this.#questions.set(identifier, question);
  }

  #decode<T>({ data, name }: SignallingPacket<T>, bytes: Uint8Array, offset: number, end: number): T | undefined {
    try {
      return decode(data, bytes, { name, offset, end });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#logger.debug(() => `a malformed signalling packet: ${error.message}`);
      return undefined;
    }
  }
}
