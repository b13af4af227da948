import { Inflate } from "fflate";
import { crc32 } from "../../bytes/crc32.ts";
import { ImageFileError } from "../protocol/error.ts";

// Read by its central directory, as everything that reads zip files does, and with nothing believed that it says of sizes: what comes out of
// a file is counted while it comes.

/** A file in a zip, not yet read. */
export interface ZipEntry {
  readonly name: string;
  /** Octets when unpacked, as the zip claims. */
  readonly size: number;
  /** Unpacks it. @param maxOctets a file that has more, or claims more, is refused @throws {ImageFileError} */
  read(maxOctets: number): Uint8Array;
}

const END_LENGTH = 22;
const ENTRY_LENGTH = 46;
const LOCAL_LENGTH = 30;
const END_SIGNATURE = 0x0605_4b50;
const ENTRY_SIGNATURE = 0x0201_4b50;
const LOCAL_SIGNATURE = 0x0403_4b50;
const MAX_COMMENT = 0xffff;
const MAX_ENTRIES = 1024;
/** Deflate makes at most 1032 octets of one: one push gives less than 17 MiB, which bounds what is held before it is counted. */
const PUSH_LENGTH = 16 << 10;

/** Whether octets begin as a zip file does. */
export function isZip(octets: Uint8Array): boolean {
  return octets[0] === 0x50 && octets[1] === 0x4b && ((octets[2] === 3 && octets[3] === 4) || (octets[2] === 5 && octets[3] === 6));
}

/** The files of a zip, directories left out. @throws {ImageFileError} no zip, a damaged one, or one that is made in a way no tool makes packages */
export function readZip(zip: Uint8Array): ZipEntry[] {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  if (count > MAX_ENTRIES) throw new ImageFileError(`the zip file has ${count} entries, a package has few`, { offset: end + 10 });
  let at = view.getUint32(end + 16, true);
  if (at === 0xffff_ffff) throw new ImageFileError("zip files of the 64-bit form are not read", { offset: end + 16 });
  const entries: ZipEntry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_LENGTH > end || view.getUint32(at, true) !== ENTRY_SIGNATURE)
      throw new ImageFileError("the directory of the zip file is damaged", { offset: Math.min(at, zip.length) });
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(zip.subarray(at + ENTRY_LENGTH, Math.min(at + ENTRY_LENGTH + nameLength, end)));
    if (!name.endsWith("/")) entries.push(entryAt(zip, view, at, name));
    at += ENTRY_LENGTH + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function findEnd(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_LENGTH - MAX_COMMENT);
  for (let at = view.byteLength - END_LENGTH; at >= first; at--) {
    // The comment reaches to the end of the file: its own octets may look like a record.
    if (view.getUint32(at, true) === END_SIGNATURE && at + END_LENGTH + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  throw new ImageFileError("the zip file has no end: it is cut, or none at all", { offset: view.byteLength });
}

function entryAt(zip: Uint8Array, view: DataView, at: number, name: string): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const crc = view.getUint32(at + 16, true);
  const packedSize = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  return {
    name,
    size,
    read(maxOctets) {
      if (size > maxOctets) throw new ImageFileError(`has ${size} octets, more than ${maxOctets}`, { file: name });
      if ((flags & 1) !== 0) throw new ImageFileError("is protected by a password", { file: name });
      if (local + LOCAL_LENGTH > zip.length || view.getUint32(local, true) !== LOCAL_SIGNATURE)
        throw new ImageFileError("the zip file is damaged", { file: name, offset: Math.min(local, zip.length) });
      const start = local + LOCAL_LENGTH + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      if (start + packedSize > zip.length) throw new ImageFileError("is cut", { file: name, offset: zip.length });
      const octets = unpack(zip.subarray(start, start + packedSize), method, size, name);
      if (crc32(octets) !== crc) throw new ImageFileError("is damaged: its CRC is another", { file: name, offset: start });
      return octets;
    },
  };
}

function unpack(packed: Uint8Array, method: number, size: number, name: string): Uint8Array {
  const refuse = (problem: string, options?: ErrorOptions): never => {
    throw new ImageFileError(problem, { file: name, ...options });
  };
  const wrongSize = (): never => refuse(`does not have the ${size} octets that the zip file claims`);
  if (method === 0) return packed.length === size ? packed.slice() : wrongSize();
  if (method !== 8) return refuse(`is packed by method ${method}; stored and deflated files are read`);
  const octets = new Uint8Array(size);
  let length = 0;
  const inflate = new Inflate((part) => {
    if (length + part.length > size) wrongSize();
    octets.set(part, length);
    length += part.length;
  });
  try {
    for (let at = 0; at === 0 || at < packed.length; at += PUSH_LENGTH)
      inflate.push(packed.subarray(at, at + PUSH_LENGTH), at + PUSH_LENGTH >= packed.length);
  } catch (cause) {
    if (cause instanceof ImageFileError) throw cause;
    refuse("cannot be unpacked: it is damaged", { cause });
  }
  return length === size ? octets : wrongSize();
}
