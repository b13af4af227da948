import type { Effect, State } from "./state.ts";
import { KEYPRESSES } from "./types.ts";

// Keypress notifications, Vol 3 Part H 3.5.8: news of a user who types a passkey. Nothing depends on them, so what is not one, or does not belong
// here, is ignored.

/** A peer that tells of more keys than this gets no more time by it, and nobody hears of the rest: a passkey has six digits. */
export const KEYPRESS_LIMIT = 100;

/** Whether the peer's user may still be typing: its side has not committed itself to a number. */
function isTyping(state: State): boolean {
  switch (state.at) {
    case "legacy-confirm":
      return !state.peerConfirm;
    case "passkey":
      return !state.peerConfirm;
    case "passkey-confirm":
      return state.round === 0;
    default:
      return false;
  }
}

/** What is done about a notification of the peer. */
export function keypressEffects(state: State, notificationType: number): Effect[] {
  const keypress = KEYPRESSES[notificationType];
  if (keypress === undefined || !isTyping(state) || !("agreement" in state) || !state.agreement.keypress.peer) return [];
  return [{ do: "keypress", keypress }];
}
