import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VirtualClock } from "../async/virtual-clock.ts";
import { Address } from "../core/address.ts";
import { SeededRandom } from "../core/random.ts";
import { MemoryBondStore } from "../gap/index.ts";
import type { Bond } from "../smp/index.ts";
import { FileBondStore } from "./file-bond-store.ts";
import { openIdentity } from "./file-identity.ts";
import { cacheFolder, configFolder, dataFolder, stateFolder } from "./folders.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-test-"));
  path = join(folder, "state", "bonds.json");
});
afterEach(() => rm(folder, { recursive: true }));

const identity = (octet: number) => new Address(Uint8Array.of(octet, 0, 0, 0, 0, 0), 0);
const key = (octet: number) => new Uint8Array(16).fill(octet);
const bond = (octet: number, more: Partial<Bond> = {}): Bond => ({
  identity: identity(octet),
  peerLtk: { key: key(octet), ediv: 0x1234, rand: new Uint8Array(8).fill(octet), keySize: 16 },
  peerIrk: key(octet + 1),
  localIrkDistributed: true,
  authenticated: true,
  secureConnections: false,
  cccd: { 12: 1, 15: 2 },
  ...more,
});
const all = async (store: FileBondStore) => {
  const found: Bond[] = [];
  for await (const each of store.all()) found.push(each);
  return found;
};
const mode = async (file: string) => (await stat(file)).mode & 0o777;

test("a missing file is an empty store", async () => {
  const store = new FileBondStore(path);
  expect(await store.load(identity(1))).toBeUndefined();
  expect(await all(store)).toEqual([]);
  await store.delete(identity(1));
});

test("bonds come back as they were saved", async () => {
  await new FileBondStore(path).save(bond(1));
  await new FileBondStore(path).save(bond(2, { name: "watch" }));
  const store = new FileBondStore(path);
  expect({ ...(await store.load(identity(1))) }).toEqual({ ...bond(1) });
  expect((await all(store)).map(({ name }) => name)).toEqual([undefined, "watch"]);
  await store.save(bond(1, { cccd: {} }));
  expect((await store.load(identity(1)))?.cccd).toEqual({});
  await store.delete(identity(1));
  expect((await all(store)).map(({ identity: { bytes } }) => bytes[0])).toEqual([2]);
});

test("nobody else can read the file or its folder, even if it was open to all before", async () => {
  const store = new FileBondStore(path);
  await store.save(bond(1));
  expect(await mode(path)).toBe(0o600);
  expect(await mode(join(folder, "state"))).toBe(0o700);
  await chmod(path, 0o644);
  await store.load(identity(1));
  expect(await mode(path)).toBe(0o600);
  await chmod(path, 0o644);
  await store.save(bond(2));
  expect(await mode(path)).toBe(0o600);
});

test("many changes at once, also through several stores, are all kept, and nothing else is left in the folder", async () => {
  const stores = [new FileBondStore(path), new FileBondStore(path)];
  await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]!.save(bond(i + 1))));
  expect(await all(stores[0]!)).toHaveLength(20);
  await Promise.all(Array.from({ length: 10 }, (_, i) => stores[i % 2]!.delete(identity(i + 1))));
  expect(await all(stores[1]!)).toHaveLength(10);
  expect(await readdir(join(folder, "state"))).toEqual(["bonds.json"]);
});

describe("a damaged file", () => {
  const damages: [name: string, content: (good: string) => string][] = [
    ["cut off", (good) => good.slice(0, good.length / 2)],
    ["empty", () => ""],
    ["not JSON", () => "hello"],
    ["JSON of something else", () => "[1, 2]"],
    ["null", () => "null"],
    ["a later version", (good) => good.replace('"version": 1', '"version": 2')],
    ["without bonds", () => '{"version":1}'],
    ["with a key cut off", (good) => good.replace("0101", "")],
    ["with an address that is none", (good) => good.replace("00:00:00:00:00:01/public", "nowhere")],
  ];
  test.each(damages)("%s is named, not quoted, and never written over", async (_name, damage) => {
    const store = new FileBondStore(path);
    await store.save(bond(1));
    const damaged = damage(await readFile(path, "utf8"));
    await writeFile(path, damaged);
    const operations = [() => store.load(identity(1)), () => store.save(bond(2)), () => store.delete(identity(1)), () => all(store)];
    for (const operation of operations) {
      const error = await operation().then(
        () => undefined,
        (thrown: unknown) => thrown as Error,
      );
      expect(error).toMatchObject({ code: "ERR_FILE", reason: "damaged", path });
      expect(error!.message).toContain(path);
      expect(error!.message).not.toMatch(/0101|0202/);
    }
    expect(await readFile(path, "utf8")).toBe(damaged);
    expect(await readdir(join(folder, "state"))).toEqual(["bonds.json"]);
  });
});

