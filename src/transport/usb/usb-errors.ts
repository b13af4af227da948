import { TransportError } from "../../hci/transport.ts";
import { idOf, type WebUsbDevice } from "./web-usb.ts";

/** Where the program runs: process.platform of Node; "page" for a page, which is not told. */
export type UsbPlatform = string;

/** The rule that lets the user at the machine open a device on Linux. */
export function udevRule(id: string): string {
  const [vendor, product] = id.split(":");
  return `SUBSYSTEM=="usb", ATTR{idVendor}=="${vendor}", ATTR{idProduct}=="${product}", TAG+="uaccess"`;
}

/** One sentence for what opening a device or claiming its interface failed with. */
export function describeUsbError(
  spec: string,
  device: Pick<WebUsbDevice, "vendorId" | "productId">,
  step: "open" | "claim",
  cause: unknown,
  platform: UsbPlatform,
): TransportError {
  const { name = "", message = String(cause) } = (cause ?? {}) as Partial<Error>;
  const id = idOf(device);
  const error = (reason: TransportError["reason"], text: string): TransportError =>
    new TransportError(reason, `${spec}: ${text}`, { cause });
  if (name === "NotFoundError" || /disconnect|no such device|not found|errno (2|19)\b/i.test(message))
    return error("not-found", `USB device ${id} is gone`);
  if (step === "claim" && name === "SecurityError")
    return error(
      "permission",
      `the browser gives no page the interface of ${id}, whose class is Wireless Controller: use Web Serial or ws:, or Node, or an isolated web app with the permission usb-unrestricted`,
    );
  if (name === "SecurityError" || /permission|access denied|errno (1|13)\b/i.test(message)) {
    if (platform === "win32")
      return error(
        "permission",
        `USB device ${id} may not be opened: another program has it, or it needs the WinUSB driver (Zadig installs it)`,
      );
    if (platform === "darwin") return error("permission", heldByMacos(id));
    return error(
      "permission",
      `USB device ${id} may not be opened: on Linux put the line ${udevRule(id)} into /etc/udev/rules.d/70-bluetooth-usb.rules and plug it in again`,
    );
  }
  if (platform === "win32" && /not.?supported|unsupported|driver/i.test(`${name} ${message}`))
    return error("unsupported", `USB device ${id} needs the WinUSB driver instead of its own: Zadig installs it`);
  if (step === "claim" || /busy|in use|exclusive|errno 16\b/i.test(message)) {
    if (platform === "darwin") return error("busy", heldByMacos(id));
    if (platform === "win32")
      return error("busy", `USB device ${id} is in use by another program, or by a driver that is not WinUSB (Zadig installs it)`);
    return error("busy", `USB device ${id} is in use by another program, or by the system's own Bluetooth driver`);
  }
  return error("io", `USB device ${id} cannot be ${step === "open" ? "opened" : "claimed"}: ${message}`);
}

function heldByMacos(id: string): string {
  return `macOS's own Bluetooth driver holds USB device ${id}: use one that macOS has no driver for, or serial:`;
}
