import type { SeededRandom } from "jelling/core";
import type { Scenario } from "./scenario.ts";

const MINUTE_MS = 60_000;

/** Something that goes wrong with a pump, its link or the air between: gives for how long, in ms. It ends by itself. */
export type Trouble = (scenario: Scenario, random: SeededRandom) => number | Promise<number>;

const few = (random: SeededRandom): number => 1 + (random.uint32() % 3);
const minutes = (random: SeededRandom, most: number): number => Math.ceil(MINUTE_MS * (0.2 + most * random.unit()));
const until = (scenario: Scenario, delayMs: number, end: () => void): number => {
  scenario.clock.setTimer(delayMs, "the end of a trouble", end);
  return delayMs;
};

/** What a pump gets over by itself, and its connector with it. */
export const TROUBLES: Readonly<Record<string, Trouble>> = {
  "silent pump": ({ pump }, random) => {
    const forMs = minutes(random, 15);
    pump.faults.fallSilent(forMs);
    return forMs;
  },
  // Until its connector has given up the link.
  "a pump that stays silent": ({ pump }) => {
    pump.faults.fallSilent();
    return 0;
  },
  "link lost": async ({ pump }) => {
    await pump.faults.loseLink();
    return 0;
  },
  "out of range": (scenario, random) => {
    const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
    return until(scenario, minutes(random, 25), () => wall[Symbol.dispose]());
  },
  "out of range for a moment, again and again": (scenario, random) => {
    const times = 2 + (random.uint32() % 6);
    const apartMs = 1000 + (random.uint32() % 40_000);
    for (let i = 0; i < times; i++)
      scenario.clock.setTimer(i * apartMs, "a moment out of range", () => {
        const wall = scenario.air.cut(scenario.phoneController, scenario.pumpController);
        until(scenario, 100 + (random.uint32() % 6000), () => wall[Symbol.dispose]());
      });
    return times * apartMs;
  },
  "air that loses much": (scenario, random) => {
    const share = 0.1 + 0.7 * random.unit();
    const loss = scenario.air.onAirPacket(() => (random.unit() < share ? "lose" : undefined));
    return until(scenario, minutes(random, 10), () => loss[Symbol.dispose]());
  },
  "wrong tags": ({ pump }, random) => {
    pump.faults.wrongTags = few(random);
    return 0;
  },
  "wrong checksums": ({ pump }, random) => {
    pump.faults.wrongCrcs = few(random);
    return 0;
  },
  busy: ({ pump }, random) => {
    pump.faults.busyWrites = few(random);
    return 0;
  },
  "not completed": ({ pump }, random) => {
    pump.faults.uncompletedRequests = few(random);
    return 0;
  },
  "no answer": ({ pump }) => {
    pump.faults.unansweredRequests = 1;
    return 0;
  },
  "reset refused": ({ pump }, random) => {
    pump.faults.refusedResets = few(random);
    return 0;
  },
  "no push": (scenario, random) => {
    scenario.pump.faults.withholdsPushes = true;
    return until(scenario, minutes(random, 30), () => {
      scenario.pump.faults.withholdsPushes = false;
    });
  },
  "a transfer that stops": ({ pump }, random) => {
    pump.faults.stopTransferAfter = random.uint32() % 4;
    pump.faults.recordUnknownEvent();
    return 0;
  },
  "events that nobody knows": ({ pump }, random) => {
    pump.faults.recordUnknownEvent(0xf0aa, Uint8Array.of(random.uint32() & 0xff));
    pump.faults.recordGarbage();
    pump.faults.leaveHole(few(random));
    return 0;
  },
  "clock lost": (scenario, random) => {
    scenario.pump.faults.loseClock();
    return until(scenario, minutes(random, 20), () => scenario.pump.faults.setClock());
  },
  "other software": async ({ pump }) => {
    await pump.faults.updateFirmware();
    return 0;
  },
  "no sensor": (scenario, random) => {
    scenario.pump.stopSensor();
    return until(scenario, minutes(random, 40), () => scenario.pump.startSensor());
  },
};

/** Ends those that wait for something to strike. */
export function calm({ pump: { faults } }: Scenario): void {
  Object.assign(faults, { wrongTags: 0, wrongCrcs: 0, busyWrites: 0, unansweredRequests: 0, uncompletedRequests: 0, refusedResets: 0 });
  faults.stopTransferAfter = undefined;
}

/** Draws what goes wrong next, without an order; one in four comes with a second one. */
export class Troubles<Name extends string = string> {
  readonly struck: string[] = [];
  readonly #scenario: Scenario;
  readonly #random: SeededRandom;
  readonly #troubles: Readonly<Record<Name, Trouble>>;

  constructor(scenario: Scenario, random: SeededRandom, troubles: Readonly<Record<Name, Trouble>>) {
    this.#scenario = scenario;
    this.#random = random;
    this.#troubles = troubles;
  }

  /** Gives how long it takes, in ms. */
  async strike(): Promise<number> {
    const names = Object.keys(this.#troubles) as Name[];
    let lastsMs = 0;
    for (let more = this.#random.uint32() % 4 === 0 ? 2 : 1; more > 0; more--) {
      const name = names[this.#random.uint32() % names.length]!;
      this.struck.push(name);
      lastsMs = Math.max(lastsMs, await this.#troubles[name](this.#scenario, this.#random));
    }
    return lastsMs;
  }

  /** The last ones, for a message. */
  get last(): string {
    return this.struck.slice(-4).join(", ");
  }
}
