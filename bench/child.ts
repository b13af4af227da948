import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Cost } from "./row.ts";

/** The folder of the checkout that these benchmarks are of, bundled or not. */
export const CHECKOUT = ((): string => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
})();

export interface CommandOptions {
  /** How often the command is run; what is told is the mean. 1 if absent. */
  readonly runs?: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The status with which the command shall end; any if absent. */
  readonly status?: number;
}

export interface CommandCost extends Cost {
  /** Of one run by the clock on the wall. */
  readonly wallMs: number;
}

/** Runs the command so often and says what all of it took; its output goes nowhere. */
const LOOP =
  'n=$1 s=$2; shift 2; TIMEFORMAT="%3R %3U %3S"; time for ((i = 0; i < n; i++)); do "$@" >/dev/null 2>&1; e=$?; [ "$s" = any ] || [ "$e" = "$s" ] || exit 9; done';

/**
 * What a command costs, from its start to its end, its own children included: CPU by the shell's account of them, in milliseconds for all runs.
 *
 * @param command the program and its arguments, run without a shell's quoting
 * @throws Error where it ended with another status
 */
export function commandCost(command: readonly string[], { runs = 1, cwd, env, status }: CommandOptions = {}): CommandCost {
  const ran = spawnSync("bash", ["-c", LOOP, "bash", String(runs), String(status ?? "any"), ...command], { cwd, env, encoding: "utf8" });
  const [wall, user, system] = (ran.stderr ?? "").trim().split(/\s+/).map(Number) as [number, number, number];
  if (ran.status !== 0 || system === undefined || Number.isNaN(system))
    throw new Error(`${command.join(" ")}: ${ran.error?.message ?? (ran.status === 9 ? `did not end with status ${status}` : ran.stderr)}`);
  return { cpuUs: ((user + system) * 1e6) / runs, wallMs: (wall * 1000) / runs };
}

/** How often what a process holds is looked at. The kernel keeps the peak itself: what is missed is what comes in the last moments. */
const LOOK_MS = 5;

/** The most memory that a command held, of itself without its children; undefined where no `/proc` tells it. */
export async function commandPeakMiB(command: readonly string[], { cwd, env }: CommandOptions = {}): Promise<number | undefined> {
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "ignore"] });
  let isOver = false;
  const over = new Promise<void>((resolve, reject) => {
    child.once("close", () => resolve());
    child.once("error", reject);
  }).finally(() => {
    isOver = true;
  });
  let kib: number | undefined;
  while (!isOver) {
    kib = peakKib(child.pid) ?? kib;
    await Promise.race([over, sleep(LOOK_MS)]);
  }
  await over;
  return kib === undefined ? undefined : kib / 1024;
}

function peakKib(pid: number | undefined): number | undefined {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kib === undefined ? undefined : Number(kib);
  } catch {
    return undefined; // it is gone, or there is no /proc here
  }
}

/** Whether a program is there and says its version. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}
