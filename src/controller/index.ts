/// <reference lib="esnext.disposable" preserve="true" />
export { Controller } from "./controller.ts";
export type { HciHook, HciPacket } from "./host-interface.ts";
export { type ControllerFeatures, type ControllerOptions, featuresForDevice } from "./options.ts";
