/// <reference lib="esnext.disposable" preserve="true" />
export type { AdvertisingChannels } from "./advertising-channels.ts";
export { ADVERTISING_ACCESS_ADDRESS } from "./advertising-log.ts";
export type {
  Advertiser,
  Answer,
  AuxiliaryPacket,
  ExtendedAdvertiser,
  ExtendedEvent,
  ExtendedPdu,
  Follower,
  Listener,
} from "./advertising-roles.ts";
export { type AddRadioOptions, Air, type AirOptions, defaultAir, type InAir } from "./air.ts";
export { AUX_PTR_OCTETS, type AuxiliaryPointer, readAuxiliaryPointer, T_MAFS_US } from "./auxiliary-pointer.ts";
export { EVENTS_TO_ESTABLISH, type Link, type LinkChange, type LinkEnd, LinkRole, type LinkSetup, type LinkSubrate } from "./link.ts";
export { ListenWindow } from "./listen-window.ts";
export type { AirFault, AirHook, AirPacket, Medium } from "./medium.ts";
export type {
  PeriodicAdvertiser,
  PeriodicAnswer,
  PeriodicPacket,
  PeriodicPlace,
  PeriodicReceiver,
  PeriodicResponse,
  ResponseHearer,
} from "./periodic-roles.ts";
export { type PeriodicTrain, periodicChannel } from "./periodic-train.ts";
export { airTimeUs, octetsInTime, Phy, phyName, SENSITIVITY_DBM, T_IFS_US } from "./phy.ts";
export type { Position, PropagationOptions } from "./propagation.ts";
export type { Radio, RadioTrain } from "./radio.ts";
export { AirEvent, type Scheduler } from "./scheduler.ts";
export { type Trace, traceLine } from "./trace.ts";
export type { AirTraceEntry, HciTraceEntry, TraceEntry } from "./trace-entry.ts";
