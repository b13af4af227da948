import { concat } from "../../bytes/index.ts";
import { HciErrorCode, LeFeature } from "../../hci/index.ts";
import { drawnInterval } from "../link/connection-parameters.ts";
import { hasFeature } from "../options.ts";
import type { AdvertisingSet } from "../roles/advertising-set.ts";
import { type AdvertisingSets, HIGHEST_HANDLE, isPeriodicKind, Operation } from "../roles/advertising-sets.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import { PeriodicAdvertising } from "./advertising.ts";
import type { SubeventData, SubeventParameters } from "./subevents.ts";

const { Success, InvalidHciCommandParameters: Invalid, CommandDisallowed: Disallowed } = HciErrorCode;
const Unsupported = HciErrorCode.UnsupportedFeatureOrParameterValue;
const Unknown = HciErrorCode.UnknownAdvertisingIdentifier;
const MIN_INTERVAL = 0x0006;
const MAX_SUBEVENTS = 0x80;
const MIN_SPACING = 0x02;
/** Units of response slots in one of subevents: 0.125 ms and 1.25 ms. */
const SPACINGS_PER_UNIT = 10;
/** Periodic_Advertising_Properties that there are: TX power in the header. */
const PROPERTIES = 0x40;
/** Enable: the train, and ADI in its packets. */
const ENABLE = 0x01;
const INCLUDE_ADI = 0x02;

/** Of LE Set Periodic Advertising Parameters. */
export interface PeriodicParameters {
  readonly advertisingHandle: number;
  readonly periodicAdvertisingIntervalMin: number;
  readonly periodicAdvertisingIntervalMax: number;
  readonly periodicAdvertisingProperties: number;
}

/** Periodic advertising of advertising sets, as the commands of Vol 4 Part E 7.8.61 to 7.8.63 handle it. Gives statuses. */
export class PeriodicSets {
  readonly #context: LinkLayerContext;
  readonly #sets: AdvertisingSets;

  constructor(context: LinkLayerContext, sets: AdvertisingSets) {
    this.#context = context;
    this.#sets = sets;
  }

  #set(handle: number): AdvertisingSet | undefined {
    return this.#sets.get(handle);
  }

  /** @param subevents of a train with responses */
  setParameters(parameters: PeriodicParameters, subevents?: SubeventParameters): number {
    const { advertisingHandle: handle, periodicAdvertisingProperties: properties } = parameters;
    const { periodicAdvertisingIntervalMin: intervalMin, periodicAdvertisingIntervalMax: intervalMax } = parameters;
    if (handle > HIGHEST_HANDLE || intervalMin < MIN_INTERVAL || intervalMin > intervalMax) return Invalid;
    if (properties & ~PROPERTIES) return Invalid;
    if (subevents && !areSubeventsValid(subevents, intervalMin)) return Invalid;
    const set = this.#set(handle);
    if (!set) return Unknown;
    if (!isPeriodicKind(set.parameters)) return Invalid;
    if (set.periodic?.isEnabled) return Disallowed;
    const interval = drawnInterval(this.#context.random, { intervalMin, intervalMax });
    const longest = { interval: intervalMax, properties, subevents };
    if (set.periodic && !set.periodic.fits(set.periodic.data, longest)) return HciErrorCode.PacketTooLong;
    const fitting = { interval, properties, subevents };
    if (!set.periodic) set.periodic = new PeriodicAdvertising(this.#context, set, fitting);
    else set.periodic.parameters = set.periodic.fits(set.periodic.data, fitting) ? fitting : longest;
    return Success;
  }

  setData(handle: number, operation: number, fragment: Uint8Array): number {
    if (handle > HIGHEST_HANDLE || operation > Operation.Unchanged) return Invalid;
    const set = this.#set(handle);
    if (!set) return Unknown;
    const { periodic } = set;
    // The data of a train with responses belongs to its subevents.
    if (!periodic || periodic.parameters.subevents) return Disallowed;
    if (operation === Operation.Unchanged) {
      if (!periodic.isEnabled || periodic.data.length === 0 || fragment.length > 0) return Invalid;
      periodic.renewDid();
      return Success;
    }
    if (operation !== Operation.Complete) {
      if (fragment.length === 0) return Invalid;
      if (periodic.isEnabled) return Disallowed;
      // A fragment that continues nothing.
      if (operation !== Operation.First && !periodic.pendingData) return Disallowed;
    }
    const isContinued = operation === Operation.Intermediate || operation === Operation.Last;
    const data = isContinued ? concat(periodic.pendingData!, fragment) : fragment.slice();
    if (data.length > this.#sets.maxDataLength) {
      periodic.pendingData = undefined;
      periodic.setData(new Uint8Array(0));
      return HciErrorCode.MemoryCapacityExceeded;
    }
    const isWhole = operation === Operation.Complete || operation === Operation.Last;
    if (!isWhole) {
      periodic.pendingData = data;
      return Success;
    }
    periodic.pendingData = undefined;
    if (!periodic.fits(data)) return HciErrorCode.PacketTooLong;
    periodic.setData(data);
    return Success;
  }

  enable(enable: number, handle: number): number {
    if (enable & ~(ENABLE | INCLUDE_ADI) || handle > HIGHEST_HANDLE) return Invalid;
    const set = this.#set(handle);
    if (!set) return Unknown;
    const { periodic } = set;
    if (!(enable & ENABLE)) {
      periodic?.disable();
      set.trainChanged();
      return Success;
    }
    if (enable & INCLUDE_ADI && !hasFeature(this.#context.features, LeFeature.PeriodicAdvertisingAdiSupport)) return Unsupported;
    if (!periodic || periodic.pendingData) return Disallowed;
    if (!periodic.fits(periodic.data)) return HciErrorCode.PacketTooLong;
    periodic.enable((enable & INCLUDE_ADI) !== 0);
    set.trainChanged();
    return Success;
  }
  setSubeventData(handle: number, subevents: readonly SubeventData[]): number {
    if (handle > HIGHEST_HANDLE) return Invalid;
    const set = this.#set(handle);
    if (!set) return Unknown;
    // Before its train runs no data was asked for.
    return set.periodic?.responses?.setData(subevents) ?? Disallowed;
  }
}

/** Ranges of Vol 4 Part E 7.8.61: all subevents within the interval, all response slots within their subevent. */
function areSubeventsValid(subevents: SubeventParameters, intervalMin: number): boolean {
  const { numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing, numResponseSlots } = subevents;
  if (numSubevents > MAX_SUBEVENTS || subeventInterval < MIN_INTERVAL || numSubevents * subeventInterval > intervalMin) return false;
  if (numResponseSlots === 0) return true;
  if (responseSlotDelay === 0 || responseSlotDelay >= subeventInterval || responseSlotSpacing < MIN_SPACING) return false;
  return numResponseSlots * responseSlotSpacing <= SPACINGS_PER_UNIT * (subeventInterval - responseSlotDelay);
}
