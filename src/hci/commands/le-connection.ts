import { bytes, struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { command, Ogf } from "../declare.ts";

/** HCI_LE_Create_Connection, Vol 4 Part E 7.8.12. Ends with LeConnectionComplete or LeEnhancedConnectionComplete. */
export const LeCreateConnection = command("LeCreateConnection", {
  ogf: Ogf.LeController,
  ocf: 0x000d,
  supported: [26, 4],
  parameters: struct({
    leScanInterval: u16, // units of 0.625 ms
    leScanWindow: u16, // units of 0.625 ms
    initiatorFilterPolicy: u8, // 0: the peer address below, 1: the Filter Accept List
    peerAddressType: u8, // AddressType; 2 and 3 are identity addresses of the resolving list
    peerAddress: bytes(6),
    ownAddressType: u8,
    connectionIntervalMin: u16, // units of 1.25 ms
    connectionIntervalMax: u16, // units of 1.25 ms
    maxLatency: u16, // connection events
    supervisionTimeout: u16, // units of 10 ms
    minCeLength: u16, // units of 0.625 ms
    maxCeLength: u16, // units of 0.625 ms
  }),
});

/** HCI_LE_Create_Connection_Cancel, Vol 4 Part E 7.8.13. The connection complete event follows with Unknown Connection Identifier. */
export const LeCreateConnectionCancel = command("LeCreateConnectionCancel", {
  ogf: Ogf.LeController,
  ocf: 0x000e,
  supported: [26, 5],
  parameters: struct({}),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Connection_Update, Vol 4 Part E 7.8.18. Ends with LeConnectionUpdateComplete. */
export const LeConnectionUpdate = command("LeConnectionUpdate", {
  ogf: Ogf.LeController,
  ocf: 0x0013,
  supported: [27, 2],
  parameters: struct({
    connectionHandle: handle,
    connectionIntervalMin: u16, // units of 1.25 ms
    connectionIntervalMax: u16, // units of 1.25 ms
    maxLatency: u16, // connection events
    supervisionTimeout: u16, // units of 10 ms
    minCeLength: u16, // units of 0.625 ms
    maxCeLength: u16, // units of 0.625 ms
  }),
});

/** HCI_LE_Set_Host_Channel_Classification, Vol 4 Part E 7.8.19. */
export const LeSetHostChannelClassification = command("LeSetHostChannelClassification", {
  ogf: Ogf.LeController,
  ocf: 0x0014,
  supported: [27, 3],
  parameters: struct({ channelMap: bytes(5) }), // bit n: data channel n, 37 of them
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Channel_Map, Vol 4 Part E 7.8.20. */
export const LeReadChannelMap = command("LeReadChannelMap", {
  ogf: Ogf.LeController,
  ocf: 0x0015,
  supported: [27, 4],
  parameters: struct({ connectionHandle: handle }),
  returns: struct({ status: u8, connectionHandle: handle, channelMap: bytes(5) }),
});

/** HCI_LE_Read_Remote_Features, Vol 4 Part E 7.8.21. Ends with LeReadRemoteFeaturesComplete. */
export const LeReadRemoteFeatures = command("LeReadRemoteFeatures", {
  ogf: Ogf.LeController,
  ocf: 0x0016,
  supported: [27, 5],
  parameters: struct({ connectionHandle: handle }),
});

/** HCI_LE_Enable_Encryption, Vol 4 Part E 7.8.24. Ends with EncryptionChange or EncryptionKeyRefreshComplete. */
export const LeEnableEncryption = command("LeEnableEncryption", {
  ogf: Ogf.LeController,
  ocf: 0x0019,
  supported: [28, 0],
  parameters: struct({
    connectionHandle: handle,
    randomNumber: bytes(8),
    encryptedDiversifier: u16,
    longTermKey: bytes(16), // least significant octet first
  }),
});

/** HCI_LE_Long_Term_Key_Request_Reply, Vol 4 Part E 7.8.25. */
export const LeLongTermKeyRequestReply = command("LeLongTermKeyRequestReply", {
  ogf: Ogf.LeController,
  ocf: 0x001a,
  supported: [28, 1],
  parameters: struct({ connectionHandle: handle, longTermKey: bytes(16) }), // least significant octet first
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Long_Term_Key_Request_Negative_Reply, Vol 4 Part E 7.8.26. */
export const LeLongTermKeyRequestNegativeReply = command("LeLongTermKeyRequestNegativeReply", {
  ogf: Ogf.LeController,
  ocf: 0x001b,
  supported: [28, 2],
  parameters: struct({ connectionHandle: handle }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Remote_Connection_Parameter_Request_Reply, Vol 4 Part E 7.8.31. */
export const LeRemoteConnectionParameterRequestReply = command("LeRemoteConnectionParameterRequestReply", {
  ogf: Ogf.LeController,
  ocf: 0x0020,
  supported: [33, 4],
  parameters: struct({
    connectionHandle: handle,
    intervalMin: u16, // units of 1.25 ms
    intervalMax: u16, // units of 1.25 ms
    maxLatency: u16, // connection events
    timeout: u16, // units of 10 ms
    minCeLength: u16, // units of 0.625 ms
    maxCeLength: u16, // units of 0.625 ms
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Remote_Connection_Parameter_Request_Negative_Reply, Vol 4 Part E 7.8.32. */
export const LeRemoteConnectionParameterRequestNegativeReply = command("LeRemoteConnectionParameterRequestNegativeReply", {
  ogf: Ogf.LeController,
  ocf: 0x0021,
  supported: [33, 5],
  parameters: struct({ connectionHandle: handle, reason: u8 }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Set_Data_Length, Vol 4 Part E 7.8.33. */
export const LeSetDataLength = command("LeSetDataLength", {
  ogf: Ogf.LeController,
  ocf: 0x0022,
  supported: [33, 6],
  parameters: struct({
    connectionHandle: handle,
    txOctets: u16, // 27 to 251
    txTime: u16, // microseconds, 328 to 17040
  }),
  returns: struct({ status: u8, connectionHandle: handle }),
});

/** HCI_LE_Read_Suggested_Default_Data_Length, Vol 4 Part E 7.8.34. */
export const LeReadSuggestedDefaultDataLength = command("LeReadSuggestedDefaultDataLength", {
  ogf: Ogf.LeController,
  ocf: 0x0023,
  supported: [33, 7],
  parameters: struct({}),
  returns: struct({ status: u8, suggestedMaxTxOctets: u16, suggestedMaxTxTime: u16 }),
});

/** HCI_LE_Write_Suggested_Default_Data_Length, Vol 4 Part E 7.8.35. */
export const LeWriteSuggestedDefaultDataLength = command("LeWriteSuggestedDefaultDataLength", {
  ogf: Ogf.LeController,
  ocf: 0x0024,
  supported: [34, 0],
  parameters: struct({ suggestedMaxTxOctets: u16, suggestedMaxTxTime: u16 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Read_Maximum_Data_Length, Vol 4 Part E 7.8.46. */
export const LeReadMaximumDataLength = command("LeReadMaximumDataLength", {
  ogf: Ogf.LeController,
  ocf: 0x002f,
  supported: [35, 3],
  parameters: struct({}),
  returns: struct({ status: u8, supportedMaxTxOctets: u16, supportedMaxTxTime: u16, supportedMaxRxOctets: u16, supportedMaxRxTime: u16 }),
});

/** HCI_LE_Read_PHY, Vol 4 Part E 7.8.47. */
export const LeReadPhy = command("LeReadPhy", {
  ogf: Ogf.LeController,
  ocf: 0x0030,
  supported: [35, 4],
  parameters: struct({ connectionHandle: handle }),
  returns: struct({ status: u8, connectionHandle: handle, txPhy: u8, rxPhy: u8 }), // 1 LE 1M, 2 LE 2M, 3 LE Coded
});

/** HCI_LE_Set_Default_PHY, Vol 4 Part E 7.8.48. Masks: bit 0 LE 1M, bit 1 LE 2M, bit 2 LE Coded. */
export const LeSetDefaultPhy = command("LeSetDefaultPhy", {
  ogf: Ogf.LeController,
  ocf: 0x0031,
  supported: [35, 5],
  parameters: struct({ allPhys: u8, txPhys: u8, rxPhys: u8 }),
  returns: struct({ status: u8 }),
});

/** HCI_LE_Set_PHY, Vol 4 Part E 7.8.49. Ends with LePhyUpdateComplete. */
export const LeSetPhy = command("LeSetPhy", {
  ogf: Ogf.LeController,
  ocf: 0x0032,
  supported: [35, 6],
  parameters: struct({ connectionHandle: handle, allPhys: u8, txPhys: u8, rxPhys: u8, phyOptions: u16 }),
});

/** HCI_LE_Request_Peer_SCA, Vol 4 Part E 7.8.108. Ends with LeRequestPeerScaComplete. */
export const LeRequestPeerSca = command("LeRequestPeerSca", {
  ogf: Ogf.LeController,
  ocf: 0x006d,
  supported: [43, 2],
  parameters: struct({ connectionHandle: handle }),
});
