import { type Clock, delay } from "../../async/clock.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { ArgumentError, type BleError, ClosedError, TimeoutError, UnsupportedError } from "../../core/error.ts";
import { DisconnectedError, HciErrorCode } from "../../hci/index.ts";

/** For one attempt to make a link. */
const OPENING_TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;
/** So many requests without an answer, and a link that seems to stand is made anew. */
const SILENCES = 3;

/** Before the attempt after so many that failed, in milliseconds. */
export function pauseMs(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
}

/** No other attempt would come to anything else: the program is wrong, or lacks something. */
export function isFinal(error: unknown): boolean {
  return error instanceof ArgumentError || error instanceof UnsupportedError;
}

/** Such an end comes again, and a user may be asked for a passkey each time. */
const REASONS_OF_SECURITY: readonly number[] = [
  HciErrorCode.AuthenticationFailure,
  HciErrorCode.PinOrKeyMissing,
  HciErrorCode.ConnectionTerminatedDueToMicFailure,
];

/** An opener had a link over the radio, and lost it before it could be used. */
export function isLossOnTheWay(error: unknown): boolean {
  return error instanceof DisconnectedError && !REASONS_OF_SECURITY.includes(error.reason);
}

/** A session, as far as a new link needs it. */
interface Reopenable {
  readonly clock: Clock;
  readonly isConnected: boolean;
  readonly isClosed: boolean;
  openLink(options: OperationOptions): Promise<void>;
  /** @throws {TimeoutError} the server does not answer */
  learn(signal: AbortSignal, mustAnswer: true): Promise<void>;
  dropLink(reason: BleError): Promise<void>;
}

/**
 * Makes the link again where it is gone, and asks until the server answers: after a reset it may be busy with its images for a minute. It tries
 * until `signal` aborts.
 *
 * @param onFailure what an attempt came to
 */
export async function openAgain(session: Reopenable, signal: AbortSignal, onFailure: (error: unknown) => void): Promise<void> {
  let silences = 0;
  for (let failures = 1; ; failures++) {
    try {
      if (!session.isConnected) await session.openLink({ signal, timeoutMs: OPENING_TIMEOUT_MS });
      await session.learn(signal, true);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (session.isClosed || isFinal(error)) throw error;
      onFailure(error);
      if (!(error instanceof TimeoutError) || !session.isConnected) silences = 0;
      else if (++silences === SILENCES) {
        silences = 0;
        await session.dropLink(new ClosedError("the server did not answer over this link", { cause: error }));
      }
    }
    await delay(session.clock, pauseMs(failures), { signal, name: "mcumgr reconnects" });
  }
}
