import { type Infer, i8, struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

const eventCode = EventCode.LeMeta;

/** HCI_LE_Request_Peer_SCA_Complete, Vol 4 Part E 7.7.65.31. */
export const LeRequestPeerScaComplete = event("LeRequestPeerScaComplete", {
  eventCode,
  subeventCode: 0x1f,
  parameters: struct({
    status: u8,
    connectionHandle: handle,
    peerClockAccuracy: u8, // 0 251 to 500 ppm, 1 151 to 250, 2 101 to 150, 3 76 to 100, 4 51 to 75, 5 31 to 50, 6 21 to 30, 7 0 to 20
  }),
});
export type LeRequestPeerScaComplete = Infer<typeof LeRequestPeerScaComplete.parameters>;

/** HCI_LE_Path_Loss_Threshold, Vol 4 Part E 7.7.65.32. */
export const LePathLossThreshold = event("LePathLossThreshold", {
  eventCode,
  subeventCode: 0x20,
  parameters: struct({
    connectionHandle: handle,
    currentPathLoss: u8, // dB; 255 not available
    zoneEntered: u8, // 0 low, 1 middle, 2 high
  }),
});
export type LePathLossThreshold = Infer<typeof LePathLossThreshold.parameters>;

/** HCI_LE_Transmit_Power_Reporting, Vol 4 Part E 7.7.65.33. */
export const LeTransmitPowerReporting = event("LeTransmitPowerReporting", {
  eventCode,
  subeventCode: 0x21,
  parameters: struct({
    status: u8,
    connectionHandle: handle,
    reason: u8, // 0 local level changed, 1 remote level changed, 2 LeReadRemoteTransmitPowerLevel completed
    phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded S=8, 4 LE Coded S=2
    txPowerLevel: i8, // dBm, -127 to 20; 126 the remote does not manage it on this PHY, 127 not available
    txPowerLevelFlag: u8, // bit 0 at its minimum, bit 1 at its maximum
    delta: i8, // dB; 127 not available
  }),
});
export type LeTransmitPowerReporting = Infer<typeof LeTransmitPowerReporting.parameters>;

/** HCI_LE_Subrate_Change, Vol 4 Part E 7.7.65.35. */
export const LeSubrateChange = event("LeSubrateChange", {
  eventCode,
  subeventCode: 0x23,
  parameters: struct({
    status: u8,
    connectionHandle: handle,
    subrateFactor: u16, // 0x0001 to 0x01F4
    peripheralLatency: u16, // subrated connection events, at most 0x01F3
    continuationNumber: u16, // underlying connection events, at most 0x01F3
    supervisionTimeout: u16, // units of 10 ms, 0x000A to 0x0C80
  }),
});
export type LeSubrateChange = Infer<typeof LeSubrateChange.parameters>;
