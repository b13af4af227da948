import {
  HciErrorCode,
  LeAddDeviceToPeriodicAdvertiserList,
  LeClearPeriodicAdvertiserList,
  LeFeature,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LePeriodicAdvertisingTerminateSync,
  LeReadPeriodicAdvertiserListSize,
  LeRemoveDeviceFromPeriodicAdvertiserList,
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingReceiveEnable,
} from "../../hci/index.ts";
import { answers, begins, type CommandHandler } from "./command-table.ts";

const OK = { status: HciErrorCode.Success };
const DISALLOWED = { status: HciErrorCode.CommandDisallowed };
const FEATURE = LeFeature.LePeriodicAdvertising;

/** Periodic advertising and its reception: Vol 4 Part E 7.8.61 to 7.8.63, 7.8.67 to 7.8.73, 7.8.88. */
export const periodicCommands: readonly CommandHandler[] = [
  answers(
    LeSetPeriodicAdvertisingParameters,
    ({ linkLayer }, parameters) => ({ status: linkLayer.periodicSets.setParameters(parameters) }),
    FEATURE,
  ),
  answers(
    LeSetPeriodicAdvertisingData,
    ({ linkLayer }, { advertisingHandle, operation, advertisingData }) => ({
      status: linkLayer.periodicSets.setData(advertisingHandle, operation, advertisingData),
    }),
    FEATURE,
  ),
  answers(
    LeSetPeriodicAdvertisingEnable,
    ({ linkLayer }, { enable, advertisingHandle }) => ({ status: linkLayer.periodicSets.enable(enable, advertisingHandle) }),
    FEATURE,
  ),
  begins(
    LePeriodicAdvertisingCreateSync,
    ({ linkLayer: { syncs } }, parameters) => syncs.check(parameters) || (() => syncs.create(parameters)),
    FEATURE,
  ),
  answers(
    LePeriodicAdvertisingCreateSyncCancel,
    (context) => {
      const { syncs } = context.linkLayer;
      if (!syncs.isPending) return DISALLOWED;
      context.afterwards(() => syncs.cancel());
      return OK;
    },
    FEATURE,
  ),
  answers(
    LePeriodicAdvertisingTerminateSync,
    ({ linkLayer }, { syncHandle }) => ({ status: linkLayer.syncs.terminate(syncHandle) }),
    FEATURE,
  ),
  answers(
    LeAddDeviceToPeriodicAdvertiserList,
    ({ linkLayer: { syncs } }, { advertiserAddressType: type, advertiserAddress: address, advertisingSid: sid }) =>
      syncs.isPending ? DISALLOWED : { status: syncs.list.add(type, address, sid) },
    FEATURE,
  ),
  answers(
    LeRemoveDeviceFromPeriodicAdvertiserList,
    ({ linkLayer: { syncs } }, { advertiserAddressType: type, advertiserAddress: address, advertisingSid: sid }) =>
      syncs.isPending ? DISALLOWED : { status: syncs.list.remove(type, address, sid) },
    FEATURE,
  ),
  answers(
    LeClearPeriodicAdvertiserList,
    ({ linkLayer: { syncs } }) => {
      if (syncs.isPending) return DISALLOWED;
      syncs.list.clear();
      return OK;
    },
    FEATURE,
  ),
  answers(LeReadPeriodicAdvertiserListSize, ({ linkLayer }) => ({ ...OK, periodicAdvertiserListSize: linkLayer.syncs.list.size }), FEATURE),
  answers(
    LeSetPeriodicAdvertisingReceiveEnable,
    ({ linkLayer }, { syncHandle, enable }) => ({ status: linkLayer.syncs.setReceive(syncHandle, enable) }),
    FEATURE,
  ),
];
