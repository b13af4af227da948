import {
  AddAdvertisementPatternsMonitor,
  AddAdvertisementPatternsMonitorWithRssiThreshold,
  ReadAdvertisementMonitorFeatures,
  RemoveAdvertisementMonitor,
} from "./commands/advertisement-monitors.ts";
import {
  AddAdvertising,
  AddExtendedAdvertisingData,
  AddExtendedAdvertisingParameters,
  GetAdvertisingSizeInformation,
  ReadAdvertisingFeatures,
  RemoveAdvertising,
} from "./commands/advertising.ts";
import {
  GetPhyConfiguration,
  ReadDefaultRuntimeConfiguration,
  ReadDefaultSystemConfiguration,
  ReadExperimentalFeaturesInformation,
  SendHciCommandAndWaitForEvent,
  SetDefaultRuntimeConfiguration,
  SetDefaultSystemConfiguration,
  SetExperimentalFeature,
  SetPhyConfiguration,
} from "./commands/configuration.ts";
import {
  ReadControllerCapabilities,
  ReadControllerConfigurationInformation,
  ReadControllerIndexList,
  ReadControllerInformation,
  ReadExtendedControllerIndexList,
  ReadExtendedControllerInformation,
  ReadManagementSupportedCommands,
  ReadManagementVersionInformation,
  ReadUnconfiguredControllerIndexList,
  SetExternalConfiguration,
  SetPublicAddress,
} from "./commands/controller.ts";
import {
  AddDevice,
  BlockDevice,
  Disconnect,
  GetClockInformation,
  GetConnectionInformation,
  GetConnections,
  GetDeviceFlags,
  LoadConnectionParameters,
  LoadConnectionSubrate,
  RemoveDevice,
  SetDeviceFlags,
  UnblockDevice,
} from "./commands/devices.ts";
import { ConfirmName, StartDiscovery, StartLimitedDiscovery, StartServiceDiscovery, StopDiscovery } from "./commands/discovery.ts";
import { AddUuid, RemoveUuid, SetAppearance, SetDeviceClass, SetDeviceId, SetLocalName } from "./commands/identity.ts";
import { LoadBlockedKeys, LoadIdentityResolvingKeys, LoadLinkKeys, LoadLongTermKeys } from "./commands/keys.ts";
import { CancelTransmitMeshPacket, ReadMeshFeatures, SetMeshReceiver, TransmitMeshPacket } from "./commands/mesh.ts";
import {
  AddRemoteOutOfBandData,
  CancelPairDevice,
  PairDevice,
  PinCodeNegativeReply,
  PinCodeReply,
  ReadLocalOutOfBandData,
  ReadLocalOutOfBandExtendedData,
  RemoveRemoteOutOfBandData,
  SetIoCapability,
  UnpairDevice,
  UserConfirmationNegativeReply,
  UserConfirmationReply,
  UserPasskeyNegativeReply,
  UserPasskeyReply,
} from "./commands/pairing.ts";
import {
  SetAdvertising,
  SetBondable,
  SetBredr,
  SetConnectable,
  SetDebugKeys,
  SetDiscoverable,
  SetFastConnectable,
  SetHighSpeed,
  SetLinkSecurity,
  SetLowEnergy,
  SetPowered,
  SetPrivacy,
  SetScanParameters,
  SetSecureConnections,
  SetSecureSimplePairing,
  SetStaticAddress,
  SetWidebandSpeech,
} from "./commands/settings.ts";
import type { AnyMgmtCommand, AnyMgmtEvent } from "./declare.ts";
import {
  AdvertisementMonitorAdded,
  AdvertisementMonitorDeviceFound,
  AdvertisementMonitorDeviceLost,
  AdvertisementMonitorRemoved,
  AdvertisingAdded,
  AdvertisingRemoved,
  MeshDeviceFound,
  MeshPacketTransmitComplete,
} from "./events/advertising.ts";
import {
  ClassOfDeviceChanged,
  ControllerError,
  ControllerResume,
  ControllerSuspend,
  DefaultRuntimeConfigurationChanged,
  DefaultSystemConfigurationChanged,
  ExperimentalFeatureChanged,
  ExtendedControllerInformationChanged,
  ExtendedIndexAdded,
  ExtendedIndexRemoved,
  IndexAdded,
  IndexRemoved,
  LocalNameChanged,
  NewConfigurationOptions,
  NewSettings,
  PhyConfigurationChanged,
  UnconfiguredIndexAdded,
  UnconfiguredIndexRemoved,
} from "./events/controller.ts";
import {
  ConnectFailed,
  ConnectionSubrate,
  DeviceAdded,
  DeviceBlocked,
  DeviceConnected,
  DeviceDisconnected,
  DeviceFlagsChanged,
  DeviceFound,
  DeviceRemoved,
  DeviceUnblocked,
  Discovering,
  NewConnectionParameter,
} from "./events/devices.ts";
import { NewIdentityResolvingKey, NewLinkKey, NewLongTermKey, NewSignatureResolvingKey } from "./events/keys.ts";
import {
  AuthenticationFailed,
  DeviceUnpaired,
  LocalOutOfBandExtendedDataUpdated,
  PasskeyNotify,
  PinCodeRequest,
  UserConfirmationRequest,
  UserPasskeyRequest,
} from "./events/pairing.ts";
import { CommandComplete, CommandStatus } from "./events/reply.ts";

