import { checkInteger, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import { ImageFileError } from "../protocol/error.ts";

/** Octets that an Intel HEX file places, from its lowest address to its highest, gaps filled with 0xFF. */
export interface IntelHex {
  readonly startAddress: number;
  readonly octets: Uint8Array;
}

export interface IntelHexOptions {
  /** Most octets from the lowest address to the highest; a file that spans more is refused. By default 64 MiB. */
  maxOctets?: number;
}
const OPTIONS = optionNames<IntelHexOptions>({ maxOctets: true });

const DEFAULT_MAX_OCTETS = 64 << 20;
const COLON = 0x3a;
const ADDRESS_SPACE = 2 ** 32;

const RecordType = Object.freeze({
  Data: 0,
  EndOfFile: 1,
  ExtendedSegmentAddress: 2,
  StartSegmentAddress: 3,
  ExtendedLinearAddress: 4,
  StartLinearAddress: 5,
});
/** Octets of the records that have a fixed length. */
const FIXED_LENGTHS: Readonly<Record<number, number>> = { 1: 0, 2: 2, 3: 4, 4: 2, 5: 4 };

interface Piece {
  readonly address: number;
  readonly octets: Uint8Array;
}

/** Whether octets could be the text of an Intel HEX file: the first character that is no blank is a colon. */
export function isIntelHex(text: Uint8Array): boolean {
  const first = text.subarray(0, 64).findIndex((octet) => !isBlank(octet) && !isByteOrderMark(octet));
  return first >= 0 && text[first] === COLON;
}

/**
 * Decodes an Intel HEX file, given as the octets of its text.
 *
 * @throws {ImageFileError} a damaged file, one without its last record, one that places two octets at one address, or one that spans too much
 */
export function parseIntelHex(text: Uint8Array, options: IntelHexOptions = {}): IntelHex {
  checkOctets("parseIntelHex: text", text);
  checkOptions("parseIntelHex", options, OPTIONS);
  const maxOctets = checkInteger("parseIntelHex: maxOctets", options.maxOctets ?? DEFAULT_MAX_OCTETS, 1, ADDRESS_SPACE);
  return join(readRecords(text), maxOctets);
}

function readRecords(text: Uint8Array): Piece[] {
  const pieces: Piece[] = [];
  let base = 0;
  let isSegmented = false;
  let ended = false;
  for (let at = 0; at < text.length; ) {
    const character = text[at]!;
    if (isBlank(character) || (at < 3 && isByteOrderMark(character))) {
      at++;
      continue;
    }
    if (ended) throw new ImageFileError("something follows the last record", { offset: at });
    if (character !== COLON) throw new ImageFileError("a record of Intel HEX begins with a colon", { offset: at });
    const record = readRecord(text, at);
    const { type, data } = record;
    if (type === RecordType.Data) place(pieces, base, record.address, data, isSegmented, at);
    else if (type === RecordType.EndOfFile) ended = true;
    else if (type === RecordType.ExtendedSegmentAddress) {
      base = ((data[0]! << 8) | data[1]!) * 16;
      isSegmented = true;
    } else if (type === RecordType.ExtendedLinearAddress) {
      base = ((data[0]! << 8) | data[1]!) * 0x1_0000;
      isSegmented = false;
    }
    // Where to start running is of no concern to who stores the octets.
    at = record.end;
  }
  if (!ended) throw new ImageFileError("the file ends before its last record", { offset: text.length });
  return pieces;
}

/** Within a segment addresses go round after 64 KiB; linear ones go on. */
function place(pieces: Piece[], base: number, address: number, data: Uint8Array, isSegmented: boolean, offset: number): void {
  if (data.length === 0) return;
  const fits = isSegmented ? Math.min(data.length, 0x1_0000 - address) : data.length;
  pieces.push({ address: base + address, octets: data.subarray(0, fits) });
  if (fits < data.length) pieces.push({ address: base, octets: data.subarray(fits) });
  if (base + address + fits > ADDRESS_SPACE) throw new ImageFileError("a record goes beyond the address space", { offset });
}

interface HexRecord {
  readonly type: number;
  readonly address: number;
  readonly data: Uint8Array;
  /** Of the text behind it. */
  readonly end: number;
}

function readRecord(text: Uint8Array, colon: number): HexRecord {
  const count = octetAt(text, colon + 1);
  const address = (octetAt(text, colon + 3) << 8) | octetAt(text, colon + 5);
  const type = octetAt(text, colon + 7);
  const data = new Uint8Array(count);
  let sum = count + (address >> 8) + (address & 0xff) + type;
  for (let i = 0; i < count; i++) sum += data[i] = octetAt(text, colon + 9 + 2 * i);
  const end = colon + 9 + 2 * count;
  if (((sum + octetAt(text, end)) & 0xff) !== 0) throw new ImageFileError("the checksum of a record is wrong", { offset: colon });
  if (end + 2 < text.length && !isBlank(text[end + 2]!)) throw new ImageFileError("a record is longer than it says", { offset: end + 2 });
  if (type > RecordType.StartLinearAddress) throw new ImageFileError(`record type ${type} is not known`, { offset: colon + 7 });
  if (type !== RecordType.Data && count !== FIXED_LENGTHS[type])
    throw new ImageFileError(`a record of type ${type} has ${FIXED_LENGTHS[type]} octets, not ${count}`, { offset: colon + 1 });
  return { type, address, data, end: end + 2 };
}

function octetAt(text: Uint8Array, at: number): number {
  if (at + 2 > text.length) throw new ImageFileError("the file ends within a record", { offset: text.length });
  const high = digit(text[at]!);
  const low = digit(text[at + 1]!);
  if (high < 0 || low < 0) throw new ImageFileError("expected two hexadecimal digits", { offset: at });
  return (high << 4) | low;
}

function digit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character & ~0x20;
  return letter >= 0x41 && letter <= 0x46 ? letter - 0x41 + 10 : -1;
}

function isBlank(character: number): boolean {
  return character === 0x0a || character === 0x0d || character === 0x20 || character === 0x09;
}

function isByteOrderMark(character: number): boolean {
  return character === 0xef || character === 0xbb || character === 0xbf;
}

function join(pieces: Piece[], maxOctets: number): IntelHex {
  if (pieces.length === 0) throw new ImageFileError("the file places no octets");
  pieces.sort((a, b) => a.address - b.address);
  const startAddress = pieces[0]!.address;
  const last = pieces.at(-1)!;
  const length = last.address + last.octets.length - startAddress;
  if (length > maxOctets)
    throw new ImageFileError(
      `the file spans ${length} octets from ${address(startAddress)}, more than ${maxOctets}: several programs in one file, perhaps`,
    );
  const octets = new Uint8Array(length).fill(0xff);
  let end = startAddress;
  for (const piece of pieces) {
    if (piece.address < end) throw new ImageFileError(`the file places two octets at ${address(piece.address)}`);
    octets.set(piece.octets, piece.address - startAddress);
    end = piece.address + piece.octets.length;
  }
  return { startAddress, octets };
}

function address(value: number): string {
  return `0x${value.toString(16)}`;
}
