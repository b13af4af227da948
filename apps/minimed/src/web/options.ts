import type { Clock } from "jelling/async";
import {
  ArgumentError,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkText,
  kindOf,
  type Logger,
  optionNames,
} from "jelling/core";
import type { PumpState, WallClock } from "../live/state.ts";
import type { TherapyView } from "../store/view.ts";

/** Where the page's port is looked for first, and a user's bookmark stays right. */
export const DEFAULT_PAGE_PORT = 8377;
const TOKEN = /^[A-Za-z0-9_-]{22,128}$/;

/** Who knows the state of a pump, and tells of changes. A `PumpMonitor` is one. */
export interface PumpStateSource {
  readonly state: PumpState;
  on(listener: (state: PumpState) => void): Disposable;
}

export interface PumpPageOptions {
  /** The history that the page draws; asked at every request. undefined: there is none yet. */
  readonly view: () => TherapyView | undefined;
  /** What the pump says at present; without it the page shows the history alone. */
  readonly state?: PumpStateSource | undefined;
  /** An address of this computer, "127.0.0.1" by default: the page is for who sits at it. */
  readonly host?: string | undefined;
  /** 8377 by default; 0: any that is free. */
  readonly port?: number | undefined;
  /** Who knows it sees the page: 22 to 128 of A–Z a–z 0–9 _ -. By default another one, drawn at random, in every run. */
  readonly token?: string | undefined;
  /** Names by which the page may be asked for besides those of this computer: what a proxy or a container is called. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** `Date.now` by default. */
  readonly wallClock?: WallClock | undefined;
  /** Times what pages are told. The system's by default, whatever time the pump lives in: sockets are real. */
  readonly clock?: Clock | undefined;
  /** A folder with another page than the one that comes with the package. */
  readonly pageFolder?: string | undefined;
  /** Lines have no token, address or serial number. */
  readonly logger?: Logger | undefined;
  /** Closes the page. */
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = optionNames<PumpPageOptions>({
  view: true,
  state: true,
  host: true,
  port: true,
  token: true,
  allowedHosts: true,
  wallClock: true,
  clock: true,
  pageFolder: true,
  logger: true,
  signal: true,
});

/** @throws {ArgumentError} */
export function checkPageOptions(options: PumpPageOptions): void {
  const what = "servePumpPage";
  if (options === undefined) throw new ArgumentError(`${what}: expected an object of options, got undefined`);
  checkOptions(what, options, OPTIONS);
  if (typeof options.view !== "function") throw new ArgumentError(`${what}: view: expected a function, got ${kindOf(options.view)}`);
  checkFunction(`${what}: wallClock`, options.wallClock);
  checkSignal(`${what}: signal`, options.signal);
  if (options.host !== undefined) checkText(`${what}: host`, options.host);
  if (options.pageFolder !== undefined) checkText(`${what}: pageFolder`, options.pageFolder);
  if (options.port !== undefined) checkInteger(`${what}: port`, options.port, 0, 65_535);
  if (options.token !== undefined && !TOKEN.test(checkText(`${what}: token`, options.token)))
    throw new ArgumentError(`${what}: token: expected 22 to 128 of A-Z, a-z, 0-9, _ and -`);
  if (options.allowedHosts !== undefined && !Array.isArray(options.allowedHosts))
    throw new ArgumentError(`${what}: allowedHosts: expected an array of names, got ${kindOf(options.allowedHosts)}`);
  for (const name of options.allowedHosts ?? []) checkText(`${what}: allowedHosts`, name);
  const { state, clock } = options;
  if (clock !== undefined && (typeof clock !== "object" || clock === null || typeof clock.now !== "function"))
    throw new ArgumentError(`${what}: clock: expected a Clock, got ${kindOf(clock)}`);
  if (state !== undefined && (typeof state !== "object" || state === null || typeof state.on !== "function"))
    throw new ArgumentError(`${what}: state: expected a source with \`state\` and \`on\`, got ${kindOf(state)}`);
}
