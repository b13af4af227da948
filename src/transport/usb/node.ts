import { readlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { type Clock, SystemClock } from "../../async/clock.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { NodeUsbDevice, type PackageUsbDevice } from "./node-device.ts";
import { openUsbDevice } from "./open-device.ts";
import { choose } from "./page.ts";
import { parseUsbSpec, portName, type UsbSpec } from "./usb-spec.ts";
import type { WebUsb } from "./web-usb.ts";

/** The parts of the machine that are used here. */
export interface UsbMachine {
  readonly usb?: PackageUsb;
  readonly platform?: string;
  readonly clock?: Clock;
  /** Name of the kernel driver that has an interface, where the platform tells. */
  readonly driverOf?: (device: PackageUsbDevice, interfaceNumber: number) => Promise<string | undefined>;
}

const driverOfLinux: NonNullable<UsbMachine["driverOf"]> = async (device, interfaceNumber) => {
  const name = `${portOf(device)}:${device.configuration?.configurationValue ?? 1}.${interfaceNumber}`;
  return await readlink(`/sys/bus/usb/devices/${name}/driver`).then(basename, () => undefined);
};

/** `usb` of the package, which lets a program use every device. */
export interface PackageUsb extends Pick<WebUsb, "addEventListener" | "removeEventListener"> {
  getDevices(): Promise<PackageUsbDevice[]>;
}

/** Loads the optional package on first use. @throws {TransportError} it is missing */
export function loadUsb(require: (name: string) => unknown = createRequire(import.meta.url)): PackageUsb {
  try {
    return (require("usb") as { usb: PackageUsb }).usb;
  } catch (cause) {
    throw new TransportError("missing-package", 'USB needs the package usb, which does not load here: run "npm install usb"', { cause });
  }
}

/**
 * `usb:`, `usb:N`, `usb:VID:PID[#SERIAL]`, `usb:BUS-PORT` in Node.
 *
 * @throws {TransportError} with one sentence
 */
export async function openNodeUsb(rest: string, { signal, logger }: TransportOptions, machine: UsbMachine = {}): Promise<HciTransport> {
  const spec = `usb:${rest}`;
  const wanted = parseUsbSpec(spec, rest);
  const { usb = loadUsb(), platform = process.platform, clock = new SystemClock(), driverOf = driverOfLinux } = machine;
  const device = chooseByPort(await listUsbDevices(usb), wanted);
  if (!device)
    throw new TransportError("not-found", `${spec}: there is no such ${wanted.by === "number" ? "USB Bluetooth adapter" : "USB device"}`);
  const isNamed = wanted.by !== "number";
  return await openUsbDevice(new NodeUsbDevice(device, clock, (number) => driverOf(device, number)), {
    spec,
    platform,
    isNamed,
    clock,
    signal,
    logger,
  });
}

/** All USB devices, by bus and port. @throws {TransportError} the platform does not tell */
export async function listUsbDevices(usb: PackageUsb): Promise<PackageUsbDevice[]> {
  try {
    const devices = await usb.getDevices();
    return devices.sort((a, b) => portOf(a).localeCompare(portOf(b), "en", { numeric: true }));
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (/not found|errno 2\b/i.test(text)) return []; // Linux without USB, as in a container
    throw new TransportError("io", `the USB devices cannot be listed: ${text}`, { cause });
  }
}

/** "1-2.3", as Linux names it. */
export function portOf({ bus, ports }: Pick<PackageUsbDevice, "bus" | "ports">): string {
  return portName(bus, ports.join("."));
}

function chooseByPort(devices: readonly PackageUsbDevice[], wanted: UsbSpec): PackageUsbDevice | undefined {
  if (wanted.by !== "port") return choose(devices, wanted);
  return devices.find((device) => portOf(device) === wanted.port);
}
