import { bool8, bytes, bytes8, i8, list, struct, u8, u16, u24 } from "../../bytes/index.ts";
import { randomAddress } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Set_Advertising_Set_Random_Address, Vol 4 Part E 7.8.52. */
export const LeSetAdvertisingSetRandomAddress = command("LeSetAdvertisingSetRandomAddress", {
  ogf: Ogf.LeController,
  ocf: 0x0035,
  supported: [36, 1],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    randomAddress,
  }),
  returns: struct({ status: u8 }),
});

const extendedAdvertisingParameters = {
  advertisingHandle: u8, // 0x00 to 0xEF
  /** Bits: 0 connectable, 1 scannable, 2 directed, 3 high duty cycle directed, 4 legacy PDUs, 5 anonymous, 6 TX power in the header. */
  advertisingEventProperties: u16,
  primaryAdvertisingIntervalMin: u24, // units of 0.625 ms, 0x000020 to 0xFFFFFF
  primaryAdvertisingIntervalMax: u24,
  primaryAdvertisingChannelMap: u8, // bits 0 to 2: channels 37, 38, 39
  ownAddressType: u8, // 0 public, 1 random, 2 resolvable or public, 3 resolvable or random
  peerAddressType: u8, // 0 public or public identity, 1 random or random identity
  peerAddress: bytes(6),
  advertisingFilterPolicy: u8, // bit 0 scan requests, bit 1 connection requests: from the Filter Accept List only
  advertisingTxPower: i8, // dBm, -127 to 20; 127: the controller chooses
  primaryAdvertisingPhy: u8, // 1 LE 1M, 3 LE Coded
  secondaryAdvertisingMaxSkip: u8, // advertising events that may be skipped before AUX_ADV_IND
  secondaryAdvertisingPhy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded
  advertisingSid: u8, // 0x00 to 0x0F
  scanRequestNotificationEnable: bool8,
};

/** HCI_LE_Set_Extended_Advertising_Parameters [v1], Vol 4 Part E 7.8.53. */
export const LeSetExtendedAdvertisingParameters = command("LeSetExtendedAdvertisingParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0036,
  supported: [36, 2],
  parameters: struct(extendedAdvertisingParameters),
  returns: struct({ status: u8, selectedTxPower: i8 }), // dBm
});

/** HCI_LE_Set_Extended_Advertising_Parameters [v2], Vol 4 Part E 7.8.53. */
export const LeSetExtendedAdvertisingParametersV2 = command("LeSetExtendedAdvertisingParametersV2", {
  ogf: Ogf.LeController,
  ocf: 0x007f,
  supported: [46, 2],
  parameters: struct({
    ...extendedAdvertisingParameters,
    primaryAdvertisingPhyOptions: u8, // 0 no preference, 1 prefers S=2, 2 prefers S=8, 3 requires S=2, 4 requires S=8
    secondaryAdvertisingPhyOptions: u8, // the same
  }),
  returns: struct({ status: u8, selectedTxPower: i8 }), // dBm
});

/** HCI_LE_Set_Extended_Advertising_Data, Vol 4 Part E 7.8.54. At most 251 octets at a time. */
export const LeSetExtendedAdvertisingData = command("LeSetExtendedAdvertisingData", {
  ogf: Ogf.LeController,
  ocf: 0x0037,
  supported: [36, 3],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    operation: u8, // 0 intermediate fragment, 1 first, 2 last, 3 complete data, 4 unchanged data: a new DID alone
    fragmentPreference: u8, // 0 the controller may fragment, 1 it should not
    advertisingData: bytes8,
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Extended_Scan_Response_Data, Vol 4 Part E 7.8.55. At most 251 octets at a time. */
export const LeSetExtendedScanResponseData = command("LeSetExtendedScanResponseData", {
  ogf: Ogf.LeController,
  ocf: 0x0038,
  supported: [36, 4],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    operation: u8, // 0 intermediate fragment, 1 first, 2 last, 3 complete data
    fragmentPreference: u8, // 0 the controller may fragment, 1 it should not
    scanResponseData: bytes8,
  }),
  returns: struct({ status: u8 }),
});

/**
 * HCI_LE_Set_Extended_Advertising_Enable, Vol 4 Part E 7.8.56. Disabling with no `sets` disables them all. The three values of a set stand
 * together on the wire.
 */
export const LeSetExtendedAdvertisingEnable = command("LeSetExtendedAdvertisingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0039,
  supported: [36, 5],
  parameters: struct({
    enable: bool8,
    sets: list(
      u8, // 0x00 to 0x3F
      struct({
        advertisingHandle: u8, // 0x00 to 0xEF
        duration: u16, // units of 10 ms; 0 advertises until disabled
        maxExtendedAdvertisingEvents: u8, // 0 sets no limit
      }),
    ),
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Maximum_Advertising_Data_Length, Vol 4 Part E 7.8.57. */
export const LeReadMaximumAdvertisingDataLength = command("LeReadMaximumAdvertisingDataLength", {
  ogf: Ogf.LeController,
  ocf: 0x003a,
  supported: [36, 6],
  parameters: struct({}),
  returns: struct({ status: u8, maxAdvertisingDataLength: u16 }), // octets, 0x001F to 0x0672
});

/** HCI_LE_Read_Number_of_Supported_Advertising_Sets, Vol 4 Part E 7.8.58. May change with what the controller does. */
export const LeReadNumberOfSupportedAdvertisingSets = command("LeReadNumberOfSupportedAdvertisingSets", {
  ogf: Ogf.LeController,
  ocf: 0x003b,
  supported: [36, 7],
  parameters: struct({}),
  returns: struct({ status: u8, numSupportedAdvertisingSets: u8 }), // 0x01 to 0xF0
});

/** HCI_LE_Remove_Advertising_Set, Vol 4 Part E 7.8.59. */
export const LeRemoveAdvertisingSet = command("LeRemoveAdvertisingSet", {
  ogf: Ogf.LeController,
  ocf: 0x003c,
  supported: [37, 0],
  parameters: struct({ advertisingHandle: u8 }), // 0x00 to 0xEF
  returns: struct({ status: u8 }),
});

/** HCI_LE_Clear_Advertising_Sets, Vol 4 Part E 7.8.60. */
export const LeClearAdvertisingSets = command("LeClearAdvertisingSets", {
  ogf: Ogf.LeController,
  ocf: 0x003d,
  supported: [37, 1],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Data_Related_Address_Changes, Vol 4 Part E 7.8.122. */
export const LeSetDataRelatedAddressChanges = command("LeSetDataRelatedAddressChanges", {
  ogf: Ogf.LeController,
  ocf: 0x007c,
  supported: [45, 6],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    changeReasons: u8, // the address changes with: bit 0 the advertising data, bit 1 the scan response data
  }),
  returns: struct({ status: u8 }),
});
