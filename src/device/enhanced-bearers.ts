import { type Clock, delay } from "../async/index.ts";
import { setClientDemand, setEnhancedMtu, setLinkSecurity } from "../att/bearer.ts";
import { EnhancedChannel } from "../att/enhanced-channel.ts";
import { AttBearer, AttError, type LinkSecurity, type SecurityRequirement } from "../att/index.ts";
import { ClosedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { RandomSource } from "../core/random.ts";
import type { LinkParameters } from "../gap/index.ts";
import { ClientFeature, type GattClient, GattUuid } from "../gatt/index.ts";
import { EATT_SUPPORTED } from "../gatt/server/standard-services.ts";
import { connectForHost, EATT_SPSM, listenForHost } from "../l2cap/channels/index.ts";
import {
  type ChannelOptions,
  ConnectionResult,
  type CreditBasedChannel,
  type L2capListeners,
  L2capRefusedError,
  type LinkChannels,
} from "../l2cap/index.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** Bearers that a peer may open on one link: what one request can ask for, and no more. */
const MOST_ACCEPTED = 5;
/** On all links. */
const MOST_CHANNELS = 4096;
/** Least MTU of an enhanced channel, Vol 3 Part A 4.25. */
const LEAST_MTU = 64;
const DEFAULT_MTU = 247;
/** How often bearers that the peer had no room for are asked for. */
const ATTEMPTS = 3;

/** One PDU as long as the MTU is one K-frame. */
export function bearerChannelOptions({ att }: ConnectionPolicy): ChannelOptions {
  const mtu = Math.max(LEAST_MTU, att?.mtu ?? DEFAULT_MTU);
  return { mtu, mps: Math.min(mtu + 2, 0xfffd) };
}

/** Takes the bearers that peers open, as each connection's policy says (Vol 3 Part G 5.4): on encrypted links only. */
export function acceptBearers<Connection extends { readonly enhancedBearers: EnhancedBearers }>(
  listeners: L2capListeners<Connection>,
  policy: ConnectionPolicy,
): void {
  const listener = listenForHost(listeners, EATT_SPSM, {
    ...bearerChannelOptions(policy),
    mode: "enhanced",
    maxChannels: MOST_CHANNELS,
    authorize: ({ connection }) => connection.enhancedBearers.onRequest(),
    accept: ({ connection }) => connection.enhancedBearers.accept(),
  });
  listener.onChannel = (channel) => channel.connection.enhancedBearers.add(channel);
}

export interface EnhancedBearersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: ConnectionPolicy;
  /** The unenhanced bearer. */
  readonly att: AttBearer;
  readonly gatt: GattClient;
  readonly role: "central" | "peripheral";
  /** There is a bond, with which the peer can encrypt. */
  readonly hasKey: () => boolean;
  readonly channels: LinkChannels;
  readonly parameters: () => LinkParameters;
  readonly random: RandomSource;
  /** Has the own server answer on a bearer; false where there is none with a GATT service. */
  readonly isServed: () => boolean;
  readonly serve: (bearer: AttBearer, at: { isOwn: boolean }) => void;
}

/** The enhanced ATT bearers of one link, whoever opened them (Vol 3 Part F 3.2.11). */
export class EnhancedBearers {
  readonly #options: EnhancedBearersOptions;
  readonly #channels = new Map<AttBearer, CreditBasedChannel>();
  /** Of the request at hand. */
  #promised = 0;
  /** The peer's Server Supported Features say that it answers on such bearers. */
  #peerServes = false;
  #isBegun = false;
  readonly #gone = new AbortController();

