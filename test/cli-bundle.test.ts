import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// The command as a process: built as it is published, but with the library from its sources, so that no build has to come first.
// However slow the machine is: a process that hangs ends the test, one that is slow does not.
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: PATIENCE_MS });
const root = fileURLToPath(new URL("..", import.meta.url));
let main: string;
let state: string;
/** Which sources each file of the bundle holds. */
const modules = new Map<string, string[]>();

beforeAll(async () => {
  const folder = await mkdtemp(join(root, "node_modules", ".cli-test-"));
  state = await mkdtemp(join(tmpdir(), "jelling-"));
  const conditionNames = ["@jelling/source", "import", "default"];
  const bundle = await rolldown({
    input: { main: join(root, "apps/cli/src/main.ts") },
    platform: "node",
    external: [/^node:/, "koffi"],
    resolve: { conditionNames },
    transform: { target: "node20" },
    cwd: root,
  });
  const { output } = await bundle.write({ dir: folder, format: "esm" });
  for (const chunk of output)
    if (chunk.type === "chunk")
      modules.set(
        chunk.fileName,
        chunk.moduleIds.map((id) => relative(root, id)),
      );
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
  const failed = await run("decode", "/nonexistent");
  expect(failed).toEqual({ status: 1, out: "", err: "jelling: /nonexistent: no such file or folder\n" });
});

test("help loads nothing of the stack", async () => {
  // Each module that Node loads is told on standard error, by the loader's own thread.
  const tell =
    "import { writeSync } from 'node:fs'; export async function load(url, context, next) { writeSync(2, url + '\\n'); return next(url, context); }";
  const register = `import { register } from "node:module"; register("data:text/javascript,${encodeURIComponent(tell)}");`;
  const { status, err } = await run({ NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(register)}"` }, "--help");
  expect(status).toBe(0);
  const files = err
    .split("\n")
    .filter((url) => url.startsWith("file:"))
    .map((url) => basename(fileURLToPath(url)));
  expect(files).toContain("main.js");
  const loaded = files.flatMap((file) => modules.get(file) ?? []);
  expect(loaded).toContain("apps/cli/src/program.ts");
  expect(loaded.filter((id) => /^src\/(?!core\/|async\/)|noble|koffi|apps\/minimed/.test(id))).toEqual([]);
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
