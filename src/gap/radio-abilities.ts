import { UnsupportedError } from "../core/error.ts";
import {
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
} from "../hci/commands/le-extended-advertising.ts";
import { LeExtendedCreateConnection, LeSetExtendedScanEnable, LeSetExtendedScanParameters } from "../hci/commands/le-extended-scanning.ts";
import {
  LeAddDeviceToResolvingList,
  LeClearResolvingList,
  LeRemoveDeviceFromResolvingList,
  LeSetAddressResolutionEnable,
  LeSetPrivacyMode,
} from "../hci/commands/le-privacy.ts";
import type { CommandDeclaration, EventDeclaration } from "../hci/declare.ts";
import { HciError } from "../hci/error.ts";
import {
  LeAdvertisingSetTerminated,
  LeExtendedAdvertisingReport,
  LeScanRequestReceived,
  LeScanTimeout,
} from "../hci/events/le-extended-advertising.ts";
import { LeFeature } from "../hci/features.ts";
import { LEGACY_ADVERTISING_DATA_OCTETS } from "./ad-structure.ts";

/** Octets of advertising data in an extended advertisement, Vol 4 Part E 7.8.57. */
export const MAX_ADVERTISING_DATA_OCTETS = 1650;

/** What a controller can do for advertising, scanning and connecting. */
export interface RadioAbilities {
  /**
   * Everything goes by the extended commands. A controller that has been given one of them refuses the legacy ones until it is reset, and
   * the other way round (Vol 4 Part E 3.1.1), so there is one decision for all three.
   */
  readonly isExtended: boolean;
  /** Advertisements at once. */
  readonly advertisingSets: number;
  /** Octets of advertising data, and of scan response data. */
  readonly advertisingDataOctets: number;
  readonly has2m: boolean;
  readonly hasCoded: boolean;
  /** Whether it can be told how to code on LE Coded while it advertises. */
  readonly hasCodingSelection: boolean;
  /** Addresses in the filter accept list. */
  readonly acceptListSize: number;
  /** Peers whose private addresses it can resolve; 0: it has no resolving list. */
  readonly resolvingListSize: number;
  /** Whether those may be told that a peer is known by its identity address as well. */
  readonly hasPrivacyMode: boolean;
  /** Whether it can report directed advertising whose target it cannot resolve. */
  readonly hasExtendedFilterPolicies: boolean;
}

/** A controller with legacy commands, of which nothing else is known. */
export const LEGACY_ABILITIES: RadioAbilities = Object.freeze({
  isExtended: false,
  advertisingSets: 1,
  advertisingDataOctets: LEGACY_ADVERTISING_DATA_OCTETS,
  has2m: false,
  hasCoded: false,
  hasCodingSelection: false,
  acceptListSize: Number.POSITIVE_INFINITY,
  resolvingListSize: 0,
  hasPrivacyMode: false,
  hasExtendedFilterPolicies: false,
});

/** What is asked of the Hci. */
interface ControllerPort {
  readonly controller: { readonly filterAcceptListSize: number; readonly resolvingListSize: number };
  supports(declaration: CommandDeclaration): boolean;
  hasLeFeature(bit: number): boolean;
  enableEvents(events: readonly EventDeclaration[]): Promise<void>;
  send<P, R>(declaration: CommandDeclaration<P, R>, parameters: NoInfer<P>): Promise<R>;
}

/** Extended advertising, scanning and initiating stand or fall together. */
const NEEDED: readonly CommandDeclaration<never, never>[] = [
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanEnable,
  LeExtendedCreateConnection,
] as unknown as readonly CommandDeclaration<never, never>[];
/** What a resolving list is kept with. */
const RESOLVING = [
  LeAddDeviceToResolvingList,
  LeRemoveDeviceFromResolvingList,
  LeClearResolvingList,
  LeSetAddressResolutionEnable,
] as unknown as readonly CommandDeclaration[];
const EVENTS = [LeExtendedAdvertisingReport, LeAdvertisingSetTerminated, LeScanTimeout, LeScanRequestReceived];

/**
 * Asks a controller that was just opened, and switches the events of extended advertising on.
 *
 * @throws {TimeoutError} the controller does not answer
 */
export async function readRadioAbilities(port: ControllerPort): Promise<RadioAbilities> {
  const acceptListSize = port.controller.filterAcceptListSize;
  const legacy = { ...LEGACY_ABILITIES, acceptListSize, ...privacyOf(port) };
  // The feature too: of a controller that does not say which commands it has, all are assumed.
  if (!port.hasLeFeature(LeFeature.LeExtendedAdvertising)) return legacy;
  if (!NEEDED.every((declaration) => port.supports(declaration as unknown as CommandDeclaration))) return legacy;
  if (!(await isTaken(port.enableEvents(EVENTS)))) return legacy;
  const { numSupportedAdvertisingSets } = await orElse(port.send(LeReadNumberOfSupportedAdvertisingSets, {}), {
    numSupportedAdvertisingSets: 1,
  });
  const { maxAdvertisingDataLength } = await orElse(port.send(LeReadMaximumAdvertisingDataLength, {}), {
    maxAdvertisingDataLength: LEGACY_ADVERTISING_DATA_OCTETS,
  });
  return {
    ...legacy,
    isExtended: true,
    advertisingSets: Math.max(1, numSupportedAdvertisingSets),
    advertisingDataOctets: Math.min(MAX_ADVERTISING_DATA_OCTETS, Math.max(LEGACY_ADVERTISING_DATA_OCTETS, maxAdvertisingDataLength)),
    has2m: port.hasLeFeature(LeFeature.Le2mPhy),
    hasCoded: port.hasLeFeature(LeFeature.LeCodedPhy),
    hasCodingSelection:
      port.hasLeFeature(LeFeature.AdvertisingCodingSelection) &&
      port.supports(LeSetExtendedAdvertisingParametersV2 as unknown as CommandDeclaration),
  };
}

/** What it has for private addresses, whichever commands it advertises by. */
function privacyOf(port: ControllerPort): Pick<RadioAbilities, "resolvingListSize" | "hasPrivacyMode" | "hasExtendedFilterPolicies"> {
  const isThere = port.hasLeFeature(LeFeature.LlPrivacy) && RESOLVING.every((declaration) => port.supports(declaration));
  return {
    resolvingListSize: isThere ? port.controller.resolvingListSize : 0,
    hasPrivacyMode: port.supports(LeSetPrivacyMode as unknown as CommandDeclaration),
    hasExtendedFilterPolicies: port.hasLeFeature(LeFeature.ExtendedScanningFilterPolicies),
  };
}

const isRefused = (error: unknown): boolean => error instanceof HciError || error instanceof UnsupportedError;

async function orElse<T>(asked: Promise<T>, assumed: Omit<T, "status">): Promise<Omit<T, "status">> {
  try {
    return await asked;
  } catch (error) {
    if (isRefused(error)) return assumed;
    throw error;
  }
}

async function isTaken(done: Promise<void>): Promise<boolean> {
  try {
    await done;
    return true;
  } catch (error) {
    if (isRefused(error)) return false;
    throw error;
  }
}
