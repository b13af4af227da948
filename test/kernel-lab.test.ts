import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";

/*
 * What needs a real kernel and BlueZ runs in an emulated machine (lab/), which takes minutes. JELLING_LAB=1 runs it where it can run,
 * JELLING_LAB=required fails where it cannot.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.env.JELLING_LAB;
const missing = wanted ? spawnSync(process.execPath, ["lab/run.mjs", "--check"], { cwd: root, encoding: "utf8" }).stderr.trim() : "";
const leftOut = wanted ? missing : "kernel lab left out: set JELLING_LAB=1 to run it";
const isLeftOut = leftOut !== "" && wanted !== "required";

interface Outcome {
  status: number | null;
  output: string;
}

function run(program: string, args: string[]): Promise<Outcome> {
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output }));
  });
}

const runInLab = (...args: string[]): Promise<Outcome> => run(process.execPath, ["lab/run.mjs", ...args]);

describe.skipIf(isLeftOut)(isLeftOut ? leftOut : "the kernel lab", { timeout: 400_000 }, () => {
  beforeAll(async () => {
    expect(missing).toBe("");
    // The guest runs the built library.
    const built = await run("npm", ["run", "--silent", "build"]);
    expect(built.status, built.output).toBe(0);
  }, 120_000);

  test("gives back what a command says, and its status", async () => {
    const { status, output } = await runInLab("--env", "WORD=it's", "--", "sh", "-c", 'echo "$WORD here"; echo there >&2; exit 7');
    expect(output).toContain("it's here\n");
    expect(output).toContain("there\n");
    expect(status).toBe(7);
  });

  test("shows the kernel's last words when it crashes", async () => {
    const { status, output } = await runInLab("--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 60");
    expect(output).toMatch(/went down before the command was over.*\n.*Kernel panic - not syncing: sysrq triggered crash/);
    expect(status).toBe(125);
  });

  test("ends a command that takes too long", async () => {
    const { status, output } = await runInLab("--timeout", "8", "--", "sleep", "1000");
    expect(output).toContain("The lab was ended after 8 s.");
    expect(status).toBe(124);
  });

  test("the transports work on a real kernel", async () => {
    const { status, output } = await runInLab("--timeout", "300", "--", "node", "lab/checks/transports.mjs");
    expect(output.split("\n").filter((line) => line.startsWith("not ok"))).toEqual([]);
    expect(status, output).toBe(0);
  });
});
