import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { type Plugin, type RolldownLog, rolldown } from "rolldown";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { exports: Record<string, { "@jelling/source"?: string }> };
/** What a page can import: everything but the rooms whose purpose is Node. */
const subpaths = Object.entries(exports).flatMap(([subpath, { "@jelling/source": source }]) =>
  source && subpath !== "./node" ? [[subpath, source] as const] : [],
);

/** Names that every page has and the library may use; nothing of Node is among them. */
const PAGE = [
  "AbortController",
  "AbortSignal",
  "MessageChannel",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "clearTimeout",
  "console",
  "crypto",
  "performance",
  "queueMicrotask",
  "setTimeout",
] as const;

async function bundle(source: string): Promise<{ code: string; problems: string[] }> {
  const problems: string[] = [];
  const watch: Plugin = {
    name: "watch-imports",
    resolveId(specifier, importer) {
      if (/^node:|^(fs|net|path|os|child_process|worker_threads|koffi)$/.test(specifier)) problems.push(`${importer} imports ${specifier}`);
      return null;
    },
  };
  const build = await rolldown({
    input: `${root}${source}`,
    cwd: root,
    platform: "browser",
    transform: { target: "es2023" }, // as tsc does for the published files: `using` becomes try and finally
    resolve: { conditionNames: ["@jelling/source", "browser", "import", "default"] },
    plugins: [watch],
    onLog: (_level, log: RolldownLog) => void problems.push(`${log.code}: ${log.message}`),
  });
  const { output } = await build.generate({ format: "iife", name: "jelling", codeSplitting: false });
  await build.close();
  return { code: output[0].code, problems };
}

test.each(subpaths)("%s bundles for a page, without Node, and runs there", async (_subpath, source) => {
  const { code, problems } = await bundle(source);
  expect(problems).toEqual([]);
  const page = createContext(Object.fromEntries(PAGE.map((name) => [name, globalThis[name]])));
  const names = runInContext(`${code}; Object.keys(jelling)`, page) as string[];
  expect(names.length).toBeGreaterThan(0);
});

test("a transport that needs Node is refused in a page with one sentence", async () => {
  const { code } = await bundle(exports["./transport"]!["@jelling/source"]!);
  const page = createContext(Object.fromEntries(PAGE.map((name) => [name, globalThis[name]])));
  const open = (spec: string): Promise<string> =>
    runInContext(
      `${code}; jelling.openTransport(${JSON.stringify(spec)}).then(() => "opened", (error) => error.message)`,
      page,
    ) as Promise<string>;
  expect(await open("tcp:127.0.0.1:9000")).toBe('transport "tcp:127.0.0.1:9000" needs Node: a page has none of that kind');
  expect(await open("usb:0")).toContain('transport "usb:0" is not known');
});
