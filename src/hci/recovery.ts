import { type Clock, delay } from "../async/clock.ts";
import { ownTerms } from "../async/own-terms.ts";
import { checkFunction, checkInteger, checkMilliseconds, checkOptions, optionNames } from "../core/arguments.ts";
import type { BleError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import type { HciTransport } from "./transport.ts";

const ATTEMPTS = 5;
const WAIT_MS = 1000;
/** How long opening the transport again may take, in milliseconds. */
const OPEN_MS = 15_000;

/** What was enough to bring a controller back: a Reset, or opening its transport again. */
export interface HciRecovered {
  readonly by: "reset" | "reopening";
  /** Why it was necessary. */
  readonly reason: BleError;
}

/** What is tried when the controller is silent, reports a hardware error, or its transport ends: Reset, then opening it again. */
export interface HciRecovery {
  /** Opens the transport anew; without it a controller that a Reset does not bring back is given up. */
  readonly reopen?: (() => Promise<HciTransport>) | undefined;
  /** How often it is opened before the controller is given up; 5 by default. */
  readonly attempts?: number | undefined;
  /** Time before each attempt but the first, in milliseconds; 1,000 by default. A dongle that was reset is away for a second or two. */
  readonly waitMs?: number | undefined;
  /** The links are lost; the controller is being brought back. */
  readonly onRecovering?: ((reason: BleError) => void) | undefined;
  /** The controller is ready again, and has forgotten everything. */
  readonly onRecovered?: ((how: HciRecovered) => void) | undefined;
}

const OPTIONS = optionNames<HciRecovery>({ reopen: true, attempts: true, waitMs: true, onRecovering: true, onRecovered: true });

/** @throws {ArgumentError} */
export function checkRecovery(what: string, recovery: HciRecovery): void {
  checkOptions(what, recovery, OPTIONS);
  for (const name of ["reopen", "onRecovering", "onRecovered"] as const) checkFunction(`${what}.${name}`, recovery[name]);
  if (recovery.attempts !== undefined) checkInteger(`${what}.attempts`, recovery.attempts, 1, 1_000_000);
  if (recovery.waitMs !== undefined) checkMilliseconds(`${what}.waitMs`, recovery.waitMs, 0, 3_600_000);
}

/** What the ladder does to the Hci. */
export interface RecoveryTarget {
  readonly clock: Clock;
  readonly logger: Logger;
  ended(): BleError | undefined;
  /** Nothing can be sent any more until the transport is replaced. */
  isTransportGone(): boolean;
  /** Reset, and all that follows the opening. @throws it does not answer */
  setUp(): Promise<void>;
  /** Gives back the transport. */
  detach(): Promise<void>;
  /** Goes on with another. */
  attach(transport: HciTransport): void;
}

/**
 * The rungs, one after the other, until one holds.
 *
 * @returns which did; undefined where the Hci has ended meanwhile
 * @throws what the last one failed with
 */
export async function climb(target: RecoveryTarget, recovery: HciRecovery, reason: BleError): Promise<HciRecovered["by"] | undefined> {
  const { clock, logger } = target;
  let failure: unknown = reason;
  if (!target.isTransportGone()) {
    try {
      await target.setUp();
      return "reset";
    } catch (error) {
      failure = error;
    }
  }
  const { reopen, attempts = ATTEMPTS, waitMs = WAIT_MS } = recovery;
  for (let attempt = 1; reopen && attempt <= attempts && !target.ended(); attempt++) {
    await target.detach();
    if (attempt > 1) await delay(clock, waitMs, { name: "before a controller is opened again" });
    if (target.ended()) return undefined;
    logger.warn(() => `the controller is opened again, attempt ${attempt} of ${attempts}`);
    try {
      const opening = (async () => await reopen())();
      const transport = await ownTerms(clock, "opening the controller again", opening, { timeoutMs: OPEN_MS }).catch((error: unknown) => {
        opening.then(letGo, () => undefined); // it came too late
        throw error;
      });
      if (target.ended()) {
        letGo(transport);
        return undefined;
      }
      target.attach(transport);
      await target.setUp();
      return "reopening";
    } catch (error) {
      failure = error;
      logger.warn(() => `the controller does not come back: ${String(error)}`);
    }
  }
  if (target.ended()) return undefined;
  throw failure;
}

function letGo(transport: HciTransport): void {
  (async () => await transport[Symbol.asyncDispose]())().catch(() => undefined);
}
