/// <reference lib="esnext.disposable" preserve="true" />
export { Broadcast, type Flow, Subscription } from "./broadcast.ts";
export { callOut, rethrowLater } from "./call-out.ts";
export { type Clock, delay, overdue, quiet, SystemClock, whileTimeStands } from "./clock.ts";
export { Deadline } from "./deadline.ts";
export { Emitter } from "./emitter.ts";
export { onAbort } from "./on-abort.ts";
export { ownTerms } from "./own-terms.ts";
export { type OperationOptions, Pending, type PendingOptions, type WaitOptions } from "./pending.ts";
export { Semaphore } from "./semaphore.ts";
export { SharedWork, type SharedWorkOptions } from "./shared-work.ts";
export { turn } from "./turn.ts";
export { VirtualClock } from "./virtual-clock.ts";
export { Waiters } from "./waiters.ts";
