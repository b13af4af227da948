import { describe, expect, test } from "vitest";
import { type Clock, delay } from "../src/async/index.ts";
import type { Address, BleError } from "../src/core/index.ts";
import { MemoryBondStore } from "../src/gap/index.ts";
import type { Bond, PairingAgent } from "../src/smp/index.ts";
import { isFull } from "./support/left-out.ts";
import { live, type Pairing } from "./support/life.ts";
import { samples } from "./support/samples.ts";

// The life of two devices in which not the packets are at fault but their order, those who ask, the program's callbacks, its store, and how long
// somebody takes.

const pairings: Pairing[] = ["legacy", "Secure Connections"];
const LONG_MS = 3_600_000;
const FEW = isFull ? 20 : 3;

const outcome = ({ steps, errors }: { steps: string[]; errors: unknown[] }): string =>
  errors.length === 0 ? "done" : `${(errors[0] as BleError).message} after ${steps.at(-1)}`;

// --- order ------------------------------------------------------------------------------------------------------------------------

describe.each(pairings)("without an order between events and data, %s pairing", (pairing) => {
  test.each([1, 5, 10])(
    "a skew of up to %d ms changes nothing that a program sees",
    async (pathSkewMs) => {
      for (let seed = 1; seed <= FEW; seed++)
        expect(outcome(await live({ pairing, seed, controller: { pathSkewMs } })), `seed ${seed}`).toBe("done");
    },
    LONG_MS,
  );

  test(
    "a skew of 40 ms, more than hosts wait for, ends well or in a typed error",
    async () => {
      for (let seed = 1; seed <= FEW; seed++) await live({ pairing, seed, controller: { pathSkewMs: 40 } });
    },
    LONG_MS,
  );
});

test.each(["phone HCI", "sensor HCI"] as const)(
  "%s: one packet that later ones overtake ends well or in a typed error",
  async (place) => {
    const { counts } = await live();
    for (const index of samples({ of: "packets of two devices' life, each to be overtaken", at: place }, counts[place], 20))
      await live({ fault: { place, index, kind: "overtaken", delayMs: 20 } });
  },
  LONG_MS,
);

// --- second callers ---------------------------------------------------------------------------------------------------------------

describe.each(pairings)("two callers of everything that can be shared, %s pairing", (pairing) => {
  test.each(["first", "second"] as const)(
    "the %s leaves, whenever it does, and the other is served",
    async (leaves) => {
      const moments = [0, 1, 20, 60, 100, 150, 200, 300, 500, 1000, 5000];
      for (const i of samples({ of: "moments at which one of two callers leaves", at: `${pairing} ${leaves}` }, moments.length, 5))
        expect(outcome(await live({ pairing, callers: { leaves, afterMs: moments[i]! } })), `after ${moments[i]} ms`).toBe("done");
    },
    LONG_MS,
  );
});

// --- callbacks that throw ---------------------------------------------------------------------------------------------------------

