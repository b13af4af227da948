import { Deadline, type OperationOptions, Pending } from "../../async/index.ts";
import { type BleError, StateError, TimeoutError } from "../../core/error.ts";
import { bothRequirements, meets } from "../../core/link-security.ts";
import { CommandRejectedError } from "../error.ts";
import { ERTX_MS, RTX_MS, type Signalling } from "../signalling.ts";
import {
  CreditBasedConnectionRequest,
  CreditBasedConnectionResponse,
  LeCreditBasedConnectionRequest,
  LeCreditBasedConnectionResponse,
} from "../signalling-packets.ts";
import { type ChannelHost, type CreditBasedChannel, createChannel } from "./channel.ts";
import { type ChannelMode, type ChannelSettings, type ConnectChannelOptions, LEAST, MOST_MPS } from "./options.ts";
import { type LinkOwner, requirementOf } from "./owner.ts";
import { ChannelClosedError, ConnectionResult, isPending, L2capRefusedError, refusesAll } from "./results.ts";
import { type ChannelTable, isDynamicCid } from "./table.ts";

export interface OpeningOptions {
  readonly signalling: Signalling;
  readonly table: ChannelTable;
  readonly host: ChannelHost;
  readonly owner: () => LinkOwner;
}

/** Channels that are asked for. */
export interface Wanted {
  readonly spsm: number;
  readonly mode: ChannelMode;
  readonly count: number;
  readonly settings: ChannelSettings;
}

/** A response of either mode. */
interface Response {
  readonly mtu: number;
  readonly mps: number;
  readonly initialCredits: number;
  readonly result: number;
  readonly destinationCids: readonly number[];
}

/** A request that was given up: the peer may still have opened its channels, or do so. */
interface Abandoned {
  readonly question: Disposable;
  readonly cids: readonly number[];
}

/** Asks the peer for channels, Vol 3 Part A 4.22 and 4.25. */
export class Opening {
  readonly #options: OpeningOptions;
  readonly #abandoned = new Set<Abandoned>();

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /**
   * What opened, at least one. A refusal for want of security raises the link's and asks once more; not where nobody waits for it
   * (`isUnattended`).
   */
  async open(
    wanted: Wanted,
    { security, signal, timeoutMs }: Pick<ConnectChannelOptions, "security" | keyof OperationOptions>,
    isUnattended = false,
  ) {
    signal?.throwIfAborted();
    const { host, owner } = this.#options;
    using deadline = new Deadline({ clock: host.clock, operation: "opening a channel", signal, timeoutMs });
    const options = { signal: deadline.signal };
    const demand = bothRequirements(owner().demand(), security);
    if (isUnattended) return await this.#ask(wanted, deadline.signal);
    if (!meets(owner().security(), demand)) await owner().elevate({ requirement: demand, refusal: undefined }, options);
    try {
      return await this.#ask(wanted, deadline.signal);
    } catch (refusal) {
      const requirement = refusal instanceof L2capRefusedError ? requirementOf(refusal.result, owner().security()) : undefined;
      if (!requirement) throw refusal;
      await owner().elevate({ requirement: bothRequirements(requirement, demand), refusal: refusal as L2capRefusedError }, options);
    }
    return await this.#ask(wanted, deadline.signal);
  }

