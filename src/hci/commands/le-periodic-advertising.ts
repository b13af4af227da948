import { bytes8, list, struct, u8, u16 } from "../../bytes/index.ts";
import { syncHandle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

const periodicAdvertisingParameters = {
  advertisingHandle: u8, // 0x00 to 0xEF
  periodicAdvertisingIntervalMin: u16, // units of 1.25 ms, 0x0006 to 0xFFFF
  periodicAdvertisingIntervalMax: u16,
  periodicAdvertisingProperties: u16, // bit 6: TX power in the header
};

/** HCI_LE_Set_Periodic_Advertising_Parameters [v1], Vol 4 Part E 7.8.61. */
export const LeSetPeriodicAdvertisingParameters = command("LeSetPeriodicAdvertisingParameters", {
  ogf: Ogf.LeController,
  ocf: 0x003e,
  supported: [37, 2],
  parameters: struct(periodicAdvertisingParameters),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Parameters [v2], Vol 4 Part E 7.8.61. With subevents: Periodic Advertising with Responses. */
export const LeSetPeriodicAdvertisingParametersV2 = command("LeSetPeriodicAdvertisingParametersV2", {
  ogf: Ogf.LeController,
  ocf: 0x0086,
  supported: [47, 1],
  parameters: struct({
    ...periodicAdvertisingParameters,
    numSubevents: u8, // 0x01 to 0x80; 0 no responses
    subeventInterval: u8, // units of 1.25 ms, 0x06 to 0xFF
    responseSlotDelay: u8, // units of 1.25 ms, 0x01 to 0xFE; 0 no response slots
    responseSlotSpacing: u8, // units of 0.125 ms, 0x02 to 0xFF; 0 no response slots
    numResponseSlots: u8, // 0x01 to 0xFF; 0 no response slots
  }),
  returns: struct({ status: u8, advertisingHandle: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Data, Vol 4 Part E 7.8.62. At most 252 octets at a time. */
export const LeSetPeriodicAdvertisingData = command("LeSetPeriodicAdvertisingData", {
  ogf: Ogf.LeController,
  ocf: 0x003f,
  supported: [37, 3],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    operation: u8, // 0 intermediate fragment, 1 first, 2 last, 3 complete data, 4 unchanged data: a new DID alone
    advertisingData: bytes8,
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Enable, Vol 4 Part E 7.8.63. */
export const LeSetPeriodicAdvertisingEnable = command("LeSetPeriodicAdvertisingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0040,
  supported: [37, 4],
  parameters: struct({
    enable: u8, // bit 0 on, bit 1 with the ADI field
    advertisingHandle: u8, // 0x00 to 0xEF
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Subevent_Data, Vol 4 Part E 7.8.125. The fields of a subevent stand together on the wire. */
export const LeSetPeriodicAdvertisingSubeventData = command("LeSetPeriodicAdvertisingSubeventData", {
  ogf: Ogf.LeController,
  ocf: 0x0082,
  supported: [46, 5],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    subevents: list(
      u8, // 0x01 to 0x0F
      struct({
        subevent: u8, // 0x00 to 0x7F
        responseSlotStart: u8, // the first that may be used
        responseSlotCount: u8, // how many may be used, 0x01 to 0xFF
        subeventData: bytes8, // at most 251 octets
      }),
    ),
  }),
  returns: struct({ status: u8, advertisingHandle: u8 }),
});

/** HCI_LE_Set_Periodic_Advertising_Response_Data, Vol 4 Part E 7.8.126. */
export const LeSetPeriodicAdvertisingResponseData = command("LeSetPeriodicAdvertisingResponseData", {
  ogf: Ogf.LeController,
  ocf: 0x0083,
  supported: [46, 6],
  parameters: struct({
    syncHandle,
    requestEvent: u16, // paEventCounter of the event whose packet is answered
    requestSubevent: u8, // 0x00 to 0x7F, where that packet was
    responseSubevent: u8, // 0x00 to 0x7F, where the response is sent
    responseSlot: u8,
    responseData: bytes8, // at most 251 octets
  }),
  returns: struct({ status: u8, syncHandle }),
});

/** HCI_LE_Set_Periodic_Sync_Subevent, Vol 4 Part E 7.8.127. */
export const LeSetPeriodicSyncSubevent = command("LeSetPeriodicSyncSubevent", {
  ogf: Ogf.LeController,
  ocf: 0x0084,
  supported: [46, 7],
  parameters: struct({
    syncHandle,
    periodicAdvertisingProperties: u16, // bit 6: TX power in the header of responses
    subevents: list(u8, u8), // 0x01 to 0x80 of them, each 0x00 to 0x7F
  }),
  returns: struct({ status: u8, syncHandle }),
});
