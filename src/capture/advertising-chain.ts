/** Where a piece of advertising data belongs that HCI cuts into several packets or reports. */
export interface PieceOfData {
  /** The data of which train, set or advertiser: pieces with one key follow each other. */
  readonly key: string;
  /** Whether it is the first piece; `undefined` where the packet does not say: it is, when no piece is open. */
  readonly begins: boolean | undefined;
  /** Whether nothing follows. */
  readonly ends: boolean;
  /** More was sent than the controller received. */
  readonly isTruncated: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Data_Status of Vol 4 Part E 7.7.65.13, 7.7.65.15 and 7.7.65.37. */
const MORE_TO_COME = 1;
const TRUNCATED = 2;
const received = (key: string, dataStatus: unknown): PieceOfData => ({
  key,
  begins: undefined,
  ends: dataStatus !== MORE_TO_COME,
  isTruncated: dataStatus === TRUNCATED,
});

/** Operation of Vol 4 Part E 7.8.54, 7.8.55 and 7.8.62: intermediate, first, last, complete, unchanged. */
function sent(packet: string, { advertisingHandle, operation }: Fields): PieceOfData {
  return {
    key: `${packet} ${String(advertisingHandle)}`,
    begins: operation !== 0 && operation !== 2,
    ends: operation !== 0 && operation !== 1,
    isTruncated: false,
  };
}

/** Bits of Event_Type of an extended report, Vol 4 Part E 7.7.65.13. */
const LEGACY_PDU = 0x10;
const KIND = 0x1f;

const PIECES: Readonly<Record<string, (packet: string, fields: Fields) => PieceOfData | undefined>> = {
  LeSetExtendedAdvertisingData: sent,
  LeSetExtendedScanResponseData: sent,
  LeSetPeriodicAdvertisingData: sent,
  LeExtendedAdvertisingReport: (_packet, { eventType, addressType, address, advertisingSid }) => {
    const type = eventType as number;
    if (type & LEGACY_PDU) return undefined;
    return received(`advertiser ${String(addressType)} ${String(address)} ${String(advertisingSid)} ${type & KIND}`, (type >> 5) & 3);
  },
  LePeriodicAdvertisingReport: (_packet, { syncHandle, dataStatus }) => received(`train ${String(syncHandle)}`, dataStatus),
  LePeriodicAdvertisingReportV2: (_packet, { syncHandle, subevent, dataStatus }) =>
    received(`train ${String(syncHandle)} ${String(subevent)}`, dataStatus),
  LePeriodicAdvertisingResponseReport: (_packet, { advertisingHandle, subevent, responseSlot, dataStatus }) =>
    received(`response ${String(advertisingHandle)} ${String(subevent)} ${String(responseSlot)}`, dataStatus),
};

/**
 * Which piece of what the advertising data of a packet is; `undefined` where it is always whole.
 *
 * @param packet name of the declaration
 * @param fields gives what stands before the data: in the packet, and in the report that holds it
 */
export function pieceOfData(packet: string, fields: () => Fields): PieceOfData | undefined {
  return Object.hasOwn(PIECES, packet) ? PIECES[packet]!(packet, fields()) : undefined;
}

/** What is known of the pieces that came, by their key; a bounded number, those begun first are forgotten first. */
export class OpenChains<T> {
  static readonly #most = 64;
  readonly #open = new Map<string, T>();

  /** What was kept of the pieces before, which are open no more. */
  take(key: string): T | undefined {
    const state = this.#open.get(key);
    this.#open.delete(key);
    return state;
  }

  /** Keeps `state` until the next piece. */
  keep(key: string, state: T): void {
    this.#open.set(key, state);
    if (this.#open.size > OpenChains.#most) this.#open.delete(this.#open.keys().next().value!);
  }

  /** A packet came that nobody can read: it may have been a piece of any of them. */
  replaceAll(state: T): void {
    for (const key of this.#open.keys()) this.#open.set(key, state);
  }
}
