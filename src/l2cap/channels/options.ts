import type { OperationOptions } from "../../async/pending.ts";
import {
  checkChoice,
  checkFunction,
  checkInteger,
  checkOperation,
  checkOptions,
  checkSignal,
  checkTimeout,
  kindOf,
  optionNames,
} from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { checkSecurityRequirement, type SecurityRequirement } from "../../core/link-security.ts";

/** "credit": LE credit based (Vol 3 Part A 4.22). "enhanced": enhanced credit based, several at once and with reconfiguration (4.25). */
export type ChannelMode = "credit" | "enhanced";

/** What this side takes on a channel. */
export interface ChannelOptions {
  /** Longest SDU taken, in octets: 23 to 65535, from 64 where the mode may be "enhanced"; 2221 by default, which fills nine K-frames. */
  readonly mtu?: number | undefined;
  /** Longest payload of a K-frame taken, in octets: 23 to 65533, from 64 where the mode may be "enhanced"; 247 by default: one link layer packet. */
  readonly mps?: number | undefined;
  /**
   * Octets that the peer may have under way, at least one SDU; by default 128 K-frames or two SDUs, whichever is more. It bounds what a channel
   * keeps for a reader that is slow, and what a round trip can carry.
   */
  readonly receiveWindow?: number | undefined;
  /** "auto" (default): credits go back to the peer when an SDU is taken. "manual": when `consumed` is called. */
  readonly credits?: "auto" | "manual" | undefined;
  /** SDUs that may wait to be sent before `writable` is false; 16 by default. */
  readonly sendQueue?: number | undefined;
}

export interface ConnectChannelOptions extends ChannelOptions, OperationOptions {
  /** "credit" by default. */
  readonly mode?: ChannelMode | undefined;
  /** What the link must have before the request leaves, beyond what its policy demands. */
  readonly security?: SecurityRequirement | undefined;
}

export interface ConnectSeveralOptions extends ChannelOptions, OperationOptions {
  /** 1 to 5. */
  readonly count: number;
  readonly security?: SecurityRequirement | undefined;
}

/** What a peer asks for. */
export interface ChannelRequest<Connection = unknown> {
  readonly connection: Connection;
  readonly spsm: number;
  readonly mode: ChannelMode;
  /** What this side would take. */
  readonly mtu: number;
  readonly mps: number;
  /** What the peer takes. */
  readonly peerMtu: number;
  readonly peerMps: number;
  readonly localCid: number;
  readonly remoteCid: number;
  /** Channels in the same request, this one included; those that cannot be had are not counted. */
  readonly count: number;
}

export interface ListenOptions<Connection = unknown> extends ChannelOptions {
  /** Which requests are answered; "both" by default. */
  readonly mode?: ChannelMode | "both" | undefined;
  /** What the link must have. Other links are refused as Vol 3 Part C 10.3.1 says, so that the peer can do something about it. */
  readonly security?: SecurityRequirement | undefined;
  /** Whether the peer may have a channel at all; asked once for a request. What throws is a refusal. */
  readonly authorize?: ((request: ChannelRequest<Connection>) => boolean | Promise<boolean>) | undefined;
  /** Asked for each channel: true takes it, false refuses it for want of resources, a number is the result to answer (ConnectionResult). */
  readonly accept?: ((request: ChannelRequest<Connection>) => boolean | number | Promise<boolean | number>) | undefined;
  /** Open at a time, on all links; 64 by default. */
  readonly maxChannels?: number | undefined;
  /** Open and not taken yet; 16 by default. More are refused. */
  readonly backlog?: number | undefined;
  /** How long `authorize` and `accept` may take; 20 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Ends the listener. */
  readonly signal?: AbortSignal | undefined;
}

/** What a channel is opened with. */
export interface ChannelSettings {
  readonly mtu: number;
  readonly mps: number;
  /** K-frames that the peer may have under way. */
  readonly initialCredits: number;
  readonly isManual: boolean;
  readonly sendQueue: number;
}

/** Least MTU and MPS, 4.22 and 4.25. */
export const LEAST = Object.freeze({ credit: 23, enhanced: 64 });
export const MOST_MTU = 0xffff;
export const MOST_MPS = 0xfffd;
/** A K-frame of this payload fills a link layer packet of 251 octets. */
const DEFAULT_MPS = 247;
/** An SDU of this length fills nine such K-frames. */
const DEFAULT_MTU = 9 * DEFAULT_MPS - 2;
/**
 * Credits wait behind the K-frames of this side, up to 16 with a dozen buffers in the controller, and go back a quarter of these at a time: so
 * many keep both directions going, and a packet in 33 is one of credits. With 64 it is one in 17, and costs five percent.
 */
