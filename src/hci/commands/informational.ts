import { bytes, i8, struct, u8, u16, u64 } from "../../bytes/index.ts";
import { handle, publicAddress } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_Read_Local_Version_Information, Vol 4 Part E 7.4.1. */
export const ReadLocalVersionInformation = command("ReadLocalVersionInformation", {
  ogf: Ogf.InformationalParameters,
  ocf: 0x0001,
  supported: [14, 3],
  parameters: struct({}),
  returns: struct({ status: u8, hciVersion: u8, hciSubversion: u16, lmpVersion: u8, companyIdentifier: u16, lmpSubversion: u16 }),
});

/** HCI_Read_Local_Supported_Commands, Vol 4 Part E 7.4.2. Has no bit of its own in what it returns. */
export const ReadLocalSupportedCommands = command("ReadLocalSupportedCommands", {
  ogf: Ogf.InformationalParameters,
  ocf: 0x0002,
  parameters: struct({}),
  returns: struct({ status: u8, supportedCommands: bytes(64) }),
});

/** HCI_Read_Local_Supported_Features, Vol 4 Part E 7.4.3. LMP features: bit 37 BR/EDR not supported, bit 38 LE supported. */
export const ReadLocalSupportedFeatures = command("ReadLocalSupportedFeatures", {
  ogf: Ogf.InformationalParameters,
  ocf: 0x0003,
  supported: [14, 5],
  parameters: struct({}),
  returns: struct({ status: u8, lmpFeatures: u64 }),
});

/** HCI_Read_Buffer_Size, Vol 4 Part E 7.4.5. BR/EDR buffers, shared with LE where LE Read Buffer Size says 0. */
export const ReadBufferSize = command("ReadBufferSize", {
  ogf: Ogf.InformationalParameters,
  ocf: 0x0005,
  supported: [14, 7],
  parameters: struct({}),
  returns: struct({
    status: u8,
    aclDataPacketLength: u16,
    synchronousDataPacketLength: u8,
    totalNumAclDataPackets: u16,
    totalNumSynchronousDataPackets: u16,
  }),
});

/** HCI_Read_BD_ADDR, Vol 4 Part E 7.4.6. All zeros where an LE controller has no public address. */
export const ReadBdAddr = command("ReadBdAddr", {
  ogf: Ogf.InformationalParameters,
  ocf: 0x0009,
  supported: [15, 1],
  parameters: struct({}),
  returns: struct({ status: u8, bdAddr: publicAddress }),
});

/** HCI_Read_RSSI, Vol 4 Part E 7.5.4. */
export const ReadRssi = command("ReadRssi", {
  ogf: Ogf.StatusParameters,
  ocf: 0x0005,
  supported: [15, 5],
  parameters: struct({ handle }),
  returns: struct({ status: u8, handle, rssi: i8 }), // dBm; 127 not available
});
