export { PairEnd } from "./pair-end.ts";
export { type ConnectedPairOptions, SimulatedAir, type SimulatedAirOptions, type SimulatedDeviceOptions } from "./simulated-air.ts";
export type { TracedPacket } from "./traced-packet.ts";
