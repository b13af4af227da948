import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../measure.ts";
import { NOBLE, PEERS } from "../peers.ts";
import type { Costs, SharedRow, Together } from "../row.ts";
import type { OpenController } from "./host.ts";
import { openJelling } from "./jelling.ts";
import { openNoble } from "./noble.ts";
import { Recorder } from "./recording.ts";
import { Wire } from "./wire.ts";

/** Microseconds of CPU of a process that has done nothing yet. */
export interface ColdCosts {
  /** Until the host's code is loaded, the engine's own start not included. */
  readonly loadUs: number;
  /** Until the link stands, its services are known and packets can come. */
  readonly setUpUs: number;
  /** For the first so many items. */
  readonly itemsUs: Readonly<Record<"1" | "100" | "10,000", number>>;
}

const ROUNDS = 5;
/** Beside this bundle; see run.mjs. */
const COLD = fileURLToPath(new URL("../hosts/cold.ts/main.mjs", import.meta.url));

const REPORTS = "reports of 31 octets, manufacturer data read";
const NOTIFICATIONS = "notifications of 20 octets";
const WRITES = "writes of 20 octets with response";
const WORKLOADS = [REPORTS, NOTIFICATIONS, WRITES];

type Pick = (costs: ColdCosts) => number;
/** What each row tells; where no workload is named, of all of them. */
const ROWS: readonly { readonly name: string; readonly workload?: string; readonly pick: Pick }[] = [
  { name: "cold: the host loaded", pick: ({ loadUs }) => loadUs },
  { name: "cold: a link set up, services discovered", pick: ({ setUpUs }) => setUpUs },
  ...WORKLOADS.flatMap((workload) =>
    (["1", "100", "10,000"] as const).map((count) => ({
      name: `cold: the first ${count} of ${workload}`,
      workload,
      pick: ({ itemsUs }: ColdCosts) => itemsUs[count],
    })),
  ),
];

/** Each host in processes of its own, in turn; what a controller said to it is recorded beforehand, so that its code alone is counted. */
const together: Together = {
  async measure(rows) {
    const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
    try {
      const hosts = ["jelling", ...(PEERS ? ["noble"] : [])];
      for (const host of hosts) await record(host, join(folder, host));
      const runs: { host: string; workload: string; costs: ColdCosts }[] = [];
      for (let round = 0; round < ROUNDS; round++)
        for (const workload of WORKLOADS)
          for (const host of hosts) runs.push({ host, workload, costs: run(host, workload, join(folder, host)) });
      const told = ROWS.filter(({ name }) => rows.some((row) => row.name === name));
      return new Map(
        told.map(({ name, workload, pick }) => {
          const cost = (host: string): number =>
            median(runs.filter((one) => one.host === host && (workload ?? one.workload) === one.workload).map(({ costs }) => pick(costs)));
          const [own, ...others] = hosts as [string, ...string[]];
          const costs: Costs = { cpuUs: cost(own), beside: others.map((host) => ({ name: host, role: "peer", cpuUs: cost(host) })) };
          return [name, costs];
        }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function record(host: string, file: string): Promise<void> {
  let recorder: Recorder | undefined;
  const openController: OpenController = async () => {
    recorder = new Recorder(await Wire.open());
    return recorder;
  };
  await (host === "noble" ? openNoble(PEERS!, openController) : openJelling(openController));
  writeFileSync(file, JSON.stringify(recorder!.recording));
}

function run(host: string, workload: string, recording: string): ColdCosts {
  return JSON.parse(execFileSync(process.execPath, [COLD, host, workload, recording], { encoding: "utf8", timeout: 60_000 }));
}

export const coldRows: readonly SharedRow[] = ROWS.map(({ name }) => ({ name, unit: "CPU of all", peer: NOBLE, together }));
