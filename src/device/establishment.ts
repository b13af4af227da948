import { type Clock, Deadline, delay, Pending } from "../async/index.ts";
import { DisconnectedError, HciError, HciErrorCode } from "../hci/index.ts";
import type { Connection } from "./connection.ts";

/** A link is lost when its peer answered none of so many events, Vol 6 Part B 4.5.2. */
const EVENTS_TO_ESTABLISH = 6;
/** For the way of the last event's news through controller and transport. */
const MARGIN_MS = 50;
/** Commands that make a link. */
const CREATIONS = ["LeCreateConnection", "LeExtendedCreateConnection"];
/** Pause before another try to connect; twice as long each time, up to the second number. */
const PAUSE_MS = [20, 640] as const;

/** Whether this says that the peer never answered on the new link: an ordinary collision on the air, worth another try. */
function isNotEstablished(error: unknown): boolean {
  if (error instanceof HciError) return CREATIONS.includes(error.command) && error.status === HciErrorCode.ConnectionFailedToBeEstablished;
  return error instanceof DisconnectedError && error.reason === HciErrorCode.ConnectionFailedToBeEstablished;
}

/**
 * Connects, again and again while the peer does not answer the first events of a link, until the time is over.
 *
 * @param once connects; ends when the signal aborts
 * @param check throws where another try is in vain
 * @throws {HciError} the time is over, and the peer was last heard of by its silence
 */
export async function untilEstablished(
  once: (signal: AbortSignal) => Promise<Connection>,
  { clock, operation, signal, timeoutMs }: { clock: Clock; operation: string; signal: AbortSignal | undefined; timeoutMs: number },
  check: () => void,
): Promise<Connection> {
  using deadline = new Deadline({ clock, operation, signal, timeoutMs });
  const isOver = (): boolean => deadline.signal.aborted && !signal?.aborted; // and it was not the caller who ended it
  let unanswered: unknown;
  let pauseMs: number = PAUSE_MS[0];
  for (;;) {
    try {
      return await once(deadline.signal);
    } catch (error) {
      if (isNotEstablished(error)) unanswered = error;
      else throw isOver() && unanswered ? notEstablished(error) : error;
    }
    await delay(clock, pauseMs, { signal: deadline.signal, name: "another try to connect" }).catch((error: unknown) => {
      throw isOver() ? notEstablished(error) : error;
    });
    check();
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS[1]);
  }
}

/** What `connect` says when the time is over and the peer was last heard of by its silence. */
function notEstablished(cause: unknown): HciError {
  return new HciError({ status: HciErrorCode.ConnectionFailedToBeEstablished, command: "LeCreateConnection" }, { cause });
}

/**
 * Waits until the peer of a new link is known to be there. A central's controller reports the link when its CONNECT_IND was sent, whether or not
 * it was heard (Vol 6 Part B 4.5.2). Reading the peer's features asks for a first answer; a peer that does not know how to give one is
 * there when the link has lasted as long as it may without one.
 *
 * @throws {DisconnectedError} the peer never answered: Connection Failed To Be Established
 * @throws `signal.reason`
 */
export async function established(connection: Connection, clock: Clock, signal: AbortSignal): Promise<void> {
  const pending = new Pending<void>({ clock, operation: "the first events of a link", signal });
  const timeoutMs = EVENTS_TO_ESTABLISH * connection.parameters.intervalMs + MARGIN_MS;
  const timer = clock.setTimer(timeoutMs, "the first events of a link", () => pending.resolve());
  // A link that is lost for another reason had come about.
  void connection.closed.then((reason) => (isNotEstablished(reason) ? pending.reject(reason) : pending.resolve()));
  connection.remoteFeatures().then(
    () => pending.resolve(),
    (error: unknown) => {
      const isAnswer = error instanceof HciError && error.status === HciErrorCode.UnsupportedRemoteFeature;
      if (isAnswer) pending.resolve();
    },
  );
  try {
    await pending.promise;
  } finally {
    timer[Symbol.dispose]();
  }
}
