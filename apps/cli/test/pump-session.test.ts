import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKeyDatabase, inventKeys } from "@jelling/minimed";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// `jelling pump pair` and `read` with the simulated pump of `sim:pump`, from end to end.

/** As the command's simulated pump has it. */
const SEED = 1;
const digits = "3894555";
const [serial, name] = [`NG${digits}H`, `Pump ${digits}H`];
const clock = new FastClock();
let folder: string;
let keys: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
  keys = join(folder, "keys.bin");
  await writeFile(keys, buildKeyDatabase(inventKeys(new SeededRandom(SEED, "keys of the simulated pump")).phone), { mode: 0o600 });
});
afterAll(() => {
  clock[Symbol.dispose]();
  return rm(folder, { recursive: true });
});
const pair = (state: string, ...more: string[]) =>
  jelling(["pump", "pair", "--keys", keys, "-t", "sim:pump", ...more], { clock, env: { XDG_STATE_HOME: join(folder, state) } });

/** A text in every form in which it may stand among octets. */
function formsOf(text: string): Map<string, Buffer> {
  const ascii = Buffer.from(text, "latin1");
  const wide = Buffer.from(text, "utf16le");
  const forms = new Map<string, Buffer>([
    ["ASCII", ascii],
    ["UTF-16", wide],
    ["UTF-16 of the other order", Buffer.from(wide).swap16()],
    ["backwards", Buffer.from(ascii).reverse()],
  ]);
  for (const [form, octets] of [...forms])
    for (const written of [toHex(octets), toHex(octets).toUpperCase(), octets.toString("base64")])
      forms.set(`${form} as ${written}`, Buffer.from(written));
  return forms;
}
const foundIn = (content: Buffer, text: string): string[] =>
  [...formsOf(text)].filter(([, octets]) => content.includes(octets)).map(([form]) => form);

test.each(["btsnoop"])("neither what is printed nor a capture (%s) has the pump's serial number, in any form", async (ending) => {
  const file = join(folder, `pair.${ending}`);
  const { status, out, err } = await pair(ending, "--json", "--log", "debug", "--capture", file);
  expect([status, out.includes('"glucose"')]).toEqual([0, true]);
  const capture = await readFile(file);
  expect(capture.length).toBeGreaterThan(5000);
  for (const [what, content] of Object.entries({ out: Buffer.from(out), err: Buffer.from(err), capture }))
    for (const secret of [digits, serial, name]) expect(foundIn(content, secret), `${what}: ${secret}`).toEqual([]);
  // Times are to the microsecond.
  for (const text of out.match(/"timeMs":[\d.]+/g)!) expect(text).toMatch(/^"timeMs":\d+(\.\d{1,3})?$/);
});

test("with --secrets a capture has the serial number, so that the search finds it, and what is printed still has not", async () => {
  const file = join(folder, "open.btsnoop");
  const open = await pair("open", "--json", "--capture", file, "--secrets");
  expect(open.status).toBe(0);
  expect(foundIn(await readFile(file), digits)).toContain("ASCII");
  expect(foundIn(Buffer.from(open.out), digits)).toEqual([]);
});

test("docs/cli.md shows what pairing with a simulated pump and reading it print", async () => {
  const page = await readFile(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");
  const [, paired, read] =
    /^\$ jelling pump pair --keys \S+ -t tcp:\S+\n(.*?)^\$ jelling pump read --keys \S+ -t tcp:\S+\n(.*?)^```$/ms.exec(page)!;
  const outcome = await pair("docs");
  // The times and the glucose are another run's.
  const shape = (line: string): string => line.replace(/^ *[\d.]+ s/, "").replace(/glucose .*/, "glucose");
  const printed = outcome.out.trimEnd().split("\n").map(shape);
  const shown = paired!
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "…")
    .map(shape);
  expect(shown.length).toBeGreaterThan(4);
  let at = -1;
  for (const line of shown) {
    at = printed.indexOf(line, at + 1);
    expect(at, `printed, in its place: ${line}`).toBeGreaterThan(-1);
  }
  expect(shown[0]).toBe(printed[0]);
  // The pump of `sim:pump` forgets its phone with the process, so reading ends before it comes.
  const waiting = await jelling(["pump", "read", "--keys", keys, "-t", "sim:pump", "--timeout", "1s"], {
    clock,
    env: { XDG_STATE_HOME: join(folder, "docs") },
  });
  expect(waiting.status).toBe(1);
  expect(shape(read!.split("\n")[0]!)).toBe(shape(waiting.out.split("\n")[0]!));
});
