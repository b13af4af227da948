import { Address } from "../../src/core/address.ts";
import type { CommandPort } from "../../src/gap/radio.ts";
import type { RadioAbilities } from "../../src/gap/radio-abilities.ts";
import type { CommandDeclaration } from "../../src/hci/declare.ts";
import { HciError, HciErrorCode } from "../../src/hci/error.ts";

type Parameters = Readonly<Record<string, unknown>>;

interface AdvertisingSetState {
  parameters: Parameters;
  randomAddress: Address | undefined;
  data: Uint8Array;
  scanResponse: Uint8Array;
  /** Pieces of data that are not whole yet. */
  pieces: Uint8Array[];
  enabled: { duration: number; maxExtendedAdvertisingEvents: number } | undefined;
}

export const EXTENDED_ABILITIES: RadioAbilities = Object.freeze({
  isExtended: true,
  advertisingSets: 3,
  advertisingDataOctets: 1650,
  has2m: true,
  hasCoded: true,
  hasCodingSelection: true,
  acceptListSize: 4,
  resolvingListSize: 0,
  hasPrivacyMode: true,
  hasExtendedFilterPolicies: true,
});

/**
 * A controller that knows the rules of the extended commands (Vol 4 Part E 7.8.52 to 7.8.66) and of the filter accept list, refuses the legacy
 * ones (3.1.1), and knows nothing of a radio.
 */
export class ExtendedController implements CommandPort {
  readonly log: string[] = [];
  readonly sets = new Map<number, AdvertisingSetState>();
  maxSets = 3;
  readonly acceptList: string[] = [];
  randomAddress: Address | undefined;
  scanning: Parameters | undefined;
  initiating: Parameters | undefined;
  /** Commands that fail, and how. */
  readonly refusals = new Map<string, number>();
  onCancelled: (() => void) | undefined;
  /** Called with each command before it is answered; what it throws is the answer. */
  onCommand: ((name: string, parameters: Parameters) => void) | undefined;
  #scanParameters: Parameters | undefined;

  async send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R> {
    await Promise.resolve();
    const given = parameters as Parameters;
    const name = declaration.name
      .replace(/^LeSet|^Le/, "")
      .replace("ExtendedAdvertising", "Advertising")
      .replace("ExtendedScan", "Scan");
    const on = given.enable === undefined ? "" : given.enable ? " on" : " off";
    const handle = (given.advertisingHandle ?? (given.sets as { advertisingHandle: number }[] | undefined)?.[0]?.advertisingHandle) as
      | number
      | undefined;
    this.onCommand?.(name, given);
    const status = this.refusals.get(declaration.name) ?? this.#act(declaration.name, given);
    this.log.push(`${name}${on}${handle === undefined ? "" : ` ${handle}`}${status ? " refused" : ""}`);
    if (status) throw new HciError({ status, command: declaration.name });
    return { status, selectedTxPower: 4 } as R;
  }

  /** A connection answers this set, which is off by that. */
  answered(handle: number): void {
    this.sets.get(handle)!.enabled = undefined;
  }

