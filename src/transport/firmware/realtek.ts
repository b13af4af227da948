import { TransportError } from "../../hci/transport.ts";
import { type RawCommands, RESET } from "./raw-commands.ts";

const READ_ROM_VERSION = 0xfc6d;
const DOWNLOAD = 0xfc20;
/** Octets of a part of the download, beside its index. */
const PART_OCTETS = 252;
/** Indices go on at 1 after this one; the last part has the highest bit besides. */
const LAST_INDEX = 0x7f;
const LAST_PART = 0x80;

const SIGNATURE = [...new TextEncoder().encode("Realtech")];
const LATER_SIGNATURE = [...new TextEncoder().encode("RTBTCore")];
/** Ends the file; instructions stand before it, read backwards. */
const EXTENSION_SIGNATURE = [0x51, 0x04, 0xfd, 0x77];

/** What a chip says of itself before it has firmware: LMP subversion, HCI revision and HCI version; the file for it on USB. */
const CHIPS: readonly { readonly lmp: number; readonly revision: number; readonly version: number; readonly name: string }[] = [
  { lmp: 0x8723, revision: 0x000b, version: 0x06, name: "rtl8723b" },
  { lmp: 0x8723, revision: 0x000d, version: 0x08, name: "rtl8723d" },
  { lmp: 0x8821, revision: 0x000a, version: 0x06, name: "rtl8821a" },
  { lmp: 0x8821, revision: 0x000c, version: 0x08, name: "rtl8821c" },
  { lmp: 0x8761, revision: 0x000a, version: 0x06, name: "rtl8761a" },
  { lmp: 0x8761, revision: 0x000b, version: 0x0a, name: "rtl8761bu" },
  { lmp: 0x8822, revision: 0x000b, version: 0x07, name: "rtl8822b" },
  { lmp: 0x8822, revision: 0x000c, version: 0x0a, name: "rtl8822cu" },
  { lmp: 0x8852, revision: 0x000a, version: 0x0b, name: "rtl8852au" },
  { lmp: 0x8852, revision: 0x000b, version: 0x0b, name: "rtl8852bu" },
  { lmp: 0x8852, revision: 0x000c, version: 0x0c, name: "rtl8852cu" },
];

/** Project numbers in files, and the LMP subversion of the chips that they are for. */
const PROJECTS: ReadonlyMap<number, number> = new Map([
  [1, 0x8723],
  [2, 0x8821],
  [3, 0x8761],
  [8, 0x8822],
  [9, 0x8723],
  [10, 0x8821],
  [13, 0x8822],
  [14, 0x8761],
  [18, 0x8852],
  [20, 0x8852],
  [25, 0x8852],
]);

/** "rtl8761bu" for a chip without firmware; undefined for one that has it, or that is not known here. */
export function realtekName(lmp: number, revision: number, version: number): string | undefined {
  return CHIPS.find((chip) => chip.lmp === lmp && chip.revision === revision && chip.version === version)?.name;
}

/**
 * The patch for a chip out of an `rtl…_fw.bin` file: header, tables of chip numbers, lengths and offsets, patches; the version of the file
 * stands in the last four octets of each patch once it is taken.
 *
 * @throws {TransportError} it is none, of a later format, for other chips, or damaged
 */
export function extractPatch(name: string, file: Uint8Array, lmp: number, romVersion: number): Uint8Array {
  const fail = (what: string): never => {
    throw new TransportError("io", `firmware ${name}: ${what}`);
  };
  if (matches(file, LATER_SIGNATURE, 0)) fail("its format (RTBTCore) is a later one than Jelling reads");
  if (!matches(file, SIGNATURE, 0) || file.length < 18) fail("it is no firmware of Realtek");
  if (!matches(file, EXTENSION_SIGNATURE, file.length - 4)) fail("its end is missing");
  const project = projectOf(file) ?? fail("it does not say which chip it is for");
  if (PROJECTS.get(project) !== lmp) fail(`it is for another chip (project ${project})`);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const count = view.getUint16(12, true);
  const tables = 14;
  if (tables + 8 * count > file.length - 4) fail("its tables are longer than it");
  for (let i = 0; i < count; i++) {
    if (view.getUint16(tables + 2 * i, true) !== romVersion + 1) continue;
    const length = view.getUint16(tables + 2 * count + 2 * i, true);
    const offset = view.getUint32(tables + 4 * count + 4 * i, true);
    if (length < 4 || offset + length > file.length) fail("a patch does not lie in it");
    const patch = file.slice(offset, offset + length);
    patch.set(file.subarray(8, 12), length - 4);
    return patch;
  }
  return fail(`it has no patch for version ${romVersion} of the chip's ROM`);
}

/** Instructions from the end: opcode, length, that many octets; 0x00 is the project, 0xFF the end. */
function projectOf(file: Uint8Array): number | undefined {
  let at = file.length - EXTENSION_SIGNATURE.length;
  while (at >= 17) {
    const [opcode, length] = [file[at - 1]!, file[at - 2]!];
    if (opcode === 0xff || length === 0) return undefined;
    if (opcode === 0x00 && length === 1) return file[at - 3];
    at -= 2 + length;
  }
  return undefined;
}

function matches(file: Uint8Array, octets: readonly number[], at: number): boolean {
  return at >= 0 && octets.every((octet, i) => file[at + i] === octet);
}

/** Loads a patch, with the configuration behind it where there is one. The controller takes it as it comes. */
export async function loadRealtek(
  raw: RawCommands,
  name: string,
  file: Uint8Array,
  configuration: Uint8Array | undefined,
  lmp: number,
): Promise<void> {
  const romVersion = (await raw.command(READ_ROM_VERSION))[1] ?? 0;
  const patch = extractPatch(name, file, lmp, romVersion);
  const whole = new Uint8Array(patch.length + (configuration?.length ?? 0));
  whole.set(patch);
  if (configuration) whole.set(configuration, patch.length);
  // One more than what is full: a last part without octets where nothing is left.
  const parts = Math.floor(whole.length / PART_OCTETS) + 1;
  for (let part = 0, index = 0; part < parts; part++, index = index === LAST_INDEX ? 1 : index + 1) {
    const octets = whole.subarray(part * PART_OCTETS, (part + 1) * PART_OCTETS);
    const parameters = new Uint8Array(1 + octets.length);
    parameters[0] = part === parts - 1 ? index | LAST_PART : index;
    parameters.set(octets, 1);
    await raw.command(DOWNLOAD, parameters);
  }
  await raw.command(RESET);
}
