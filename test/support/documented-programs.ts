import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type BuildOptions, build } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface DocumentedProgram {
  readonly number: number;
  readonly code: string;
  readonly output: string;
}

/** A page - of docs/, where there is no folder in its name - and the programs on it that are followed by what they print. */
export function readPage(name: string): { page: string; programs: DocumentedProgram[] } {
  const page = readFileSync(join(root, name.includes("/") ? name : `docs/${name}`), "utf8");
  const programs = [...page.matchAll(/```[tj]s\n((?:(?!```).)*)```\n\n```text\n(.*?)```/gs)].map(([, code, output], i) => ({
    number: i + 1,
    code: code!,
    output: output!,
  }));
  return { page, programs };
}

/** Runs a program that imports the library by its public names, and returns what it prints. */
export function runProgram(code: string): Promise<string> {
  return withProgram(code, (file) => {
    const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8", timeout: 300_000 });
    return stdout + stderr;
  });
}

/** What cannot be bundled is had from where it is installed. */
const sqlite = { id: pathToFileURL(join(root, "node_modules/node-sqlite3-wasm/dist/node-sqlite3-wasm.js")).href, external: true } as const;

const options: BuildOptions = {
  platform: "node",
  resolve: { conditionNames: ["@jelling/source", "node", "import", "default"], modules: [join(root, "node_modules")] },
  transform: { target: "es2023" },
  logLevel: "warn",
};

/** Public name and entry file of everything that programs may import. */
function entries(): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, sources] of [
    ["jelling", "src"],
    ["@jelling/minimed", "apps/minimed/src"],
  ] as const)
    for (const folder of ["", ...readdirSync(join(root, sources))]) {
      const file = join(root, sources, folder, "index.ts");
      if (existsSync(file)) found.set(folder === "" ? name : `${name}/${folder}`, file);
    }
  return found;
}

let built: Promise<ReadonlyMap<string, string>> | undefined;

/** The library in files that Node can run, made once for a process: URLs by public name. */
function library(): Promise<ReadonlyMap<string, string>> {
  built ??= (async () => {
    // In the folder of the whole run, which is removed at its end: a worker does not always live to see that.
    const folder = mkdtempSync(join(dirname(process.env.JELLING_LEFT_OUT!), "library-"));
    for (const opened of [folder, dirname(folder)]) chmodSync(opened, 0o755); // for a program that gives up its rights too
    const known = entries();
    const files = [...known];
    const chunk = (name: string): string => name.replaceAll(/[@/]/g, "_");
    await build({
      ...options,
      input: Object.fromEntries(files.map(([name, file]) => [chunk(name), file])),
      external: [/^node:/, "koffi"],
      plugins: [
        {
          name: "packages as they are installed",
          resolveId: (id) => (id === "node-sqlite3-wasm" ? sqlite : known.get(id)),
        },
      ],
      output: { dir: folder, format: "esm", entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" },
    });
    return new Map(files.map(([name]) => [name, pathToFileURL(join(folder, `${chunk(name)}.mjs`)).href]));
  })();
  return built;
}

/** Makes one file that Node can run of a program that imports the library by its public names. */
export async function withProgram<T>(code: string, use: (file: string) => T | Promise<T>): Promise<T> {
  const urls = await library();
  const folder = mkdtempSync(join(tmpdir(), "jelling-docs-"));
  try {
    const input = join(folder, "example.ts");
    writeFileSync(input, code);
    const file = join(folder, "example.mjs");
    await build({
      ...options,
      input,
      external: [/^node:/],
      plugins: [
        {
          name: "the library",
          resolveId: (id) => {
            if (id === "node-sqlite3-wasm") return sqlite;
            const url = urls.get(id);
            return url === undefined ? undefined : { id: url, external: true };
          },
        },
      ],
      output: { file, format: "esm", codeSplitting: false },
    });
    return await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Checks programs as a reader's compiler does, in strict mode and against the library's own sources; those in JavaScript too.
 *
 * @param programs by file name; the ending says the language
 * @returns what the compiler has to say, by program
 */
export async function checkTypes(programs: ReadonlyMap<string, string>): Promise<string[]> {
  const { default: ts } = await import("typescript");
  const folder = mkdtempSync(join(tmpdir(), "jelling-types-"));
  try {
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const files = [...programs].map(([name, code]) => {
      const file = join(folder, name);
      writeFileSync(file, code);
      return file;
    });
    const program = ts.createProgram(files, {
      target: ts.ScriptTarget.ES2023,
      lib: ["lib.es2024.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts", "lib.dom.asynciterable.d.ts"],
      module: ts.ModuleKind.NodeNext,
      customConditions: ["@jelling/source"],
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
      paths: {
        jelling: [join(root, "src/index.ts")],
        "jelling/*": [join(root, "src/*/index.ts")],
        "@jelling/minimed": [join(root, "apps/minimed/src/index.ts")],
        "@jelling/minimed/*": [join(root, "apps/minimed/src/*/index.ts")],
      },
      strict: true,
      noEmit: true,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
    });
    // Of the programs alone: the library has its own check.
    return files
      .map((file) => program.getSourceFile(file))
      .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
      .map(({ file, start, messageText }) => {
        const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
        return `${file?.fileName.slice(folder.length + 1)}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
