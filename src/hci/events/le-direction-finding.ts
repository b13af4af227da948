import { type Infer, i8, i16, list, struct, u8, u16 } from "../../bytes/index.ts";
import { handle, syncHandle } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

const eventCode = EventCode.LeMeta;

const tone = {
  rssi: i16, // units of 0.1 dBm, -1270 to 200
  rssiAntennaId: u8,
  cteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us
  slotDurations: u8, // 1 or 2 us
  packetStatus: u8, // 0 CRC correct, 1 and 2 CRC wrong, 0xFF no room to sample
};
/** I and Q of one sample stand together on the wire; -128 is no valid sample. */
const samples = list(u8, struct({ iSample: i8, qSample: i8 })); // 0x09 to 0x52 of them; none without a valid report

/** HCI_LE_Connectionless_IQ_Report, Vol 4 Part E 7.7.65.21. */
export const LeConnectionlessIqReport = event("LeConnectionlessIqReport", {
  eventCode,
  subeventCode: 0x15,
  parameters: struct({
    syncHandle, // 0x0FFF a receiver test
    channelIndex: u8, // 0x00 to 0x27
    ...tone,
    periodicEventCounter: u16,
    samples,
  }),
});
export type LeConnectionlessIqReport = Infer<typeof LeConnectionlessIqReport.parameters>;

/** HCI_LE_Connection_IQ_Report, Vol 4 Part E 7.7.65.22. */
export const LeConnectionIqReport = event("LeConnectionIqReport", {
  eventCode,
  subeventCode: 0x16,
  parameters: struct({
    connectionHandle: handle,
    rxPhy: u8, // 1 LE 1M, 2 LE 2M
    dataChannelIndex: u8, // 0x00 to 0x24
    ...tone,
    connectionEventCounter: u16,
    samples,
  }),
});
export type LeConnectionIqReport = Infer<typeof LeConnectionIqReport.parameters>;

/** HCI_LE_CTE_Request_Failed, Vol 4 Part E 7.7.65.23. Status 0x00: the answer had no Constant Tone Extension. */
export const LeCteRequestFailed = event("LeCteRequestFailed", {
  eventCode,
  subeventCode: 0x17,
  parameters: struct({ status: u8, connectionHandle: handle }),
});
export type LeCteRequestFailed = Infer<typeof LeCteRequestFailed.parameters>;
