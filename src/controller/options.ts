import type { AddRadioOptions, Air } from "../air/index.ts";
import type { AddressLike } from "../core/index.ts";
import { LeFeature } from "../hci/index.ts";

/** What can be left out of a controller, to see how a host gets along without it. On by default where nothing else is said. */
export interface ControllerFeatures {
  encryption?: boolean;
  connectionParametersRequest?: boolean;
  extendedReject?: boolean;
  peripheralFeaturesExchange?: boolean;
  dataLength?: boolean;
  le2M?: boolean;
  leCoded?: boolean;
  /** Advertising sets, scanning and initiating on all PHYs, by the extended commands. Default: with `periodicAdvertising`. */
  extendedAdvertising?: boolean;
  /** Channel Selection Algorithm #2. Default: with `extendedAdvertising`, which cannot be without it. */
  channelSelection2?: boolean;
  /** Periodic advertising, its reception and its transfer to peers, by `extendedAdvertising`, which it brings along. Default false. */
  periodicAdvertising?: boolean;
  /** Subevents and responses, and links that come of them. Default: with `periodicAdvertising`. */
  periodicAdvertisingWithResponses?: boolean;
  /** The host chooses between the codings of LE Coded. Default: with `extendedAdvertising` and `leCoded`. */
  advertisingCodingSelection?: boolean;
  /** The power of each link is asked for, changed and told: LE Power Control. */
  powerControl?: boolean;
  /** Path loss of links is watched. It needs `powerControl`. */
  pathLossMonitoring?: boolean;
  /** Connections that use one of several connection events: the peers' hosts have to say that they know it (LE Set Host Feature). */
  subrating?: boolean;
  /** An encrypted link on which nothing is said is pinged before the authenticated payload timeout. */
  lePing?: boolean;
  /** Each asks the other how accurate its sleep clock is. */
  sleepClockAccuracyUpdates?: boolean;
  /** Peripherals report which channels are bad where they are, and the central has the link avoid them. Default false. */
  channelClassification?: boolean;
  /** Resolving list and addresses made in the controller. Default false. */
  llPrivacy?: boolean;
  /** Directed advertising whose target cannot be resolved is reported on demand. Default: with `llPrivacy`. */
  extendedScannerFilterPolicies?: boolean;
}

/**
 * What a controller made for this library's own host has beyond the defaults: all that the host makes use of. One for foreign hosts has what they
 * ask for.
 *
 * @param given what is said of it, which stands
 */
export function featuresForDevice(given: ControllerFeatures = {}): ControllerFeatures {
  return { extendedAdvertising: true, periodicAdvertising: given.extendedAdvertising !== false, llPrivacy: true, ...given };
}

export interface ControllerOptions extends Partial<Omit<AddRadioOptions, "name">> {
  air: Air;
  /** Public device address. Default: one drawn from the air's seed and the name. */
  address?: AddressLike;
  /** Name in traces. Default "controller". */
  name?: string;
  features?: ControllerFeatures;
  /** Octets of data in an ACL packet from the host, 27 to 65,535. Default 251. */
  leAclDataPacketLength?: number;
  /** Default 12. */
  totalNumLeAclDataPackets?: number;
  /** How many commands the host may have outstanding. Default 1. */
  numHciCommandPackets?: number;
  /** Default 16. */
  filterAcceptListSize?: number;
  /** Default 8. */
  resolvingListSize?: number;
  /** Advertising sets, 1 to 240. Default 8. */
  maxAdvertisingSets?: number;
  /** Octets of advertising data of a set, and of its scan response data, 31 to 1650. Default 1650. */
  maxAdvertisingDataLength?: number;
  /**
   * Where it wants to receive its peers, in dBm: those that have LE Power Control are asked to send louder or softer until they arrive in
   * this range. Default: whatever comes.
   */
  goldenRange?: { readonly lowDbm: number; readonly highDbm: number };
  /** Periodic advertising trains that it follows at a time, 1 to 255. Default 8. */
  maxPeriodicSyncs?: number;
  /** Default 8. */
  periodicAdvertiserListSize?: number;
  /** Links at a time. Default 32. */
  maxConnections?: number;
  /** Which handle a new link has: the next one, so that a host that uses an old one is found out, or the lowest that is free. Default "next". */
  connectionHandles?: "next" | "lowest";
  /**
   * Every packet between host and controller takes 0 to so many milliseconds, drawn from the seed, whole, 0 to 1000. Commands, events and
   * ACL data each way keep their own order and no common one, as on USB: data may arrive before the event of its link, or after the one of
   * its end. Default 0: all in order, in no time.
   */
  pathSkewMs?: number;
  /** Milliseconds for a P-256 key pair or a DHKey, whole, 0 to 10,000. Default 20; 0 in an air without radio time. */
  keyGenerationMs?: number;
  /** Removes the controller from the air when its host closes the transport, as a dongle that is pulled. Default false: it is reset. */
  removeWithHost?: boolean;
}

/** Version numbers this controller reports: Core Specification 5.4, a company identifier that belongs to nobody. */
export const VERSION = Object.freeze({ hciVersion: 13, hciSubversion: 1, lmpVersion: 13, companyIdentifier: 0xffff, lmpSubversion: 1 });

/** LMP features, Vol 2 Part C 3.3: BR/EDR Not Supported and LE Supported (Controller). */
export const LMP_FEATURES = (1n << 37n) | (1n << 38n);

