import { Pending } from "../async/index.ts";
import { kindOf } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import type { Logger } from "../core/logger.ts";
import { DISCONNECT_REASONS, Disconnect, DisconnectedError, type Hci, HciError, HciErrorCode, hciErrorText } from "../hci/index.ts";
import type { L2capLink } from "../l2cap/index.ts";

/** How a controller refuses to disconnect a link that is going already. */
const GOING: readonly number[] = [HciErrorCode.UnknownConnectionIdentifier, HciErrorCode.CommandDisallowed];
/** How long a disconnection waits for what is still to be sent. */
const FLUSH_MS = 1000;
/** What the controller may take beyond the supervision timeout to say what became of the link. */
const ANSWER_MS = 2000;

/** @throws {ArgumentError} no reason that a host may give, Vol 4 Part E 7.1.6 */
export function checkDisconnectReason(reason: number): void {
  if (DISCONNECT_REASONS.includes(reason)) return;
  const permitted = DISCONNECT_REASONS.map((code) => hciErrorText(code)).join(", ");
  throw new ArgumentError(`disconnect: reason ${kindOf(reason)}: expected one of ${permitted}`);
}

export interface LinkDisconnectionParts {
  readonly hci: Hci;
  readonly link: L2capLink;
  readonly logger: Logger;
  /** Resolves when the link is gone. */
  readonly closed: Promise<unknown>;
  readonly isEnded: () => boolean;
  readonly supervisionTimeoutMs: () => number;
  /** The link is known to be gone, and nothing else is going to end it here in time. */
  readonly onGone: (error: DisconnectedError) => void;
}

/** Ends one link: what waits is sent, the controller is told, and its event awaited. Callers beside the first join it. */
export class LinkDisconnection {
  readonly #parts: LinkDisconnectionParts;
  #running: Promise<void> | undefined;
  /** The Disconnect command was sent, or is about to be. */
  #outcome: Pending<void> | undefined;

  constructor(parts: LinkDisconnectionParts) {
    this.#parts = parts;
  }

  /** Resolves when the link is gone. @throws {HciError} the controller refuses · {TimeoutError} it says nothing */
  async run(reason: number): Promise<void> {
    this.#running ??= this.#disconnect(reason).finally(() => {
      this.#running = undefined;
      this.#outcome = undefined;
    });
    await this.#running;
  }

  /** A Disconnection Complete event says that the link is still there. */
  refused(error: HciError): void {
    this.#outcome?.reject(error);
  }

  async #disconnect(reason: number): Promise<void> {
    const { hci, link, logger, closed, isEnded, supervisionTimeoutMs, onGone } = this.#parts;
    try {
      // A disconnection drops what the controller has not sent: the last keys of a pairing, a write without response.
      await link.att.whenSent({ timeoutMs: FLUSH_MS });
    } catch {
      logger.debug("disconnecting although not everything could be sent");
    }
    if (isEnded()) return;
    if (link.ended instanceof DisconnectedError) {
      onGone(link.ended); // its end waits for what had arrived; the handle may be another link's by now
      return;
    }
    const outcome = new Pending<void>({ clock: hci.clock, operation: "disconnection", timeoutMs: supervisionTimeoutMs() + ANSWER_MS });
    this.#outcome = outcome;
    void closed.then(() => outcome.resolve());
    outcome.promise.catch(() => undefined); // it is awaited below, after the command
    let isUnknown = false;
    try {
      await hci.send(Disconnect, { connectionHandle: link.handle, reason });
    } catch (error) {
      // The link is being lost by itself, and its event is on the way.
      const isGone = error instanceof HciError && GOING.includes(error.status);
      if (!isGone && !isEnded()) {
        outcome.reject(error);
        throw error;
      }
      isUnknown = error instanceof HciError && error.status === HciErrorCode.UnknownConnectionIdentifier;
    }
    try {
      await outcome.promise;
    } catch (error) {
      // The controller has said that it knows no such link: what was lost is the event.
      if (isUnknown) onGone(new DisconnectedError(HciErrorCode.ConnectionTerminatedByLocalHost, { cause: error }));
      else throw error;
    }
  }
}
