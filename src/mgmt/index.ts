/// <reference lib="esnext.disposable" preserve="true" />
export {
  AddressType,
  AdType,
  AdvertisingFlags,
  AdvertisingMode,
  AdvMonitorFeatures,
  type AnyField,
  type AnyMgmtCommand,
  type AnyMgmtEvent,
  BlockedKeyType,
  BluetoothVersion,
  bitNames,
  bitsOf,
  btmgmtSettingNames,
  CapabilityFlags,
  CapabilityType,
  ConfigurationOptions,
  ControllerBus,
  ControllerType,
  CsrkType,
  commandNamed,
  commands,
  commandsByOpcode,
  DebugKeysMode,
  type Decoded,
  type DecodedBy,
  DeviceAction,
  DeviceFlags,
  DeviceFoundFlags,
  DeviceIdSource,
  DisconnectReason,
  DiscoverableMode,
  DiscoveryAddressTypes,
  DiscoveryTypes,
  decodeCommand,
  decodePacket,
  type EventDelivery,
  ExperimentalFeature,
  ExperimentalFeatureFlags,
  ExternalConfiguration,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  eventNamed,
  eventNames,
  events,
  eventsByCode,
  type FieldDescription,
  type Fields,
  type Given,
  type GivenTo,
  hasBit,
  type IndexKind,
  IoCapability,
  LinkKeyType,
  LtkType,
  type MgmtCommandDeclaration,
  type MgmtCommandPacket,
  type MgmtCommands,
  type MgmtEventDeclaration,
  type MgmtEventName,
  type MgmtEventPacket,
  type MgmtEvents,
  type MgmtMethodName,
  type MgmtPacket,
  type MgmtReplyPacket,
  NameKnown,
  type Names,
  NO_CONTROLLER,
  nameOf,
  OnOff,
  Phys,
  type PresentOptions,
  PrivacyMode,
  present,
  redactCommand,
  redactPacket,
  SecureConnectionsMode,
  Settings,
  Status,
  type StatusName,
  SuspendState,
  SystemConfiguration,
  type Tlv,
  WakeReason,
} from "../mgmt-protocol/index.ts";
export {
  type MgmtSync,
  MgmtSyncClient,
  type MgmtSyncOptions,
  type NextEventOptions,
  openMgmtSync,
  type SyncRequestOptions,
  sendSync,
} from "./blocking.ts";
export { type EventOptions, type Mgmt, MgmtClient, type MgmtOptions, openMgmt, type RequestOptions } from "./client.ts";
export { MgmtError, MgmtWriteError } from "./error.ts";
export { Monitor, type MonitorListener, type MonitorOptions, openMonitor } from "./monitor.ts";
export type { MgmtResponse } from "./response.ts";
export { type AcceptPairingsOptions, acceptPairings, type PairingFailure, type PairingResponder } from "./sequences/accept-pairings.ts";
export type { Adapter } from "./sequences/adapter.ts";
export { type AdapterChange, listAdapters, type WatchAdaptersOptions, watchAdapters } from "./sequences/adapters.ts";
export { type AdvertiseOptions, type AdvertisingInstance, type AdvertisingLost, advertise } from "./sequences/advertise.ts";
export {
  type AutoConnectOptions,
  autoConnect,
  type ConnectionChange,
  type WatchConnectionsOptions,
  watchConnections,
} from "./sequences/connections.ts";
export type { DeviceId, DeviceLike } from "./sequences/device-id.ts";
export { Feed } from "./sequences/feed.ts";
export { FoundDevice } from "./sequences/found-device.ts";
export { type IdentityKeys, type PairingOptions, type PairOptions, pair } from "./sequences/pair.ts";
export { ioCapabilityOf, type MgmtPairingAgent, type MgmtPairingQuestion } from "./sequences/pairing-agent.ts";
export type { MgmtPairingReport, PairedKey } from "./sequences/pairing-keys.ts";
export { type PowerCycleReport, type PowerReport, powerCycle, powerOff, powerOn } from "./sequences/power.ts";
export { type DeviceScan, type ScanOptions, scan } from "./sequences/scan.ts";
export type { SettingName } from "./sequences/settings.ts";
export {
  type SettingsChange,
  SettingsTracker,
  type WatchSettingsFilter,
  type WatchSettingsOptions,
  watchSettings,
} from "./sequences/settings-changes.ts";
export type { MgmtEvent, MgmtEventOf, MgmtMethods, MgmtSignals, MgmtSyncMethods, UnknownMgmtEvent } from "./types.ts";
