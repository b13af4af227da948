import { Uuid } from "jelling/core";

/** A UUID on the pump's own base. It differs from the base of the Bluetooth SIG in the fourth group as well as in the last. */
export function vendorUuid(short: number): Uuid {
  return Uuid.from(`0000${short.toString(16).padStart(4, "0")}-0000-1000-0000-009132591325`);
}

/** Services of both sides. */
export const ServiceUuid = Object.freeze({
  GenericAccess: Uuid.from(0x1800),
  GenericAttribute: Uuid.from(0x1801),
  CurrentTime: Uuid.from(0x1805),
  DeviceInformation: Uuid.from(0x180a),
  Battery: Uuid.from(0x180f),
  ContinuousGlucoseMonitoring: Uuid.from(0x181f),
  /** The pump's own; it has not that of the SIG. */
  InsulinDelivery: vendorUuid(0x0100),
  NetworkOperationalState: vendorUuid(0x0500),
  /** On the SIG base, its characteristic on the vendor's. */
  Sake: Uuid.from(0xfe82),
  /** What a pump looks for in a phone; a phone with the standard service alone is refused. */
  PhoneInformation: vendorUuid(0x0900),
});

export const CharacteristicUuid = Object.freeze({
  DeviceName: Uuid.from(0x2a00),
  Appearance: Uuid.from(0x2a01),
  ServiceChanged: Uuid.from(0x2a05),
  BatteryLevel: Uuid.from(0x2a19),
  SystemId: Uuid.from(0x2a23),
  ModelNumber: Uuid.from(0x2a24),
  SerialNumber: Uuid.from(0x2a25),
  FirmwareRevision: Uuid.from(0x2a26),
  HardwareRevision: Uuid.from(0x2a27),
  SoftwareRevision: Uuid.from(0x2a28),
  ManufacturerName: Uuid.from(0x2a29),
  RegulatoryData: Uuid.from(0x2a2a),
  CurrentTime: Uuid.from(0x2a2b),
  PnpId: Uuid.from(0x2a50),
  /** Three services of the pump have one, with different operation codes: find it by its service. */
  RecordAccessControlPoint: Uuid.from(0x2a52),
  CentralAddressResolution: Uuid.from(0x2aa6),
  CgmMeasurement: Uuid.from(0x2aa7),
  CgmFeature: Uuid.from(0x2aa8),
  CgmStatus: Uuid.from(0x2aa9),
  CgmSessionStartTime: Uuid.from(0x2aaa),
  CgmSessionRunTime: Uuid.from(0x2aab),
  CgmSpecificOpsControlPoint: Uuid.from(0x2aac),
  IddStatusChanged: vendorUuid(0x0101),
  IddStatus: vendorUuid(0x0102),
  IddAnnunciationStatus: vendorUuid(0x0103),
  IddFeatures: vendorUuid(0x0104),
  IddStatusReaderControlPoint: vendorUuid(0x0105),
  IddCommandControlPoint: vendorUuid(0x0106),
  IddCommandData: vendorUuid(0x0107),
  IddHistoryData: vendorUuid(0x0108),
  CgmMeasurementExtension: vendorUuid(0x0200),
  CgmSensorConnectedState: vendorUuid(0x0201),
  CgmSensorExpiration: vendorUuid(0x0202),
  CgmSensorCalibrationTime: vendorUuid(0x0203),
  CgmNextCalibration: vendorUuid(0x0204),
  CgmAlgorithmData: vendorUuid(0x0205),
  NetworkOperationalState: vendorUuid(0x0510),
  /** Of the glucose sensor's transmitter. */
  TransmitterBatteryLevel: vendorUuid(0x0400),
  SakePort: vendorUuid(0xfe82),
});
