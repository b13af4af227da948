import { type OperationOptions, Pending } from "../../async/index.ts";
import { checkInteger, checkOperation, checkOptions, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError, StateError } from "../../core/error.ts";
import { CommandRejectedError, CommandRejectReason } from "../error.ts";
import { RTX_MS, type Signalling } from "../signalling.ts";
import { CreditBasedReconfigureRequest, CreditBasedReconfigureResponse } from "../signalling-packets.ts";
import { type ChannelHost, CreditBasedChannel, controlOf } from "./channel.ts";
import { LEAST, MOST_MPS, MOST_MTU } from "./options.ts";
import { L2capRefusedError, ReconfigureResult } from "./results.ts";
import type { ChannelTable } from "./table.ts";

const MOST_CHANNELS = 5;

/** What this side takes from now on. */
export interface Reconfiguration {
  /** At least the present MTU of each channel. */
  readonly mtu?: number | undefined;
  /** At least the present MPS of each channel; of a single channel it may be less. */
  readonly mps?: number | undefined;
}

const RECONFIGURATION = optionNames<Reconfiguration>({ mtu: true, mps: true });

export interface ReconfiguringOptions {
  readonly signalling: Signalling;
  readonly table: ChannelTable;
  readonly host: ChannelHost;
}

/** Changes what one side takes on enhanced channels, Vol 3 Part A 4.27 and 4.28. */
export class Reconfiguring {
  readonly #options: ReconfiguringOptions;
  /** Channels of a request of ours that is under way. */
  readonly #busy = new Set<CreditBasedChannel>();
  /** Requests of ours that are not answered, and what they are about. */
  readonly #unanswered = new Map<Disposable, readonly CreditBasedChannel[]>();

  constructor(options: ReconfiguringOptions) {
    this.#options = options;
    options.signalling.handle(CreditBasedReconfigureRequest, (request, identifier) => {
      if (request.destinationCids.length === 0) options.signalling.reject(identifier, CommandRejectReason.CommandNotUnderstood);
      else this.#onRequest(request, identifier);
    });
  }

  /** See LinkChannels.reconfigure. */
  async reconfigure(channels: readonly CreditBasedChannel[], to: Reconfiguration, options: OperationOptions): Promise<void> {
    const { mtu, mps } = this.#check(channels, to, options);
    const { signal, timeoutMs = RTX_MS } = options;
    signal?.throwIfAborted();
    const { signalling, host } = this.#options;
    this.#forget();
    const what = CreditBasedReconfigureRequest.name;
    const pending = new Pending<void>({ clock: host.clock, operation: what, signal, timeoutMs });
    let question: Disposable | undefined;
    let isOver = false;
    const done = (): void => {
      isOver = true;
      for (const channel of channels) this.#busy.delete(channel);
      if (question) this.#unanswered.delete(question);
    };
    for (const channel of channels) this.#busy.add(channel);
    try {
      question = signalling.ask(
        CreditBasedReconfigureRequest,
        { mtu, mps, destinationCids: channels.map(({ localCid }) => localCid) },
        {
          answer: CreditBasedReconfigureResponse,
          // Also where nobody waits for it any more: the peer goes by it from here on.
          onAnswer: ({ result }) => {
            done();
            if (result === ReconfigureResult.Success) {
              for (const channel of channels) if (!channel.ended) controlOf(channel).reconfigure(true, mtu, mps);
              pending.resolve();
            } else pending.reject(new L2capRefusedError({ request: "reconfiguration", result, spsm: channels[0]!.spsm }));
            return true;
          },
          onReject: (reason) => {
            done();
            pending.reject(new CommandRejectedError(what, reason));
          },
          onClose: (reason: BleError) => pending.reject(reason),
        },
      );
      // A peer in the same process may have answered inside `ask`.
      if (!isOver) this.#unanswered.set(question, [...channels]);
    } catch (error) {
      done();
      pending.reject(error);
    }
    await pending.promise;
  }

  /** Gives up requests whose channels are all gone: a peer that answers none would have every identifier of the link in the end. */
  #forget(): void {
    for (const [question, channels] of this.#unanswered) {
      if (channels.some(({ ended }) => !ended)) continue;
      question[Symbol.dispose]();
      this.#unanswered.delete(question);
      for (const channel of channels) this.#busy.delete(channel);
    }
  }

  #check(channels: readonly CreditBasedChannel[], to: Reconfiguration, options: OperationOptions): { mtu: number; mps: number } {
    const what = "l2cap.reconfigure";
    if (!Array.isArray(channels) || channels.length < 1 || channels.length > MOST_CHANNELS || new Set(channels).size < channels.length)
      throw new ArgumentError(`${what}: expected an array of 1 to 5 different channels`);
    checkOptions(what, to, RECONFIGURATION);
    checkOperation(what, options);
    const { signalling, table } = this.#options;
    if (signalling.closed) throw signalling.closed;
    for (const channel of channels) {
      if (!(channel instanceof CreditBasedChannel) || (!table.channels.has(channel) && !channel.ended))
        throw new ArgumentError(`${what}: expected channels of this link`);
      if (channel.mode !== "enhanced") throw new ArgumentError(`${what}: expected channels of mode "enhanced", got "${channel.mode}"`);
      if (channel.ended) throw channel.ended;
      if (this.#busy.has(channel)) throw new StateError("this channel is being reconfigured already");
    }
    const present = { mtu: Math.max(...channels.map(({ mtu }) => mtu)), mps: Math.max(...channels.map(({ mps }) => mps)) };
    const { mtu = present.mtu, mps = present.mps } = to ?? {};
    checkInteger(`${what}: mtu`, mtu, present.mtu, MOST_MTU);
    checkInteger(`${what}: mps`, mps, channels.length > 1 ? present.mps : LEAST.enhanced, MOST_MPS);
    return { mtu, mps };
  }

  /** The peer takes something else from now on. */
  #onRequest({ mtu, mps, destinationCids }: { mtu: number; mps: number; destinationCids: readonly number[] }, identifier: number): void {
    const { signalling, table } = this.#options;
    const controls = destinationCids.map((cid) => table.byRemote(cid));
    const result = ((): number => {
      if (destinationCids.length > MOST_CHANNELS) return ReconfigureResult.UnacceptableParameters;
      const isKnown = controls.every((control) => control?.mode === "enhanced" && !control.isDisconnecting());
      if (!isKnown || new Set(controls).size < controls.length) return ReconfigureResult.InvalidDestinationCid;
      if (mtu < LEAST.enhanced || mps < LEAST.enhanced || mps > MOST_MPS) return ReconfigureResult.UnacceptableParameters;
      if (controls.some((control) => mtu < control!.peerMtu())) return ReconfigureResult.MtuReduced;
      if (controls.length > 1 && controls.some((control) => mps < control!.peerMps())) return ReconfigureResult.MpsOfSeveralReduced;
      return ReconfigureResult.Success;
    })();
    signalling.respond(CreditBasedReconfigureResponse, identifier, { result });
    if (result === ReconfigureResult.Success) for (const control of controls) control!.reconfigure(false, mtu, mps);
  }
}
