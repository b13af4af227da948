import { delay } from "../../async/clock.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { Attempts } from "./attempts.ts";
import type { McumgrLimits, TransferAskOptions, TransferHost, TransferRequest } from "./host.ts";
import { type Trouble, troubleOf } from "./trouble.ts";
import type { TransferWindow } from "./window.ts";

const QUESTIONS = 3;

/** Doubled with each attempt. */
const PAUSE_MS = 100;

/** One at a time after every trouble; fewer for good where the server says that they are too many. */
export function slowDown(host: TransferHost, window: TransferWindow, { kind, cause }: Trouble, what: string): void {
  const before = window.size;
  if (kind === "memory") window.shrink();
  window.failed();
  if (before > 1) host.tell({ what: "window", from: before, to: window.size, why: reasonOf(cause, what) });
}

/** For people. */
export function reasonOf(cause: unknown, what: string): string {
  return cause instanceof Error ? cause.message : `${what}: the server expects another offset`;
}

/**
 * Makes a new link where it is lost, waits where the server is busy.
 *
 * @throws what `reconnect` throws
 */
export async function waitOrReconnect(
  host: TransferHost,
  window: TransferWindow | undefined,
  { kind }: Trouble,
  attempts: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (kind === "lost") {
    await host.reconnect({ signal });
    const limits = await host.limits(signal);
    window?.limit(limits.window);
  } else if (kind === "busy" || (kind === "memory" && attempts > 1)) {
    await delay(host.clock, PAUSE_MS * 2 ** attempts, { signal, name: "mcumgr transfer waits for a busy server" });
  }
}

/** What is known of the server, over a new link where there is none. */
export async function limitsOf(host: TransferHost, signal: AbortSignal | undefined): Promise<McumgrLimits> {
  if (!host.isConnected) await host.reconnect({ signal });
  return host.limits(signal);
}

/** The trouble that an error is. @throws `signal.reason`, and the error itself where it is no such trouble */
export function troubleFrom(error: unknown, host: TransferHost, signal: AbortSignal | undefined): Trouble {
  signal?.throwIfAborted();
  const trouble = troubleOf(error, host.isLost(error));
  if (trouble === undefined) throw error;
  return trouble;
}

/** A transfer that something went wrong with. */
export interface TroubledTransfer {
  /** "files.upload". */
  readonly what: string;
  readonly host: TransferHost;
  readonly window: TransferWindow;
  readonly attempts: Attempts;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes ready for going on: slower, over a new link where it is lost. What goes wrong meanwhile is trouble as well.
 *
 * @param done octets transferred so far
 * @param ready finds out what is left to know, over the link that stands
 * @throws {UploadStalledError} too often without progress · what `reconnect` and `ready` throw · `signal.reason`
 */
export async function recover<T>(
  { what, host, window, attempts, signal }: TroubledTransfer,
  first: Trouble,
  done: () => number,
  ready: (trouble: Trouble) => Promise<T>,
): Promise<T> {
  for (let trouble = first; ; ) {
    attempts.troubled(done(), trouble.cause);
    slowDown(host, window, trouble, what);
    try {
      await waitOrReconnect(host, window, trouble, attempts.count, signal);
      return await ready(trouble);
    } catch (error) {
      const next = troubleFrom(error, host, signal);
      // Where no new link could be made there is nothing to go on with.
      if (trouble.kind === "lost" && !host.isConnected) throw error;
      trouble = next;
    }
  }
}

/** A question that may be asked twice is, when its answer was lost, over a new link where need be. @throws {UploadStalledError} */
export async function askAgain(host: TransferHost, request: TransferRequest, options: TransferAskOptions): Promise<CborMap> {
  const attempts = new Attempts(request.title, QUESTIONS);
  for (;;) {
    try {
      return await host.ask(request, options);
    } catch (error) {
      const trouble = troubleFrom(error, host, options.signal);
      attempts.troubled(0, error);
      await waitOrReconnect(host, undefined, trouble, attempts.count, options.signal);
    }
  }
}
