import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** One measurement. */
export interface Row {
  readonly name: string;
  /** What is counted: "reports", "notifications", "round trips". */
  readonly unit: string;
  /** The row whose rate this one cannot exceed; the table shows the ratio. */
  readonly ceiling?: string;
  /** Rates of others for the same work, per second, on one core of a two-core x86-64 machine. */
  readonly reference?: Readonly<Record<string, number>>;
  /** Sets up and gives the function that does the work `count` times. */
  prepare?(): Promise<(count: number) => void | Promise<void>>;
  /** In place of `prepare`: work whose rate is that of simulated time, the same in every run. */
  simulate?(): Promise<Simulated>;
  /** In place of either: what the simulated radio makes of a configuration, beside what arithmetic says of it. */
  readonly arithmetic?: { readonly calculated: number; measure(): Promise<number> };
}

/** Rates per second of simulated time. */
export interface Simulated {
  readonly rate: number;
  /** The same work one at a time, over the same link. */
  readonly oneAtATime: number;
  /** What the link can carry at most. */
  readonly limit: number;
  /** Of this process, for the work at `rate`. */
  readonly cpuSeconds: number;
}

export interface Result {
  readonly name: string;
  /** Per second: the median of the rounds. */
  readonly rate: number;
  readonly slowest: number;
  readonly fastest: number;
  readonly simulated?: Simulated;
  /** Of simulated radio time, beside which `rate` stands. */
  readonly calculated?: number;
}

const ROUND_MS = 250;
const ROUNDS = 7;

async function timed(work: (count: number) => void | Promise<void>, count: number): Promise<number> {
  const startMs = performance.now();
  await work(count);
  return performance.now() - startMs;
}

async function measure(row: Row): Promise<Result> {
  if (row.simulate) {
    const simulated = await row.simulate();
    const { rate } = simulated;
    return { name: row.name, rate, slowest: rate, fastest: rate, simulated };
  }
  if (row.arithmetic) {
    const rate = await row.arithmetic.measure();
    return { name: row.name, rate, slowest: rate, fastest: rate, calculated: row.arithmetic.calculated };
  }
  const work = await row.prepare!();
  // Warm up until a round is long enough; that the compiler is done by then shows in the spread of the rounds.
  let count = 1;
  for (let ms = 0; ms < ROUND_MS; ) {
    ms = await timed(work, count);
    if (ms < ROUND_MS) count = Math.ceil(count * Math.min(10, (1.2 * ROUND_MS) / Math.max(ms, 0.01)));
  }
  const rates: number[] = [];
  for (let i = 0; i < ROUNDS; i++) rates.push((count / (await timed(work, count))) * 1000);
  rates.sort((a, b) => a - b);
  return { name: row.name, rate: rates[ROUNDS >> 1]!, slowest: rates[0]!, fastest: rates.at(-1)! };
}

const MARK = "result ";
/** With another checkout each row is measured so often in either, in turn, since the machine's speed drifts. */
const TURNS = 3;

/**
 * Measures the rows, each in a process of its own so that none profits or suffers from what the compiler learned of another, and
 * prints a table. Arguments select rows by a part of their name; `--json` prints results, one a line; `--before=FILE` names the bundled
 * benchmarks of another checkout to measure beside them.
 */
export async function main(rows: readonly Row[], file: string): Promise<void> {
  const args = process.argv.slice(2);
  const own = args.find((argument) => argument.startsWith("--row="));
  if (own) {
    const result = await measure(rows.find(({ name }) => name === own.slice(6))!);
    console.log(MARK + JSON.stringify(result));
    process.exit(0); // whatever a scenario left running
  }
  const wanted = args.filter((argument) => !argument.startsWith("--"));
  const isJson = args.includes("--json");
  const before = args.find((argument) => argument.startsWith("--before="))?.slice(9);
  const results = new Map<string, Result>();
  const selected = rows.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  const ceilings = rows.filter((row) => !selected.includes(row) && selected.some(({ ceiling }) => ceiling === row.name));
  for (const row of rows) {
    if (!selected.includes(row) && !ceilings.includes(row)) continue;
    const now: Result[] = [];
    const then: Result[] = [];
    for (let turn = 0; turn < (before === undefined ? 1 : TURNS); turn++) {
      const result = inProcess(fileURLToPath(file), row.name);
      if (!result) throw new Error(`${row.name}: the measurement failed`);
      now.push(result);
      const other = before === undefined ? undefined : inProcess(before, row.name);
      if (other) then.push(other);
    }
    const result = median(now)!;
    results.set(row.name, result);
    const beforeRate = median(then)?.rate;
    if (isJson) console.log(JSON.stringify(beforeRate === undefined ? result : { ...result, beforeRate }));
    else
      console.log(
        describe(row, result, results) + (beforeRate === undefined ? "" : `   ${(result.rate / beforeRate).toFixed(2)} × before`),
      );
  }
}

/** Undefined where the row is not there or failed, which it has told on standard error. */
function inProcess(file: string, row: string): Result | undefined {
  const { stdout, status } = spawnSync(process.execPath, [...process.execArgv, file, `--row=${row}`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = stdout.split("\n").find((text) => text.startsWith(MARK));
  return status === 0 && line ? (JSON.parse(line.slice(MARK.length)) as Result) : undefined;
}

function median(results: readonly Result[]): Result | undefined {
  return results.toSorted((a, b) => a.rate - b.rate)[results.length >> 1];
}

function describe({ name, unit, ceiling, reference = {} }: Row, result: Result, results: Map<string, Result>): string {
  const { rate, slowest, fastest, simulated, calculated } = result;
  if (calculated !== undefined) {
    const off = `${rate < calculated ? "" : "+"}${(100 * (rate / calculated - 1)).toFixed(2)} %`;
    return `${name.padEnd(96)} ${fixed(rate).padStart(10)} ${unit.padEnd(8)} calculated ${fixed(calculated).padStart(10)}   ${off}`;
  }
  if (simulated) {
    const { oneAtATime, limit, cpuSeconds } = simulated;
    const share = `${((100 * rate) / limit).toFixed(1)} % of the link, ${(rate / oneAtATime).toFixed(2)} × one at a time`;
    return `${name.padEnd(44)} ${format(rate).padStart(12)} ${unit}/s   (${share}, ${cpuSeconds.toFixed(2)} s of CPU)`;
  }
  const top = ceiling === undefined ? undefined : results.get(ceiling);
  const ratios = Object.entries(reference).map(([other, theirs]) => `${(rate / theirs).toFixed(2)} × ${other}`);
  if (top) ratios.unshift(`${((100 * rate) / top.rate).toFixed(0)} % of the ceiling`);
  const spread = `${format(slowest)} to ${format(fastest)}`;
  return `${name.padEnd(44)} ${format(rate).padStart(12)} ${unit}/s   (${spread})${ratios.length > 0 ? `   ${ratios.join(", ")}` : ""}`;
}

function format(rate: number): string {
  return rate >= 1000 ? Math.round(rate).toLocaleString("en") : rate.toPrecision(3);
}

/** Quantities of radio time to four places, whatever their size. */
function fixed(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(4);
}
