import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { jelling } from "../apps/cli/test/fake-io.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(join(root, "docs", "mgmt.md"), "utf8");
const examples = [...page.matchAll(/```ts\n(.*?)```\n\n```text\n(.*?)```/gs)].map(([, code, output], i) => ({
  number: i + 1,
  code: code!,
  output: output!,
}));
const transcripts = [...page.matchAll(/```console\n(.*?)```/gs)]
  .flatMap(([, text]) => text!.split(/^\$ jelling /m).filter(Boolean))
  .map((text) => ({ command: text.split("\n")[0]!, output: text.split("\n").slice(1).filter(Boolean) }));

/** Runs a program that imports the library by its public names. */
async function run(code: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "jelling-docs-"));
  try {
    const input = join(folder, "example.ts");
    writeFileSync(input, code);
    const bundle = await rolldown({
      input,
      platform: "node",
      external: [/^node:/, "koffi"],
      plugins: [
        {
          name: "the library's own sources",
          resolveId: (id) => (/^jelling(\/|$)/.test(id) ? join(root, "src", id.slice("jelling".length), "index.ts") : undefined),
        },
      ],
      resolve: { conditionNames: ["@jelling/source", "node", "import", "default"], modules: [join(root, "node_modules")] },
      transform: { target: "es2023" },
      logLevel: "warn",
    });
    const file = join(folder, "example.mjs");
    await bundle.write({ file, format: "esm", codeSplitting: false });
    await bundle.close();
    const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 60_000 });
    return stdout + stderr;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("every program on the page is followed by what it prints", () => {
  expect(examples).toHaveLength(page.split("```ts\n").length - 1);
  expect(examples.length).toBeGreaterThanOrEqual(4);
  expect(transcripts.length).toBeGreaterThanOrEqual(10);
});

test.each(examples)("program $number prints what the page says", async ({ code, output }) => {
  expect(await run(code)).toBe(output);
});

test.each(transcripts)("jelling $command prints what the page says", async ({ command, output }) => {
  const { out, err } = await jelling(command);
  const printed = (out + err).split("\n").filter(Boolean);
  // "…" stands for what is left out: lines, or the rest of one.
  const whole = output.at(-1)!.trim() === "…" ? output.slice(0, -1) : output;
  for (const [i, line] of whole.entries()) {
    if (line.endsWith("…")) expect(printed[i]).toContain(line.slice(0, -1).trimEnd());
    else expect(printed[i]).toBe(line);
  }
  if (whole === output) expect(printed).toHaveLength(output.length);
});
