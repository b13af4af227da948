import { concat } from "../../bytes/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { checkOwnAddressType } from "./advertising-pdus.ts";
import { AdvertisingSet, LEGACY_PDU_TYPES, MAX_LEGACY_DATA, NO_PREFERENCE, Properties, type SetParameters } from "./advertising-set.ts";
import type { LinkLayerContext } from "./link-layer-context.ts";

const { Success, InvalidHciCommandParameters: Invalid, CommandDisallowed: Disallowed } = HciErrorCode;
const Unsupported = HciErrorCode.UnsupportedFeatureOrParameterValue;
const Unknown = HciErrorCode.UnknownAdvertisingIdentifier;

/** Operation of LE Set Extended Advertising Data. */
export const Operation = Object.freeze({ Intermediate: 0, First: 1, Last: 2, Complete: 3, Unchanged: 4 });
export const HIGHEST_HANDLE = 0xef;
const MIN_INTERVAL = 0x20;
/** Longest high duty cycle directed advertising: 1.28 s in units of 10 ms. */
const HIGH_DUTY_DURATION = 0x80;

interface Enabling {
  readonly advertisingHandle: number;
  readonly duration: number;
  readonly maxExtendedAdvertisingEvents: number;
}

/** The advertising sets of one controller, as the commands of Vol 4 Part E 7.8.52 to 7.8.60 handle them. */
export class AdvertisingSets {
  readonly maxSets: number;
  readonly maxDataLength: number;
  readonly #context: LinkLayerContext;
  readonly #sets = new Map<number, AdvertisingSet>();

  constructor(context: LinkLayerContext, { maxSets, maxDataLength }: { maxSets: number; maxDataLength: number }) {
    this.#context = context;
    this.maxSets = maxSets;
    this.maxDataLength = maxDataLength;
  }

