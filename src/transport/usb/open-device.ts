import { type Clock, SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { ownTerms } from "../../async/own-terms.ts";
import { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { findHciInterface, type HciInterface } from "./find-interface.ts";
import { describeUsbError, type UsbPlatform } from "./usb-errors.ts";
import { UsbTransport } from "./usb-transport.ts";
import { idOf, type WebUsbDevice } from "./web-usb.ts";

/** How long a device may take to be opened, in milliseconds. */
const OPEN_MS = 5000;

export interface OpenUsbDeviceOptions {
  readonly spec: string;
  readonly platform: UsbPlatform;
  /** The user chose this very device, which may then have an interface of its vendor's class. */
  readonly isNamed: boolean;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Devices of transports that are open, or being opened. */
const taken = new WeakSet<WebUsbDevice>();

/**
 * Opens a device, claims its HCI, and begins to read. The device is closed when this fails.
 *
 * @throws {TransportError} one sentence
 * @throws {TimeoutError} the platform does not answer
 * @throws `signal.reason` once it aborts
 */
export async function openUsbDevice(device: WebUsbDevice, options: OpenUsbDeviceOptions): Promise<HciTransport> {
  const { spec, platform, isNamed, clock = new SystemClock(), logger = Logger.silent } = options;
  options.signal?.throwIfAborted();
  if (taken.has(device)) throw new TransportError("busy", `${spec}: USB device ${idOf(device)} is in use by this program`);
  taken.add(device);
  using deadline = new Deadline({ clock, operation: `opening ${spec}`, signal: options.signal, timeoutMs: OPEN_MS });
  const { signal } = deadline;
  const opening = open(device, spec, platform, isNamed, signal);
  let hci: HciInterface;
  try {
    hci = await ownTerms(clock, `opening ${spec}`, opening, { signal });
  } catch (error) {
    // What is under way may succeed after that.
    const close = async (): Promise<void> => {
      await device.close().catch(() => undefined);
      taken.delete(device);
    };
    if (signal.aborted) void opening.then(close, close);
    else await ownTerms(clock, "closing", close(), { timeoutMs: OPEN_MS }).catch(() => undefined);
    throw error;
  }
  const onReleased = (): void => void taken.delete(device);
  return new UsbTransport(device, hci, { spec, usbId: idOf(device) }, { clock, logger: logger.child("transport"), onReleased });
}

async function open(
  device: WebUsbDevice,
  spec: string,
  platform: UsbPlatform,
  isNamed: boolean,
  signal: AbortSignal,
): Promise<HciInterface> {
  const attempt = async <T>(step: "open" | "claim", act: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await act();
    } catch (cause) {
      throw describeUsbError(spec, device, step, cause, platform);
    }
  };
  await attempt("open", () => device.open());
  const configuration = await attempt("open", async () => {
    const chosen = chosenConfiguration(device);
    if (chosen) return chosen;
    const [first] = device.configurations;
    if (first) await device.selectConfiguration(first.configurationValue);
    return first;
  });
  const hci = configuration && findHciInterface(device, configuration, isNamed);
  if (!hci) throw new TransportError("unsupported", `${spec}: USB device ${idOf(device)} has no interface of a Bluetooth adapter`);
  await attempt("claim", () => device.claimInterface(hci.interfaceNumber));
  if (hci.isOtherSetting) await attempt("claim", () => device.selectAlternateInterface(hci.interfaceNumber, hci.alternateSetting));
  return hci;
}

/** None is null in a page, and an error with the package of Node. */
function chosenConfiguration(device: WebUsbDevice) {
  try {
    return device.configuration ?? undefined;
  } catch {
    return undefined;
  }
}