test("a folder in the place of the file is an error that names it", async () => {
  await expect(new FileBondStore(folder).save(bond(1))).rejects.toMatchObject({ code: "ERR_FILE", reason: "io", path: folder });
});

test("the lock of a dead process is taken over, that of a living one is waited for and named", async () => {
  const store = new FileBondStore(path);
  await store.save(bond(1));
  const { stdout } = await promisify(execFile)(process.execPath, ["-p", "process.pid"]);
  await writeFile(`${path}.lock`, stdout.trim());
  await store.save(bond(2));
  expect(await readdir(join(folder, "state"))).toEqual(["bonds.json"]);
  await writeFile(`${path}.lock`, String(process.ppid));
  using clock = new VirtualClock();
  await expect(new FileBondStore(path, { clock }).save(bond(3))).rejects.toMatchObject({ code: "ERR_FILE", reason: "locked" });
  expect(await all(store)).toHaveLength(2);
});

test("the identity is made up once and kept", async () => {
  const file = join(folder, "identity.json");
  const made = await Promise.all([openIdentity(file, new SeededRandom(1)), openIdentity(file, new SeededRandom(2))]);
  expect(made[0]).toEqual(made[1]);
  expect(made[0].address.isStaticRandom).toBe(true);
  expect(made[0].irk).toHaveLength(16);
  expect(await openIdentity(file)).toEqual(made[0]);
  expect(await mode(file)).toBe(0o600);
});

test.each(["{", "{}", '{"version":1,"address":"00:00:00:00:00:01/public","irk":"00"}'])(
  "a damaged identity %s is not written over",
  async (text) => {
    const file = join(folder, "identity.json");
    await writeFile(file, text);
    await expect(openIdentity(file)).rejects.toMatchObject({ code: "ERR_FILE", reason: "damaged", path: file });
    expect(await readFile(file, "utf8")).toBe(text);
  },
);

test("folders are those of the XDG Base Directory Specification", () => {
  expect(stateFolder({ XDG_STATE_HOME: "/s" })).toBe("/s/jelling");
  expect(configFolder({ XDG_CONFIG_HOME: "/c" })).toBe("/c/jelling");
  expect(dataFolder({ XDG_DATA_HOME: "relative" })).toMatch(/\/\.local\/share\/jelling$/);
  expect(cacheFolder({})).toMatch(/\/\.cache\/jelling$/);
});

test.each<[string, unknown]>([
  ["no bond", undefined],
  ["an identity as text", { ...bond(1), identity: "00:00:00:00:00:01" }],
  ["a key as text", { ...bond(1), peerIrk: "00" }],
  ["a name that is none", { ...bond(1), name: 5 }],
  ["a method that is none", { ...bond(1), method: "magic" }],
  ["a configuration of no handle", { ...bond(1), cccd: { 0: 1 } }],
  ["a configuration that is no number", { ...bond(1), cccd: { 5: "1" } }],
  ["what it configures, as a number", { ...bond(1), cccdOf: { 5: 1 } }],
  ["a mark that is no boolean", { ...bond(1), provisional: "yes" }],
])("%s is refused before anything is written, and the file can be read as before", async (_name, wrong) => {
  const store = new FileBondStore(path);
  await store.save(bond(9));
  await expect(store.save(wrong as Bond)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  await expect(new MemoryBondStore().save(wrong as Bond)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
  expect(await store.load(identity(9))).toBeDefined();
});
