import { type Infer, list, rest, struct, u8, u16 } from "../../bytes/index.ts";
import { handle } from "../codecs.ts";
import { EventCode, event } from "../declare.ts";

/** HCI_Disconnection_Complete, Vol 4 Part E 7.7.5. */
export const DisconnectionComplete = event("DisconnectionComplete", {
  eventCode: EventCode.DisconnectionComplete,
  parameters: struct({ status: u8, connectionHandle: handle, reason: u8 }),
});
export type DisconnectionComplete = Infer<typeof DisconnectionComplete.parameters>;

/** HCI_Encryption_Change [v1], Vol 4 Part E 7.7.8. */
export const EncryptionChange = event("EncryptionChange", {
  eventCode: EventCode.EncryptionChange,
  parameters: struct({ status: u8, connectionHandle: handle, encryptionEnabled: u8 }), // on an LE link 0 off, 1 AES-CCM
});
export type EncryptionChange = Infer<typeof EncryptionChange.parameters>;

/** HCI_Encryption_Change [v2], Vol 4 Part E 7.7.8. */
export const EncryptionChangeV2 = event("EncryptionChangeV2", {
  eventCode: 0x59,
  parameters: struct({ status: u8, connectionHandle: handle, encryptionEnabled: u8, encryptionKeySize: u8 }),
});
export type EncryptionChangeV2 = Infer<typeof EncryptionChangeV2.parameters>;

/** HCI_Read_Remote_Version_Information_Complete, Vol 4 Part E 7.7.12. */
export const ReadRemoteVersionInformationComplete = event("ReadRemoteVersionInformationComplete", {
  eventCode: 0x0c,
  parameters: struct({ status: u8, connectionHandle: handle, version: u8, companyIdentifier: u16, subversion: u16 }),
});
export type ReadRemoteVersionInformationComplete = Infer<typeof ReadRemoteVersionInformationComplete.parameters>;

/** HCI_Command_Complete, Vol 4 Part E 7.7.14. Opcode 0x0000 only changes how many commands may be sent. */
export const CommandComplete = event("CommandComplete", {
  eventCode: EventCode.CommandComplete,
  parameters: struct({ numHciCommandPackets: u8, commandOpcode: u16, returnParameters: rest }),
});
export type CommandComplete = Infer<typeof CommandComplete.parameters>;

/** HCI_Command_Status, Vol 4 Part E 7.7.15. Opcode 0x0000 only changes how many commands may be sent. */
export const CommandStatus = event("CommandStatus", {
  eventCode: EventCode.CommandStatus,
  parameters: struct({ status: u8, numHciCommandPackets: u8, commandOpcode: u16 }),
});
export type CommandStatus = Infer<typeof CommandStatus.parameters>;

/** HCI_Hardware_Error, Vol 4 Part E 7.7.16. */
export const HardwareError = event("HardwareError", { eventCode: EventCode.HardwareError, parameters: struct({ hardwareCode: u8 }) });
export type HardwareError = Infer<typeof HardwareError.parameters>;

/** HCI_Number_Of_Completed_Packets, Vol 4 Part E 7.7.19. Handle and count alternate on the wire. */
export const NumberOfCompletedPackets = event("NumberOfCompletedPackets", {
  eventCode: EventCode.NumberOfCompletedPackets,
  parameters: struct({ handles: list(u8, struct({ connectionHandle: handle, numCompletedPackets: u16 })) }),
});
export type NumberOfCompletedPackets = Infer<typeof NumberOfCompletedPackets.parameters>;

/** HCI_Data_Buffer_Overflow, Vol 4 Part E 7.7.26. */
export const DataBufferOverflow = event("DataBufferOverflow", {
  eventCode: EventCode.DataBufferOverflow,
  parameters: struct({ linkType: u8 }), // 0 synchronous, 1 ACL, 2 ISO
});
export type DataBufferOverflow = Infer<typeof DataBufferOverflow.parameters>;

/** HCI_Encryption_Key_Refresh_Complete, Vol 4 Part E 7.7.39. */
export const EncryptionKeyRefreshComplete = event("EncryptionKeyRefreshComplete", {
  eventCode: 0x30,
  parameters: struct({ status: u8, connectionHandle: handle }),
});
export type EncryptionKeyRefreshComplete = Infer<typeof EncryptionKeyRefreshComplete.parameters>;

/** HCI_Authenticated_Payload_Timeout_Expired, Vol 4 Part E 7.7.75. */
export const AuthenticatedPayloadTimeoutExpired = event("AuthenticatedPayloadTimeoutExpired", {
  eventCode: 0x57,
  parameters: struct({ connectionHandle: handle }),
});
export type AuthenticatedPayloadTimeoutExpired = Infer<typeof AuthenticatedPayloadTimeoutExpired.parameters>;
