import { HciErrorCode, LeFeature } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";

/** PDU types on the primary advertising channels, Vol 6 Part B 2.3. */
export const AdvPduType = Object.freeze({
  AdvInd: 0,
  AdvDirectInd: 1,
  AdvNonconnInd: 2,
  ScanReq: 3,
  ScanRsp: 4,
  ConnectInd: 5,
  AdvScanInd: 6,
  /** All that have the Common Extended Advertising Payload Format, but one. */
  AdvExtInd: 7,
  AuxConnectRsp: 8,
});

/** Channel Selection Algorithm #2 is known, in ADV_IND, ADV_DIRECT_IND and CONNECT_IND. */
const CH_SEL = 0x20;
const TX_ADD = 0x40;
const RX_ADD = 0x80;

/** Type of the address a PDU's first six octets hold: 0 public, 1 random. */
export function txAddressType(pdu: Uint8Array): 0 | 1 {
  return pdu[0]! & TX_ADD ? 1 : 0;
}
/** Type of the address the next six octets hold, in PDUs that name two. */
export function rxAddressType(pdu: Uint8Array): 0 | 1 {
  return pdu[0]! & RX_ADD ? 1 : 0;
}
export function pduType(pdu: Uint8Array): number {
  return pdu[0]! & 0x0f;
}

export function chSel(pdu: Uint8Array): boolean {
  return (pdu[0]! & CH_SEL) !== 0;
}
/** Sets ChSel, Vol 6 Part B 2.3. */
export function setChSel(pdu: Uint8Array, isSet: boolean): Uint8Array {
  if (isSet) pdu[0]! |= CH_SEL;
  return pdu;
}

/** An own address and its type, as it goes on air. */
export interface AirAddress {
  readonly type: 0 | 1;
  readonly bytes: Uint8Array;
}

export function isAddress(pdu: Uint8Array, offset: number, type: number, address: AirAddress): boolean {
  if (type !== address.type) return false;
  for (let i = 0; i < 6; i++) if (pdu[offset + i] !== address.bytes[i]) return false;
  return true;
}

/** An advertising PDU: header, the sender's address, then `rest`, which begins with the receiver's address where `to` is given. */
export function advertisingPdu(type: number, from: AirAddress, to: AirAddress | undefined, rest: Uint8Array): Uint8Array {
  const pdu = new Uint8Array(2 + 6 + (to ? 6 : 0) + rest.length);
  pdu[0] = type | (from.type ? TX_ADD : 0) | (to?.type ? RX_ADD : 0);
  pdu[1] = pdu.length - 2;
  pdu.set(from.bytes, 2);
  if (to) pdu.set(to.bytes, 8);
  pdu.set(rest, to ? 14 : 8);
  return pdu;
}

/** LLData of CONNECT_IND, Vol 6 Part B 2.3.3.1; wire units. */
export interface ConnectData {
  readonly accessAddress: number;
  readonly crcInit: number;
  readonly winSize: number;
  readonly winOffset: number;
  readonly interval: number;
  readonly latency: number;
  readonly timeout: number;
  readonly channelMap: Uint8Array;
  readonly hop: number;
  readonly sca: number;
}

const LL_DATA_OCTETS = 22;

export function encodeConnectData(data: ConnectData): Uint8Array {
  const bytes = new Uint8Array(LL_DATA_OCTETS);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.accessAddress, true);
  view.setUint16(4, data.crcInit & 0xffff, true);
  view.setUint8(6, data.crcInit >> 16);
  view.setUint8(7, data.winSize);
  view.setUint16(8, data.winOffset, true);
  view.setUint16(10, data.interval, true);
  view.setUint16(12, data.latency, true);
  view.setUint16(14, data.timeout, true);
  bytes.set(data.channelMap, 16);
  view.setUint8(21, data.hop | (data.sca << 5));
  return bytes;
}

/** LLData of a whole CONNECT_IND; nothing where its length is not 34. */
export function decodeConnectData(pdu: Uint8Array): ConnectData | undefined {
  if (pdu.length !== 2 + 12 + LL_DATA_OCTETS) return undefined;
  const view = new DataView(pdu.buffer, pdu.byteOffset + 14, LL_DATA_OCTETS);
  return {
    accessAddress: view.getUint32(0, true),
    crcInit: view.getUint16(4, true) | (view.getUint8(6) << 16),
    winSize: view.getUint8(7),
    winOffset: view.getUint16(8, true),
    interval: view.getUint16(10, true),
    latency: view.getUint16(12, true),
    timeout: view.getUint16(14, true),
    channelMap: pdu.slice(30, 35),
    hop: view.getUint8(21) & 0x1f,
    sca: view.getUint8(21) >> 5,
  };
}

/** Sleep clock accuracy as a value of 0 to 7, Vol 6 Part B 2.3.3.1. */
export function encodeSleepClockAccuracy(ppm: number): number {
  const bounds = [20, 30, 50, 75, 100, 150, 250];
  const at = bounds.findIndex((bound) => ppm <= bound);
  return at < 0 ? 0 : 7 - at;
}

/** The most that a clock of this accuracy, 0 to 7, is off. */
export function sleepClockPpm(sca: number): number {
  return [500, 250, 150, 100, 75, 50, 30, 20][sca] ?? 500;
}

/** Own_Address_Type: 2 and 3 need a controller that makes resolvable addresses itself. Gives a status. */
export function checkOwnAddressType(type: number, features: bigint): number {
  if (type <= 1 || (type <= 3 && hasFeature(features, LeFeature.LlPrivacy))) return HciErrorCode.Success;
  return type <= 3 ? HciErrorCode.UnsupportedFeatureOrParameterValue : HciErrorCode.InvalidHciCommandParameters;
}
