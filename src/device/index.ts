/// <reference lib="esnext.disposable" preserve="true" />
export { Advertising, type AdvertisingEnded, type AdvertisingUpdate } from "./advertising.ts";
export type { Capture } from "./capture.ts";
export { Connection } from "./connection.ts";
export type { ConnectionEvents, DataLength } from "./connection-events.ts";
export { Device, type DeviceEvents } from "./device.ts";
export type { LinkControl } from "./link-control.ts";
export type {
  DeviceAdvertiseOptions,
  DeviceConnectOptions,
  DeviceOptions,
  DeviceRecovery,
  DeviceScanOptions,
  DeviceSynchronizeOptions,
  OpenController,
  OpenControllerOptions,
  RunningScan,
} from "./options.ts";
export type { OutOfBandOptions } from "./out-of-band.ts";
export type { PathLoss, PathLossZones } from "./path-loss.ts";
export type { LinkPhy, PhyName, PhyPreference } from "./phy-updates.ts";
export type { AuthorizationQuestion, ConnectionPolicy } from "./policy.ts";
export type { RemoteVersion } from "./remote-version.ts";
export type { LinkSubrate, SubrateOptions } from "./subrating.ts";
export type { ReceivedSync } from "./transfer-terms.ts";
export type { PowerChange, PowerLevel, PowerOptions, PowerPhy, PowerReporting, TransmitPower } from "./transmit-power.ts";