/** Every command, by the name of its method. */
export const commands = Object.freeze({
  readManagementVersionInformation: ReadManagementVersionInformation,
  readManagementSupportedCommands: ReadManagementSupportedCommands,
  readControllerIndexList: ReadControllerIndexList,
  readControllerInformation: ReadControllerInformation,
  setPowered: SetPowered,
  setDiscoverable: SetDiscoverable,
  setConnectable: SetConnectable,
  setFastConnectable: SetFastConnectable,
  setBondable: SetBondable,
  setLinkSecurity: SetLinkSecurity,
  setSecureSimplePairing: SetSecureSimplePairing,
  setHighSpeed: SetHighSpeed,
  setLowEnergy: SetLowEnergy,
  setDeviceClass: SetDeviceClass,
  setLocalName: SetLocalName,
  addUuid: AddUuid,
  removeUuid: RemoveUuid,
  loadLinkKeys: LoadLinkKeys,
  loadLongTermKeys: LoadLongTermKeys,
  disconnect: Disconnect,
  getConnections: GetConnections,
  pinCodeReply: PinCodeReply,
  pinCodeNegativeReply: PinCodeNegativeReply,
  setIoCapability: SetIoCapability,
  pairDevice: PairDevice,
  cancelPairDevice: CancelPairDevice,
  unpairDevice: UnpairDevice,
  userConfirmationReply: UserConfirmationReply,
  userConfirmationNegativeReply: UserConfirmationNegativeReply,
  userPasskeyReply: UserPasskeyReply,
  userPasskeyNegativeReply: UserPasskeyNegativeReply,
  readLocalOutOfBandData: ReadLocalOutOfBandData,
  addRemoteOutOfBandData: AddRemoteOutOfBandData,
  removeRemoteOutOfBandData: RemoveRemoteOutOfBandData,
  startDiscovery: StartDiscovery,
  stopDiscovery: StopDiscovery,
  confirmName: ConfirmName,
  blockDevice: BlockDevice,
  unblockDevice: UnblockDevice,
  setDeviceId: SetDeviceId,
  setAdvertising: SetAdvertising,
  setBredr: SetBredr,
  setStaticAddress: SetStaticAddress,
  setScanParameters: SetScanParameters,
  setSecureConnections: SetSecureConnections,
  setDebugKeys: SetDebugKeys,
  setPrivacy: SetPrivacy,
  loadIdentityResolvingKeys: LoadIdentityResolvingKeys,
  getConnectionInformation: GetConnectionInformation,
  getClockInformation: GetClockInformation,
  addDevice: AddDevice,
  removeDevice: RemoveDevice,
  loadConnectionParameters: LoadConnectionParameters,
  readUnconfiguredControllerIndexList: ReadUnconfiguredControllerIndexList,
  readControllerConfigurationInformation: ReadControllerConfigurationInformation,
  setExternalConfiguration: SetExternalConfiguration,
  setPublicAddress: SetPublicAddress,
  startServiceDiscovery: StartServiceDiscovery,
  readLocalOutOfBandExtendedData: ReadLocalOutOfBandExtendedData,
  readExtendedControllerIndexList: ReadExtendedControllerIndexList,
  readAdvertisingFeatures: ReadAdvertisingFeatures,
  addAdvertising: AddAdvertising,
  removeAdvertising: RemoveAdvertising,
  getAdvertisingSizeInformation: GetAdvertisingSizeInformation,
  startLimitedDiscovery: StartLimitedDiscovery,
  readExtendedControllerInformation: ReadExtendedControllerInformation,
  setAppearance: SetAppearance,
  getPhyConfiguration: GetPhyConfiguration,
  setPhyConfiguration: SetPhyConfiguration,
  loadBlockedKeys: LoadBlockedKeys,
  setWidebandSpeech: SetWidebandSpeech,
  readControllerCapabilities: ReadControllerCapabilities,
  readExperimentalFeaturesInformation: ReadExperimentalFeaturesInformation,
  setExperimentalFeature: SetExperimentalFeature,
  readDefaultSystemConfiguration: ReadDefaultSystemConfiguration,
  setDefaultSystemConfiguration: SetDefaultSystemConfiguration,
  readDefaultRuntimeConfiguration: ReadDefaultRuntimeConfiguration,
  setDefaultRuntimeConfiguration: SetDefaultRuntimeConfiguration,
  getDeviceFlags: GetDeviceFlags,
  setDeviceFlags: SetDeviceFlags,
  readAdvertisementMonitorFeatures: ReadAdvertisementMonitorFeatures,
  addAdvertisementPatternsMonitor: AddAdvertisementPatternsMonitor,
  removeAdvertisementMonitor: RemoveAdvertisementMonitor,
  addExtendedAdvertisingParameters: AddExtendedAdvertisingParameters,
  addExtendedAdvertisingData: AddExtendedAdvertisingData,
  addAdvertisementPatternsMonitorWithRssiThreshold: AddAdvertisementPatternsMonitorWithRssiThreshold,
  setMeshReceiver: SetMeshReceiver,
  readMeshFeatures: ReadMeshFeatures,
  transmitMeshPacket: TransmitMeshPacket,
  cancelTransmitMeshPacket: CancelTransmitMeshPacket,
  sendHciCommandAndWaitForEvent: SendHciCommandAndWaitForEvent,
  loadConnectionSubrate: LoadConnectionSubrate,
});

