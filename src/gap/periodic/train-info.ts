import { Address } from "../../core/address.ts";
import type {
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
} from "../../hci/events/le-periodic-advertising.ts";

const UNIT_MS = 1.25;
const SPACING_UNIT_MS = 0.125;
/** By the values of HCI. */
const PHYS = ["1M", "1M", "2M", "coded"] as const;
const CLOCK_ACCURACIES_PPM = [500, 250, 150, 100, 75, 50, 30, 20] as const;

/** Subevents of a train that takes responses. */
export interface SyncSubevents {
  readonly count: number;
  readonly intervalMs: number;
  /** Where its response slots are; `undefined` where there are none. */
  readonly responses: { readonly delayMs: number; readonly spacingMs: number } | undefined;
}

/** What a controller says of a train that it is synchronized to. */
export interface TrainInfo {
  /** The advertiser, as the controller knows it. */
  readonly address: Address;
  readonly sid: number;
  readonly phy: "1M" | "2M" | "coded";
  readonly intervalMs: number;
  readonly clockAccuracyPpm: number;
  readonly subevents: SyncSubevents | undefined;
}

type Train = Omit<LePeriodicAdvertisingSyncEstablished, "status" | "syncHandle">;
type SubeventsOfTrain = Omit<LePeriodicAdvertisingSyncEstablishedV2, "status" | "syncHandle" | keyof Train>;

/** From either version of the events that tell of a train (Vol 4 Part E 7.7.65.14, 7.7.65.24). */
export function trainInfo(event: Train & Partial<SubeventsOfTrain>): TrainInfo {
  const { numSubevents = 0, subeventInterval = 0, responseSlotDelay = 0, responseSlotSpacing = 0 } = event;
  const responses =
    responseSlotDelay === 0 ? undefined : { delayMs: responseSlotDelay * UNIT_MS, spacingMs: responseSlotSpacing * SPACING_UNIT_MS };
  return {
    address: new Address(event.advertiserAddress, event.advertiserAddressType),
    sid: event.advertisingSid,
    phy: PHYS[event.advertiserPhy] ?? "1M",
    intervalMs: event.periodicAdvertisingInterval * UNIT_MS,
    clockAccuracyPpm: CLOCK_ACCURACIES_PPM[event.advertiserClockAccuracy] ?? 500,
    subevents: numSubevents === 0 ? undefined : { count: numSubevents, intervalMs: subeventInterval * UNIT_MS, responses },
  };
}
