import { type Clock, SystemClock } from "../../async/clock.ts";
import { checkOptions, checkSignal, kindOf, optionNames } from "../../core/arguments.ts";
import { ArgumentError } from "../../core/error.ts";
import { Logger } from "../../core/logger.ts";
import { checkTransport, type HciTransport, TransportError } from "../../hci/transport.ts";
import { UsbTransport } from "../usb/usb-transport.ts";
import { loadBroadcom } from "./broadcom.ts";
import { intelFirmware, loadIntel } from "./intel.ts";
import { RawCommands, READ_LOCAL_NAME, READ_LOCAL_VERSION, RESET } from "./raw-commands.ts";
import { loadRealtek, realtekName } from "./realtek.ts";

/** A firmware file by its name in the linux-firmware collection ("rtl_bt/rtl8761bu_fw.bin"); undefined where there is none. */
export type FirmwareFiles = (name: string) => Promise<Uint8Array | undefined>;

export interface StartUpOptions {
  readonly firmware: FirmwareFiles;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up. The controller has then a part of its firmware: it has to be reset or unplugged. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<StartUpOptions>({ firmware: true, clock: true, logger: true, signal: true });

/** Company identifiers, Assigned Numbers 7.1. */
const Company = Object.freeze({ Broadcom: 0x000f, Infineon: 0x0009, Cypress: 0x0131, Realtek: 0x005d });
/** USB devices of Intel. */
const INTEL_USB = "8087:";
/** Packages that hold the collection's files. */
const PACKAGES: Readonly<Record<string, string>> = {
  rtl_bt: "firmware-realtek (Debian), linux-firmware (Ubuntu, Fedora, Arch)",
  intel: "firmware-iwlwifi (Debian), linux-firmware (Ubuntu, Fedora, Arch)",
  brcm: "firmware-brcm80211 or bluez-firmware (Debian, Raspberry Pi OS), linux-firmware (Ubuntu, Fedora, Arch)",
};

/** What was done; `file` is what was loaded, or what would be wanted. */
export interface StartedUp {
  readonly outcome: "loaded" | "not-needed" | "missing-file";
  readonly file?: string;
}

/**
 * Gives a controller the firmware that it wants, before a host opens it: Broadcom, Cypress and Infineon (`.hcd`), Realtek (`rtl_bt`, first
 * format) and, on USB, Intel (`.sfi` and `.ddc`; 8260, 8265, 9260, 9560, AX200, AX201). One that has it already, or that needs none, is reset and left alone. Without the file a controller goes on with what it has in
 * its ROM, and a warning says which file is wanted; Intel's can do nothing then.
 *
 * @throws {ArgumentError} no transport, no function
 * @throws {TransportError} `io`: the file is damaged, or for another chip · `refused`: the controller does not take it · `unsupported`: it
 *   can do nothing without a file that is missing (Intel), or waits for one in a way that is not known here
 * @throws {TimeoutError} the controller does not answer
 * @throws `signal.reason` once it aborts
 */
export async function startUpController(transport: HciTransport, options: StartUpOptions): Promise<StartedUp> {
  checkTransport("startUpController", transport);
  checkOptions("startUpController", options, OPTIONS);
  const { firmware, clock = new SystemClock(), logger = Logger.silent, signal } = options;
  checkSignal("startUpController: signal", signal);
  if (typeof firmware !== "function") throw new ArgumentError(`startUpController: firmware: expected a function, got ${kindOf(firmware)}`);
  signal?.throwIfAborted();
  using raw = new RawCommands(transport, clock, signal);
  const missing = (file: string): StartedUp => {
    const [folder = ""] = file.split("/");
    logger.warn(`${transport.info.spec}: the controller wants firmware ${file}: the package ${PACKAGES[folder]} has it in /lib/firmware`);
    return { outcome: "missing-file", file };
  };
  // A bootloader of Intel knows its maker's commands, and hardly others.
  if (transport.info.usbId?.startsWith(INTEL_USB)) {
    const started = await startIntel(transport, raw, firmware, missing);
    if (started) return started;
  }
  await raw.command(RESET);
  const version = await raw.command(READ_LOCAL_VERSION);
  const [hciVersion, revision] = [version[1]!, version[2]! | (version[3]! << 8)];
  const [company, lmp] = [version[5]! | (version[6]! << 8), version[7]! | (version[8]! << 8)];
  if (company === Company.Realtek) {
    const name = realtekName(lmp, revision, hciVersion);
    if (name === undefined) return { outcome: "not-needed" };
    const file = `rtl_bt/${name}_fw.bin`;
    const octets = await readFile(firmware, file);
    if (!octets) return missing(file);
    await loadRealtek(raw, file, octets, await readFile(firmware, `rtl_bt/${name}_config.bin`), lmp);
    return { outcome: "loaded", file };
  }
  if (company === Company.Broadcom || company === Company.Cypress || company === Company.Infineon) {
    const name = localName(await raw.ask(READ_LOCAL_NAME));
    // What the ROM calls itself; firmware has a name of its own.
    if (!/^BCM\w+$/.test(name)) return { outcome: "not-needed" };
    const file = `brcm/${name}.hcd`;
    const octets = await readFile(firmware, file);
    if (!octets) return missing(file);
    await loadBroadcom(raw, file, octets, clock, signal);
    return { outcome: "loaded", file };
  }
  return { outcome: "not-needed" };
}

/** @returns undefined where it has its firmware @throws {TransportError} it can do nothing without */
async function startIntel(
  transport: HciTransport,
  raw: RawCommands,
  firmware: FirmwareFiles,
  missing: (file: string) => StartedUp,
): Promise<StartedUp | undefined> {
  const wanted = await intelFirmware(raw);
  if (!wanted) return undefined;
  const file = `${wanted.name}.sfi`;
  const octets = wanted.isKnown ? await readFile(firmware, file) : undefined;
  if (!octets || !(transport instanceof UsbTransport)) {
    missing(file);
    throw new TransportError(
      "unsupported",
      wanted.isKnown
        ? `${transport.info.spec}: the Intel controller can do nothing without its firmware ${file}`
        : `${transport.info.spec}: the Intel controller waits for firmware in a way that Jelling does not know; Linux gives it what it wants where it drives it (hci:N)`,
    );
  }
  const ddc = await readFile(firmware, `${wanted.name}.ddc`);
  transport.isBootloader = true;
  try {
    await loadIntel(raw, wanted.name, octets, ddc);
  } finally {
    transport.isBootloader = false;
  }
  return { outcome: "loaded", file };
}

async function readFile(firmware: FirmwareFiles, name: string): Promise<Uint8Array | undefined> {
  const octets: unknown = await firmware(name);
  if (octets === undefined) return undefined;
  if (!(octets instanceof Uint8Array)) throw new TransportError("io", `firmware ${name}: expected octets, got ${kindOf(octets)}`);
  return octets;
}

/** Text of Read Local Name, Vol 4 Part E 7.3.12: 248 octets, ended by NUL. */
function localName(returns: Uint8Array): string {
  if (returns[0] !== 0) return "";
  const octets = returns.subarray(1);
  const end = octets.indexOf(0);
  return new TextDecoder().decode(end < 0 ? octets : octets.subarray(0, end));
}
