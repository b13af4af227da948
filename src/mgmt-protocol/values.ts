/*
 * Values of the management protocol by name. Any of them may be another number: kernels grow.
 */

/** Status of a reply, section "Error codes" of the protocol description. Values above 0x14 are open. */
export const Status = Object.freeze({
  Success: 0x00,
  UnknownCommand: 0x01,
  NotConnected: 0x02,
  Failed: 0x03,
  ConnectFailed: 0x04,
  AuthenticationFailed: 0x05,
  NotPaired: 0x06,
  NoResources: 0x07,
  Timeout: 0x08,
  AlreadyConnected: 0x09,
  Busy: 0x0a,
  Rejected: 0x0b,
  NotSupported: 0x0c,
  InvalidParameters: 0x0d,
  Disconnected: 0x0e,
  NotPowered: 0x0f,
  Cancelled: 0x10,
  InvalidIndex: 0x11,
  RFKilled: 0x12,
  AlreadyPaired: 0x13,
  PermissionDenied: 0x14,
} as const);

/** What a device address is. An enumeration, not a bit set; discovery takes DiscoveryAddressTypes instead. */
export const AddressType = Object.freeze({ BREDR: 0, LEPublic: 1, LERandom: 2 } as const);

/** Off or on. */
export const OnOff = Object.freeze({ Off: 0, On: 1 } as const);

/** Modes of Set Discoverable. Limited needs a timeout. */
export const DiscoverableMode = Object.freeze({ NotDiscoverable: 0, General: 1, Limited: 2 } as const);

/** Modes of Set Advertising. EnabledConnectable is connectable even while Connectable is off. */
export const AdvertisingMode = Object.freeze({ Disabled: 0, Enabled: 1, EnabledConnectable: 2 } as const);

/** Modes of Set Secure Connections. */
export const SecureConnectionsMode = Object.freeze({ Disabled: 0, Enabled: 1, Only: 2 } as const);

/** Modes of Set Debug Keys. */
export const DebugKeysMode = Object.freeze({ DiscardOnDisconnect: 0, DiscardOnReboot: 1, GenerateAndDiscardOnReboot: 2 } as const);

/** Modes of Set Privacy. Limited uses the identity address while bondable and discoverable. */
export const PrivacyMode = Object.freeze({ Disabled: 0, Always: 1, Limited: 2 } as const);

/** What the user can do at this device. */
export const IoCapability = Object.freeze({
  DisplayOnly: 0,
  DisplayYesNo: 1,
  KeyboardOnly: 2,
  NoInputNoOutput: 3,
  KeyboardDisplay: 4,
} as const);

/** Kinds of BR/EDR link keys. */
export const LinkKeyType = Object.freeze({
  Combination: 0,
  LocalUnit: 1,
  RemoteUnit: 2,
  DebugCombination: 3,
  UnauthenticatedP192: 4,
  AuthenticatedP192: 5,
  ChangedCombination: 6,
  UnauthenticatedP256: 7,
  AuthenticatedP256: 8,
} as const);

/** Kinds of LE long term keys. The kernel loads 0 to 3 and skips others silently. */
export const LtkType = Object.freeze({
  UnauthenticatedLegacy: 0,
  AuthenticatedLegacy: 1,
  UnauthenticatedP256: 2,
  AuthenticatedP256: 3,
  DebugP256: 4,
} as const);

/** Kinds of signature resolving keys. */
export const CsrkType = Object.freeze({
  LocalUnauthenticated: 0,
  RemoteUnauthenticated: 1,
  LocalAuthenticated: 2,
  RemoteAuthenticated: 3,
} as const);

/** Kinds of keys that can be blocked. */
export const BlockedKeyType = Object.freeze({ LinkKey: 0, LongTermKey: 1, IdentityResolvingKey: 2 } as const);

/** What to do about a device on the list of Add Device. BR/EDR takes AllowIncoming only. */
export const DeviceAction = Object.freeze({ BackgroundScan: 0, AllowIncoming: 1, AutoConnect: 2 } as const);

/** Why a link ended. */
export const DisconnectReason = Object.freeze({
  Unspecified: 0,
  Timeout: 1,
  LocalHost: 2,
  RemoteHost: 3,
  AuthenticationFailure: 4,
  LocalHostSuspend: 5,
} as const);

