import { Phy } from "./phy.ts";

// AuxPtr of the Common Extended Advertising Payload Format, Vol 6 Part B 2.3.4.5.

export const AUX_PTR_OCTETS = 3;
const UNIT_US = 30;
const LONG_UNIT_US = 300;
/** From here on the offset is told in the long unit. */
const LONG_FROM_US = 245_700;
/** Between two packets of an advertising event where the second is on a secondary channel, T_MAFS: Vol 6 Part B 4.1.3. */
export const T_MAFS_US = 300;

export interface AuxiliaryPointer {
  /** 0 to 36. */
  readonly channel: number;
  readonly isClockAccurate: boolean;
  /** From the beginning of the packet that holds the pointer. */
  readonly offsetUs: number;
  /** LE Coded as S=8: the coding is not told. */
  readonly phy: Phy;
}

/** From the beginning of a packet of `lengthUs` to that of the one it points to: the least that AuxPtr can say. */
export function auxiliaryOffsetUs(lengthUs: number): number {
  return Math.ceil((lengthUs + T_MAFS_US) / UNIT_US) * UNIT_US;
}

/** A copy of `pdu` with the pointer at `at`. */
export function withAuxiliaryPointer(pdu: Uint8Array, at: number, pointer: AuxiliaryPointer): Uint8Array {
  const copy = pdu.slice();
  const isLong = pointer.offsetUs >= LONG_FROM_US;
  const offset = Math.floor(pointer.offsetUs / (isLong ? LONG_UNIT_US : UNIT_US));
  const phy = pointer.phy === Phy.Le1M ? 0 : pointer.phy === Phy.Le2M ? 1 : 2;
  copy[at] = pointer.channel | (pointer.isClockAccurate ? 0x40 : 0) | (isLong ? 0x80 : 0);
  copy[at + 1] = offset & 0xff;
  copy[at + 2] = (offset >> 8) | (phy << 5);
  return copy;
}

export function readAuxiliaryPointer(pdu: Uint8Array, at: number): AuxiliaryPointer {
  const [first, second, third] = [pdu[at]!, pdu[at + 1]!, pdu[at + 2]!];
  const phy = third >> 5;
  return {
    channel: first & 0x3f,
    isClockAccurate: (first & 0x40) !== 0,
    offsetUs: (second | ((third & 0x1f) << 8)) * (first & 0x80 ? LONG_UNIT_US : UNIT_US),
    phy: phy === 0 ? Phy.Le1M : phy === 1 ? Phy.Le2M : Phy.LeCodedS8,
  };
}
