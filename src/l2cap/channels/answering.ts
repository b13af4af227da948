import { rethrowLater } from "../../async/call-out.ts";
import { ownTerms } from "../../async/index.ts";
import { checkInteger, kindOf } from "../../core/arguments.ts";
import { ArgumentError, TimeoutError } from "../../core/error.ts";
import { CommandRejectReason } from "../error.ts";
import type { Signalling } from "../signalling.ts";
import {
  CreditBasedConnectionRequest,
  CreditBasedConnectionResponse,
  LeCreditBasedConnectionRequest,
  LeCreditBasedConnectionResponse,
} from "../signalling-packets.ts";
import { type ChannelHost, createChannel } from "./channel.ts";
import type { L2capListeners, ListenerControl } from "./listeners.ts";
import { type ChannelMode, type ChannelRequest, LEAST, MOST_MPS } from "./options.ts";
import { type LinkOwner, securityResult } from "./owner.ts";
import { ConnectionResult, refusesAll } from "./results.ts";
import { type ChannelTable, isDynamicCid } from "./table.ts";

/** Requests of one peer that may be decided on at a time. */
const MOST_DECISIONS = 16;
const MOST_CHANNELS = 5;

/** A connection request of either mode. */
interface Request {
  readonly mode: ChannelMode;
  readonly identifier: number;
  readonly spsm: number;
  readonly mtu: number;
  readonly mps: number;
  readonly initialCredits: number;
  readonly sourceCids: readonly number[];
}

/** A channel of a request that can be had. */
interface Candidate {
  /** Its place in the request. */
  readonly index: number;
  readonly localCid: number;
  readonly remoteCid: number;
}

export interface AnsweringOptions {
  readonly signalling: Signalling;
  readonly table: ChannelTable;
  readonly host: ChannelHost;
  readonly listeners: L2capListeners;
  readonly owner: () => LinkOwner;
  /** Aborts when the link is gone. */
  readonly gone: AbortSignal;
}

