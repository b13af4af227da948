import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface DocumentedProgram {
  readonly number: number;
  readonly code: string;
  readonly output: string;
}

/** A page of docs/, and the programs on it that are followed by what they print. */
export function readPage(name: string): { page: string; programs: DocumentedProgram[] } {
  const page = readFileSync(join(root, "docs", name), "utf8");
  const programs = [...page.matchAll(/```ts\n(.*?)```\n\n```text\n(.*?)```/gs)].map(([, code, output], i) => ({
    number: i + 1,
    code: code!,
    output: output!,
  }));
  return { page, programs };
}

/** Runs a program that imports the library by its public names, and returns what it prints. */
export async function runProgram(code: string): Promise<string> {
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
