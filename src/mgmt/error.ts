import { BleError } from "../core/index.ts";
import { type AnyMgmtCommand, NO_CONTROLLER, nameOf, Status, type StatusName } from "../mgmt-protocol/index.ts";

/** "Set Powered on hci0". */
export function commandText({ title }: AnyMgmtCommand, index: number): string {
  return index === NO_CONTROLLER ? title : `${title} on hci${index}`;
}

/** What usually stands behind a status, whatever the command. */
const GENERAL: Readonly<Record<StatusName, string>> = {
  Success: "",
  UnknownCommand: "this kernel is older than the command",
  NotConnected: "the device has no link",
  Failed: "the controller or the kernel failed without saying why; powering on while rfkill blocks it ends so too",
  ConnectFailed: "the device could not be reached",
  AuthenticationFailed:
    "wrong PIN or passkey, a refusal on either side, a key that only one side still has, or Secure Connections off where numbers should be compared",
  NotPaired: "the device is not paired",
  NoResources: "a list of the controller or the kernel is full",
  Timeout: "the controller or the device did not answer in time",
  AlreadyConnected: "the device is connected already",
  Busy: "the same or a conflicting operation is under way, perhaps of another program",
  Rejected: "not in this state: on when it has to be off, switched off, or nothing to stop",
  NotSupported: "the controller, its driver or this kernel cannot do it",
  InvalidParameters: "a value out of range, or a device, instance or handle that is not known",
  Disconnected: "the link ended meanwhile, or there was none",
  NotPowered: "the controller is off: power it on first",
  Cancelled: "it was cancelled",
  InvalidIndex: "there is no such controller, or another program has it to itself",
  RFKilled: 'the radio is switched off: run "rfkill unblock bluetooth" or use the computer\'s switch',
  AlreadyPaired: "there are keys for this device: unpair it first",
  PermissionDenied: "this program may not: it needs the right to administer the network (CAP_NET_ADMIN)",
};

/** Statuses whose general cause says it all. */
const PLAIN: ReadonlySet<string> = new Set<StatusName>(["NotPowered", "InvalidIndex", "PermissionDenied", "RFKilled", "UnknownCommand"]);

/** The kernel answered a management command with a status other than Success. */
export class MgmtError extends BleError {
  readonly code = "ERR_MGMT";
  /** The description's name: "SetPowered". */
  readonly command: string;
  readonly opcode: number;
  /** NO_CONTROLLER where it belongs to none. */
  readonly index: number;
  readonly status: number;
  /** "NotPowered"; "0x15" where the status has no name. */
  readonly statusName: string;
  /** What usually causes it. */
  readonly usualCause: string;
  /** Return parameters that came all the same; the address tells which device failed. */
  readonly returns: Readonly<Record<string, unknown>> | undefined;

  /** @param at.remedy the line that gives this process the right it lacks */
  constructor(
    at: {
      readonly command: AnyMgmtCommand;
      readonly index: number;
      readonly status: number;
      readonly returns?: Readonly<Record<string, unknown>> | undefined;
      readonly remedy?: string | undefined;
    },
    options?: ErrorOptions,
  ) {
    const { command, index, status, returns, remedy } = at;
    const number = `0x${status.toString(16).padStart(2, "0")}`;
    const name = nameOf(Status, status) as StatusName | undefined;
    const specific = name === undefined || PLAIN.has(name) ? undefined : command.causes[name];
    const cause = specific ?? (name === undefined ? "a status newer than this library" : GENERAL[name]);
    const help = name === "PermissionDenied" && remedy ? `: ${remedy}` : "";
    super(
      `${commandText(command, index)}: ${name === undefined ? number : `${name} (${number})`}; ${specific ? `usual cause: ${cause}` : cause}${help}`,
      options,
    );
    this.command = command.name;
    this.opcode = command.opcode;
    this.index = index;
    this.status = status;
    this.statusName = name ?? number;
    this.usualCause = cause;
    this.returns = returns;
  }
}

/** The kernel took a management command without giving a reply: the write itself failed. */
export class MgmtWriteError extends BleError {
  readonly code = "ERR_MGMT_WRITE";
  readonly command: string;
  readonly index: number;
  readonly errno: number;
  /** "ENETDOWN". */
  readonly errnoName: string;

  constructor(command: AnyMgmtCommand, index: number, fault: { readonly errno: number; readonly code: string }, options?: ErrorOptions) {
    // Add Device and Remove Advertising on a controller that has been off for two seconds: the kernel forgets to reply.
    const cause = fault.code === "ENETDOWN" ? "; the controller is off: power it on first" : "";
    super(`${commandText(command, index)} could not be sent (${fault.code})${cause}`, options);
    this.command = command.name;
    this.index = index;
    this.errno = fault.errno;
    this.errnoName = fault.code;
  }
}
