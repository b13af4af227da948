import type { ExtendedPdu } from "../../air/index.ts";
import { AUX_PTR_OCTETS } from "../../air/index.ts";
import { AdvPduType, type AirAddress } from "./advertising-pdus.ts";

// Common Extended Advertising Payload Format, Vol 6 Part B 2.3.4.

/** AdvMode, Vol 6 Part B 2.3.4.1. */
export const AdvMode = Object.freeze({ Neither: 0, Connectable: 1, Scannable: 2 });

/** Most octets of payload of a PDU on a secondary channel. */
export const MAX_PAYLOAD = 255;
/** Extended Header Length and AdvMode, and Extended Header Flags. */
const FIXED_OCTETS = 2;

const HAS_ADV_A = 0x01;
const HAS_TARGET_A = 0x02;
const HAS_CTE_INFO = 0x04;
const HAS_ADI = 0x08;
const HAS_AUX_PTR = 0x10;
const HAS_SYNC_INFO = 0x20;
const HAS_TX_POWER = 0x40;
const SYNC_INFO_OCTETS = 18;
const TX_ADD = 0x40;
const RX_ADD = 0x80;

/** Advertising Data Info: Set ID, 4 bits, and Data ID, 12 bits. */
export interface AdvertisingDataInfo {
  readonly sid: number;
  readonly did: number;
}

export interface ExtendedFields {
  /** AdvPduType: AdvExtInd for all but AUX_CONNECT_RSP. */
  readonly type: number;
  readonly mode: number;
  readonly advA?: AirAddress | undefined;
  readonly targetA?: AirAddress | undefined;
  readonly adi?: AdvertisingDataInfo | undefined;
  readonly hasAuxPtr?: boolean;
  /** 18 octets, Vol 6 Part B 2.3.4.6. */
  readonly syncInfo?: Uint8Array | undefined;
  readonly txPowerDbm?: number | undefined;
  readonly acad?: Uint8Array | undefined;
  readonly data?: Uint8Array | undefined;
}

/** Octets of payload in front of the data. */
export function headerOctets({
  advA,
  targetA,
  adi,
  hasAuxPtr,
  syncInfo,
  txPowerDbm,
  acad,
}: Omit<ExtendedFields, "type" | "mode" | "data">): number {
  return (
    FIXED_OCTETS +
    (advA ? 6 : 0) +
    (targetA ? 6 : 0) +
    (adi ? 2 : 0) +
    (hasAuxPtr ? AUX_PTR_OCTETS : 0) +
    (syncInfo ? SYNC_INFO_OCTETS : 0) +
    (txPowerDbm === undefined ? 0 : 1) +
    (acad?.length ?? 0)
  );
}

export function extendedPdu(fields: ExtendedFields): ExtendedPdu & { readonly syncInfoAt: number } {
  const { type, mode, advA, targetA, adi, hasAuxPtr, syncInfo, txPowerDbm, acad, data } = fields;
  const length = headerOctets(fields) + (data?.length ?? 0);
  const pdu = new Uint8Array(2 + length);
  pdu[0] = type | (advA?.type ? TX_ADD : 0) | (targetA?.type ? RX_ADD : 0);
  pdu[1] = length;
  pdu[2] = (headerOctets(fields) - 1) | (mode << 6);
  let flags = 0;
  let at = 4;
  const put = (flag: number, octets: ArrayLike<number>): void => {
    flags |= flag;
    pdu.set(octets, at);
    at += octets.length;
  };
  if (advA) put(HAS_ADV_A, advA.bytes);
  if (targetA) put(HAS_TARGET_A, targetA.bytes);
  if (adi) put(HAS_ADI, [adi.did & 0xff, (adi.did >> 8) | (adi.sid << 4)]);
  const auxPtrAt = hasAuxPtr ? at : -1;
  if (hasAuxPtr) put(HAS_AUX_PTR, new Uint8Array(AUX_PTR_OCTETS));
  const syncInfoAt = syncInfo ? at : -1;
  if (syncInfo) put(HAS_SYNC_INFO, syncInfo);
  if (txPowerDbm !== undefined) put(HAS_TX_POWER, [txPowerDbm & 0xff]);
  if (acad) put(0, acad);
  if (data) put(0, data);
  pdu[3] = flags;
  return { pdu, auxPtrAt, syncInfoAt };
}

/** What a PDU holds; offsets are negative where the field is not there. */
export interface ExtendedView {
  readonly mode: number;
  readonly advAAt: number;
  readonly targetAAt: number;
  readonly adi: AdvertisingDataInfo | undefined;
  readonly auxPtrAt: number;
  readonly syncInfoAt: number;
  readonly txPowerDbm: number | undefined;
  readonly acad: Uint8Array;
  readonly dataAt: number;
}

/** Nothing where lengths lie. */
export function readExtendedPdu(pdu: Uint8Array): ExtendedView | undefined {
  if (pdu.length < 3 || pdu[1] !== pdu.length - 2) return undefined;
  const headerLength = pdu[2]! & 0x3f;
  const mode = pdu[2]! >> 6;
  const dataAt = 3 + headerLength;
  if (dataAt > pdu.length) return undefined;
  const flags = headerLength > 0 ? pdu[3]! : 0;
  let at = 4;
  const take = (flag: number, octets: number): number => {
    if (!(flags & flag)) return -1;
    const found = at;
    at += octets;
    return found;
  };
  const advAAt = take(HAS_ADV_A, 6);
  const targetAAt = take(HAS_TARGET_A, 6);
  take(HAS_CTE_INFO, 1);
  const adiAt = take(HAS_ADI, 2);
  const auxPtrAt = take(HAS_AUX_PTR, AUX_PTR_OCTETS);
  const syncInfoAt = take(HAS_SYNC_INFO, SYNC_INFO_OCTETS);
  const txPowerAt = take(HAS_TX_POWER, 1);
  if (headerLength > 0 && at > dataAt) return undefined;
  const adi = adiAt < 0 ? undefined : { did: pdu[adiAt]! | ((pdu[adiAt + 1]! & 0x0f) << 8), sid: pdu[adiAt + 1]! >> 4 };
  const txPowerDbm = txPowerAt < 0 ? undefined : (pdu[txPowerAt]! << 24) >> 24;
  const acad = headerLength > 0 ? pdu.subarray(at, dataAt) : pdu.subarray(0, 0);
  return { mode, advAAt, targetAAt, adi, auxPtrAt, syncInfoAt, txPowerDbm, acad, dataAt };
}

/** AUX_ADV_IND or AUX_SCAN_RSP with as much of the data as fits, and AUX_CHAIN_IND with the rest. */
export function chainedPdus(first: Omit<ExtendedFields, "data" | "hasAuxPtr" | "type">, data: Uint8Array): ExtendedPdu[] {
  const pdus: ExtendedPdu[] = [];
  let fields = first;
  let offset = 0;
  do {
    const isWhole = data.length - offset <= MAX_PAYLOAD - headerOctets(fields);
    const room = MAX_PAYLOAD - headerOctets({ ...fields, hasAuxPtr: !isWhole });
    const end = isWhole ? data.length : offset + room;
    pdus.push(extendedPdu({ ...fields, type: AdvPduType.AdvExtInd, hasAuxPtr: !isWhole, data: data.subarray(offset, end) }));
    offset = end;
    fields = { mode: AdvMode.Neither, adi: first.adi };
  } while (offset < data.length);
  return pdus;
}
