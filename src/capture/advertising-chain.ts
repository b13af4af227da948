/** Where a piece of advertising data belongs that HCI cuts into several packets or reports. */
export interface PieceOfData {
  /** The data of which train, set or advertiser: pieces with one key follow each other. Made when it is asked for, which is seldom. */
  readonly key: () => string;
  /** Whether it is the first piece; `undefined` where the packet does not say: it is, when no piece is open. */
  readonly begins: boolean | undefined;
  /** Whether nothing follows. */
  readonly ends: boolean;
  /** More was sent than the controller received. */
  readonly isTruncated: boolean;
}

/** The value of a field that stands before the data. */
type Fields = (name: string) => unknown;

/** Data_Status of Vol 4 Part E 7.7.65.13, 7.7.65.15 and 7.7.65.37. */
const MORE_TO_COME = 1;
const TRUNCATED = 2;
/** @param where names of the fields that say whose data it is */
const received = (kind: string, fields: Fields, where: readonly string[], dataStatus: unknown): PieceOfData => ({
  key: () => [kind, ...where.map(fields)].join(" "),
  begins: undefined,
  ends: dataStatus !== MORE_TO_COME,
  isTruncated: dataStatus === TRUNCATED,
});

/** Operation of Vol 4 Part E 7.8.54, 7.8.55 and 7.8.62: intermediate, first, last, complete, unchanged. */
function sent(packet: string, fields: Fields): PieceOfData {
  const operation = fields("operation");
  return {
    key: () => `${packet} ${String(fields("advertisingHandle"))}`,
    begins: operation !== 0 && operation !== 2,
    ends: operation !== 0 && operation !== 1,
    isTruncated: false,
  };
}

/** Bits of Event_Type of an extended report, Vol 4 Part E 7.7.65.13. */
const LEGACY_PDU = 0x10;
const KIND = 0x1f;

const ADVERTISER = ["addressType", "address", "advertisingSid"];
const TRAIN = ["syncHandle"];
const SUBEVENT_OF_TRAIN = ["syncHandle", "subevent"];
const RESPONSE_SLOT = ["advertisingHandle", "subevent", "responseSlot"];

const PIECES: Readonly<Record<string, (packet: string, fields: Fields) => PieceOfData | undefined>> = {
  LeSetExtendedAdvertisingData: sent,
  LeSetExtendedScanResponseData: sent,
  LeSetPeriodicAdvertisingData: sent,
  LeExtendedAdvertisingReport: (_packet, fields) => {
    const type = fields("eventType") as number;
    return type & LEGACY_PDU ? undefined : received(`advertiser ${type & KIND}`, fields, ADVERTISER, (type >> 5) & 3);
  },
  LePeriodicAdvertisingReport: (_packet, fields) => received("train", fields, TRAIN, fields("dataStatus")),
  LePeriodicAdvertisingReportV2: (_packet, fields) => received("subevent", fields, SUBEVENT_OF_TRAIN, fields("dataStatus")),
  LePeriodicAdvertisingResponseReport: (_packet, fields) => received("response", fields, RESPONSE_SLOT, fields("dataStatus")),
};

/**
 * Which piece of what the advertising data of a packet is; `undefined` where it is always whole.
 *
 * @param packet name of the declaration
 * @param fields what stands before the data: in the packet, and in the report that holds it
 */
export function pieceOfData(packet: string, fields: Fields): PieceOfData | undefined {
  return Object.hasOwn(PIECES, packet) ? PIECES[packet]!(packet, fields) : undefined;
}

/** What is known of the pieces that came, by their key; a bounded number, those begun first are forgotten first. */
export class OpenChains<T> {
  static readonly #most = 64;
  readonly #open = new Map<string, T>();

  /** What was kept of the pieces before, which are open no more. */
  take({ key }: PieceOfData): T | undefined {
    if (this.#open.size === 0) return undefined;
    const name = key();
    const state = this.#open.get(name);
    this.#open.delete(name);
    return state;
  }

  /** Keeps `state` until the next piece. */
  keep({ key }: PieceOfData, state: T): void {
    this.#open.set(key(), state);
    if (this.#open.size > OpenChains.#most) this.#open.delete(this.#open.keys().next().value!);
  }

  /** A packet came that nobody can read: it may have been a piece of any of them. */
  replaceAll(state: T): void {
    for (const key of this.#open.keys()) this.#open.set(key, state);
  }
}
