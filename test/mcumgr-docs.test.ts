import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../apps/cli/src/run.ts";
import { fakeIo, jelling } from "../apps/cli/test/fake-io.ts";
import { readPage, runProgram } from "./support/documented-programs.ts";

const { page, programs } = readPage("mcumgr.md");
const transcripts = [...page.matchAll(/```console\n(.*?)```/gs)]
  .flatMap(([, text]) => text!.split(/^\$ jelling /m).filter(Boolean))
  .map((text) => ({ command: text.split("\n")[0]!, output: text.split("\n").slice(1).filter(Boolean) }));

let folder: string;
let port: number;
let serving: Promise<number>;
const server = fakeIo();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-docs-"));
  serving = main(["mcumgr", "serve", "--udp", "0", "--json", "--fast"], server);
  await server.saw('"serving"');
  port = (JSON.parse(server.out.text.split("\n")[0]!) as { port: number }).port;
});
afterAll(async () => {
  server.stop();
  await serving;
  await rm(folder, { recursive: true });
});

test("every program on the page is followed by what it prints", () => {
  expect(programs).toHaveLength(page.split("```ts\n").length - 1);
  expect(transcripts.length).toBeGreaterThanOrEqual(5);
});

test.each(programs)("program $number prints what the page says", async ({ code, output }) => {
  expect(await runProgram(code)).toBe(output);
});

test.each(transcripts)("jelling $command prints what the page says", async ({ command, output }) => {
  const here = (text: string): string => text.replace("app.bin", join(folder, "app.bin")).replace(":1337", `:${port}`);
  const { out, err } = await jelling(here(command));
  const printed = (out + err).split("\n").filter(Boolean);
  // "…" stands for the rest of a line.
  for (const [i, line] of output.entries()) {
    if (line.endsWith("…")) expect(printed[i]).toContain(line.slice(0, -1).trimEnd());
    else expect(printed[i]).toBe(here(line));
  }
  expect(printed).toHaveLength(output.length);
});
