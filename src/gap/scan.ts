import { rethrowLater } from "../async/call-out.ts";
import type { AddressLike } from "../core/address.ts";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkOptions,
  checkSignal,
  checkText,
  checkTimeout,
  kindOf,
  optionNames,
} from "../core/arguments.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import { ArgumentError, UnsupportedError } from "../core/error.ts";
import { Uuid, type UuidLike } from "../core/uuid.ts";
import { checkAcceptList } from "./accept-list.ts";
import { type Advertisement, addressKey } from "./advertisement.ts";
import { isFoundBy } from "./discoverable.ts";
import { DuplicateFilter } from "./duplicate-filter.ts";
import { OWN_ADDRESS_KINDS, type OwnAddressKind } from "./own-addresses.ts";
import { LEGACY_ABILITIES } from "./radio-abilities.ts";
import type { ReportLayout } from "./report-layout.ts";
import { checkScanPhys, phyScanParameters, type ScanParameters, type ScanPhys } from "./scan-parameters.ts";

export interface ScanOptions {
  /** Ask scannable devices for their scan response. True by default. */
  readonly active?: boolean | undefined;
  /** 2.5 to 10,240 ms (extended controllers: 40,959 ms) in steps of 0.625 ms; 60 by default. */
  readonly intervalMs?: number | undefined;
  /** 2.5 ms to `intervalMs`; by default half of the interval. */
  readonly windowMs?: number | undefined;
  /**
   * Where to listen: "1M" by default. LE Coded is listened to where the controller has it. As an object each PHY may have its own `active`,
   * `intervalMs` and `windowMs`: `{ "1M": {}, coded: { windowMs: 10 } }`.
   */
  readonly phys?: ScanPhys | undefined;
  /**
   * "filter" (default) reports each advertisement of a device again only when its data changes; "once" reports each kind of advertisement
   * of a device once, and leaves the filtering to the controller where every scan agrees and loses nothing by it; "report" reports all.
   * What `filter` refused, or a slow loop lost, counts as not reported.
   */
  readonly duplicates?: "filter" | "once" | "report" | undefined;
  /**
   * One report for what a device advertises and answers: the advertisement of a device that answers scan requests waits for its scan response, or
   * until it is heard once more without one. Again when one of the two changes. False by default: each comes at once, the later one with the earlier.
   * Not with `active: false`, nor with `duplicates: "report"`.
   */
  readonly merge?: boolean | undefined;
  /** The scan ends by itself after so many milliseconds, and its loop without an error; never by default. */
  readonly durationMs?: number | undefined;
  /** Only devices that list one of these services. */
  readonly services?: readonly UuidLike[] | undefined;
  /** Only devices of exactly this name (see `Advertisement.name`): the complete one where advertisement or scan response has it. */
  readonly name?: string | undefined;
  /** Only these devices, by the address on the air or their identity; the controller hears no others where every scan has such a list. */
  readonly acceptList?: readonly AddressLike[] | undefined;
  /** Only devices in a discoverable mode: "limited", or "general", which finds both (Vol 3 Part C 9.2.5, 9.2.6). */
  readonly discoverable?: "limited" | "general" | undefined;
  /**
   * Directed advertising too whose target is a resolvable private address that the controller does not know for this device's: it may be one that
   * a bonded peer made (extended scanning filter policies, Vol 4 Part E 7.8.10). False by default.
   */
  readonly unresolvedTargets?: boolean | undefined;
  /** Only advertisements for which this is true. Asked for every report that was not delivered yet, so that a device that comes nearer is seen. */
  readonly filter?: ((advertisement: Advertisement) => boolean) | undefined;
  /** Own address in scan requests; where the random address is in use for advertising, that one is shown. By default the identity. */
  readonly ownAddress?: OwnAddressKind | undefined;
}

/** Receives each report synchronously, while the packet that brought it is handled. */
export type OnAdvertisement = (advertisement: Advertisement) => void;

const SCAN_OPTIONS = optionNames<ScanOptions & { signal?: AbortSignal | undefined }>({
  active: true,
  intervalMs: true,
  windowMs: true,
  phys: true,
  acceptList: true,
  discoverable: true,
  unresolvedTargets: true,
  duplicates: true,
  merge: true,
  durationMs: true,
  services: true,
  name: true,
  filter: true,
  ownAddress: true,
  signal: true,
});

