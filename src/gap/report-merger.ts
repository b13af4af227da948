import { SMALL } from "../bytes/copy-octets.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import { Advertisement, addressKeyAt, type ResolveAddress } from "./advertisement.ts";
import { isScannable, isScanResponse, LEGACY_PDU, type ReportLayout, SID_AT } from "./report-layout.ts";

/** Advertisers remembered, so that a scan response can be shown together with its advertisement. */
const CAPACITY = 1024;

/** The last advertisement and scan response of an advertiser, or of one of its advertising sets. */
interface Recent {
  /** The number it is found by. */
  key: number;
  /** False for one that is not remembered, since no scan response will follow. */
  readonly canAnswer: boolean;
  advertisement: Advertisement | undefined;
  scanResponse: Advertisement | undefined;
}

/** Is the number of nobody, and is equal to none. */
const NO_KEY = Number.NaN;
const NOBODY: Recent = { key: NO_KEY, canAnswer: false, advertisement: undefined, scanResponse: undefined };

/** The last advertisers, by a number. */
class RecentReports {
  readonly #all = new BoundedMap<number, Recent>(CAPACITY);
  /**
   * Those heard last, by the low octet of their number, and those who do not answer too: to look for a number of 49 bits in a map takes 20 ns,
   * which was most of the merging.
   */
  readonly #front: Recent[] = Array.from({ length: 0x100 }, () => NOBODY);

  /**
   * @param low the low octet of `key`
   * @param canAnswer whether it is remembered from now on, where it is not yet
   */
  get(key: number, low: number, canAnswer: boolean): Recent | undefined {
    const front = this.#front[low]!;
    if (front.key === key && (front.canAnswer || !canAnswer)) return front.canAnswer ? front : undefined;
    let recent = this.#all.get(key);
    if (!recent) {
      recent = { key, canAnswer, advertisement: undefined, scanResponse: undefined };
      if (canAnswer) {
        const oldest = this.#all.makeRoom();
        if (oldest) oldest.key = NO_KEY;
        this.#all.set(key, recent);
      }
    }
    this.#front[low] = recent;
    return recent.canAnswer ? recent : undefined;
  }

  clear(): void {
    this.#all.clear();
    this.#front.fill(NOBODY);
  }
}

/** Shows what an active scan hears of an advertiser together: its advertisement with its scan response, and the other way round. */
export class ReportMerger {
  readonly #resolve: ResolveAddress;
  /** By advertiser. */
  readonly #recent = new RecentReports();
  /** The same for extended PDUs, by advertiser and advertising set. */
  readonly #recentSets = new RecentReports();

  constructor(resolve: ResolveAddress) {
    this.#resolve = resolve;
  }

  /** A report in place, with the one that completes it. */
  merge(packet: Uint8Array, offset: number, end: number, layout: ReportLayout): Advertisement {
    const isResponse = isScanResponse(packet, offset, layout);
    // A controller may leave out of a scan response that it answers something.
    const canAnswer = isResponse || isScannable(packet, offset, layout);
    const recent = this.#recentOf(packet, offset, layout, canAnswer);
    const other = isResponse ? recent?.advertisement : recent?.scanResponse;
    const merged = new Advertisement(packet, offset, end, this.#resolve, other, layout);
    // One that nobody may answer has been answered by no scan response: a beacon between them does not come between them.
    if (recent && canAnswer) {
      const kind = isResponse ? "scanResponse" : "advertisement";
      // To hold a packet takes half as long as to see that it says nothing new. One that begins a piece of a stream holds the piece, 4 KiB at most.
      const isShort = packet.byteOffset === 0 && packet.length <= SMALL;
      if (isShort || !recent[kind]?.isSameAs(packet, offset, end)) {
        const own = other ? new Advertisement(packet, offset, end, this.#resolve, undefined, layout) : merged;
        recent[kind] = isShort ? own : own.keep();
      }
    }
    return merged;
  }

  #recentOf(packet: Uint8Array, offset: number, layout: ReportLayout, canAnswer: boolean): Recent | undefined {
    const hasSets = layout.isExtended && (packet[offset]! & LEGACY_PDU) === 0;
    const at = offset + layout.addressAt;
    const key = addressKeyAt(packet, at) + (hasSets ? (packet[offset + SID_AT]! & 0xf) * 2 ** 49 : 0);
    return (hasSets ? this.#recentSets : this.#recent).get(key, packet[at + 1]!, canAnswer);
  }

  clear(): void {
    this.#recent.clear();
    this.#recentSets.clear();
  }
}
