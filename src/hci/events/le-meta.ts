import { bytes, bytes8, type Infer, i8, list, struct, typedAddress, u8, u16, u64 } from "../../bytes/index.ts";
import { handle, randomAddress } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

const eventCode = EventCode.LeMeta;

/** HCI_LE_Connection_Complete, Vol 4 Part E 7.7.65.1. Everything after `status` is valid only when it is 0x00. */
export const LeConnectionComplete = event("LeConnectionComplete", {
  eventCode,
  subeventCode: 0x01,
  parameters: struct({
    status: u8,
    connectionHandle: handle,
    role: u8, // 0 central, 1 peripheral
    peerAddress: typedAddress,
    connectionInterval: u16, // units of 1.25 ms
    peripheralLatency: u16, // connection events
    supervisionTimeout: u16, // units of 10 ms
    centralClockAccuracy: u8,
  }),
});
export type LeConnectionComplete = Infer<typeof LeConnectionComplete.parameters>;

/** HCI_LE_Advertising_Report, Vol 4 Part E 7.7.65.2. The fields of a report stand together on the wire. */
export const LeAdvertisingReport = event("LeAdvertisingReport", {
  eventCode,
  subeventCode: 0x02,
  parameters: struct({
    reports: list(
      u8,
      struct({
        eventType: u8, // 0 ADV_IND, 1 ADV_DIRECT_IND, 2 ADV_SCAN_IND, 3 ADV_NONCONN_IND, 4 SCAN_RSP
        addressType: u8, // AddressType; 2 and 3 where the controller resolved the address
        address: bytes(6),
        data: bytes8,
        rssi: i8, // dBm; 127 not available
      }),
    ),
  }),
});
export type LeAdvertisingReport = Infer<typeof LeAdvertisingReport.parameters>;

/** HCI_LE_Connection_Update_Complete, Vol 4 Part E 7.7.65.3. */
export const LeConnectionUpdateComplete = event("LeConnectionUpdateComplete", {
  eventCode,
  subeventCode: 0x03,
  parameters: struct({
    status: u8,
    connectionHandle: handle,
    connectionInterval: u16, // units of 1.25 ms
    peripheralLatency: u16, // connection events
    supervisionTimeout: u16, // units of 10 ms
  }),
});
export type LeConnectionUpdateComplete = Infer<typeof LeConnectionUpdateComplete.parameters>;

/** HCI_LE_Read_Remote_Features_Complete, Vol 4 Part E 7.7.65.4. */
export const LeReadRemoteFeaturesComplete = event("LeReadRemoteFeaturesComplete", {
  eventCode,
  subeventCode: 0x04,
  parameters: struct({ status: u8, connectionHandle: handle, leFeatures: u64 }),
});
export type LeReadRemoteFeaturesComplete = Infer<typeof LeReadRemoteFeaturesComplete.parameters>;

/** HCI_LE_Long_Term_Key_Request, Vol 4 Part E 7.7.65.5. */
export const LeLongTermKeyRequest = event("LeLongTermKeyRequest", {
  eventCode,
  subeventCode: 0x05,
  parameters: struct({ connectionHandle: handle, randomNumber: bytes(8), encryptedDiversifier: u16 }),
});
export type LeLongTermKeyRequest = Infer<typeof LeLongTermKeyRequest.parameters>;

/** HCI_LE_Remote_Connection_Parameter_Request, Vol 4 Part E 7.7.65.6. */
export const LeRemoteConnectionParameterRequest = event("LeRemoteConnectionParameterRequest", {
  eventCode,
  subeventCode: 0x06,
  parameters: struct({
    connectionHandle: handle,
    intervalMin: u16, // units of 1.25 ms
    intervalMax: u16, // units of 1.25 ms
    maxLatency: u16, // connection events
    timeout: u16, // units of 10 ms
  }),
});
export type LeRemoteConnectionParameterRequest = Infer<typeof LeRemoteConnectionParameterRequest.parameters>;

/** HCI_LE_Data_Length_Change, Vol 4 Part E 7.7.65.7. Times in microseconds. */
export const LeDataLengthChange = event("LeDataLengthChange", {
  eventCode,
  subeventCode: 0x07,
  parameters: struct({ connectionHandle: handle, maxTxOctets: u16, maxTxTime: u16, maxRxOctets: u16, maxRxTime: u16 }),
});
export type LeDataLengthChange = Infer<typeof LeDataLengthChange.parameters>;

