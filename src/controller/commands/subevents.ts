import {
  HciErrorCode,
  LeFeature,
  LeSetPeriodicAdvertisingParametersV2,
  LeSetPeriodicAdvertisingResponseData,
  LeSetPeriodicAdvertisingSubeventData,
  LeSetPeriodicSyncSubevent,
} from "../../hci/index.ts";
import type { LinkLayer } from "../link-layer.ts";
import type { FollowedSubevents } from "../periodic/followed-subevents.ts";
import { answers, type CommandHandler } from "./command-table.ts";

const ADVERTISER = LeFeature.PeriodicAdvertisingWithResponsesAdvertiser;
const SCANNER = LeFeature.PeriodicAdvertisingWithResponsesScanner;
const HIGHEST_SYNC_HANDLE = 0x0eff;

/** What to do with the subevents of a train that is followed, or the error that there are none. */
function withSubevents({ syncs }: LinkLayer, syncHandle: number, act: (subevents: FollowedSubevents) => number): number {
  if (syncHandle > HIGHEST_SYNC_HANDLE) return HciErrorCode.InvalidHciCommandParameters;
  const sync = syncs.get(syncHandle);
  if (!sync) return HciErrorCode.UnknownAdvertisingIdentifier;
  return sync.subevents ? act(sync.subevents) : HciErrorCode.CommandDisallowed;
}

/** Periodic Advertising with Responses: Vol 4 Part E 7.8.61 [v2], 7.8.125 to 7.8.127. */
export const subeventCommands: readonly CommandHandler[] = [
  answers(
    LeSetPeriodicAdvertisingParametersV2,
    ({ linkLayer: { periodicSets } }, parameters) => {
      const { numSubevents, subeventInterval, numResponseSlots } = parameters;
      // Without slots their delay and spacing mean nothing, and are told as 0.
      const hasSlots = numResponseSlots > 0;
      const responseSlotDelay = hasSlots ? parameters.responseSlotDelay : 0;
      const responseSlotSpacing = hasSlots ? parameters.responseSlotSpacing : 0;
      const subevents = { numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing, numResponseSlots };
      const status = periodicSets.setParameters(parameters, numSubevents > 0 ? subevents : undefined);
      return { status, advertisingHandle: parameters.advertisingHandle };
    },
    ADVERTISER,
  ),
  answers(
    LeSetPeriodicAdvertisingSubeventData,
    ({ linkLayer }, { advertisingHandle, subevents }) => ({
      status: linkLayer.periodicSets.setSubeventData(advertisingHandle, subevents),
      advertisingHandle,
    }),
    ADVERTISER,
  ),
  answers(
    LeSetPeriodicAdvertisingResponseData,
    ({ linkLayer }, { syncHandle, ...data }) => ({
      status: withSubevents(linkLayer, syncHandle, (subevents) => subevents.respond(data)),
      syncHandle,
    }),
    SCANNER,
  ),
  answers(
    LeSetPeriodicSyncSubevent,
    ({ linkLayer }, { syncHandle, periodicAdvertisingProperties, subevents: wanted }) => ({
      status: withSubevents(linkLayer, syncHandle, (subevents) => subevents.set(periodicAdvertisingProperties, wanted)),
      syncHandle,
    }),
    SCANNER,
  ),
];
