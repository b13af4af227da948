import type { Cost, Costs, Memory, MemoryRow, RateRow, Result, Row, SharedRow, Work } from "./row.ts";

const ROUND_MS = 250;
const ROUNDS = 7;
const MIB = 2 ** 20;

/** Microseconds of CPU of this process, all threads, the system's part included. */
export function cpuUs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/**
 * What each subject costs, measured in turn, since the machine's speed drifts: the median of the rounds.
 *
 * @param subjects by name, each giving what one item costs this time
 */
export async function inTurn<Name extends string>(
  subjects: Readonly<Record<Name, () => Cost | Promise<Cost>>>,
  { rounds = 5, uncounted = 1 } = {},
): Promise<Record<Name, Cost>> {
  const names = Object.keys(subjects) as Name[];
  const costs = new Map(names.map((name) => [name, [] as Cost[]]));
  for (let round = 0; round < uncounted + rounds; round++)
    for (const name of names) {
      const cost = await subjects[name]();
      if (round >= uncounted) costs.get(name)!.push(cost);
    }
  return Object.fromEntries(
    names.map((name) => {
      const all = costs.get(name)!;
      const peaks = all.flatMap(({ peakMiB }) => peakMiB ?? []);
      const cost: Cost = { cpuUs: median(all.map((one) => one.cpuUs)), ...(peaks.length > 0 && { peakMiB: Math.max(...peaks) }) };
      return [name, cost];
    }),
  ) as Record<Name, Cost>;
}

/** Of rows that stand alone there is one. */
export async function measure(rows: readonly Row[], isAlone: boolean): Promise<Result[]> {
  const [row] = rows as [Row];
  if ("together" in row) return await measureTogether(rows as readonly SharedRow[], isAlone);
  const { name } = row;
  if ("simulate" in row) {
    const simulated = await row.simulate();
    return [{ ...exactly(name, simulated.rate), simulated }];
  }
  if ("arithmetic" in row) return [{ ...exactly(name, await row.arithmetic.measure()), calculated: row.arithmetic.calculated }];
  if ("costs" in row) return [ofCosts(name, await row.costs())];
  if ("fill" in row) return [await measureMemory(row)];
  return [await measureRate(row)];
}

/** Whether the row can do its work once in less than a second. */
export function isQuick(row: Row): boolean {
  return "prepare" in row || "fill" in row || ("together" in row && row.together.once !== undefined);
}

/** Of a quick row: sets up, and does the work once. */
export async function tryRow(row: Row): Promise<void> {
  if ("prepare" in row) await (await row.prepare())(1);
  else if ("fill" in row) await (await row.fill()).work(1);
  else if ("together" in row) await row.together.once!(row);
}

const exactly = (name: string, rate: number): Result => ({ name, rate, slowest: rate, fastest: rate });
const ofCosts = (name: string, costs: Costs): Result => ({ ...exactly(name, 1e6 / costs.cpuUs), costs });

async function measureTogether(rows: readonly SharedRow[], isAlone: boolean): Promise<Result[]> {
  const costs = await rows[0]!.together.measure(rows, isAlone);
  return rows.map(({ name }) => ofCosts(name, costs.get(name)!));
}

async function timed(work: Work, count: number): Promise<{ wallMs: number; cpuMs: number }> {
  const [startMs, start] = [performance.now(), process.cpuUsage()];
  await work(count);
  return { wallMs: performance.now() - startMs, cpuMs: cpuUs(start) / 1000 };
}

async function measureRate({ name, prepare, isOfWall = false }: RateRow): Promise<Result> {
  const work = await prepare();
  // Warm up until a round is long enough; that the compiler is done by then shows in the spread of the rounds.
  let count = 1;
  for (let ms = 0; ms < ROUND_MS; ) {
    const { wallMs, cpuMs } = await timed(work, count);
    ms = isOfWall ? wallMs : cpuMs; // on a busy machine a quarter of a second by the wall is next to nothing
    if (ms < ROUND_MS) count = Math.ceil(count * Math.min(10, (1.2 * ROUND_MS) / Math.max(ms, 0.01)));
  }
  const rates: number[] = [];
  const wallRates: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const { wallMs, cpuMs } = await timed(work, count);
    rates.push((count / cpuMs) * 1000);
    wallRates.push((count / wallMs) * 1000);
  }
  const counted = isOfWall ? wallRates : rates;
  return {
    ...{ name, rate: median(counted), slowest: Math.min(...counted), fastest: Math.max(...counted) },
    wallRate: median(wallRates),
  };
}

async function measureMemory({ name, count, fill }: MemoryRow): Promise<Result> {
  const { gc } = globalThis;
  if (!gc) throw new Error(`${name}: memory is measured with --expose-gc`);
  const { work, keptItems = () => 0 } = await fill();
  const held = async (): Promise<{ heap: number; rss: number; kept: number }> => {
    // What is freed in one collection may free more in a task after it: finalizers, and buffers that are given back later.
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { heap: (heapUsed + external) / MIB, rss: rss / MIB, kept: keptItems() };
  };
  const before = await held();
  const start = process.cpuUsage();
  await work(count);
  const once = await held();
  await work(count);
  const rate = (2 * count * 1e6) / cpuUs(start);
  const twice = await held();
  const kept = twice.kept - once.kept;
  const memory: Memory = {
    heapMiB: [before.heap, once.heap, twice.heap],
    rssMiB: [before.rss, once.rss, twice.rss],
    keptItems: twice.kept,
    ...(kept > 0 && { octetsPerKeptItem: ((twice.heap - once.heap) * MIB) / kept }),
  };
  return { ...exactly(name, rate), memory };
}
