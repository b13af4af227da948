import { DecodeError } from "../../bytes/decode-error.ts";
import { checkInteger } from "../../core/arguments.ts";

/** What a message is; an answer's op is its request's plus one. Other values are not defined. */
export const McumgrOp = Object.freeze({ Read: 0, ReadResponse: 1, Write: 2, WriteResponse: 3 });

/** Version bits of the header. They differ in how errors of a group are reported, and in nothing else. */
export const McumgrVersion = Object.freeze({ First: 0, Second: 1 });

/** Octets of the header, which stands before every payload. */
export const MCUMGR_HEADER_LENGTH = 8;
/** The most octets a payload can have: its length stands in 16 bits. */
export const MCUMGR_MAX_PAYLOAD = 0xffff;

export interface McumgrHeader {
  /** 3 bits, see McumgrOp. */
  readonly op: number;
  /** 2 bits, see McumgrVersion. */
  readonly version: number;
  /** 3 bits, always 0 so far. */
  readonly reserved: number;
  /** None is defined. */
  readonly flags: number;
  /** Octets of the payload; the header does not count. */
  readonly length: number;
  readonly group: number;
  /** Chosen by who asks; the answer has the same. */
  readonly sequence: number;
  /** Means something within its group. */
  readonly command: number;
}

/** What a sender chooses of a header; the rest has its usual value. */
export type McumgrHeaderInit = Pick<McumgrHeader, "op" | "group" | "command" | "sequence"> &
  Partial<Pick<McumgrHeader, "version" | "reserved" | "flags">>;

/** Whether `op` is that of an answer. */
export function isResponseOp(op: number): boolean {
  return op === McumgrOp.ReadResponse || op === McumgrOp.WriteResponse;
}

/** Writes a header at the start of `octets`. @throws {ArgumentError} a value that its bits do not hold */
export function writeHeader(octets: Uint8Array, header: McumgrHeaderInit, length: number): void {
  const { op, version = McumgrVersion.Second, reserved = 0, flags = 0, group, sequence, command } = header;
  checkInteger("op", op, 0, 7);
  checkInteger("version", version, 0, 3);
  checkInteger("reserved", reserved, 0, 7);
  checkInteger("flags", flags, 0, 0xff);
  checkInteger("group", group, 0, 0xffff);
  checkInteger("sequence", sequence, 0, 0xff);
  checkInteger("command", command, 0, 0xff);
  checkInteger("length", length, 0, MCUMGR_MAX_PAYLOAD);
  octets[0] = (reserved << 5) | (version << 3) | op;
  octets[1] = flags;
  octets[2] = length >> 8;
  octets[3] = length & 0xff;
  octets[4] = group >> 8;
  octets[5] = group & 0xff;
  octets[6] = sequence;
  octets[7] = command;
}

/**
 * Reads the header at `offset`. Every value is taken as it is: what it means is for the reader to judge.
 *
 * @throws {DecodeError} fewer than 8 octets
 */
export function decodeHeader(octets: Uint8Array, offset = 0): McumgrHeader {
  const has = octets.length - offset;
  if (has < MCUMGR_HEADER_LENGTH)
    throw new DecodeError({
      path: "header",
      problem: `needs ${MCUMGR_HEADER_LENGTH} octets, has ${Math.max(0, has)}`,
      offset,
      length: octets.length,
      packet: octets,
    });
  const at = (i: number) => octets[offset + i]!;
  return {
    op: at(0) & 7,
    version: (at(0) >> 3) & 3,
    reserved: at(0) >> 5,
    flags: at(1),
    length: (at(2) << 8) | at(3),
    group: (at(4) << 8) | at(5),
    sequence: at(6),
    command: at(7),
  };
}
