import type { SimulatedPump } from "@jelling/minimed";
import type { Clock } from "jelling/async";
import type { FaultOrder, TimedFault } from "./fault-words.ts";

/** What became of a fault that was struck. */
export type StruckFault = (order: FaultOrder, failure: string | undefined) => void;

/** Strikes a fault. @param told of it, with what kept it from happening where something did */
export async function strike({ faults }: SimulatedPump, order: FaultOrder, told: StruckFault): Promise<void> {
  let failure: string | undefined;
  try {
    await order.strike(faults);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  told(order, failure);
}

/** Faults that strike at their times of the pump's clock, from now on; a fault that cannot happen is told, and the next ones come all the same. */
export class FaultSchedule implements Disposable {
  readonly #timers: Disposable[];

  constructor(pump: SimulatedPump, clock: Clock, faults: readonly TimedFault[], told: StruckFault) {
    this.#timers = [];
    for (const { atMs, order } of faults) {
      const act = (): void => void strike(pump, order, told);
      if (atMs === 0) act();
      else this.#timers.push(clock.setTimer(atMs, "a fault of the simulated pump", act));
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer[Symbol.dispose]();
  }
}
