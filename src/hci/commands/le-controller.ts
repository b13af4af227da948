import { bool8, bytes, i8, struct, u8, u16, u64 } from "../../bytes/index.ts";
import { randomAddress } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Set_Event_Mask, Vol 4 Part E 7.8.1. Bit n-1 is subevent n. */
export const LeSetEventMask = command("LeSetEventMask", {
  ogf: Ogf.LeController,
  ocf: 0x0001,
  supported: [25, 0],
  parameters: struct({ leEventMask: u64 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Buffer_Size [v1], Vol 4 Part E 7.8.2. Zeros: the buffers of Read Buffer Size serve LE too. */
export const LeReadBufferSize = command("LeReadBufferSize", {
  ogf: Ogf.LeController,
  ocf: 0x0002,
  supported: [25, 1],
  parameters: struct({}),
  returns: struct({ status: u8, leAclDataPacketLength: u16, totalNumLeAclDataPackets: u8 }),
});

/** HCI_LE_Read_Buffer_Size [v2], Vol 4 Part E 7.8.2. */
export const LeReadBufferSizeV2 = command("LeReadBufferSizeV2", {
  ogf: Ogf.LeController,
  ocf: 0x0060,
  supported: [41, 5],
  parameters: struct({}),
  returns: struct({
    status: u8,
    leAclDataPacketLength: u16,
    totalNumLeAclDataPackets: u8,
    isoDataPacketLength: u16,
    totalNumIsoDataPackets: u8,
  }),
});

/** HCI_LE_Read_Local_Supported_Features, Vol 4 Part E 7.8.3. Bits: see LeFeature. */
export const LeReadLocalSupportedFeatures = command("LeReadLocalSupportedFeatures", {
  ogf: Ogf.LeController,
  ocf: 0x0003,
  supported: [25, 2],
  parameters: struct({}),
  returns: struct({ status: u8, leFeatures: u64 }),
});

/** HCI_LE_Set_Random_Address, Vol 4 Part E 7.8.4. */
export const LeSetRandomAddress = command("LeSetRandomAddress", {
  ogf: Ogf.LeController,
  ocf: 0x0005,
  supported: [25, 4],
  parameters: struct({ randomAddress }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Encrypt, Vol 4 Part E 7.8.22. Key and data least significant octet first. */
export const LeEncrypt = command("LeEncrypt", {
  ogf: Ogf.LeController,
  ocf: 0x0017,
  supported: [27, 6],
  parameters: struct({ key: bytes(16), plaintextData: bytes(16) }),
  returns: struct({ status: u8, encryptedData: bytes(16) }),
});

/** HCI_LE_Rand, Vol 4 Part E 7.8.23. */
export const LeRand = command("LeRand", {
  ogf: Ogf.LeController,
  ocf: 0x0018,
  supported: [27, 7],
  parameters: struct({}),
  returns: struct({ status: u8, randomNumber: bytes(8) }),
});

/** HCI_LE_Read_Supported_States, Vol 4 Part E 7.8.27. */
export const LeReadSupportedStates = command("LeReadSupportedStates", {
  ogf: Ogf.LeController,
  ocf: 0x001c,
  supported: [28, 3],
  parameters: struct({}),
  returns: struct({ status: u8, leStates: u64 }),
});

/** HCI_LE_Read_Transmit_Power, Vol 4 Part E 7.8.74. */
export const LeReadTransmitPower = command("LeReadTransmitPower", {
  ogf: Ogf.LeController,
  ocf: 0x004b,
  supported: [38, 7],
  parameters: struct({}),
  returns: struct({ status: u8, minTxPower: i8, maxTxPower: i8 }), // dBm
});

/** HCI_LE_Read_Local_P-256_Public_Key, Vol 4 Part E 7.8.36. Ends with LeReadLocalP256PublicKeyComplete. */
export const LeReadLocalP256PublicKey = command("LeReadLocalP256PublicKey", {
  ogf: Ogf.LeController,
  ocf: 0x0025,
  supported: [34, 1],
  parameters: struct({}),
});

/** HCI_LE_Generate_DHKey [v1], Vol 4 Part E 7.8.37. Ends with LeGenerateDhKeyComplete. */
export const LeGenerateDhKey = command("LeGenerateDhKey", {
  ogf: Ogf.LeController,
  ocf: 0x0026,
  supported: [34, 2],
  parameters: struct({ keyXCoordinate: bytes(32), keyYCoordinate: bytes(32) }),
});

/** HCI_LE_Generate_DHKey [v2], Vol 4 Part E 7.8.37. */
export const LeGenerateDhKeyV2 = command("LeGenerateDhKeyV2", {
  ogf: Ogf.LeController,
  ocf: 0x005e,
  supported: [41, 2],
  parameters: struct({ keyXCoordinate: bytes(32), keyYCoordinate: bytes(32), keyType: u8 }),
});

/** HCI_LE_Modify_Sleep_Clock_Accuracy, Vol 4 Part E 7.8.94. */
export const LeModifySleepClockAccuracy = command("LeModifySleepClockAccuracy", {
  ogf: Ogf.LeController,
  ocf: 0x005f,
  supported: [41, 4],
  parameters: struct({ action: u8 }), // 0 more accurate, 1 less accurate
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_Host_Feature, Vol 4 Part E 7.8.115. For features that the host has to support too, such as ConnectionSubratingHostSupport. */
export const LeSetHostFeature = command("LeSetHostFeature", {
  ogf: Ogf.LeController,
  ocf: 0x0074,
  supported: [44, 1],
  parameters: struct({ bitNumber: u8, bitValue: bool8 }), // a bit of LeFeature
  returns: struct({ status: u8 }),
});
