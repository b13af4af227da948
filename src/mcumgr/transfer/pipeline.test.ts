import { describe, expect, test } from "vitest";
import { delay } from "../../async/clock.ts";
import { TimeoutError } from "../../core/error.ts";
import { DisconnectedError } from "../../hci/error.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { Patience } from "./patience.ts";
import { type Piece, runPipeline } from "./pipeline.ts";
import { createTestHost, type TestHost } from "./test-host.ts";
import type { Trouble } from "./trouble.ts";
import { TransferWindow } from "./window.ts";

const mismatch: Trouble = { kind: "mismatch", cause: undefined };
const silence = new TimeoutError("test", 100);
const lost = new DisconnectedError(0x08);

/** Pieces 0, 1, 2 …; what each is answered, after how many milliseconds, and what that means. */
function setUp(
  pieces: readonly { readonly ms?: number; readonly error?: unknown; readonly trouble?: Trouble | Error }[],
  { window = 3, signal, leastTimeoutMs }: { window?: number; signal?: AbortSignal; leastTimeoutMs?: number } = {},
) {
  const answered: [from: number, isAlone: boolean][] = [];
  const idle: boolean[] = [];
  let next = 0;
  let most = 0;
  let outstanding = 0;
  const host: TestHost = createTestHost(
    async (_, i): Promise<CborMap> => {
      most = Math.max(most, ++outstanding);
      await delay(host.clock, pieces[i]!.ms ?? 10, { name: "answer" });
      outstanding--;
      if (pieces[i]!.error) throw pieces[i]!.error;
      return {};
    },
    { isLost: (error) => error === lost },
  );
  const patience = new Patience(100, 700);
  const result = runPipeline({
    host,
    window: new TransferWindow(window, false),
    patience,
    signal,
    isComplete: () => answered.length === pieces.length,
    next: (isIdle) => {
      idle.push(isIdle);
      if (next === pieces.length) return undefined;
      const from = next++;
      return { request: {} as never, from, to: from + 1, leastTimeoutMs };
    },
    answered: (_, piece: Piece, isAlone) => {
      const { trouble } = pieces[piece.from]!;
      if (trouble instanceof Error) throw trouble;
      answered.push([piece.from, isAlone]);
      return trouble;
    },
  });
  return { host, result, answered, idle, patience, most: () => most };
}
const many = (count: number) => Array.from({ length: count }, () => ({}));

describe("pieces", () => {
  test("are sent with so many outstanding, until all are there", async () => {
    const at = setUp(many(7));
    expect(await at.result).toBeUndefined();
    expect([at.most(), at.host.clock.now(), at.answered.map(([from]) => from)]).toEqual([3, 30, [0, 1, 2, 3, 4, 5, 6]]);
    expect(at.idle.slice(0, 4)).toEqual([true, false, false, false]);
  });

  test("are alone where one at a time is sent", async () => {
    const one = setUp(many(2), { window: 1 });
    await one.result;
    expect(one.answered).toEqual([
      [0, true],
      [1, true],
    ]);
    const two = setUp(many(2), { window: 2 });
    await two.result;
    expect(two.answered.map(([, isAlone]) => isAlone)).toEqual([false, false]);
  });

  test("have the time that answers take, and the last one as long as it needs", async () => {
    const at = setUp(many(4), { window: 1 });
    await at.result;
    expect(at.host.asked.map(({ options }) => options.timeoutMs)).toEqual([700, 120, 100, 100]);
    const last = setUp(many(2), { window: 1, leastTimeoutMs: 20_000 });
    await last.result;
    expect(last.host.asked.map(({ options }) => options.timeoutMs)).toEqual([20_000, 20_000]);
  });

  test("of none, or of what is there, nothing is sent", async () => {
    const at = setUp([]);
    expect([await at.result, at.host.asked.length]).toEqual([undefined, 0]);
  });
});

describe("after a trouble", () => {
  test("nothing more is sent, and what is outstanding is waited for", async () => {
    const at = setUp([{ trouble: mismatch }, { ms: 50 }, { ms: 60 }, {}]);
    expect(await at.result).toBe(mismatch);
    expect([at.host.clock.now(), at.host.asked.length, at.answered.length]).toEqual([60, 3, 3]);
  });

  test("answers out of step are waited for as long as answers take, 200 ms at least", async () => {
    const at = setUp([{ trouble: mismatch }, { ms: 5000 }, { ms: 6000 }]);
    expect([await at.result, at.host.clock.now()]).toEqual([mismatch, 210]);
    const slow = setUp([{ ms: 400, trouble: mismatch }, { ms: 5000 }]);
    expect([await slow.result, slow.host.clock.now()]).toEqual([mismatch, 400 + 400 + 4 * 200]);
    await slow.host.clock.advance(10_000); // what comes then is nobody's
    expect(slow.answered.length).toBe(1);
  });

  test("silence is waited for to its end; patience grows once", async () => {
    const at = setUp([{ error: silence, ms: 100 }, { error: silence, ms: 110 }, { ms: 500 }, {}]);
    expect(await at.result).toEqual({ kind: "silence", cause: silence });
    expect(at.host.clock.now()).toBe(500);
    const silent = setUp([{ error: silence }, { error: silence }, {}], { window: 2 });
    await silent.result;
    expect(silent.patience.timeoutMs()).toBe(1400);
  });

  test("one that says more counts: silence after a mismatch, a lost link after anything", async () => {
    expect(await setUp([{ trouble: mismatch }, { error: silence }, {}]).result).toEqual({ kind: "silence", cause: silence });
    expect(await setUp([{ error: silence }, { trouble: mismatch }, {}]).result).toEqual({ kind: "silence", cause: silence });
    expect(await setUp([{ error: silence }, { error: lost }, {}]).result).toEqual({ kind: "lost", cause: lost });
    expect(await setUp([{ error: lost }, { error: silence }, {}]).result).toEqual({ kind: "lost", cause: lost });
  });

  test("everything being there all the same is the end", async () => {
    expect(await setUp([{ trouble: mismatch }, {}, {}]).result).toBeUndefined();
  });
});

describe("the end comes at once", () => {
  test("with an error that stays, wherever it comes from", async () => {
    const fault = new Error("fault");
    const asked = setUp([{ error: fault }, { ms: 5000 }]);
    await expect(asked.result).rejects.toBe(fault);
    expect(asked.host.clock.now()).toBe(10);
    const read = setUp([{ trouble: fault }, { ms: 5000 }]);
    await expect(read.result).rejects.toBe(fault);
    expect(read.host.clock.now()).toBe(10);
  });

  test("with an error of what is sent next", async () => {
    const fault = new Error("fault");
    const host = createTestHost(() => ({}));
    const context = { host, window: new TransferWindow(2, false), patience: new Patience(100), signal: undefined };
    const next = () => {
      throw fault;
    };
    await expect(runPipeline({ ...context, isComplete: () => false, answered: () => undefined, next })).rejects.toBe(fault);
  });

  test("where the caller gives up, with its reason", async () => {
    const controller = new AbortController();
    const at = setUp([{ error: silence }, { ms: 5000 }], { signal: controller.signal });
    controller.abort("enough");
    await expect(at.result).rejects.toBe("enough");
    expect(at.host.asked[0]!.options.signal).toBe(controller.signal);
  });
});
