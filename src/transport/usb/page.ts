import type { Clock } from "../../async/clock.ts";
import { checkOptions, checkSignal, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import type { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { BLUETOOTH_CLASS, hasBluetoothInterface, VENDOR_CLASS } from "./find-interface.ts";
import { openUsbDevice } from "./open-device.ts";
import { parseUsbSpec, type UsbSpec } from "./usb-spec.ts";
import { idOf, type WebUsb, type WebUsbDevice, type WebUsbDeviceFilter } from "./web-usb.ts";

export interface OpenWebUsbOptions {
  /** Names the transport in messages; "usb:VID:PID" by default. */
  readonly spec?: string | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined;
}

export interface RequestUsbOptions extends OpenWebUsbOptions {
  /** Which devices the browser's list shows; by default those of the Bluetooth class, and of vendors' classes built like it. */
  readonly filters?: readonly WebUsbDeviceFilter[] | undefined;
  /** `navigator.usb` by default. */
  readonly usb?: WebUsb | undefined;
}

const OPEN_OPTIONS = { spec: true, clock: true, logger: true, signal: true } as const;
const OPTIONS = optionNames<OpenWebUsbOptions>(OPEN_OPTIONS);
const REQUEST_OPTIONS = optionNames<RequestUsbOptions>({ ...OPEN_OPTIONS, filters: true, usb: true });

/**
 * HCI over USB on a `USBDevice`: one that `navigator.usb` gave a page, or that another WebUSB has. It belongs to the transport, which opens
 * it, claims the interface with the HCI, and closes it.
 *
 * @throws {ArgumentError} no such device, or an unknown option
 * @throws {TransportError} `permission`: a browser gives no ordinary page an interface of class Wireless Controller, which most adapters
 *   have · `busy`: the system's driver, another page or program has it · `unsupported`: it has no HCI · `not-found`: it was unplugged
 * @throws `signal.reason` once it aborts
 * @see Vol 4 Part B
 */
export async function openWebUsb(device: WebUsbDevice, options: OpenWebUsbOptions = {}): Promise<HciTransport> {
  checkOptions("openWebUsb", options, OPTIONS);
  checkSignal("openWebUsb: signal", options.signal);
  if (typeof device?.transferIn !== "function" || typeof device.open !== "function")
    throw new ArgumentError(`openWebUsb: expected a USBDevice, got ${kindOf(device)}`);
  const { spec = `usb:${idOf(device)}`, ...rest } = options;
  return await openUsbDevice(device, { ...rest, spec, platform: "page", isNamed: true });
}

/**
 * Shows the browser's list of USB adapters and opens the one that the user chooses. To be called while a click is handled, as the browser
 * demands; a device that was chosen once is opened without asking by `openTransport("usb:")`.
 *
 * @throws {TransportError} `unsupported`: no WebUSB here, or not in a page that came by https · `refused`: the user chose none, or there was
 *   no click · as `openWebUsb`
 */
export async function requestUsbTransport(options: RequestUsbOptions = {}): Promise<HciTransport> {
  checkOptions("requestUsbTransport", options, REQUEST_OPTIONS);
  checkSignal("requestUsbTransport: signal", options.signal);
  options.signal?.throwIfAborted();
  const { filters = [BLUETOOTH_CLASS, VENDOR_CLASS], usb = pageUsb("usb:"), ...rest } = options;
  if (!Array.isArray(filters)) throw new ArgumentError(`requestUsbTransport: filters: expected a list, got ${kindOf(filters)}`);
  let device: WebUsbDevice;
  try {
    device = await usb.requestDevice({ filters: filters.map((filter) => ({ ...filter })) });
  } catch (cause) {
    const { name, message } = cause as Error;
    const [reason, text] =
      name === "NotFoundError"
        ? (["refused", "no USB device was chosen"] as const)
        : name === "SecurityError"
          ? (["refused", "the browser asks for a USB device only while a click is handled, and where the page may use USB"] as const)
          : (["io", `no USB device could be chosen: ${message}`] as const);
    throw new TransportError(reason, text, { cause });
  }
  return await openWebUsb(device, rest);
}

/** `usb:` in a page: among the devices that the user has let it use before. */
export async function openPageUsb(rest: string, { signal, logger }: TransportOptions, usb?: WebUsb): Promise<HciTransport> {
  const spec = `usb:${rest}`;
  const wanted = parseUsbSpec(spec, rest);
  if (wanted.by === "port") throw new TransportError("unsupported", `transport "${spec}": a page is not told at which port a device is`);
  const device = choose(await (usb ?? pageUsb(spec)).getDevices(), wanted);
  if (!device)
    throw new TransportError("not-found", `${spec}: the page was given no such USB device: requestUsbTransport() asks the user for one`);
  return await openUsbDevice(device, { spec, platform: "page", isNamed: true, signal, logger });
}

/** @param devices in the order in which `usb:N` counts them */
export function choose<D extends WebUsbDevice>(devices: readonly D[], wanted: Exclude<UsbSpec, { by: "port" }>): D | undefined {
  if (wanted.by === "number") return devices.filter(hasBluetoothInterface)[wanted.number];
  const { vendorId, productId, serialNumber } = wanted;
  return devices.find(
    (device) =>
      device.vendorId === vendorId &&
      device.productId === productId &&
      (serialNumber === undefined || device.serialNumber === serialNumber),
  );
}

/** @throws {TransportError} there is none here */
function pageUsb(spec: string): WebUsb {
  const { navigator } = globalThis as unknown as { navigator?: { usb?: WebUsb } };
  if (!navigator?.usb)
    throw new TransportError(
      "unsupported",
      `transport "${spec}": there is no WebUSB here: Chromium has it, in pages that came by https or from localhost`,
    );
  return navigator.usb;
}
