import { TimeoutError } from "../core/error.ts";
import type { PduChannel } from "../l2cap/channel.ts";

const REPORT_TIMEOUT_MS = 30_000;
/** Nobody sees it, and one made for each frame, with its stack, would cost more than the frame. */
const lost = (): TimeoutError => new TimeoutError("waiting for the controller to send", REPORT_TIMEOUT_MS);

/**
 * Sends frames, and tells of each when it is on its way: at once on an idle link, else when the controller has sent what was queued before it
 * too. A transaction's timer starts then, not while the frame waits behind a full link (Vol 3 Part F 3.3.3). Of a frame that another one
 * follows before that nothing is told: its answer has come already. A link that is lost tells nothing.
 */
export class Departures<T extends { readonly frame: Uint8Array }> {
  readonly #channel: PduChannel;
  readonly #onLeft: (sent: T) => void;
  /** The last one, while it is not known to have left. */
  #last: T | undefined;
  /** One wait serves all that are sent meanwhile: a wait for each takes four times what a request takes. */
  #isWaiting = false;

  constructor(channel: PduChannel, onLeft: (sent: T) => void) {
    this.#channel = channel;
    this.#onLeft = onLeft;
  }

  send(sent: T): void {
    const isNext = this.#channel.idle;
    this.#last = isNext ? undefined : sent;
    this.#channel.sendFrame(sent.frame);
    if (isNext) this.#onLeft(sent);
    else if (!this.#isWaiting) this.#wait().catch(ignoreLoss);
  }

  async #wait(): Promise<void> {
    this.#isWaiting = true;
    while (this.#last) {
      const sent = this.#last;
      await whenLeft(this.#channel);
      if (this.#last !== sent) continue;
      this.#last = undefined;
      this.#onLeft(sent);
    }
    this.#isWaiting = false;
  }
}

/**
 * Resolves when the controller has reported what was queued so far. A report may be lost on the way from the controller, and the wait must end
 * all the same: 30 s after the last frame was handed to the controller it is taken to have left.
 */
async function whenLeft(channel: PduChannel): Promise<void> {
  do {
    try {
      await channel.whenSent({ timeoutMs: REPORT_TIMEOUT_MS, timeoutError: lost });
      return;
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
  } while (channel.waiting > 0);
}

/** Whoever waits learns of the loss from the channel itself. */
export function ignoreLoss(): void {}
