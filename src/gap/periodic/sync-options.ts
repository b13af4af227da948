import { Address, type AddressLike } from "../../core/address.ts";
import {
  checkBoolean,
  checkChoice,
  checkInteger,
  checkMilliseconds,
  checkOperation,
  checkOptions,
  kindOf,
  optionNames,
} from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Advertisement } from "../advertisement.ts";
import type { ScanPhy } from "../scan-parameters.ts";

/** How a periodic advertising is listened to. */
export interface SyncReception {
  /** Periodic advertising events that may be left out after each one that was received, 0 to 499; 0 by default. */
  readonly skip?: number | undefined;
  /**
   * Silence after which it counts as lost: 100 to 163,840 ms. By default 20,000, or six of its intervals with those that are left out, where an
   * advertisement told of it and that is more.
   */
  readonly syncTimeoutMs?: number | undefined;
  /** "report" (default) tells all that is received, "filter" only what differs from what came before. */
  readonly duplicates?: "report" | "filter" | undefined;
  /** False: it is followed, and nothing is told until `setReceiving(true)`. True by default. */
  readonly receive?: boolean | undefined;
}

export interface SynchronizeOptions extends SyncReception {
  /** Where advertisements are looked for that tell of it, "1M" and "coded"; by default where the given one was heard, else LE 1M. */
  readonly phys?: readonly ScanPhy[] | undefined;
  /** How advertisements are looked for meanwhile: 60 and 30 ms by default. */
  readonly scanIntervalMs?: number | undefined;
  readonly scanWindowMs?: number | undefined;
  /** 30 s by default. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One periodic advertising: who sends it, in which of its advertising sets. An Advertisement that tells of one is such a thing. */
export interface SyncTarget {
  readonly address: AddressLike;
  /** Advertising Set Identifier, 0 to 15. */
  readonly sid: number | undefined;
}

const RECEPTION = { skip: true, syncTimeoutMs: true, duplicates: true, receive: true } as const;
const RECEPTION_OPTIONS = optionNames<SyncReception>(RECEPTION);
/** What `synchronize` takes. */
export const SYNCHRONIZE_OPTIONS = optionNames<SynchronizeOptions>({
  ...RECEPTION,
  phys: true,
  scanIntervalMs: true,
  scanWindowMs: true,
  timeoutMs: true,
  signal: true,
});

const MAX_SKIP = 0x01f3;
const TIMEOUT_UNIT_MS = 10;
const LONGEST_TIMEOUT_MS = 0x4000 * TIMEOUT_UNIT_MS;
const DEFAULT_TIMEOUT_MS = 20_000;
/** Events that may be missed in a row before the default timeout. */
const EVENTS_BEFORE_LOST = 6;

/** A target as commands have it. */
export interface Target {
  readonly address: Address;
  readonly sid: number;
}

/** Reception in units of HCI. */
export interface ReceptionParameters {
  readonly skip: number;
  readonly syncTimeout: number; // units of 10 ms
  readonly isFiltered: boolean;
  readonly receives: boolean;
}

/** @param what names the operation · @param intervalMs of what is listened to, where it is known @throws {ArgumentError} */
export function checkReception(what: string, options: SyncReception, intervalMs = 0): ReceptionParameters {
  const skip = options.skip === undefined ? 0 : checkInteger(`${what}: skip`, options.skip, 0, MAX_SKIP);
  const wantedMs = Math.max(DEFAULT_TIMEOUT_MS, EVENTS_BEFORE_LOST * (skip + 1) * intervalMs);
  const { syncTimeoutMs = Math.min(LONGEST_TIMEOUT_MS, wantedMs) } = options;
  checkMilliseconds(`${what}: syncTimeoutMs`, syncTimeoutMs, 100, LONGEST_TIMEOUT_MS);
  if (options.duplicates !== undefined) checkChoice(`${what}: duplicates`, options.duplicates, ["report", "filter"]);
  checkBoolean(`${what}: receive`, options.receive);
  return {
    skip,
    syncTimeout: Math.round(syncTimeoutMs / TIMEOUT_UNIT_MS),
    isFiltered: options.duplicates === "filter",
    receives: options.receive ?? true,
  };
}

/** Options of reception alone. @throws {ArgumentError} */
export function checkReceptionOptions(what: string, options: SyncReception): ReceptionParameters {
  checkOptions(what, options ?? null, RECEPTION_OPTIONS);
  return checkReception(what, options);
}

/** What `synchronize` is asked for, checked. */
export interface Synchronization {
  readonly targets: readonly Target[];
  readonly reception: ReceptionParameters;
  readonly phys: readonly ScanPhy[];
}

/** @throws {ArgumentError} no target, an advertisement that tells of no periodic advertising, options out of range */
export function checkSynchronize(target: SyncTarget | readonly SyncTarget[], options: SynchronizeOptions): Synchronization {
  checkOperation("synchronize", options, SYNCHRONIZE_OPTIONS);
  const given = Array.isArray(target) ? (target as readonly SyncTarget[]) : [target as SyncTarget];
  if (given.length === 0) throw new ArgumentError("synchronize: expected at least one periodic advertising");
  const targets = new Map<string, Target>();
  const heard = new Set<ScanPhy>();
  let intervalMs = 0;
  for (const each of given) {
    const { address, sid } = checkTarget(each);
    targets.set(`${address} ${sid}`, { address, sid });
    if (!(each instanceof Advertisement)) continue;
    heard.add(each.primaryPhy);
    intervalMs = Math.max(intervalMs, each.periodicIntervalMs!);
  }
  const { phys } = options;
  if (phys !== undefined && !Array.isArray(phys)) throw new ArgumentError(`synchronize: phys: expected an array, got ${kindOf(phys)}`);
  for (const phy of phys ?? []) checkChoice("synchronize: phys", phy, ["1M", "coded"]);
  return {
    targets: [...targets.values()],
    reception: checkReception("synchronize", options, intervalMs),
    phys: phys ?? (heard.size > 0 ? [...heard] : ["1M"]),
  };
}

function checkTarget(target: SyncTarget): Target {
  if (typeof target !== "object" || target === null)
    throw new ArgumentError(`synchronize: expected an advertisement, or an address and a sid, got ${kindOf(target)}`);
  if (target instanceof Advertisement) {
    if (target.periodicIntervalMs === undefined)
      throw new ArgumentError("synchronize: this advertisement tells of no periodic advertising");
    if (target.isAnonymous) throw new ArgumentError("synchronize: expected an advertisement with an address");
  }
  return { address: Address.from(target.address), sid: checkInteger("synchronize: sid", target.sid, 0, 15) };
}
