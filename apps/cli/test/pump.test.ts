import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKeyDatabase, inventKeys } from "@jelling/minimed";
import { readBtsnoop } from "jelling/capture";
import { Address, SeededRandom } from "jelling/core";
import { FileBondStore } from "jelling/node";
import { createBond } from "jelling/smp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));
const run = (...argv: string[]) => jelling(argv, { env: { XDG_STATE_HOME: folder } });

const database = () => buildKeyDatabase(inventKeys(new SeededRandom(3)).phone);

test("the demonstration ends with the glucose and two handshakes, the same every time", async () => {
  const first = await run("pump", "demo", "--seed", "7");
  expect([first.status, first.err]).toEqual([0, ""]);
  expect(first.out).toMatch(/glucose \d+ mg\/dL/);
  expect(first.out).toContain("2 SAKE handshakes done");
  expect((await run("pump", "demo", "--seed", "7")).out).toBe(first.out);
  expect((await run("pump", "demo", "--seed", "8")).out).not.toBe(first.out);
});

test.each(["README.md", "docs/cli.md", "docs/pump.md"])("%s shows what the demonstration prints, times included", async (page) => {
  const text = await readFile(join(import.meta.dirname, "../../..", page), "utf8");
  const block = text
    .match(/^ +0\.000 s {2}user .*?(?=^```$)/ms)?.[0]
    .trimEnd()
    .split("\n");
  expect(block, "a transcript of the demonstration").toBeDefined();
  const printed = (await jelling("pump demo", {})).out.trimEnd().split("\n");
  // A page leaves lines out, and marks with … where it leaves out many; those it has are there, in this order, from the first to the last.
  const shown = block!.filter((line) => line !== "…");
  let at = -1;
  for (const line of shown) {
    at = printed.indexOf(line, at + 1);
    expect(at, `printed, in its place: ${line}`).toBeGreaterThan(-1);
  }
  expect([shown[0], shown.at(-1)]).toEqual([printed[0], printed.at(-1)]);
});

test("the demonstration as JSON and on a terminal of 80 columns", async () => {
  const json = await run("pump", "demo", "--json");
  const lines = json.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ timeMs: 0, actor: "user" });
  expect(lines.at(-1)).toMatchObject({ type: "result", handshakes: 2 });
  const shown = await jelling("pump demo", { isTTY: true, env: { NO_COLOR: "1" } });
  for (const line of shown.out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});

test("a capture of the demonstration is the same every time, octet for octet", async () => {
  const files = [join(folder, "a.btsnoop"), join(folder, "b.btsnoop")];
  for (const file of files) expect((await run("pump", "demo", "--capture", file)).status).toBe(0);
  const [a, b] = await Promise.all(files.map((file) => readFile(file)));
  expect(readBtsnoop(new Uint8Array(a!)).length).toBeGreaterThan(200);
  expect(a!.equals(b!)).toBe(true);
});

test("a demonstration in real time stops when asked to", async () => {
  const io = fakeIo({ env: { XDG_STATE_HOME: folder } });
  const done = main(["pump", "demo", "--real-time"], io);
  await io.saw("asks to pair");
  io.stop();
  expect(await done).toBe(130);
  expect(io.err.text).toBe("");
});

test("a key database is checked without a key being shown", async () => {
  const file = join(folder, "keys");
  await writeFile(file, database(), { mode: 0o600 });
  const { status, out } = await run("pump", "keys", file);
  expect([status, out]).toEqual([0, "key database of a mobile application (4), with keys for insulin pump (1)\n"]);
});

test.each<[string, (good: Uint8Array) => Uint8Array | undefined, string]>([
  ["missing", () => undefined, "is missing: no such file"],
  ["empty", () => new Uint8Array(0), "the file is empty"],
  ["cut", (good) => good.subarray(0, 40), "truncated|short|cut|ends"],
  ["damaged", (good) => good.map((octet, i) => (i === 20 ? octet ^ 1 : octet)), "CRC"],
  ["text of something else", () => new TextEncoder().encode("these are not the keys"), "."],
])("a key database that is %s is told in one sentence, before anything is opened", async (name, spoil, expected) => {
  const file = join(folder, `${name}.bin`);
  const content = spoil(database());
  if (content) await writeFile(file, content, { mode: 0o600 });
  for (const command of [
    ["pump", "keys", file],
    ["pump", "pair", "--keys", file, "-t", "hci:0"],
    ["pump", "read", "--keys", file, "-t", "sim:"],
  ]) {
    const { status, out, err } = await run(...command);
    expect(err).toMatch(new RegExp(expected, "i"));
    expect(err.trim().split("\n")).toHaveLength(1);
    expect([status, out]).toEqual([1, ""]);
  }
});

test("reading without a bond says to pair first", async () => {
  const file = join(folder, "keys2");
  await writeFile(file, database(), { mode: 0o600 });
  const { status, err } = await run("pump", "read", "--keys", file, "-t", "sim:battery");
  expect(status).toBe(1);
  expect(err).toMatch(/^jelling: .*(pair|bond)/i);
  expect(err.trim().split("\n")).toHaveLength(1);
});

test("a key database that other users can read is refused with what helps", async () => {
  const file = join(folder, "open keys");
  await writeFile(file, database());
  for (const [mode, shown] of [
    [0o644, "0644"],
    [0o640, "0640"],
    [0o602, "0602"],
  ] as const) {
    await chmod(file, mode);
    const { status, err } = await run("pump", "keys", file);
    expect([status, err]).toEqual([
      1,
      `jelling: the key database ${file} is open to other users (mode ${shown}): chmod 600 ${JSON.stringify(file)}\n`,
    ]);
  }
  await chmod(file, 0o400);
  expect((await run("pump", "keys", file)).status).toBe(0);
});

test("pairing with a bond at hand says what there is and what to type, at once", async () => {
  const file = join(folder, "keys3");
  await writeFile(file, database(), { mode: 0o600 });
  const key = { key: new Uint8Array(16).fill(1), ediv: 1, rand: new Uint8Array(8), keySize: 16 };
  await new FileBondStore(join(folder, "jelling", "sim", "pump-bonds.json")).save(
    createBond({
      identity: Address.from("00:23:F7:01:02:03"),
      localLtk: key,
      localIrkDistributed: true,
      authenticated: false,
      secureConnections: false,
    }),
  );
  const { status, out, err } = await run("pump", "pair", "--keys", file, "-t", "sim:battery");
  expect([status, out]).toEqual([1, ""]);
  expect(err).toMatch(/^jelling: there is a bond with a pump already: jelling pump read .*; jelling pump pair --anew .*\n$/);
});