/** Who assigned the vendor of Set Device ID. */
export const DeviceIdSource = Object.freeze({ Disabled: 0, BluetoothSIG: 1, USBImplementersForum: 2 } as const);

/** Kinds of controllers. */
export const ControllerType = Object.freeze({ Primary: 0, Unconfigured: 1, AMP: 2 } as const);

/** How a controller is attached. */
export const ControllerBus = Object.freeze({
  Virtual: 0,
  USB: 1,
  PCMCIA: 2,
  UART: 3,
  RS232: 4,
  PCI: 5,
  SDIO: 6,
  SPI: 7,
  I2C: 8,
  SMD: 9,
  VIRTIO: 10,
  IPC: 11,
} as const);

/** Values of Set External Configuration. */
export const ExternalConfiguration = Object.freeze({ Unconfigured: 0, Configured: 1 } as const);

/** What a controller does while the system sleeps. */
export const SuspendState = Object.freeze({ Running: 0, Disconnected: 1, PageOrPassiveScan: 2 } as const);

/** What ended the sleep. */
export const WakeReason = Object.freeze({ NonBluetooth: 0, Unexpected: 1, RemoteWake: 2 } as const);

/** Answers of Confirm Name. */
export const NameKnown = Object.freeze({ NeedsResolving: 0, Known: 1 } as const);

/** Version of the Core Specification, as the controller reports it. */
export const BluetoothVersion = Object.freeze({
  "1.0b": 0,
  "1.1": 1,
  "1.2": 2,
  "2.0": 3,
  "2.1": 4,
  "3.0": 5,
  "4.0": 6,
  "4.1": 7,
  "4.2": 8,
  "5.0": 9,
  "5.1": 10,
  "5.2": 11,
  "5.3": 12,
  "5.4": 13,
  "6.0": 14,
} as const);

/** Types of AD and EIR structures, Assigned Numbers 2.3, by the names of the protocol description; `jelling/gap` has those of the specification. */
export const AdType = Object.freeze({
  Flags: 0x01,
  IncompleteUuid16: 0x02,
  CompleteUuid16: 0x03,
  IncompleteUuid32: 0x04,
  CompleteUuid32: 0x05,
  IncompleteUuid128: 0x06,
  CompleteUuid128: 0x07,
  ShortenedLocalName: 0x08,
  CompleteLocalName: 0x09,
  TxPowerLevel: 0x0a,
  ClassOfDevice: 0x0d,
  SimplePairingHashC192: 0x0e,
  SimplePairingRandomizerR192: 0x0f,
  DeviceIdOrSecurityManagerTk: 0x10,
  SecurityManagerOobFlags: 0x11,
  PeripheralConnectionIntervalRange: 0x12,
  SolicitUuid16: 0x14,
  SolicitUuid128: 0x15,
  ServiceDataUuid16: 0x16,
  PublicTargetAddress: 0x17,
  RandomTargetAddress: 0x18,
  Appearance: 0x19,
  AdvertisingInterval: 0x1a,
  LeDeviceAddress: 0x1b,
  LeRole: 0x1c,
  SimplePairingHashC256: 0x1d,
  SimplePairingRandomizerR256: 0x1e,
  SolicitUuid32: 0x1f,
  ServiceDataUuid32: 0x20,
  ServiceDataUuid128: 0x21,
  LeSecureConnectionsConfirm: 0x22,
  LeSecureConnectionsRandom: 0x23,
  Uri: 0x24,
  IndoorPositioning: 0x25,
  TransportDiscoveryData: 0x26,
  LeSupportedFeatures: 0x27,
  ChannelMapUpdate: 0x28,
  PbAdv: 0x29,
  MeshMessage: 0x2a,
  MeshBeacon: 0x2b,
  BigInfo: 0x2c,
  BroadcastCode: 0x2d,
  ResolvableSetIdentifier: 0x2e,
  AdvertisingIntervalLong: 0x2f,
  BroadcastName: 0x30,
  EncryptedAdvertisingData: 0x31,
  PeriodicAdvertisingResponseTiming: 0x32,
  ElectronicShelfLabel: 0x34,
  Information3D: 0x3d,
  ManufacturerSpecific: 0xff,
} as const);

