import { delay, VirtualClock } from "jelling/async";
import { Logger, LogLevel } from "jelling/core";
import { expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import type { PumpSession } from "../connector/pump-session.ts";
import { PumpError } from "../error.ts";
import type { HistoryBounds } from "../history/source.ts";
import type { PumpLinkState, PumpState } from "../live/state.ts";
import { HistoryKeeper, type HistoryKeeperOptions } from "./history-keeper.ts";
import { type PumpHistory, PumpStoreError, type PumpStoreErrorCode } from "./index.ts";

const EPOCH_MS = Date.UTC(2031, 2, 2);
const MINUTE_MS = 60_000;
const WORDS: Readonly<Record<number, string>> = { [LogLevel.Error]: "error", [LogLevel.Warn]: "warn", [LogLevel.Info]: "info" };

/** A history that writes down what it is given, and fails where the test says so. */
class FakeHistory {
  readonly calls: string[] = [];
  fault: Error | undefined;
  #take(call: string): void {
    if (this.fault) throw this.fault;
    this.calls.push(call);
  }
  recordStatus(state: PumpState): void {
    this.#take(`status ${state.link.kind}`);
  }
  beginLink(atMs: number): void {
    this.#take(`begin ${atMs - EPOCH_MS}`);
  }
  endLink(reason: string, atMs?: number): void {
    this.#take(`end ${reason} ${atMs === undefined ? "now" : atMs - EPOCH_MS}`);
  }
  // What a sync of a pump that holds nothing asks for.
  beginSync(): boolean {
    return true;
  }
  beginRun(): number {
    return 1;
  }
  endRun(_run: number, result: string): void {
    this.calls.push(`sync ${result}`);
  }
  endSync(): void {}
  // With holes its sync asks for the bounds first.
  currentSegment(): number {
    return 0;
  }
  hasHoles(): boolean {
    return true;
  }
  measurement(): undefined {
    return undefined;
  }
  get asHistory(): PumpHistory {
    return this as unknown as PumpHistory;
  }
}

class FakeSession {
  ended: PumpError | undefined;
  asked = 0;
  bounds: () => Promise<HistoryBounds | undefined> = () => Promise.resolve(undefined);
  historyBounds({ signal }: { signal: AbortSignal }): Promise<HistoryBounds | undefined> {
    this.asked++;
    signal.throwIfAborted();
    return Promise.race([
      this.bounds(),
      new Promise<never>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
    ]);
  }
  get asSession(): PumpSession {
    return this as unknown as PumpSession;
  }
}

function world(options: Partial<HistoryKeeperOptions> = {}) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const broken: string[] = [];
  let kept = 0;
  const keeper = new HistoryKeeper({
    clock,
    logger: new Logger("", LogLevel.Info, (level, _scope, line) => lines.push(`${WORDS[level]}: ${line}`)),
    onKept: () => kept++,
    onBroken: (error) => broken.push(error.code),
    ...options,
  });
  const tell = (kind: PumpLinkState["kind"]): void =>
    keeper.onState({
      epochMs: EPOCH_MS,
      link: { kind, sinceMs: clock.now() } as PumpLinkState,
      heardAtMs: undefined,
      hint: undefined,
      values: {},
    });
  return {
    clock,
    lines,
    broken,
    keeper,
    tell,
    history: new FakeHistory(),
    session: new FakeSession(),
    get kept() {
      return kept;
    },
    [Symbol.dispose]: () => clock[Symbol.dispose](),
  };
}
const failure = (code: PumpStoreErrorCode): PumpStoreError => new PumpStoreError(code, "/p", "/p: no");

test("states that follow one another within a second are kept as one, the last; a link from its beginning to its end", async () => {
  using at = world();
  const { keeper, history, clock, tell } = at;
  keeper.setHistory(history.asHistory);
  await delay(clock, 0);
  expect(history.calls).toEqual([]); // nothing is known yet
  tell("advertising");
  await delay(clock, 600);
  tell("ready");
  await delay(clock, 399);
  expect([history.calls, at.kept]).toEqual([[], 0]);
  await delay(clock, 1);
  expect([history.calls.splice(0), at.kept]).toEqual([["begin 600", "status ready"], 1]);
  tell("ready");
  await delay(clock, 1000);
  expect(history.calls.splice(0)).toEqual(["status ready"]);
  tell("advertising");
  await delay(clock, 1000);
  expect(history.calls.splice(0)).toEqual(["status advertising", "end advertising 2000"]);
  tell("advertising");
  await delay(clock, 1000);
  expect(history.calls.splice(0)).toEqual(["status advertising"]);
  await keeper.close();
  expect(history.calls).toEqual(["status advertising"]);
  expect(clock.pending).toEqual([]);
});

