import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, open, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import packageJson from "jelling/package.json" with { type: "json" };
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildCommand } from "../bin/command.js";

// The command as a process: built as it is published.
// However slow the machine is: a process that hangs ends the test, one that is slow does not.
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: PATIENCE_MS });
const root = fileURLToPath(new URL("..", import.meta.url));
let main: string;
let state: string;
/** Which sources each file of the bundle holds, and which others it cannot be without. */
const modules = new Map<string, string[]>();
const needs = new Map<string, string[]>();

beforeAll(async () => {
  const folder = await mkdtemp(join(root, "node_modules", ".cli test-")); // with a space, as paths of users have
  state = await mkdtemp(join(tmpdir(), "jelling-"));
  for (const chunk of (await buildCommand(folder)).output) {
    if (chunk.type !== "chunk") continue;
    const sources = chunk.moduleIds.filter((id) => !id.startsWith("\0")); // none that the bundler brought
    modules.set(
      chunk.fileName,
      sources.map((id) => relative(root, id)),
    );
    needs.set(chunk.fileName, chunk.imports);
  }
  main = join(folder, "main.js");
}, PATIENCE_MS);
afterAll(async () => {
  await rm(join(main, ".."), { recursive: true });
  await rm(state, { recursive: true });
});

const environment = () => ({ ...process.env, XDG_STATE_HOME: state, JELLING_TRANSPORT: "", NO_COLOR: "" });

function run(...argv: (string | Record<string, string>)[]): Promise<{ status: number; out: string; err: string }> {
  const words = argv.filter((each) => typeof each === "string");
  const extra = Object.assign({}, ...argv.filter((each) => typeof each === "object")) as Record<string, string>;
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...words], { env: { ...environment(), ...extra } }, (error, out, err) =>
      resolve({ status: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
  });
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

test("help, wrong usage and failure have their status and their stream", async () => {
  const help = await run("--help");
  expect([help.status, help.err]).toEqual([0, ""]);
  expect(help.out).toContain("Commands:");
  expect(await run("scam")).toEqual({ status: 2, out: "", err: "jelling: unknown command 'scam'; did you mean scan?\n" });
  for (const argv of ["pump help demo", "help pump status", "--json help pump", "mgmt help"]) {
    const byParser = await run(...argv.split(" "));
    expect([byParser.status, byParser.err], argv).toEqual([0, ""]);
    expect(byParser.out, argv).toContain("Usage: jelling ");
  }
  const failed = await run("decode", "/nonexistent");
  expect(failed).toEqual({ status: 1, out: "", err: "jelling: /nonexistent: no such file or folder\n" });
});

/** The sources of what Node loads, and what the command said. */
async function loadedBy(...argv: string[]): Promise<{ sources: string[]; status: number; out: string; err: string }> {
  const tell = 'process.on("exit", () => require("node:fs").writeSync(2, "\\0" + Object.keys(require.cache).join("\\0")));';
  const preloaded = join(state, "tell.cjs");
  await writeFile(preloaded, tell);
  const { status, out, err } = await run({ NODE_OPTIONS: `--require "${preloaded}"` }, ...argv);
  const [said, ...files] = err.split("\0");
  return { sources: files.flatMap((file) => modules.get(basename(file)) ?? []).sort(), status, out, err: said! };
}

test("help and version load no parser, wrong usage nothing of the stack", async () => {
  const atOnce = ["at-once", "main", "write-at-once"].map((name) => `apps/cli/src/${name}.ts`);
  const version = await loadedBy("--version");
  expect(version).toEqual({ sources: atOnce, status: 0, out: `${packageJson.version}\n`, err: "" });
  const help = await loadedBy("scan", "--help");
  expect(help).toMatchObject({ sources: atOnce, status: 0, err: "" });
  const byParser = await loadedBy("--json", "scan", "--help");
  expect(byParser.sources).toContain("apps/cli/src/program.ts");
  expect(byParser.out).toBe(help.out);
  for (const [argv, said] of [
    ["scam", "unknown command 'scam'; did you mean scan?"],
    ["pump status --keyz x", "unknown option '--keyz'; did you mean --keys?"],
    ["mgmt powr on", "unknown command 'powr'; did you mean power?"],
  ] as const) {
    const { sources, ...wrong } = await loadedBy(...argv.split(" "));
    expect(wrong).toEqual({ status: 2, out: "", err: `jelling: ${said}\n` });
    expect(sources).toContain("apps/cli/src/program.ts");
    expect(sources.filter((id) => /^src\/(?!core\/|async\/)|noble|koffi|apps\/minimed/.test(id))).toEqual([]);
  }
});

test("no file of the bundle needs one that needs it: whichever came first would find the other empty", () => {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    expect(way).not.toContain(file);
    if (done.has(file)) return;
    for (const other of needs.get(file) ?? []) visit(other, [...way, file]);
    done.add(file);
  };
  for (const file of needs.keys()) visit(file, []);
  expect(done.size).toBeGreaterThan(100);
});

test("a command loads of the library what it needs, and no more", async () => {
  const bonds = await loadedBy("bonds", "list");
  expect(bonds).toMatchObject({ status: 0, out: "" });
  expect(bonds.sources).toContain("src/node/file-bond-store.ts");
  expect(bonds.sources.filter((id) => /^src\/(capture|controller|device|gatt|mcumgr|mgmt|testing)\/|noble/.test(id))).toEqual([]);
});

