/// <reference lib="esnext.disposable" preserve="true" />
export { Advertising, type AdvertisingUpdate } from "./advertising.ts";
export type { Capture } from "./capture.ts";
export { Connection, type ConnectionEvents, type DataLength } from "./connection.ts";
export { Device, type DeviceEvents } from "./device.ts";
export type {
  DeviceAdvertiseOptions,
  DeviceConnectOptions,
  DeviceOptions,
  DeviceScanOptions,
  OpenController,
  OpenControllerOptions,
} from "./options.ts";
export type { AuthorizationQuestion, ConnectionPolicy } from "./policy.ts";
