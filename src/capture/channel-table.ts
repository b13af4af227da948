import {
  CommandReject,
  CreditBasedConnectionRequest,
  CreditBasedConnectionResponse,
  CreditBasedReconfigureRequest,
  CreditBasedReconfigureResponse,
  DisconnectionRequest,
  DisconnectionResponse,
  FlowControlCreditInd,
  LeCreditBasedConnectionRequest,
  LeCreditBasedConnectionResponse,
} from "../l2cap/signalling-packets.ts";
import { type CaptureDirection, opposite } from "./record.ts";

/** Dynamically allocated CIDs of an LE link, Vol 3 Part A 2.1. */
const FIRST_DYNAMIC_CID = 0x40;
const LAST_DYNAMIC_CID = 0x7f;
/** Results of 4.26 that say that the answer is still to come. */
const FIRST_PENDING = 0x000d;
const LAST_PENDING = 0x000f;

/** Of the enhanced bearers of the attribute protocol, Vol 3 Part F 3.2.11. */
export const EATT_SPSM = 0x0027;

/** A credit based channel; both of its ends have the same one. */
export interface Channel {
  readonly spsm: number;
}

/** One end of a channel: what its owner takes, and the SDU that is on its way there. */
export interface ChannelEnd {
  readonly channel: Channel;
  mtu: number;
  mps: number;
  /** Octets of the SDU, and how many of them have come; `undefined` between two SDUs. */
  sdu: { readonly length: number; octets: number } | undefined;
}

interface Request {
  readonly isEnhanced: boolean;
  readonly spsm: number;
  readonly mtu: number;
  readonly mps: number;
  readonly sourceCids: readonly number[];
}

/** What a side has asked for, by the identifier. */
interface Asked {
  readonly connections: Map<number, Request>;
  readonly reconfigurations: Map<number, { readonly mtu: number; readonly mps: number; readonly cids: readonly number[] }>;
  /** Its ends, by its CIDs. */
  readonly ends: Map<number, ChannelEnd>;
}

const side = (): Asked => ({ connections: new Map(), reconfigurations: new Map(), ends: new Map() });

/** The credit based channels of one link, as the signalling packets of both sides tell of them (Vol 3 Part A 4.22 to 4.28). */
export class ChannelTable {
  /** By the direction in which the side sends. */
  readonly #sides: Readonly<Record<CaptureDirection, Asked>> = { "host-to-controller": side(), "controller-to-host": side() };

  /** The end that takes what is sent in `direction` to `cid`; `undefined` where its opening is not in the capture. */
  endOf(direction: CaptureDirection, cid: number): ChannelEnd | undefined {
    return this.#sides[opposite(direction)].ends.get(cid);
  }

  /**
   * Takes a signalling packet in.
   *
   * @param fields as `decodeSignal` gives them
   * @returns the SPSM of the channel that it is about, where it does not say so itself
   */
  follow(direction: CaptureDirection, code: number, identifier: number, fields: Readonly<Record<string, unknown>>): number | undefined {
    const sender = this.#sides[direction];
    const other = this.#sides[opposite(direction)];
    const numbers = fields as Readonly<Record<string, number>>;
    switch (code) {
      case CommandReject.code:
        other.connections.delete(identifier);
        other.reconfigurations.delete(identifier);
        return undefined;
      case LeCreditBasedConnectionRequest.code:
        sender.connections.set(identifier, requestOf(fields, [numbers.sourceCid!], false));
        return undefined;
      case CreditBasedConnectionRequest.code:
        sender.connections.set(identifier, requestOf(fields, fields.sourceCids as number[], true));
        return undefined;
      case LeCreditBasedConnectionResponse.code:
        return this.#onResponse(direction, identifier, fields, numbers.result === 0 ? [numbers.destinationCid!] : [], false);
      case CreditBasedConnectionResponse.code:
        return this.#onResponse(direction, identifier, fields, fields.destinationCids as number[], true);
      case FlowControlCreditInd.code:
        return sender.ends.get(numbers.cid!)?.channel.spsm;
      case DisconnectionRequest.code:
        return sender.ends.get(numbers.sourceCid!)?.channel.spsm;
      case DisconnectionResponse.code: {
        // The destination is that of the request, which is who answers.
        const spsm = sender.ends.get(numbers.destinationCid!)?.channel.spsm;
        sender.ends.delete(numbers.destinationCid!);
        other.ends.delete(numbers.sourceCid!);
        return spsm;
      }
      case CreditBasedReconfigureRequest.code: {
        const cids = fields.destinationCids as number[];
        sender.reconfigurations.set(identifier, { mtu: numbers.mtu!, mps: numbers.mps!, cids });
        return sender.ends.get(cids[0]!)?.channel.spsm;
      }
      case CreditBasedReconfigureResponse.code:
        return this.#onReconfigured(other, identifier, numbers.result!);
      default:
        return undefined;
    }
  }