/** Every event but the replies to commands, by its name in the API. */
export const events = Object.freeze({
  controllerError: ControllerError,
  indexAdded: IndexAdded,
  indexRemoved: IndexRemoved,
  newSettings: NewSettings,
  classOfDeviceChanged: ClassOfDeviceChanged,
  localNameChanged: LocalNameChanged,
  newLinkKey: NewLinkKey,
  newLongTermKey: NewLongTermKey,
  deviceConnected: DeviceConnected,
  deviceDisconnected: DeviceDisconnected,
  connectFailed: ConnectFailed,
  pinCodeRequest: PinCodeRequest,
  userConfirmationRequest: UserConfirmationRequest,
  userPasskeyRequest: UserPasskeyRequest,
  authenticationFailed: AuthenticationFailed,
  deviceFound: DeviceFound,
  discovering: Discovering,
  deviceBlocked: DeviceBlocked,
  deviceUnblocked: DeviceUnblocked,
  deviceUnpaired: DeviceUnpaired,
  passkeyNotify: PasskeyNotify,
  newIdentityResolvingKey: NewIdentityResolvingKey,
  newSignatureResolvingKey: NewSignatureResolvingKey,
  deviceAdded: DeviceAdded,
  deviceRemoved: DeviceRemoved,
  newConnectionParameter: NewConnectionParameter,
  unconfiguredIndexAdded: UnconfiguredIndexAdded,
  unconfiguredIndexRemoved: UnconfiguredIndexRemoved,
  newConfigurationOptions: NewConfigurationOptions,
  extendedIndexAdded: ExtendedIndexAdded,
  extendedIndexRemoved: ExtendedIndexRemoved,
  localOutOfBandExtendedDataUpdated: LocalOutOfBandExtendedDataUpdated,
  advertisingAdded: AdvertisingAdded,
  advertisingRemoved: AdvertisingRemoved,
  extendedControllerInformationChanged: ExtendedControllerInformationChanged,
  phyConfigurationChanged: PhyConfigurationChanged,
  experimentalFeatureChanged: ExperimentalFeatureChanged,
  defaultSystemConfigurationChanged: DefaultSystemConfigurationChanged,
  defaultRuntimeConfigurationChanged: DefaultRuntimeConfigurationChanged,
  deviceFlagsChanged: DeviceFlagsChanged,
  advertisementMonitorAdded: AdvertisementMonitorAdded,
  advertisementMonitorRemoved: AdvertisementMonitorRemoved,
  controllerSuspend: ControllerSuspend,
  controllerResume: ControllerResume,
  advertisementMonitorDeviceFound: AdvertisementMonitorDeviceFound,
  advertisementMonitorDeviceLost: AdvertisementMonitorDeviceLost,
  meshDeviceFound: MeshDeviceFound,
  meshPacketTransmitComplete: MeshPacketTransmitComplete,
  connectionSubrate: ConnectionSubrate,
});