/** Bit numbers of supported and current settings. */
export const Settings = Object.freeze({
  Powered: 0,
  Connectable: 1,
  FastConnectable: 2,
  Discoverable: 3,
  Bondable: 4,
  LinkSecurity: 5,
  SecureSimplePairing: 6,
  BREDR: 7,
  HighSpeed: 8,
  LowEnergy: 9,
  Advertising: 10,
  SecureConnections: 11,
  DebugKeys: 12,
  Privacy: 13,
  ControllerConfiguration: 14,
  StaticAddress: 15,
  PhyConfiguration: 16,
  WidebandSpeech: 17,
  CisCentral: 18,
  CisPeripheral: 19,
  IsoBroadcaster: 20,
  IsoSyncReceiver: 21,
  LLPrivacy: 22,
  PastSender: 23,
  PastReceiver: 24,
  ShorterConnectionInterval: 25,
} as const);

/** Bit numbers of the kinds of addresses to discover. The kernel takes 0x01 (BR/EDR), 0x06 (LE) and 0x07 (both). */
export const DiscoveryAddressTypes = Object.freeze({ BREDR: 0, LEPublic: 1, LERandom: 2 } as const);

/** Bit numbers of what a controller still has to be told. */
export const ConfigurationOptions = Object.freeze({ ExternalConfiguration: 0, PublicAddress: 1 } as const);

/** Bit numbers of advertising flags. Bits 12 to 16 mean something in Add Extended Advertising Parameters only, 10 and 11 are capabilities. */
export const AdvertisingFlags = Object.freeze({
  Connectable: 0,
  Discoverable: 1,
  LimitedDiscoverable: 2,
  ManagedFlags: 3,
  TxPower: 4,
  Appearance: 5,
  LocalName: 6,
  Secondary1M: 7,
  Secondary2M: 8,
  SecondaryCoded: 9,
  CanSetTxPower: 10,
  HardwareOffload: 11,
  ParamDuration: 12,
  ParamTimeout: 13,
  ParamIntervals: 14,
  ParamTxPower: 15,
  ParamScanResponse: 16,
} as const);

/** Bit numbers of PHYs, with directions for LE and slots for BR/EDR. */
export const Phys = Object.freeze({
  BR1M1Slot: 0,
  BR1M3Slot: 1,
  BR1M5Slot: 2,
  EDR2M1Slot: 3,
  EDR2M3Slot: 4,
  EDR2M5Slot: 5,
  EDR3M1Slot: 6,
  EDR3M3Slot: 7,
  EDR3M5Slot: 8,
  LE1MTx: 9,
  LE1MRx: 10,
  LE2MTx: 11,
  LE2MRx: 12,
  LECodedTx: 13,
  LECodedRx: 14,
} as const);

/** Bit numbers of the flags of a device on the list. */
export const DeviceFlags = Object.freeze({ RemoteWakeup: 0, DevicePrivacy: 1, AddressResolution: 2, PAST: 3 } as const);

/** Bit numbers of Device Found and, 1 and 3, Device Connected. */
export const DeviceFoundFlags = Object.freeze({
  ConfirmName: 0,
  LegacyPairing: 1,
  NotConnectable: 2,
  InitiatedConnection: 3,
  NameRequestFailed: 4,
  ScanResponse: 5,
} as const);

/** Bit numbers of an experimental feature's flags. */
export const ExperimentalFeatureFlags = Object.freeze({ Active: 0, SettingsChange: 1 } as const);

/** Bit numbers of advertisement monitor features. */
export const AdvMonitorFeatures = Object.freeze({ OrPatterns: 0 } as const);

/** Bit numbers of the flags in controller capabilities. */
export const CapabilityFlags = Object.freeze({
  RemotePublicKeyValidationBREDR: 0,
  RemotePublicKeyValidationLE: 1,
  EncryptionKeySizeEnforcementBREDR: 2,
  EncryptionKeySizeEnforcementLE: 3,
} as const);

/** Address types of a discovery as the kernel takes them. */
export const DiscoveryTypes = Object.freeze({ BREDR: 0x01, LE: 0x06, Interleaved: 0x07 } as const);

/** Names that btmgmt prints for settings, in the order of their bits. */
export const btmgmtSettingNames = Object.freeze([
  "powered",
  "connectable",
  "fast-connectable",
  "discoverable",
  "bondable",
  "link-security",
  "ssp",
  "br/edr",
  "hs",
  "le",
  "advertising",
  "secure-conn",
  "debug-keys",
  "privacy",
  "configuration",
  "static-addr",
  "phy-configuration",
  "wide-band-speech",
  "cis-central",
  "cis-peripheral",
  "iso-broadcaster",
  "sync-receiver",
  "ll-privacy",
  "past-sender",
  "past-receiver",
] as const);

