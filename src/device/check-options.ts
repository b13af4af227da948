import { Address } from "../core/address.ts";
import {
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkText,
  checkTimeout,
  kindOf,
  optionNames,
} from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { ADVERTISE_OPTIONS, type AdvertiseOptions } from "../gap/advertising-session.ts";
import { CONNECT_OPTIONS, type ConnectOptions } from "../gap/connect-options.ts";
import { SYNCHRONIZE_OPTIONS, type SynchronizeOptions } from "../gap/periodic/sync-options.ts";
import { checkRecovery } from "../hci/recovery.ts";
import type { DeviceAdvertiseOptions, DeviceConnectOptions, DeviceOptions, DeviceRecovery, DeviceSynchronizeOptions } from "./options.ts";
import type { ConnectionPolicy } from "./policy.ts";

const RECOVERY = optionNames<DeviceRecovery>({ attempts: true, waitMs: true, reopen: true });
const DEVICE_OPTIONS = optionNames<DeviceOptions>({
  clock: true,
  random: true,
  logger: true,
  bonds: true,
  gattCache: true,
  maxBonds: true,
  name: true,
  appearance: true,
  address: true,
  staticAddress: true,
  irk: true,
  privateAddressIntervalMs: true,
  nonResolvableAddress: true,
  addressResolution: true,
  pairing: true,
  agent: true,
  att: true,
  policy: true,
  capture: true,
  gattServer: true,
  commandTimeoutMs: true,
  recovery: true,
  signal: true,
});

/** What a device adds to the options of the room below. */
const OF_ADVERTISE = optionNames<Omit<DeviceAdvertiseOptions, keyof AdvertiseOptions>>({ policy: true, timeoutMs: true });
const OF_CONNECT = optionNames<Omit<DeviceConnectOptions, keyof ConnectOptions>>({ policy: true });
const DEVICE_ADVERTISE_OPTIONS = new Set([...ADVERTISE_OPTIONS, ...OF_ADVERTISE]);
const DEVICE_CONNECT_OPTIONS = new Set([...CONNECT_OPTIONS, ...OF_CONNECT]);

export const DEVICE_SYNCHRONIZE_OPTIONS = new Set([
  ...SYNCHRONIZE_OPTIONS,
  ...optionNames<Omit<DeviceSynchronizeOptions, keyof SynchronizeOptions>>({ policy: true }),
]);

/** An object of the program that has these methods, or nothing. */
function checkMethods(what: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const object = value as Record<string, unknown> | null;
  const missing = typeof value === "object" && object ? methods.find((method) => typeof object[method] !== "function") : methods[0];
  if (missing !== undefined) throw new ArgumentError(`${what}: expected an object with a method "${missing}", got ${kindOf(value)}`);
}

/** What a device is opened on, and with; ranges are checked where they are used. @throws {ArgumentError} */
export function checkDeviceOptions(controller: unknown, options: DeviceOptions): void {
  if (typeof controller !== "function" && typeof (controller as { send?: unknown } | null | undefined)?.send !== "function") {
    const hint = typeof controller === "string" ? '; the Device of "jelling" itself opens one by its name' : "";
    throw new ArgumentError(`Device.open: expected a transport or a function that opens one, got ${kindOf(controller)}${hint}`);
  }
  checkOptions("Device.open", options, DEVICE_OPTIONS);
  checkMethods("Device.open: clock", options.clock, ["now", "setTimer"]);
  checkMethods("Device.open: random", options.random, ["fill"]);
  checkMethods("Device.open: logger", options.logger, ["child", "info"]);
  checkMethods("Device.open: bonds", options.bonds, ["load", "save", "delete", "all"]);
  checkMethods("Device.open: gattCache", options.gattCache, ["load", "save", "delete"]);
  if (options.name !== undefined) checkText("Device.open: name", options.name);
  if (options.appearance !== undefined) checkInteger("Device.open: appearance", options.appearance, 0, 0xffff);
  const { address } = options;
  if (address !== undefined && !(address instanceof Address) && address !== "public" && address !== "random")
    throw new ArgumentError(`Device.open: address: expected "public", "random" or an Address, got ${kindOf(address)}`);
  if (options.policy !== undefined && (typeof options.policy !== "object" || options.policy === null))
    throw new ArgumentError(`Device.open: policy: expected an object of options, got ${kindOf(options.policy)}`);
  for (const part of ["att", "pairing", "agent"] as const)
    if ((options.policy as ConnectionPolicy | undefined)?.[part] !== undefined)
      throw new ArgumentError(`Device.open: policy: "${part}" is an option of Device.open itself`);
  checkFunction("Device.open: capture", options.capture);
  if (options.gattServer !== undefined) checkChoice("Device.open: gattServer", options.gattServer, ["default", "empty"]);
  if (options.addressResolution !== undefined)
    checkChoice("Device.open: addressResolution", options.addressResolution, ["controller", "host"]);
  checkTimeout("Device.open: commandTimeoutMs", options.commandTimeoutMs);
  if (typeof options.recovery === "object" && options.recovery !== null) {
    checkOptions("Device.open: recovery", options.recovery, RECOVERY);
    checkRecovery("Device.open: recovery", options.recovery);
  } else if (options.recovery !== undefined) checkBoolean("Device.open: recovery", options.recovery);
  checkSignal("Device.open: signal", options.signal);
}

/** @throws {ArgumentError} */
export function checkDeviceAdvertiseOptions(options: unknown): void {
  checkOptions("advertise", options, DEVICE_ADVERTISE_OPTIONS);
  checkTimeout("advertise: timeoutMs", (options as DeviceAdvertiseOptions | undefined)?.timeoutMs);
}

/** @throws {ArgumentError} */
export function checkDeviceConnectOptions(options: unknown): void {
  checkOptions("connect", options, DEVICE_CONNECT_OPTIONS);
}
