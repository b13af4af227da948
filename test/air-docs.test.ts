import { expect, test } from "vitest";
import { readPage, runProgram } from "./support/documented-programs.ts";

const { programs } = readPage("air.md");

test("the page has programs", () => {
  expect(programs.length).toBeGreaterThanOrEqual(2);
});

test.each(programs)("program $number prints what the page says", async ({ code, output }) => {
  expect(await runProgram(code)).toBe(output);
});