/** Answers connection requests of the peer, Vol 3 Part A 4.22 and 4.25. */
export class Answering {
  readonly #options: AnsweringOptions;
  /** Identifiers of the requests that are being decided on. */
  readonly #deciding = new Set<number>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
    const { signalling } = options;
    signalling.handle(LeCreditBasedConnectionRequest, ({ sourceCid, ...request }, identifier) =>
      this.#onRequest({ ...request, mode: "credit", identifier, sourceCids: [sourceCid] }),
    );
    signalling.handle(CreditBasedConnectionRequest, (request, identifier) => {
      const { length } = request.sourceCids;
      // A request for no channel cannot be answered as its packet is declared.
      if (length === 0) signalling.reject(identifier, CommandRejectReason.CommandNotUnderstood);
      else this.#onRequest({ ...request, mode: "enhanced", identifier });
    });
  }

  #onRequest(request: Request): void {
    const { identifier, mode, spsm } = request;
    if (this.#deciding.has(identifier)) return; // sent again; the one answer is for both
    const listener = this.#options.listeners.find(spsm, mode);
    const refusal = this.#refusal(request, listener);
    if (!listener || refusal !== ConnectionResult.Success) {
      this.#respond(request, refusal, []);
      return;
    }
    const { candidates, result } = this.#candidates(request, listener);
    if (candidates.length === 0) {
      this.#respond(request, result, []);
      return;
    }
    const answers = this.#ask(listener, request, candidates);
    if (!(answers instanceof Promise)) {
      this.#open(request, listener, candidates, answers, result);
      return;
    }
    this.#deciding.add(identifier);
    void answers.then((decided) => {
      this.#deciding.delete(identifier);
      this.#open(request, listener, candidates, decided, result);
    });
  }

  /** Why none of the channels can be had. */
  #refusal({ mode, mtu, mps, initialCredits }: Request, listener: ListenerControl | undefined): number {
    if (!listener) return ConnectionResult.SpsmNotSupported;
    const owner = this.#options.owner();
    const result = securityResult(listener.options.security ?? {}, owner.security(), owner.hasKey());
    if (result !== ConnectionResult.Success) return result;
    const isEnhanced = mode === "enhanced";
    if (mtu < LEAST[mode] || mps < LEAST[mode] || mps > MOST_MPS || (isEnhanced && initialCredits === 0))
      return isEnhanced ? ConnectionResult.InvalidParameters : ConnectionResult.UnacceptableParameters;
    return ConnectionResult.Success;
  }

  /** What of it can be had, with everything it needs taken for it, and what stands in the way of the rest. */
  #candidates({ sourceCids }: Request, listener: ListenerControl): { candidates: Candidate[]; result: number } {
    const { table } = this.#options;
    const candidates: Candidate[] = [];
    let result: number = ConnectionResult.Success;
    for (const [index, remoteCid] of sourceCids.entries()) {
      let problem: number = ConnectionResult.Success;
      if (!isDynamicCid(remoteCid)) problem = ConnectionResult.InvalidSourceCid;
      else if (table.isRemoteTaken(remoteCid)) problem = ConnectionResult.SourceCidAlreadyAllocated;
      else if (this.#deciding.size >= MOST_DECISIONS || !listener.admit()) problem = ConnectionResult.NoResources;
      else {
        const [localCid] = table.reserve(1);
        if (localCid === undefined) {
          listener.dismiss();
          problem = ConnectionResult.NoResources;
        } else {
          table.claim(remoteCid);
          candidates.push({ index, localCid, remoteCid });
        }
      }
      if (problem !== ConnectionResult.Success) result = problem;
    }
    return { candidates, result };
  }

  /** Asks the program: a result for each candidate. */
  #ask(listener: ListenerControl, request: Request, candidates: readonly Candidate[]): number[] | Promise<number[]> {
    const { options, settings, decisionMs } = listener;
    const questions = candidates.map(
      ({ localCid, remoteCid }): ChannelRequest => ({
        connection: this.#options.owner().connection,
        spsm: request.spsm,
        mode: request.mode,
        mtu: settings.mtu,
        mps: settings.mps,
        peerMtu: request.mtu,
        peerMps: request.mps,
        localCid,
        remoteCid,
        count: candidates.length,
      }),
    );
    const accepts = (): number[] | Promise<number[]> => {
      const answers = questions.map((question) => this.#decide(options.accept, question, ConnectionResult.NoResources, decisionMs));
      return answers.every((answer) => typeof answer === "number")
        ? answers
        : Promise.all(answers.map((answer) => Promise.resolve(answer)));
    };
    const refuses = (result: number): number[] => candidates.map(() => result);
    const authorized = this.#decide(options.authorize, questions[0]!, ConnectionResult.InsufficientAuthorization, decisionMs);
    if (authorized === ConnectionResult.Success) return accepts();
    if (typeof authorized === "number") return refuses(authorized);
    return authorized.then((result) => (result === ConnectionResult.Success ? accepts() : refuses(result)));
  }

  /** One question to the program. Whatever goes wrong with it is a refusal. */
  #decide(
    ask: ((request: ChannelRequest) => boolean | number | Promise<boolean | number>) | undefined,
    question: ChannelRequest,
    refusal: number,
    timeoutMs: number,
  ): number | Promise<number> {
    if (!ask) return ConnectionResult.Success;
    const failed = (error: unknown): number => {
      rethrowLater(error);
      return refusal;
    };
    try {
      const answer = ask(question);
      if (typeof answer !== "object" || answer === null) return resultOf(answer, refusal);
      const { host, gone } = this.#options;
      return ownTerms(host.clock, "deciding on a channel", Promise.resolve(answer), { timeoutMs, signal: gone }).then(
        (decided) => {
          try {
            return resultOf(decided, refusal);
          } catch (error) {
            return failed(error);
          }
        },
        (error: unknown) => (gone.aborted || error instanceof TimeoutError ? refusal : failed(error)),
      );
    } catch (error) {
      return failed(error);
    }
  }

  #open(request: Request, listener: ListenerControl, candidates: readonly Candidate[], answers: readonly number[], problem: number): void {
    const { table, host, gone } = this.#options;
    table.unclaim(...candidates.map(({ remoteCid }) => remoteCid));
    const accepted: Candidate[] = [];
    let result = problem;
    // Access is judged when it is given: the link, and what is listened to, may have changed while the program thought.
    let all = answers.find((answer) => request.mode === "credit" || refusesAll(answer)) ?? ConnectionResult.Success;
    if (all === ConnectionResult.Success) all = this.#refusal(request, listener.isListening() ? listener : undefined);
    for (const [i, candidate] of candidates.entries()) {
      let answer = all === ConnectionResult.Success ? answers[i]! : all;
      if (answer === ConnectionResult.Success && table.isRemoteTaken(candidate.remoteCid))
        answer = ConnectionResult.SourceCidAlreadyAllocated;
      if (answer === ConnectionResult.Success && !gone.aborted) accepted.push(candidate);
      else {
        result = answer;
        table.release(candidate.localCid);
        listener.dismiss();
      }
    }
    if (gone.aborted) return;
    const channels = accepted.map(({ localCid, remoteCid }) =>
      createChannel({
        host,
        connection: this.#options.owner().connection,
        spsm: request.spsm,
        mode: request.mode,
        role: "acceptor",
        localCid,
        remoteCid,
        settings: listener.settings,
        peerMtu: request.mtu,
        peerMps: request.mps,
        peerCredits: request.initialCredits,
      }),
    );
    for (const channel of channels) table.add(channel);
    this.#respond(request, result, accepted, listener);
    for (const channel of channels) listener.deliver(channel);
  }

  #respond(request: Request, result: number, accepted: readonly Candidate[], listener?: ListenerControl): void {
    const { signalling, host } = this.#options;
    const { mode, identifier, spsm, sourceCids } = request;
    if (result !== ConnectionResult.Success)
      host.logger.info(() => `a channel of SPSM 0x${spsm.toString(16)} was refused, result 0x${result.toString(16)}`);
    const { mtu, mps, initialCredits } = accepted.length > 0 ? listener!.settings : { mtu: 0, mps: 0, initialCredits: 0 };
    if (mode === "credit") {
      const destinationCid = accepted[0]?.localCid ?? 0;
      signalling.respond(LeCreditBasedConnectionResponse, identifier, { destinationCid, mtu, mps, initialCredits, result });
      return;
    }
    const destinationCids = sourceCids.slice(0, MOST_CHANNELS).map(() => 0);
    for (const { index, localCid } of accepted) destinationCids[index] = localCid;
    signalling.respond(CreditBasedConnectionResponse, identifier, { mtu, mps, initialCredits, result, destinationCids });
  }
}

/** The result that an answer of the program stands for. @throws {ArgumentError} it stands for none */
function resultOf(answer: unknown, refusal: number): number {
  if (answer === true) return ConnectionResult.Success;
  if (answer === false) return refusal;
  if (typeof answer !== "number") throw new ArgumentError(`accept: expected true, false or a result, got ${kindOf(answer)}`);
  return checkInteger("accept: result", answer, 0, 0xffff);
}
