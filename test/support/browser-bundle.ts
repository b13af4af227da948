import { fileURLToPath } from "node:url";
import { type Plugin, type RolldownLog, rolldown } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Bundles a file of the package for a page, or a program in its place; `modules` are the files of which something is in the bundle, `code` is a
 * script whose exports are in the global `jelling`, or with `minify` a module as small as it gets.
 */
export async function bundle(
  source: string,
  program?: string,
  { minify = false }: { minify?: boolean } = {},
): Promise<{ code: string; problems: string[]; modules: string[] }> {
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
  const { output } = await build.generate({ format: minify ? "es" : "iife", name: "jelling", codeSplitting: false, minify });
  await build.close();
  const modules = Object.entries(output[0].modules).flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? [id] : []));
  return { code: output[0].code, problems, modules };
}
