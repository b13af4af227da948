import { expect, test } from "vitest";
import { configurations } from "../bench/radio-arithmetic.ts";
import { isFull, leaveOut } from "./support/left-out.ts";

/** Those that take milliseconds; the others wait for many scans. */
const QUICK = [
  "throughput: 2M, 50 ms, data packets of 251 octets",
  "throughput: S8, 100 ms, data packets of 251 octets",
  "throughput: 1M, 30 ms, notifications, ATT_MTU 247, data packets of 27",
  "latency: 1M, 30 ms, to the central",
  "latency: S8, 30 ms, there and back",
  "discovery: advertising every 1022.5 ms, scan window 5120 of 5120 ms",
  "extended advertising event: 1M and 1M, 200 octets",
  "extended advertising event: 1M and 2M, 1650 octets",
  "extended advertising event: S8 and S8, 600 octets",
];
const tried = configurations.filter(({ name }) => isFull || QUICK.includes(name));

test("twenty configurations and more are calculated, of throughput, latency, discovery and extended advertising", () => {
  const kinds = new Set(configurations.map(({ name }) => name.split(":")[0]));
  expect([...kinds]).toEqual(["throughput", "latency", "discovery", "extended advertising event"]);
  expect(configurations.length).toBeGreaterThanOrEqual(20);
  expect(tried.length).toBeGreaterThanOrEqual(QUICK.length);
  if (!isFull) leaveOut("configurations of radio arithmetic", configurations.length - tried.length, configurations.length);
});

test.each(tried)("what the air makes of it is within 2 % of what arithmetic says: $name", async ({ measure, calculated }) => {
  const measured = await measure();
  expect(Math.abs(measured / calculated - 1)).toBeLessThan(0.02);
});
