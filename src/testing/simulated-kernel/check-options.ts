import {
  ArgumentError,
  checkBoolean,
  checkChoice,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOptions,
  checkText,
  kindOf,
  optionNames,
} from "../../core/index.ts";
import { NO_CONTROLLER } from "../../mgmt-protocol/index.ts";
import type {
  KernelControllerOptions,
  KernelDeviceOptions,
  KernelPairing,
  KernelSilence,
  KernelSocketOptions,
  SimulatedKernelOptions,
} from "./options.ts";

// A program's tests rest on what is said here: a mistyped name would be a device that pairs though the test says that it refuses.

const KERNEL = optionNames<SimulatedKernelOptions>({
  clock: true,
  random: true,
  controllers: true,
  devices: true,
  receiveQueuePackets: true,
  roundTripMs: true,
});
const CONTROLLER = optionNames<KernelControllerOptions>({
  index: true,
  address: true,
  privateAddress: true,
  name: true,
  shortName: true,
  appearance: true,
  classOfDevice: true,
  settings: true,
  supportedSettings: true,
  manufacturer: true,
  bluetoothVersion: true,
  bus: true,
  missing: true,
  advertisingInstances: true,
  extendedAdvertising: true,
  isRadioBlocked: true,
});
const DEVICE = optionNames<KernelDeviceOptions>({
  address: true,
  addressType: true,
  rssi: true,
  eirData: true,
  name: true,
  advertisingIntervalMs: true,
  isConnectable: true,
  pairing: true,
  passkey: true,
  pin: true,
  secureConnections: true,
  isBondable: true,
  identity: true,
  services: true,
});
const IDENTITY = optionNames<NonNullable<KernelDeviceOptions["identity"]>>({ address: true, addressType: true });
const SOCKET = optionNames<KernelSocketOptions>({ privileged: true, command: true });
const SILENCE = optionNames<KernelSilence>({ index: true, command: true });
const CONNECT = optionNames<{ pair?: boolean }>({ pair: true });
const PAIRINGS: readonly KernelPairing[] = ["justWorks", "compare", "devicePasskey", "hostPasskey", "pin", "refuse", "never"];

/** A day, and far from what a timer can hold. */
const LONGEST_MS = 86_400_000;

/** @throws {ArgumentError} an unknown name, or a value of another kind */
export function checkKernel(options: SimulatedKernelOptions): void {
  checkOptions("SimulatedKernel", options, KERNEL);
  const { clock, random, controllers, devices, receiveQueuePackets, roundTripMs } = options;
  if (clock !== undefined) checkMethod("SimulatedKernel: clock", clock, "now");
  if (random !== undefined) checkMethod("SimulatedKernel: random", random, "fill");
  checkList("SimulatedKernel: controllers", controllers);
  checkList("SimulatedKernel: devices", devices);
  if (receiveQueuePackets !== undefined) checkInteger("SimulatedKernel: receiveQueuePackets", receiveQueuePackets, 1, 2 ** 31);
  if (roundTripMs !== undefined) checkMilliseconds("SimulatedKernel: roundTripMs", roundTripMs, 0, LONGEST_MS);
}

/** @throws {ArgumentError} an unknown name, or a value of another kind; addresses and the names of settings are checked where they are read */
export function checkController(options: KernelControllerOptions): void {
  checkOptions("controller", options, CONTROLLER);
  const numbers = { appearance: 0xffff, classOfDevice: 0xff_ffff, manufacturer: 0xffff, bluetoothVersion: 0xff, bus: 0xff } as const;
  const given = options as Readonly<Record<string, unknown>>;
  if (options.index !== undefined) checkInteger("controller: index", options.index, 0, NO_CONTROLLER - 1);
  for (const [name, most] of Object.entries(numbers))
    if (given[name] !== undefined) checkInteger(`controller: ${name}`, given[name], 0, most);
  if (options.advertisingInstances !== undefined) checkInteger("controller: advertisingInstances", options.advertisingInstances, 0, 0xff);
  for (const name of ["address", "privateAddress", "name", "shortName"])
    if (given[name] !== undefined) checkText(`controller: ${name}`, given[name]);
  for (const name of ["extendedAdvertising", "isRadioBlocked"]) checkBoolean(`controller: ${name}`, given[name]);
  for (const name of ["settings", "supportedSettings", "missing"]) checkList(`controller: ${name}`, given[name]);
}

/** @throws {ArgumentError} an unknown name, or a value of another kind; addresses, data and UUIDs are checked where they are read */
export function checkDevice(options: KernelDeviceOptions): void {
  if (options === undefined) throw new ArgumentError("device: expected an object of options, got undefined");
  checkOptions("device", options, DEVICE);
  checkText("device: address", options.address);
  if (options.addressType !== undefined) checkChoice("device: addressType", options.addressType, ["BREDR", "LEPublic", "LERandom"]);
  if (options.rssi !== undefined) checkInteger("device: rssi", options.rssi, -127, 127);
  if (options.advertisingIntervalMs !== undefined)
    checkMilliseconds("device: advertisingIntervalMs", options.advertisingIntervalMs, 1, LONGEST_MS);
  if (options.pairing !== undefined) checkChoice("device: pairing", options.pairing, PAIRINGS);
  if (options.passkey !== undefined) checkInteger("device: passkey", options.passkey, 0, 999_999);
  for (const [name, text] of Object.entries({ name: options.name, pin: options.pin }))
    if (text !== undefined) checkText(`device: ${name}`, text);
  const { isConnectable, secureConnections, isBondable, identity, services } = options;
  for (const [name, flag] of Object.entries({ isConnectable, secureConnections, isBondable })) checkBoolean(`device: ${name}`, flag);
  checkList("device: services", services);
  if (identity === undefined) return;
  checkOptions("device: identity", identity, IDENTITY);
  checkText("device: identity: address", identity.address);
  if (identity.addressType !== undefined) checkChoice("device: identity: addressType", identity.addressType, ["LEPublic", "LERandom"]);
}

/** @throws {ArgumentError} */
export function checkSocket(options: KernelSocketOptions): void {
  checkOptions("openSocket", options, SOCKET);
  checkBoolean("openSocket: privileged", options.privileged);
  if (options.command !== undefined) checkText("openSocket: command", options.command);
}

/** @throws {ArgumentError} */
export function checkSilence(what: KernelSilence): void {
  if (what === undefined) throw new ArgumentError("silence: expected a controller, a command, or both, got undefined");
  checkOptions("silence", what, SILENCE);
  if (what.index !== undefined) checkInteger("silence: index", what.index, 0, NO_CONTROLLER);
  if (what.command !== undefined && typeof (what.command as { opcode?: unknown } | null)?.opcode !== "number")
    throw new ArgumentError(`silence: command: expected one of commands, got ${kindOf(what.command)}`);
}

/** @throws {ArgumentError} */
export function checkConnect(options: { pair?: boolean }): void {
  checkOptions("connect", options, CONNECT);
  checkBoolean("connect: pair", options.pair);
}

function checkList(what: string, list: unknown): void {
  if (list !== undefined && !Array.isArray(list)) throw new ArgumentError(`${what}: expected an array, got ${kindOf(list)}`);
}

function checkMethod(what: string, value: unknown, method: string): void {
  const found = (value as Readonly<Record<string, unknown>> | null)?.[method];
  if (found === undefined) throw new ArgumentError(`${what}: expected an object with ${method}(), got ${kindOf(value)}`);
  checkFunction(`${what}: ${method}`, found);
}
