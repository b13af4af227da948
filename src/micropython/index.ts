/// <reference lib="esnext.disposable" preserve="true" />
export { BLE, type BleOptions } from "./ble.ts";
export type { Bytes } from "./bytes.ts";
export {
  AddrMode,
  AddrType,
  AdvType,
  AttError,
  Errno,
  type ErrnoName,
  Flag,
  IoCapability,
  Irq,
  NO_CONNECTION,
  PasskeyAction,
  Status,
} from "./constants.ts";
export type { IrqHandler, TupleHandler } from "./dispatcher.ts";
export { BleArgumentError, BleOsError, type BleOsErrorDetails } from "./errors.ts";
export type { IrqResult } from "./event-queue.ts";
export { type BleEvent, type BleEventOf, toTuple } from "./events.ts";
export type { GapAdvertiseOptions } from "./gap-methods.ts";
export type { HciCommandResult } from "./hci-command.ts";
export type { CharacteristicDef, DescriptorDef, ServiceDef } from "./service-definition.ts";
export type { BleConfig, BleConfigSettable } from "./settings.ts";
export { UUID } from "./uuid.ts";
