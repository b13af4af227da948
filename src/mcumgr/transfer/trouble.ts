import { DecodeError } from "../../bytes/decode-error.ts";
import { TimeoutError } from "../../core/error.ts";
import { McumgrReturnCode } from "../protocol/codes.ts";
import { McumgrError, McumgrResponseError } from "../protocol/error.ts";

/**
 * What can go wrong with a transfer that may still succeed. `silence`: no answer. `memory`: too many requests at once. `busy`. `damaged`: the
 * request or its answer arrived in pieces. `mismatch`: the server expects another offset, since something before was lost or cut. `lost`: the
 * link is gone.
 */
export type TroubleKind = "silence" | "memory" | "busy" | "damaged" | "mismatch" | "lost";

export interface Trouble {
  readonly kind: TroubleKind;
  readonly cause: unknown;
}

/**
 * Whether a transfer can go on after this error; undefined: it cannot.
 *
 * @param isLost the error came since the link is gone
 */
export function troubleOf(error: unknown, isLost: boolean): Trouble | undefined {
  if (isLost) return { kind: "lost", cause: error };
  if (error instanceof TimeoutError) return { kind: "silence", cause: error };
  if (error instanceof McumgrResponseError && error.cause instanceof DecodeError) return { kind: "damaged", cause: error };
  if (!(error instanceof McumgrError) || error.group !== undefined) return undefined;
  if (error.rc === McumgrReturnCode.NoMemory) return { kind: "memory", cause: error };
  if (error.rc === McumgrReturnCode.Busy) return { kind: "busy", cause: error };
  if (error.rc === McumgrReturnCode.Corrupt) return { kind: "damaged", cause: error };
  return undefined;
}
