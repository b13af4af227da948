import { concat } from "../bytes/index.ts";
import { AdvertisingData } from "../gap/advertising-data.ts";
import { OpenChains, pieceOfData } from "./advertising-chain.ts";

/** The most octets that advertising data of any kind has, Vol 4 Part E 7.8.57. */
const LONGEST_DATA = 1650;

/** Puts advertising data together that comes in several packets or reports. One for each adapter. */
export class AdvertisingPieces {
  readonly #chains = new OpenChains<Uint8Array>();

  /**
   * What is to be shown of `data`: read, where it is all; the octets, where it is a piece; and with the last piece the whole.
   *
   * @param packet name of the declaration
   * @param fields gives the value of a field that stands before the data; asked where the data of such a packet may be a piece
   */
  read(
    packet: string,
    fields: (name: string) => unknown,
    data: Uint8Array,
  ): { data: Uint8Array | AdvertisingData; whole?: AdvertisingData } {
    const piece = pieceOfData(packet, fields);
    if (!piece) return { data: new AdvertisingData(data) };
    const { begins, ends, isTruncated } = piece;
    let before = this.#chains.take(piece);
    if (begins === true) before = undefined;
    if (before === undefined && begins === false) return { data }; // a later piece of what the capture does not begin with
    const all = before === undefined ? data : concat(before, data);
    if (!ends) {
      if (all.length <= LONGEST_DATA) this.#chains.keep(piece, all);
      return { data };
    }
    const whole = new AdvertisingData(all);
    if (isTruncated && whole.problems.length > 0) return { data }; // the end of it is missing, which is nobody's fault
    return before === undefined ? { data: whole } : { data, whole };
  }
}
