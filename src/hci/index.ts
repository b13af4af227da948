/// <reference lib="esnext.disposable" preserve="true" />
export { type AclLink, AclManager } from "./acl.ts";
export {
  HostBufferSize,
  HostNumberOfCompletedPackets,
  ReadAuthenticatedPayloadTimeout,
  ReadEnhancedTransmitPowerLevel,
  ReadLeHostSupport,
  ReadTransmitPowerLevel,
  Reset,
  SetControllerToHostFlowControl,
  SetEventMask,
  SetEventMaskPage2,
  WriteAuthenticatedPayloadTimeout,
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
  LeRequestPeerSca,
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
  LeModifySleepClockAccuracy,
  LeRand,
  LeReadBufferSize,
  LeReadBufferSizeV2,
  LeReadLocalP256PublicKey,
  LeReadLocalSupportedFeatures,
  LeReadSupportedStates,
  LeReadTransmitPower,
  LeSetEventMask,
  LeSetHostFeature,
  LeSetRandomAddress,
} from "./commands/le-controller.ts";
export {
  LeConnectionCteRequestEnable,
  LeConnectionCteResponseEnable,
  LeReadAntennaInformation,
  LeSetConnectionCteReceiveParameters,
  LeSetConnectionCteTransmitParameters,
  LeSetConnectionlessCteTransmitEnable,
  LeSetConnectionlessCteTransmitParameters,
  LeSetConnectionlessIqSamplingEnable,
} from "./commands/le-direction-finding.ts";
export {
  LeClearAdvertisingSets,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeSetAdvertisingSetRandomAddress,
  LeSetDataRelatedAddressChanges,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanResponseData,
} from "./commands/le-extended-advertising.ts";
export {
  LeExtendedCreateConnection,
  LeExtendedCreateConnectionV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
} from "./commands/le-extended-scanning.ts";
export {
  LeSetPeriodicAdvertisingData,
  LeSetPeriodicAdvertisingEnable,
  LeSetPeriodicAdvertisingParameters,
  LeSetPeriodicAdvertisingParametersV2,
  LeSetPeriodicAdvertisingResponseData,
  LeSetPeriodicAdvertisingSubeventData,
  LeSetPeriodicSyncSubevent,
} from "./commands/le-periodic-advertising.ts";
export {
  LeAddDeviceToPeriodicAdvertiserList,
  LeClearPeriodicAdvertiserList,
  LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingCreateSyncCancel,
  LePeriodicAdvertisingSetInfoTransfer,
  LePeriodicAdvertisingSyncTransfer,
  LePeriodicAdvertisingTerminateSync,
  LeReadPeriodicAdvertiserListSize,
  LeRemoveDeviceFromPeriodicAdvertiserList,
  LeSetDefaultPeriodicAdvertisingSyncTransferParameters,
  LeSetPeriodicAdvertisingReceiveEnable,
  LeSetPeriodicAdvertisingSyncTransferParameters,
} from "./commands/le-periodic-sync.ts";
export {
  LeEnhancedReadTransmitPowerLevel,
  LeReadRemoteTransmitPowerLevel,
  LeReadRfPathCompensation,
  LeSetPathLossReportingEnable,
  LeSetPathLossReportingParameters,
  LeSetTransmitPowerReportingEnable,
  LeWriteRfPathCompensation,
} from "./commands/le-power.ts";
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
export {
  LeSetDefaultSubrate,
  LeSubrateRequest,
} from "./commands/le-subrating.ts";
export {
  LeReceiverTest,
  LeReceiverTestV2,
  LeReceiverTestV3,
  LeTestEnd,
  LeTransmitterTest,
  LeTransmitterTestV2,
  LeTransmitterTestV3,
  LeTransmitterTestV4,
} from "./commands/le-test.ts";
export {
  Disconnect,
  ReadRemoteVersionInformation,
} from "./commands/link-control.ts";
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
export { DISCONNECT_REASONS } from "./disconnect-reasons.ts";
export { ControllerError, DisconnectedError, HciError, HciErrorCode, hciErrorText } from "./error.ts";
export {
  AuthenticatedPayloadTimeoutExpired,
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
  LeConnectionIqReport,
  LeConnectionlessIqReport,
  LeCteRequestFailed,
} from "./events/le-direction-finding.ts";
export {
  LeAdvertisingSetTerminated,
  LeExtendedAdvertisingReport,
  LeScanRequestReceived,
  LeScanTimeout,
} from "./events/le-extended-advertising.ts";
export {
  LePathLossThreshold,
  LeRequestPeerScaComplete,
  LeSubrateChange,
  LeTransmitPowerReporting,
} from "./events/le-links.ts";
export {
  LeAdvertisingReport,
  LeChannelSelectionAlgorithm,
  LeConnectionComplete,
  LeConnectionUpdateComplete,
  LeDataLengthChange,
  LeDirectedAdvertisingReport,
  LeEnhancedConnectionComplete,
  LeEnhancedConnectionCompleteV2,
  LeGenerateDhKeyComplete,
  LeLongTermKeyRequest,
  LePhyUpdateComplete,
  LeReadLocalP256PublicKeyComplete,
  LeReadRemoteFeaturesComplete,
  LeRemoteConnectionParameterRequest,
} from "./events/le-meta.ts";
export {
  LePeriodicAdvertisingReport,
  LePeriodicAdvertisingReportV2,
  LePeriodicAdvertisingResponseReport,
  LePeriodicAdvertisingSubeventDataRequest,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
} from "./events/le-periodic-advertising.ts";
export { LeFeature, leFeatureNames } from "./features.ts";
export { allocateFrame } from "./frame-memory.ts";
export { Hci } from "./hci.ts";
export type { HciOptions } from "./hci-options.ts";
export type { HciRecovered, HciRecovery } from "./recovery.ts";
export { type HciDirection, Redactor } from "./redaction/redactor.ts";
export { commands, events } from "./registry.ts";
export { type HciTransport, PacketType, TransportClosed, TransportError } from "./transport.ts";
