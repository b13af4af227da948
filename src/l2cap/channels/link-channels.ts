import { type Clock, type OperationOptions, onAbort } from "../../async/index.ts";
import type { BleError } from "../../core/error.ts";
import { NO_SECURITY } from "../../core/link-security.ts";
import type { Logger } from "../../core/logger.ts";
import type { AclLink } from "../../hci/index.ts";
import { CommandRejectReason } from "../error.ts";
import { RTX_MS, type Signalling } from "../signalling.ts";
import { DisconnectionRequest, DisconnectionResponse, FlowControlCreditInd } from "../signalling-packets.ts";
import { Answering } from "./answering.ts";
import type { ChannelControl, ChannelHost, CreditBasedChannel } from "./channel.ts";
import type { L2capListeners } from "./listeners.ts";
import { Opening } from "./opening.ts";
import { type ConnectChannelOptions, type ConnectSeveralOptions, checkConnect, checkConnectSeveral } from "./options.ts";
import type { LinkOwner } from "./owner.ts";
import { type Reconfiguration, Reconfiguring } from "./reconfiguration.ts";
import { ChannelClosedError } from "./results.ts";
import { Scheduler } from "./scheduler.ts";
import { ChannelTable } from "./table.ts";

/** Data of a link layer packet before anything else is agreed, Vol 6 Part B 4.5.10. */
const INITIAL_TX_OCTETS = 27;

const NOBODY: LinkOwner = {
  connection: undefined,
  security: () => NO_SECURITY,
  hasKey: () => false,
  demand: () => ({}),
  elevate: (demand) => Promise.reject(demand.refusal ?? new Error("nobody secures this link")),
};

export interface LinkChannelsOptions {
  readonly acl: AclLink;
  readonly signalling: Signalling;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly listeners: L2capListeners;
  /** Octets of data that one packet to the controller holds. */
  readonly packetLength: () => number;
}

/** The side of a link's channels that the link sees. */
export interface LinkChannelsControl {
  /** A frame on a dynamically allocated channel, its payload in `bytes[offset, end)`. @returns false: there is no such channel */
  receive(cid: number, bytes: Uint8Array, offset: number, end: number): boolean;
  /** Whose link it is. */
  bind(owner: LinkOwner): void;
  /** Octets of a link layer packet, as far as the controllers have agreed. */
  setTxOctets(txOctets: number): void;
  /** The link is gone. */
  close(reason: BleError): void;
}

let createLinkChannels: (options: LinkChannelsOptions) => { channels: LinkChannels; control: LinkChannelsControl };

/** As `connectSeveral`, for the host itself: nothing is secured, nor a user asked, for its sake. */
export let connectForHost: <Connection>(
  channels: LinkChannels<Connection>,
  spsm: number,
  options: ConnectSeveralOptions,
) => Promise<CreditBasedChannel<Connection>[]>;

/** Channels and their link's side. */
export function openLinkChannels(options: LinkChannelsOptions): { channels: LinkChannels; control: LinkChannelsControl } {
  return createLinkChannels(options);
}

/** The credit based channels of one link, Vol 3 Part A 4.22 to 4.28: at most 64, whoever opened them. */
export class LinkChannels<Connection = unknown> {
  readonly #options: LinkChannelsOptions;
  readonly #table = new ChannelTable();
  readonly #host: ChannelHost;
  readonly #opening: Opening;
  readonly #reconfiguring: Reconfiguring;
  readonly #gone = new AbortController();
  #owner = NOBODY;
  /** Disconnection Requests under way. */
  readonly #disconnections = new Map<ChannelControl, { question: Disposable | undefined; readonly timer: Disposable }>();

