import { BleError } from "../core/error.ts";

/** Controller error codes, Vol 1 Part F 1.3. A peer or a controller may send others. */
export const HciErrorCode = Object.freeze({
  Success: 0x00,
  UnknownHciCommand: 0x01,
  UnknownConnectionIdentifier: 0x02,
  HardwareFailure: 0x03,
  PageTimeout: 0x04,
  AuthenticationFailure: 0x05,
  PinOrKeyMissing: 0x06,
  MemoryCapacityExceeded: 0x07,
  ConnectionTimeout: 0x08,
  ConnectionLimitExceeded: 0x09,
  SynchronousConnectionLimitToADeviceExceeded: 0x0a,
  ConnectionAlreadyExists: 0x0b,
  CommandDisallowed: 0x0c,
  ConnectionRejectedDueToLimitedResources: 0x0d,
  ConnectionRejectedDueToSecurityReasons: 0x0e,
  ConnectionRejectedDueToUnacceptableBdAddr: 0x0f,
  ConnectionAcceptTimeoutExceeded: 0x10,
  UnsupportedFeatureOrParameterValue: 0x11,
  InvalidHciCommandParameters: 0x12,
  RemoteUserTerminatedConnection: 0x13,
  RemoteDeviceTerminatedConnectionDueToLowResources: 0x14,
  RemoteDeviceTerminatedConnectionDueToPowerOff: 0x15,
  ConnectionTerminatedByLocalHost: 0x16,
  RepeatedAttempts: 0x17,
  PairingNotAllowed: 0x18,
  UnknownLmpPdu: 0x19,
  UnsupportedRemoteFeature: 0x1a,
  ScoOffsetRejected: 0x1b,
  ScoIntervalRejected: 0x1c,
  ScoAirModeRejected: 0x1d,
  InvalidLlParameters: 0x1e,
  UnspecifiedError: 0x1f,
  UnsupportedLlParameterValue: 0x20,
  RoleChangeNotAllowed: 0x21,
  LlResponseTimeout: 0x22,
  LlProcedureCollision: 0x23,
  LmpPduNotAllowed: 0x24,
  EncryptionModeNotAcceptable: 0x25,
  LinkKeyCannotBeChanged: 0x26,
  RequestedQosNotSupported: 0x27,
  InstantPassed: 0x28,
  PairingWithUnitKeyNotSupported: 0x29,
  DifferentTransactionCollision: 0x2a,
  QosUnacceptableParameter: 0x2c,
  QosRejected: 0x2d,
  ChannelClassificationNotSupported: 0x2e,
  InsufficientSecurity: 0x2f,
  ParameterOutOfMandatoryRange: 0x30,
  RoleSwitchPending: 0x32,
  ReservedSlotViolation: 0x34,
  RoleSwitchFailed: 0x35,
  ExtendedInquiryResponseTooLarge: 0x36,
  SecureSimplePairingNotSupportedByHost: 0x37,
  HostBusyPairing: 0x38,
  ConnectionRejectedDueToNoSuitableChannelFound: 0x39,
  ControllerBusy: 0x3a,
  UnacceptableConnectionParameters: 0x3b,
  AdvertisingTimeout: 0x3c,
  ConnectionTerminatedDueToMicFailure: 0x3d,
  ConnectionFailedToBeEstablished: 0x3e,
  CoarseClockAdjustmentRejected: 0x40,
  Type0SubmapNotDefined: 0x41,
  UnknownAdvertisingIdentifier: 0x42,
  LimitReached: 0x43,
  OperationCancelledByHost: 0x44,
  PacketTooLong: 0x45,
  TooLate: 0x46,
  TooEarly: 0x47,
  InsufficientChannels: 0x48,
});

/** Words that the specification writes in capitals. */
const CAPITALS: Readonly<Record<string, string>> = { Hci: "HCI", Lmp: "LMP", Ll: "LL", Mic: "MIC", Sco: "SCO", Qos: "QoS", Pin: "PIN" };
const NAMES = new Map<number, string>(
  Object.entries(HciErrorCode).map(([name, code]) => [
    code,
    name
      .split(/(?<=[a-z0])(?=[A-Z])/)
      .map((word) => CAPITALS[word] ?? word)
      .join(" ")
      .replace("Bd Addr", "BD_ADDR"),
  ]),
);

/** "Connection Timeout (0x08)", or the number alone where the code has no name. */
export function hciErrorText(code: number): string {
  const hex = `0x${code.toString(16).padStart(2, "0")}`;
  const name = NAMES.get(code);
  return name ? `${name} (${hex})` : hex;
}

/** The controller answered a command with an error status. */
export class HciError extends BleError {
  readonly code = "ERR_HCI";
  /** A value of HciErrorCode. */
  readonly status: number;
  /** Name of the command, or of the event that ended its procedure. */
  readonly command: string;
  constructor(at: { status: number; command: string }, options?: ErrorOptions) {
    super(`${at.command} failed: ${hciErrorText(at.status)}`, options);
    this.status = at.status;
    this.command = at.command;
  }
}

/** The link is gone; everything that waited on it is rejected with this. */
export class DisconnectedError extends BleError {
  readonly code = "ERR_DISCONNECTED";
  /** Reason of the Disconnection Complete event: a value of HciErrorCode. */
  readonly reason: number;
  constructor(reason: number, options?: ErrorOptions) {
    super(`disconnected: ${hciErrorText(reason)}`, options);
    this.reason = reason;
  }
}

/** The controller reported a hardware error or stopped answering. It has to be opened anew. */
export class ControllerError extends BleError {
  readonly code = "ERR_CONTROLLER";
  /** Hardware_Code of the Hardware Error event, Vol 4 Part E 7.7.16; absent where the controller fell silent. */
  readonly hardwareCode: number | undefined;
  constructor(message: string, { hardwareCode, ...options }: ErrorOptions & { hardwareCode?: number } = {}) {
    super(message, options);
    this.hardwareCode = hardwareCode;
  }
}