export type MgmtCommands = typeof commands;
export type MgmtEvents = typeof events;
export type MgmtMethodName = keyof MgmtCommands;
export type MgmtEventName = keyof MgmtEvents;

/** Every command by its opcode. */
export const commandsByOpcode: ReadonlyMap<number, AnyMgmtCommand> = new Map(
  Object.values<AnyMgmtCommand>(commands).map((declaration) => [declaration.opcode, declaration]),
);

/** Every event by its code, the replies to commands too. */
export const eventsByCode: ReadonlyMap<number, AnyMgmtEvent> = new Map(
  [CommandComplete, CommandStatus, ...Object.values<AnyMgmtEvent>(events)].map((declaration) => [declaration.code, declaration]),
);

/** The name in the API of every event but the replies to commands, by its code. */
export const eventNames: ReadonlyMap<number, MgmtEventName> = new Map(
  Object.entries<AnyMgmtEvent>(events).map(([name, declaration]) => [declaration.code, name as MgmtEventName]),
);

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
const commandsByName = new Map<string, AnyMgmtCommand>();
for (const declaration of commandsByOpcode.values())
  for (const name of [declaration.name, ...declaration.aliases]) commandsByName.set(plain(name), declaration);

/** The command of that name, with or without blanks, in any case: "SetPowered", "Set Powered", "setPowered", or an alias. */
export function commandNamed(name: string): AnyMgmtCommand | undefined {
  return commandsByName.get(plain(name).replace(/command$/, "")) ?? commandsByName.get(plain(name));
}

/** "SetPowered"; "0x0060" for an opcode that is not known. */
export function commandName(opcode: number): string {
  return commandsByOpcode.get(opcode)?.name ?? `0x${opcode.toString(16).padStart(4, "0")}`;
}

/**
 * The opcode under which Linux answers: Set Default Runtime Configuration is answered in the name of Set Default System Configuration, so
 * that which of the two a reply is for tells the order alone.
 */
export function answeredAs(opcode: number): number {
  return opcode === SetDefaultRuntimeConfiguration.opcode ? SetDefaultSystemConfiguration.opcode : opcode;
}

/** The event of that name, with or without blanks, in any case: "DeviceFound", "Device Found", "DeviceFoundEvent". */
export function eventNamed(name: string): AnyMgmtEvent | undefined {
  const wanted = plain(name).replace(/event$/, "");
  for (const declaration of eventsByCode.values()) if (plain(declaration.name) === wanted) return declaration;
  return undefined;
}
