import { bytes, bytes8, type Infer, i8, list, struct, u8, u16 } from "../../bytes/index.ts";
import { handle, syncHandle } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

const eventCode = EventCode.LeMeta;

const train = {
  advertisingSid: u8, // 0x00 to 0x0F
  advertiserAddressType: u8, // AddressType; 2 and 3 where the controller resolved the address
  advertiserAddress: bytes(6),
  advertiserPhy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded
  periodicAdvertisingInterval: u16, // units of 1.25 ms, 0x0006 to 0xFFFF
  advertiserClockAccuracy: u8, // 0 500 ppm, 1 250, 2 150, 3 100, 4 75, 5 50, 6 30, 7 20
};
const subeventsOfTrain = {
  numSubevents: u8, // 0x01 to 0x80; 0 none
  subeventInterval: u8, // units of 1.25 ms, 0x06 to 0xFF; 0 no subevents
  responseSlotDelay: u8, // units of 1.25 ms, 0x01 to 0xFE; 0 no response slots
  responseSlotSpacing: u8, // units of 0.125 ms, 0x02 to 0xFF; 0 no response slots
};

/** HCI_LE_Periodic_Advertising_Sync_Established [v1], Vol 4 Part E 7.7.65.14. Everything after `status` is valid only when it is 0x00. */
export const LePeriodicAdvertisingSyncEstablished = event("LePeriodicAdvertisingSyncEstablished", {
  eventCode,
  subeventCode: 0x0e,
  parameters: struct({ status: u8, syncHandle, ...train }),
});
export type LePeriodicAdvertisingSyncEstablished = Infer<typeof LePeriodicAdvertisingSyncEstablished.parameters>;

/** HCI_LE_Periodic_Advertising_Sync_Established [v2], Vol 4 Part E 7.7.65.14. Sent in place of the first version where it is not masked. */
export const LePeriodicAdvertisingSyncEstablishedV2 = event("LePeriodicAdvertisingSyncEstablishedV2", {
  eventCode,
  subeventCode: 0x24,
  parameters: struct({ status: u8, syncHandle, ...train, ...subeventsOfTrain }),
});
export type LePeriodicAdvertisingSyncEstablishedV2 = Infer<typeof LePeriodicAdvertisingSyncEstablishedV2.parameters>;

const reception = {
  txPower: i8, // dBm, -127 to 20; 127 not available
  rssi: i8, // dBm, -127 to 20; 127 not available
  cteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us, 0xFF no Constant Tone Extension
};

/** HCI_LE_Periodic_Advertising_Report [v1], Vol 4 Part E 7.7.65.15. */
export const LePeriodicAdvertisingReport = event("LePeriodicAdvertisingReport", {
  eventCode,
  subeventCode: 0x0f,
  parameters: struct({
    syncHandle,
    ...reception,
    dataStatus: u8, // 0 complete, 1 more to come, 2 truncated
    data: bytes8, // at most 247 octets
  }),
});
export type LePeriodicAdvertisingReport = Infer<typeof LePeriodicAdvertisingReport.parameters>;

/** HCI_LE_Periodic_Advertising_Report [v2], Vol 4 Part E 7.7.65.15. Sent in place of the first version where it is not masked. */
export const LePeriodicAdvertisingReportV2 = event("LePeriodicAdvertisingReportV2", {
  eventCode,
  subeventCode: 0x25,
  parameters: struct({
    syncHandle,
    ...reception,
    periodicEventCounter: u16, // paEventCounter
    subevent: u8, // 0x00 to 0x7F; 0xFF no subevents
    dataStatus: u8, // 0 complete, 1 more to come, 2 truncated, 0xFF AUX_SYNC_SUBEVENT_IND was not received
    data: bytes8,
  }),
});
export type LePeriodicAdvertisingReportV2 = Infer<typeof LePeriodicAdvertisingReportV2.parameters>;

/** HCI_LE_Periodic_Advertising_Sync_Lost, Vol 4 Part E 7.7.65.16. */
export const LePeriodicAdvertisingSyncLost = event("LePeriodicAdvertisingSyncLost", {
  eventCode,
  subeventCode: 0x10,
  parameters: struct({ syncHandle }),
});
export type LePeriodicAdvertisingSyncLost = Infer<typeof LePeriodicAdvertisingSyncLost.parameters>;

const transfer = {
  status: u8,
  connectionHandle: handle, // the link that brought it
  serviceData: u16, // from the peer's host
  syncHandle,
};

/** HCI_LE_Periodic_Advertising_Sync_Transfer_Received [v1], Vol 4 Part E 7.7.65.24. `syncHandle` is valid only when status is 0x00. */
export const LePeriodicAdvertisingSyncTransferReceived = event("LePeriodicAdvertisingSyncTransferReceived", {
  eventCode,
  subeventCode: 0x18,
  parameters: struct({ ...transfer, ...train }),
});
export type LePeriodicAdvertisingSyncTransferReceived = Infer<typeof LePeriodicAdvertisingSyncTransferReceived.parameters>;

/** HCI_LE_Periodic_Advertising_Sync_Transfer_Received [v2], Vol 4 Part E 7.7.65.24. In place of the first version where it is not masked. */
export const LePeriodicAdvertisingSyncTransferReceivedV2 = event("LePeriodicAdvertisingSyncTransferReceivedV2", {
  eventCode,
  subeventCode: 0x26,
  parameters: struct({ ...transfer, ...train, ...subeventsOfTrain }),
});
export type LePeriodicAdvertisingSyncTransferReceivedV2 = Infer<typeof LePeriodicAdvertisingSyncTransferReceivedV2.parameters>;

/** HCI_LE_Periodic_Advertising_Subevent_Data_Request, Vol 4 Part E 7.7.65.36. */
export const LePeriodicAdvertisingSubeventDataRequest = event("LePeriodicAdvertisingSubeventDataRequest", {
  eventCode,
  subeventCode: 0x27,
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    subeventStart: u8, // 0x00 to 0x7F, the first that data is asked for
    subeventDataCount: u8, // how many, 0x01 to 0x80
  }),
});
export type LePeriodicAdvertisingSubeventDataRequest = Infer<typeof LePeriodicAdvertisingSubeventDataRequest.parameters>;

/** HCI_LE_Periodic_Advertising_Response_Report, Vol 4 Part E 7.7.65.37. The fields of a response stand together on the wire. */
export const LePeriodicAdvertisingResponseReport = event("LePeriodicAdvertisingResponseReport", {
  eventCode,
  subeventCode: 0x28,
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    subevent: u8, // 0x00 to 0x7F
    txStatus: u8, // 0 AUX_SYNC_SUBEVENT_IND was sent, 1 it was not
    responses: list(
      u8,
      struct({
        ...reception,
        responseSlot: u8,
        dataStatus: u8, // 0 complete, 1 more to come, 0xFF the response was not received
        data: bytes8,
      }),
    ),
  }),
});
export type LePeriodicAdvertisingResponseReport = Infer<typeof LePeriodicAdvertisingResponseReport.parameters>;
