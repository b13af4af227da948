import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CHECKOUT, commandCost } from "./child.ts";
import { inTurn } from "./measure.ts";
import type { Cost, Costs, SharedRow, Together } from "./row.ts";

const RUNS = 4;
const ROUNDS = 7;
const NODE = "node -e 0";

interface Command {
  readonly name: string;
  readonly argv: readonly string[];
  readonly status: number;
  readonly goal?: string;
}

/** The capture of a scan; made before the first command is measured. */
const CAPTURE = "scan.btsnoop";
const SCAN = ["scan", "-t", "sim:", "--timeout", "1ms"];

const COMMANDS: readonly Command[] = [
  { name: "--help", argv: ["--help"], status: 0, goal: "1.2 ×" },
  { name: "--version", argv: ["--version"], status: 0, goal: "1.2 ×" },
  { name: "mgmt pair --help", argv: ["mgmt", "pair", "--help"], status: 0, goal: "1.2 ×" },
  { name: "scan, a wrong option", argv: ["scan", "--passiv"], status: 2, goal: "1.45 ×" },
  { name: "pump status, a wrong option", argv: ["pump", "status", "--keyz"], status: 2, goal: "1.45 ×" },
  { name: "mgmt, a wrong subcommand", argv: ["mgmt", "powr"], status: 2, goal: "1.45 ×" },
  { name: "mcumgr image, a wrong subcommand", argv: ["mcumgr", "image", "tset"], status: 2, goal: "1.45 ×" },
  { name: "adapters", argv: ["adapters"], status: 0 },
  { name: "decode, a capture of a few packets", argv: ["decode", CAPTURE], status: 0 },
  { name: "scan for 1 ms in a simulated air", argv: SCAN, status: 0 },
];

/** The command as it is published: the program and its first argument. */
export async function builtCommand(): Promise<[string, string]> {
  const built = join(CHECKOUT, "node_modules/.cache/bench/command");
  const build = pathToFileURL(join(CHECKOUT, "bin/command.js")).href;
  const { buildCommand } = (await import(build)) as typeof import("../bin/command.js");
  await buildCommand(built);
  return [process.execPath, join(built, "main.js")];
}

/** The command as it is published, in turn with Node that does nothing. */
const together: Together = {
  async measure(rows) {
    const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
    try {
      const jelling = await builtCommand();
      const options = {
        cwd: folder,
        env: { ...process.env, XDG_STATE_HOME: folder, XDG_DATA_HOME: folder, JELLING_TRANSPORT: "" },
        runs: RUNS,
      };
      commandCost([...jelling, ...SCAN, "--capture", CAPTURE], { ...options, status: 0 });
      const wanted = COMMANDS.filter(({ name }) => rows.some((row) => row.name === rowName(name)));
      const subjects: Record<string, () => Cost> = Object.fromEntries(
        wanted.map(({ name, argv, status }) => [name, () => commandCost([...jelling, ...argv], { ...options, status })]),
      );
      const costs: Record<string, Cost> = await inTurn(
        { ...subjects, [NODE]: () => commandCost([process.execPath, "-e", "0"], options) },
        { rounds: ROUNDS },
      );
      const beside: Costs["beside"] = [{ ...costs[NODE]!, name: NODE, role: "base" }];
      return new Map(wanted.map(({ name }) => [rowName(name), { ...costs[name]!, beside }]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

const rowName = (command: string): string => `command: ${command}`;

export const commandRows: readonly SharedRow[] = COMMANDS.map(({ name, goal }) => ({
  name: rowName(name),
  unit: "runs",
  ...(goal !== undefined && { goal }),
  together,
}));
