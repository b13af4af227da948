import { AttError, AttTimeoutError } from "../att/index.ts";
import { ArgumentError, BleError, ClosedError, StateError, TimeoutError, UnsupportedError } from "../core/error.ts";
import { DisconnectedError, HciError, HciErrorCode } from "../hci/index.ts";
import { PairingError } from "../smp/index.ts";
import { Errno, type ErrnoName, Status } from "./constants.ts";

/** A wrong argument; `pythonName` is what MicroPython raises for it. */
export class BleArgumentError extends ArgumentError {
  readonly pythonName: "TypeError" | "ValueError";
  constructor(pythonName: BleArgumentError["pythonName"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.pythonName = pythonName;
  }
}

export interface BleOsErrorDetails extends ErrorOptions {
  readonly errno?: number | undefined;
  readonly hciStatus?: number | undefined;
  readonly attError?: number | undefined;
  readonly smpReason?: number | undefined;
}

/**
 * What MicroPython raises as OSError. `code` is the name of the error and `errno` its number; with `compat: "strict"` that number is negative
 * where MicroPython has a code of its Bluetooth host and no name for it.
 */
export class BleOsError extends BleError {
  readonly code: ErrnoName;
  readonly errno: number;
  readonly pythonName = "OSError";
  /** What the controller answered, or why the link ended: a value of HciErrorCode. */
  readonly hciStatus: number | undefined;
  /** What the peer answered to a request of ATT. */
  readonly attError: number | undefined;
  /** The reason of a Pairing Failed. */
  readonly smpReason: number | undefined;
  constructor(code: ErrnoName, message: string, details: BleOsErrorDetails = {}) {
    super(`${code}: ${message}`, details);
    this.code = code;
    this.errno = details.errno ?? Errno[code];
    this.hciStatus = details.hciStatus;
    this.attError = details.attError;
    this.smpReason = details.smpReason;
  }
}

/** Statuses of the controller that have a name of their own; every other one is EIO. */
const OF_STATUS: ReadonlyMap<number, ErrnoName> = new Map<number, ErrnoName>([
  [HciErrorCode.UnknownHciCommand, "EOPNOTSUPP"],
  [HciErrorCode.UnknownConnectionIdentifier, "ENOTCONN"],
  [HciErrorCode.MemoryCapacityExceeded, "ENOMEM"],
  [HciErrorCode.ConnectionTimeout, "ETIMEDOUT"],
  [HciErrorCode.ConnectionLimitExceeded, "ENOMEM"],
  [HciErrorCode.ConnectionAlreadyExists, "EALREADY"],
  [HciErrorCode.CommandDisallowed, "EBUSY"],
  [HciErrorCode.ConnectionRejectedDueToLimitedResources, "ENOMEM"],
  [HciErrorCode.UnsupportedFeatureOrParameterValue, "EINVAL"],
  [HciErrorCode.InvalidHciCommandParameters, "EINVAL"],
  [HciErrorCode.UnsupportedRemoteFeature, "EOPNOTSUPP"],
  [HciErrorCode.InvalidLlParameters, "EINVAL"],
  [HciErrorCode.UnsupportedLlParameterValue, "EINVAL"],
  [HciErrorCode.LlResponseTimeout, "ETIMEDOUT"],
  [HciErrorCode.ParameterOutOfMandatoryRange, "EINVAL"],
  [HciErrorCode.ControllerBusy, "EBUSY"],
]);

interface Details extends Omit<BleOsErrorDetails, "errno"> {
  /** The code that NimBLE has for it, where that is none of those with a name. */
  readonly hostCode?: number | undefined;
}

/** Makes the errors of one BLE. */
export class OsErrors {
  readonly isStrict: boolean;

  constructor(isStrict: boolean) {
    this.isStrict = isStrict;
  }

  create(code: ErrnoName, message: string, { hostCode, ...details }: Details = {}): BleOsError {
    return new BleOsError(code, message, this.isStrict && hostCode !== undefined ? { ...details, errno: -hostCode } : details);
  }

  /** The controller refuses, or would. @param code what to call it where the status alone does not say; it has no other number then */
  ofStatus(hciStatus: number, message: string, { code, ...options }: ErrorOptions & { code?: ErrnoName } = {}): BleOsError {
    const name = code ?? OF_STATUS.get(hciStatus) ?? "EIO";
    return this.create(name, message, { ...options, hciStatus, ...(code === undefined && { hostCode: Status.HciBase + hciStatus }) });
  }

  /** An error of the layers below as the program gets it. Errors of this room stay as they are. */
  of(what: string, error: unknown): BleError {
    if (error instanceof BleOsError || error instanceof BleArgumentError) return error;
    const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (error instanceof HciError) return this.ofStatus(error.status, message, { cause: error });
    if (error instanceof AttError)
      return this.create("EIO", message, { cause: error, attError: error.errorCode, hostCode: Status.AttBase + error.errorCode });
    if (error instanceof PairingError) {
      const base = error.side === "peer" ? Status.SmpPeerBase : Status.SmpLocalBase;
      return this.create("EIO", message, { cause: error, smpReason: error.reason, hostCode: base + error.reason });
    }
    if (error instanceof DisconnectedError) return this.create("ENOTCONN", message, { cause: error, hciStatus: error.reason });
    return this.create(nameOf(error), message, { cause: error });
  }
}

function nameOf(error: unknown): ErrnoName {
  if (error instanceof TimeoutError || error instanceof AttTimeoutError) return "ETIMEDOUT";
  if (error instanceof ArgumentError) return "EINVAL";
  if (error instanceof UnsupportedError) return "EOPNOTSUPP";
  if (error instanceof StateError) return "EBUSY";
  if (error instanceof ClosedError) return "ENODEV";
  return "EIO";
}
