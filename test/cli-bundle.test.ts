import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";

// The command as a process: built as it is published, but with the library from its sources, so that no build has to come first.
const root = fileURLToPath(new URL("..", import.meta.url));
let main: string;
let state: string;

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
  await bundle.write({ dir: folder, format: "esm" });
  main = join(folder, "main.js");
}, 60_000);
afterAll(async () => {
  await rm(join(main, ".."), { recursive: true });
  await rm(state, { recursive: true });
});

const environment = () => ({ ...process.env, XDG_STATE_HOME: state, JELLING_TRANSPORT: "", NO_COLOR: "" });

function run(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...argv], { env: environment() }, (error, out, err) =>
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

test("help is quick: nothing of the stack is loaded", async () => {
  let best = Number.POSITIVE_INFINITY;
  let bare = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    let start = performance.now();
    await run("--help");
    best = Math.min(best, performance.now() - start);
    start = performance.now();
    await new Promise((resolve) => execFile(process.execPath, ["-e", "0"], resolve));
    bare = Math.min(bare, performance.now() - start);
  }
  // Node itself takes what it takes on this machine; the command adds little to it.
  expect(best - bare).toBeLessThan(150);
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
      timeout: 10_000,
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
