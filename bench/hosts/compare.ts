// The hosts side by side in one process, all workloads in turn: `JELLING_BENCH_PEERS=FOLDER npm run bench -- --hosts`, where FOLDER is one
// outside the project in which `npm install @stoprocent/noble` was run.
import { openJelling } from "./jelling.ts";
import { openNoble } from "./noble.ts";
import { type Host, WORKLOADS } from "./workloads.ts";

/** The first rounds find out how much work makes a round long enough, and are not counted. */
const UNCOUNTED = 3;
const COUNTED = 7;
const ROUND_US = 100_000;

function cpuUs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

const folder = process.env.JELLING_BENCH_PEERS;
const hosts: Host[] = [await openJelling(), ...(folder ? [await openNoble(folder)] : [])];
/** Microseconds of CPU for one item, round by round. */
const costs = new Map(hosts.map((host) => [host, new Map(WORKLOADS.map((workload) => [workload, [] as number[]]))]));
const counts = new Map(hosts.map((host) => [host, new Map(WORKLOADS.map((workload) => [workload, 1000]))]));
for (let round = 0; round < UNCOUNTED + COUNTED; round++) {
  for (const workload of WORKLOADS) {
    for (const host of hosts) {
      const count = counts.get(host)!.get(workload)!;
      const start = process.cpuUsage();
      await host.works[workload](count);
      const us = cpuUs(start);
      if (round >= UNCOUNTED)
        costs
          .get(host)!
          .get(workload)!
          .push(us / count);
      else counts.get(host)!.set(workload, Math.max(1000, Math.min(count * 20, Math.round((count * ROUND_US) / Math.max(us, 1000)))));
    }
  }
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
for (const workload of WORKLOADS) {
  const [own, ...others] = hosts.map((host) => ({ name: host.name, us: median(costs.get(host)!.get(workload)!) }));
  const ratios = others.map(({ name, us }) => `${name} ${us.toFixed(3)} µs: ${(us / own!.us).toFixed(1)} ×`);
  console.log([workload.padEnd(52), `${own!.us.toFixed(3)} µs`, ...ratios].join("   "));
}
process.exit();
