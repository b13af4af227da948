import { TransportError } from "../../hci/transport.ts";
import type { RawCommands } from "./raw-commands.ts";

const READ_VERSION = 0xfc05;
const READ_BOOT_PARAMETERS = 0xfc0d;
/** Asks controllers of the later form for everything; those of the first take no notice. */
const EVERYTHING = Uint8Array.of(0xff);
/** Platform of the first form, and its length: status, platform, variant, revision, firmware's variant, revision, build, week, year, patch. */
const PLATFORM = 0x37;
const FIRST_FORM_OCTETS = 10;
/** Firmware's variant: waiting for firmware. */
const BOOTLOADER = 0x06;
/** Those that are named by revisions, from this variant on. */
const FIRST_BY_REVISION = 0x11;
/** Type, length, value: kind of image, 1 while it waits for firmware. */
const IMAGE_TYPE = 0x1c;
const IMAGE_BOOTLOADER = 0x01;

/**
 * An Intel controller that waits for firmware can do nothing else, and is not given any here.
 *
 * @throws {TransportError} `unsupported`: with the file that it wants and what loads it
 */
export async function checkIntel(raw: RawCommands, spec: string): Promise<void> {
  const version = await raw.ask(READ_VERSION, EVERYTHING);
  if (version[0] !== 0) return;
  let file: string;
  if (version.length === FIRST_FORM_OCTETS && version[1] === PLATFORM) {
    const [, , variant, revision, image, imageRevision] = version;
    if (image !== BOOTLOADER) return;
    if (variant! >= FIRST_BY_REVISION) file = `ibt-${variant}-${revision}-${imageRevision}.sfi`;
    else {
      const boot = await raw.ask(READ_BOOT_PARAMETERS);
      file = boot[0] === 0 && boot.length >= 6 ? `ibt-${variant}-${boot[4]! | (boot[5]! << 8)}.sfi` : `ibt-${variant}-….sfi`;
    }
  } else if (imageType(version.subarray(1)) === IMAGE_BOOTLOADER) file = "ibt-….sfi";
  else return;
  throw new TransportError(
    "unsupported",
    `${spec}: the Intel controller waits for firmware (intel/${file}, package firmware-iwlwifi or linux-firmware), which Jelling does not load: Linux does when it drives the controller (hci:N)`,
  );
}

function imageType(values: Uint8Array): number | undefined {
  for (let at = 0; at + 2 < values.length; at += 2 + values[at + 1]!) if (values[at] === IMAGE_TYPE) return values[at + 2];
  return undefined;
}
