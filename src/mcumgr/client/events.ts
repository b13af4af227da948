import type { BleError } from "../../core/error.ts";
import type { McumgrFallback, McumgrLimits } from "../transfer/host.ts";

/** What a client tells. */
export interface McumgrClientEvents extends Record<string, unknown> {
  /** It went on in a more careful way: another version of the protocol, shorter messages, fewer requests at once. */
  fallback: McumgrFallback;
  /** The link is gone; `reconnect` makes it again. */
  closed: { readonly reason: BleError };
  /** The server answers again. */
  reconnected: { readonly limits: McumgrLimits };
  /** How much the server takes has been found out, or has changed. */
  limits: McumgrLimits;
}
