import { StateError } from "jelling/core";
import type { PumpChannel } from "./pump-channel.ts";
import type { DeliveryReader } from "./readers/delivery.ts";
import type { PushedChanges } from "./status-push.ts";

/** What a pump pushes, for the monitor alone: resetting it is the one request that changes something in the pump, and no business of a program. */
export interface SessionChanges {
  /**
   * Subscribes, and calls `listener` when something was pushed; undefined where the pump pushes nothing, or another one listens. What had
   * changed before is pushed at once.
   */
  follow(listener: () => void): Promise<Disposable | undefined>;
  /** What was pushed since the last time. */
  take(): PushedChanges | undefined;
  /** Has the pump push again. @returns whether it will */
  reset(changes: PushedChanges): Promise<boolean>;
}

/** By `PumpSession`. */
const CHANGES = new WeakMap<object, SessionChanges>();

export function registerChanges(session: object, channel: PumpChannel, delivery: DeliveryReader): void {
  CHANGES.set(session, {
    follow: async (listener) => {
      let attached: Disposable;
      try {
        attached = channel.push.attach(listener);
      } catch (error) {
        if (error instanceof StateError) return undefined;
        throw error;
      }
      try {
        if (await channel.followChanges()) return attached;
      } catch (error) {
        attached[Symbol.dispose]();
        throw error;
      }
      attached[Symbol.dispose]();
      return undefined;
    },
    take: () => channel.push.take(),
    reset: ({ field }) => channel.exclusively("resetting what has changed", {}, () => delivery.reset(field)),
  });
}

export function changesOf(session: object): SessionChanges {
  return CHANGES.get(session)!;
}
