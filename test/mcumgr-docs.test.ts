import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../apps/cli/src/run.ts";
import { fakeIo, jelling } from "../apps/cli/test/fake-io.ts";
import { FastClock } from "../apps/cli/test/fast-clock.ts";
import { McumgrGroups } from "../src/mcumgr/index.ts";
import { readPage, runProgram } from "./support/documented-programs.ts";

const { page, programs } = readPage("mcumgr.md");
const transcripts = [...page.matchAll(/```console\n(.*?)```/gs)]
  .flatMap(([, text]) => text!.split(/^\$ jelling /m).filter(Boolean))
  .map((text) => ({ command: text.split("\n")[0]!, output: text.split("\n").slice(1).filter(Boolean) }));
/** What stands between a heading and the next. */
const section = (heading: string): string => page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";

let folder: string;
let port: number;
let serving: Promise<number>;
const server = fakeIo();
/** Of the device of `-t sim:`. */
const clock = new FastClock();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-docs-"));
  serving = main(["mcumgr", "serve", "--udp", "0", "--json", "--fast"], server);
  await server.saw('"serving"');
  port = (JSON.parse(server.out.text.split("\n")[0]!) as { port: number }).port;
});
afterAll(async () => {
  server.stop();
  await serving;
  clock[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

test("the page has programs and transcripts", () => {
  // That for a serial port is only compiled, with all others, by documents.test.ts; mcumgr-page-programs.test.ts runs those for a page.
  expect(page.split("```ts\n").length - 1 - programs.length).toBe(3);
  expect(programs.length).toBeGreaterThanOrEqual(10);
  expect(transcripts.length).toBeGreaterThanOrEqual(12);
});

test.each(programs)("program $number prints what the page says", async ({ code, output }) => {
  expect(await runProgram(code)).toBe(output);
});

test.each(transcripts)("jelling $command prints what the page says", async ({ command, output }) => {
  const here = (text: string): string => text.replace("app.bin", join(folder, "app.bin")).replace(":1337", `:${port}`);
  const { out, err } = await jelling(here(command), { clock, env: { XDG_STATE_HOME: folder } });
  const printed = (out + err).split("\n").filter(Boolean);
  // "…" stands for what is left out: lines, or the rest of one.
  const whole = output.at(-1) === "…" ? output.slice(0, -1) : output;
  for (const [i, line] of whole.entries()) {
    if (line.endsWith("…")) expect(printed[i]).toContain(line.slice(0, -1).trimEnd());
    else expect(printed[i]).toBe(here(line));
  }
  if (whole === output) expect(printed).toHaveLength(output.length);
});

test("an upgrade that is interrupted says what the page says, and the same line goes on", async () => {
  await jelling("mcumgr renew", { env: { XDG_STATE_HOME: folder } });
  const line = ["mcumgr", "upgrade", join(folder, "app.bin"), "-t", "sim:"];
  const io = fakeIo({ isTTY: true, clock, env: { XDG_STATE_HOME: folder } });
  const upgrading = main(line, io);
  await io.saw("█░", "err");
  io.stop();
  expect(await upgrading).toBe(130);
  const said = /^stopped at \d+ %.*$/m;
  const withoutShare = (text: string): string | undefined => said.exec(text)?.[0].replace(/\d+ %/, "N %");
  expect(withoutShare(page)).toBeDefined();
  expect(io.err.text.replace(/\d+ %/g, "N %")).toContain(withoutShare(page));
  const again = await jelling([...line, "--no-reset", "--json"], { clock, env: { XDG_STATE_HOME: folder } });
  expect(again.out).toMatch(/"resumedFrom":[1-9]/);
});

test.each(Object.entries(McumgrGroups).filter(([, { commands }]) => Object.keys(commands).length > 0))(
  "all commands of client.%s are in the table, and nothing else",
  (name, { commands }) => {
    const row = section("Commands")
      .split("\n")
      .find((line) => line.startsWith("|") && line.includes(`\`client.${name}\``));
    const methods = [...(row?.split("|")[2] ?? "").matchAll(/`([a-zA-Z]+)`/g)].map(([, method]) => method);
    if (row?.includes("`client.crash`, `client.run`"))
      expect(methods).toEqual([...Object.keys(McumgrGroups.crash.commands), ...Object.keys(McumgrGroups.run.commands)]);
    else expect(new Set(methods)).toEqual(new Set(Object.keys(commands)));
  },
);

test("the names of error codes on the page are names of error codes", async () => {
  const { errorEntry, RETURN_CODES } = await import("../src/mcumgr/protocol/codes.ts");
  const known = new Set<string>();
  for (const table of [RETURN_CODES, ...Object.values(McumgrGroups).map(({ errors }) => errors)])
    for (const rc of Object.keys(table)) known.add(errorEntry(table, Number(rc)).name);
  const rows = section("When something fails").split("| `rcName` |")[1]!.split("\n\n")[0]!;
  const names = [...rows.matchAll(/^\| `([A-Za-z]+)` \|/gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(8);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
});

// Cells of the table: what smpmgr has, what there is here.
const rows = section("From smpmgr")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| smpmgr"))
  .map((line) => line.split("|").slice(1, 3) as [string, string]);
/** "file upload" and "file hash" of "`file upload`, `hash`": later ones may leave out the first word. */
function commandsOf(cell: string): { words: string[]; options: string[] }[] {
  let head: string[] = [];
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text]) => {
    const options = text!.match(/--[a-z-]+/g) ?? [];
    const words = text!.split(" ").filter((word) => /^[a-z][a-z_-]*$/.test(word));
    if (words.length === 0) return [{ words: head, options }];
    const isWhole = groupNames.has(words[0]!);
    if (isWhole) head = words;
    return [{ words: isWhole ? words : [...head.slice(0, 1), ...words], options }];
  });
}
const groupNames = new Set([
  "upgrade",
  "image",
  "os",
  "file",
  "statistics",
  "enum",
  "ic",
  "shell",
  "settings",
  "zephyr",
  "scan",
  "ports",
  "renew",
  "serve",
  "raw",
]);
const promised = rows.flatMap(([there, here]) => [...(here.trim().startsWith("the same") ? commandsOf(there) : []), ...commandsOf(here)]);

test("every command and option that is set against smpmgr's exists", async () => {
  expect(promised.length).toBeGreaterThan(30);
  const common = (await jelling("mcumgr --help")).out;
  const missing: string[] = [];
  const known = new Map<string, string>();
  const help = async (line: string[]): Promise<string> => {
    const text = known.get(line.join(" ")) ?? (await jelling(["mcumgr", ...line, "--help"])).out;
    known.set(line.join(" "), text);
    return text;
  };
  for (const { words, options } of promised) {
    if (words.length > 0 && !groupNames.has(words[0]!)) continue; // of a program
    const asked = words.slice(0, words[0] === "shell" ? 1 : 2); // what follows are arguments
    const out = await help(asked);
    // Where there is no such command the help is that of what it would stand in.
    if (asked.length > 0 && out === (await help(asked.slice(0, -1)))) missing.push(asked.join(" "));
    for (const option of options) if (!(out + common).includes(option)) missing.push(`${asked.join(" ")} ${option}`);
  }
  expect(missing).toEqual([]);
});

/** smpmgr's commands, as its manual lists them, and what is to be typed here; what is written for the page's "FILE" and "HASH". */
const SMPMGR = [
  "upgrade FILE --slot 0 --confirm",
  "os echo MESSAGE",
  "os reset",
  "statistics list",
  "statistics get smp_svr_stats",
  "statistics fetch-all",
  "image state-read",
  "image state-write HASH",
  "image state-write --confirm",
  "image state-write HASH --confirm",
  "image upload FILE",
  "image upload FILE --force",
  "image erase 1",
  "file upload FILE /lfs1/up.bin",
  "file download /lfs1/hello.txt DEST",
  "file read-size /lfs1/hello.txt",
  "file get-hash /lfs1/hello.txt",
  "file get-supported-hash-types",
  "enum get-supported-groups",
  "enum get-group-details 0 1",
  "shell kernel version",
  "upgrade FILE --image 0 --dry-run",
  "upgrade FILE --image 0 --permanent --no-reset",
];

test.each(SMPMGR)("jelling mcumgr %s does what smpmgr's does", async (line) => {
  const options = { clock, env: { XDG_STATE_HOME: join(folder, "smpmgr") } };
  const file = join(folder, "other.bin");
  const run = async (words: string) => await jelling(["mcumgr", ...words.split(" "), "-t", "sim:"], options);
  await jelling(["mcumgr", "renew"], options);
  await jelling(["mcumgr", "image", "create", file, "2.0.0", "--size", "2000"], options);
  let hash = "";
  if (line.includes("HASH")) {
    await run(`image upload ${file}`);
    hash = /"version":"2\.0\.0",.*"hash":"([0-9a-f]{64})"/.exec((await run("image state --json")).out)![1]!;
  }
  const { status, out, err } = await run(line.replace("FILE", file).replace("HASH", hash).replace("DEST", join(folder, "down.txt")));
  expect([status, err]).toEqual([0, ""]);
  expect(out).not.toBe("");
});
