import { rethrowLater } from "../async/call-out.ts";
import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { checkOptions, optionNames } from "../core/arguments.ts";
import { type Logger, StateError } from "../core/index.ts";
import { type ConnectionParameters, checkConnectionParameters, connectionParametersProblem } from "./connection-parameters.ts";
import { CommandRejectedError, CommandRejectReason } from "./error.ts";
import { RTX_MS, type Signalling } from "./signalling.ts";
import { ConnectionParameterUpdateRequest, ConnectionParameterUpdateResponse } from "./signalling-packets.ts";

const Result = Object.freeze({ Accepted: 0x0000, Rejected: 0x0001 });
const PARAMETERS = optionNames<ConnectionParameters>({ intervalMin: true, intervalMax: true, latency: true, timeout: true });
const OPERATION = optionNames<OperationOptions>({ signal: true, timeoutMs: true });

/** The procedure by which a peripheral asks for other connection parameters, Vol 3 Part A 4.20. One request each way at a time. */
export class ParameterUpdate {
  /**
   * Asked when the peripheral wants other parameters: true accepts, after which the owner starts LE Connection Update. Parameters out of
   * the permitted ranges are refused without asking. Unset, every request is refused.
   */
  onRequest: ((parameters: ConnectionParameters) => boolean | Promise<boolean>) | undefined;
  readonly #signalling: Signalling;
  readonly #role: "central" | "peripheral";
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pending: Pending<boolean> | undefined;
  /** Identifier of the request that is being decided on. */
  #deciding: number | undefined;

  constructor(signalling: Signalling, { role, clock, logger }: { role: "central" | "peripheral"; clock: Clock; logger: Logger }) {
    this.#signalling = signalling;
    this.#role = role;
    this.#clock = clock;
    this.#logger = logger;
    signalling.handle(ConnectionParameterUpdateRequest, (parameters, identifier) => {
      if (role === "central") this.#decide(identifier, parameters);
      else signalling.reject(identifier, CommandRejectReason.CommandNotUnderstood);
    });
  }

  /**
   * Asks the central for other connection parameters. Peripheral only.
   *
   * @param options.timeoutMs how long to wait for the answer, 30 s by default
   * @returns whether the central accepted; the new parameters follow in an event of the controller
   * @throws {ArgumentError} parameters out of range
   * @throws {StateError} not the peripheral, or a request is under way
   * @throws {CommandRejectedError} the central does not know this request
   * @throws {TimeoutError} no answer
   * @throws the link's close reason
   */
  async request(parameters: ConnectionParameters, options: OperationOptions = {}): Promise<boolean> {
    checkOptions("connection parameters", parameters ?? {}, PARAMETERS);
    checkConnectionParameters(parameters ?? {});
    checkOptions("connection parameter update", options, OPERATION);
    const { signal, timeoutMs = RTX_MS } = options;
    signal?.throwIfAborted();
    if (this.#signalling.closed) throw this.#signalling.closed;
    if (this.#role !== "peripheral") throw new StateError("only a peripheral asks for connection parameters; a central sets them");
    if (this.#pending) throw new StateError("a connection parameter update request is under way already");
    const operation = "connection parameter update request";
    const { intervalMin, intervalMax, latency, timeout } = parameters;
    let question: Disposable | undefined;
    const pending: Pending<boolean> = new Pending<boolean>({
      clock: this.#clock,
      operation,
      signal,
      timeoutMs,
      onSettled: () => {
        this.#pending = undefined;
        question?.[Symbol.dispose]();
      },
    });
    this.#pending = pending;
    try {
      question = this.#signalling.ask(
        ConnectionParameterUpdateRequest,
        { intervalMin, intervalMax, latency, timeout },
        {
          answer: ConnectionParameterUpdateResponse,
          onAnswer: ({ result }) => {
            pending.resolve(result === Result.Accepted);
            return true;
          },
          onReject: (reason) => pending.reject(new CommandRejectedError(operation, reason)),
          onClose: (reason) => pending.reject(reason),
        },
      );
    } catch (error) {
      pending.reject(error);
    }
    return pending.promise;
  }

  #decide(identifier: number, parameters: ConnectionParameters): void {
    if (identifier === this.#deciding) return; // sent again; the one answer is for both
    const problem = connectionParametersProblem(parameters);
    const ask = this.onRequest;
    if (problem || !ask || this.#deciding !== undefined) {
      this.#logger.debug(() => `the peripheral's connection parameters were refused: ${problem ?? "not asked for"}`);
      this.#answer(identifier, false);
      return;
    }
    this.#deciding = identifier;
    const decided = (accepted: boolean): void => {
      this.#deciding = undefined;
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
    this.#signalling.respond(ConnectionParameterUpdateResponse, identifier, { result: accepted ? Result.Accepted : Result.Rejected });
  }
}
