import { SimulatedAir, type SimulatedAirOptions } from "../../src/testing/index.ts";

/** What the controllers of a suite have, so that one suite runs on several kinds of them; set before the suite is imported. */
export const suite: { controller: NonNullable<SimulatedAirOptions["controller"]> } = { controller: {} };

/** An air whose controllers are those of the suite. */
export class SuiteAir extends SimulatedAir {
  constructor(options: SimulatedAirOptions = {}) {
    super({ ...options, controller: { ...suite.controller, ...options.controller } });
  }
}
