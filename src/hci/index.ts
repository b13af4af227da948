/// <reference lib="esnext.disposable" preserve="true" />
export { type AclLink, AclManager } from "./acl.ts";
export {
  HostBufferSize,
  HostNumberOfCompletedPackets,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
  SetEventMaskPage2,
  WriteLeHostSupport,
} from "./commands/controller-baseband.ts";
export {
  ReadBdAddr,
  ReadBufferSize,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadLocalVersionInformation,
  ReadRssi,
} from "./commands/informational.ts";
export {
  LeReadAdvertisingPhysicalChannelTxPower,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetScanResponseData,
} from "./commands/le-advertising.ts";
export {
  LeConnectionUpdate,
  LeCreateConnection,
  LeCreateConnectionCancel,
  LeEnableEncryption,
  LeLongTermKeyRequestNegativeReply,
  LeLongTermKeyRequestReply,
  LeReadChannelMap,
  LeReadMaximumDataLength,
  LeReadPhy,
  LeReadRemoteFeatures,
  LeReadSuggestedDefaultDataLength,
  LeRemoteConnectionParameterRequestNegativeReply,
  LeRemoteConnectionParameterRequestReply,
  LeSetDataLength,
  LeSetDefaultPhy,
  LeSetHostChannelClassification,
  LeSetPhy,
  LeWriteSuggestedDefaultDataLength,
} from "./commands/le-connection.ts";
export {
  LeEncrypt,
  LeGenerateDhKey,
  LeGenerateDhKeyV2,
  LeRand,
  LeReadBufferSize,
  LeReadBufferSizeV2,
  LeReadLocalP256PublicKey,
  LeReadLocalSupportedFeatures,
  LeReadSupportedStates,
  LeReadTransmitPower,
  LeSetEventMask,
  LeSetRandomAddress,
} from "./commands/le-controller.ts";
export {
  LeAddDeviceToResolvingList,
  LeClearResolvingList,
  LeReadLocalResolvableAddress,
  LeReadPeerResolvableAddress,
  LeReadResolvingListSize,
  LeRemoveDeviceFromResolvingList,
  LeSetAddressResolutionEnable,
  LeSetPrivacyMode,
  LeSetResolvablePrivateAddressTimeout,
} from "./commands/le-privacy.ts";
export {
  LeAddDeviceToFilterAcceptList,
  LeClearFilterAcceptList,
  LeReadFilterAcceptListSize,
  LeRemoveDeviceFromFilterAcceptList,
  LeSetScanEnable,
  LeSetScanParameters,
} from "./commands/le-scanning.ts";
export { Disconnect, ReadRemoteVersionInformation } from "./commands/link-control.ts";
export type { ControllerInfo } from "./controller-info.ts";
export {
  type CommandDeclaration,
  command,
  EventCode,
  type EventDeclaration,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  event,
  eventKey,
  Ogf,
  opcodeText,
} from "./declare.ts";
export { type DecodedCommand, type DecodedEvent, decodeCommand, decodeEvent } from "./decode.ts";
export { ControllerError, DISCONNECT_REASONS, DisconnectedError, HciError, HciErrorCode, hciErrorText } from "./error.ts";
export {
  CommandComplete,
  CommandStatus,
  DataBufferOverflow,
  DisconnectionComplete,
  EncryptionChange,
  EncryptionChangeV2,
  EncryptionKeyRefreshComplete,
  HardwareError,
  NumberOfCompletedPackets,
  ReadRemoteVersionInformationComplete,
} from "./events/generic.ts";
export {
  LeAdvertisingReport,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeDataLengthChange,
  LeDirectedAdvertisingReport,
  LeEnhancedConnectionComplete,
  LeGenerateDhKeyComplete,
  LeLongTermKeyRequest,
  LePhyUpdateComplete,
  LeReadLocalP256PublicKeyComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "./events/le-meta.ts";
export { LeFeature } from "./features.ts";
export { allocateFrame } from "./frame-memory.ts";
export { Hci, type HciOptions } from "./hci.ts";
export { type HciDirection, Redactor } from "./redaction/redactor.ts";
export { commands, events } from "./registry.ts";
export { type HciTransport, PacketType, TransportClosed, TransportError } from "./transport.ts";
