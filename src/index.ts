/// <reference lib="esnext.disposable" preserve="true" />
// The types of everything that the above gives away or takes, so that a program can name them (tools/check-types.mjs finds those missing).
export type { Clock, Flow, OperationOptions, WaitOptions } from "./async/index.ts";
export type {
  AttBearer,
  AttBearerEvents,
  AttBearerOptions,
  AttClientSide,
  AttPolicy,
  AttRequestOptions,
  AttServerSide,
  LinkSecurity,
  Refuse,
  ResolvedAttPolicy,
  ResponseParser,
  SecurityRequirement,
} from "./att/index.ts";
export { AttBearerClosedError, AttError, AttErrorCode, AttProtocolError, AttTimeoutError, InsufficientSecurityError } from "./att/index.ts";
export type { Codec, Reader, Writer } from "./bytes/index.ts";
export { DecodeError } from "./bytes/index.ts";
export type { LogSink, RandomSource } from "./core/index.ts";
export {
  Address,
  type AddressLike,
  ArgumentError,
  BleError,
  ClosedError,
  Logger,
  LogLevel,
  StateError,
  TimeoutError,
  UnsupportedError,
  Uuid,
  type UuidLike,
} from "./core/index.ts";
export {
  Advertising,
  type AdvertisingUpdate,
  type AuthorizationQuestion,
  type Capture,
  Connection,
  type ConnectionEvents,
  type ConnectionPolicy,
  type DataLength,
  type DeviceAdvertiseOptions,
  type DeviceConnectOptions,
  type DeviceEvents,
  type DeviceOptions,
  type DeviceScanOptions,
  type LinkPhy,
  type OpenController,
  type OpenControllerOptions,
  type PhyName,
  type PhyPreference,
  type RunningScan,
} from "./device/index.ts";
export type {
  AdStructure,
  AdvertiseOptions,
  ConnectionIntervalRange,
  ConnectionParameterOptions,
  ConnectOptions,
  IntervalMs,
  LinkParameters,
  ManufacturerData,
  OnAdvertisement,
  OwnAddressKind,
  ResolveAddress,
  ScanOptions,
  ScanReports,
  ServiceData,
} from "./gap/index.ts";
export { Advertisement, AdvertisingData, type AdvertisingDataFields, type AdvertisingDataLike, MemoryBondStore } from "./gap/index.ts";
export type {
  Access,
  AccessRequirement,
  AttributePermissions,
  CharacteristicDefinition,
  CharacteristicProperty,
  DescriptorDefinition,
  DiscoverOptions,
  Elevate,
  ElevationDemand,
  FoundValue,
  GattClient,
  GattClientOptions,
  GattOperationOptions,
  GattPeer,
  GattRequest,
  GattServer,
  GattServerSession,
  HandleRange,
  HandleValue,
  IncludableService,
  LocalCharacteristic,
  LocalService,
  LooseValueDefinition,
  NotifyOptions,
  ReadByUuidOptions,
  ReadHandler,
  ReadLongOptions,
  ReliableWrite,
  RemoteCharacteristic,
  RemoteDescriptor,
  RemoteService,
  ServiceChange,
  ServiceDefinition,
  SubscribeOptions,
  SubscriptionHandler,
  SubscriptionState,
  ValueDefinition,
  ValueFlow,
  ValueFlowOptions,
  ValueSubscription,
  WriteHandler,
  WriteLongOptions,
} from "./gatt/index.ts";
export { GattNotFoundError } from "./gatt/index.ts";
export type { AclLink, AclManager, CommandDeclaration, ControllerInfo, EventDeclaration, Hci, HciOptions } from "./hci/index.ts";
export {
  ControllerError,
  DisconnectedError,
  HciError,
  HciErrorCode,
  type HciTransport,
  TransportClosed,
  TransportError,
} from "./hci/index.ts";
export type { ConnectionParameters, PduChannel } from "./l2cap/index.ts";
export { CommandRejectedError } from "./l2cap/index.ts";
export { Device, type DeviceOpener, type NamedDeviceOptions, openTransport } from "./named-device.ts";
export type { BondDescription, BondReplacement, LongTermKey, PairingMethod, PairingQuestion, PairOptions } from "./smp/index.ts";
export {
  type Bond,
  BondFormatError,
  BondLostError,
  type BondStore,
  describeBond,
  IoCapability,
  type PairingAgent,
  PairingError,
  PairingFailedReason,
  type PairingPolicy,
  type PairingReport,
  PairingTimeoutError,
} from "./smp/index.ts";
export type { OpenTransportKind, StreamTransportOptions, TransportOptions } from "./transport/index.ts";
export { createStreamTransport } from "./transport/index.ts";
