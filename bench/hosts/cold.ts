// A process that has done nothing yet: loads a host, has it set up a link, and gives it its first items. Arguments: the host, the workload's
// name, a file with the recording of what the controller says. Prints what it took, as JSON. Nothing of a host is loaded before it is counted.
import { readFileSync } from "node:fs";
import type { ColdCosts } from "./cold-rows.ts";
import type { Host, OpenController } from "./host.ts";
import { Replayer } from "./recording.ts";
import { WORKLOADS } from "./workloads.ts";

const [name, wanted, file] = process.argv.slice(2) as [string, string, string];
const workload = WORKLOADS.find((one) => one.name === wanted)!;
const openController: OpenController = () => Promise.resolve(new Replayer(JSON.parse(readFileSync(file, "utf8"))));
const folder = process.env.JELLING_BENCH_PEERS;

function spentUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Loads the host, and gives what opens it. */
async function load(): Promise<() => Promise<Host>> {
  if (name === "noble") {
    const { loadNoble, openNoble } = await import("./noble.ts");
    loadNoble(folder!);
    return () => openNoble(folder!, openController);
  }
  const { openJelling } = await import("./jelling.ts");
  return () => openJelling(openController);
}

const start = spentUs();
const open = await load();
const loaded = spentUs();
const host = await open();
const end = "packets" in workload ? await host.open(workload.application) : undefined;
const ready = spentUs();

/** Made before they are counted, and the same for every host. */
const packets = end && "packets" in workload ? workload.packets(end.link) : [];
const given = end?.isOfBuffers ? packets.map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length)) : packets;
end?.listen?.();

async function give(from: number, until: number): Promise<number> {
  const before = spentUs();
  if ("write" in workload) await host.write(workload.write, until - from);
  else for (let i = from; i < until; i++) end!.toHost(given[i % given.length]!);
  return spentUs() - before;
}

const first = await give(0, 1);
const hundred = first + (await give(1, 100));
const tenThousand = hundred + (await give(100, 10_000));
const costs: ColdCosts = {
  loadUs: loaded - start,
  setUpUs: ready - loaded,
  itemsUs: { "1": first, "100": hundred, "10,000": tenThousand },
};
console.log(JSON.stringify(costs));
process.exit();
