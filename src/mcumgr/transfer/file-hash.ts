import { sha256 } from "@noble/hashes/sha2.js";
import { crc32 } from "../../bytes/crc32.ts";
import { equalBytes } from "../../bytes/hex.ts";
import { readAnswer } from "../protocol/answer.ts";
import { McumgrReturnCode } from "../protocol/codes.ts";
import { McumgrError } from "../protocol/error.ts";
import { FilesGroup } from "../protocol/groups/files.ts";
import { requestOf, type TransferAskOptions, type TransferHost } from "./host.ts";
import { askAgain } from "./recovery.ts";

const { hash, status } = FilesGroup.commands;
/** The server reads all of the file for it. */
const HASH_TIMEOUT_MS = 40_000;
const STATUS_TIMEOUT_MS = 5000;
const UNKNOWN_HASH_TYPE = 13;

/** Checksum or digest of a file, by the type that the server likes best. */
export interface FileHash {
  /** "crc32" or "sha256". */
  readonly type: string;
  readonly output: number | Uint8Array;
}

/** The checks of the server that are known here. */
function ownHash(type: string, data: Uint8Array): number | Uint8Array | undefined {
  return type === "crc32" ? crc32(data) : type === "sha256" ? sha256(data) : undefined;
}

/**
 * Compares the first octets of a file with `data`.
 *
 * @returns the type by which they were found equal; false where they differ; undefined where the server has no check that is known here
 * @throws {McumgrError} there is no such file, or it cannot be read
 */
export async function compareFile(
  host: TransferHost,
  name: string,
  data: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<FileHash | false | undefined> {
  if (data.length === 0) return undefined; // servers have no digest of nothing
  try {
    const answer = await ask(host, hash, { name, len: data.length }, { signal, timeoutMs: HASH_TIMEOUT_MS });
    const { type, output, len } = readAnswer(FilesGroup, hash, answer, host.names);
    const own = ownHash(type, data);
    if (own === undefined) return undefined;
    if (len !== data.length) return false;
    const isEqual = own instanceof Uint8Array ? output instanceof Uint8Array && equalBytes(own, output) : own === output;
    return isEqual && { type, output };
  } catch (error) {
    if (error instanceof McumgrError && isUnsupported(error)) return undefined;
    throw error;
  }
}

/** Octets that a file has. @throws {McumgrError} there is none */
export async function fileLength(host: TransferHost, name: string, signal: AbortSignal | undefined): Promise<number> {
  const answer = await ask(host, status, { name }, { signal, timeoutMs: STATUS_TIMEOUT_MS });
  return readAnswer(FilesGroup, status, answer, host.names).len;
}

/** The server lacks the command. The first version of the protocol says "invalid" of a type that it does not know. */
export function isUnsupported({ group, rc }: McumgrError): boolean {
  return group === undefined ? rc === McumgrReturnCode.NotSupported || rc === McumgrReturnCode.Invalid : rc === UNKNOWN_HASH_TYPE;
}

function ask(
  host: TransferHost,
  command: typeof hash | typeof status,
  fields: { name: string; len?: number },
  options: TransferAskOptions,
) {
  const resendAfterMs = host.isLossy ? [options.timeoutMs / 4, options.timeoutMs / 2] : undefined;
  return askAgain(host, requestOf(FilesGroup, command, fields), { ...options, resendAfterMs });
}
