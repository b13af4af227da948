/// <reference lib="esnext.disposable" preserve="true" />
export {
  WebAdvertisingEvent as BluetoothAdvertisingEvent,
  type WebAdvertisingEventInit as BluetoothAdvertisingEventInit,
} from "./advertising-event.ts";
export { type BlockedManufacturerData, type BlockedUse, type Blocklist, NO_BLOCKLIST, REGISTRY_BLOCKLIST } from "./blocklist.ts";
export { type BluetoothOptions, createBluetooth } from "./bluetooth.ts";
export { type ChooseStrongestOptions, chooseStrongest, type DeviceCandidate, type DeviceChoice, type DeviceChooser } from "./chooser.ts";
export type {
  Bluetooth,
  BluetoothCharacteristicProperties,
  BluetoothDataFilterInit,
  BluetoothDevice,
  BluetoothDeviceEventHandlers,
  BluetoothEventHandler,
  BluetoothLEScan,
  BluetoothLEScanFilter,
  BluetoothLEScanFilterInit,
  BluetoothLEScanOptions,
  BluetoothManufacturerDataFilterInit,
  BluetoothRemoteGATTCharacteristic,
  BluetoothRemoteGATTDescriptor,
  BluetoothRemoteGATTServer,
  BluetoothRemoteGATTService,
  BluetoothServiceDataFilterInit,
  BluetoothTarget,
  BluetoothUuidLike,
  CharacteristicEventHandlers,
  RequestDeviceOptions,
  ServiceEventHandlers,
  WatchAdvertisementsOptions,
} from "./types.ts";
export { BluetoothUUID } from "./uuid.ts";
