import { draw } from "./draw.ts";
import { type Phy, SENSITIVITY_DBM } from "./phy.ts";

/** Where a radio is, in metres. */
export interface Position {
  readonly x: number;
  readonly y: number;
  readonly z?: number;
}

export interface PropagationOptions {
  /** Probability that any packet is lost, whatever its strength. Default 0. */
  loss?: number;
  /** Path loss at one metre in dB. Default 40. */
  pathLossAt1mDb?: number;
  /** 2 is free space (20 dB per decade), 2.7 to 3.5 a building. Default 2. */
  pathLossExponent?: number;
  /** Standard deviation in dB of what walls and bodies do to a pair of devices; drawn once per pair. Default 3. */
  shadowingDb?: number;
  /** Half the width in dB of what differs from packet to packet. Default 2. */
  fadingDb?: number;
}

/** From this margin above the sensitivity on, no packet is lost for weakness. */
const SAFE_MARGIN_DB = 11;

/** How strong a packet arrives and how likely it is lost. */
export class Propagation {
  readonly loss: number;
  readonly fadingDb: number;
  readonly #pathLossAt1mDb: number;
  readonly #pathLossExponent: number;
  readonly #shadowingDb: number;

  constructor(options: PropagationOptions = {}) {
    this.loss = options.loss ?? 0;
    this.fadingDb = options.fadingDb ?? 2;
    this.#pathLossAt1mDb = options.pathLossAt1mDb ?? 40;
    this.#pathLossExponent = options.pathLossExponent ?? 2;
    this.#shadowingDb = options.shadowingDb ?? 3;
  }

  /** What walls and bodies do to a pair of devices in dB, wherever they are. */
  pairLossDb(pairKey: number): number {
    // The sum of twelve uniform numbers is near enough to normal, and bounded.
    let normal = -6;
    for (let i = 0; i < 12; i++) normal += draw(pairKey, i);
    return this.#shadowingDb * normal;
  }

  /** Loss in dB of the way between two places. A radio without a place is one metre from every other. Nearer than 10 cm counts as 10 cm. */
  distanceLossDb(a: Position | undefined, b: Position | undefined): number {
    const metres = a && b ? Math.max(0.1, Math.hypot(a.x - b.x, a.y - b.y, (a.z ?? 0) - (b.z ?? 0))) : 1;
    return this.#pathLossAt1mDb + 10 * this.#pathLossExponent * Math.log10(metres);
  }

  /** Strength of one packet in dBm. */
  rssiDbm(meanDbm: number, uniform: number): number {
    return meanDbm + this.fadingDb * (2 * uniform - 1);
  }

  /**
   * Probability that a packet of this strength is lost: always below the sensitivity; at it 30.8 %, which is what a bit error rate of
   * 0.1 % makes of 37 octets (Vol 6 Part A 4); a tenth of that for every 2 dB more.
   */
  lossProbability(rssiDbm: number, phy: Phy): number {
    const marginDb = rssiDbm - SENSITIVITY_DBM[phy];
    if (marginDb < 0) return 1;
    const weak = marginDb >= SAFE_MARGIN_DB ? 0 : 0.308 * 10 ** (-marginDb / 2);
    return 1 - (1 - this.loss) * (1 - weak);
  }

  /** Whether no packet at all can be lost on this path. */
  isLossless(meanDbm: number, phy: Phy): boolean {
    return this.loss === 0 && this.isStrong(meanDbm, phy);
  }

  /** Whether no packet on this path is lost for weakness. */
  isStrong(meanDbm: number, phy: Phy): boolean {
    return meanDbm - this.fadingDb - SENSITIVITY_DBM[phy] >= SAFE_MARGIN_DB;
  }

  /** Whether some packet can be received on this path. */
  isInRange(meanDbm: number, phy: Phy): boolean {
    return meanDbm >= this.leastDbm(phy);
  }

  /** Where the mean strength is below this no packet is received. */
  leastDbm(phy: Phy): number {
    return this.loss < 1 ? SENSITIVITY_DBM[phy] - this.fadingDb : Number.POSITIVE_INFINITY;
  }
}
