import type { AnyMgmtCommand, StatusName } from "../../mgmt-protocol/index.ts";
import type { Call, Check } from "./call.ts";
import type { Controller } from "./controller.ts";
import type { SettingName } from "./options.ts";

/*
 * Reasons that many commands share for not being carried out.
 */

/** Unless `holds`, the command is refused with `status`. */
export const need =
  (holds: (controller: Controller) => boolean, status: StatusName): Check<AnyMgmtCommand> =>
  ({ controller }) =>
    holds(controller) ? undefined : status;

export const supports = (name: SettingName, status: StatusName = "NotSupported"): Check<AnyMgmtCommand> =>
  need((controller) => controller.supports(name), status);

export const isOn = (name: SettingName, status: StatusName = "Rejected"): Check<AnyMgmtCommand> =>
  need((controller) => controller.has(name), status);

export const isPowered = (status: StatusName = "NotPowered"): Check<AnyMgmtCommand> => need((controller) => controller.isPowered, status);

export const isPoweredOff: Check<AnyMgmtCommand> = need((controller) => !controller.isPowered, "Rejected");

/** BR/EDR or LE is switched on. */
export const hasTransport: Check<AnyMgmtCommand> = need((controller) => controller.has("LowEnergy") || controller.has("BREDR"), "Rejected");

/** None of these is on its way at this controller. */
export const notDuring = (...conflicting: AnyMgmtCommand[]): Check<AnyMgmtCommand> => {
  const opcodes = conflicting.map(({ opcode }) => opcode);
  return need((controller) => !controller.isPending(...opcodes), "Busy");
};

/** Advertising and discovery stand still while the system sleeps. */
export const notPaused: Check<AnyMgmtCommand> = need((controller) => !controller.isSuspended, "Busy");

export const atMost =
  (field: string, most: number): Check<AnyMgmtCommand> =>
  ({ parameters }: Call) =>
    Number(parameters[field]) > most ? "InvalidParameters" : undefined;

/** The parameters name an address type that exists. */
export const knownAddressType: Check<AnyMgmtCommand> = atMost("addressType", 2);
