import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
import type { BondStore } from "jelling/smp";
import { expect, test } from "vitest";
import { TemporaryFolder } from "../../test/temporary-store.ts";
import { pageToken, writePageUrl } from "./page-token.ts";
import { PumpNames } from "./pump-names.ts";

// What a service remembers between two runs.

function world() {
  const lines: string[] = [];
  const folder = new TemporaryFolder();
  const logger = new Logger("", LogLevel.Debug, (_level, _scope, line) => lines.push(line));
  return { folder, logger, lines, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}
const bondsOf = (...identities: readonly (string | { readonly provisional: string })[]): BondStore =>
  ({
    async *all() {
      for (const each of identities)
        yield typeof each === "string"
          ? { identity: { toString: () => each }, provisional: false }
          : { identity: { toString: () => each.provisional }, provisional: true };
    },
  }) as unknown as BondStore;

const A = "00:23:F7:00:00:0A (public)";
const B = "00:23:F7:00:00:0B (public)";
const NAME = (n: number): string => n.toString(16).padStart(16, "0");

test("which pump a bond belongs to is known in the next run, by a file that is its user's alone", async () => {
  using at = world();
  const path = at.folder.join("names.json");
  const names = await PumpNames.open(path, at.logger);
  expect(await names.expected(bondsOf(A), undefined)).toBeUndefined();
  await names.remember(A, NAME(1));
  await names.remember(B, NAME(2));
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ version: 1, pumps: { [A]: NAME(1), [B]: NAME(2) } });
  expect(statSync(path).mode & 0o077).toBe(0);
  const next = await PumpNames.open(path, at.logger);
  expect(await next.expected(bondsOf(A), undefined)).toBe(NAME(1));
  expect(at.lines).toEqual([]);
});

test("of two pumps none is expected, unless one was chosen; a bond that is not settled counts for nothing", async () => {
  using at = world();
  const names = await PumpNames.open(at.folder.join("names.json"), at.logger);
  await names.remember(A, NAME(1));
  await names.remember(B, NAME(2));
  expect(await names.expected(bondsOf(A, B), undefined)).toBeUndefined();
  expect(await names.expected(bondsOf(A, B), "00:23:f7:00:00:0b")).toBe(NAME(2));
  expect(await names.expected(bondsOf(A, B), "00:23:F7")).toBeUndefined();
  expect(await names.expected(bondsOf(A, B), "11:23:F7")).toBeUndefined();
  expect(await names.expected(bondsOf(A), "00:23:F7:00:00:0B")).toBeUndefined();
  expect(await names.expected(bondsOf(A, { provisional: B }), undefined)).toBe(NAME(1));
  expect(await names.expected(bondsOf(), undefined)).toBeUndefined();
});

test("bonds that cannot be read leave it unknown, and are told of", async () => {
  using at = world();
  const names = await PumpNames.open(at.folder.join("names.json"), at.logger);
  const broken = {
    all: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new TypeError("/home/somebody")) }) }),
  } as unknown as BondStore;
  expect(await names.expected(broken, undefined)).toBeUndefined();
  expect(at.lines).toEqual(["the bonds cannot be read: TypeError."]);
});

test("what is remembered does not grow: the pumps that came last stay, of another program's entries none", async () => {
  using at = world();
  const path = at.folder.join("names.json");
  const names = await PumpNames.open(path, at.logger);
  for (let i = 0; i < 32; i++) await names.remember(`pump ${i}`, NAME(i));
  await names.remember("pump 0", NAME(100)); // has another name, and came last
  await names.remember("pump 32", NAME(32));
  const kept = Object.keys((JSON.parse(readFileSync(path, "utf8")) as { pumps: object }).pumps);
  expect([kept.length, kept[0], kept.slice(-2)]).toEqual([32, "pump 2", ["pump 0", "pump 32"]]);
  const before = statSync(path, { bigint: true }).mtimeNs;
  await names.remember("pump 32", NAME(32)); // known already: nothing to write
  expect(statSync(path, { bigint: true }).mtimeNs).toBe(before);

  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`pump ${i}`, NAME(i)]));
  writeFileSync(
    path,
    JSON.stringify({ pumps: { ...many, "pump 38": "short", "pump 37": `x${NAME(1)}`, "pump 36": `${NAME(1)}x`, "pump 35": 7 } }),
  );
  const read = await PumpNames.open(path, at.logger);
  const has = async (identity: string): Promise<string | undefined> => read.expected(bondsOf(identity), undefined);
  expect([await has("pump 39"), await has("pump 8"), await has("pump 7")]).toEqual([NAME(39), NAME(8), undefined]);
  for (const wrong of ["pump 38", "pump 37", "pump 36", "pump 35"]) expect(await has(wrong)).toBeUndefined();
});

