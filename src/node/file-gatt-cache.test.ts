import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CachedDatabase } from "../gatt/index.ts";
import { defaultGattCachePath, FileGattCache } from "./file-gatt-cache.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-gatt-cache-"));
  path = join(folder, "deep", "gatt-cache.json");
});
afterEach(() => rm(folder, { recursive: true }));

const database = (handle: number): CachedDatabase => ({
  trust: 2,
  hash: "0f".repeat(16),
  bond: "01020304",
  watched: true,
  description: { services: [{ uuid: "180f", handle, endHandle: handle, primary: true, includes: [], characteristics: [] }] },
});

test("what is saved is there for the next process, in a file that only its owner can read", async () => {
  const cache = new FileGattCache(path);
  expect(await cache.load("peer:x")).toBeUndefined();
  await cache.save("peer:x", database(1));
  await cache.save("hash:y", database(2));
  await cache.save("peer:x", database(3));
  const next = new FileGattCache(path);
  expect(await next.load("peer:x")).toEqual(database(3));
  expect(await next.load("hash:y")).toEqual(database(2));
  await next.delete("peer:x");
  expect([await cache.load("peer:x"), await cache.load("hash:y")]).toEqual([undefined, database(2)]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "deep"))).toEqual(["gatt-cache.json"]);
});

test("several processes at once lose nothing", async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => new FileGattCache(path).save(`peer:${i}`, database(i + 1))));
  const { entries } = JSON.parse(await readFile(path, "utf8")) as { entries: unknown[] };
  expect(entries).toHaveLength(8);
});

test("the oldest are forgotten, in what another process has written as well", async () => {
  const many = new FileGattCache(path, { maxEntries: 10 });
  for (const key of ["a", "b", "c", "a"]) await many.save(key, database(1));
  const few = new FileGattCache(path, { maxEntries: 2 });
  expect(await Promise.all(["a", "b", "c"].map(async (key) => (await few.load(key)) !== undefined))).toEqual([true, false, true]);
  await few.save("d", database(1));
  expect(await many.load("c")).toBeUndefined();
  expect(() => new FileGattCache(path, { maxEntries: 0 })).toThrow(/maxEntries/);
});

test.each(["", "{", "null", "[]", '{"version":2,"entries":[]}', '{"version":1}', '{"version":1,"entries":{}}'])(
  "a file that holds %j is taken for none, and written over",
  async (content) => {
    await mkdir(join(folder, "deep"));
    await writeFile(path, content);
    const cache = new FileGattCache(path);
    expect(await cache.load("peer:x")).toBeUndefined();
    await cache.save("peer:x", database(1));
    expect(await cache.load("peer:x")).toEqual(database(1));
  },
);

test("an entry that cannot be understood is none; the others are there", async () => {
  const cache = new FileGattCache(path);
  await cache.save("peer:x", database(1));
  const content = JSON.parse(await readFile(path, "utf8")) as { entries: unknown[] };
  const bad = { ...database(1), description: { services: [{ uuid: "180f", handle: 9, endHandle: 1 }] } };
  content.entries.push(null, 7, { key: 1, database: database(1) }, { key: "bad", database: bad }, { key: "none" });
  await writeFile(path, JSON.stringify(content));
  expect([await cache.load("bad"), await cache.load("none"), await cache.load("peer:x")]).toEqual([undefined, undefined, database(1)]);
});

test("what is no database is not written", async () => {
  const cache = new FileGattCache(path);
  await expect(cache.save("peer:x", { trust: 5 } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(await cache.load("peer:x")).toBeUndefined();
});

test.runIf(process.getuid?.() !== 0)("where nothing can be written a save rejects, and what was there stays", async () => {
  const cache = new FileGattCache(path);
  await cache.save("peer:x", database(1));
  await chmod(join(folder, "deep"), 0o500);
  await expect(cache.save("peer:x", database(2))).rejects.toMatchObject({ code: "ERR_FILE", reason: "io" });
  expect(await cache.load("peer:x")).toEqual(database(1));
  await expect(cache.delete("peer:x")).rejects.toMatchObject({ code: "ERR_FILE" });
  await chmod(join(folder, "deep"), 0o700);
});

test("what is no file - a pipe, a device - is neither waited for nor replaced nor taken away", {
  skip: process.platform === "win32",
}, async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", ["-m", "666", pipe]);
  const { mode } = await stat(pipe);
  const cache = new FileGattCache(pipe);
  const refused = { code: "ERR_FILE", reason: "io", message: `${pipe} cannot be read: it is no file` };
  await expect(cache.load("peer:x")).rejects.toMatchObject(refused);
  await expect(cache.save("peer:x", database(1))).rejects.toMatchObject(refused);
  await expect(cache.delete("peer:x")).rejects.toMatchObject(refused);
  const after = await stat(pipe);
  expect([after.isFIFO(), after.mode]).toEqual([true, mode]);
});

test("what is deleted is gone where the file cannot be written again: with the file", async () => {
  const cache = new FileGattCache(path);
  await cache.save("peer:x", database(1));
  // A lock that is held: nothing is written.
  await writeFile(`${path}.lock`, String(process.pid));
  let now = 0;
  const clock = {
    now: () => (now += 6000),
    setTimer: (_delayMs: number, _name: string, fire: () => void) => {
      queueMicrotask(fire);
      return { [Symbol.dispose]: () => undefined };
    },
  };
  await new FileGattCache(path, { clock }).delete("peer:x");
  expect(await cache.load("peer:x")).toBeUndefined();
});

test("by default it is in the cache folder", () => {
  expect(defaultGattCachePath()).toMatch(/jelling[/\\]gatt-cache\.json$/);
});