test.each(pairings)(
  "listeners, subscribers and callbacks that throw harm nothing, and the process hears of each, %s pairing",
  async (pairing) => {
    const life = await live({ pairing, throwing: true });
    expect(outcome(life)).toBe("done");
    expect(life.steps.at(-1)).toBe("read the secret");
    for (const error of life.thrown) expect(String(error)).toMatch(/^Error: the program's /);
    const told = new Set(life.thrown.map((error) => String(error).slice("Error: the program's ".length)));
    for (const what of ["connection", "security", "paired", "disconnected", "subscriber", "afterResponse", "closed"])
      expect(told).toContain(what);
  },
);

test("an agent that throws, or rejects, refuses the pairing in the usual way", async () => {
  const fail = (): never => {
    throw new Error("the program's agent");
  };
  const agents: PairingAgent[] = [
    { confirm: fail, compare: fail, enterPasskey: fail, displayPasskey: fail },
    { confirm: async () => fail(), compare: async () => fail(), enterPasskey: async () => fail(), displayPasskey: fail },
  ];
  for (const agent of agents)
    for (const who of ["phone", "sensor"]) {
      const { errors, steps } = await live({ device: (name) => (name === who ? { agent } : {}) });
      if (errors.length > 0) expect([(errors[0] as BleError).code, steps.at(-1)]).toEqual(["ERR_PAIRING", "connect"]);
    }
});

// --- stores that refuse -----------------------------------------------------------------------------------------------------------

/** Says no to one of its calls, or to all from it on; or says yes late. */
class DifficultStore extends MemoryBondStore {
  calls = 0;
  readonly #at: { clock: Clock; refuses?: (call: number) => boolean; takesMs?: number };

  constructor(at: { clock: Clock; refuses?: (call: number) => boolean; takesMs?: number }) {
    super();
    this.#at = at;
  }

  async #answer(): Promise<void> {
    const call = this.calls++;
    if (this.#at.takesMs !== undefined) await delay(this.#at.clock, this.#at.takesMs);
    if (this.#at.refuses?.(call)) throw new Error("disk full");
  }
  override async save(bond: Bond): Promise<void> {
    await this.#answer();
    return super.save(bond);
  }
  override async delete(identity: Address): Promise<void> {
    await this.#answer();
    return super.delete(identity);
  }
}

describe.each(["phone", "sensor"] as const)("the store of the %s", (who) => {
  test.each(pairings)(
    "refuses one call after the other, or all: a typed error or none, and nothing is left behind, %s pairing",
    async (pairing) => {
      const stores: DifficultStore[] = [];
      const lifeWith = (refuses: (call: number) => boolean) =>
        live({
          pairing,
          device: (name, clock) => {
            if (name !== who) return {};
            const bonds = new DifficultStore({ clock, refuses });
            stores.push(bonds);
            return { bonds };
          },
        });
      const calm = await lifeWith(() => false);
      expect(outcome(calm)).toBe("done");
      const { calls } = stores[0]!;
      expect(calls).toBeGreaterThan(0);
      for (let refused = 0; refused < calls; refused++) {
        const one = await lifeWith((call) => call === refused);
        // The first call keeps the bond; the later ones what the peer configured, which is in force all the same.
        if (refused > 0) expect(outcome(one), `call ${refused}`).toBe("done");
        if (refused === 0 && who === "phone") expect(outcome(one)).toMatch(/could not be stored.* after connect$/);
      }
      const all = await lifeWith(() => true);
      expect(all.errors.length).toBeGreaterThan(0);
      expect(stores.at(-1)!.size).toBe(0);
    },
    LONG_MS,
  );

  test.each([100, 5000, 45_000])("takes %d ms for each call: it ends well or in a typed error", async (takesMs) => {
    const life = await live({
      device: (name, clock) => (name === who ? { bonds: new DifficultStore({ clock, takesMs }) } : {}),
      afterwards: (clock) => delay(clock, 3 * takesMs), // the library waits 30 s for a store; what it stores later is taken back
    });
    if (takesMs === 100) expect(outcome(life)).toBe("done");
  });
});

// --- slow ends --------------------------------------------------------------------------------------------------------------------

test.each([1, 1000, 20_000, 28_900])("handlers that take %d ms are waited for", async (handlerMs) => {
  expect(outcome(await live({ handlerMs }))).toBe("done");
});

test.each([29_100, 120_000])("handlers that take %d ms, longer than a client waits, are answered for", async (handlerMs) => {
  const { errors, steps } = await live({ handlerMs });
  expect([(errors[0] as BleError).code, steps.at(-1)]).toEqual(["ERR_ATT", "discover characteristics"]);
});

/** Data waits for the link that it belongs to so long, and a little more: what the controller tells is late by less, and no program sees it. */
const SEEN_BY_NOBODY_MS = 80;

test.each(["phone HCI", "sensor HCI"] as const)(
  "%s: one packet that takes seconds, and those behind it, end well or in a typed error",
  async (place) => {
    const { counts } = await live();
    for (const delayMs of [SEEN_BY_NOBODY_MS, 4000, 70_000])
      for (const index of samples(
        { of: "packets of two devices' life, each to be delayed", at: `${place} ${delayMs}` },
        counts[place],
        12,
      )) {
        const life = await live({ fault: { place, index, kind: "delay", delayMs } }).catch((error: unknown) => {
          throw new Error(`packet ${index}, ${delayMs} ms: ${error}`, { cause: error });
        });
        if (delayMs === SEEN_BY_NOBODY_MS) expect(outcome(life), `packet ${index}`).toBe("done");
      }
  },
  LONG_MS,
);