  get isAnyEnabled(): boolean {
    for (const set of this.#sets.values()) if (set.isEnabled) return true;
    return false;
  }
  get #isAnyTrainEnabled(): boolean {
    for (const set of this.#sets.values()) if (set.periodic?.isEnabled) return true;
    return false;
  }
  /** The host allows other channels. */
  onChannelMap(): void {
    for (const set of this.#sets.values()) set.periodic?.onChannelMap();
  }
  get usesFilterAcceptList(): boolean {
    for (const set of this.#sets.values()) if (set.usesFilterAcceptList) return true;
    return false;
  }
  get(handle: number): AdvertisingSet | undefined {
    return this.#sets.get(handle);
  }

  reset(): void {
    for (const set of this.#sets.values()) {
      set.disable();
      set.periodic?.disable();
    }
    this.#sets.clear();
  }

  /** Selected_TX_Power in dBm. */
  selectedTxPower(handle: number): number {
    return this.#sets.get(handle)?.txPowerDbm ?? this.#context.radio.txPowerDbm;
  }

  setRandomAddress(handle: number, address: Uint8Array): number {
    if (handle > HIGHEST_HANDLE) return Invalid;
    const set = this.#sets.get(handle);
    if (!set) return Unknown;
    if (set.isEnabled && set.has(Properties.Connectable)) return Disallowed;
    set.setRandomAddress(address);
    return Success;
  }

  setParameters(parameters: SetParameters): number {
    const { advertisingHandle: handle } = parameters;
    const status = this.#check(parameters);
    if (status !== Success) return status;
    const set = this.#sets.get(handle);
    if (set?.isEnabled) return Disallowed;
    if (!set) {
      if (this.#sets.size >= this.maxSets) return HciErrorCode.MemoryCapacityExceeded;
      this.#sets.set(handle, new AdvertisingSet(this.#context, handle, parameters));
      return Success;
    }
    if (set.periodic && !isPeriodicKind(parameters)) return Invalid;
    // The train stays on its PHY.
    if (set.periodic?.isEnabled && parameters.secondaryAdvertisingPhy !== set.parameters.secondaryAdvertisingPhy) return Disallowed;
    // Data that is there already has to suit the new kind.
    if (!isDataFit(parameters, set.data) || !isScanResponseFit(parameters, set.scanResponse)) return Invalid;
    const before = set.parameters;
    set.parametersChanged(parameters);
    if (set.fits(set.data, set.scanResponse)) return Success;
    set.parametersChanged(before);
    return HciErrorCode.PacketTooLong;
  }

  #check(parameters: SetParameters): number {
    const { advertisingHandle, advertisingEventProperties: properties } = parameters;
    const { primaryAdvertisingIntervalMin: min, primaryAdvertisingIntervalMax: max } = parameters;
    const { primaryAdvertisingPhy: primary, secondaryAdvertisingPhy: secondary } = parameters;
    if (advertisingHandle > HIGHEST_HANDLE || properties > 0x7f) return Invalid;
    const isLegacy = (properties & Properties.Legacy) !== 0;
    if (isLegacy ? LEGACY_PDU_TYPES[properties] === undefined : !isExtendedKind(properties)) return Invalid;
    const channels = parameters.primaryAdvertisingChannelMap;
    if (channels === 0 || channels > 7) return Invalid;
    if (!(properties & Properties.HighDutyCycle) && (min < MIN_INTERVAL || min > max)) return Invalid;
    if (properties & Properties.Directed && parameters.peerAddressType > 1) return Invalid;
    if (parameters.advertisingFilterPolicy > 3 || parameters.advertisingSid > 0x0f) return Invalid;
    const power = parameters.advertisingTxPower;
    if (power > 20 && power !== NO_PREFERENCE) return Invalid;
    if (power < -127) return Invalid;
    if (parameters.primaryAdvertisingPhyOptions > 4 || parameters.secondaryAdvertisingPhyOptions > 4) return Invalid;
    if (isLegacy && primary !== 1) return Invalid;
    // Values that are reserved are PHYs that are not supported, too.
    if (primary === 2 || !this.#supports(primary)) return Unsupported;
    if (!isLegacy && !this.#supports(secondary)) return Unsupported;
    return checkOwnAddressType(parameters.ownAddressType, this.#context.features);
  }

  #supports(phy: number): boolean {
    return phy >= 1 && phy <= 3 && ((this.#context.supportedPhys >> (phy - 1)) & 1) === 1;
  }

  setData(handle: number, operation: number, preference: number, fragment: Uint8Array): number {
    if (handle > HIGHEST_HANDLE || operation > Operation.Unchanged || preference > 1) return Invalid;
    const set = this.#sets.get(handle);
    if (!set) return Unknown;
    if (operation === Operation.Unchanged) {
      if (!set.isEnabled || set.data.length === 0 || set.isLegacy || fragment.length > 0) return Invalid;
      set.renewDid();
      return Success;
    }
    const { status, data } = this.#assembled(set, operation, fragment, set.pendingData);
    if (status === HciErrorCode.MemoryCapacityExceeded) {
      set.data = new Uint8Array(0);
      set.pendingData = undefined;
    }
    if (!data) return status;
    if (!isDataFit(set.parameters, data)) return Invalid;
    const isWhole = operation === Operation.Complete || operation === Operation.Last;
    if (isWhole && !set.fits(data, set.scanResponse)) return HciErrorCode.PacketTooLong;
    set.pendingData = isWhole ? undefined : data;
    if (!isWhole) return Success;
    set.data = data;
    set.dataChanged(1);
    return Success;
  }

  setScanResponse(handle: number, operation: number, preference: number, fragment: Uint8Array): number {
    if (handle > HIGHEST_HANDLE || operation > Operation.Complete || preference > 1) return Invalid;
    const set = this.#sets.get(handle);
    if (!set) return Unknown;
    const { status, data } = this.#assembled(set, operation, fragment, set.pendingScanResponse);
    if (status === HciErrorCode.MemoryCapacityExceeded) {
      set.scanResponse = new Uint8Array(0);
      set.pendingScanResponse = undefined;
    }
    if (!data) return status;
    if (!isScanResponseFit(set.parameters, data)) return Invalid;
    const isWhole = operation === Operation.Complete || operation === Operation.Last;
    if (set.isEnabled && !set.isLegacy && set.has(Properties.Scannable) && data.length === 0) return Disallowed;
    if (isWhole && !set.fits(set.data, data)) return HciErrorCode.PacketTooLong;
    set.pendingScanResponse = isWhole ? undefined : data;
    if (!isWhole) return Success;
    set.scanResponse = data;
    set.dataChanged(2);
    return Success;
  }

  /** LE Set Data Related Address Changes: bit 0 advertising data, bit 1 scan response data. */
  setAddressChanges(handle: number, changeReasons: number): number {
    if (handle > HIGHEST_HANDLE || changeReasons > 3) return Invalid;
    const set = this.#sets.get(handle);
    if (!set) return Unknown;
    set.addressChanges = changeReasons;
    return Success;
  }

  /** The data with this fragment at its end. */
  #assembled(
    set: AdvertisingSet,
    operation: number,
    fragment: Uint8Array,
    pending: Uint8Array | undefined,
  ): { status: number; data?: Uint8Array } {
    if (operation !== Operation.Complete) {
      if (fragment.length === 0 || set.isLegacy) return { status: Invalid };
      if (set.isEnabled) return { status: Disallowed };
      // A fragment that continues nothing.
      if (operation !== Operation.First && !pending) return { status: Disallowed };
    }
    const isContinued = operation === Operation.Intermediate || operation === Operation.Last;
    const data = isContinued ? concat(pending!, fragment) : fragment.slice();
    return data.length > this.maxDataLength ? { status: HciErrorCode.MemoryCapacityExceeded } : { status: Success, data };
  }

  enable(sets: readonly Enabling[]): number {
    if (sets.length === 0 || new Set(sets.map(({ advertisingHandle }) => advertisingHandle)).size < sets.length) return Invalid;
    if (sets.some(({ advertisingHandle }) => advertisingHandle > HIGHEST_HANDLE)) return Invalid;
    for (const { advertisingHandle, duration } of sets) {
      const set = this.#sets.get(advertisingHandle);
      if (!set) return Unknown;
      if (set.has(Properties.HighDutyCycle) && (duration === 0 || duration > HIGH_DUTY_DURATION)) return Invalid;
      const status = set.checkEnable();
      if (status !== Success) return status;
    }
    for (const { advertisingHandle, duration, maxExtendedAdvertisingEvents } of sets)
      this.#sets.get(advertisingHandle)!.enable(duration, maxExtendedAdvertisingEvents);
    return Success;
  }

  /** None named: all. */
  disable(sets: readonly Enabling[]): number {
    if (new Set(sets.map(({ advertisingHandle }) => advertisingHandle)).size < sets.length) return Invalid;
    for (const { advertisingHandle } of sets) {
      if (advertisingHandle > HIGHEST_HANDLE) return Invalid;
      if (!this.#sets.has(advertisingHandle)) return Unknown;
    }
    if (sets.length === 0) for (const set of this.#sets.values()) set.disable();
    for (const { advertisingHandle } of sets) this.#sets.get(advertisingHandle)!.disable();
    return Success;
  }

  remove(handle: number): number {
    if (handle > HIGHEST_HANDLE) return Invalid;
    const set = this.#sets.get(handle);
    if (!set) return Unknown;
    if (set.isEnabled || set.periodic?.isEnabled) return Disallowed;
    this.#sets.delete(handle);
    return Success;
  }

  clear(): number {
    if (this.isAnyEnabled || this.#isAnyTrainEnabled) return Disallowed;
    this.#sets.clear();
    return Success;
  }
}

/** Extended PDUs: not both connectable and scannable, no high duty cycle, and anonymous only where nobody can answer (Vol 4 Part E 7.8.53). */
function isExtendedKind(properties: number): boolean {
  const answerable = properties & (Properties.Connectable | Properties.Scannable);
  if (answerable === (Properties.Connectable | Properties.Scannable) || properties & Properties.HighDutyCycle) return false;
  return !(properties & Properties.Anonymous && answerable);
}

/** Whether a set of this kind may have periodic advertising: neither answered, nor legacy, nor anonymous (Vol 4 Part E 7.8.61). */
export function isPeriodicKind({ advertisingEventProperties: properties }: SetParameters): boolean {
  return !(properties & (Properties.Connectable | Properties.Scannable | Properties.Legacy | Properties.Anonymous));
}

/** Whether a set of this kind takes this advertising data. */
function isDataFit(parameters: SetParameters, { length }: Uint8Array): boolean {
  const { advertisingEventProperties: properties } = parameters;
  if (properties & Properties.Legacy) return length === 0 || (!(properties & Properties.Directed) && length <= MAX_LEGACY_DATA);
  if (properties & Properties.Scannable) return length === 0;
  return !(properties & Properties.Connectable) || length <= AdvertisingSet.roomWithoutChain(parameters);
}

function isScanResponseFit({ advertisingEventProperties: properties }: SetParameters, { length }: Uint8Array): boolean {
  if (!(properties & Properties.Scannable)) return length === 0;
  return !(properties & Properties.Legacy) || length <= MAX_LEGACY_DATA;
}