test("the end keeps what still waits, and ends the link; nothing is kept afterwards", async () => {
  using at = world();
  const { keeper, history, clock, tell } = at;
  keeper.setHistory(history.asHistory);
  tell("ready");
  await delay(clock, 1000);
  history.calls.length = 0;
  tell("ready");
  await keeper.close();
  expect(history.calls).toEqual(["status ready", "end the service was ended now"]);
  tell("advertising");
  await delay(clock, MINUTE_MS);
  expect(history.calls).toHaveLength(2);
  expect(clock.pending).toEqual([]);
});

test("another database gets the state at once, and a link of its own", async () => {
  using at = world();
  const { keeper, history, clock, tell } = at;
  tell("ready");
  await delay(clock, 1000);
  keeper.setHistory(history.asHistory);
  await delay(clock, 0);
  expect(history.calls).toEqual(["begin 0", "status ready"]);
  keeper.setHistory(history.asHistory); // the same: nothing to do
  await delay(clock, MINUTE_MS);
  expect(history.calls).toHaveLength(2);
  keeper.setHistory(undefined);
  await delay(clock, MINUTE_MS);
  const next = new FakeHistory();
  keeper.setHistory(next.asHistory);
  await delay(clock, 0);
  expect([history.calls.length, next.calls]).toEqual([2, ["begin 0", "status ready"]]);
});

test("what is not taken is told once, tried again every half a minute, and kept when there is room", async () => {
  using at = world();
  const { keeper, history, clock, tell } = at;
  keeper.setHistory(history.asHistory);
  history.fault = failure("ERR_PUMP_STORE_FULL");
  tell("ready");
  await delay(clock, 1000);
  expect(keeper.status.writeProblem).toBe("ERR_PUMP_STORE_FULL");
  await delay(clock, 5 * MINUTE_MS);
  expect(at.lines).toEqual(["error: history: what was read is not kept: /p: no."]);
  expect([at.kept, at.broken]).toEqual([0, []]);
  history.fault = undefined;
  await delay(clock, 30_000);
  expect(history.calls).toEqual(["begin 0", "status ready"]);
  expect(at.lines[1]).toBe("info: history: it is kept again");
  expect([at.lines.length, at.kept, keeper.status.writeProblem]).toEqual([2, 1, undefined]);
  await delay(clock, 5 * MINUTE_MS);
  expect(history.calls).toHaveLength(2);
});

test.each<[PumpStoreErrorCode, boolean]>([
  ["ERR_PUMP_STORE_FULL", false],
  ["ERR_PUMP_STORE_SYNCING", false],
  ["ERR_PUMP_STORE_PERMISSION", false],
  ["ERR_PUMP_STORE_IO", true],
  ["ERR_PUMP_STORE_DAMAGED", true],
  ["ERR_PUMP_STORE_MISSING", true],
])("a database that answers %s is opened anew: %s", async (code, isBroken) => {
  using at = world();
  at.keeper.setHistory(at.history.asHistory);
  at.history.fault = failure(code);
  at.tell("ready");
  await delay(at.clock, 1000);
  expect(at.broken).toEqual(isBroken ? [code] : []);
});

test("a fault of the program does not have the database opened anew", async () => {
  using at = world();
  at.keeper.setHistory(at.history.asHistory);
  at.history.fault = new TypeError("a bug");
  at.tell("ready");
  await delay(at.clock, 1000);
  expect([at.broken, at.keeper.status.writeProblem, at.lines]).toEqual([
    [],
    "TypeError",
    ["error: history: what was read is not kept: TypeError."],
  ]);
});

