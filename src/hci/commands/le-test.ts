import { i8, list, struct, u8, u16 } from "../../bytes/index.ts";
import { command, Ogf } from "../declare.ts";

const rxChannel = u8; // 0x00 to 0x27: (F - 2402 MHz) / 2 MHz
const txChannel = u8; // the same
const antennaIds = list(u8, u8); // 0x02 to 0x4B of them where antennae are switched

/** HCI_LE_Receiver_Test [v1], Vol 4 Part E 7.8.28. */
export const LeReceiverTest = command("LeReceiverTest", {
  ogf: Ogf.LeController,
  ocf: 0x001d,
  supported: [28, 4],
  parameters: struct({ rxChannel }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Receiver_Test [v2], Vol 4 Part E 7.8.28. */
export const LeReceiverTestV2 = command("LeReceiverTestV2", {
  ogf: Ogf.LeController,
  ocf: 0x0033,
  supported: [35, 7],
  parameters: struct({
    rxChannel,
    phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded
    modulationIndex: u8, // 0 standard, 1 stable
  }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Receiver_Test [v3], Vol 4 Part E 7.8.28. */
export const LeReceiverTestV3 = command("LeReceiverTestV3", {
  ogf: Ogf.LeController,
  ocf: 0x004f,
  supported: [39, 3],
  parameters: struct({
    rxChannel,
    phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded
    modulationIndex: u8, // 0 standard, 1 stable
    expectedCteLength: u8, // units of 8 us, 0x02 to 0x14; 0 none
    expectedCteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us
    slotDurations: u8, // 1 or 2 us
    antennaIds,
  }),
  returns: struct({ status: u8 }),
});

const testPackets = {
  txChannel,
  testDataLength: u8, // octets
  packetPayload: u8, // 0 PRBS9, 1 11110000, 2 10101010, 3 PRBS15, 4 ones, 5 zeros, 6 00001111, 7 01010101
};
const testPacketsWithTone = {
  ...testPackets,
  phy: u8, // 1 LE 1M, 2 LE 2M, 3 LE Coded S=8, 4 LE Coded S=2
  cteLength: u8, // units of 8 us, 0x02 to 0x14; 0 none
  cteType: u8, // 0 AoA, 1 AoD with slots of 1 us, 2 AoD with slots of 2 us
  antennaIds,
};

/** HCI_LE_Transmitter_Test [v1], Vol 4 Part E 7.8.29. */
export const LeTransmitterTest = command("LeTransmitterTest", {
  ogf: Ogf.LeController,
  ocf: 0x001e,
  supported: [28, 5],
  parameters: struct(testPackets),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Transmitter_Test [v2], Vol 4 Part E 7.8.29. */
export const LeTransmitterTestV2 = command("LeTransmitterTestV2", {
  ogf: Ogf.LeController,
  ocf: 0x0034,
  supported: [36, 0],
  parameters: struct({ ...testPackets, phy: u8 }), // 1 LE 1M, 2 LE 2M, 3 LE Coded S=8, 4 LE Coded S=2
  returns: struct({ status: u8 }),
});

/** HCI_LE_Transmitter_Test [v3], Vol 4 Part E 7.8.29. */
export const LeTransmitterTestV3 = command("LeTransmitterTestV3", {
  ogf: Ogf.LeController,
  ocf: 0x0050,
  supported: [39, 4],
  parameters: struct(testPacketsWithTone),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Transmitter_Test [v4], Vol 4 Part E 7.8.29. */
export const LeTransmitterTestV4 = command("LeTransmitterTestV4", {
  ogf: Ogf.LeController,
  ocf: 0x007b,
  supported: [45, 0],
  parameters: struct({ ...testPacketsWithTone, txPowerLevel: i8 }), // dBm, -127 to 20; 126 the least, 127 the most there is
  returns: struct({ status: u8 }),
});

/** HCI_LE_Test_End, Vol 4 Part E 7.8.30. */
export const LeTestEnd = command("LeTestEnd", {
  ogf: Ogf.LeController,
  ocf: 0x001f,
  supported: [28, 6],
  parameters: struct({}),
  returns: struct({ status: u8, numPackets: u16 }), // received; 0 after a transmitter test
});
