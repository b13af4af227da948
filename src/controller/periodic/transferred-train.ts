import type { Phy } from "../../air/index.ts";
import type { AirAddress } from "../roles/advertising-pdus.ts";
import type { ResponseTiming } from "./sync-info.ts";

/** A train as it is told to a peer. */
export interface TransferredTrain {
  readonly sid: number;
  readonly phy: Phy;
  readonly address: AirAddress;
  readonly timing: ResponseTiming | undefined;
  /** The event heard or sent last. */
  readonly lastCounter: number;
  /** The first event behind this time. */
  next(timeUs: number): { counter: number; startUs: number };
  /** SyncInfo that means this event, so far behind what its offset counts from. */
  syncInfo(counter: number, offsetUs: number): Uint8Array;
}
