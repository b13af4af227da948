import { whileTimeStands } from "./async/index.ts";
import { checkBoolean, kindOf } from "./core/arguments.ts";
import { ArgumentError } from "./core/error.ts";
import { type Device as BareDevice, Device as BareDeviceClass, type DeviceOptions, type OpenController } from "./device/index.ts";
import type { HciTransport } from "./hci/index.ts";
import { Reattachment } from "./transport/adapters/reattach.ts";
import { type OpenTransportKind, openTransport as openBareTransport, type TransportOptions } from "./transport/index.ts";

/** A Bluetooth Low Energy device on one controller. */
export type Device = BareDevice;

export interface NamedDeviceOptions extends DeviceOptions {
  /** Kinds of transport that `openTransport` does not have by itself, by the word before the colon. */
  readonly kinds?: Readonly<Record<string, OpenTransportKind>> | undefined;
  /** Firmware for a controller that wants some, each time that it is opened: see `TransportOptions`. */
  readonly firmware?: TransportOptions["firmware"];
  /**
   * An adapter that is pulled out is waited for, and taken again wherever it comes back, known by its device address: a USB adapter at any
   * port, an adapter of the Linux kernel under any number; anything else at the place that its name says. With it goes `recovery`, which says
   * how often and how long apart; 1,000,000 times, a second apart, unless it is told. False by default.
   */
  readonly reattach?: boolean | undefined;
}

/** Opens devices, on controllers with a name too. */
export interface DeviceOpener {
  /**
   * Opens a controller and everything above it.
   *
   * @param controller what `openTransport` takes ("hci:0", "sim:", "tcp:host:port", …), a transport, or what opens one; it then belongs to
   *   the device
   * @throws {TransportError} it cannot be opened; the message says why and what helps
   * @throws {ArgumentError} no controller, or an option unknown or out of range
   * @throws {UnsupportedError} no Bluetooth Low Energy there
   * @throws {TimeoutError} the controller does not answer
   * @throws what the bond store throws
   */
  open(controller: string | HciTransport | OpenController, options?: NamedDeviceOptions): Promise<Device>;
  [Symbol.hasInstance](value: unknown): value is Device;
}

/**
 * The device of `jelling/device` with names for controllers. That one brings no transports along: for programs that have one of their own.
 */
export const Device: DeviceOpener = Object.freeze({
  async open(
    controller: string | HciTransport | OpenController,
    { kinds, firmware, reattach = false, ...options }: NamedDeviceOptions = {},
  ): Promise<Device> {
    checkBoolean("Device.open: reattach", reattach);
    if (reattach) return await openReattached(controller, { kinds, firmware }, options);
    const opened = typeof controller === "string" ? openNamed(controller, { kinds, firmware }) : controller;
    return await BareDeviceClass.open(opened, options);
  },
  [Symbol.hasInstance]: (value: unknown): value is Device => value instanceof BareDeviceClass,
});

/** As often as the ladder allows: about eleven days at least. */
const ATTEMPTS = 1_000_000;

async function openReattached(
  controller: string | HciTransport | OpenController,
  how: Pick<TransportOptions, "kinds" | "firmware">,
  options: DeviceOptions,
): Promise<Device> {
  if (typeof controller !== "string")
    throw new ArgumentError(`Device.open: reattach: needs the name of an adapter such as "usb:", got ${kindOf(controller)}`);
  const recovery = typeof options.recovery === "object" ? options.recovery : {};
  if (recovery.reopen)
    throw new ArgumentError("Device.open: reattach: recovery.reopen says where the adapter is, which reattach finds by itself");
  let device: Device | undefined;
  let usbId: string | undefined;
  const open = openNamed(controller, how);
  let reattachment: Reattachment | undefined;
  const opened: OpenController = async (given) => {
    reattachment = new Reattachment({
      spec: controller,
      clock: given.clock,
      open: (spec, signal) => openNamed(spec, how)({ ...given, signal }),
      address: () => device?.publicAddress,
      usbId: () => usbId,
    });
    const transport = await open(given);
    if (!how.kinds?.usb) usbId = transport.info.usbId; // a program's own kind is where the program says
    return transport;
  };
  const reopen = (): Promise<HciTransport> => reattachment!.reopen();
  device = await BareDeviceClass.open(opened, { ...options, recovery: { attempts: ATTEMPTS, ...recovery, reopen } });
  device.on("closed", (reason) => reattachment?.stop(reason));
  return device;
}

function openNamed(spec: string, how: Pick<TransportOptions, "kinds" | "firmware">): OpenController {
  return (options) => openTransport(spec, { ...options, ...how });
}

/**
 * The `openTransport` of `jelling/transport`, with simulated devices around the controllers of `sim:`, as the command has them: `sim:` a heart
 * rate belt, a thermometer and an echo, `sim:battery,echo` those that are named, `sim:empty` none. They live in the air of this process for
 * as long as a program has such a controller.
 *
 * @throws as that one, and {TransportError} for a word behind `sim:` that is no device
 */
export function openTransport(spec: string, options: TransportOptions = {}): Promise<HciTransport> {
  return openBareTransport(spec, { ...options, kinds: { sim: openSim, ...options.kinds } });
}

/** Devices stand on the whole stack: loaded only here. */
const openSim: OpenTransportKind = async (rest, options) => {
  const { openInSurroundings } = await whileTimeStands(options.clock, () => import("./testing/example-devices/surroundings.ts"));
  return await openInSurroundings(rest, options);
};
