import { rethrowLater } from "../async/call-out.ts";
import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { checkOptions, optionNames } from "../core/arguments.ts";
import { type BleError, type Logger, StateError } from "../core/index.ts";
import type { PduChannel } from "./channel.ts";
import { type ConnectionParameters, checkConnectionParameters, connectionParametersProblem } from "./connection-parameters.ts";
import { CommandRejectedError, CommandRejectReason } from "./error.ts";

/** Codes of signalling packets, Vol 3 Part A 4. */
const Code = Object.freeze({
  CommandReject: 0x01,
  DisconnectionRequest: 0x06,
  DisconnectionResponse: 0x07,
  ConnectionParameterUpdateRequest: 0x12,
  ConnectionParameterUpdateResponse: 0x13,
  FlowControlCreditInd: 0x16,
});
/**
 * Answers are never rejected: rejecting an answer would be answered in turn. Everything else is, where it is not understood: codes that
 * never had a meaning, those that lost it with version 5.3 (0x0C to 0x11), and known ones of a wrong length (Vol 3 Part A 4.1).
 */
const ANSWERS: ReadonlySet<number> = new Set([
  Code.CommandReject,
  0x03, // Connection Response
  0x05, // Configuration Response
  Code.DisconnectionResponse,
  0x09, // Echo Response
  0x0b, // Information Response
  Code.ConnectionParameterUpdateResponse,
  0x15, // LE Credit Based Connection Response
  0x18, // Credit Based Connection Response
  0x1a, // Credit Based Reconfigure Response
]);
/** MTUsig of an LE link: the longest signalling packet taken. */
const SIGNALLING_MTU = 23;
const HEADER = 4;
/** Response Timeout Expired timer: between 1 s and 60 s, Vol 3 Part A 6.2.1. */
const RTX_MS = 30_000;
const Result = Object.freeze({ Accepted: 0x0000, Rejected: 0x0001 });

const PARAMETERS = optionNames<ConnectionParameters>({ intervalMin: true, intervalMax: true, latency: true, timeout: true });
const OPERATION = optionNames<OperationOptions>({ signal: true, timeoutMs: true });

/** The LE signalling channel, Vol 3 Part A 4. One request each way at a time. */
export class Signalling {
  /**
   * Asked when the peripheral wants other parameters: true accepts, after which the owner starts LE Connection Update. Parameters out of
   * the permitted ranges are refused without asking. Unset, every request is refused.
   */
  onConnectionParameterUpdateRequest: ((parameters: ConnectionParameters) => boolean | Promise<boolean>) | undefined;
  readonly #channel: PduChannel;
  readonly #role: "central" | "peripheral";
  readonly #clock: Clock;
  readonly #logger: Logger;
  #identifier = 0;
  #request: { identifier: number; pending: Pending<boolean> } | undefined;
  #isDeciding = false;
  #closed: BleError | undefined;

  constructor(channel: PduChannel, { role, clock, logger }: { role: "central" | "peripheral"; clock: Clock; logger: Logger }) {
    this.#channel = channel;
    this.#role = role;
    this.#clock = clock;
    this.#logger = logger;
    channel.onPdu = (bytes, offset, end) => this.#receive(bytes, offset, end);
    channel.onClose = (reason) => {
      this.#closed = reason;
      this.#request?.pending.reject(reason);
    };
  }

  /**
   * Asks the central for other connection parameters (Vol 3 Part A 4.20). Peripheral only.
   *
   * @param options.timeoutMs how long to wait for the answer, 30 s by default
   * @returns whether the central accepted; the new parameters follow in an event of the controller
   * @throws {ArgumentError} parameters out of range
   * @throws {StateError} not the peripheral, or a request is under way
   * @throws {CommandRejectedError} the central does not know this request
   * @throws {TimeoutError} no answer
   * @throws the link's close reason
   */
  async requestConnectionParameterUpdate(parameters: ConnectionParameters, options: OperationOptions = {}): Promise<boolean> {
    checkOptions("connection parameters", parameters ?? {}, PARAMETERS);
    checkConnectionParameters(parameters ?? {});
    checkOptions("requestConnectionParameterUpdate", options, OPERATION);
    const { signal, timeoutMs = RTX_MS } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw this.#closed;
    if (this.#role !== "peripheral") throw new StateError("only a peripheral asks for connection parameters; a central sets them");
    if (this.#request) throw new StateError("a connection parameter update request is under way already");
    const identifier = this.#nextIdentifier();
    const pending: Pending<boolean> = new Pending<boolean>({
      clock: this.#clock,
      operation: "connection parameter update request",
      signal,
      timeoutMs,
      onSettled: () => {
        this.#request = undefined;
      },
    });
    this.#request = { identifier, pending };
    const { intervalMin, intervalMax, latency, timeout } = parameters;
    this.#send(Code.ConnectionParameterUpdateRequest, identifier, [intervalMin, intervalMax, latency, timeout]);
    return pending.promise;
  }

  #nextIdentifier(): number {
    this.#identifier = (this.#identifier % 255) + 1; // never 0x00
    return this.#identifier;
  }

  #send(code: number, identifier: number, values: number[]): void {
    const pdu = new Uint8Array(HEADER + 2 * values.length);
    pdu[0] = code;
    pdu[1] = identifier;
    pdu[2] = 2 * values.length;
    for (const [i, value] of values.entries()) {
      pdu[HEADER + 2 * i] = value & 0xff;
      pdu[HEADER + 2 * i + 1] = value >> 8;
    }
    this.#channel.send(pdu);
  }

