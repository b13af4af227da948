import { cpuUs, median } from "../measure.ts";
import { NOBLE, PEERS } from "../peers.ts";
import type { Costs, SharedRow, Together } from "../row.ts";
import { openCeiling } from "./ceiling.ts";
import type { End, Host } from "./host.ts";
import { openJelling } from "./jelling.ts";
import { openNoble } from "./noble.ts";
import { Wire } from "./wire.ts";
import { type Form, type Received, seen, VARIATIONS, WORKLOADS, type Workload } from "./workloads.ts";

/** The first rounds find out how much work makes a round long enough, and are not counted. */
const UNCOUNTED = 3;
const COUNTED = 7;
const ROUND_US = 60_000;
/** Of one round: packets that are made for it take longer than a ceiling takes for them. */
const MOST_ITEMS = 300_000;
/** Packets that are made before they are counted: few enough to lie in the processor's cache with what the hosts make of them. */
const MADE = 4096;

/** One host at one workload. */
interface Trial {
  readonly host: Host;
  readonly workload: Workload;
  /** Microseconds of CPU for so many items. */
  readonly run: (count: number) => Promise<number>;
  readonly costsUs: number[];
  count: number;
}

/** The hosts and the ceiling in one process, all workloads in turn: call sites see every kind of packet, and the compiler favours nobody. */
class HostsInTurn implements Together {
  readonly #prefix: string;
  readonly #workloads: readonly Workload[];

  constructor(prefix: string, workloads: readonly Workload[]) {
    this.#prefix = prefix;
    this.#workloads = workloads;
  }

  rows(): SharedRow[] {
    return this.#workloads.map(({ name, goal }) => ({
      ...{ name: this.#prefix + name, unit: "CPU of one", peer: NOBLE, together: this },
      ...(goal !== undefined && { goal }),
    }));
  }

  async measure(rows: readonly SharedRow[], isAlone: boolean): Promise<ReadonlyMap<string, Costs>> {
    const trials = await this.#trials(isAlone ? rows : this.rows());
    for (let round = 0; round < UNCOUNTED + COUNTED; round++)
      for (const trial of trials) {
        const us = await trial.run(trial.count);
        if (round >= UNCOUNTED) trial.costsUs.push(us / trial.count);
        else
          trial.count = Math.round(Math.max(1000, Math.min(trial.count * 20, (trial.count * ROUND_US) / Math.max(us, 1000), MOST_ITEMS)));
      }
    const workloads = [...new Set(trials.map(({ workload }) => workload))];
    return new Map(
      workloads.map((workload) => [this.#prefix + workload.name, costsOf(trials.filter((trial) => trial.workload === workload))]),
    );
  }

  async once(row: SharedRow): Promise<void> {
    for (const { run } of await this.#trials([row])) await run(1);
  }

  async #trials(rows: readonly SharedRow[]): Promise<Trial[]> {
    const hosts: Host[] = [await openJelling(Wire.open), ...(PEERS ? [await openNoble(PEERS, Wire.open)] : []), openCeiling()];
    const trials: Trial[] = [];
    for (const workload of this.#workloads.filter(({ name }) => rows.some((row) => row.name === this.#prefix + name)))
      for (const host of hosts) trials.push({ host, workload, run: await trialOf(host, workload), costsUs: [], count: 1000 });
    return trials;
  }
}

function costsOf([own, ...others]: readonly Trial[]): Costs {
  return {
    cpuUs: median(own!.costsUs),
    beside: others.map(({ host: { name }, costsUs }) => ({ name, role: name === "ceiling" ? "base" : "peer", cpuUs: median(costsUs) })),
  };
}

async function trialOf(host: Host, workload: Workload): Promise<Trial["run"]> {
  if ("packets" in workload) return receive(host.name, await host.open(workload.application), workload);
  return async (count) => {
    const start = process.cpuUsage();
    await host.write(workload.write, count);
    return cpuUs(start);
  };
}

function receive(host: string, { link, isOfBuffers, toHost, listen }: End, workload: Received): Trial["run"] {
  const { packetsPerItem, form } = workload;
  const packets = workload.packets(link);
  const inForm = form === "the same arrays" ? packets.map((packet) => inFormOf(form, packet, isOfBuffers)) : undefined;
  // Heard once before they are counted: of a device that may be answered noble tells nothing until it is answered, or is heard again.
  listen?.();
  for (const packet of packets) toHost(inFormOf(form, packet, isOfBuffers));
  return async (count) => {
    listen?.();
    const expected = seen.items + count;
    let us = 0;
    for (let left = count * packetsPerItem, at = 0; left > 0; left -= MADE) {
      const batch: Uint8Array[] = [];
      for (let i = Math.min(left, MADE); i > 0; i--) {
        batch.push(inForm ? inForm[at]! : inFormOf(form, packets[at]!, isOfBuffers));
        if (++at === packets.length) at = 0;
      }
      const start = process.cpuUsage();
      for (const packet of batch) toHost(packet);
      us += cpuUs(start);
    }
    if (seen.items < expected) throw new Error(`${host}: ${workload.name}: ${expected - seen.items} of ${count} did not arrive`);
    return us;
  };
}

function inFormOf(form: Form, packet: Uint8Array, isOfBuffers: boolean): Uint8Array {
  if (form === "fresh Buffers") return Buffer.from(packet);
  const array = form === "fresh arrays" ? new Uint8Array(packet) : packet;
  return isOfBuffers ? Buffer.from(array.buffer, array.byteOffset, array.byteLength) : array;
}

export const hostsRows: readonly SharedRow[] = [
  ...new HostsInTurn("hosts: ", WORKLOADS).rows(),
  ...new HostsInTurn("hosts varied: ", VARIATIONS).rows(),
];
