import { expect, test } from "vitest";
import { jelling } from "../apps/cli/test/fake-io.ts";
import { FastClock } from "../apps/cli/test/fast-clock.ts";
import { readPage, runProgram } from "./support/documented-programs.ts";

const { page, programs } = readPage("mgmt.md");
const transcripts = [...page.matchAll(/```console\n(.*?)```/gs)]
  .flatMap(([, text]) => text!.split(/^\$ jelling /m).filter(Boolean))
  .map((text) => ({ command: text.split("\n")[0]!, output: text.split("\n").slice(1).filter(Boolean) }));

test("every program on the page is followed by what it prints", () => {
  expect(programs).toHaveLength(page.split("```ts\n").length - 1);
  expect(programs.length).toBeGreaterThanOrEqual(4);
  expect(transcripts.length).toBeGreaterThanOrEqual(10);
});

test.each(programs)("program $number prints what the page says", async ({ code, output }) => {
  expect(await runProgram(code)).toBe(output);
});

test.each(transcripts)("jelling $command prints what the page says", async ({ command, output }) => {
  using clock = new FastClock();
  const { out, err } = await jelling(command, { clock });
  const printed = (out + err).split("\n").filter(Boolean);
  // "…" stands for what is left out: lines, or the rest of one.
  const whole = output.at(-1)!.trim() === "…" ? output.slice(0, -1) : output;
  for (const [i, line] of whole.entries()) {
    if (line.endsWith("…")) expect(printed[i]).toContain(line.slice(0, -1).trimEnd());
    else expect(printed[i]).toBe(line);
  }
  if (whole === output) expect(printed).toHaveLength(output.length);
});