/** Kinds, names and ranges. @throws {ArgumentError} */
export function checkScanOptions(options: ScanOptions & { signal?: AbortSignal | undefined }): void {
  checkOptions("scan", options ?? null, SCAN_OPTIONS);
  checkSignal("scan: signal", options.signal);
  checkBoolean("scan: active", options.active);
  if (options.duplicates !== undefined) checkChoice("scan: duplicates", options.duplicates, ["filter", "once", "report"]);
  checkScanPhys(options.phys);
  if (options.acceptList !== undefined) checkAcceptList("scan: acceptList", options.acceptList);
  if (options.discoverable !== undefined) checkChoice("scan: discoverable", options.discoverable, ["limited", "general"]);
  checkBoolean("scan: unresolvedTargets", options.unresolvedTargets);
  checkBoolean("scan: merge", options.merge);
  if (options.merge && options.active === false) throw new ArgumentError("scan: merge: a passive scan hears no scan responses");
  if (options.merge && options.duplicates === "report")
    throw new ArgumentError('scan: merge: expected duplicates "filter" or "once", since "report" reports all');
  checkTimeout("scan: durationMs", options.durationMs);
  if (options.ownAddress !== undefined) checkChoice("scan: ownAddress", options.ownAddress, OWN_ADDRESS_KINDS);
  if (options.name !== undefined) checkText("scan: name", options.name);
  checkFunction("scan: filter", options.filter);
  if (options.services !== undefined && !Array.isArray(options.services))
    throw new ArgumentError(`scan: services: expected an array of UUIDs, got ${kindOf(options.services)}`);
}

/** Advertisements that wait for their scan response; of more the oldest is reported without. */
const HELD_CAPACITY = 1024;

/** One scan of an application; several share the controller. */
export class Scan {
  readonly parameters: ScanParameters;
  /** The caller chose the own address. */
  readonly isAddressChosen: boolean;
  /** The controller has scanned for it: what other scans ask for may fail without ending this one. */
  isAccepted = false;
  /** Called once when the scan ends; with the error when it was not the application that ended it. */
  onEnd: ((error: unknown) => void) | undefined;
  ended: { readonly error: unknown } | undefined;
  readonly #onAdvertisement: OnAdvertisement;
  readonly #duplicates: DuplicateFilter | undefined;
  readonly #byData: boolean;
  readonly #services: readonly Uuid[] | undefined;
  readonly #name: string | undefined;
  /** By the numbers of their addresses. */
  readonly #accepted: ReadonlySet<number> | undefined;
  readonly #mode: "limited" | "general" | undefined;
  readonly #filter: ((advertisement: Advertisement) => boolean) | undefined;
  /** Advertisements that wait for their scan response, by the number of their address. */
  readonly #held: BoundedMap<number, Advertisement> | undefined;
  #timer: Disposable | undefined;
  /** Nothing to check but for unresolved targets: every other report goes straight to the application. */
  readonly takesAll: boolean;

  /**
   * @param isLossy reports may be lost behind `onAdvertisement`, which then calls `forget`
   * @throws {ArgumentError} an interval or window out of range
   * @throws {UnsupportedError} the controller has none of the PHYs, or not the filter policy
   */
  constructor(
    options: ScanOptions,
    defaultAddress: OwnAddressKind,
    onAdvertisement: OnAdvertisement,
    isLossy = false,
    abilities = LEGACY_ABILITIES,
  ) {
    const { duplicates = "filter", ownAddress = defaultAddress, filter, unresolvedTargets = false } = options;
    if (unresolvedTargets && !abilities.hasExtendedFilterPolicies)
      throw new UnsupportedError("scan: the controller does not report directed advertising whose target it cannot resolve");
    const phys = phyScanParameters(options, abilities);
    const acceptList = options.acceptList && checkAcceptList("scan: acceptList", options.acceptList);
    // A controller's filter remembers what it sent, not what was delivered: with it, what is refused or lost here would not come again.
    const isSelective = [filter, options.name, options.services, acceptList, options.discoverable].some((each) => each !== undefined);
    const filterDuplicates = duplicates === "once" && !isSelective && !isLossy && !options.merge;
    this.parameters = { phys, ownAddress, filterDuplicates, acceptList, unresolvedTargets };
    this.#accepted = acceptList && new Set(acceptList.map(addressKey));
    this.#mode = options.discoverable;
    this.isAddressChosen = options.ownAddress !== undefined;
    this.#onAdvertisement = onAdvertisement;
    this.#duplicates = duplicates === "report" ? undefined : new DuplicateFilter();
    this.#byData = duplicates === "filter";
    this.#services = options.services?.map((uuid) => Uuid.from(uuid));
    this.#name = options.name;
    this.#filter = filter;
    this.#held = options.merge ? new BoundedMap(HELD_CAPACITY) : undefined;
    this.takesAll = !this.#duplicates && !isSelective;
  }

