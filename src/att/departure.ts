import type { PduChannel } from "../l2cap/channel.ts";

/**
 * Sends a frame, and calls `onLeft` when it is on its way: at once on an idle link, else when the controller has sent what was queued before it
 * too. A transaction's timer starts then, not while the frame waits behind a full link (Vol 3 Part F 3.3.3). A link that is lost calls nothing.
 */
export function sendFrameAndThen(channel: PduChannel, frame: Uint8Array, onLeft: () => void): void {
  const isNext = channel.idle;
  channel.sendFrame(frame);
  if (isNext) onLeft();
  else channel.whenSent().then(onLeft, ignoreLoss);
}

/** Whoever waits learns of the loss from the channel itself. */
export function ignoreLoss(): void {}