test("a sync begins with the state, by which records are dated, tells when it ended, and comes again when it was wanted meanwhile", async () => {
  using at = world();
  const { keeper, history, session, clock, tell } = at;
  keeper.sync(session.asSession); // there is no database yet
  await delay(clock, 0);
  expect([session.asked, keeper.status.isSyncing]).toEqual([0, false]);
  tell("ready");
  let finish = (): void => undefined;
  session.bounds = () =>
    new Promise((resolve) => {
      finish = () => resolve(undefined);
    });
  keeper.setHistory(history.asHistory);
  expect(history.calls).toEqual(["begin 0", "status ready"]);
  expect(keeper.status).toMatchObject({ isSyncing: true, syncedAtMs: undefined });
  keeper.sync(session.asSession);
  keeper.sync(session.asSession);
  await delay(clock, 5000);
  expect(session.asked).toBe(1);
  finish();
  await delay(clock, 0);
  expect(keeper.status).toMatchObject({ isSyncing: true, syncedAtMs: 5000 });
  expect(session.asked).toBe(2);
  finish();
  await delay(clock, 1000);
  expect(keeper.status).toEqual({
    isSyncing: false,
    syncedAtMs: 5000,
    records: 0,
    syncProblem: undefined,
    writeProblem: undefined,
  });
  expect(session.asked).toBe(2);
  session.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
  keeper.sync(session.asSession);
  await delay(clock, 1000);
  expect(session.asked).toBe(2);
});

test("a sync that fails goes on ever more rarely, up to every five minutes, and at once when the pump has something new", async () => {
  using at = world();
  const { keeper, history, session, clock } = at;
  keeper.setHistory(history.asHistory);
  session.bounds = () => Promise.reject(new PumpError("ERR_PUMP_REFUSED", "not now"));
  keeper.sync(session.asSession);
  await delay(clock, 0);
  expect(at.lines).toEqual(["warn: history: the sync ended early: not now. It goes on in 5 s."]);
  expect(keeper.status).toMatchObject({ isSyncing: false, syncProblem: "ERR_PUMP_REFUSED" });
  for (const [waitS, asked] of [
    [5, 2],
    [15, 3],
    [60, 4],
    [300, 5],
    [300, 6],
  ] as const) {
    await delay(clock, waitS * 1000 - 1);
    expect(session.asked).toBe(asked - 1);
    await delay(clock, 1);
    expect(session.asked).toBe(asked);
  }
  keeper.sync(session.asSession);
  await delay(clock, 0);
  expect(session.asked).toBe(7);
  session.bounds = () => Promise.resolve(undefined);
  await delay(clock, 300_000);
  expect(keeper.status).toMatchObject({ syncProblem: undefined, isSyncing: false });
  await delay(clock, 60 * MINUTE_MS);
  expect(session.asked).toBe(8);
});

test("a fault of the program is not tried for ever; a session that is over not at all", async () => {
  using at = world();
  const { keeper, history, session, clock } = at;
  keeper.setHistory(history.asHistory);
  session.bounds = () => Promise.reject(new TypeError("a bug"));
  keeper.sync(session.asSession);
  await delay(clock, 60 * MINUTE_MS);
  expect(session.asked).toBe(4);
  keeper.sync(session.asSession);
  await delay(clock, 0);
  expect(session.asked).toBe(5);
  const over = new FakeSession();
  over.bounds = () => {
    over.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
    return Promise.reject(over.ended);
  };
  keeper.sync(over.asSession);
  await delay(clock, 60 * MINUTE_MS);
  expect([over.asked, keeper.status.isSyncing, keeper.status.syncProblem]).toEqual([1, false, "ERR_PUMP_SESSION_ENDED"]);
});

test("a database that fails while the pump is read is opened anew", async () => {
  using at = world();
  at.keeper.setHistory(at.history.asHistory);
  at.session.bounds = () => Promise.reject(failure("ERR_PUMP_STORE_IO"));
  at.keeper.sync(at.session.asSession);
  await delay(at.clock, 0);
  expect(at.broken).toEqual(["ERR_PUMP_STORE_IO"]);
});