  #onResponse(
    direction: CaptureDirection,
    identifier: number,
    fields: Readonly<Record<string, unknown>>,
    destinationCids: readonly number[],
    isEnhanced: boolean,
  ): number | undefined {
    const asked = this.#sides[opposite(direction)];
    const request = asked.connections.get(identifier);
    if (request?.isEnhanced !== isEnhanced) return undefined;
    const { spsm, sourceCids } = request;
    const result = fields.result as number;
    if (isEnhanced && result >= FIRST_PENDING && result <= LAST_PENDING) return spsm;
    asked.connections.delete(identifier);
    const { mtu, mps } = fields as { mtu: number; mps: number };
    destinationCids.forEach((cid, i) => {
      const sourceCid = sourceCids[i];
      if (!isDynamic(cid) || !isDynamic(sourceCid)) return; // refused, or no channel that there can be
      const channel: Channel = { spsm };
      this.#sides[direction].ends.set(cid, { channel, mtu, mps, sdu: undefined });
      asked.ends.set(sourceCid, { channel, mtu: request.mtu, mps: request.mps, sdu: undefined });
    });
    return spsm;
  }

  #onReconfigured({ reconfigurations, ends }: Asked, identifier: number, result: number): number | undefined {
    const asked = reconfigurations.get(identifier);
    reconfigurations.delete(identifier);
    if (!asked) return undefined;
    const { mtu, mps, cids } = asked;
    if (result === 0) for (const cid of cids) Object.assign(ends.get(cid) ?? {}, { mtu, mps });
    return ends.get(cids[0]!)?.channel.spsm;
  }
}

/** What a K-frame brings, Vol 3 Part A 3.4.3. */
export interface KFrame {
  /** Octets of the whole SDU, and how many of them have come with this K-frame. */
  readonly sduLength: number;
  readonly sduOctets: number;
  /** Octets in front of the information: 2 where an SDU begins. */
  readonly headerOctets: number;
  /** What is wrong with it. */
  readonly problem: string | undefined;
}

/** Takes in a K-frame of `size` octets that goes to `end`. @param lengthAtStart its first two octets as a number, if it has so many */
export function followKFrame(end: ChannelEnd, size: number, lengthAtStart: number | undefined): KFrame {
  let problem = size > end.mps ? `a K-frame of ${size} octets, with an MPS of ${end.mps}` : undefined;
  const headerOctets = end.sdu ? 0 : 2;
  if (!end.sdu) {
    if (lengthAtStart === undefined)
      return { sduLength: 0, sduOctets: 0, headerOctets: 0, problem: "the first K-frame of an SDU without a length" };
    if (lengthAtStart > end.mtu) problem ??= `an SDU of ${lengthAtStart} octets, with an MTU of ${end.mtu}`;
    end.sdu = { length: lengthAtStart, octets: 0 };
  }
  const { sdu } = end;
  sdu.octets += size - headerOctets;
  if (sdu.octets > sdu.length) problem ??= `${sdu.octets} octets of an SDU of ${sdu.length}`;
  if (sdu.octets >= sdu.length) end.sdu = undefined;
  return { sduLength: sdu.length, sduOctets: sdu.octets, headerOctets, problem };
}

function requestOf(fields: Readonly<Record<string, unknown>>, sourceCids: readonly number[], isEnhanced: boolean): Request {
  const { spsm, mtu, mps } = fields as { spsm: number; mtu: number; mps: number };
  return { isEnhanced, spsm, mtu, mps, sourceCids };
}

function isDynamic(cid: number | undefined): cid is number {
  return cid !== undefined && cid >= FIRST_DYNAMIC_CID && cid <= LAST_DYNAMIC_CID;
}
