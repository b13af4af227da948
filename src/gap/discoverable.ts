import { type AdStructure, encodeAdStructures } from "./ad-structure.ts";
import { AdFlag, AdType } from "./ad-types.ts";
import { AdvertisingData } from "./advertising-data.ts";

/** Discoverability modes, Vol 3 Part C 9.2. */
export type Discoverable = "none" | "limited" | "general";
export const DISCOVERABLE: readonly Discoverable[] = ["none", "limited", "general"];

/** TGAP(lim_adv_timeout), Vol 3 Part C Appendix A: nobody is limited discoverable for longer. */
export const LIMITED_DISCOVERABLE_MS = 180_000;

const MODES = AdFlag.LeLimitedDiscoverable | AdFlag.LeGeneralDiscoverable;
const BITS: Readonly<Record<Discoverable, number>> = {
  none: 0,
  limited: AdFlag.LeLimitedDiscoverable,
  general: AdFlag.LeGeneralDiscoverable,
};

/**
 * The same data with the flags of a mode (Vol 3 Part C 9.2.2 to 9.2.4): first in it where there were none, else in their place and with their
 * other bits.
 *
 * @throws {ArgumentError} it does not fit
 */
export function withMode(data: AdvertisingData, mode: Discoverable, capacity: number): AdvertisingData {
  const flags = data.structures.find(({ type }) => type === AdType.Flags);
  const others = flags ? (flags.data[0] ?? 0) & ~MODES : AdFlag.BrEdrNotSupported;
  const marked: AdStructure = { type: AdType.Flags, data: Uint8Array.of(others | BITS[mode], ...(flags?.data.subarray(1) ?? [])) };
  const structures = flags ? data.structures.map((each) => (each === flags ? marked : each)) : [marked, ...data.structures];
  return new AdvertisingData(encodeAdStructures(structures, capacity));
}

/** Whether flags belong to a device that the procedure finds: the general one finds both (Vol 3 Part C 9.2.5, 9.2.6). */
export function isFoundBy(flags: number, mode: Exclude<Discoverable, "none">): boolean {
  return (flags & (mode === "limited" ? AdFlag.LeLimitedDiscoverable : MODES)) !== 0;
}
