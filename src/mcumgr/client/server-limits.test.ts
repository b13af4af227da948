import { expect, test } from "vitest";
import type { McumgrLink, ServerBuffers } from "../links/link.ts";
import type { McumgrFallback, McumgrLimits } from "../transfer/host.ts";
import { windowOf } from "./limits.ts";
import { ServerLimits } from "./server-limits.ts";

const link = (provenLimit: number, kind = "test") =>
  ({
    info: { kind, target: "server" },
    provenLimit,
    messageLimit: (buffers: ServerBuffers | undefined) => buffers?.bufSize ?? provenLimit,
  }) as McumgrLink;

function setUp(own: { window?: number; messageLimit?: number } = {}) {
  const changes: McumgrLimits[] = [];
  const fallbacks: McumgrFallback[] = [];
  const windows: number[] = [];
  const limits: ServerLimits = new ServerLimits({
    window: own.window,
    messageLimit: own.messageLimit,
    onWindow: () => windows.push(limits.window),
    onChange: (change) => changes.push(change),
    tell: (fallback) => fallbacks.push(fallback),
  });
  return { limits, changes, fallbacks, windows };
}
const buffers = { bufSize: 500, bufCount: 4 };

test("before there is a link nothing is possible, over a new one what it proves", () => {
  const { limits, changes } = setUp();
  expect([limits.known.messageLimit, limits.window, limits.goal, limits.proven(undefined)]).toEqual([0, 1, undefined, 0]);
  limits.begin(link(100));
  const known = { messageLimit: 100, window: 1, buffers: undefined, why: "the server has not been asked" };
  expect([limits.known, limits.goal, changes]).toEqual([known, undefined, [known]]);
});

test("what the server takes beyond what the link proves is to be tried; until then the proven holds", () => {
  const { limits, windows } = setUp();
  limits.begin(link(100));
  limits.learn(link(100), buffers, "told");
  expect([limits.known, limits.goal, windows]).toEqual([{ messageLimit: 100, window: 3, buffers, why: "told" }, 500, [1, 3]]);
  limits.found(link(100), 500, true, true);
  expect([limits.known, limits.goal]).toEqual([{ messageLimit: 500, window: 3, buffers, why: "told" }, undefined]);
});

test("a message that does not get through is told, and why", () => {
  const { limits, fallbacks, changes } = setUp();
  limits.learn(link(100), buffers, "told");
  limits.found(link(100), 500, false, true);
  const why = "a message of 500 octets did not get through";
  expect(fallbacks).toEqual([{ what: "messageLimit", from: 500, to: 100, why }]);
  expect([limits.known, limits.goal, changes.at(-1)]).toEqual([{ messageLimit: 100, window: 3, buffers, why }, undefined, limits.known]);
});

test("less than the link proves needs no trial", () => {
  const { limits } = setUp();
  limits.learn(link(600), buffers, "told");
  expect([limits.known.messageLimit, limits.goal]).toEqual([500, undefined]);
});

test("what was found of one server is remembered for a new link to it, and for no other", () => {
  for (const getsThrough of [true, false]) {
    const { limits, fallbacks } = setUp();
    limits.learn(link(100), buffers, "told");
    limits.found(link(100), 500, getsThrough, true);
    limits.begin(link(100));
    expect(limits.known.messageLimit).toBe(100);
    limits.learn(link(100), buffers, "told");
    expect([limits.known.messageLimit, limits.goal]).toEqual([getsThrough ? 500 : 100, undefined]);
    expect(fallbacks.length).toBe(getsThrough ? 0 : 2);
    for (const [other, its] of [
      [link(100), { bufSize: 501, bufCount: 4 }],
      [link(101), buffers],
      [link(100, "other"), buffers],
    ] as const) {
      limits.begin(other);
      limits.learn(other, its, "told");
      expect(limits.goal).toBe(its.bufSize);
    }
  }
});

test("what is found of a link that is gone, or of another length, is remembered and not taken", () => {
  const { limits } = setUp();
  limits.learn(link(100), buffers, "told");
  limits.found(link(100), 500, true, false);
  limits.found(link(100), 400, true, true);
  expect([limits.known.messageLimit, limits.goal]).toEqual([100, 500]);
  limits.learn(link(100), buffers, "told again");
  expect([limits.known.messageLimit, limits.goal]).toEqual([500, undefined]);
});

test("the last 16 servers are remembered", () => {
  const { limits } = setUp();
  for (let n = 0; n < 17; n++) limits.found(link(100), 500 + n, true, false);
  const goalOf = (bufSize: number) => {
    limits.learn(link(100), { bufSize, bufCount: 4 }, "told");
    return limits.goal;
  };
  expect([500, 501, 516].map(goalOf)).toEqual([500, undefined, undefined]);
});

test("the caller's own limits take the place of what is found out, and nothing is tried", () => {
  const { limits } = setUp({ window: 6, messageLimit: 80 });
  limits.begin(link(100));
  expect([limits.known.messageLimit, limits.proven(link(100)), limits.proven(link(50))]).toEqual([80, 80, 50]);
  limits.learn(link(100), buffers, "told");
  expect([limits.known.messageLimit, limits.window, limits.goal]).toEqual([80, 6, undefined]);
});

test("a caller's wider window holds until it is disposed, whatever others want", () => {
  const { limits, windows } = setUp();
  limits.learn(link(100), buffers, "told");
  const [five, again, two] = [limits.widen(5), limits.widen(5), limits.widen(2)];
  limits.widen(undefined)[Symbol.dispose]();
  expect([limits.window, limits.known.window]).toEqual([5, 3]);
  five[Symbol.dispose]();
  expect(limits.window).toBe(5);
  again[Symbol.dispose]();
  expect(limits.window).toBe(3);
  two[Symbol.dispose]();
  expect(windows).toEqual([3, 5, 5, 5, 5, 3, 3]);
});

test.each([
  [undefined, 1],
  [1, 1],
  [2, 1],
  [3, 2],
  [9, 8],
  [1000, 8],
])("of %s buffers one stays free for the answer: %i requests at once", (bufCount, window) => {
  expect(windowOf(bufCount === undefined ? undefined : { bufSize: 500, bufCount })).toBe(window);
});
