/** Advertising data types, Assigned Numbers 2.3. A peer may send any other value. */
export const AdType = Object.freeze({
  Flags: 0x01,
  IncompleteServiceUuids16: 0x02,
  CompleteServiceUuids16: 0x03,
  IncompleteServiceUuids32: 0x04,
  CompleteServiceUuids32: 0x05,
  IncompleteServiceUuids128: 0x06,
  CompleteServiceUuids128: 0x07,
  ShortenedLocalName: 0x08,
  CompleteLocalName: 0x09,
  TxPowerLevel: 0x0a,
  ClassOfDevice: 0x0d,
  SimplePairingHashC192: 0x0e,
  SimplePairingRandomizerR192: 0x0f,
  SecurityManagerTkValue: 0x10,
  SecurityManagerOobFlags: 0x11,
  PeripheralConnectionIntervalRange: 0x12,
  SolicitedServiceUuids16: 0x14,
  SolicitedServiceUuids128: 0x15,
  ServiceData16: 0x16,
  PublicTargetAddress: 0x17,
  RandomTargetAddress: 0x18,
  Appearance: 0x19,
  AdvertisingInterval: 0x1a,
  LeBluetoothDeviceAddress: 0x1b,
  LeRole: 0x1c,
  SimplePairingHashC256: 0x1d,
  SimplePairingRandomizerR256: 0x1e,
  SolicitedServiceUuids32: 0x1f,
  ServiceData32: 0x20,
  ServiceData128: 0x21,
  LeSecureConnectionsConfirmationValue: 0x22,
  LeSecureConnectionsRandomValue: 0x23,
  Uri: 0x24,
  IndoorPositioning: 0x25,
  TransportDiscoveryData: 0x26,
  LeSupportedFeatures: 0x27,
  ChannelMapUpdateIndication: 0x28,
  PbAdv: 0x29,
  MeshMessage: 0x2a,
  MeshBeacon: 0x2b,
  BigInfo: 0x2c,
  BroadcastCode: 0x2d,
  ResolvableSetIdentifier: 0x2e,
  AdvertisingIntervalLong: 0x2f,
  BroadcastName: 0x30,
  EncryptedAdvertisingData: 0x31,
  PeriodicAdvertisingResponseTimingInformation: 0x32,
  ElectronicShelfLabel: 0x34,
  ThreeDInformationData: 0x3d,
  ManufacturerSpecificData: 0xff,
});
export type AdType = (typeof AdType)[keyof typeof AdType];

/** Bits of the Flags data type, Supplement to the Core Specification Part A 1.3.2. */
export const AdFlag = Object.freeze({
  LeLimitedDiscoverable: 0x01,
  LeGeneralDiscoverable: 0x02,
  BrEdrNotSupported: 0x04,
  SimultaneousLeAndBrEdrController: 0x08,
});

const NAMES = new Map<number, string>(Object.entries(AdType).map(([name, type]) => [type, name]));

/** "CompleteLocalName", or "0x5A" for a type without a name here. */
export function adTypeName(type: number): string {
  return NAMES.get(type) ?? `0x${type.toString(16).toUpperCase().padStart(2, "0")}`;
}
