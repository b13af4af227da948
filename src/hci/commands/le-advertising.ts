import { bool8, i8, struct, typedAddress, u8, u16 } from "../../bytes/index.ts";
import { padded } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Set_Advertising_Parameters, Vol 4 Part E 7.8.5. */
export const LeSetAdvertisingParameters = command("LeSetAdvertisingParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0006,
  supported: [25, 5],
  parameters: struct({
    advertisingIntervalMin: u16, // units of 0.625 ms, 0x0020 to 0x4000
    advertisingIntervalMax: u16,
    advertisingType: u8, // 0 ADV_IND, 1 ADV_DIRECT_IND high duty, 2 ADV_SCAN_IND, 3 ADV_NONCONN_IND, 4 ADV_DIRECT_IND low duty
    ownAddressType: u8, // 0 public, 1 random, 2 resolvable or public, 3 resolvable or random
    peerAddress: typedAddress,
    advertisingChannelMap: u8, // bits 0 to 2: channels 37, 38, 39
    advertisingFilterPolicy: u8, // bit 0 scan requests, bit 1 connection requests: from the Filter Accept List only
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Advertising_Physical_Channel_Tx_Power, Vol 4 Part E 7.8.6. */
export const LeReadAdvertisingPhysicalChannelTxPower = command("LeReadAdvertisingPhysicalChannelTxPower", {
  ogf: Ogf.LeController,
  ocf: 0x0007,
  supported: [25, 6],
  parameters: struct({}),
  returns: struct({ status: u8, txPowerLevel: i8 }), // dBm
});

/** HCI_LE_Set_Advertising_Data, Vol 4 Part E 7.8.7. At most 31 octets. */
export const LeSetAdvertisingData = command("LeSetAdvertisingData", {
  ogf: Ogf.LeController,
  ocf: 0x0008,
  supported: [25, 7],
  parameters: struct({ advertisingData: padded(31) }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Scan_Response_Data, Vol 4 Part E 7.8.8. At most 31 octets. */
export const LeSetScanResponseData = command("LeSetScanResponseData", {
  ogf: Ogf.LeController,
  ocf: 0x0009,
  supported: [26, 0],
  parameters: struct({ scanResponseData: padded(31) }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Advertising_Enable, Vol 4 Part E 7.8.9. */
export const LeSetAdvertisingEnable = command("LeSetAdvertisingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x000a,
  supported: [26, 1],
  parameters: struct({ advertisingEnable: bool8 }),
  returns: struct({ status: u8 }),
});
