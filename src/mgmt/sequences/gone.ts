import { ClosedError } from "../../core/index.ts";
import { Status } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { MgmtError, MgmtWriteError } from "../error.ts";
import type { Sink } from "./feed.ts";

/** Tells when an adapter is there no more for this program. On sockets that get either kind of index events. */
export function onAdapterGone(mgmt: Mgmt, index: number, tell: (reason: ClosedError) => void): Disposable[] {
  const gone = (event: { readonly index: number }): void => {
    if (event.index === index) tell(new ClosedError(`hci${index} was unplugged, or taken by another program`));
  };
  return [mgmt.on("indexRemoved", gone), mgmt.on("extendedIndexRemoved", gone)];
}

/** Ends a loop with its client: quietly when its owner closed it, with the error when the socket was lost. */
export function endWithClient(mgmt: Mgmt, sink: Pick<Sink<never>, "end">): Disposable {
  return mgmt.on("close", (reason) => sink.end(reason instanceof ClosedError ? undefined : reason));
}

/**
 * Whether a command that should take something away failed because it is not there: no such thing, no adapter, no power (ENETDOWN), no
 * client.
 */
export function isGone(error: unknown): boolean {
  if (error instanceof MgmtError) return error.status === Status.InvalidParameters || error.status === Status.InvalidIndex;
  return error instanceof ClosedError || (error instanceof MgmtWriteError && error.errnoName === "ENETDOWN");
}