/** HCI_LE_Read_Local_P-256_Public_Key_Complete, Vol 4 Part E 7.7.65.8. Coordinates least significant octet first. */
export const LeReadLocalP256PublicKeyComplete = event("LeReadLocalP256PublicKeyComplete", {
  eventCode,
  subeventCode: 0x08,
  parameters: struct({ status: u8, keyXCoordinate: bytes(32), keyYCoordinate: bytes(32) }),
});
export type LeReadLocalP256PublicKeyComplete = Infer<typeof LeReadLocalP256PublicKeyComplete.parameters>;

/** HCI_LE_Generate_DHKey_Complete, Vol 4 Part E 7.7.65.9. */
export const LeGenerateDhKeyComplete = event("LeGenerateDhKeyComplete", {
  eventCode,
  subeventCode: 0x09,
  parameters: struct({ status: u8, dhKey: bytes(32) }),
});
export type LeGenerateDhKeyComplete = Infer<typeof LeGenerateDhKeyComplete.parameters>;

const enhancedConnection = {
  status: u8,
  connectionHandle: handle,
  role: u8, // 0 central, 1 peripheral
  peerAddressType: u8, // AddressType; 2 and 3 are identity addresses of the resolving list
  peerAddress: bytes(6),
  localResolvablePrivateAddress: randomAddress, // zeros where the controller did not use one
  peerResolvablePrivateAddress: randomAddress, // zeros where the controller did not resolve one
  connectionInterval: u16, // units of 1.25 ms
  peripheralLatency: u16, // connection events
  supervisionTimeout: u16, // units of 10 ms
  centralClockAccuracy: u8,
};

/** HCI_LE_Enhanced_Connection_Complete [v1], Vol 4 Part E 7.7.65.10. Sent in place of LeConnectionComplete where it is not masked. */
export const LeEnhancedConnectionComplete = event("LeEnhancedConnectionComplete", {
  eventCode,
  subeventCode: 0x0a,
  parameters: struct(enhancedConnection),
});
export type LeEnhancedConnectionComplete = Infer<typeof LeEnhancedConnectionComplete.parameters>;

/** HCI_LE_Enhanced_Connection_Complete [v2], Vol 4 Part E 7.7.65.10. Sent in place of the first version where it is not masked. */
export const LeEnhancedConnectionCompleteV2 = event("LeEnhancedConnectionCompleteV2", {
  eventCode,
  subeventCode: 0x29,
  parameters: struct({
    ...enhancedConnection,
    advertisingHandle: u8, // 0x00 to 0xEF of the periodic advertising with responses that brought the link, 0xFF none
    syncHandle: u16, // 0x0000 to 0x0EFF of the train that brought the link, 0xFFFF none
  }),
});
export type LeEnhancedConnectionCompleteV2 = Infer<typeof LeEnhancedConnectionCompleteV2.parameters>;

/** HCI_LE_Directed_Advertising_Report, Vol 4 Part E 7.7.65.11. */
export const LeDirectedAdvertisingReport = event("LeDirectedAdvertisingReport", {
  eventCode,
  subeventCode: 0x0b,
  parameters: struct({
    reports: list(
      u8,
      struct({
        eventType: u8, // 1 ADV_DIRECT_IND
        addressType: u8,
        address: bytes(6),
        directAddressType: u8,
        directAddress: bytes(6),
        rssi: i8, // dBm; 127 not available
      }),
    ),
  }),
});
export type LeDirectedAdvertisingReport = Infer<typeof LeDirectedAdvertisingReport.parameters>;

/** HCI_LE_PHY_Update_Complete, Vol 4 Part E 7.7.65.12. 1 LE 1M, 2 LE 2M, 3 LE Coded. */
export const LePhyUpdateComplete = event("LePhyUpdateComplete", {
  eventCode,
  subeventCode: 0x0c,
  parameters: struct({ status: u8, connectionHandle: handle, txPhy: u8, rxPhy: u8 }),
});
export type LePhyUpdateComplete = Infer<typeof LePhyUpdateComplete.parameters>;

/** HCI_LE_Channel_Selection_Algorithm, Vol 4 Part E 7.7.65.20. */
export const LeChannelSelectionAlgorithm = event("LeChannelSelectionAlgorithm", {
  eventCode,
  subeventCode: 0x14,
  parameters: struct({ connectionHandle: handle, channelSelectionAlgorithm: u8 }), // 0 is #1, 1 is #2
});
export type LeChannelSelectionAlgorithm = Infer<typeof LeChannelSelectionAlgorithm.parameters>;
