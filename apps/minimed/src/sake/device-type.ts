/** Device types of SAKE, as the key database and the handshake messages carry them. */
export const SakeDeviceType = Object.freeze({
  InsulinPump: 1,
  GlucoseSensor: 2,
  BloodGlucoseMeter: 3,
  MobileApplication: 4,
  CareLinkUploader: 5,
  FirmwareUpdater: 6,
  DiagnosticApplication: 7,
  PrimaryDisplay: 8,
});
export type SakeDeviceType = (typeof SakeDeviceType)[keyof typeof SakeDeviceType];

const NAMES: Readonly<Record<SakeDeviceType, string>> = {
  1: "insulin pump",
  2: "glucose sensor",
  3: "blood glucose meter",
  4: "mobile application",
  5: "CareLink uploader",
  6: "firmware updater",
  7: "diagnostic application",
  8: "primary display",
};

export function isSakeDeviceType(value: number): value is SakeDeviceType {
  return Number.isInteger(value) && value >= 1 && value <= 8;
}

/** "insulin pump", or "unknown type 0x0b". */
export function describeSakeDeviceType(value: number): string {
  return isSakeDeviceType(value) ? NAMES[value] : `unknown type 0x${value.toString(16).padStart(2, "0")}`;
}
