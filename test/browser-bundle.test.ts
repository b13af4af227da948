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
  "DOMException",
  "Event",
  "EventTarget",
  "MessageChannel",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "btoa",
  "clearTimeout",
  "console",
  "crypto",
  "performance",
  "queueMicrotask",
  "setTimeout",
] as const;

/** Bundles a file of the package, or a program in its place; `modules` are the files of which something is in the bundle. */
async function bundle(source: string, program?: string): Promise<{ code: string; problems: string[]; modules: string[] }> {
  const problems: string[] = [];
  const watch: Plugin = {
    name: "watch-imports",
    resolveId(specifier, importer) {
      if (/^node:|^(fs|net|path|os|child_process|worker_threads|koffi)$/.test(specifier)) problems.push(`${importer} imports ${specifier}`);
      return specifier === `${root}${source}` && program !== undefined ? specifier : null;
    },
    load: (id) => (id === `${root}${source}` && program !== undefined ? program : null),
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
  const modules = Object.entries(output[0].modules).flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? [id] : []));
  return { code: output[0].code, problems, modules };
}

test.each(subpaths)("%s bundles for a page, without Node, and runs there", async (_subpath, source) => {
  const { code, problems } = await bundle(source);
  expect(problems).toEqual([]);
  const page = createContext(Object.fromEntries(PAGE.map((name) => [name, globalThis[name]])));
  const names = runInContext(`${code}; Object.keys(jelling)`, page) as string[];
  expect(names.length).toBeGreaterThan(0);
});

test.each([
  ["a device over a transport of the program", 'export { Device } from "jelling/device";'],
  ["a device over streams", 'export { Device } from "jelling/device"; export { createStreamTransport } from "jelling/transport";'],
])("%s brings no virtual controller, no air and no other transport along", async (_name, program) => {
  const { problems, modules } = await bundle("program.ts", program);
  expect(problems).toEqual([]);
  expect(modules.filter((id) => /\/src\/(controller|air|testing)\/|\/src\/transport\/(sim|open|tcp|unix|kinds)/.test(id))).toEqual([]);
  expect(modules.some((id) => id.endsWith("/src/device/device.ts"))).toBe(true);
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
