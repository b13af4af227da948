import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { commandCost, commandPeakMiB } from "../bench/child.ts";
import { main } from "../bench/harness.ts";
import { inTurn, measure } from "../bench/measure.ts";
import { peersLacking } from "../bench/peers.ts";
import type { Costs, Result, Row, SharedRow, Together } from "../bench/row.ts";
import { Table } from "../bench/table.ts";

const work = (): Promise<() => void> => Promise.resolve(() => undefined);
const ROWS: readonly Row[] = [
  { name: "room: first", unit: "things", goal: "2 ×", prepare: work },
  { name: "room: second", unit: "things", ceiling: "room: first", prepare: work },
  { name: "other: third", unit: "things", peer: "@maker/host", prepare: work },
];

let said: string[];
let argv: string[];
beforeEach(() => {
  said = [];
  ({ argv } = process);
  for (const method of ["log", "error"] as const) vi.spyOn(console, method).mockImplementation((text: string) => void said.push(text));
});
afterEach(() => {
  process.argv = argv;
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

async function run(...args: string[]): Promise<string> {
  process.argv = ["node", "bench", ...args];
  await main(ROWS, import.meta.url);
  return said.join("\n");
}

test("a part that no row has in its name is an error that says which rows there are", async () => {
  expect(await run("first", "fourth")).toBe(
    'bench: no row has "fourth" in its name. The rows are:\nroom: first\nroom: second\nother: third',
  );
  expect(process.exitCode).toBe(2);
});

test("an unknown option is an error that says which options there are", async () => {
  expect(await run("--hosts")).toMatch(/^bench: unknown option --hosts\. Options: --json, .*--before DIR/);
  expect(process.exitCode).toBe(2);
});

test.each([
  ["--before", "--before needs the folder of another checkout"],
  ["--before=", "--before needs the folder of another checkout"],
  ["--before --json", "--before needs the folder of another checkout"],
  ["--before=/nonexistent", "--before: /nonexistent is no checkout: there is no bench/main.ts in it"],
])("%s is an error that says what is missing", (words, sentence) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["bench/run.mjs", ...words.split(" ")], { encoding: "utf8" });
  expect([status, stdout, stderr]).toEqual([2, "", `bench: ${sentence}\n`]);
});

test("a folder of other hosts that lacks one is an error that says how to have it", () => {
  const folder = tmpdir();
  expect(peersLacking(ROWS, folder)).toBe(
    `JELLING_BENCH_PEERS: ${folder} has no @maker/host. To have it there:\n  npm install --prefix ${folder} @maker/host`,
  );
  expect(peersLacking(ROWS.slice(0, 2), folder)).toBeUndefined();
  expect(peersLacking([{ ...ROWS[2]!, peer: "vitest" }], ".")).toBeUndefined();
});

test("the rows are listed, with what they shall reach", async () => {
  expect(await run("--list", "room")).toBe("room: first   things, goal 2 ×\nroom: second  things");
});

const costs = (cpuUs: number): Costs => ({
  cpuUs,
  beside: [
    { name: "peer", role: "peer", cpuUs: 20 },
    { name: "base", role: "base", cpuUs: 8, peakMiB: 12.3 },
  ],
});
const asked: string[][] = [];
const together: Together = {
  measure: (rows) => {
    asked.push(rows.map(({ name }) => name));
    return Promise.resolve(new Map(rows.map(({ name }) => [name, costs(10)])));
  },
};
const SHARED: readonly SharedRow[] = ["cost: a", "cost: b"].map((name) => ({ name, unit: "items", goal: "2 ×", together }));

test("rows that are measured together are asked for at once; a cost stands beside others'", async () => {
  const results = await measure(SHARED, false);
  expect(asked).toEqual([["cost: a", "cost: b"]]);
  expect(results.map(({ name, rate }) => [name, rate])).toEqual([
    ["cost: a", 100_000],
    ["cost: b", 100_000],
  ]);
  const table = new Table(SHARED, false);
  table.print(SHARED[0]!, results[0]!, 1.5);
  expect(said).toEqual([
    "                CPU  beside",
    "cost: a     10.0 µs  2.0 × as fast as peer (20.0 µs), 1.25 × base (8.00 µs, 12 MiB), goal 2 ×, 1.50 × before",
  ]);
});

test("a rate stands beside its ceiling, as text and as a page has it", () => {
  const result = (name: string, rate: number): Result => ({ name, rate, slowest: 0.9 * rate, fastest: 1.2 * rate });
  for (const isMarkdown of [false, true]) {
    const table = new Table(ROWS, isMarkdown);
    table.print(ROWS[0]!, result("room: first", 4_000_000));
    table.print(ROWS[1]!, result("room: second", 1_000_000));
  }
  expect(said[1]).toBe("room: first         4,000,000  things                 0.250 µs  −10 +20 %        goal 2 ×");
  expect(said[2]).toBe("room: second        1,000,000  things                  1.00 µs  −10 +20 %        25 % of the ceiling");
  expect(said.at(-1)).toBe("| room: second | 1,000,000 | things | 1.00 µs | −10 +20 % | 25 % of the ceiling |");
});

test("subjects are measured in turn, the first round not counted; the median and the highest peak are told", async () => {
  const order: string[] = [];
  const subject = (name: string, values: number[]) => () => {
    order.push(name);
    const cpuUs = values.shift()!;
    return { cpuUs, peakMiB: cpuUs };
  };
  const measured = await inTurn({ a: subject("a", [99, 1, 3, 2]), b: subject("b", [99, 7, 8, 9]) }, { rounds: 3 });
  expect(order.join("")).toBe("abababab");
  expect(measured).toEqual({ a: { cpuUs: 2, peakMiB: 3 }, b: { cpuUs: 8, peakMiB: 9 } });
});

test("a command that ends otherwise than it shall is an error", () => {
  expect(commandCost(["sh", "-c", "exit 3"], { status: 3 }).cpuUs).toBeGreaterThanOrEqual(0);
  expect(() => commandCost(["sh", "-c", "exit 3"], { status: 0 })).toThrow("sh -c exit 3: did not end with status 0");
  expect(() => commandCost(["no-such-program"], { status: 0 })).toThrow("did not end with status 0");
});

test.runIf(process.platform === "linux")("what a command held at most is told", async () => {
  expect(await commandPeakMiB(["sh", "-c", "sleep 0.02"])).toBeGreaterThan(0.1);
});

test("memory is measured where garbage can be collected", async () => {
  const row: Row = { name: "memory: nothing", unit: "things", count: 1, fill: () => Promise.resolve({ work: () => undefined }) };
  vi.stubGlobal("gc", undefined);
  await expect(measure([row], false)).rejects.toThrow("memory: nothing: memory is measured with --expose-gc");
  const gc = vi.fn();
  vi.stubGlobal("gc", gc);
  const [{ memory }] = (await measure([row], false)) as [Result];
  vi.unstubAllGlobals();
  expect(gc).toHaveBeenCalled();
  expect(memory).toMatchObject({ keptItems: 0, heapMiB: [expect.any(Number), expect.any(Number), expect.any(Number)] });
});
