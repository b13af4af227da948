import { type Clock, SystemClock } from "jelling/async";
import {
  ArgumentError,
  checkChoice,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  kindOf,
  Logger,
  optionNames,
  type RandomSource,
  systemRandom,
} from "jelling/core";
import type { PumpState, WallClock } from "../../live/state.ts";
import type { TherapyView } from "../../store/view.ts";
import { MemoryNightscoutLedger, type NightscoutLedger } from "../ledger.ts";
import type { Fetch } from "./http.ts";
import { type CheckedMapping, checkMapping, checkPump, type NightscoutMapping } from "./options.ts";
import { NightscoutSite, type NightscoutSiteOptions } from "./site.ts";

export interface NightscoutUploaderOptions {
  readonly site: NightscoutSiteOptions;
  /** What is sent. */
  readonly view: TherapyView;
  /** The store's name of the pump (`RecordRef.pump`), 16 hexadecimal digits. */
  readonly pump: string;
  /** The state of the pump now, for the device status; none without it. */
  readonly state?: (() => PumpState | undefined) | undefined;
  /** What was sent; in memory by default, so that another run sends the same again. */
  readonly ledger?: NightscoutLedger | undefined;
  /**
   * "auto" (default) goes on with what the site was sent by, else by v1 where the site has it. The two do not merge: choose once for a site.
   * v3 needs a token.
   */
  readonly api?: "auto" | "v1" | "v3" | undefined;
  readonly mapping?: NightscoutMapping | undefined;
  /** The first upload begins so long ago, ms; 48 hours by default. */
  readonly firstUploadMs?: number | undefined;
  /** Of one request, ms; 30 s by default. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** `Date.now` by default; times of events are by it, waiting is by `clock`. */
  readonly wallClock?: WallClock | undefined;
  readonly random?: RandomSource | undefined;
  readonly fetch?: Fetch | undefined;
  /** Lines have neither secrets nor tokens. */
  readonly logger?: Logger | undefined;
}

const OPTIONS = optionNames<NightscoutUploaderOptions>({
  site: true,
  view: true,
  pump: true,
  state: true,
  ledger: true,
  api: true,
  mapping: true,
  firstUploadMs: true,
  timeoutMs: true,
  clock: true,
  wallClock: true,
  random: true,
  fetch: true,
  logger: true,
});
const SITE = optionNames<NightscoutSiteOptions>({ url: true, secret: true, token: true });

const HOUR_MS = 3_600_000;
const LONGEST_FIRST_MS = 100 * 366 * 24 * HOUR_MS;

export interface CheckedUploaderOptions {
  readonly site: NightscoutSite;
  readonly view: TherapyView;
  readonly pump: string;
  readonly state: () => PumpState | undefined;
  readonly ledger: NightscoutLedger;
  readonly api: "auto" | "v1" | "v3";
  readonly mapping: CheckedMapping;
  readonly firstUploadMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly now: WallClock;
  readonly random: RandomSource;
  readonly fetch: Fetch;
  readonly logger: Logger;
}

/** @throws {ArgumentError} */
export function checkUploaderOptions(options: NightscoutUploaderOptions): CheckedUploaderOptions {
  const what = "NightscoutUploader";
  checkOptions(what, options ?? null, OPTIONS);
  checkOptions(`${what}: site`, options.site ?? null, SITE);
  for (const name of ["state", "wallClock", "fetch"] as const) checkFunction(`${what}: ${name}`, options[name]);
  checkHas(`${what}: view`, options.view, ["glucose", "gaps"]);
  if (options.ledger !== undefined) checkHas(`${what}: ledger`, options.ledger, ["find", "between", "put", "progress", "setProgress"]);
  const api = checkChoice(`${what}: api`, options.api ?? "auto", ["auto", "v1", "v3"]);
  const site = new NightscoutSite(options.site);
  if (api === "v3" && site.token === undefined) throw new ArgumentError(`${what}: api: v3 takes no secret, it needs a token`);
  return {
    site,
    view: options.view,
    pump: checkPump(what, options.pump),
    state: options.state ?? (() => undefined),
    ledger: options.ledger ?? new MemoryNightscoutLedger(),
    api,
    mapping: checkMapping(`${what}: mapping`, options.mapping),
    firstUploadMs: checkMilliseconds(`${what}: firstUploadMs`, options.firstUploadMs ?? 48 * HOUR_MS, 0, LONGEST_FIRST_MS),
    timeoutMs: checkMilliseconds(`${what}: timeoutMs`, options.timeoutMs ?? 30_000, 1, HOUR_MS),
    clock: options.clock ?? new SystemClock(),
    now: options.wallClock ?? Date.now,
    random: options.random ?? systemRandom,
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    logger: options.logger ?? Logger.silent,
  };
}

function checkHas(what: string, value: unknown, names: readonly string[]): void {
  const missing = names.find((name) => typeof (value as Readonly<Record<string, unknown>> | null | undefined)?.[name] !== "function");
  if (missing !== undefined) throw new ArgumentError(`${what}: expected an object with ${missing}(), got ${kindOf(value)}`);
}
