/// <reference lib="esnext.disposable" preserve="true" />
export { ECHO } from "./example-devices/echo.ts";
export { EXAMPLE_DEVICES } from "./example-devices/index.ts";
export type { ExampleDevice, ExampleDeviceBody } from "./example-devices/kind.ts";
export { exampleAddress, exampleDevicesOf, openInSurroundings, startExampleDevice } from "./example-devices/surroundings.ts";
export { type CreateImageOptions, type CreateImageTlv, createImage } from "./mcumgr/create-image.ts";
export {
  type SimulatedAttachOptions,
  SimulatedMcumgrDevice,
  type SimulatedMcumgrDeviceEvents,
  type SimulatedSlotContent,
} from "./mcumgr/device.ts";
export type { McumgrFault, McumgrFaultRule, SeenRequest } from "./mcumgr/faults.ts";
export type { SlotState } from "./mcumgr/image-states.ts";
export type { SimulatedImageOptions, SimulatedMcumgrDeviceOptions } from "./mcumgr/options.ts";
export type { McumgrCounters, McumgrRecord, SimulatedRunning } from "./mcumgr/record.ts";
export { type ServeOverGattOptions, serveOverGatt } from "./mcumgr/serve-gatt.ts";
export { type ServeOverLineOptions, serveOverLine } from "./mcumgr/serve-line.ts";
export { type GroupHandlers, Refusal, type RequestContext, refuse, refuseProtocol } from "./mcumgr/service.ts";
export type { SimulatedShell, SimulatedStatistics } from "./mcumgr/small-services.ts";
export type { SimulatedMcumgrState, SimulatedUploadState } from "./mcumgr/state.ts";
export type { SimulatedBootloaderMode } from "./mcumgr/swap.ts";
export { PairEnd } from "./pair-end.ts";
export { type ConnectedPairOptions, SimulatedAir, type SimulatedAirOptions, type SimulatedDeviceOptions } from "./simulated-air.ts";
export type {
  KernelControllerOptions,
  KernelDeviceOptions,
  KernelPairing,
  KernelSilence,
  KernelSocketOptions,
  SimulatedKernelOptions,
} from "./simulated-kernel/options.ts";
export { SimulatedKernel, SimulatedKernelDevice } from "./simulated-kernel.ts";
export type { TracedPacket } from "./traced-packet.ts";
export { SimulatedUsb, type SimulatedUsbOptions } from "./usb/simulated-usb.ts";
export { SimulatedUsbAdapter, type SimulatedUsbAdapterOptions } from "./usb/simulated-usb-adapter.ts";
