import {
  type CommandDeclaration,
  LeClearAdvertisingSets,
  LeCreateConnection,
  LeExtendedCreateConnection,
  LeReadAdvertisingPhysicalChannelTxPower,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
  LeSetScanEnable,
  LeSetScanParameters,
  LeSetScanResponseData,
} from "../../hci/index.ts";

/** A host uses the one kind of commands or the other until the next reset: Vol 4 Part E 3.1.1. */
export type CommandKind = "legacy" | "extended";
const LEGACY: readonly Pick<CommandDeclaration, "opcode">[] = [
  LeSetAdvertisingParameters,
  LeReadAdvertisingPhysicalChannelTxPower,
  LeSetAdvertisingData,
  LeSetScanResponseData,
  LeSetAdvertisingEnable,
  LeSetScanParameters,
  LeSetScanEnable,
  LeCreateConnection,
];
const EXTENDED: readonly Pick<CommandDeclaration, "opcode">[] = [
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedAdvertisingData,
  LeSetExtendedScanResponseData,
  LeSetExtendedAdvertisingEnable,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeClearAdvertisingSets,
  LeSetExtendedScanParameters,
  LeSetExtendedScanEnable,
  LeExtendedCreateConnection,
];
export const commandKinds: ReadonlyMap<number, CommandKind> = new Map<number, CommandKind>([
  ...LEGACY.map(({ opcode }) => [opcode, "legacy"] as const),
  ...EXTENDED.map(({ opcode }) => [opcode, "extended"] as const),
]);
