// SyncInfo and the additional controller advertising data of periodic advertising: Vol 6 Part B 2.3.4.6, 2.3.4.8.

const SYNC_INFO_OCTETS = 18;
const UNIT_US = 30;
const LONG_UNIT_US = 300;
/** From here on the offset is told in the long unit. */
const LONG_FROM_US = 245_700;
/** Added where Offset Adjust is set. */
const ADJUST_US = 2_457_600;
const MAX_OFFSET = 0x1fff;
const LONG_UNIT = 0x2000;
const ADJUST = 0x4000;

/** Types of structures in ACAD: Supplement Part A 1.17 and on. */
const AD_CHANNEL_MAP_UPDATE = 0x28;
const AD_RESPONSE_TIMING = 0x32;

/** A train as SyncInfo describes it. */
export interface SyncInfo {
  /** From the beginning of the packet, or the anchor, to the packet meant: at least so many microseconds, and less than `unitUs` more. */
  readonly offsetUs: number;
  readonly unitUs: number;
  /** Units of 1.25 ms. */
  readonly interval: number;
  readonly channelMap: Uint8Array;
  /** Sleep clock accuracy, 0 to 7. */
  readonly sca: number;
  readonly accessAddress: number;
  readonly crcInit: number;
  /** paEventCounter of the packet meant. */
  readonly eventCounter: number;
}

/** The farthest that an offset reaches. */
export const MAX_OFFSET_US = MAX_OFFSET * LONG_UNIT_US + ADJUST_US;

/** An offset too far to tell is written as 0: no synchronization by this packet. */
export function encodeSyncInfo(info: Omit<SyncInfo, "unitUs">): Uint8Array {
  const octets = new Uint8Array(SYNC_INFO_OCTETS);
  const view = new DataView(octets.buffer);
  view.setUint16(0, encodedOffset(info.offsetUs), true);
  view.setUint16(2, info.interval, true);
  octets.set(info.channelMap, 4);
  octets[8] = (octets[8]! & 0x1f) | (info.sca << 5);
  view.setUint32(9, info.accessAddress, true);
  view.setUint16(13, info.crcInit & 0xffff, true);
  view.setUint8(15, info.crcInit >> 16);
  view.setUint16(16, info.eventCounter & 0xffff, true);
  return octets;
}

function encodedOffset(offsetUs: number): number {
  if (offsetUs < LONG_FROM_US) return Math.floor(offsetUs / UNIT_US);
  if (offsetUs <= MAX_OFFSET * LONG_UNIT_US) return Math.floor(offsetUs / LONG_UNIT_US) | LONG_UNIT;
  return offsetUs > MAX_OFFSET_US ? 0 : Math.floor((offsetUs - ADJUST_US) / LONG_UNIT_US) | LONG_UNIT | ADJUST;
}

/** Nothing where it tells no time, or an interval that cannot be. */
export function decodeSyncInfo(octets: Uint8Array, at = 0): SyncInfo | undefined {
  if (octets.length < at + SYNC_INFO_OCTETS) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset + at, SYNC_INFO_OCTETS);
  const offset = view.getUint16(0, true);
  const interval = view.getUint16(2, true);
  if ((offset & MAX_OFFSET) === 0 || interval < 6) return undefined;
  const unitUs = offset & LONG_UNIT ? LONG_UNIT_US : UNIT_US;
  const channelMap = octets.slice(at + 4, at + 9);
  channelMap[4]! &= 0x1f;
  return {
    offsetUs: (offset & MAX_OFFSET) * unitUs + (offset & ADJUST ? ADJUST_US : 0),
    unitUs,
    interval,
    channelMap,
    sca: octets[at + 8]! >> 5,
    accessAddress: view.getUint32(9, true),
    crcInit: view.getUint16(13, true) | (view.getUint8(15) << 16),
    eventCounter: view.getUint16(16, true),
  };
}

/** Channels of a train that change when its event counter is `instant`. */
export interface ChannelMapUpdate {
  readonly channelMap: Uint8Array;
  readonly instant: number;
}

/** Subevents and response slots of Periodic Advertising with Responses; wire units. */
export interface ResponseTiming {
  /** Access address of responses. */
  readonly accessAddress: number;
  readonly numSubevents: number;
  /** Units of 1.25 ms. */
  readonly subeventInterval: number;
  /** Units of 1.25 ms. */
  readonly responseSlotDelay: number;
  /** Units of 0.125 ms. */
  readonly responseSlotSpacing: number;
}

/** Channel Map Update Indication. */
export function encodeChannelMapUpdate({ channelMap, instant }: ChannelMapUpdate): Uint8Array {
  return Uint8Array.of(8, AD_CHANNEL_MAP_UPDATE, ...channelMap, instant & 0xff, (instant >> 8) & 0xff);
}

/** Periodic Advertising Response Timing Information. */
export function encodeResponseTiming(timing: ResponseTiming): Uint8Array {
  const { accessAddress, numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing } = timing;
  const octets = new Uint8Array(10);
  octets[0] = 9;
  octets[1] = AD_RESPONSE_TIMING;
  new DataView(octets.buffer).setUint32(2, accessAddress, true);
  octets.set([numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing], 6);
  return octets;
}

/** Ranges of Vol 4 Part E 7.8.61. */
export function isTimingPossible({ numSubevents, subeventInterval }: ResponseTiming): boolean {
  return numSubevents > 0 && numSubevents <= 0x80 && subeventInterval >= 6;
}

/** What of it concerns a train; structures that lie end it. */
export function readAcad(acad: Uint8Array): { update?: ChannelMapUpdate; timing?: ResponseTiming } {
  const found: { update?: ChannelMapUpdate; timing?: ResponseTiming } = {};
  for (let at = 0; at + 1 < acad.length; at += 1 + acad[at]!) {
    const length = acad[at]!;
    if (length === 0 || at + 1 + length > acad.length) break;
    const data = acad.slice(at + 2, at + 1 + length);
    if (acad[at + 1] === AD_CHANNEL_MAP_UPDATE && data.length === 7)
      found.update = { channelMap: data.slice(0, 5), instant: data[5]! | (data[6]! << 8) };
    else if (acad[at + 1] === AD_RESPONSE_TIMING && data.length === 8) {
      const accessAddress = new DataView(data.buffer).getUint32(0, true);
      const [numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing] = data.subarray(4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      const timing = { accessAddress, numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing };
      if (isTimingPossible(timing)) found.timing = timing;
    }
  }
  return found;
}
