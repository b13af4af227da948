import { bool8, i8, list, struct, u8, u16, u64 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_Set_Event_Mask, Vol 4 Part E 7.3.1. */
export const SetEventMask = command("SetEventMask", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0001,
  supported: [5, 6],
  parameters: struct({ eventMask: u64 }),
  returns: struct({ status: u8 }),
});

/** HCI_Reset, Vol 4 Part E 7.3.2. */
export const Reset = command("Reset", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0003,
  supported: [5, 7],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_Read_Transmit_Power_Level, Vol 4 Part E 7.3.35. */
export const ReadTransmitPowerLevel = command("ReadTransmitPowerLevel", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x002d,
  supported: [10, 2],
  parameters: struct({
    connectionHandle: handle,
    type: u8, // 0 current, 1 maximum
  }),
  returns: struct({ status: u8, connectionHandle: handle, transmitPowerLevel: i8 }), // dBm
});

/** HCI_Set_Controller_To_Host_Flow_Control, Vol 4 Part E 7.3.38. */
export const SetControllerToHostFlowControl = command("SetControllerToHostFlowControl", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0031,
  supported: [10, 5],
  parameters: struct({ flowControlEnable: u8 }), // 1: ACL on
  returns: struct({ status: u8 }),
});

/** HCI_Host_Buffer_Size, Vol 4 Part E 7.3.39. */
export const HostBufferSize = command("HostBufferSize", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0033,
  supported: [10, 6],
  parameters: struct({
    hostAclDataPacketLength: u16,
    hostSynchronousDataPacketLength: u8,
    hostTotalNumAclDataPackets: u16,
    hostTotalNumSynchronousDataPackets: u16,
  }),
  returns: struct({ status: u8 }),
});

/** HCI_Host_Number_Of_Completed_Packets, Vol 4 Part E 7.3.40. Normally no event answers it, and it may be sent at any time. */
export const HostNumberOfCompletedPackets = command("HostNumberOfCompletedPackets", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0035,
  supported: [10, 7],
  unanswered: true,
  parameters: struct({ handles: list(u8, struct({ connectionHandle: handle, hostNumCompletedPackets: u16 })) }),
});

/** HCI_Set_Event_Mask_Page_2, Vol 4 Part E 7.3.69. */
export const SetEventMaskPage2 = command("SetEventMaskPage2", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0063,
  supported: [22, 2],
  parameters: struct({ eventMaskPage2: u64 }),
  returns: struct({ status: u8 }),
});

/** HCI_Read_Enhanced_Transmit_Power_Level, Vol 4 Part E 7.3.74. For links of BR/EDR; LE has LeEnhancedReadTransmitPowerLevel. */
export const ReadEnhancedTransmitPowerLevel = command("ReadEnhancedTransmitPowerLevel", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x0068,
  supported: [24, 0],
  parameters: struct({
    connectionHandle: handle,
    type: u8, // 0 current, 1 maximum
  }),
  returns: struct({
    status: u8,
    connectionHandle: handle,
    transmitPowerLevelGfsk: i8, // dBm, -100 to 20
    transmitPowerLevelDqpsk: i8, // dBm
    transmitPowerLevel8dpsk: i8, // dBm
  }),
});

/** HCI_Read_LE_Host_Support, Vol 4 Part E 7.3.78. */
export const ReadLeHostSupport = command("ReadLeHostSupport", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x006c,
  supported: [24, 5],
  parameters: struct({}),
  returns: struct({ status: u8, leSupportedHost: bool8, unused: u8 }), // the last octet is ignored
});

/** HCI_Write_LE_Host_Support, Vol 4 Part E 7.3.79. For controllers that have BR/EDR too. */
export const WriteLeHostSupport = command("WriteLeHostSupport", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x006d,
  supported: [24, 6],
  parameters: struct({ leSupportedHost: bool8, unused: u8 }), // the second octet is 0x00
  returns: struct({ status: u8 }),
});

/** HCI_Read_Authenticated_Payload_Timeout, Vol 4 Part E 7.3.93. */
export const ReadAuthenticatedPayloadTimeout = command("ReadAuthenticatedPayloadTimeout", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x007b,
  supported: [32, 4],
  parameters: struct({ connectionHandle: handle }),
  returns: struct({ status: u8, connectionHandle: handle, authenticatedPayloadTimeout: u16 }), // units of 10 ms
});

/**
 * HCI_Write_Authenticated_Payload_Timeout, Vol 4 Part E 7.3.94. At least connection interval times (1 + latency); AuthenticatedPayloadTimeoutExpired
 * tells when no packet with a valid MIC came for so long.
 */
export const WriteAuthenticatedPayloadTimeout = command("WriteAuthenticatedPayloadTimeout", {
  ogf: Ogf.ControllerBaseband,
  ocf: 0x007c,
  supported: [32, 5],
  parameters: struct({
    connectionHandle: handle,
    authenticatedPayloadTimeout: u16, // units of 10 ms, 0x0001 to 0xFFFF
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});
