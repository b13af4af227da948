import { expect, test } from "vitest";
import { commandParameters, connectionParameters, hasInterval, isWithin, linkParameters } from "./connection-parameters.ts";

test("what is wanted, in the units of packets", () => {
  expect(connectionParameters({})).toEqual({ intervalMin: 24, intervalMax: 40, latency: 0, timeout: 400 });
  const wanted = connectionParameters({ intervalMs: [7.5, 4000], latency: 1, supervisionTimeoutMs: 32_000 });
  expect(wanted).toEqual({ intervalMin: 6, intervalMax: 3200, latency: 1, timeout: 3200 });
  expect(connectionParameters({ intervalMs: 20 })).toMatchObject({ intervalMin: 16, intervalMax: 16 });
  expect(commandParameters(wanted)).toEqual({
    connectionIntervalMin: 6,
    connectionIntervalMax: 3200,
    maxLatency: 1,
    supervisionTimeout: 3200,
  });
});

test.each([
  [{ intervalMs: 7.4 }, "connection interval 7.4 ms"],
  [{ intervalMs: [7.5, 4001] as const }, "connection interval 4001 ms"],
  [{ intervalMs: [30, 20] as const }, "from 30 to 20 ms"],
  [{ intervalMs: [20] as never }, "connection interval of 1 values"],
  [{ latency: -1 }, "latency -1"],
  [{ latency: 500, supervisionTimeoutMs: 32_000 }, "latency 500"],
  [{ latency: 1.5 }, "latency 1.5"],
  [{ supervisionTimeoutMs: 90 }, "supervision timeout 90"],
  [{ supervisionTimeoutMs: 32_010 }, "supervision timeout 32010"],
  [{ intervalMs: 50, supervisionTimeoutMs: 100 }, "expected more than 100 ms"],
  [{ intervalMs: 100, latency: 4, supervisionTimeoutMs: 1000 }, "expected more than 1000 ms"],
])("%j is refused", (options, message) => {
  expect(() => connectionParameters(options)).toThrow(message);
  expect(() => connectionParameters(options)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});

test("the supervision timeout is more than twice the longest time between events, by however little", () => {
  expect(connectionParameters({ intervalMs: 100, latency: 4, supervisionTimeoutMs: 1010 })).toMatchObject({ timeout: 101 });
  expect(connectionParameters({ intervalMs: 7.5, latency: 499, supervisionTimeoutMs: 7510 })).toMatchObject({ latency: 499 });
});

test("what an event says, and whether it is what was wanted", () => {
  const now = linkParameters({ connectionInterval: 24, peripheralLatency: 2, supervisionTimeout: 100 });
  expect(now).toEqual({ intervalMs: 30, latency: 2, supervisionTimeoutMs: 1000 });
  const wanted = { intervalMin: 24, intervalMax: 24, latency: 2, timeout: 100 };
  for (const [more, isWhole, isInterval] of [
    [{}, true, true],
    [{ intervalMin: 6, intervalMax: 3200 }, true, true],
    [{ intervalMin: 25, intervalMax: 30 }, false, false],
    [{ intervalMin: 6, intervalMax: 23 }, false, false],
    [{ latency: 3 }, true, true],
    [{ latency: 1 }, false, true],
    [{ timeout: 101 }, false, true],
    [{ timeout: 99 }, false, true],
  ] as const) {
    expect([more, isWithin(now, { ...wanted, ...more })]).toEqual([more, isWhole]);
    expect([more, hasInterval(now, { ...wanted, ...more })]).toEqual([more, isInterval]);
  }
});