  #act(name: string, given: Parameters): number {
    const set = this.sets.get(given.advertisingHandle as number);
    const usesList = (this.scanning?.scanningFilterPolicy ?? 0) !== 0 || (this.initiating?.initiatorFilterPolicy ?? 0) !== 0;
    switch (name) {
      case "LeSetRandomAddress":
        if (this.scanning || this.initiating) return HciErrorCode.CommandDisallowed;
        this.randomAddress = given.randomAddress as Address;
        return 0;
      case "LeSetExtendedAdvertisingParameters":
      case "LeSetExtendedAdvertisingParametersV2":
        return this.#setParameters(given, set);
      case "LeSetAdvertisingSetRandomAddress":
        if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
        if (set.enabled && (set.parameters.advertisingEventProperties as number) & 1) return HciErrorCode.CommandDisallowed;
        set.randomAddress = given.randomAddress as Address;
        return 0;
      case "LeSetExtendedAdvertisingData":
        return this.#setData(given, set, "data", given.advertisingData as Uint8Array);
      case "LeSetExtendedScanResponseData":
        return this.#setData(given, set, "scanResponse", given.scanResponseData as Uint8Array);
      case "LeSetExtendedAdvertisingEnable":
        return this.#enable(given);
      case "LeRemoveAdvertisingSet":
        if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
        if (set.enabled) return HciErrorCode.CommandDisallowed;
        this.sets.delete(given.advertisingHandle as number);
        return 0;
      case "LeSetExtendedScanParameters":
        if (this.scanning) return HciErrorCode.CommandDisallowed;
        this.#scanParameters = given;
        return 0;
      case "LeSetExtendedScanEnable":
        if (given.enable && !this.#scanParameters) return HciErrorCode.CommandDisallowed;
        if (given.enable && this.#scanParameters!.ownAddressType === 1 && !this.randomAddress)
          return HciErrorCode.InvalidHciCommandParameters;
        this.scanning = given.enable ? { ...this.#scanParameters, ...given } : undefined;
        return 0;
      case "LeExtendedCreateConnection":
        if (this.initiating) return HciErrorCode.CommandDisallowed;
        if (given.ownAddressType === 1 && !this.randomAddress) return HciErrorCode.InvalidHciCommandParameters;
        this.initiating = given;
        return 0;
      case "LeCreateConnectionCancel":
        if (!this.initiating) return HciErrorCode.CommandDisallowed;
        this.initiating = undefined;
        this.onCancelled?.();
        return 0;
      case "LeClearFilterAcceptList":
        if (usesList || this.#isAdvertisingFiltered) return HciErrorCode.CommandDisallowed;
        this.acceptList.length = 0;
        return 0;
      case "LeAddDeviceToFilterAcceptList":
        if (usesList || this.#isAdvertisingFiltered) return HciErrorCode.CommandDisallowed;
        if (this.acceptList.length >= 4) return HciErrorCode.MemoryCapacityExceeded;
        this.acceptList.push(new Address(given.address as Uint8Array, given.addressType as number).toString());
        return 0;
      default: // legacy commands, once one of the extended ones was sent
        return HciErrorCode.CommandDisallowed;
    }
  }

  get #isAdvertisingFiltered(): boolean {
    return [...this.sets.values()].some(({ enabled, parameters }) => enabled && parameters.advertisingFilterPolicy !== 0);
  }

  #setParameters(given: Parameters, set: AdvertisingSetState | undefined): number {
    if (set?.enabled) return HciErrorCode.CommandDisallowed;
    if (!set && this.sets.size >= this.maxSets) return HciErrorCode.MemoryCapacityExceeded;
    const properties = given.advertisingEventProperties as number;
    const isLegacy = (properties & 0x10) !== 0;
    if (isLegacy && ![0x10, 0x12, 0x13, 0x15, 0x1d].includes(properties)) return HciErrorCode.InvalidHciCommandParameters;
    if (!isLegacy && ((properties & 3) === 3 || properties & 8)) return HciErrorCode.InvalidHciCommandParameters;
    if ((given.advertisingSid as number) > 15 || given.primaryAdvertisingPhy === 2) return HciErrorCode.InvalidHciCommandParameters;
    const made = { randomAddress: undefined, data: new Uint8Array(), scanResponse: new Uint8Array(), pieces: [], enabled: undefined };
    this.sets.set(given.advertisingHandle as number, { ...(set ?? made), parameters: given });
    return 0;
  }

  #setData(given: Parameters, set: AdvertisingSetState | undefined, of: "data" | "scanResponse", octets: Uint8Array): number {
    if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
    const properties = set.parameters.advertisingEventProperties as number;
    const isLegacy = (properties & 0x10) !== 0;
    const operation = given.operation as number;
    if (set.enabled && operation < 3) return HciErrorCode.CommandDisallowed;
    const isForThis = of === "scanResponse" ? (properties & 2) !== 0 : isLegacy ? (properties & 4) === 0 : (properties & 2) === 0;
    if (!isForThis || (operation < 3 && octets.length === 0)) return HciErrorCode.InvalidHciCommandParameters;
    if (isLegacy && (operation !== 3 || octets.length > 31)) return HciErrorCode.InvalidHciCommandParameters;
    if (operation === 1 || operation === 3) set.pieces = [];
    set.pieces.push(octets);
    if (operation >= 2) set[of] = Uint8Array.from(set.pieces.flatMap((piece) => [...piece]));
    return 0;
  }

  #enable(given: Parameters): number {
    for (const { advertisingHandle, ...enabled } of given.sets as {
      advertisingHandle: number;
      duration: number;
      maxExtendedAdvertisingEvents: number;
    }[]) {
      const set = this.sets.get(advertisingHandle);
      if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
      const properties = set.parameters.advertisingEventProperties as number;
      if (given.enable) {
        if (set.parameters.ownAddressType === 1 && !set.randomAddress) return HciErrorCode.InvalidHciCommandParameters;
        if ((properties & 0x12) === 2 && set.scanResponse.length === 0) return HciErrorCode.CommandDisallowed;
        if (properties & 8 && (enabled.duration === 0 || enabled.duration > 128)) return HciErrorCode.InvalidHciCommandParameters;
      }
      set.enabled = given.enable ? enabled : undefined;
    }
    return 0;
  }
}
