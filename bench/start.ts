import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CHECKOUT } from "./child.ts";
import { median } from "./measure.ts";
import type { CostRow } from "./row.ts";

const ROUNDS = 3;
/** A start that takes longer has failed. */
const PATIENCE_MS = 120_000;

/** As `git clone` and `npm ci` leave it: what is committed, and packages whose links lead into the clone. */
function clone(folder: string): void {
  execFileSync("git", ["clone", "--quiet", CHECKOUT, folder]);
  const installed = execFileSync("git", ["-C", CHECKOUT, "ls-files", "package.json", "apps/*/package.json"], { encoding: "utf8" });
  for (const file of installed.trim().split("\n")) {
    const packages = join(file, "../node_modules");
    // Files as links, since they are thousands and nobody writes to them; symbolic links as they are.
    execFileSync("sh", [
      "-c",
      '[ ! -d "$1" ] || cp -al "$1" "$2" 2>/dev/null || cp -a "$1" "$2"',
      "sh",
      join(CHECKOUT, packages),
      join(folder, packages),
    ]);
    rmSync(join(folder, packages, ".cache"), { recursive: true, force: true });
  }
}

/** Milliseconds until the first line that is not npm's own. */
async function firstLineMs(folder: string): Promise<number> {
  const startMs = performance.now();
  const child = spawn("npm", ["start"], { cwd: folder, detached: true, stdio: ["ignore", "pipe", "ignore"], timeout: PATIENCE_MS });
  try {
    for await (const line of createInterface({ input: child.stdout }))
      if (line.trim() !== "" && !line.startsWith("> ")) return performance.now() - startMs;
    throw new Error("npm start: ended without a line");
  } finally {
    const closed = new Promise((resolve) => child.once("close", resolve));
    if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL"); // npm, its shell and the program
    await closed;
  }
}

export const startRows: readonly CostRow[] = [
  {
    name: "command: npm start on a fresh clone, until its first line",
    unit: "start",
    goal: "3 s",
    costs: async () => {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
        try {
          clone(folder);
          times.push(await firstLineMs(folder));
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
      return { cpuUs: median(times) * 1000, isOfWall: true, beside: [] };
    },
  },
];
