import { TimeoutError } from "../core/error.ts";
import type { PduChannel } from "../l2cap/channel.ts";

const REPORT_TIMEOUT_MS = 30_000;
/** Nobody sees it, and one made for each frame, with its stack, would cost more than the frame. */
const lost = (): TimeoutError => new TimeoutError("waiting for the controller to send", REPORT_TIMEOUT_MS);

/**
 * Sends a frame, and calls `onLeft` when it is on its way: at once on an idle link, else when the controller has sent what was queued before it
 * too. A transaction's timer starts then, not while the frame waits behind a full link (Vol 3 Part F 3.3.3). A link that is lost calls nothing.
 */
export function sendFrameAndThen<T extends { readonly frame: Uint8Array }>(channel: PduChannel, sent: T, onLeft: (sent: T) => void): void {
  const isNext = channel.idle;
  channel.sendFrame(sent.frame);
  if (isNext) onLeft(sent);
  else whenLeft(channel).then(() => onLeft(sent), ignoreLoss);
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