const DEFAULT_WINDOW_FRAMES = 128;
const DEFAULT_SEND_QUEUE = 16;

const CHANNEL = { mtu: true, mps: true, receiveWindow: true, credits: true, sendQueue: true } as const;
const OPERATION = { signal: true, timeoutMs: true } as const;
const CONNECT = optionNames<ConnectChannelOptions>({ ...CHANNEL, ...OPERATION, mode: true, security: true });
const SEVERAL = optionNames<ConnectSeveralOptions>({ ...CHANNEL, ...OPERATION, count: true, security: true });
const LISTEN = optionNames<ListenOptions>({
  ...CHANNEL,
  ...OPERATION,
  mode: true,
  security: true,
  authorize: true,
  accept: true,
  maxChannels: true,
  backlog: true,
});

/** K-frames that an SDU of `mtu` octets takes, its length included. */
export function framesOf(mtu: number, mps: number): number {
  return Math.ceil((mtu + 2) / mps);
}

/** @throws {ArgumentError} a value out of range */
export function channelSettings(what: string, options: ChannelOptions, least: number): ChannelSettings {
  const { mps = Math.max(DEFAULT_MPS, least), mtu = DEFAULT_MTU, credits = "auto", sendQueue = DEFAULT_SEND_QUEUE } = options;
  checkInteger(`${what}: mtu`, mtu, least, MOST_MTU);
  checkInteger(`${what}: mps`, mps, least, MOST_MPS);
  checkChoice(`${what}: credits`, credits, ["auto", "manual"]);
  checkInteger(`${what}: sendQueue`, sendQueue, 1, 65_536);
  const { receiveWindow = Math.max(DEFAULT_WINDOW_FRAMES * mps, 2 * (mtu + 2)) } = options;
  checkInteger(`${what}: receiveWindow`, receiveWindow, 1, 0x7fff_ffff);
  const initialCredits = Math.min(0xffff, Math.max(framesOf(mtu, mps), Math.ceil(receiveWindow / mps)));
  return { mtu, mps, initialCredits, isManual: credits === "manual", sendQueue };
}

/** A Simplified Protocol/Service Multiplexer of LE: 0x01 to 0x7F fixed by the SIG, 0x80 to 0xFF dynamic (4.22). */
export function checkSpsm(what: string, spsm: unknown): number {
  return checkInteger(`${what}: spsm`, spsm, 1, 0xff);
}

/** @throws {ArgumentError} */
export function checkConnect(spsm: unknown, options: ConnectChannelOptions): ChannelSettings {
  const what = "l2cap.connect";
  checkSpsm(what, spsm);
  checkOperation(what, options, CONNECT);
  const { mode = "credit" } = options;
  checkChoice(`${what}: mode`, mode, ["credit", "enhanced"]);
  checkSecurityRequirement(`${what}: security`, options.security);
  return channelSettings(what, options, LEAST[mode]);
}

/** @throws {ArgumentError} */
export function checkConnectSeveral(spsm: unknown, options: ConnectSeveralOptions): ChannelSettings {
  const what = "l2cap.connectSeveral";
  checkSpsm(what, spsm);
  checkOperation(what, options ?? {}, SEVERAL);
  checkInteger(`${what}: count`, options?.count, 1, 5);
  checkSecurityRequirement(`${what}: security`, options.security);
  return channelSettings(what, options, LEAST.enhanced);
}

/** @throws {ArgumentError} */
export function checkListen(spsm: unknown, options: ListenOptions): ChannelSettings {
  const what = "l2cap.listen";
  if (spsm !== "dynamic") {
    if (typeof spsm !== "number") throw new ArgumentError(`${what}: spsm: expected a number or "dynamic", got ${kindOf(spsm)}`);
    checkSpsm(what, spsm);
  }
  checkOptions(what, options, LISTEN);
  const { mode = "both", maxChannels = 1, backlog = 1 } = options;
  checkChoice(`${what}: mode`, mode, ["credit", "enhanced", "both"]);
  checkSecurityRequirement(`${what}: security`, options.security);
  checkFunction(`${what}: authorize`, options.authorize);
  checkFunction(`${what}: accept`, options.accept);
  checkInteger(`${what}: maxChannels`, maxChannels, 1, 65_536);
  checkInteger(`${what}: backlog`, backlog, 1, 65_536);
  checkTimeout(`${what}: timeoutMs`, options.timeoutMs);
  checkSignal(`${what}: signal`, options.signal);
  return channelSettings(what, options, mode === "credit" ? LEAST.credit : LEAST.enhanced);
}
