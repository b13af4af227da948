import { readdir, readFile, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { UnsupportedError } from "../core/error.ts";

/** A serial port that this machine has; what is not known of it is missing. */
export interface SerialPortInfo {
  /** What `createSerialOpener` takes: "/dev/ttyACM0", "COM3". */
  readonly path: string;
  /** A path that stays the same, whatever else is plugged in (Linux). */
  readonly stablePath?: string;
  readonly manufacturer?: string;
  readonly serialNumber?: string;
  /** Four hexadecimal digits each. */
  readonly vendorId?: string;
  readonly productId?: string;
}

/** What the package tells of a port. */
type Listed = { readonly path: string } & {
  readonly [K in "manufacturer" | "serialNumber" | "vendorId" | "productId"]?: string | undefined;
};

/** The parts of the platform that are used here. */
export interface SerialPlatform {
  /** The package's list. @throws it is missing, or what it asks is not there */
  list(): Promise<readonly Listed[]>;
  /** Folder of the links that stay, and that of the kernel's devices. */
  readonly stableFolder: string;
  readonly kernelFolder: string;
}

const PLATFORM: SerialPlatform = {
  list: async () => {
    const { autoDetect } = createRequire(import.meta.url)("@serialport/bindings-cpp") as {
      autoDetect(): { list(): Promise<readonly Listed[]> };
    };
    return await autoDetect().list();
  },
  stableFolder: "/dev/serial/by-id",
  kernelFolder: "/sys/class/tty",
};

/** A port that the kernel has a driver for, but no hardware: /dev/ttyS0 to ttyS31 of most machines. */
const NO_HARDWARE = "0";

/**
 * The serial ports of this machine, by path. The package @serialport/bindings-cpp is loaded for it; in Linux the kernel is asked where that
 * finds no udevadm.
 *
 * @param platform what is asked; this machine by default
 * @throws {UnsupportedError} the package is missing, and this is not Linux
 */
export async function listSerialPorts(platform: SerialPlatform = PLATFORM): Promise<SerialPortInfo[]> {
  const kernel = await kernelPorts(platform.kernelFolder);
  let listed: readonly Listed[];
  try {
    listed = await platform.list();
  } catch (cause) {
    if (kernel === undefined)
      throw new UnsupportedError(
        'the serial ports cannot be listed: run "npm install @serialport/bindings-cpp", whose list is asked on this platform',
        { cause },
      );
    listed = kernel.map((path) => ({ path }));
  }
  const stable = await stablePaths(platform.stableFolder);
  const ports: SerialPortInfo[] = [];
  for (const { path, manufacturer, serialNumber, vendorId, productId } of listed) {
    if (/^ttyS\d+$/.test(basename(path)) && kernel !== undefined && !kernel.includes(path)) continue;
    const known = { manufacturer, serialNumber, vendorId, productId, stablePath: stable.get(path) };
    const told = Object.entries(known).filter(([, value]) => value !== undefined && value !== "");
    ports.push({ path, ...Object.fromEntries(told) });
  }
  return ports.toSorted((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

/** Paths of the ports with hardware; undefined where there is no such folder. */
async function kernelPorts(folder: string): Promise<string[] | undefined> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return undefined;
  const found = await Promise.all(
    names.map(async (name) => {
      // Terminals of the screen and pseudo-terminals have no device behind them.
      const driver = await realpath(join(folder, name, "device")).catch(() => undefined);
      const type = await readFile(join(folder, name, "type"), "utf8").catch(() => undefined);
      return driver !== undefined && type?.trim() !== NO_HARDWARE ? `/dev/${name}` : undefined;
    }),
  );
  return found.filter((path) => path !== undefined);
}

async function stablePaths(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(
    names.map(async (name) => [await realpath(join(folder, name)).catch(() => ""), join(folder, name)] as const),
  );
  return new Map(links);
}
