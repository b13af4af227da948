import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaveOut } from "./support/left-out.ts";

/*
 * What needs a real kernel and BlueZ runs in an emulated machine (lab/), which takes minutes. JELLING_LAB=1 runs it where it can run,
 * JELLING_LAB=required fails where it cannot. JELLING_CAPTURES names a folder that keeps the captures.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.env.JELLING_LAB;
const missing = wanted ? spawnSync(process.execPath, ["lab/run.mjs", "--check"], { cwd: root, encoding: "utf8" }).stderr.trim() : "";
const leftOut = wanted ? missing : "the kernel lab (JELLING_LAB=1 runs it, in some minutes)";
const isLeftOut = leftOut !== "" && wanted !== "required";
if (isLeftOut) leaveOut(leftOut);
const hasTshark = spawnSync("tshark", ["--version"]).status === 0;
if (!isLeftOut && !hasTshark) leaveOut("the check of the lab's captures by tshark (apt-get install tshark)");

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

/** Once more where the emulated kernel or the emulator of controllers crashed (125), which they do now and then; a failure of the command is final. */
async function runInSoundLab(...args: string[]): Promise<Outcome> {
  const outcome = await runInLab(...args);
  return outcome.status === 125 ? await runInLab(...args) : outcome;
}

describe.skipIf(isLeftOut)(isLeftOut ? leftOut : "the kernel lab", { timeout: 1_800_000 }, () => {
  beforeAll(async () => {
    expect(missing).toBe("");
    // The guest runs the built library.
    const built = await run("npm", ["run", "--silent", "build"]);
    expect(built.status, built.output).toBe(0);
  }, 1_800_000);

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
    const { status, output } = await runInSoundLab("--timeout", "900", "--", "node", "lab/checks/transports.mjs");
    expect(
      output.split("\n").filter((line) => line.startsWith("not ok")),
      output,
    ).toEqual([]);
    expect(status, output).toBe(0);
  });

  describe("the management interface", () => {
    const claims = [
      ["mgmt-commands", "every command does what btmgmt sees, and btmgmt's commands what Jelling sees"],
      ["mgmt-programs", "several programs at once, one without the right, all of them watched"],
      ["mgmt-plugging", "adapters come, go, and stop answering"],
      ["mgmt-command-line", "jelling mgmt and the examples agree with btmgmt"],
    ] as const;
    const kept = process.env.JELLING_CAPTURES;
    let captures: string;
    let outcome: Outcome;

    // In a machine of its own: no daemon changes settings meanwhile.
    beforeAll(async () => {
      const examples = ["mgmt-power", "mgmt-find", "mgmt-advertise", "mgmt-pair"];
      const bundled = await run(process.execPath, ["tools/run-examples.mjs", ...examples]);
      expect(bundled.status, bundled.output).toBe(0);
      captures = kept ?? mkdtempSync(join(tmpdir(), "jelling-captures-"));
      mkdirSync(captures, { recursive: true });
      const options = ["--timeout", "1200", "--writable", captures, "--env", `JELLING_CAPTURES=${captures}`];
      outcome = await runInSoundLab(...options, "--", "node", "lab/scenarios/mgmt.mjs", ...claims.map(([name]) => name));
    }, 1_800_000);
    afterAll(() => {
      if (kept === undefined) rmSync(captures, { recursive: true });
    });

    test.each(claims)("%s: %s", (name) => {
      expect(verdictOf(outcome, name), outcome.output).toMatch(/^ok /);
    });

    test("the process of the scenarios ended by itself", () => {
      expect(outcome.status, outcome.output).toBe(0);
    });

    test.skipIf(!hasTshark && wanted !== "required")("tshark finds no fault with what jelling mgmt monitor has captured", async () => {
      const file = join(captures, "mgmt-command-line-monitor.btsnoop");
      expect(await tshark("-r", file, "-Y", '_ws.expert.group == "Malformed"')).toEqual([]);
      expect((await tshark("-r", file)).length).toBeGreaterThanOrEqual(200);
    });
  });

  describe("with BlueZ", () => {
    /** Each scenario with how many packets of ATT, of L2CAP channels or of HCI commands its captures have at least. */
    const scenarios = {
      peripheral: { "peripheral-jelling": 40, "peripheral-bluez": 40 },
      central: { "central-jelling": 30, "central-bluez": 30 },
      vhci: { "vhci-secure": 20, "vhci-legacy": 20, "vhci-bluez0": 20, "vhci-bluez1": 20 },
      pump: { "pump-jelling": 30, "pump-jelling-again": 2, "pump-bluez": 30 },
      l2cap: { "l2cap-jelling": 100, "l2cap-bluez": 100 },
      eatt: { "eatt-jelling": 40, "eatt-bluez": 40 },
      extended: { "extended-jelling": 40, "extended-bluez": 80, "extended-user-channel": 20 },
    };
    const kept = process.env.JELLING_CAPTURES;
    let captures: string;
    let outcome: Outcome;

    // All in one machine: each of its own would take longer to start than most of them take.
    beforeAll(async () => {
      captures = kept ?? mkdtempSync(join(tmpdir(), "jelling-captures-"));
      mkdirSync(captures, { recursive: true });
      const options = ["--timeout", "1200", "--writable", captures, "--env", `JELLING_CAPTURES=${captures}`];
      outcome = await runInSoundLab(...options, "--", "node", "lab/scenarios/all.mjs", ...Object.keys(scenarios));
    }, 1_800_000);
    afterAll(() => {
      if (kept === undefined) rmSync(captures, { recursive: true });
    });

    test.each([
      ["peripheral", "is found, connected, paired, listed, read, written and notified as BlueZ's peripheral"],
      ["central", "scans, connects, pairs, discovers, reads, writes and takes indications as BlueZ's central"],
      ["vhci", "gives the kernel controllers, through which BlueZ pairs and reads in the simulated air"],
      ["l2cap", "has channels with l2test and the kernel's own sockets, opened by either side in both modes"],
      ["eatt", "opens enhanced bearers to bluetoothd, and takes its own"],
      ["extended", "gives the kernel a controller with extended advertising, LE Coded and LL privacy, and takes one itself"],
      ["pump", "is taken for a phone by BlueZ in the pump's place, up to the SAKE wake-up"],
    ])("%s: Jelling %s", (name) => {
      expect(verdictOf(outcome, name), outcome.output).toMatch(/^ok /);
    });

    test("the process of the scenarios ended by itself", () => {
      expect(outcome.status, outcome.output).toBe(0);
    });

    const captured = Object.values(scenarios).flatMap((files) => Object.entries(files));
    test.skipIf(!hasTshark && wanted !== "required").each(captured)("tshark finds no fault with %s", async (name, least) => {
      expect(readdirSync(captures)).toContain(`${name}.btsnoop`);
      const file = join(captures, `${name}.btsnoop`);
      const fields = ["-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message"];
      const faults = await tshark("-r", file, "-Y", '_ws.expert.group == "Malformed"', ...fields);
      // tshark takes each fragment of long advertising data for all of it.
      const isFragment = (line: string): boolean =>
        name.startsWith("extended") && /LE (Set )?Extended Advertising (Data|Report)/.test(line);
      expect(faults.filter((line) => !isFragment(line))).toEqual([]);
      const layer = name.startsWith("l2cap") ? "btl2cap" : name.startsWith("extended") ? "bthci_cmd" : "btatt";
      expect((await tshark("-r", file, "-Y", layer, ...fields)).length).toBeGreaterThanOrEqual(least);
    });
  });
});

/** The line in which a scenario says how it ended. */
function verdictOf({ output }: Outcome, name: string): string {
  return output.split("\n").find((line) => new RegExp(`^(not )?ok ${name}(:| \\()`).test(line)) ?? "no verdict";
}

/** What tshark prints on its standard output, in lines. */
async function tshark(...args: string[]): Promise<string[]> {
  const child = spawn("tshark", args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  expect(status).toBe(0);
  return output.split("\n").filter(Boolean);
}
