import { TransportError } from "../../hci/transport.ts";
import { type RawCommands, RESET } from "./raw-commands.ts";

const READ_VERSION = 0xfc05;
const READ_BOOT_PARAMETERS = 0xfc0d;
const SECURE_SEND = 0xfc09;
const BOOT = 0xfc01;
const WRITE_DDC = 0xfc8b;
/** Inside the file: its parameters begin with the address that the firmware is started at. */
const WRITE_BOOT_PARAMETERS = 0xfc0e;
/** Asks controllers of the later form for everything; those of the first take no notice. */
const EVERYTHING = Uint8Array.of(0xff);
/** Platform of the first form, and its length: status, platform, variant, revision, firmware's variant, revision, build, week, year, patch. */
const PLATFORM = 0x37;
const FIRST_FORM_OCTETS = 10;
/** Firmware's variant: waiting for firmware. */
const BOOTLOADER = 0x06;
/** Those that are named by revisions, from this variant on; the ones before by the device's revision. */
const FIRST_BY_REVISION = 0x11;
/** Type, length, value of the later form: kind of image, 1 while it waits for firmware. */
const IMAGE_TYPE = 0x1c;
const IMAGE_BOOTLOADER = 0x01;

/** Kinds of parts of a secure download, and where they are in the file: header, public key (with an exponent behind it), signature, commands. */
const Part = Object.freeze({ Header: 0x00, Data: 0x01, Signature: 0x02, PublicKey: 0x03 });
const HEADER_END = 128;
const KEY_END = 384;
const SIGNATURE_AT = 388;
const DATA_AT = 644;
const PART_OCTETS = 252;
/** Vendor events: the download was checked, the firmware has started. */
const VENDOR_EVENT = 0xff;
const DOWNLOADED = 0x06;
const BOOTED = 0x02;
const DOWNLOAD_MS = 5000;
const BOOT_MS = 5000;

/** What the controller waits for; undefined: for nothing. */
export async function intelFirmware(raw: RawCommands): Promise<{ readonly name: string; readonly isKnown: boolean } | undefined> {
  const version = await raw.ask(READ_VERSION, EVERYTHING);
  if (version[0] !== 0) return undefined;
  if (version.length !== FIRST_FORM_OCTETS || version[1] !== PLATFORM)
    return imageType(version.subarray(1)) === IMAGE_BOOTLOADER ? { name: "intel/ibt-…", isKnown: false } : undefined;
  const [, , variant, revision, image, imageRevision] = version;
  if (image !== BOOTLOADER) return undefined;
  if (variant! >= FIRST_BY_REVISION) return { name: `intel/ibt-${variant}-${revision}-${imageRevision}`, isKnown: true };
  const boot = await raw.command(READ_BOOT_PARAMETERS);
  return { name: `intel/ibt-${variant}-${(boot[4] ?? 0) | ((boot[5] ?? 0) << 8)}`, isKnown: true };
}

function imageType(values: Uint8Array): number | undefined {
  for (let at = 0; at + 2 < values.length; at += 2 + values[at + 1]!) if (values[at] === IMAGE_TYPE) return values[at + 2];
  return undefined;
}

/** The commands of a `.sfi` file, in pieces of whole commands whose lengths are multiples of four. @throws {TransportError} it is none */
export function piecesOf(name: string, file: Uint8Array): { readonly pieces: Uint8Array[]; readonly bootAddress: number } {
  const fail = (what: string): never => {
    throw new TransportError("io", `firmware ${name}: ${what}`);
  };
  if (file.length <= DATA_AT) fail("it is shorter than its header, so it is no .sfi file");
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const pieces: Uint8Array[] = [];
  let bootAddress = 0;
  let from = DATA_AT;
  for (let at = DATA_AT; at < file.length; ) {
    const end = at + 3 + (file[at + 2] ?? file.length);
    if (end > file.length) fail(`at octet ${at} a command goes past its end`);
    if (view.getUint16(at, true) === WRITE_BOOT_PARAMETERS && end - at >= 7) bootAddress = view.getUint32(at + 3, true);
    at = end;
    if ((at - from) % 4 !== 0) continue;
    pieces.push(file.slice(from, at));
    from = at;
  }
  if (from !== file.length) fail("its last commands are no multiple of four octets");
  return { pieces, bootAddress };
}

/** Configuration: records of a length and so many octets. @throws {TransportError} it is none */
export function recordsOf(name: string, file: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += 1 + file[at]!) {
    const record = file.slice(at, at + 1 + file[at]!);
    if (record.length !== 1 + file[at]!) throw new TransportError("io", `firmware ${name}: at octet ${at} a record goes past its end`);
    records.push(record);
  }
  return records;
}

/** Gives the bootloader its firmware, starts that, and configures it. */
export async function loadIntel(raw: RawCommands, name: string, file: Uint8Array, ddc: Uint8Array | undefined): Promise<void> {
  const { pieces, bootAddress } = piecesOf(`${name}.sfi`, file);
  const records = ddc ? recordsOf(`${name}.ddc`, ddc) : [];
  const downloaded = raw.expect("checking the firmware", DOWNLOAD_MS + pieces.length * 100, isVendorEvent(DOWNLOADED));
  await secureSend(raw, Part.Header, file.subarray(0, HEADER_END));
  await secureSend(raw, Part.PublicKey, file.subarray(HEADER_END, KEY_END));
  await secureSend(raw, Part.Signature, file.subarray(SIGNATURE_AT, DATA_AT));
  for (const piece of pieces) await secureSend(raw, Part.Data, piece);
  const result = await downloaded;
  if (result[4] !== 0)
    throw new TransportError(
      "refused",
      `firmware ${name}.sfi: the controller refuses it with result 0x${result[4]!.toString(16).padStart(2, "0")}`,
    );
  const booted = raw.expect("starting the firmware", BOOT_MS, isVendorEvent(BOOTED));
  const address = [0, 8, 16, 24].map((shift) => (bootAddress >>> shift) & 0xff);
  raw.tell(BOOT, Uint8Array.of(0x00, 0x01, 0x00, 0x01, ...address));
  await booted;
  for (const record of records) await raw.command(WRITE_DDC, record);
  await raw.command(RESET);
}

async function secureSend(raw: RawCommands, part: number, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length; at += PART_OCTETS) {
    const piece = octets.subarray(at, at + PART_OCTETS);
    const parameters = new Uint8Array(1 + piece.length);
    parameters[0] = part;
    parameters.set(piece, 1);
    await raw.command(SECURE_SEND, parameters);
  }
}

const isVendorEvent =
  (code: number) =>
  (packet: Uint8Array): boolean =>
    packet[1] === VENDOR_EVENT && packet[3] === code && packet.length >= 5;
