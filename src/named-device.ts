import { whileTimeStands } from "./async/index.ts";
import { type Device as BareDevice, Device as BareDeviceClass, type DeviceOptions, type OpenController } from "./device/index.ts";
import type { HciTransport } from "./hci/index.ts";
import { type OpenTransportKind, openTransport as openBareTransport, type TransportOptions } from "./transport/index.ts";

/** A Bluetooth Low Energy device on one controller. */
export type Device = BareDevice;

export interface NamedDeviceOptions extends DeviceOptions {
  /** Kinds of transport that `openTransport` does not have by itself, by the word before the colon. */
  readonly kinds?: Readonly<Record<string, OpenTransportKind>> | undefined;
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
  async open(controller: string | HciTransport | OpenController, { kinds, ...options }: NamedDeviceOptions = {}): Promise<Device> {
    const opened = typeof controller === "string" ? openNamed(controller, kinds) : controller;
    return await BareDeviceClass.open(opened, options);
  },
  [Symbol.hasInstance]: (value: unknown): value is Device => value instanceof BareDeviceClass,
});

function openNamed(spec: string, kinds: NamedDeviceOptions["kinds"]): OpenController {
  return (options) => openTransport(spec, { ...options, kinds });
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
