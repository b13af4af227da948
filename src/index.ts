export { AttBearerClosedError, AttError, AttErrorCode, AttProtocolError, AttTimeoutError } from "./att/index.ts";
export { DecodeError } from "./bytes/index.ts";
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
  type AuthorizationQuestion,
  type Capture,
  Connection,
  type ConnectionEvents,
  type ConnectionPolicy,
  type DataLength,
  Device,
  type DeviceAdvertiseOptions,
  type DeviceConnectOptions,
  type DeviceEvents,
  type DeviceOptions,
  type DeviceScanOptions,
  type LinkParameters,
  type ParameterRequest,
} from "./device/index.ts";
export { Advertisement, AdvertisingData, type AdvertisingDataFields, type AdvertisingDataLike, MemoryBondStore } from "./gap/index.ts";
export { GattNotFoundError } from "./gatt/index.ts";
export {
  ControllerError,
  DisconnectedError,
  HciError,
  HciErrorCode,
  type HciTransport,
  TransportClosed,
  TransportError,
} from "./hci/index.ts";
export { CommandRejectedError } from "./l2cap/index.ts";
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
export { openTransport } from "./transport/index.ts";
