/** Event codes of the handler, `_IRQ_*` of MicroPython's documentation. From 100 on they are Jelling's own. */
export const Irq = Object.freeze({
  CentralConnect: 1,
  CentralDisconnect: 2,
  GattsWrite: 3,
  GattsReadRequest: 4,
  ScanResult: 5,
  ScanDone: 6,
  PeripheralConnect: 7,
  PeripheralDisconnect: 8,
  GattcServiceResult: 9,
  GattcServiceDone: 10,
  GattcCharacteristicResult: 11,
  GattcCharacteristicDone: 12,
  GattcDescriptorResult: 13,
  GattcDescriptorDone: 14,
  GattcReadResult: 15,
  GattcReadDone: 16,
  GattcWriteDone: 17,
  GattcNotify: 18,
  GattcIndicate: 19,
  GattsIndicateDone: 20,
  MtuExchanged: 21,
  L2capAccept: 22,
  L2capConnect: 23,
  L2capDisconnect: 24,
  L2capRecv: 25,
  L2capSendReady: 26,
  ConnectionUpdate: 27,
  EncryptionUpdate: 28,
  GetSecret: 29,
  SetSecret: 30,
  PasskeyAction: 31,
  GattsSubscribe: 100,
  PhyUpdate: 101,
  DataLengthUpdate: 102,
  ServiceChanged: 103,
  GattsWriteRequest: 104,
});

/** Flags of characteristics and descriptors, `FLAG_*`. The lower eight are the properties of Vol 3 Part G 3.3.1.1. */
export const Flag = Object.freeze({
  Broadcast: 0x0001,
  Read: 0x0002,
  WriteNoResponse: 0x0004,
  Write: 0x0008,
  Notify: 0x0010,
  Indicate: 0x0020,
  AuthenticatedSignedWrite: 0x0040,
  AuxWrite: 0x0100,
  ReadEncrypted: 0x0200,
  ReadAuthenticated: 0x0400,
  ReadAuthorized: 0x0800,
  WriteEncrypted: 0x1000,
  WriteAuthenticated: 0x2000,
  WriteAuthorized: 0x4000,
});

/** Values of `config({ io })`, `_IO_CAPABILITY_*`; those of Vol 3 Part H 2.3.2. */
export const IoCapability = Object.freeze({ DisplayOnly: 0, DisplayYesNo: 1, KeyboardOnly: 2, NoInputNoOutput: 3, KeyboardDisplay: 4 });

/** What a `passkeyAction` asks for, `_PASSKEY_ACTION_*`. */
export const PasskeyAction = Object.freeze({ None: 0, Input: 2, Display: 3, NumericComparison: 4 });
export type PasskeyAction = (typeof PasskeyAction)[keyof typeof PasskeyAction];

/** Values of `config({ addrMode })`: public, static random, resolvable private, non-resolvable private. */
export const AddrMode = Object.freeze({ Public: 0, Random: 1, Rpa: 2, Nrpa: 3 });
export type AddrMode = (typeof AddrMode)[keyof typeof AddrMode];

/** Kinds of address in events and arguments; the last two are an identity found behind a private address. `None` stands where there is none. */
export const AddrType = Object.freeze({ Public: 0, Random: 1, PublicIdentity: 2, RandomIdentity: 3, None: 0xff });

/** `advType` of a `scanResult`. */
export const AdvType = Object.freeze({ AdvInd: 0, AdvDirectInd: 1, AdvScanInd: 2, AdvNonconnInd: 3, ScanRsp: 4 });

/** What a `gattsReadRequest` may be answered with, `_GATTS_ERROR_*`; any other code of ATT may be, too. */
export const AttError = Object.freeze({
  NoError: 0x00,
  ReadNotPermitted: 0x02,
  WriteNotPermitted: 0x03,
  InsufficientAuthentication: 0x05,
  InsufficientAuthorization: 0x08,
  InsufficientEncryption: 0x0f,
});

/** Errors by their name on Linux, and on every embedded port of MicroPython. */
export const Errno = Object.freeze({
  ENOENT: 2,
  EIO: 5,
  E2BIG: 7,
  EAGAIN: 11,
  ENOMEM: 12,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EALREADY: 114,
});
export type ErrnoName = keyof typeof Errno;

/** `status` of events: zero, a code of the host, or one of these bases and the code of a layer below. */
export const Status = Object.freeze({
  Success: 0,
  NotConnected: 7,
  NotSupported: 8,
  TimedOut: 13,
  /** 0x100 and an error code of ATT: 261 is Insufficient Authentication. */
  AttBase: 0x100,
  HciBase: 0x200,
  L2capBase: 0x300,
  SmpLocalBase: 0x400,
  SmpPeerBase: 0x500,
});

/** `connHandle` of events that are about no connection. */
export const NO_CONNECTION = 0xffff;
