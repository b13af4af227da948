import { delay } from "jelling/async";
import { Logger, LogLevel } from "jelling/core";
import { MemoryBondStore } from "jelling/gap";
import type { Bond } from "jelling/smp";
import { expect, test } from "vitest";
import { isFull } from "../../../test/support/left-out.ts";
import { uncaughtDuring } from "../../../test/support/uncaught.ts";
import { live, watchUnhandled } from "./faults.ts";

// A pump's session in which not a packet is at fault but the order of packets, the program's callback, or its store.

const unhandled = watchUnhandled();
const DONE = { handshakes: 2, errors: [] };

test.each([1, 10])("events and data that have no order between them, up to %d ms apart, change nothing", async (pathSkewMs) => {
  for (let seed = 1; seed <= (isFull ? 20 : 2); seed++)
    expect(await live({ seed, controller: { pathSkewMs } }), `seed ${seed}`).toMatchObject(DONE);
  expect(unhandled).toEqual([]);
});

test("a program whose event handler throws gets its sessions all the same", async () => {
  const thrown = await uncaughtDuring(async () => {
    const onEvent = (): void => {
      throw new Error("the program's handler");
    };
    expect(await live({ connector: () => ({ onEvent }) })).toMatchObject(DONE);
  });
  expect(new Set(thrown.map(String))).toEqual(new Set(["Error: the program's handler"]));
});

test("a program whose log is full gets its sessions all the same", async () => {
  const thrown = await uncaughtDuring(async () => {
    const logger = new Logger("", LogLevel.Trace, () => {
      throw new Error("disk full");
    });
    expect(await live({ connector: () => ({ logger }) })).toMatchObject(DONE);
  });
  expect(new Set(thrown.map(String))).toEqual(new Set(["Error: disk full"]));
});

test("a store that refuses the bond, and one that is slow, end in a typed error or in a session", async () => {
  class Refusing extends MemoryBondStore {
    override save(): Promise<void> {
      return Promise.reject(new Error("disk full"));
    }
  }
  expect((await live({ connector: () => ({ bonds: new Refusing() }) })).errors.length).toBeGreaterThan(0);
  const slow = await live({
    connector: (clock) => {
      const bonds = new MemoryBondStore();
      const save = bonds.save.bind(bonds);
      bonds.save = (bond: Bond) => delay(clock, 500).then(() => save(bond));
      return { bonds };
    },
  });
  expect(slow).toMatchObject(DONE);
});
