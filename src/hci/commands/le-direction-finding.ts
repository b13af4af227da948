import { bool8, list, struct, u8, u16 } from "../../bytes/index.ts";
import { handle, syncHandle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

const antennaIds = list(u8, u8); // 0x02 to 0x4B of them where antennae are switched

/** HCI_LE_Set_Connectionless_CTE_Transmit_Parameters, Vol 4 Part E 7.8.80. */
export const LeSetConnectionlessCteTransmitParameters = command("LeSetConnectionlessCteTransmitParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0051,
  supported: [39, 5],
  parameters: struct({
    advertisingHandle: u8, // 0x00 to 0xEF
    cteLength: u8, // units of 8 us, 0x02 to 0x14
    cteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us
    cteCount: u8, // in each periodic advertising event, 0x01 to 0x10
    antennaIds,
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Connectionless_CTE_Transmit_Enable, Vol 4 Part E 7.8.81. */
export const LeSetConnectionlessCteTransmitEnable = command("LeSetConnectionlessCteTransmitEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0052,
  supported: [39, 6],
  parameters: struct({ advertisingHandle: u8, cteEnable: bool8 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Connectionless_IQ_Sampling_Enable, Vol 4 Part E 7.8.82. */
export const LeSetConnectionlessIqSamplingEnable = command("LeSetConnectionlessIqSamplingEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0053,
  supported: [39, 7],
  parameters: struct({
    syncHandle,
    samplingEnable: bool8,
    slotDurations: u8, // 1 or 2 us
    maxSampledCtes: u8, // in each periodic advertising event, 0x01 to 0x10; 0 all
    antennaIds,
  }),
  returns: struct({ status: u8, syncHandle }),
});

/** HCI_LE_Set_Connection_CTE_Receive_Parameters, Vol 4 Part E 7.8.83. */
export const LeSetConnectionCteReceiveParameters = command("LeSetConnectionCteReceiveParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0054,
  supported: [40, 0],
  parameters: struct({
    connectionHandle: handle,
    samplingEnable: bool8,
    slotDurations: u8, // 1 or 2 us
    antennaIds,
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Set_Connection_CTE_Transmit_Parameters, Vol 4 Part E 7.8.84. */
export const LeSetConnectionCteTransmitParameters = command("LeSetConnectionCteTransmitParameters", {
  ogf: Ogf.LeController,
  ocf: 0x0055,
  supported: [40, 1],
  parameters: struct({
    connectionHandle: handle,
    cteTypes: u8, // bit 0 AoA, bit 1 AoD with slots of 1 us, bit 2 AoD with slots of 2 us
    antennaIds,
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Connection_CTE_Request_Enable, Vol 4 Part E 7.8.85. */
export const LeConnectionCteRequestEnable = command("LeConnectionCteRequestEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0056,
  supported: [40, 2],
  parameters: struct({
    connectionHandle: handle,
    enable: bool8,
    cteRequestInterval: u16, // connection events; 0 asks once
    requestedCteLength: u8, // units of 8 us, 0x02 to 0x14
    requestedCteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Connection_CTE_Response_Enable, Vol 4 Part E 7.8.86. */
export const LeConnectionCteResponseEnable = command("LeConnectionCteResponseEnable", {
  ogf: Ogf.LeController,
  ocf: 0x0057,
  supported: [40, 3],
  parameters: struct({ connectionHandle: handle, enable: bool8 }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Read_Antenna_Information, Vol 4 Part E 7.8.87. */
export const LeReadAntennaInformation = command("LeReadAntennaInformation", {
  ogf: Ogf.LeController,
  ocf: 0x0058,
  supported: [40, 4],
  parameters: struct({}),
  returns: struct({
    status: u8,
    supportedSwitchingSamplingRates: u8, // slots of 1 us: bit 0 AoD transmission, bit 1 AoD reception, bit 2 AoA reception
    numAntennae: u8, // 0x01 to 0x4B
    maxSwitchingPatternLength: u8, // 0x02 to 0x4B
    maxCteLength: u8, // units of 8 us, 0x02 to 0x14
  }),
});
