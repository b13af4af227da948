import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { withProgram } from "../../../test/support/documented-programs.ts";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import { syncHistory } from "../src/store/sync.ts";
import { HistoryMaker, MadeSource } from "./made-history.ts";
import { keptOctets, NOW_MS, openStore, SERIAL, TemporaryFolder } from "./temporary-store.ts";

// Processes of their own, killed as the system kills: nothing of theirs runs any more.

const COUNT = isFull ? 100_000 : 1500;
const KILLS = isFull ? 25 : 2;
const MAKER = fileURLToPath(new URL("made-history.ts", import.meta.url));

const PROGRAM = `
import { PumpStore, syncHistory } from "@jelling/minimed/store";
import { HistoryMaker, MadeSource } from ${JSON.stringify(MAKER)};
const [task, path, ...others] = process.argv.slice(2);
if (task === "open") {
  // Who may do everything would be refused nothing; the library is loaded before.
  await import("node-sqlite3-wasm");
  if (process.getuid() === 0) {
    process.setgid(65534);
    process.setuid(65534);
  }
  for (const each of [path, ...others]) {
    const outcome = await PumpStore.open(each).then((store) => store.close(), (error) => error.code);
    process.stdout.write((outcome ?? "opened") + "\\n");
  }
} else {
  const store = await PumpStore.open(path);
  const source = new MadeSource(new HistoryMaker({ local: "2030-03-02T00:00:00" }).days(${COUNT}).records);
  process.stdout.write("begun\\n");
  // A turn of the event loop between pages, as a radio takes many.
  source.onTransfer = () => new Promise((resolve) => setImmediate(resolve));
  await syncHistory(store.pump(${JSON.stringify(SERIAL)}), source, {
    order: task,
    onProgress: () => process.stdout.write("page\\n"),
  });
  process.stdout.write("done\\n");
  store.close();
}
`;

/** Runs until so many pages were told, and is killed then. True: it was done before. */
async function killedAfter(file: string, path: string, task: string, pages: number): Promise<boolean> {
  const child: ChildProcess = spawn(process.execPath, [file, task, path], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  return await new Promise((resolve) => {
    child.stdout!.setEncoding("utf8");
    child.stdout!.on("data", (text: string) => {
      output += text;
      if (output.split("page").length > pages) child.kill("SIGKILL");
    });
    child.on("close", () => resolve(output.includes("done")));
  });
}

test("a program that is killed at any moment is followed by one that goes on", { timeout: 900_000 }, async () => {
  using folder = new TemporaryFolder();
  const path = folder.join("pump.sqlite");
  await withProgram(PROGRAM, async (file) => {
    for (let kill = 0; kill < KILLS; kill++) {
      const isDone = await killedAfter(file, path, kill % 2 ? "oldest" : "newest", 1 + ((kill * 7) % 3));
      if (kill < 2) expect(isDone).toBe(false);
      if (isDone) break;
      // As the process left it: its lock, its log, its claim.
      expect(readdirSync(folder.path)).toEqual(expect.arrayContaining(["pump.sqlite.lock", "pump.sqlite-wal"]));
    }
  });
  const { records } = new HistoryMaker({ local: "2030-03-02T00:00:00" }).days(COUNT);
  using store = await openStore(path);
  const history = store.pump(SERIAL);
  expect(history.recordCount).toBeGreaterThan(0);
  await syncHistory(history, new MadeSource(records), { clockDifference: { differenceS: 0, atMs: NOW_MS } });
  expect(keptOctets(history)).toEqual(records.map(({ bytes, record }) => [record.sequenceNumber, toHex(bytes)]));
  expect(history.gaps()).toEqual([]);
  expect(store.isSound()).toBe(true);
});

test("a living process keeps its database; who may not read or write is told", async () => {
  using folder = new TemporaryFolder();
  const path = folder.join("mine", "pump.sqlite");
  await withProgram(PROGRAM, async (file) => {
    const run = (...databases: string[]): string[] =>
      spawnSync(process.execPath, [file, "open", ...databases], { encoding: "utf8" })
        .stdout.trim()
        .split("\n");
    const store = await openStore(path);
    chmodSync(folder.path, 0o777);
    chmodSync(join(file, ".."), 0o755);
    chmodSync(folder.join("mine"), 0o777);
    for (const name of readdirSync(folder.join("mine"))) chmodSync(folder.join("mine", name), 0o777);
    const copy = (name: string, fileMode: number, folderMode: number): string => {
      mkdirSync(folder.join(name));
      cpSync(path, folder.join(name, "pump.sqlite"));
      chmodSync(folder.join(name, "pump.sqlite"), fileMode);
      chmodSync(folder.join(name), folderMode);
      return folder.join(name, "pump.sqlite");
    };
    mkdirSync(folder.join("closed"), { mode: 0o500 });
    const places = [path, copy("file", 0o444, 0o777), copy("folder", 0o666, 0o555), copy("hidden", 0o000, 0o777)];
    expect(run(...places, folder.join("closed", "new", "pump.sqlite"), folder.join("new", "pump.sqlite"))).toEqual([
      "ERR_PUMP_STORE_IN_USE",
      "ERR_PUMP_STORE_PERMISSION",
      "ERR_PUMP_STORE_PERMISSION",
      "ERR_PUMP_STORE_PERMISSION",
      "ERR_PUMP_STORE_PERMISSION",
      "opened",
    ]);
    store.close();
    for (const name of ["folder", "closed"]) chmodSync(folder.join(name), 0o755);
  });
});

test("a disk that is really full", async () => {
  using folder = new TemporaryFolder();
  const disk = folder.join("disk");
  mkdirSync(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=600k", "jelling", disk]).status !== 0) {
    leaveOut("a disk that is really full (mounting one needs root)");
    return;
  }
  try {
    const { records } = new HistoryMaker().days(4000);
    const expected = records.map(({ bytes, record }) => [record.sequenceNumber, toHex(bytes)]);
    using store = await openStore(join(disk, "pump.sqlite"));
    const history = store.pump(SERIAL);
    const source = new MadeSource(records);
    let pages = 0;
    await expect(syncHistory(history, source, { onProgress: ({ records: count }) => (pages = count) })).rejects.toMatchObject({
      code: "ERR_PUMP_STORE_FULL",
    });
    expect(pages).toBeGreaterThan(0);
    const kept = new Set(keptOctets(history).map((record) => record.join(" ")));
    expect(kept.size).toBe(pages);
    expect(expected.filter((record) => kept.has(record.join(" ")))).toHaveLength(pages);
    // A database cannot be made at all, and nothing of it is left.
    writeFileSync(join(disk, "other"), "");
    await expect(openStore(join(disk, "new.sqlite"))).rejects.toMatchObject({ code: "ERR_PUMP_STORE_FULL" });
    expect(readdirSync(disk).filter((name) => name.includes("new"))).toEqual([]);
    expect(spawnSync("mount", ["-o", "remount,size=20m", disk]).status).toBe(0);
    await syncHistory(history, source);
    expect(keptOctets(history)).toEqual(expected);
    expect(store.isSound()).toBe(true);
  } finally {
    spawnSync("umount", ["-l", disk]);
  }
});
