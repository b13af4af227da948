import { bytes, struct, u8, u16 } from "../../bytes/index.ts";
import { handle, syncHandle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Periodic_Advertising_Create_Sync, Vol 4 Part E 7.8.67. Ends with LePeriodicAdvertisingSyncEstablished or its second version. */
export const LePeriodicAdvertisingCreateSync = command("LePeriodicAdvertisingCreateSync", {
  ogf: Ogf.LeController,
  ocf: 0x0044,
  supported: [38, 0],
  parameters: struct({
    options: u8, // bit 0: the Periodic Advertiser List in place of the advertiser below, bit 1 reports off at first, bit 2 no duplicates
    advertisingSid: u8, // 0x00 to 0x0F
    advertiserAddressType: u8, // 0 public or public identity, 1 random or random identity
    advertiserAddress: bytes(6),
    skip: u16, // periodic advertising events that may be skipped after one received, at most 0x01F3
    syncTimeout: u16, // units of 10 ms, 0x000A to 0x4000
    syncCteType: u8, // do not sync to: bit 0 AoA, bit 1 AoD of 1 us, bit 2 AoD of 2 us, bit 3 type 3, bit 4 no Constant Tone Extension
  }),
});

/** HCI_LE_Periodic_Advertising_Create_Sync_Cancel, Vol 4 Part E 7.8.68. The established event follows with Operation Cancelled by Host. */
export const LePeriodicAdvertisingCreateSyncCancel = command("LePeriodicAdvertisingCreateSyncCancel", {
  ogf: Ogf.LeController,
  ocf: 0x0045,
  supported: [38, 1],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Periodic_Advertising_Terminate_Sync, Vol 4 Part E 7.8.69. */
export const LePeriodicAdvertisingTerminateSync = command("LePeriodicAdvertisingTerminateSync", {
  ogf: Ogf.LeController,
  ocf: 0x0046,
  supported: [38, 2],
  parameters: struct({ syncHandle }),
  returns: struct({ status: u8 }),
});

const advertiser = struct({
  advertiserAddressType: u8, // 0 public or public identity, 1 random or random identity
  advertiserAddress: bytes(6),
  advertisingSid: u8, // 0x00 to 0x0F
});

/** HCI_LE_Add_Device_To_Periodic_Advertiser_List, Vol 4 Part E 7.8.70. */
export const LeAddDeviceToPeriodicAdvertiserList = command("LeAddDeviceToPeriodicAdvertiserList", {
  ogf: Ogf.LeController,
  ocf: 0x0047,
  supported: [38, 3],
  parameters: advertiser,
  returns: struct({ status: u8 }),
});

/** HCI_LE_Remove_Device_From_Periodic_Advertiser_List, Vol 4 Part E 7.8.71. */
export const LeRemoveDeviceFromPeriodicAdvertiserList = command("LeRemoveDeviceFromPeriodicAdvertiserList", {
  ogf: Ogf.LeController,
  ocf: 0x0048,
  supported: [38, 4],
  parameters: advertiser,
  returns: struct({ status: u8 }),
});

/** HCI_LE_Clear_Periodic_Advertiser_List, Vol 4 Part E 7.8.72. */
export const LeClearPeriodicAdvertiserList = command("LeClearPeriodicAdvertiserList", {
  ogf: Ogf.LeController,
  ocf: 0x0049,
  supported: [38, 5],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Periodic_Advertiser_List_Size, Vol 4 Part E 7.8.73. */
export const LeReadPeriodicAdvertiserListSize = command("LeReadPeriodicAdvertiserListSize", {
  ogf: Ogf.LeController,
  ocf: 0x004a,
  supported: [38, 6],
  parameters: struct({}),
  returns: struct({ status: u8, periodicAdvertiserListSize: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Receive_Enable, Vol 4 Part E 7.8.88. */
export const LeSetPeriodicAdvertisingReceiveEnable = command("LeSetPeriodicAdvertisingReceiveEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0059,
  supported: [40, 5],
  parameters: struct({
    syncHandle,
    enable: u8, // bit 0 reports, bit 1 no duplicates
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Periodic_Advertising_Sync_Transfer, Vol 4 Part E 7.8.89. */
export const LePeriodicAdvertisingSyncTransfer = command("LePeriodicAdvertisingSyncTransfer", {
  ogf: Ogf.LeController,
  ocf: 0x005a,
  supported: [40, 6],
  parameters: struct({
    connectionHandle: handle,
    serviceData: u16, // for the peer's host
    syncHandle,
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Periodic_Advertising_Set_Info_Transfer, Vol 4 Part E 7.8.90. */
export const LePeriodicAdvertisingSetInfoTransfer = command("LePeriodicAdvertisingSetInfoTransfer", {
  ogf: Ogf.LeController,
  ocf: 0x005b,
  supported: [40, 7],
  parameters: struct({
    connectionHandle: handle,
    serviceData: u16, // for the peer's host
    advertisingHandle: u8, // 0x00 to 0xEF
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

const syncTransferParameters = {
  mode: u8, // 0 ignore transfers, 1 synchronize without reports, 2 with reports, 3 with reports without duplicates
  skip: u16, // periodic advertising events that may be skipped after one received, at most 0x01F3
  syncTimeout: u16, // units of 10 ms, 0x000A to 0x4000
  cteType: u8, // do not sync to: bits as of LePeriodicAdvertisingCreateSync
};

/** HCI_LE_Set_Periodic_Advertising_Sync_Transfer_Parameters, Vol 4 Part E 7.8.91. */
export const LeSetPeriodicAdvertisingSyncTransferParameters = command("LeSetPeriodicAdvertisingSyncTransferParameters", {
  ogf: Ogf.LeController,
  ocf: 0x005c,
  supported: [41, 0],
  parameters: struct({ connectionHandle: handle, ...syncTransferParameters }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Set_Default_Periodic_Advertising_Sync_Transfer_Parameters, Vol 4 Part E 7.8.92. For links that come. */
export const LeSetDefaultPeriodicAdvertisingSyncTransferParameters = command("LeSetDefaultPeriodicAdvertisingSyncTransferParameters", {
  ogf: Ogf.LeController,
  ocf: 0x005d,
  supported: [41, 1],
  parameters: struct(syncTransferParameters),
  returns: struct({ status: u8 }),
});
