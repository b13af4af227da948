/// <reference lib="esnext.disposable" preserve="true" />
export { ECHO } from "./example-devices/echo.ts";
export { EXAMPLE_DEVICES } from "./example-devices/index.ts";
export type { ExampleDevice, ExampleDeviceBody } from "./example-devices/kind.ts";
export { exampleAddress, exampleDevicesOf, openInSurroundings, startExampleDevice } from "./example-devices/surroundings.ts";
export { type CreateImageOptions, type CreateImageTlv, createImage } from "./mcumgr/create-image.ts";
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
