import { transportSources } from "#transport-kinds";
import { type Clock, delay, SystemClock } from "../../async/clock.ts";
import { onAbort } from "../../async/on-abort.ts";
import { checkFunction, checkOptions, checkSignal, checkTimeout, optionNames } from "../../core/arguments.ts";
import { TimeoutError } from "../../core/error.ts";
import type { FoundAdapter, FoundTransport, TransportChange, TransportSource } from "./found.ts";

/** After a change is told, the platform may still be at work: a driver is bound, a rule is applied. In milliseconds. */
const SETTLE_MS = 50;

export interface WatchTransportsOptions {
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
  /** Where adapters are looked for; on USB and, on Linux, among the kernel's by default. */
  readonly sources?: readonly TransportSource[] | undefined;
}

export interface WaitForTransportOptions extends WatchTransportsOptions {
  /** Gives up after so long; never by default. */
  readonly timeoutMs?: number | undefined;
}

const WATCH_OPTIONS = { signal: true, clock: true, sources: true } as const;
const LIST = optionNames<Pick<WatchTransportsOptions, "sources">>({ sources: true });
const WATCH = optionNames<WatchTransportsOptions>(WATCH_OPTIONS);
const WAIT = optionNames<WaitForTransportOptions>({ ...WATCH_OPTIONS, timeoutMs: true });

/**
 * The Bluetooth adapters that can be opened by name: on USB, and on Linux those of the kernel (hciN), in this order; the same one may be both.
 * In a page, those on USB that its user let it use. A kind that the platform does not list is left out.
 */
export async function listTransports(options: Pick<WatchTransportsOptions, "sources"> = {}): Promise<FoundTransport[]> {
  checkOptions("listTransports", options, LIST);
  return (await look(options.sources ?? (await transportSources()))).map(({ found }) => found);
}

/**
 * Adapters as they come and go: first those that are there, then every change, until the loop is left or `signal` aborts. One that is told
 * may need a moment until it can be opened: a rule gives leave a little later.
 *
 * @throws `signal.reason` once it aborts
 */
export async function* watchTransports(options: WatchTransportsOptions = {}): AsyncGenerator<TransportChange, void> {
  checkOptions("watchTransports", options, WATCH);
  checkSignal("watchTransports: signal", options.signal);
  const { signal, clock = new SystemClock() } = options;
  signal?.throwIfAborted();
  const sources = options.sources ?? (await transportSources());
  let isChanged = true;
  let wake: (() => void) | undefined;
  const changed = (): void => {
    isChanged = true;
    wake?.();
  };
  const watching = sources.map((source) => source.watch(changed));
  using _listener = onAbort(signal, () => wake?.());
  try {
    let known = new Map<string, FoundTransport>();
    for (;;) {
      if (!isChanged) await new Promise<void>((resolve) => (wake = resolve));
      signal?.throwIfAborted();
      isChanged = false;
      const now = new Map((await look(sources)).map(({ key, found }) => [key, found]));
      for (const [key, transport] of known) if (!now.has(key)) yield { change: "removed", transport };
      for (const [key, transport] of now) if (!known.has(key)) yield { change: "added", transport };
      known = now;
      if (isChanged) await delay(clock, SETTLE_MS, { signal, name: "adapters that change" });
    }
  } finally {
    for (const each of watching) each[Symbol.dispose]();
  }
}

/**
 * Waits for an adapter: one that is there already, or comes.
 *
 * @param isWanted which; the first one by default
 * @throws {TimeoutError} none came within `timeoutMs`
 * @throws `signal.reason` once it aborts
 */
export async function waitForTransport(
  isWanted: (transport: FoundTransport) => boolean = () => true,
  options: WaitForTransportOptions = {},
): Promise<FoundTransport> {
  checkFunction("waitForTransport", isWanted);
  checkOptions("waitForTransport", options, WAIT);
  checkTimeout("waitForTransport: timeoutMs", options.timeoutMs);
  checkSignal("waitForTransport: signal", options.signal);
  const { timeoutMs, signal, clock = new SystemClock(), sources } = options;
  signal?.throwIfAborted();
  const ending = new AbortController();
  using _listener = onAbort(signal, () => ending.abort(signal?.reason));
  using _timer =
    timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
      ? undefined
      : clock.setTimer(timeoutMs, "waiting for an adapter", () => ending.abort(new TimeoutError("waiting for an adapter", timeoutMs)));
  for await (const { change, transport } of watchTransports({ signal: ending.signal, clock, sources }))
    if (change === "added" && isWanted(transport)) return transport;
  throw new Error("unreachable: the loop ends by its signal");
}

async function look(sources: readonly TransportSource[]): Promise<FoundAdapter[]> {
  const lists = await Promise.all(sources.map((source) => source.list().catch(() => [])));
  return lists.flat();
}
