import { type Clock, Pending } from "../../async/index.ts";

/**
 * How long a command may take that puts away what a sequence left in the kernel: the kernel answers such commands at once or, when its
 * controller is silent, after its own two seconds; and it may have to wait that long for the late answer to one that was given up.
 */
export const PUT_AWAY_MS = 5_000;
/** How long whoever leaves a sequence waits until everything is as it was. What takes longer goes on behind their back. */
const LEAVING_MS = 500;

const settled = (): void => undefined;

/**
 * Waits for something that puts away what a sequence left in the kernel, whatever becomes of it: it may be gone already, with its
 * controller or with the socket, and the outcome of the sequence is what its caller has to learn. The action has a limit of its own.
 */
export async function putAway(action: Promise<unknown>): Promise<void> {
  await action.then(settled, settled);
}

/** As `putAway`, but no longer than half a second: nobody is held back by a kernel that does not answer. */
export async function putAwaySoon(clock: Clock, action: Promise<unknown>): Promise<void> {
  const waiting = new Pending<void>({ clock, operation: "putting away", timeoutMs: LEAVING_MS });
  action.then(
    () => waiting.resolve(undefined),
    () => waiting.resolve(undefined),
  );
  await waiting.promise.catch(settled);
}
