import { ArgumentError, checkInteger, checkMilliseconds, checkOptions, checkSignal, optionNames } from "jelling/core";
import type { SiteFacts } from "./api.ts";
import type { NightscoutError } from "./error.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LATEST_MS = 8_640_000_000_000_000;

export type NightscoutWarning =
  /** Glucose of another uploader's is there: everything will be there twice. `detail` names its device. */
  | { readonly kind: "other_uploader"; readonly detail: string }
  /** The site, or this token, does not take documents of a collection. */
  | { readonly kind: "not_writable"; readonly detail: string }
  /** Documents cannot be replaced: the token has not the right. */
  | { readonly kind: "not_updatable"; readonly detail: string }
  /** What is sent can be read on the way. */
  | { readonly kind: "plain_http"; readonly detail: string }
  /** A clock is wrong: this program's and the site's differ, or events lie in the future and are held back. */
  | { readonly kind: "clock"; readonly detail: string }
  /** The site was sent documents by the other interface before; they do not merge. */
  | { readonly kind: "other_api"; readonly detail: string };

/** What a look at a site showed. */
export interface NightscoutCheck extends SiteFacts {
  readonly api: "v1" | "v3";
  readonly warnings: readonly NightscoutWarning[];
}

/** What an upload did. */
export interface NightscoutReport {
  /** Documents that the site has taken. */
  readonly sent: { readonly entries: number; readonly treatments: number; readonly devicestatus: number };
  /** That are there already, as they are. */
  readonly unchanged: number;
  /** That wait: for what belongs to them, or until they are too old to snooze an alarm. */
  readonly held: number;
  /** That the site does not take, whatever is done. */
  readonly refused: number;
  readonly warnings: readonly NightscoutWarning[];
}

export interface NightscoutUploadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Everything from here on, UTC in ms, instead of what the first upload began with. */
  readonly fromMs?: number | undefined;
  /** How often a site that does not answer is tried: with 1, 2, 4 … 15 minutes between. 6 by default. */
  readonly attempts?: number | undefined;
}
const UPLOAD_OPTIONS = optionNames<NightscoutUploadOptions>({ signal: true, fromMs: true, attempts: true });

export interface NightscoutRunOptions {
  readonly signal: AbortSignal;
  /** How often it is looked for what is new, ms; 60 s by default. `poke()` has it looked at once. */
  readonly intervalMs?: number | undefined;
  /** Called after every round, with its report or why it failed; a round that failed is tried again. */
  readonly onRound?: ((round: NightscoutReport | NightscoutError) => void) | undefined;
}
const RUN_OPTIONS = optionNames<NightscoutRunOptions>({ signal: true, intervalMs: true, onRound: true });

/** @throws {ArgumentError} */
export function checkedUpload(options: NightscoutUploadOptions): NightscoutUploadOptions {
  checkOptions("upload", options, UPLOAD_OPTIONS);
  checkSignal("upload: signal", options.signal);
  if (options.fromMs !== undefined && !(Number.isFinite(options.fromMs) && Math.abs(options.fromMs) <= LATEST_MS))
    throw new ArgumentError("upload: fromMs: expected milliseconds since 1970");
  if (options.attempts !== undefined) checkInteger("upload: attempts", options.attempts, 1, 1000);
  return options;
}

/** @throws {ArgumentError} */
export function checkedRun(options: NightscoutRunOptions): Omit<NightscoutRunOptions, "intervalMs"> & { readonly intervalMs: number } {
  checkOptions("run", options ?? null, RUN_OPTIONS);
  const { signal, intervalMs = MINUTE_MS } = options;
  checkSignal("run: signal", signal ?? null);
  checkMilliseconds("run: intervalMs", intervalMs, 1000, DAY_MS);
  return { ...options, intervalMs };
}
