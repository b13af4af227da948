import type { PduChannel } from "../l2cap/channel.ts";

/** So long after a frame was sent a wait that began before it turns to it, at most. */
const STEP_MS = 5000;
const STEPS = 6;
/** Nobody sees it, and one made for each frame, with its stack, would cost more than the frame. */
const LATE = new Error("sending");

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

  /** A report may be lost on the way from the controller: 30 s after the last frame was handed to the controller it is taken to have left. */
  async #wait(): Promise<void> {
    this.#isWaiting = true;
    let steps = 0;
    for (let sent = this.#last; sent; sent = this.#last) {
      let isReported = true;
      try {
        await this.#channel.whenSent({ timeoutMs: STEP_MS, timeoutError: () => LATE });
      } catch (error) {
        if (error !== LATE) throw error;
        isReported = false;
      }
      if (this.#last !== sent) steps = 0;
      else if (isReported || (++steps % STEPS === 0 && this.#channel.waiting === 0)) {
        this.#last = undefined;
        this.#onLeft(sent);
      }
    }
    this.#isWaiting = false;
  }
}

/** Whoever waits learns of the loss from the channel itself. */
export function ignoreLoss(): void {}
