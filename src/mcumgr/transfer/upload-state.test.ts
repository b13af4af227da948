import { describe, expect, test } from "vitest";
import type { UploadAnswer, UploadDestination } from "./destination.ts";
import { UploadState } from "./upload-state.ts";
import { TransferWindow } from "./window.ts";

/** 1000 octets, chunks of 100. */
function setUp({ from = 0, alignment = 1 } = {}) {
  const chunks: unknown[][] = [];
  const destination = {
    what: "test.upload",
    length: 1000,
    lastTimeoutMs: 20_000,
    chunk: (off: number, limit: number, alignment: number, most: number) => {
      chunks.push([off, limit, alignment, most]);
      return { request: { off }, to: Math.min(1000, off + Math.min(100, most)) };
    },
    read: (payload: object) => payload as UploadAnswer,
  } as unknown as UploadDestination;
  const state = new UploadState(destination, from, alignment);
  const window = new TransferWindow(3, false);
  const piece = (from: number, to: number) => ({ request: {} as never, from, to });
  const answered = (answer: { off?: number; refused?: unknown; match?: boolean }, from: number, to: number, isAlone = false) =>
    state.answered(answer as never, piece(from, to), isAlone, window);
  return { state, chunks, answered, window };
}

describe("an upload", () => {
  test("begins where it is told, and sends piece after piece to the end", () => {
    const { state, chunks } = setUp({ from: 800, alignment: 4 });
    expect([state.confirmed, state.highest, state.alignment, state.complete]).toEqual([800, 800, 4, false]);
    expect(state.next(true, 150)).toEqual({ request: { off: 800 }, from: 800, to: 900, leastTimeoutMs: undefined });
    expect(state.next(false, 150)).toEqual({ request: { off: 900 }, from: 900, to: 1000, leastTimeoutMs: 20_000 });
    expect(state.next(false, 150)).toBeUndefined();
    expect(state.highest).toBe(1000);
    expect(state.next(true, 150)).toMatchObject({ from: 800 }); // nothing came of them
    expect(chunks[0]).toEqual([800, 150, 4, Number.POSITIVE_INFINITY]);
  });

  test("goes on behind what the server has, be it more than was sent", () => {
    const { state } = setUp();
    state.next(true, 150);
    state.advance({ off: 300 });
    expect(state.next(false, 150)).toMatchObject({ from: 300, to: 400 });
    state.advance({ off: 200 }); // an answer of before
    expect([state.confirmed, state.highest]).toEqual([300, 400]);
    state.advance({ off: undefined });
    expect(state.confirmed).toBe(300);
  });

  test("is complete at its end, with what the server found", () => {
    for (const match of [true, false, undefined]) {
      const { state } = setUp();
      state.advance({ off: 999, match });
      expect([state.complete, state.match]).toEqual([false, undefined]);
      state.advance({ off: 1000, match });
      expect([state.complete, state.match, state.confirmed, state.highest]).toEqual([true, match, 1000, 1000]);
    }
  });

  test("refuses an offset beyond what the server can have", () => {
    const { state } = setUp();
    expect(state.read({ off: 500 }, 500)).toEqual({ off: 500 });
    expect(state.read({}, 500)).toEqual({});
    expect(() => state.read({ off: 501 }, 500)).toThrow(
      expect.objectContaining({
        code: "ERR_MCUMGR_RESPONSE",
        path: "off",
        problem: "the server claims to have 501 octets, it can have 500",
        payload: { off: 501 },
      }),
    );
  });
});

describe("an answer", () => {
  test("at the end of its piece, or further, is a success; one in front of it is a mismatch", () => {
    const { state, answered, window } = setUp();
    window.failed();
    state.highest = 400;
    for (let i = 0; i < 7; i++) expect(answered({ off: 100 }, 0, 100)).toBeUndefined();
    expect([window.size, answered({ off: 300 }, 100, 200), window.size]).toEqual([1, undefined, 2]);
    expect(answered({ off: 300 }, 300, 400)).toEqual({ kind: "mismatch", cause: undefined });
    const refused = new Error("refused");
    expect(answered({ refused }, 300, 400)).toEqual({ kind: "mismatch", cause: refused });
    expect(state.confirmed).toBe(300);
  });

  test("that tells less than there was counts as the server's state only where it was alone", () => {
    const { state, answered } = setUp({ from: 500 });
    state.highest = 600;
    expect(answered({ off: 200 }, 500, 600)).toEqual({ kind: "mismatch", cause: undefined });
    expect(state.confirmed).toBe(500);
    expect(answered({ off: 200 }, 500, 600, true)).toEqual({ kind: "mismatch", cause: undefined });
    expect(state.confirmed).toBe(200);
  });

  test("in the midst of a piece that was alone is no trouble: the next begins there", () => {
    const { state, answered } = setUp();
    state.highest = 100;
    expect(answered({ off: 96 }, 0, 100, true)).toBeUndefined();
    expect([state.confirmed, state.alignment]).toEqual([96, 32]);
    expect(answered({ off: 96 }, 0, 100)).toEqual({ kind: "mismatch", cause: undefined });
    expect(answered({ off: 96 }, 96, 100, true)).toEqual({ kind: "mismatch", cause: undefined });
  });
});

describe("a chunk that the server cuts", () => {
  test.each([
    [0, 96, 100, 32, Number.POSITIVE_INFINITY], // the unit is at most 32
    [0, 92, 100, 4, Number.POSITIVE_INFINITY],
    [0, 69, 100, 1, Number.POSITIVE_INFINITY],
    [0, 68, 100, 1, 68], // 32 octets less: it takes no more at once
    [100, 120, 200, 1, 32],
    [0, 100, 100, 1, Number.POSITIVE_INFINITY],
    [50, 50, 100, 1, Number.POSITIVE_INFINITY],
    [50, 40, 100, 1, Number.POSITIVE_INFINITY],
    [0, 110, 100, 1, Number.POSITIVE_INFINITY],
  ])("from %i to %i of %i: ends on multiples of %i, at most %d octets", (from, off, to, alignment, most) => {
    const { state } = setUp();
    state.trimmed(from, off, to);
    expect([state.alignment, state.most]).toEqual([alignment, most]);
  });

  test("never makes the unit smaller, nor the chunks longer", () => {
    const { state } = setUp({ alignment: 8 });
    state.trimmed(0, 98, 100);
    expect(state.alignment).toBe(8);
    state.trimmed(0, 50, 100);
    state.trimmed(0, 60, 100);
    expect(state.most).toBe(50);
  });

  test("again and again is the end", () => {
    const { state } = setUp();
    for (let i = 0; i < 64; i++) state.trimmed(0, 50, 100);
    expect(() => state.trimmed(0, 50, 100)).toThrow(expect.objectContaining({ code: "ERR_MCUMGR_STALLED", offset: 50 }));
  });
});

test("a server that has less than it had begins anew, five times", () => {
  const { state } = setUp({ from: 500 });
  for (let i = 0; i < 5; i++) state.forget(100 + i);
  expect(state.confirmed).toBe(104);
  const cause = new Error("refused");
  expect(() => state.forget(7, cause)).toThrow(expect.objectContaining({ code: "ERR_MCUMGR_STALLED", offset: 7, cause }));
});