test("help that nobody reads, that finds no room or no answers, ends as any command does", async () => {
  const help = (await run("--help")).out;
  const closed = spawn(process.execPath, [main, "--help"], { env: environment(), stdio: ["ignore", "pipe", "pipe"] });
  closed.stdout.destroy();
  let err = "";
  closed.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  expect([await exitOf(closed), err]).toEqual([0, ""]);
  if (existsSync("/dev/full")) {
    const full = await open("/dev/full", "w");
    const child = spawn(process.execPath, [main, "--help"], { env: environment(), stdio: ["ignore", full.fd, "pipe"] });
    child.stderr!.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    expect([await exitOf(child), err]).toEqual([1, "jelling: standard output cannot be written: no space left on the device\n"]);
    await full.close();
  }
  const answers = join(main, "../answers.json");
  await rename(answers, `${answers}.away`);
  try {
    expect(await run("--help")).toEqual({ status: 0, out: help, err: "" });
    for (const others of ["{", "null", "{}", '{ "pieces": [], "helps": { "": [9, 1] } }']) {
      await writeFile(answers, others);
      expect(await run("--help"), others).toEqual({ status: 0, out: help, err: "" });
    }
    expect(await run("--version")).toEqual({ status: 0, out: `${packageJson.version}\n`, err: "" });
  } finally {
    await rename(`${answers}.away`, answers);
  }
});

test("npm start shows the demonstration from the sources, and says first what it does", async () => {
  const shown = await new Promise((resolve) => {
    execFile(process.execPath, [join(root, "bin/start.js"), "--seed", "3"], { env: environment(), cwd: state }, (error, out, err) =>
      resolve({ status: error?.code ?? 0, out, err }),
    );
  });
  expect(shown).toEqual({
    status: 0,
    out: expect.stringContaining(" 2 SAKE handshakes done "),
    err: "bundling the demonstration from its sources …\n",
  });
});

test("npm start where packages are not installed says which, and how to have them", async () => {
  const checkout = join(state, "checkout");
  for (const part of ["bin", "rolldown.config.js", "package.json"]) await cp(join(root, part), join(checkout, part), { recursive: true });
  await mkdir(join(checkout, "apps/cli/src"), { recursive: true });
  await writeFile(join(checkout, "apps/cli/src/process.ts"), 'export * from "commander";\n');
  const says = (missing: string) => ({
    status: 1,
    err: `bundling the demonstration from its sources …\n${missing} is not installed: run npm ci first\n`,
  });
  const start = (): Promise<unknown> =>
    new Promise((resolve) => {
      execFile(process.execPath, [join(checkout, "bin/start.js")], { env: environment() }, (error, _, err) =>
        resolve({ status: error?.code, err }),
      );
    });
  expect(await start()).toEqual(says("rolldown"));
  await mkdir(join(checkout, "node_modules"));
  await symlink(join(root, "node_modules/rolldown"), join(checkout, "node_modules/rolldown"), "junction");
  expect(await start()).toEqual(says("commander"));
});

test("SIGINT and SIGTERM end a command with status 130, cleanly", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const child = spawn(process.execPath, [main, "scan", "-t", "sim:", "--json", "--timeout", "60s"], { env: environment() });
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill(signal);
    expect(await exitOf(child)).toBe(130);
    expect(err).toBe("");
  }
});

test("mgmt needs no terminal and no standard input, and ends by itself", async () => {
  for (const words of [
    "info --json",
    "power off",
    "monitor.add-pattern 0x16:0:0f18",
    "advertise --name A --keep",
    "find --timeout 500ms",
  ]) {
    const child = spawn(process.execPath, [main, "mgmt", "-t", "sim:", ...words.split(" ")], {
      env: environment(),
      stdio: ["ignore", "pipe", "inherit"],
      timeout: PATIENCE_MS,
    });
    expect(await exitOf(child), words).toBe(0);
  }
  const child = spawn(process.execPath, [main, "mgmt", "-t", "sim:", "watch", "--json"], { env: environment() });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGINT");
  expect(await exitOf(child)).toBe(130);
});

test("a reader that goes away ends a command quietly", async () => {
  const child = spawn(process.execPath, [main, "scan", "-t", "sim:", "--json", "--all", "--timeout", "60s"], { env: environment() });
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.stdout.destroy();
  expect(await exitOf(child)).toBe(0);
  expect(err).toBe("");
});

test("sim serves controllers that other processes use", async () => {
  const child = spawn(process.execPath, [main, "sim", "--tcp", "0", "--device", "battery", "--json"], { env: environment() });
  const lines = await new Promise<string[]>((resolve) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('"controller"')) resolve(text.trim().split("\n"));
    });
  });
  const { transport } = JSON.parse(lines.at(-1)!) as { transport: string };
  expect(transport).toMatch(/^tcp:127\.0\.0\.1:\d+$/);
  const scanned = await run("scan", "-t", transport, "--timeout", "1500ms", "--json");
  expect(scanned.status).toBe(0);
  expect(scanned.out).toContain('"Battery"');
  const read = await run("gatt", "read", "name:Battery", "2A19", "-t", transport, "--json");
  expect(JSON.parse(read.out)).toMatchObject({ uuid: "2a19", meaning: expect.stringMatching(/^\d+ %$/) });
  child.kill("SIGTERM");
  expect(await exitOf(child)).toBe(130);
});