/** Types in the capabilities of a controller. Linux 6.1 sends the key sizes in two octets, the description says one. */
export const CapabilityType = Object.freeze({
  Flags: 1,
  MaxEncryptionKeySizeBREDR: 2,
  MaxEncryptionKeySizeLE: 3,
  LeTxPowerRange: 4,
} as const);

/** Types of the default system configuration, with the octets their values have; `undefined` where that is not settled. */
export const SystemConfiguration = Object.freeze({
  BREDRPageScanType: { type: 0x00, octets: 2 },
  BREDRPageScanInterval: { type: 0x01, octets: 2 },
  BREDRPageScanWindow: { type: 0x02, octets: 2 },
  BREDRInquiryScanType: { type: 0x03, octets: 2 },
  BREDRInquiryScanInterval: { type: 0x04, octets: 2 },
  BREDRInquiryScanWindow: { type: 0x05, octets: 2 },
  BREDRLinkSupervisionTimeout: { type: 0x06, octets: 2 },
  BREDRPageTimeout: { type: 0x07, octets: 2 },
  BREDRMinSniffInterval: { type: 0x08, octets: 2 },
  BREDRMaxSniffInterval: { type: 0x09, octets: 2 },
  LEAdvertisementMinInterval: { type: 0x0a, octets: 2 },
  LEAdvertisementMaxInterval: { type: 0x0b, octets: 2 },
  LEMultiAdvertisementRotationInterval: { type: 0x0c, octets: 2 },
  LEScanIntervalAutoConnect: { type: 0x0d, octets: 2 },
  LEScanWindowAutoConnect: { type: 0x0e, octets: 2 },
  LEScanIntervalWake: { type: 0x0f, octets: 2 },
  LEScanWindowWake: { type: 0x10, octets: 2 },
  LEScanIntervalDiscovery: { type: 0x11, octets: 2 },
  LEScanWindowDiscovery: { type: 0x12, octets: 2 },
  LEScanIntervalAdvMonitor: { type: 0x13, octets: 2 },
  LEScanWindowAdvMonitor: { type: 0x14, octets: 2 },
  LEScanIntervalConnect: { type: 0x15, octets: 2 },
  LEScanWindowConnect: { type: 0x16, octets: 2 },
  LEMinConnectionInterval: { type: 0x17, octets: 2 },
  LEMaxConnectionInterval: { type: 0x18, octets: 2 },
  LEConnectionLatency: { type: 0x19, octets: 2 },
  LEConnectionSupervisionTimeout: { type: 0x1a, octets: 2 },
  LEAutoconnectTimeout: { type: 0x1b, octets: 2 },
  LEAllowListScanDurationAdvMonitor: { type: 0x1d, octets: 2 },
  LENoFilterScanDurationAdvMonitor: { type: 0x1e, octets: 2 },
  LEEnableInterleaveScanAdvMonitor: { type: 0x1f, octets: 1 },
  BREDRConnectionIdleTimeout: { type: 0x20, octets: undefined },
} as const);

/** Experimental features by UUID; `index` says whether the command takes a controller. "Zero" switches off everything that can be. */
export const ExperimentalFeature = Object.freeze({
  Debug: { uuid: "d4992530-b9ec-469f-ab01-6c481c47da1c", index: "none" },
  LeSimultaneousRoles: { uuid: "671b10b5-42c0-4696-9227-eb28d1b049d6", index: "controller" },
  QualityReport: { uuid: "330859bc-7506-492d-9370-9a6f0614037f", index: "controller" },
  LLPrivacy: { uuid: "15c0a148-c273-11ea-b3de-0242ac130004", index: "controller" },
  OffloadCodecs: { uuid: "a6695ace-ee7f-4fb9-881a-5fac66c629af", index: "controller" },
  IsoSocket: { uuid: "6fbaf188-05e0-496a-9885-d6ddfdb4e03e", index: "none" },
  MgmtMesh: { uuid: "2ce463d7-7a03-4d8d-bf05-5f24e8f36e76", index: "controller" },
  Zero: { uuid: "00000000-0000-0000-0000-000000000000", index: "either" },
} as const);

/** The header's controller index of commands and events that belong to no controller. */
export const NO_CONTROLLER = 0xffff;
