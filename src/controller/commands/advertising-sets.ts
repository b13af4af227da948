import {
  HciErrorCode,
  LeClearAdvertisingSets,
  LeFeature,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeSetAdvertisingSetRandomAddress,
  LeSetDataRelatedAddressChanges,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
} from "../../hci/index.ts";
import { answers, type CommandHandler } from "./command-table.ts";
import { isFlag, isRandomAddress } from "./le.ts";

const INVALID = { status: HciErrorCode.InvalidHciCommandParameters };
const OK = { status: HciErrorCode.Success };
const FEATURE = LeFeature.LeExtendedAdvertising;
/** Place of Scan_Request_Notification_Enable in the packet of LE Set Extended Advertising Parameters. */
const NOTIFICATION_ENABLE = 28;

/** Advertising sets and extended scanning: Vol 4 Part E 7.8.52 to 7.8.60, 7.8.64, 7.8.65. */
export const extendedCommands: readonly CommandHandler[] = [
  answers(
    LeSetAdvertisingSetRandomAddress,
    ({ linkLayer }, { advertisingHandle, randomAddress }) =>
      isRandomAddress(randomAddress.bytes)
        ? { status: linkLayer.advertisingSets.setRandomAddress(advertisingHandle, randomAddress.bytes) }
        : INVALID,
    FEATURE,
  ),
  answers(
    LeSetExtendedAdvertisingParameters,
    ({ linkLayer }, parameters, packet) => {
      if (!isFlag(packet[NOTIFICATION_ENABLE])) return INVALID;
      const status = linkLayer.advertisingSets.setParameters({
        ...parameters,
        primaryAdvertisingPhyOptions: 0,
        secondaryAdvertisingPhyOptions: 0,
      });
      return { status, selectedTxPower: linkLayer.advertisingSets.selectedTxPower(parameters.advertisingHandle) };
    },
    FEATURE,
  ),
  answers(
    LeSetExtendedAdvertisingParametersV2,
    ({ linkLayer }, parameters, packet) => {
      if (!isFlag(packet[NOTIFICATION_ENABLE])) return INVALID;
      const status = linkLayer.advertisingSets.setParameters(parameters);
      return { status, selectedTxPower: linkLayer.advertisingSets.selectedTxPower(parameters.advertisingHandle) };
    },
    LeFeature.AdvertisingCodingSelection,
  ),
  answers(
    LeSetExtendedAdvertisingData,
    ({ linkLayer }, { advertisingHandle, operation, fragmentPreference, advertisingData }) => ({
      status: linkLayer.advertisingSets.setData(advertisingHandle, operation, fragmentPreference, advertisingData),
    }),
    FEATURE,
  ),
  answers(
    LeSetExtendedScanResponseData,
    ({ linkLayer }, { advertisingHandle, operation, fragmentPreference, scanResponseData }) => ({
      status: linkLayer.advertisingSets.setScanResponse(advertisingHandle, operation, fragmentPreference, scanResponseData),
    }),
    FEATURE,
  ),
  answers(
    LeSetExtendedAdvertisingEnable,
    ({ linkLayer: { advertisingSets } }, { enable, sets }, packet) => {
      if (!isFlag(packet[4]) || sets.length > 0x3f) return INVALID;
      return { status: enable ? advertisingSets.enable(sets) : advertisingSets.disable(sets) };
    },
    FEATURE,
  ),
  answers(
    LeReadMaximumAdvertisingDataLength,
    ({ linkLayer }) => ({ ...OK, maxAdvertisingDataLength: linkLayer.advertisingSets.maxDataLength }),
    FEATURE,
  ),
  answers(
    LeReadNumberOfSupportedAdvertisingSets,
    ({ linkLayer }) => ({ ...OK, numSupportedAdvertisingSets: linkLayer.advertisingSets.maxSets }),
    FEATURE,
  ),
  answers(
    LeRemoveAdvertisingSet,
    ({ linkLayer }, { advertisingHandle }) => ({ status: linkLayer.advertisingSets.remove(advertisingHandle) }),
    FEATURE,
  ),
  answers(LeClearAdvertisingSets, ({ linkLayer }) => ({ status: linkLayer.advertisingSets.clear() }), FEATURE),
  answers(
    LeSetDataRelatedAddressChanges,
    ({ linkLayer }, { advertisingHandle, changeReasons }) => ({
      status: linkLayer.advertisingSets.setAddressChanges(advertisingHandle, changeReasons),
    }),
    FEATURE,
  ),
  answers(
    LeSetExtendedScanParameters,
    ({ linkLayer }, parameters) => ({ status: linkLayer.extendedScanning.setParameters(parameters) }),
    FEATURE,
  ),
  answers(
    LeSetExtendedScanEnable,
    ({ linkLayer: { extendedScanning } }, { enable, filterDuplicates, duration, period }, packet) => {
      if (!isFlag(packet[4])) return INVALID;
      return { status: enable ? extendedScanning.enable(filterDuplicates, duration, period) : extendedScanning.disable() };
    },
    FEATURE,
  ),
];
