import { bool8, i8, i16, struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

const rfPathCompensation = {
  rfTxPathCompensationValue: i16, // units of 0.1 dB, -1280 to 1280
  rfRxPathCompensationValue: i16, // units of 0.1 dB, -1280 to 1280
};

/** HCI_LE_Read_RF_Path_Compensation, Vol 4 Part E 7.8.75. */
export const LeReadRfPathCompensation = command("LeReadRfPathCompensation", {
  ogf: Ogf.LeController,
  ocf: 0x004c,
  supported: [39, 0],
  parameters: struct({}),
  returns: struct({ status: u8, ...rfPathCompensation }),
});

/** HCI_LE_Write_RF_Path_Compensation, Vol 4 Part E 7.8.76. */
export const LeWriteRfPathCompensation = command("LeWriteRfPathCompensation", {
  ogf: Ogf.LeController,
  ocf: 0x004d,
  supported: [39, 1],
  parameters: struct(rfPathCompensation),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Enhanced_Read_Transmit_Power_Level, Vol 4 Part E 7.8.117. */
export const LeEnhancedReadTransmitPowerLevel = command("LeEnhancedReadTransmitPowerLevel", {
  ogf: Ogf.LeController,
  ocf: 0x0076,
  supported: [44, 3],
  parameters: struct({
    connectionHandle: handle,
    phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded S=8, 4 LE Coded S=2
  }),
  returns: struct({
    status: u8,
    connectionHandle: handle,
    phy: u8,
    currentTransmitPowerLevel: i8, // dBm, -127 to 20
    maxTransmitPowerLevel: i8, // dBm, -127 to 20
  }),
});

/** HCI_LE_Read_Remote_Transmit_Power_Level, Vol 4 Part E 7.8.118. Ends with LeTransmitPowerReporting, reason 2. */
export const LeReadRemoteTransmitPowerLevel = command("LeReadRemoteTransmitPowerLevel", {
  ogf: Ogf.LeController,
  ocf: 0x0077,
  supported: [44, 4],
  parameters: struct({
    connectionHandle: handle,
    phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded S=8, 4 LE Coded S=2
  }),
});

/** HCI_LE_Set_Path_Loss_Reporting_Parameters, Vol 4 Part E 7.8.119. */
export const LeSetPathLossReportingParameters = command("LeSetPathLossReportingParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0078,
  supported: [44, 5],
  parameters: struct({
    connectionHandle: handle,
    highThreshold: u8, // dB; 255 not used
    highHysteresis: u8, // dB
    lowThreshold: u8, // dB, at most the high threshold
    lowHysteresis: u8, // dB
    minTimeSpent: u16, // connection events
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Set_Path_Loss_Reporting_Enable, Vol 4 Part E 7.8.120. */
export const LeSetPathLossReportingEnable = command("LeSetPathLossReportingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0079,
  supported: [44, 6],
  parameters: struct({ connectionHandle: handle, enable: bool8 }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Set_Transmit_Power_Reporting_Enable, Vol 4 Part E 7.8.121. */
export const LeSetTransmitPowerReportingEnable = command("LeSetTransmitPowerReportingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x007a,
  supported: [44, 7],
  parameters: struct({ connectionHandle: handle, localEnable: bool8, remoteEnable: bool8 }),
  returns: struct({ status: u8, connectionHandle: handle }),
});