  static {
    connectForHost = (channels, spsm, options) => channels.#connectSeveral(spsm, options, true);
    createLinkChannels = (options) => {
      const channels = new LinkChannels(options);
      return { channels, control: channels.#createControl() };
    };
  }

  private constructor(options: LinkChannelsOptions) {
    this.#options = options;
    const { signalling, acl, clock, logger, listeners } = options;
    const scheduler = new Scheduler(acl);
    onAbort(this.#gone.signal, () => scheduler.clear());
    this.#host = {
      clock,
      logger,
      acl,
      scheduler,
      packetLength: () => Math.min(this.#txOctets, options.packetLength()),
      giveCredits: (cid, credits) => signalling.indicate(FlowControlCreditInd, { cid, credits }),
      disconnect: (channel) => this.#disconnect(channel),
    };
    const owner = (): LinkOwner => this.#owner;
    const parts = { signalling, table: this.#table, host: this.#host, owner, listeners, gone: this.#gone.signal };
    this.#opening = new Opening(parts);
    this.#reconfiguring = new Reconfiguring(parts);
    new Answering(parts);
    signalling.handle(DisconnectionRequest, (request, identifier) => this.#onDisconnectionRequest(request, identifier));
    signalling.handle(FlowControlCreditInd, ({ cid, credits }) => this.#table.byRemote(cid)?.addCredits(credits));
  }

  #txOctets = INITIAL_TX_OCTETS;

  /** Open channels, whoever opened them. */
  get channels(): CreditBasedChannel<Connection>[] {
    return [...this.#table.channels] as CreditBasedChannel<Connection>[];
  }

  /**
   * Opens a channel. A refusal for want of security raises the link's as the policy says (`elevate`), and asks once more.
   *
   * @param spsm 0x01 to 0xFF
   * @throws {ArgumentError} an option out of range
   * @throws {L2capRefusedError} the peer refuses, with the result
   * @throws {CommandRejectedError} the peer has no such channels
   * @throws {InsufficientSecurityError} the link has less than is demanded
   * @throws {ChannelClosedError} the peer's answer makes no sense
   * @throws {StateError} all 64 channels are in use
   * @throws {DisconnectedError} the link is lost
   * @throws {TimeoutError} no answer for 30 s, or in `timeoutMs` · `signal.reason`. What the peer opens all the same is closed again.
   */
  async connect(spsm: number, options: ConnectChannelOptions = {}): Promise<CreditBasedChannel<Connection>> {
    const settings = checkConnect(spsm, options);
    const [channel] = await this.#opening.open({ spsm, mode: options.mode ?? "credit", count: 1, settings }, options);
    return channel as CreditBasedChannel<Connection>;
  }

  /**
   * Opens up to five enhanced channels with one request.
   *
   * @returns those that opened, at least one
   * @throws as `connect`
   */
  connectSeveral(spsm: number, options: ConnectSeveralOptions): Promise<CreditBasedChannel<Connection>[]> {
    return this.#connectSeveral(spsm, options, false);
  }

  async #connectSeveral(spsm: number, options: ConnectSeveralOptions, isUnattended: boolean): Promise<CreditBasedChannel<Connection>[]> {
    const settings = checkConnectSeveral(spsm, options);
    const channels = await this.#opening.open({ spsm, mode: "enhanced", count: options.count, settings }, options, isUnattended);
    return channels as CreditBasedChannel<Connection>[];
  }

  /**
   * Changes what this side takes on enhanced channels: a longer MTU, another MPS. What is not given stays as it is, or becomes the greatest of
   * these channels.
   *
   * @throws {ArgumentError} no enhanced channels of this link, or a value that may not be asked for
   * @throws {L2capRefusedError} the peer refuses; nothing has changed
   * @throws {TimeoutError} no answer for 30 s, or in `timeoutMs` · `signal.reason`. An answer that comes later counts.
   */
  reconfigure(channels: readonly CreditBasedChannel<Connection>[], to: Reconfiguration, options: OperationOptions = {}): Promise<void> {
    return this.#reconfiguring.reconfigure(channels, to, options);
  }

  #disconnect(channel: ChannelControl): void {
    const { signalling, clock } = this.#options;
    const { localCid, remoteCid } = channel;
    const gone = (): boolean => {
      this.#forget(channel);
      return true;
    };
    // Noted first: a peer in the same process may answer inside `ask`.
    const timer = clock.setTimer(RTX_MS, DisconnectionRequest.name, gone);
    const disconnection: { question: Disposable | undefined; readonly timer: Disposable } = { question: undefined, timer };
    this.#disconnections.set(channel, disconnection);
    try {
      disconnection.question = signalling.ask(
        DisconnectionRequest,
        { destinationCid: remoteCid, sourceCid: localCid },
        {
          answer: DisconnectionResponse,
          // One about other channels is discarded, 4.7.
          onAnswer: (response) => response.destinationCid === remoteCid && response.sourceCid === localCid && gone(),
          onReject: gone, // it has no such channel any more
          onClose: () => undefined, // all channels end with the link
        },
      );
    } catch {
      gone(); // the link is gone, or nothing is answered on it
    }
  }

  #onDisconnectionRequest(request: { destinationCid: number; sourceCid: number }, identifier: number): void {
    const { signalling } = this.#options;
    const { destinationCid, sourceCid } = request;
    const channel = this.#table.byLocal(destinationCid);
    if (!channel) {
      signalling.reject(identifier, CommandRejectReason.InvalidCidInRequest, destinationCid, sourceCid);
      return;
    }
    if (channel.remoteCid !== sourceCid) return; // silently discarded, 4.6
    signalling.respond(DisconnectionResponse, identifier, { destinationCid, sourceCid });
    this.#forget(channel);
  }

  /** The channel is gone on both sides, or the peer does not say. */
  #forget(channel: ChannelControl): void {
    const disconnection = this.#disconnections.get(channel);
    this.#disconnections.delete(channel);
    disconnection?.question?.[Symbol.dispose]();
    disconnection?.timer[Symbol.dispose]();
    this.#table.remove(channel);
    channel.gone(new ChannelClosedError("peer"));
  }

  #createControl(): LinkChannelsControl {
    const table = this.#table;
    return {
      receive: (cid, bytes, offset, end) => {
        const channel = table.byLocal(cid);
        if (channel === undefined) return false;
        channel.receiveFrame(bytes, offset, end);
        return true;
      },
      bind: (owner) => {
        this.#owner = owner;
      },
      setTxOctets: (txOctets) => {
        this.#txOctets = txOctets;
      },
      close: (reason) => {
        this.#gone.abort(reason);
        for (const { timer } of this.#disconnections.values()) timer[Symbol.dispose]();
        this.#disconnections.clear();
        for (const channel of table.controls) {
          table.remove(channel);
          channel.gone(reason);
        }
      },
    };
  }
}
