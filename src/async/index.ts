export { Broadcast, Subscription } from "./broadcast.ts";
export { type Clock, delay, quiet, SystemClock } from "./clock.ts";
export { Emitter } from "./emitter.ts";
export { type OperationOptions, Pending, type PendingOptions } from "./pending.ts";
export { Semaphore } from "./semaphore.ts";
export { turn } from "./turn.ts";
export { VirtualClock } from "./virtual-clock.ts";
