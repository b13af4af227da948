import { cpSync, existsSync, mkdirSync } from "node:fs";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import type { PumpConnector } from "../src/connector/pump-connector.ts";
import { PumpStore } from "../src/store/pump-store.ts";
import { syncHistory } from "../src/store/sync.ts";
import { watchUnhandled } from "./faults.ts";
import { calm } from "./pump-troubles.ts";
import { Scenario } from "./scenario.ts";
import { keptOctets, NOW_MS, SERIAL, TemporaryFolder } from "./temporary-store.ts";

// A long history on its whole way: the pump's memory, its protocol, the air, the session, the sync, the database. It is interrupted at random.

const MINUTE_MS = 60_000;
/** About 900 records each: 100,000 where everything is tried. */
const DAYS = isFull ? 112 : 1;
const SEEDS = isFull ? [1, 2] : [1];
/** An interruption comes within so long: a page takes some seconds. */
const SOON_MS = isFull ? 8_000 : 4_000;
const MOST_STATEMENTS = isFull ? 8000 : 1500;

const unhandled = watchUnhandled();

/** The program is no more: what its files hold at this moment is all that is left. */
class Killed extends Error {}

/** A database whose process dies at a statement. */
class MortalStore {
  readonly #folder: TemporaryFolder;
  #lives = 0;
  #left = Number.POSITIVE_INFINITY;
  #store: PumpStore | undefined;

  constructor(folder: TemporaryFolder) {
    this.#folder = folder;
  }

  get #path(): string {
    return this.#folder.join(String(this.#lives), "pump.sqlite");
  }

  async open(): Promise<PumpStore> {
    this.#store ??= await PumpStore.openWith(this.#path, { wallClock: () => NOW_MS }, { onStatement: () => this.#onStatement() });
    return this.#store;
  }

  /** It dies before so many more statements have run. */
  dieAfter(statements: number): void {
    this.#left = statements;
  }

  #onStatement(): void {
    if (--this.#left > 0) return;
    this.#left = Number.POSITIVE_INFINITY;
    const before = this.#path;
    this.#lives++;
    mkdirSync(this.#folder.join(String(this.#lives)));
    for (const end of ["", "-wal"]) if (existsSync(`${before}${end}`)) cpSync(`${before}${end}`, `${this.#path}${end}`);
    mkdirSync(`${this.#path}.lock`); // a killed process leaves it
    // The next one opens the copy; whatever this one still does is done to what nobody looks at again.
    const dead = this.#store;
    this.#store = undefined;
    queueMicrotask(() => dead?.close());
    throw new Killed("killed");
  }

  get lives(): number {
    return this.#lives;
  }

  close(): void {
    this.#store?.close();
  }
}

test.each(SEEDS)(
  `the pump's own history of ${DAYS} days, interrupted and killed at random: equal, record by record (seed %i)`,
  async (seed) => {
    using folder = new TemporaryFolder();
    const mortal = new MortalStore(folder);
    await mortal.open(); // before simulated time begins, which does not wait for a library to be read
    // Before simulated time begins, which does not wait for a library to be read.
    await mortal.open();
    await using scenario = await Scenario.open({ seed, traceCapacity: 0, prepare: () => {}, pump: { historyDays: DAYS } });
    const { pump, air, clock } = scenario;
    let connector: PumpConnector = await scenario.connector();
    await scenario.pair(connector);
    const random = new SeededRandom(seed, "interruptions");
    const soon = (): number => 1 + SOON_MS * random.unit();
    let abort = new AbortController();
    let isAnew = false;
    const INTERRUPTIONS: Readonly<Record<string, () => void>> = {
      killed: () => mortal.dieAfter(1 + (random.uint32() % MOST_STATEMENTS)),
      aborted: () => void clock.setTimer(soon(), "abort", () => abort.abort(new Error("given up"))),
      "link lost": () => void clock.setTimer(soon(), "link", () => void pump.faults.loseLink()),
      "out of range": () =>
        void clock.setTimer(soon(), "range", () => {
          const wall = air.cut(scenario.phoneController, scenario.pumpController);
          clock.setTimer(200 + 8000 * random.unit(), "in range", () => wall[Symbol.dispose]());
        }),
      "the program ended": () =>
        void clock.setTimer(soon(), "end", () => {
          isAnew = true;
          void connector.close();
        }),
      "a transfer that stops": () => (pump.faults.stopTransferAfter = random.uint32() % 300),
      "wrong tags": () => (pump.faults.wrongTags = 1 + (random.uint32() % 2)),
      "not completed": () => (pump.faults.uncompletedRequests = 1),
      silent: () => void clock.setTimer(soon(), "silence", () => pump.faults.fallSilent(1 + Math.ceil(20_000 * random.unit()))),
    };
    const names = Object.keys(INTERRUPTIONS);
    const ends = new Map<string, number>();
    const synced = async (name?: string): Promise<boolean> => {
      if (isAnew) {
        await connector.close();
        connector = await scenario.connector({ mode: "reconnect" });
        isAnew = false;
      }
      abort = new AbortController();
      try {
        const { session } = await connector.session({ timeoutMs: 30 * MINUTE_MS });
        if (name) INTERRUPTIONS[name]!();
        const history = (await mortal.open()).pump(SERIAL);
        await syncHistory(history, session, { order: random.unit() < 0.5 ? "newest" : "oldest", signal: abort.signal });
        return true;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        const end = code ?? message;
        ends.set(end, (ends.get(end) ?? 0) + 1);
        return false;
      }
    };
    // Each of them once, and then as they come until all is there.
    let rounds = 0;
    const next = (): string => names[rounds] ?? (rounds % 3 === 0 ? "killed" : names[random.uint32() % names.length]!);
    for (; !(await synced(next())) || rounds < names.length; rounds++) expect(rounds, [...ends].join(" ")).toBeLessThan(2000);
    await air.advance(MINUTE_MS); // what was to come soon has come
    calm(scenario);
    mortal.dieAfter(Number.POSITIVE_INFINITY);
    for (let i = 0; !(await synced()); i++) expect(i, [...ends].join(" ")).toBeLessThan(20);

    const store = await mortal.open();
    const history = store.pump(SERIAL);
    const kept = keptOctets(history);
    const newest = kept.at(-1)![0];
    const expected: [number, string][] = [];
    for (let number = pump.history.first!; number <= newest; number++) {
      const bytes = pump.history.record(number);
      if (bytes) expected.push([number, toHex(bytes)]);
    }
    expect(kept).toEqual(expected);
    expect(kept.length).toBeGreaterThan(DAYS * 800);
    // Numbers that the pump has left out are known to be gone, and no others.
    for (const { first, last, gone } of history.gaps()) {
      expect(gone).toBe(true);
      for (let number = first; number <= last; number++) expect(pump.history.record(number)).toBeUndefined();
    }
    expect(store.isSound()).toBe(true);
    expect([rounds, mortal.lives].map((count) => count > 0)).toEqual([true, true]);
    mortal.close();
    await connector.close();
    expect(unhandled).toEqual([]);
  },
  1_800_000,
);
if (!isFull) leaveOut("the pump's own history of 112 days through the air, interrupted at random (JELLING_ROBUSTNESS=full)");
