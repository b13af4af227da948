import type { Clock } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOctets,
  checkOperation,
  checkOptions,
  checkText,
  optionNames,
} from "../../core/arguments.ts";
import type { Logger } from "../../core/logger.ts";
import { LONGEST_MESSAGE } from "../links/link-base.ts";
import type { FileDownloadOptions } from "../transfer/file-download.ts";
import type { FileUploadOptions } from "../transfer/file-upload.ts";
import type { ImageUploadOptions } from "../transfer/image-upload.ts";
import { LEAST_MESSAGE } from "./limits.ts";

export interface McumgrClientOptions {
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** Version of the protocol, see McumgrVersion: the second by default. Where the server refuses it the other one is taken, which "fallback" tells. */
  readonly version?: number | undefined;
  /** How long to wait for an answer once a request has been sent, in milliseconds; 2500 by default. Erasing and hashing have 40 s at least. */
  readonly timeoutMs?: number | undefined;
  /** How many requests may be outstanding; one less than the server's buffers by default, and one where it does not tell them. */
  readonly window?: number | undefined;
  /** Longest message in octets, header included; found out by default. */
  readonly messageLimit?: number | undefined;
  /** For opening, not for what comes after. */
  readonly signal?: AbortSignal | undefined;
}

const CLIENT_OPTIONS = optionNames<McumgrClientOptions>({
  clock: true,
  logger: true,
  version: true,
  timeoutMs: true,
  window: true,
  messageLimit: true,
  signal: true,
});

const LARGEST_WINDOW = 64;

export interface ResetOptions extends OperationOptions {
  /** Although the application refuses. */
  readonly force?: boolean | undefined;
  /** 0 starts the application, 1 stays in the bootloader where the server can do that. */
  readonly bootMode?: number | undefined;
  /** Wait until the server answers again; true by default. `timeoutMs` is then for all of it, 60 s by default. */
  readonly reconnect?: boolean | undefined;
}

const RESET_OPTIONS = optionNames<ResetOptions>({ force: true, bootMode: true, reconnect: true, signal: true, timeoutMs: true });
const TRANSFER_NAMES = { window: true, onProgress: true, signal: true, timeoutMs: true } as const;
const IMAGE_OPTIONS = optionNames<ImageUploadOptions>({ ...TRANSFER_NAMES, image: true, upgrade: true, resumeFrom: true, alignment: true });
const FILE_UPLOAD_OPTIONS = optionNames<FileUploadOptions>({ ...TRANSFER_NAMES, resume: true, verify: true });
const FILE_DOWNLOAD_OPTIONS = optionNames<FileDownloadOptions>({
  ...TRANSFER_NAMES,
  resumeFrom: true,
  verify: true,
  maxLength: true,
  onData: true,
});

/** @throws {ArgumentError} */
export function checkImageUpload(what: string, image: Uint8Array, options: ImageUploadOptions): void {
  checkOctets(`${what}: image`, image, { minLength: 1, maxLength: 0xffff_ffff });
  checkTransfer(what, options, IMAGE_OPTIONS);
  checkBoolean(`${what}: upgrade`, options.upgrade);
  if (options.image !== undefined) checkInteger(`${what}: image`, options.image, 0, 0xffff_ffff);
  if (options.resumeFrom !== undefined) checkInteger(`${what}: resumeFrom`, options.resumeFrom, 0, image.length);
  if (options.alignment !== undefined) checkInteger(`${what}: alignment`, options.alignment, 1, 4096);
}

/** @throws {ArgumentError} */
export function checkOpen(openLink: unknown, options: McumgrClientOptions): void {
  checkFunction("McumgrClient.open: openLink", openLink ?? null);
  checkOptions("McumgrClient.open", options, CLIENT_OPTIONS);
  const { version, timeoutMs, window, messageLimit, signal } = options;
  checkOperation("McumgrClient.open", { signal, timeoutMs });
  if (version !== undefined) checkInteger("McumgrClient.open: version", version, 0, 3);
  if (window !== undefined) checkInteger("McumgrClient.open: window", window, 1, LARGEST_WINDOW);
  if (messageLimit !== undefined) checkInteger("McumgrClient.open: messageLimit", messageLimit, LEAST_MESSAGE, LONGEST_MESSAGE);
}

/** @throws {ArgumentError} */
export function checkReset(options: ResetOptions): void {
  checkOperation("reset", options, RESET_OPTIONS);
  checkBoolean("reset: force", options.force);
  checkBoolean("reset: reconnect", options.reconnect);
  if (options.bootMode !== undefined) checkInteger("reset: bootMode", options.bootMode, 0, 0xff);
}

/** @throws {ArgumentError} */
export function checkFileUpload(name: string, data: Uint8Array, options: FileUploadOptions): void {
  checkText("uploadFile: name", name);
  checkOctets("uploadFile: data", data, { maxLength: 0xffff_ffff });
  checkTransfer("uploadFile", options, FILE_UPLOAD_OPTIONS);
  checkBoolean("uploadFile: resume", options.resume);
  checkBoolean("uploadFile: verify", options.verify);
}

/** @throws {ArgumentError} */
export function checkFileDownload(name: string, options: FileDownloadOptions): void {
  checkText("downloadFile: name", name);
  checkTransfer("downloadFile", options, FILE_DOWNLOAD_OPTIONS);
  checkBoolean("downloadFile: verify", options.verify);
  checkFunction("downloadFile: onData", options.onData);
  if (options.resumeFrom !== undefined) checkOctets("downloadFile: resumeFrom", options.resumeFrom);
  if (options.maxLength !== undefined) checkInteger("downloadFile: maxLength", options.maxLength, 0, Number.MAX_SAFE_INTEGER);
}

function checkTransfer(
  what: string,
  options: { readonly window?: number | undefined; readonly onProgress?: unknown },
  names: ReadonlySet<string>,
): void {
  checkOperation(what, options, names);
  checkFunction(`${what}: onProgress`, options.onProgress);
  if (options.window !== undefined) checkInteger(`${what}: window`, options.window, 1, LARGEST_WINDOW);
}
