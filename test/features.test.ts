import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AREAS, type Feature } from "./features/table.ts";

// docs/features.md is made of the table, and holds no row whose test is not there. `npx vitest run test/features.test.ts -u` writes it anew.

const ROOT = join(import.meta.dirname, "..");
const features = AREAS.flatMap(({ features }) => features);

const cell = (text: string): string => text.replaceAll("|", "\\|");

function page(): string {
  const rows = AREAS.flatMap(({ name, features }) => [
    `## ${name}`,
    "",
    "| feature | test |",
    "| --- | --- |",
    ...features.map((each) => `| ${cell(each.name)} | \`${each.file}\`: ${cell(each.test.trim())} |`),
    "",
  ]);
  return [
    "# Features",
    "",
    `${features.length} features, each with one of the tests that prove it. A test of its own keeps this page true: it is made of \`test/features/table.ts\`, and a row whose`,
    "test is gone fails.",
    "",
    ...rows,
  ].join("\n");
}

/** The words of a test's name as its file has them, with no placeholder of a table of cases among them. */
function isNamed({ file, test }: Feature): boolean {
  return readFileSync(join(ROOT, file), "utf8").includes(test);
}

test("each feature's test is there", () => {
  expect(features.filter((feature) => !isNamed(feature)).map(({ name, file, test }) => `${name}: ${file} has no "${test}"`)).toEqual([]);
});

test("no feature is listed twice", () => {
  const names = features.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("the page is made of the table", async () => {
  await expect(page()).toMatchFileSnapshot("../docs/features.md");
});
