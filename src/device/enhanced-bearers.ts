import type { Clock } from "../async/index.ts";
import { setClientDemand, setEnhancedMtu, setLinkSecurity } from "../att/bearer.ts";
import { EnhancedChannel } from "../att/enhanced-channel.ts";
import { AttBearer, type LinkSecurity, type SecurityRequirement } from "../att/index.ts";
import { ClosedError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { GattClient } from "../gatt/index.ts";
import { EATT_SPSM, listenForHost } from "../l2cap/channels/index.ts";
import { type ChannelOptions, ConnectionResult, type CreditBasedChannel, type L2capListeners } from "../l2cap/index.ts";
import type { ConnectionPolicy } from "./policy.ts";

/** Bearers that a peer may open on one link: what one request can ask for, and no more. */
const MOST_ACCEPTED = 5;
/** On all links. */
const MOST_CHANNELS = 4096;
/** Least MTU of an enhanced channel, Vol 3 Part A 4.25. */
const LEAST_MTU = 64;
const DEFAULT_MTU = 247;

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
    security: { encrypted: true },
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

  constructor(options: EnhancedBearersOptions) {
    this.#options = options;
  }

  get bearers(): AttBearer[] {
    return [...this.#channels.keys()];
  }

  set security(security: LinkSecurity) {
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
    const { policy, isServed } = this.#options;
    if (policy.eatt === "never" || !isServed()) return ConnectionResult.SpsmNotSupported;
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

  /** Ends one bearer; the others go on. */
  #close(bearer: AttBearer, channel: CreditBasedChannel): void {
    bearer.close(bearer.refusal ?? new ClosedError("the link is not encrypted any more"));
    void channel.close();
  }
}
