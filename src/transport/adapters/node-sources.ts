import { adapterIndices, systemFolders } from "../linux/folders.ts";
import type { OpenKernelSocket } from "../types.ts";
import { listUsbDevices, loadUsb, type PackageUsb, portOf } from "../usb/node.ts";
import type { TransportSource } from "./found.ts";
import { HciSource } from "./hci-source.ts";
import { UsbSource } from "./usb-source.ts";

/** Adapters on USB, where the package is installed, and those of a Linux kernel. */
export function platformSources(openKernelSocket: OpenKernelSocket, load: () => PackageUsb = loadUsb): TransportSource[] {
  const sources: TransportSource[] = [];
  try {
    const usb = load();
    // A device that was away has another number.
    sources.push(
      new UsbSource(
        new GuardedUsb(usb),
        () => listUsbDevices(usb),
        portOf,
        ({ address }) => `${address}`,
      ),
    );
  } catch {
    // Not installed: nobody asked for USB.
  }
  if (process.platform === "linux") sources.push(new HciSource(() => adapterIndices(systemFolders()), openKernelSocket));
  return sources;
}

type Listen = Parameters<PackageUsb["addEventListener"]>;

/** The package lists the devices when the first listener comes, and ends the process where it cannot: there, nothing is listened for. */
class GuardedUsb implements Pick<PackageUsb, "addEventListener" | "removeEventListener"> {
  readonly #usb: PackageUsb;
  readonly #wanted = new Set<Listen[1]>();

  constructor(usb: PackageUsb) {
    this.#usb = usb;
  }

  addEventListener(...[type, listener]: Listen): void {
    this.#wanted.add(listener);
    this.#usb.getDevices().then(
      () => {
        if (this.#wanted.has(listener)) this.#usb.addEventListener(type, listener);
      },
      () => undefined,
    );
  }

  removeEventListener(...[type, listener]: Listen): void {
    if (this.#wanted.delete(listener)) this.#usb.removeEventListener(type, listener);
  }
}
