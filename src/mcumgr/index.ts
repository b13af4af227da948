/// <reference lib="esnext.disposable" preserve="true" />

export { McumgrClient, type RawMcumgrAnswer, type RawMcumgrRequest } from "./client/client.ts";
export type { McumgrClientEvents } from "./client/events.ts";
export type { McumgrClientOptions, ResetOptions } from "./client/options.ts";
export {
  checkImageDigest,
  compareImageVersions,
  computeImageDigest,
  type DigestAlgorithm,
  describeImage,
  type Firmware,
  type FirmwareImage,
  type FirmwareManifest,
  formatImageVersion,
  type ImageDependency,
  type ImageDescription,
  type ImageDigest,
  type ImageDigestCheck,
  ImageFlag,
  type ImageHeader,
  type ImageTlv,
  ImageTlvType,
  type ImageTrailer,
  type ImageVersion,
  type IntelHex,
  type IntelHexOptions,
  imageFlagNames,
  imageTlvName,
  imageWarnings,
  isImage,
  isIntelHex,
  type ManifestFile,
  type McubootImage,
  parseImage,
  parseImageVersion,
  parseIntelHex,
  parseManifest,
  type ReadFirmwareOptions,
  readFirmware,
  verifyImage,
} from "./image/index.ts";
export { BleLink, type BleLinkOptions, type BleMcumgrPort, MCUMGR_CHARACTERISTIC, MCUMGR_SERVICE } from "./links/ble.ts";
export { type BleLinkOpenOptions, type BleTarget, createBleOpener, openBleLink } from "./links/ble-opener.ts";
export {
  ConsoleDecoder,
  type ConsoleDecoderHandlers,
  type ConsoleFault,
  type ConsoleFrameOptions,
  encodeConsoleFrame,
} from "./links/console-framing.ts";
export { ConsoleLink, type ConsoleLinkOptions, type ConsoleSizing } from "./links/console-link.ts";
export { type ConnectionLinkOptions, openConnectionLink } from "./links/device.ts";
export { type GattMcumgrServerOptions, serveMcumgrOverGatt } from "./links/gatt-server.ts";
export type { McumgrLink, OpenMcumgrLink, ServerBuffers } from "./links/link.ts";
export { createMemoryLinks, type MemoryLinkDirection, type MemoryLinks, type MemoryLinksOptions } from "./links/memory.ts";
export { createMemoryPorts, type MemoryPortsOptions } from "./links/memory-port.ts";
export type { OctetPort } from "./links/octet-port.ts";
export { RawLink, type RawLinkOptions } from "./links/raw-link.ts";
export { createStreamPort, type StreamPortOptions } from "./links/streams.ts";
export {
  createWebBluetoothOpener,
  openWebBluetoothLink,
  type WebBluetooth,
  type WebBluetoothCharacteristic,
  type WebBluetoothDevice,
  type WebBluetoothLinkOptions,
  type WebBluetoothRequest,
  type WebBluetoothServer,
  type WebBluetoothService,
} from "./links/web-bluetooth.ts";
export { encodeAnswer, failurePayload, readAnswer } from "./protocol/answer.ts";
export { CBOR_MAX_DEPTH, type CborLengths, type CborMap, type CborValue, cborLength, decodeCbor, encodeCbor } from "./protocol/cbor.ts";
export { type ErrorEntry, type ErrorTable, McumgrReturnCode } from "./protocol/codes.ts";
export {
  type AnyMcumgrCommand,
  type AnyMcumgrGroup,
  type Commands,
  command,
  type Exchange,
  group,
  type McumgrCommand,
  type McumgrGroup,
  type McumgrMethod,
  type McumgrMethods,
  type RequestOf,
  type ResponseOf,
} from "./protocol/declare.ts";
export { describeMessage, type McumgrMessageDetails } from "./protocol/details.ts";
export {
  errorOf,
  failureNames,
  ImageFileError,
  ImageMismatchError,
  McumgrError,
  type McumgrErrorNames,
  type McumgrFailure,
  McumgrRequestError,
  McumgrResponseError,
  MessageTooLongError,
  NotMcumgrServerError,
  UploadStalledError,
} from "./protocol/error.ts";
export {
  type AnyField,
  alias,
  bool,
  cbor,
  type Decoded,
  type Encodable,
  type Field,
  type Fields,
  flag,
  int,
  list,
  map,
  type NoFields,
  octets,
  optional,
  others,
  otherwise,
  type Presence,
  struct,
  text,
  uint,
  uint64,
} from "./protocol/fields.ts";
export { firstVersionCode } from "./protocol/first-version.ts";
export { McumgrGroups } from "./protocol/groups/index.ts";
export { LogLevel, LogType } from "./protocol/groups/log.ts";
export { BootloaderMode } from "./protocol/groups/os.ts";
export { ConfigurationType, TransportNumber } from "./protocol/groups/transports.ts";
export {
  decodeHeader,
  isResponseOp,
  MCUMGR_HEADER_LENGTH,
  MCUMGR_MAX_PAYLOAD,
  type McumgrHeader,
  type McumgrHeaderInit,
  McumgrOp,
  McumgrVersion,
} from "./protocol/header.ts";
export { decodeMessage, decodeMessages, encodeMessage, type McumgrMessage, splitMessage, splitMessages } from "./protocol/message.ts";
export { type KnownCommand, McumgrRegistry } from "./protocol/registry.ts";
export type { FileDownloadOptions, FileDownloadResult } from "./transfer/file-download.ts";
export type { FileTransferResult, FileUploadOptions } from "./transfer/file-upload.ts";
export type { McumgrFallback, McumgrLimits, TransferOptions } from "./transfer/host.ts";
export type { ImageUploadOptions, ImageUploadResult } from "./transfer/image-upload.ts";
export type { TransferProgress } from "./transfer/progress.ts";
export {
  describeUpgradeStep,
  type ImageCondition,
  type ImageSlotSizes,
  type ImageSlotState,
  type PlannedImage,
  planUpgrade,
  type ReadUpgradeFactsOptions,
  readUpgradeFacts,
  UpgradeError,
  type UpgradeEvent,
  type UpgradeFacts,
  type UpgradeFailure,
  type UpgradeMethod,
  type UpgradeObstacle,
  type UpgradeObstacleReason,
  type UpgradeOptions,
  type UpgradeOutcome,
  type UpgradePlan,
  type UpgradePlanOptions,
  type UpgradeResult,
  type UpgradeStep,
  type UpgradeStepKind,
  upgradeFirmware,
} from "./upgrade/index.ts";
