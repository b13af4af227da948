/** Physical layers of a link. The first three values are those of HCI; LE Coded stands for S=8, the robust coding. */
export const Phy = Object.freeze({ Le1M: 1, Le2M: 2, LeCodedS8: 3, LeCodedS2: 4 });
export type Phy = (typeof Phy)[keyof typeof Phy];

/** Inter-frame space T_IFS in microseconds, Vol 6 Part B 4.1. */
export const T_IFS_US = 150;

const NAMES: Record<Phy, string> = { 1: "1M", 2: "2M", 3: "S8", 4: "S2" };

/** "1M", "2M", "S8" or "S2", as traces print it. */
export function phyName(phy: Phy): string {
  return NAMES[phy];
}

/** Weakest signal that is still received, in dBm. Typical silicon, better than the -70 dBm that Vol 6 Part A 4.1 asks for. */
export const SENSITIVITY_DBM: Readonly<Record<Phy, number>> = Object.freeze({ 1: -95, 2: -92, 3: -103, 4: -98 });

/**
 * Time on air in microseconds of a packet with `octets` of payload after its two octets of header (the MIC counts as payload).
 * Preamble, access address, header and CRC included: Vol 6 Part B 2.1 (uncoded) and 2.2 (coded).
 */
export function airTimeUs(phy: Phy, octets: number): number {
  switch (phy) {
    case Phy.Le1M:
      return (1 + 4 + 2 + octets + 3) * 8;
    case Phy.Le2M:
      return (2 + 4 + 2 + octets + 3) * 4;
    case Phy.LeCodedS8:
      return codedUs(octets, 8);
    case Phy.LeCodedS2:
      return codedUs(octets, 2);
  }
}

/** Preamble 80, access address 256, coding indicator 16 and first terminator 24 in S=8; then header, payload, CRC and terminator in `s`. */
function codedUs(octets: number, s: number): number {
  return 80 + 256 + 16 + 24 + (16 + 8 * octets + 24) * s + 3 * s;
}

/** Most payload octets (MIC apart, but its time always counted) that fit into `timeUs`: what maxTxTime allows, Vol 6 Part B 4.5.10. */
export function octetsInTime(phy: Phy, timeUs: number): number {
  const perOctetUs = airTimeUs(phy, 1) - airTimeUs(phy, 0);
  return Math.max(27, Math.floor((timeUs - airTimeUs(phy, 4)) / perOctetUs));
}