/** LE states and combinations of them: all that legacy advertising, scanning and connections can make, Vol 4 Part E 7.8.27. */
export const LE_STATES = 0x0000_03ff_ffff_ffffn;

/** Most advertising data of all, Vol 4 Part E 7.8.57. */
export const MAX_ADVERTISING_DATA = 1650;

/** Largest PDU of the controller, Vol 6 Part B 4.5.10. The times: 251 octets on LE 1M, or coded with S=8. */
export const MAX_OCTETS = 251;
export const MAX_TIME_UNCODED_US = 2120;
export const MAX_TIME_CODED_US = 17040;

const BITS: readonly [keyof ControllerFeatures, number][] = [
  ["encryption", LeFeature.LeEncryption],
  ["connectionParametersRequest", LeFeature.ConnectionParametersRequestProcedure],
  ["extendedReject", LeFeature.ExtendedRejectIndication],
  ["peripheralFeaturesExchange", LeFeature.PeripheralInitiatedFeaturesExchange],
  ["dataLength", LeFeature.LeDataPacketLengthExtension],
  ["le2M", LeFeature.Le2mPhy],
  ["leCoded", LeFeature.LeCodedPhy],
  ["subrating", LeFeature.ConnectionSubrating],
  ["lePing", LeFeature.LePing],
  ["sleepClockAccuracyUpdates", LeFeature.SleepClockAccuracyUpdates],
];

const PERIODIC = [
  LeFeature.LePeriodicAdvertising,
  LeFeature.PeriodicAdvertisingAdiSupport,
  LeFeature.PeriodicAdvertisingSyncTransferSender,
  LeFeature.PeriodicAdvertisingSyncTransferRecipient,
];
const WITH_RESPONSES = [LeFeature.PeriodicAdvertisingWithResponsesAdvertiser, LeFeature.PeriodicAdvertisingWithResponsesScanner];

/** LE features as a bit mask, Vol 6 Part B 4.6. */
export function leFeatures(features: ControllerFeatures = {}): bigint {
  let mask = 0n;
  const set = (bit: number): void => {
    mask |= 1n << BigInt(bit);
  };
  for (const [name, bit] of BITS) if (features[name] !== false) set(bit);
  const { periodicAdvertising = false, llPrivacy = false } = features;
  const { extendedAdvertising = periodicAdvertising } = features;
  if (extendedAdvertising) set(LeFeature.LeExtendedAdvertising);
  if (extendedAdvertising || features.channelSelection2) set(LeFeature.ChannelSelectionAlgorithm2);
  if (extendedAdvertising && features.leCoded !== false && features.advertisingCodingSelection !== false)
    set(LeFeature.AdvertisingCodingSelection);
  if (features.powerControl !== false) {
    set(LeFeature.LePowerControlRequest);
    set(LeFeature.LePowerControlRequest + 1); // two bits for the one feature
    if (features.pathLossMonitoring !== false) set(LeFeature.LePathLossMonitoring);
  }
  if (features.channelClassification) set(LeFeature.ChannelClassification);
  if (extendedAdvertising && periodicAdvertising) {
    for (const bit of PERIODIC) set(bit);
    if (features.periodicAdvertisingWithResponses !== false) for (const bit of WITH_RESPONSES) set(bit);
  }
  if (llPrivacy) set(LeFeature.LlPrivacy);
  if (features.extendedScannerFilterPolicies ?? llPrivacy) set(LeFeature.ExtendedScanningFilterPolicies);
  return mask;
}

const LEAST_POWER_DBM = -20;

/** Features that are between controller and host alone: a peer is not told of them (Vol 6 Part B 4.6). */
const NOT_FOR_PEERS = [
  LeFeature.LePing,
  LeFeature.LlPrivacy,
  LeFeature.ExtendedScanningFilterPolicies,
  LeFeature.LeExtendedAdvertising,
  LeFeature.LePeriodicAdvertising,
  LeFeature.PeriodicAdvertisingAdiSupport,
  LeFeature.AdvertisingCodingSelection,
  LeFeature.AdvertisingCodingSelectionHostSupport,
  LeFeature.PeriodicAdvertisingWithResponsesAdvertiser,
  LeFeature.PeriodicAdvertisingWithResponsesScanner,
];

/** The lowest power in dBm that a controller with this radio can send at; the highest is the radio's own. */
export function leastPowerDbm({ txPowerDbm }: { readonly txPowerDbm: number }): number {
  return Math.min(LEAST_POWER_DBM, txPowerDbm);
}

/** What the Link Layer says of itself in LL_FEATURE_REQ and LL_FEATURE_RSP. */
export function featuresForPeers(features: bigint): bigint {
  return NOT_FOR_PEERS.reduce((mask, bit) => mask & ~(1n << BigInt(bit)), features);
}

/** Bits of the host, and the features of the controller that they need (Vol 4 Part E 7.8.115). */
export const HOST_FEATURES: ReadonlyMap<number, number> = new Map<number, number>([
  [LeFeature.ConnectionSubratingHostSupport, LeFeature.ConnectionSubrating],
  [LeFeature.AdvertisingCodingSelectionHostSupport, LeFeature.AdvertisingCodingSelection],
]);

export function hasFeature(mask: bigint, bit: number): boolean {
  return ((mask >> BigInt(bit)) & 1n) === 1n;
}