test.each(["{", "[]", "null", '{"pumps": null}', '{"pumps": 7}', "7"])("names of which only %j is left are made anew", async (content) => {
  using at = world();
  const path = at.folder.join("names.json");
  writeFileSync(path, content, { mode: 0o600 });
  const names = await PumpNames.open(path, at.logger);
  expect(at.lines).toEqual(content === "{" ? [`${path}: it is made anew: SyntaxError.`] : []);
  expect(await names.expected(bondsOf(A), undefined)).toBeUndefined();
  await names.remember(A, NAME(1));
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pumps: { [A]: NAME(1) } });
});

test("names that cannot be written are known as long as the service runs, and it is told", async () => {
  using at = world();
  writeFileSync(at.folder.join("file"), "");
  const path = at.folder.join("file", "names.json");
  const names = await PumpNames.open(path, at.logger);
  at.lines.length = 0;
  await names.remember(A, NAME(1));
  expect(await names.expected(bondsOf(A), undefined)).toBe(NAME(1));
  expect(at.lines).toEqual([expect.stringContaining(path)]);
});

test("the page's token is drawn once, is its user's alone, and stays", async () => {
  using at = world();
  const token = await pageToken(at.folder.path, new SeededRandom(1), at.logger);
  expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/); // 128 bits
  expect(await pageToken(at.folder.path, new SeededRandom(2), at.logger)).toBe(token);
  const file = at.folder.join("pump-page-token");
  expect(readFileSync(file, "utf8")).toBe(`${token}\n`);
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(at.lines).toEqual([]);
});

test.each(["", "short", "x".repeat(21), "x".repeat(129), `${"x".repeat(22)}!`, `!${"x".repeat(22)}`])(
  "a token that is none (%j) is drawn anew",
  async (content) => {
    using at = world();
    const file = at.folder.join("pump-page-token");
    writeFileSync(file, content, { mode: 0o600 });
    const token = await pageToken(at.folder.path, new SeededRandom(1), at.logger);
    expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(token).not.toBe(content);
    expect(readFileSync(file, "utf8")).toBe(`${token}\n`);
  },
);

test.each(["x".repeat(22), "-_".repeat(64)])(
  "a token that its user chose (%j) is kept, and taken from the eyes of others",
  async (known) => {
    using at = world();
    const file = at.folder.join("pump-page-token");
    writeFileSync(file, ` ${known}\n`);
    chmodSync(file, 0o644);
    expect(await pageToken(at.folder.path, new SeededRandom(1), at.logger)).toBe(known);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(` ${known}\n`);
  },
);

test("a token that cannot be kept serves this run, and it is told, without it", async () => {
  using at = world();
  mkdirSync(at.folder.join("pump-page-token"));
  const [first, second] = [1, 2].map((seed) => pageToken(at.folder.path, new SeededRandom(seed), at.logger));
  expect(await first).not.toBe(await second);
  expect(at.lines.at(-1)).toContain("page: its token is another one in every run: ");
  expect(at.lines.join()).not.toContain(await first);
});

test("the page's address with its token is in a file that is its user's alone", async () => {
  using at = world();
  await writePageUrl(at.folder.path, "http://127.0.0.1:8377/#secret");
  const file = at.folder.join("pump-page-url");
  expect(readFileSync(file, "utf8")).toBe("http://127.0.0.1:8377/#secret\n");
  expect(statSync(file).mode & 0o077).toBe(0);
});
