import { bytes, bytes8, type Infer, i8, list, struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

const eventCode = EventCode.LeMeta;

/** HCI_LE_Extended_Advertising_Report, Vol 4 Part E 7.7.65.13. The fields of a report stand together on the wire. */
export const LeExtendedAdvertisingReport = event("LeExtendedAdvertisingReport", {
  eventCode,
  subeventCode: 0x0d,
  parameters: struct({
    reports: list(
      u8, // 0x01 to 0x0A
      struct({
        /** Bits: 0 connectable, 1 scannable, 2 directed, 3 scan response, 4 legacy PDU, 5 and 6: 0 complete, 1 more to come, 2 truncated. */
        eventType: u16,
        addressType: u8, // AddressType; 2 and 3 where the controller resolved the address, 0xFF anonymous
        address: bytes(6),
        primaryPhy: u8, // 1 LE 1M, 3 LE Coded
        secondaryPhy: u8, // 0 none, 1 LE 1M, 2 LE 2M, 3 LE Coded
        advertisingSid: u8, // 0x00 to 0x0F; 0xFF none
        txPower: i8, // dBm, -127 to 20; 127 not available
        rssi: i8, // dBm, -127 to 20; 127 not available
        periodicAdvertisingInterval: u16, // units of 1.25 ms, 0x0006 to 0xFFFF; 0 no periodic advertising
        directAddressType: u8, // AddressType; 0xFE a resolvable private address that the controller could not resolve
        directAddress: bytes(6),
        data: bytes8, // at most 229 octets
      }),
    ),
  }),
});
export type LeExtendedAdvertisingReport = Infer<typeof LeExtendedAdvertisingReport.parameters>;

/** HCI_LE_Scan_Timeout, Vol 4 Part E 7.7.65.17. The duration of extended scanning is over. */
export const LeScanTimeout = event("LeScanTimeout", { eventCode, subeventCode: 0x11, parameters: struct({}) });
export type LeScanTimeout = Infer<typeof LeScanTimeout.parameters>;

/** HCI_LE_Advertising_Set_Terminated, Vol 4 Part E 7.7.65.18. */
export const LeAdvertisingSetTerminated = event("LeAdvertisingSetTerminated", {
  eventCode,
  subeventCode: 0x12,
  parameters: struct({
    status: u8, // 0x00 a connection, 0x3C Advertising Timeout: the duration, 0x43 Limit Reached: the number of events
    advertisingHandle: u8, // 0x00 to 0xEF
    connectionHandle: handle, // valid only when status is 0x00
    numCompletedExtendedAdvertisingEvents: u8, // valid where a number of events was set
  }),
});
export type LeAdvertisingSetTerminated = Infer<typeof LeAdvertisingSetTerminated.parameters>;

/** HCI_LE_Scan_Request_Received, Vol 4 Part E 7.7.65.19. */
export const LeScanRequestReceived = event("LeScanRequestReceived", {
  eventCode,
  subeventCode: 0x13,
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    scannerAddressType: u8, // AddressType; 2 and 3 where the controller resolved the address
    scannerAddress: bytes(6),
  }),
});
export type LeScanRequestReceived = Infer<typeof LeScanRequestReceived.parameters>;