test("what fails because another session or database is there by now is no failure: the sync goes on with those", async () => {
  using at = world();
  const { keeper, history, session, clock } = at;
  keeper.setHistory(history.asHistory);
  let fail = (): void => undefined;
  session.bounds = () =>
    new Promise((_resolve, reject) => {
      fail = () => reject(new PumpError("ERR_PUMP_SESSION_ENDED", "over"));
    });
  keeper.sync(session.asSession);
  await delay(clock, 0);
  const next = new FakeSession();
  keeper.sync(next.asSession);
  fail();
  await delay(clock, 0);
  expect([next.asked, at.lines, keeper.status.syncProblem]).toEqual([1, [], undefined]);
});

test("the end gives up a sync that is under way, and waits five seconds at most for one that does not listen", async () => {
  using at = world();
  const { keeper, history, session, clock } = at;
  keeper.setHistory(history.asHistory);
  session.bounds = () => new Promise(() => undefined);
  keeper.sync(session.asSession);
  await keeper.close();
  expect([clock.now(), keeper.status.isSyncing, at.lines]).toEqual([0, false, []]);
  expect(history.calls).toContain("sync Error");

  using deaf = world();
  deaf.keeper.setHistory(deaf.history.asHistory);
  deaf.session.historyBounds = () => new Promise(() => undefined);
  deaf.keeper.sync(deaf.session.asSession);
  await deaf.keeper.close();
  expect(deaf.clock.now()).toBe(5000);
});

test("new records are counted as they come, and told once in the log", async () => {
  using at = world();
  const { keeper, clock } = at;
  using folder = new TemporaryFolder();
  using store = await openStore(folder.join("pump.sqlite"));
  const source = new MadeSource(new HistoryMaker().days(30).records, { pageSize: 10 });
  const count = source.records.length;
  const counts = new Set<number>();
  source.onTransfer = () => void counts.add(keeper.status.records);
  keeper.setHistory(store.pump(SERIAL));
  keeper.sync(source as unknown as PumpSession);
  await delay(clock, 10_000);
  expect(keeper.status).toMatchObject({ records: count, isSyncing: false });
  expect([...counts].slice(0, 3)).toEqual([0, 10, 20]);
  expect(at.lines).toEqual([`info: history: ${count} new records`]);
  const kept = at.kept;
  expect(kept).toBeGreaterThanOrEqual(counts.size);
  keeper.sync(source as unknown as PumpSession);
  await delay(clock, 10_000);
  expect([keeper.status.records, at.lines.length]).toEqual([count, 1]);
  source.records = [...source.records, ...new HistoryMaker({ first: count + 1 }).hour().records];
  keeper.sync(source as unknown as PumpSession);
  await delay(clock, 10_000);
  expect([keeper.status.records, at.lines.length]).toEqual([source.records.length, 2]);
});

test("a keeper that does not try again tells of the first failure, and is asked anew by the next session", async () => {
  const failed: unknown[] = [];
  const synced: number[] = [];
  using at = world({
    retries: false,
    order: "oldest",
    onFailed: (error) => failed.push(error),
    onSynced: ({ records }) => synced.push(records),
  });
  const { keeper, history, session, clock } = at;
  const lost = new PumpError("ERR_PUMP_REFUSED", "The pump is busy.");
  session.bounds = () => Promise.reject(lost);
  keeper.setHistory(history.asHistory);
  expect(keeper.history).toBe(history.asHistory);
  keeper.sync(session.asSession);
  await delay(clock, 3_600_000);
  expect([failed, session.asked, synced]).toEqual([[lost], 1, []]);
  session.bounds = () => Promise.resolve(undefined);
  keeper.sync(session.asSession);
  await delay(clock, 1000);
  expect([failed.length, session.asked, synced]).toEqual([1, 2, [0]]);
});

test("a store that takes nothing is told of once, and what listens may throw", async () => {
  const failed: unknown[] = [];
  using at = world({ onFailed: (error) => failed.push(error) });
  const { keeper, history, clock, tell } = at;
  history.fault = failure("ERR_PUMP_STORE_FULL");
  keeper.setHistory(history.asHistory);
  tell("ready");
  await delay(clock, 300_000);
  expect(failed).toEqual([history.fault]);
  history.fault = undefined;
  await keeper.close("the command was ended");
  expect(history.calls.at(-1)).toBe("end the command was ended now");
});

test("options of another kind are refused", () => {
  for (const wrong of [{ onFailed: 1 }, { order: "any" }, { retry: true }])
    expect(() => world(wrong as never), JSON.stringify(wrong)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }) as Error);
});