  /** Whether this scan has delivered the report before, or has refused what it says. Costs no look at the data. */
  knows(packet: Uint8Array, offset: number, end: number, layout: ReportLayout): boolean {
    return this.#duplicates?.has(packet, offset, end, this.#byData, layout) ?? false;
  }

  /** Delivers a report that is not known yet, if it is what is looked for. */
  offer(advertisement: Advertisement): void {
    if (this.#held && this.#holds(this.#held, advertisement)) return;
    this.#offer(advertisement);
  }

  /** Whether the report waits. One that was held already has been heard again, and nobody answered in between. */
  #holds(held: BoundedMap<number, Advertisement>, advertisement: Advertisement): boolean {
    const key = advertisement.addressKey;
    const isAnswerable = advertisement.scannable && !advertisement.isScanResponse && !advertisement.scanResponseData;
    if (held.delete(key) || !isAnswerable) return false;
    const oldest = held.makeRoom();
    if (oldest) this.#offer(oldest);
    held.set(key, advertisement.keep());
    return true;
  }

  #offer(advertisement: Advertisement): void {
    const isWanted = this.#matches(advertisement);
    if (isWanted) {
      if (this.#duplicates) advertisement.note(this.#duplicates, this.#byData);
      this.deliver(advertisement);
    } else if (this.#duplicates && this.#byData && !this.#filter && !this.#accepted) {
      // Name and services are in the data: the same data is refused again. A program's filter may look at anything.
      advertisement.noteReport(this.#duplicates, true);
    }
  }

  /** A report that was delivered is lost: it is to be delivered again. */
  forget(advertisement: Advertisement): void {
    if (this.#duplicates) advertisement.forget(this.#duplicates, this.#byData);
  }

  #matches(advertisement: Advertisement): boolean {
    if (this.#accepted && !this.#isAccepted(this.#accepted, advertisement)) return false;
    if (this.#mode && !isFoundBy(advertisement.flags, this.#mode)) return false;
    if (this.#name !== undefined && advertisement.name !== this.#name) return false;
    if (this.#services && !this.#services.some((uuid) => advertisement.hasService(uuid))) return false;
    return this.#isChosen(advertisement);
  }

  #isAccepted(accepted: ReadonlySet<number>, advertisement: Advertisement): boolean {
    if (advertisement.isAnonymous) return false;
    if (accepted.has(advertisement.addressKey)) return true;
    const { identity } = advertisement;
    return identity !== undefined && accepted.has(addressKey(identity));
  }

  /** What the program's filter throws is the program's fault, and no other scan's loss: the advertisement is refused. */
  #isChosen(advertisement: Advertisement): boolean {
    try {
      return this.#filter?.(advertisement) ?? true;
    } catch (error) {
      rethrowLater(error);
      return false;
    }
  }

  /** An exception of the application does not stop the stack: it is rethrown in a turn of its own. */
  deliver(advertisement: Advertisement): void {
    if (this.ended) return; // by what was called for this report, or for one before it
    const onAdvertisement = this.#onAdvertisement;
    try {
      onAdvertisement(advertisement); // by itself, since through `callOut` its arguments become an array for every report
    } catch (error) {
      rethrowLater(error);
    }
  }

  /** Ends by itself when `timer` fires. */
  endBy(timer: Disposable): void {
    this.#timer = timer;
  }

  /** Its time is over: what still waits for a scan response is reported without. */
  flush(): void {
    const held = [...(this.#held?.values() ?? [])];
    this.#held?.clear();
    for (const advertisement of held) this.#offer(advertisement);
  }

  end(error?: unknown): void {
    if (this.ended) return;
    this.ended = { error };
    this.#timer?.[Symbol.dispose]();
    this.onEnd?.(error);
  }
}
