import type { Address } from "../core/address.ts";
import { checkBoolean, checkChoice, checkMilliseconds, checkOptions, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError, UnsupportedError } from "../core/error.ts";
import type { OwnAddressKind } from "./own-addresses.ts";
import type { RadioAbilities } from "./radio-abilities.ts";

/** Where advertising events begin, and hence where a scanner listens. */
export type ScanPhy = "1M" | "coded";
const SCAN_PHYS: readonly ScanPhy[] = ["1M", "coded"];

/** How to listen on one PHY. */
export interface ScanPhyOptions {
  readonly active?: boolean | undefined;
  readonly intervalMs?: number | undefined;
  readonly windowMs?: number | undefined;
}
const PHY_OPTIONS = optionNames<ScanPhyOptions>({ active: true, intervalMs: true, windowMs: true });

/** PHYs, all listened to in the same way, or each in its own. */
export type ScanPhys = readonly ScanPhy[] | { readonly [K in ScanPhy]?: ScanPhyOptions | undefined };

/** How a controller listens on one PHY. */
export interface PhyScanParameters {
  readonly phy: ScanPhy;
  readonly isActive: boolean;
  readonly interval: number; // units of 0.625 ms
  readonly window: number; // units of 0.625 ms
}

/** What a controller scans with. */
export interface ScanParameters {
  /** At least one; LE 1M first. */
  readonly phys: readonly PhyScanParameters[];
  readonly ownAddress: OwnAddressKind;
  readonly filterDuplicates: boolean;
  /** Who alone is reported. */
  readonly acceptList: readonly Address[] | undefined;
  /** Directed advertising too whose target the controller cannot resolve. */
  readonly unresolvedTargets: boolean;
}

const DEFAULT_INTERVAL_MS = 60;
/** Longest interval of legacy scanning, and of extended one. */
const LONGEST_LEGACY_MS = 10_240;
const LONGEST_EXTENDED_MS = 0xffff * 0.625;

/** Kinds and names. @throws {ArgumentError} */
export function checkScanPhys(phys: unknown): void {
  if (phys === undefined) return;
  if (typeof phys !== "object" || phys === null) throw new ArgumentError(`scan: phys: expected an array or an object, got ${kindOf(phys)}`);
  const names = Array.isArray(phys) ? (phys as unknown[]) : Object.keys(phys).filter((name) => (phys as Record<string, unknown>)[name]);
  if (names.length === 0) throw new ArgumentError("scan: phys: expected at least one of 1M, coded");
  for (const name of names) checkChoice("scan: phys", name, SCAN_PHYS);
  if (Array.isArray(phys)) return;
  for (const [name, options] of Object.entries(phys as Record<string, ScanPhyOptions | undefined>)) {
    if (options === undefined) continue;
    checkOptions(`scan: phys: ${name}`, options, PHY_OPTIONS);
    checkBoolean(`scan: phys: ${name}: active`, options.active);
  }
}

function units(what: string, ms: number, longestMs: number): number {
  return Math.round(checkMilliseconds(what, ms, 2.5, longestMs) / 0.625);
}

/**
 * How to listen on each PHY that is asked for and that the controller has.
 *
 * @throws {ArgumentError} an interval or window out of range
 * @throws {UnsupportedError} the controller has none of the PHYs
 */
export function phyScanParameters(options: ScanPhyOptions & { readonly phys?: ScanPhys | undefined }, abilities: RadioAbilities) {
  const { phys = ["1M"] } = options;
  const of = (phy: ScanPhy): ScanPhyOptions | undefined => {
    if (Array.isArray(phys)) return (phys as readonly ScanPhy[]).includes(phy) ? {} : undefined;
    return (phys as { readonly [K in ScanPhy]?: ScanPhyOptions | undefined })[phy];
  };
  const parameters: PhyScanParameters[] = [];
  for (const phy of SCAN_PHYS) {
    const own = of(phy);
    if (!own || (phy === "coded" && !(abilities.isExtended && abilities.hasCoded))) continue;
    const { active = options.active ?? true, intervalMs = options.intervalMs ?? DEFAULT_INTERVAL_MS } = own;
    const longestMs = abilities.isExtended ? LONGEST_EXTENDED_MS : LONGEST_LEGACY_MS;
    const interval = units("scan interval", intervalMs, longestMs);
    const { windowMs = options.windowMs ?? Math.max(2.5, intervalMs / 2) } = own;
    const window = units("scan window", windowMs, longestMs);
    if (window > interval) throw new ArgumentError(`scan window ${windowMs} ms: expected at most the interval of ${intervalMs} ms`);
    parameters.push({ phy, isActive: active, interval, window });
  }
  if (parameters.length === 0) throw new UnsupportedError("scan: the controller cannot listen on LE Coded");
  return parameters;
}

/** Whether two unions of scans say the same to a controller, whatever the order of their lists. */
export function isSameScan(a: ScanParameters, b: ScanParameters): boolean {
  const said = ({ acceptList = [], ...others }: ScanParameters) => JSON.stringify([others, acceptList.map(String).sort()]);
  return said(a) === said(b);
}

/** What serves every scan: each PHY that one asks for, actively if one does, with the interval and window of who listens most. */
export function unionOfScans(scans: readonly { readonly parameters: ScanParameters; readonly isAddressChosen: boolean }[]): ScanParameters {
  const phys: PhyScanParameters[] = [];
  for (const name of SCAN_PHYS) {
    let union: PhyScanParameters | undefined;
    for (const { parameters } of scans) {
      const own = parameters.phys.find(({ phy }) => phy === name);
      if (!own) continue;
      union ??= own;
      const { interval, window } = own.window / own.interval > union.window / union.interval ? own : union;
      union = { phy: name, isActive: union.isActive || own.isActive, interval, window };
    }
    if (union) phys.push(union);
  }
  const first = scans[0]!;
  let { ownAddress, filterDuplicates } = first.parameters;
  let isActive = isActiveScan(first.parameters);
  let { isAddressChosen } = first;
  const accepted = new Map<string, Address>();
  for (const { parameters, isAddressChosen: isChosen } of scans) {
    // The address of an active scan is the one that shows; among equals, that of who chose it.
    const isActiveToo = isActiveScan(parameters);
    if ((isActiveToo && !isActive) || (isActiveToo === isActive && isChosen && !isAddressChosen)) {
      isActive = isActiveToo;
      ({ ownAddress } = parameters);
      isAddressChosen = isChosen;
    }
    filterDuplicates &&= parameters.filterDuplicates;
    for (const address of parameters.acceptList ?? []) accepted.set(address.toString(), address);
  }
  const isForSome = scans.every(({ parameters }) => parameters.acceptList);
  const unresolvedTargets = scans.some(({ parameters }) => parameters.unresolvedTargets);
  return { phys, ownAddress, filterDuplicates, acceptList: isForSome ? [...accepted.values()] : undefined, unresolvedTargets };
}

export function isActiveScan({ phys }: ScanParameters): boolean {
  return phys.some(({ isActive }) => isActive);
}
