import { BoundedMap } from "../core/bounded-map.ts";
import { copyOctets } from "./ad-fields.ts";
import { Advertisement, addressKeyAt, type ResolveAddress } from "./advertisement.ts";
import { isScannable, isScanResponse, ReportBit, type ReportLayout, SID_AT } from "./report-layout.ts";

/** Advertisers remembered, so that a scan response can be shown together with its advertisement. */
const CAPACITY = 1024;

/** The last advertisement and scan response of an advertiser, or of one of its advertising sets. */
interface Recent {
  advertisement: Advertisement | undefined;
  scanResponse: Advertisement | undefined;
}

/** Shows what an active scan hears of an advertiser together: its advertisement with its scan response, and the other way round. */
export class ReportMerger {
  readonly #resolve: ResolveAddress;
  /** By advertiser. */
  readonly #recent = new BoundedMap<number, Recent>(CAPACITY);
  /** The same for extended PDUs, by advertiser and advertising set. */
  readonly #recentSets = new BoundedMap<number, Recent>(CAPACITY);

  constructor(resolve: ResolveAddress) {
    this.#resolve = resolve;
  }

  /** A report in place, with the one that completes it. Of what is heard again and again nothing is made but this one object. */
  merge(packet: Uint8Array, offset: number, end: number, layout: ReportLayout): Advertisement {
    const recent = this.#recentOf(packet, offset, layout);
    if (!recent) return new Advertisement(packet, offset, end, this.#resolve, undefined, layout); // no scan response will follow
    const isResponse = isScanResponse(packet, offset, layout);
    const { advertisement, scanResponse } = recent;
    if (!(isResponse ? scanResponse : advertisement)?.isSameAs(packet, offset, end)) {
      const octets = copyOctets(packet, offset, end);
      recent[isResponse ? "scanResponse" : "advertisement"] = new Advertisement(octets, 0, octets.length, this.#resolve, undefined, layout);
    }
    return new Advertisement(packet, offset, end, this.#resolve, isResponse ? advertisement : scanResponse, layout);
  }

  #recentOf(packet: Uint8Array, offset: number, layout: ReportLayout): Recent | undefined {
    const hasSets = layout.isExtended && (packet[offset]! & ReportBit.LegacyPdu) === 0;
    const known = hasSets ? this.#recentSets : this.#recent;
    let key = addressKeyAt(packet, offset + layout.addressAt);
    if (hasSets) key += (packet[offset + SID_AT]! & 0xf) * 2 ** 49;
    let recent = known.get(key);
    if (!recent && isScannable(packet, offset, layout)) {
      known.makeRoom();
      recent = { advertisement: undefined, scanResponse: undefined };
      known.set(key, recent);
    }
    return recent;
  }

  clear(): void {
    this.#recent.clear();
    this.#recentSets.clear();
  }
}
