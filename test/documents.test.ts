import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkTypes, readPage, runProgram } from "./support/documented-programs.ts";
import { isFull, leaveOut } from "./support/left-out.ts";

const root = join(import.meta.dirname, "..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
  "apps/minimed/README.md",
  "bench/README.md",
].filter((name) => name.endsWith(".md"));

/** Every program of a page, by a file name that says where it stands. */
function programsOf(page: string): [string, string][] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```([tj]s)\n(.*?)^```$/gms)].map(([, language, code], i) => [
    `${page.replaceAll("/", "-")}-${i + 1}.${language}`,
    code!,
  ]);
}

if (!isFull) leaveOut("type check of every program of the documents (JELLING_ROBUSTNESS=full has it)");
test.runIf(isFull)(
  "every program of the documents compiles",
  async () => {
    const programs = new Map(pages.flatMap(programsOf));
    expect(programs.size).toBeGreaterThan(12);
    // A program at the end of a page leaves its results to the reader.
    expect(await checkTypes(programs)).toEqual([]);
  },
  120_000,
);

// docs/mgmt.md and docs/air.md have tests of their own.
const shown = [
  "README.md",
  "docs/pump.md",
  "docs/transports.md",
  "docs/security.md",
  "docs/captures.md",
  "docs/l2cap.md",
  "docs/micropython.md",
  "docs/profiles.md",
  "docs/webbluetooth.md",
  "apps/minimed/README.md",
].flatMap((page) => readPage(page === "README.md" ? "./README.md" : page).programs.map((program) => ({ page, ...program })));

/** A heart beats as it likes in real time. */
const withoutChance = (text: string): string => text.replace(/\d+ bpm/g, "N bpm");

test("the programs that print something are found", () => {
  expect(shown.map(({ page }) => page)).toEqual(expect.arrayContaining(["README.md", "docs/pump.md"]));
});

test.each(shown)(
  "$page: program $number prints what the page says",
  async ({ code, output }) => {
    expect(withoutChance(await runProgram(code))).toBe(withoutChance(output));
  },
  60_000,
);