  #reject(identifier: number, reason: number, ...values: number[]): void {
    this.#logger.debug(() => `a signalling packet was rejected, reason ${reason}`);
    this.#send(Code.CommandReject, identifier, [reason, ...values]);
  }

  #receive(bytes: Uint8Array, offset: number, end: number): void {
    const size = end - offset;
    const code = bytes[offset]!;
    const identifier = bytes[offset + 1]!;
    // Too short to be answered, or an identifier that no request has.
    if (size < HEADER || identifier === 0) {
      this.#logger.debug("a signalling packet without identifier was dropped");
      return;
    }
    // A peer that asks without taking the answers gets no more of them; answers to our own requests are still read.
    if (!ANSWERS.has(code) && !this.#channel.writable) return;
    if (size > SIGNALLING_MTU) {
      if (!ANSWERS.has(code)) this.#reject(identifier, CommandRejectReason.SignallingMtuExceeded, SIGNALLING_MTU);
      return;
    }
    const length = u16(bytes, offset + 2);
    // One command a packet on LE (Vol 3 Part A 4), so a length that is not all of it is wrong.
    if (length !== size - HEADER) {
      if (!ANSWERS.has(code)) this.#reject(identifier, CommandRejectReason.CommandNotUnderstood);
      return;
    }
    const data = offset + HEADER;
    switch (code) {
      case Code.ConnectionParameterUpdateRequest:
        if (this.#role !== "central" || length !== 8) break;
        this.#decide(identifier, {
          intervalMin: u16(bytes, data),
          intervalMax: u16(bytes, data + 2),
          latency: u16(bytes, data + 4),
          timeout: u16(bytes, data + 6),
        });
        return;
      case Code.ConnectionParameterUpdateResponse:
        if (this.#request?.identifier === identifier && length === 2) this.#request.pending.resolve(u16(bytes, data) === Result.Accepted);
        return;
      case Code.CommandReject:
        if (this.#request?.identifier === identifier && length >= 2)
          this.#request.pending.reject(new CommandRejectedError("connection parameter update request", u16(bytes, data)));
        return;
      case Code.DisconnectionRequest:
        if (length !== 4) break;
        // There are no dynamic channels, so the request names none that exists. Local and remote endpoint follow, as seen from here.
        this.#reject(identifier, CommandRejectReason.InvalidCidInRequest, u16(bytes, data), u16(bytes, data + 2));
        return;
      case Code.FlowControlCreditInd:
        if (length !== 4) break;
        return; // credits for a channel that does not exist, which nobody waits for (4.24)
      default:
    }
    if (!ANSWERS.has(code)) this.#reject(identifier, CommandRejectReason.CommandNotUnderstood);
  }

  #decide(identifier: number, parameters: ConnectionParameters): void {
    const problem = connectionParametersProblem(parameters);
    const ask = this.onConnectionParameterUpdateRequest;
    if (problem || !ask || this.#isDeciding) {
      this.#logger.debug(() => `the peripheral's connection parameters were refused: ${problem ?? "not asked for"}`);
      this.#answer(identifier, false);
      return;
    }
    this.#isDeciding = true;
    const decided = (accepted: boolean): void => {
      this.#isDeciding = false;
      this.#answer(identifier, accepted);
    };
    try {
      const answer = ask(parameters);
      if (typeof answer === "boolean") decided(answer);
      else
        answer.then(decided, (error: unknown) => {
          decided(false);
          rethrowLater(error);
        });
    } catch (error) {
      decided(false);
      rethrowLater(error);
    }
  }

  #answer(identifier: number, accepted: boolean): void {
    this.#send(Code.ConnectionParameterUpdateResponse, identifier, [accepted ? Result.Accepted : Result.Rejected]);
  }
}

function u16(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}