  async #ask(wanted: Wanted, signal: AbortSignal): Promise<CreditBasedChannel[]> {
    signal.throwIfAborted();
    const { signalling, host } = this.#options;
    if (signalling.closed) throw signalling.closed;
    const cids = this.#reserve(wanted.count);
    const { spsm, mode, settings } = wanted;
    const { mtu, mps, initialCredits } = settings;
    const what = mode === "credit" ? LeCreditBasedConnectionRequest.name : CreditBasedConnectionRequest.name;
    let timer: Disposable | undefined;
    const pending: Pending<CreditBasedChannel[]> = new Pending<CreditBasedChannel[]>({
      clock: host.clock,
      operation: what,
      signal,
      onSettled: () => timer?.[Symbol.dispose](),
    });
    let abandoned: Abandoned | undefined;
    let isOver = false;
    const failed = (error: unknown): void => {
      isOver = true;
      this.#free(cids);
      if (abandoned) this.#abandoned.delete(abandoned);
      pending.reject(error);
    };
    const answered = (response: Response): boolean => {
      if (mode === "enhanced" && isPending(response.result)) {
        // Announced: it may take longer now, once.
        if (!isAnnounced && !pending.settled) setTimer(ERTX_MS);
        isAnnounced = true;
        return false;
      }
      try {
        const channels = this.#opened(wanted, cids, response);
        isOver = true;
        this.#free(cids);
        if (abandoned) this.#abandoned.delete(abandoned);
        if (pending.settled) for (const channel of channels) void channel.close();
        else pending.resolve(channels);
      } catch (error) {
        failed(error);
      }
      return true;
    };
    let isAnnounced = false;
    const setTimer = (ms: number): void => {
      timer?.[Symbol.dispose]();
      timer = host.clock.setTimer(ms, what, () => pending.reject(new TimeoutError(what, ms)));
    };
    setTimer(RTX_MS);
    const onReject = (reason: number): void => failed(new CommandRejectedError(what, reason));
    const onClose = (reason: BleError): void => failed(reason);
    let question: Disposable;
    try {
      question =
        mode === "credit"
          ? signalling.ask(
              LeCreditBasedConnectionRequest,
              { spsm, sourceCid: cids[0]!, mtu, mps, initialCredits },
              {
                answer: LeCreditBasedConnectionResponse,
                onAnswer: ({ destinationCid, ...response }) => answered({ ...response, destinationCids: [destinationCid] }),
                onReject,
                onClose,
              },
            )
          : signalling.ask(
              CreditBasedConnectionRequest,
              { spsm, mtu, mps, initialCredits, sourceCids: cids },
              { answer: CreditBasedConnectionResponse, onAnswer: answered, onReject, onClose },
            );
    } catch (error) {
      failed(error);
      return await pending.promise;
    }
    try {
      return await pending.promise;
    } catch (error) {
      // Given up, and not answered: the question stays, so that what the peer opens all the same is closed again.
      if (!isOver) {
        abandoned = { question, cids };
        this.#abandoned.add(abandoned);
      }
      throw error;
    }
  }

  /** Own CIDs for a request. @throws {StateError} there are not so many */
  #reserve(count: number): number[] {
    const { table } = this.#options;
    for (;;) {
      const cids = table.reserve(count);
      if (cids.length === count) return cids;
      table.release(...cids);
      // What the peer has not answered for so long is taken back, the oldest first.
      const [oldest] = this.#abandoned;
      if (!oldest) throw new StateError("all channel identifiers of this link are in use");
      this.#abandoned.delete(oldest);
      oldest.question[Symbol.dispose]();
      table.release(...oldest.cids);
    }
  }

  /** Own CIDs of which no channel came. */
  #free(cids: readonly number[]): void {
    const { table } = this.#options;
    for (const cid of cids) if (!table.byLocal(cid)) table.release(cid);
  }

  /** The channels that a response opens. @throws {L2capRefusedError} none · {ChannelClosedError} the response makes no sense */
  #opened({ spsm, mode, settings }: Wanted, cids: readonly number[], response: Response): CreditBasedChannel[] {
    const { table, host, owner } = this.#options;
    const { result, mtu, mps, initialCredits } = response;
    const isSuccess = result === ConnectionResult.Success;
    // Of a refusal that concerns some channels the others are open; LE credit based requests have one channel.
    const isRefused = mode === "credit" ? !isSuccess : refusesAll(result);
    const destinationCids = isRefused ? [] : response.destinationCids;
    const refusal = new L2capRefusedError({ request: "connection", result, spsm });
    let channels: CreditBasedChannel[] = [];
    let problem: string | undefined;
    for (const [i, localCid] of cids.entries()) {
      const remoteCid = destinationCids[i] ?? 0;
      if (remoteCid === 0 && !(isSuccess && mode === "credit")) continue;
      if (!isDynamicCid(remoteCid)) problem = `CID 0x${remoteCid.toString(16)}, which no channel has`;
      else if (table.isRemoteTaken(remoteCid)) {
        problem = `CID 0x${remoteCid.toString(16)}, which another channel has`;
        // Nobody knows any more whose K-frames those of this CID are: neither channel is used from here on, 4.26.
        if (mode === "enhanced") table.byRemote(remoteCid)?.violate(problem);
        channels = channels.filter(({ ended }) => ended === undefined);
      } else {
        const channel = createChannel({
          host,
          connection: owner().connection,
          spsm,
          mode,
          role: "initiator",
          localCid,
          remoteCid,
          settings,
          peerMtu: mtu,
          peerMps: mps,
          peerCredits: initialCredits,
        });
        table.add(channel);
        channels.push(channel);
      }
    }
    if (channels.length > 0 && (mtu < LEAST[mode] || mps < LEAST[mode] || mps > MOST_MPS)) {
      problem = `an MTU of ${mtu} and an MPS of ${mps}`;
      for (const channel of channels.splice(0)) void channel.close(); // it is open at the peer
      throw new ChannelClosedError("violation", `a connection response with ${problem}`);
    }
    if (isSuccess && channels.length === 0) problem ??= "success, and no channel";
    if (problem !== undefined) host.logger.warn(() => `the peer sent a connection response with ${problem}`);
    if (channels.length === 0)
      throw problem === undefined ? refusal : new ChannelClosedError("violation", `a connection response with ${problem}`);
    return channels;
  }
}