  constructor(options: EnhancedBearersOptions) {
    this.#options = options;
    options.att.on("closed", (reason) => this.#gone.abort(reason));
  }

  get bearers(): AttBearer[] {
    return [...this.#channels.keys()];
  }

  set security(security: LinkSecurity) {
    if (security.encrypted && typeof this.#options.policy.eatt === "number" && !this.#isBegun) {
      this.#isBegun = true;
      void this.#open(this.#options.policy.eatt);
    }
    for (const [bearer, channel] of this.#channels) {
      setLinkSecurity(bearer, security);
      // No such bearer stays on a link in the clear.
      if (!security.encrypted) this.#close(bearer, channel);
    }
  }

  set demand(demand: SecurityRequirement) {
    for (const bearer of this.#channels.keys()) setClientDemand(bearer, demand);
  }

  /** The peer asks for bearers: how many of them it may have is asked next. */
  onRequest(): boolean {
    this.#promised = 0;
    return true;
  }

  /** The answer for one of them: true, or why not. */
  accept(): true | number {
    const { policy, isServed, att, hasKey } = this.#options;
    if (policy.eatt === "never" || !isServed()) return ConnectionResult.SpsmNotSupported;
    // Linux asks in the clear as soon as it has seen the bit, and pairs where it is told that authentication is missing (Vol 3 Part C 10.3.1):
    // everybody who connects would be asked to pair. It asks again on the next encrypted link.
    if (!att.security.encrypted) return hasKey() ? ConnectionResult.InsufficientEncryption : ConnectionResult.NoResources;
    const open = [...this.#channels.values()].filter(({ role }) => role === "acceptor").length;
    if (open + this.#promised >= MOST_ACCEPTED) return ConnectionResult.NoResources;
    this.#promised++;
    return true;
  }

  /** A channel to or from SPSM 0x27 is open. */
  add(channel: CreditBasedChannel): void {
    const { clock, logger, policy, att, gatt, serve } = this.#options;
    if (channel.role === "acceptor") this.#promised--;
    const mtu = (): number => Math.min(channel.mtu, channel.peerMtu);
    const pdus = new EnhancedChannel(channel, clock);
    const bearer = new AttBearer(pdus, { clock, logger, policy: policy.att, enhancedMtu: mtu() });
    setClientDemand(bearer, att.demand);
    setLinkSecurity(bearer, att.security);
    bearer.client = gatt;
    this.#channels.set(bearer, channel);
    const isOwn = channel.role === "initiator";
    serve(bearer, { isOwn });
    if (isOwn || this.#peerServes) gatt.addBearer(bearer);
    channel.on("reconfigured", () => setEnhancedMtu(bearer, mtu()));
    bearer.on("failed", () => this.#close(bearer, channel));
    bearer.on("closed", (reason) => {
      this.#channels.delete(bearer);
      if (!channel.ended) void channel.close();
      logger.info(() => `an enhanced ATT bearer is closed: ${reason.message}`);
    });
    logger.info(() => `an enhanced ATT bearer is open, ATT_MTU ${mtu()}`);
    pdus.begin();
  }

  /** Has so many bearers on the link, whoever opened them. What stands in the way leaves the link as it is. */
  async #open(wanted: number): Promise<void> {
    const { logger, policy, role, channels, att } = this.#options;
    const { signal } = this.#gone;
    try {
      // What both sides ask for at once may be refused on both (Vol 3 Part G 5.4): the peripheral lets the central go first.
      await this.#pause(role === "central" ? 0 : 1);
      if (!att.permits()) {
        this.#isBegun = false; // for its sake nothing more is secured
        return;
      }
      if (!(await this.#prepare(signal))) return;
      for (let attempt = 1; attempt <= ATTEMPTS && this.#channels.size < wanted; attempt++) {
        if (attempt > 1) await this.#pause(attempt);
        const count = wanted - this.#channels.size;
        if (count <= 0) return;
        try {
          for (const channel of await connectForHost(channels, EATT_SPSM, { ...bearerChannelOptions(policy), count, signal }))
            this.add(channel);
        } catch (error) {
          if (!(error instanceof L2capRefusedError && error.result === ConnectionResult.NoResources)) throw error;
        }
      }
    } catch (error) {
      if (!signal.aborted) logger.info(() => `no enhanced ATT bearers: ${String(error)}`);
    }
  }

  /** A time that is another one each time, so that two sides do not meet again: two to four of the events that both are awake at. */
  async #pause(times: number): Promise<void> {
    const { clock, random, parameters } = this.#options;
    const octet = new Uint8Array(1);
    if (times > 0) random.fill(octet);
    const { intervalMs, latency } = parameters();
    const ms = times * (2 + octet[0]! / 128) * intervalMs * (latency + 1);
    await delay(clock, ms, { signal: this.#gone.signal, name: "another try to open ATT bearers" });
  }

  /** Asks the peer whether it takes such bearers, and says that this side knows them (Vol 3 Part G 7.2, 7.4). */
  async #prepare(signal: AbortSignal): Promise<boolean> {
    const { gatt } = this.#options;
    const [server] = await this.#valuesOf(GattUuid.ServerSupportedFeatures, signal);
    if (!server || (server.value[0]! & EATT_SUPPORTED) === 0) return false;
    const [client] = await this.#valuesOf(GattUuid.ClientSupportedFeatures, signal);
    if (client && ((client.value[0] ?? 0) & ClientFeature.EnhancedBearer) === 0) {
      const value = Uint8Array.from(client.value.length > 0 ? client.value : [0]);
      value[0]! |= ClientFeature.EnhancedBearer;
      await gatt.write(client.handle, value, { signal });
    }
    this.#peerServes = true;
    for (const bearer of this.#channels.keys()) gatt.addBearer(bearer);
    return true;
  }

  /** Nothing where the peer has no such characteristic. */
  async #valuesOf(uuid: number, signal: AbortSignal): Promise<readonly { handle: number; value: Uint8Array }[]> {
    try {
      return await this.#options.gatt.readByUuid(uuid, { signal });
    } catch (error) {
      if (error instanceof AttError) return [];
      throw error;
    }
  }

  /** Ends one bearer; the others go on. */
  #close(bearer: AttBearer, channel: CreditBasedChannel): void {
    bearer.close(bearer.refusal ?? new ClosedError("the link is not encrypted any more"));
    void channel.close();
  }
}
