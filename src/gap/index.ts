/// <reference lib="esnext.disposable" preserve="true" />
export { checkAcceptList } from "./accept-list.ts";
export type { AdvertisingDataFields, ConnectionIntervalRange, ManufacturerData, ServiceData } from "./ad-fields.ts";
export { type AdStructure, encodeAdStructures, LEGACY_ADVERTISING_DATA_OCTETS, parseAdStructures } from "./ad-structure.ts";
export { AdFlag, AdType, adTypeName } from "./ad-types.ts";
export {
  Advertisement,
  addressKey,
  addressKeyAt,
  createAdvertisement,
  type ResolveAddress,
} from "./advertisement.ts";
export { Advertiser } from "./advertiser.ts";
export { AdvertisingData, type AdvertisingDataLike } from "./advertising-data.ts";
export { type AdvertiseOptions, type AdvertisingEnd, AdvertisingSession, givenData, type IntervalMs } from "./advertising-session.ts";
export { BondBook, DEFAULT_MAX_BONDS, MemoryBondStore } from "./bonds.ts";
export {
  type ConnectOptions,
  checkConnectOptions,
  type InitiatingPhy,
  type InitiatingPhyOptions,
  type ListeningOptions,
} from "./connect-options.ts";
export {
  type ConnectionParameterOptions,
  checkParameterNames,
  commandParameters,
  connectionParameters,
  hasInterval,
  isWithin,
  type LinkParameters,
  linkParameters,
} from "./connection-parameters.ts";
export { type ConnectionAttempt, Connector, DEFAULT_CONNECT_TIMEOUT_MS } from "./connector.ts";
export type { Discoverable } from "./discoverable.ts";
export { DuplicateFilter } from "./duplicate-filter.ts";
export {
  createKeyMaterial,
  decodeKeyMaterial,
  decryptAdvertisingData,
  type EncryptOptions,
  encodeKeyMaterial,
  encryptAdvertisingData,
  type KeyMaterial,
} from "./encrypted-data.ts";
export { IdentityResolver } from "./identity-resolver.ts";
export { decodeOutOfBandData, encodeOutOfBandData } from "./out-of-band.ts";
export {
  OWN_ADDRESS_KINDS,
  OwnAddresses,
  type OwnAddressesOptions,
  type OwnAddressKind,
  PRIVATE_ADDRESS_INTERVAL_MS,
} from "./own-addresses.ts";
export { type PackedAdvertisingData, type PackOptions, packAdvertisingData } from "./packing.ts";
export { PeriodicAdvertiser } from "./periodic/periodic-advertiser.ts";
export { PeriodicAdvertising, type PeriodicEnded, type PeriodicResponse } from "./periodic/periodic-advertising.ts";
export type { PeriodicOptions, ResponseSlots, SubeventData, Subevents } from "./periodic/periodic-options.ts";
export type { SyncLink } from "./periodic/periodic-port.ts";
export type { PeriodicEnd } from "./periodic/periodic-session.ts";
export { type PeriodicAnswer, type PeriodicReport, PeriodicSync, type SyncEnded } from "./periodic/periodic-sync.ts";
export { SyncLostError } from "./periodic/sync-lost-error.ts";
export {
  checkReceptionOptions,
  type ReceptionParameters,
  type SynchronizeOptions,
  type SyncReception,
  type SyncTarget,
} from "./periodic/sync-options.ts";
export { Syncs } from "./periodic/syncs.ts";
export { type SyncSubevents, type TrainInfo, trainInfo } from "./periodic/train-info.ts";
export { type CommandPort, Radio, type RadioActivity, RadioRank } from "./radio.ts";
export { LEGACY_ABILITIES, type RadioAbilities, readRadioAbilities } from "./radio-abilities.ts";
export { AdvertisingEventType, type ReportLayout } from "./report-layout.ts";
export { privatePeers, ResolvingList } from "./resolving-list.ts";
export { type OnAdvertisement, Scan, type ScanOptions } from "./scan.ts";
export type { ScanPhy, ScanPhyOptions, ScanPhys } from "./scan-parameters.ts";
export { ScanReports } from "./scan-reports.ts";
export { Scanner } from "./scanner.ts";
export { isRefusal, type SwitchState } from "./switch.ts";
