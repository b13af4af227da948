import { decodeValue } from "../data/error.ts";
import { type Named, named } from "../data/named.ts";
import { type IddProtection, unprotected } from "./protection.ts";
import { ANNUNCIATION_STATES, type AnnunciationState } from "./words.ts";

const MOST_AUXILIARY = 5;
/** Types of the pump are its alarm codes behind this. */
const VENDOR = 0xf000;

/** What the pump shows at present. */
export interface AnnunciationStatus {
  readonly instanceId: number;
  /** As sent; `code` is what it means on this pump. */
  readonly type: number;
  /** The pump's code, as in the history; undefined for a type of another kind. */
  readonly code: number | undefined;
  readonly state: Named<AnnunciationState>;
  readonly auxiliary: readonly number[];
  /** What stands behind the fields that are known: the layout is that of the SIG, and was not seen on a pump. */
  readonly rest: Uint8Array;
}

/** IDD Annunciation Status, decrypted; undefined: there is none. @throws {PumpDataError} */
export function decodeAnnunciationStatus(bytes: Uint8Array, protection: IddProtection): AnnunciationStatus | undefined {
  const name = "IDD Annunciation Status";
  return decodeValue(name, unprotected(name, bytes, protection), (reader) => {
    const flags = reader.u8();
    if ((flags & 1) === 0) {
      reader.rest();
      return undefined;
    }
    const instanceId = reader.u16();
    const type = reader.u16();
    const state = named(ANNUNCIATION_STATES, reader.u8());
    const auxiliary: number[] = [];
    for (let i = 1; i <= MOST_AUXILIARY; i++) if ((flags >> i) & 1 && reader.remaining >= 2) auxiliary.push(reader.u16());
    const code = (type & VENDOR) === VENDOR ? type & ~VENDOR : undefined;
    return { instanceId, type, code, state, auxiliary, rest: reader.rest().slice() };
  });
}
