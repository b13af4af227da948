import type { ChannelControl, CreditBasedChannel } from "./channel.ts";
import { controlOf } from "./channel.ts";

/** Dynamically allocated CIDs of an LE link, Vol 3 Part A 2.1. */
const FIRST_CID = 0x40;
const LAST_CID = 0x7f;

export function isDynamicCid(cid: number): boolean {
  return cid >= FIRST_CID && cid <= LAST_CID;
}

/** The CIDs of one link, this side's and the peer's, and whose they are. */
export class ChannelTable {
  readonly #local: (ChannelControl | undefined)[] = [];
  readonly #remote: (ChannelControl | undefined)[] = [];
  /** Own CIDs that are given out: of channels, and of those that are being opened. */
  readonly #reserved = new Set<number>();
  /** The peer's CIDs of requests that are being decided on. */
  readonly #claimed = new Set<number>();
  readonly channels = new Set<CreditBasedChannel>();

  /** The lowest free own CIDs; fewer where there are no more. */
  reserve(count: number): number[] {
    const cids: number[] = [];
    for (let cid = FIRST_CID; cid <= LAST_CID && cids.length < count; cid++) if (!this.#reserved.has(cid)) cids.push(cid);
    for (const cid of cids) this.#reserved.add(cid);
    return cids;
  }

  release(...cids: number[]): void {
    for (const cid of cids) this.#reserved.delete(cid);
  }

  claim(...remoteCids: number[]): void {
    for (const cid of remoteCids) this.#claimed.add(cid);
  }

  unclaim(...remoteCids: number[]): void {
    for (const cid of remoteCids) this.#claimed.delete(cid);
  }

  /** The peer uses this CID of its own, or has asked to. */
  isRemoteTaken(cid: number): boolean {
    return this.byRemote(cid) !== undefined || this.#claimed.has(cid);
  }

  byLocal(cid: number): ChannelControl | undefined {
    return this.#local[cid - FIRST_CID];
  }

  byRemote(cid: number): ChannelControl | undefined {
    return this.#remote[cid - FIRST_CID];
  }

  add(channel: CreditBasedChannel): void {
    this.channels.add(channel);
    const control = controlOf(channel);
    this.#local[control.localCid - FIRST_CID] = control;
    this.#remote[control.remoteCid - FIRST_CID] = control;
    channel.on("closed", () => this.channels.delete(channel));
  }

  remove({ localCid, remoteCid }: ChannelControl): void {
    this.#local[localCid - FIRST_CID] = undefined;
    this.#remote[remoteCid - FIRST_CID] = undefined;
    this.release(localCid);
  }

  /** All that have CIDs, also those that are being closed. */
  get controls(): ChannelControl[] {
    return this.#local.filter((control) => control !== undefined);
  }
}
