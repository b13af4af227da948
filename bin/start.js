// What `npm start` runs: the demonstration, from the sources of this checkout, bundled in memory. Nothing is written, so that a checkout may be
// read-only, a build that is there stays as it is, and whoever presses Ctrl-C leaves nothing behind.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";

console.error("bundling the demonstration from its sources …");
const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const modules = new Map();
/** Of the commands, only this one: the others would be half of the work, and nothing leads to them. */
const demonstrationOnly = {
  name: "demonstration-only",
  resolveId: {
    filter: { id: /^\.\/(commands\/(?!pump\/demo)|(l2cap|mcumgr|mgmt)-program)/ },
    handler: (id, importer = "") => (/\bapps.cli.src.(pump-)?program\.ts$/.test(importer) ? { id, external: true } : undefined),
  },
};
let chunks;
try {
  const { rolldown } = await import("rolldown");
  const { default: config, output: form } = await import("../rolldown.config.js");
  const bundle = await rolldown({
    ...config,
    cwd: root,
    input: { start: "apps/cli/src/process.ts" },
    plugins: [config.plugins, demonstrationOnly],
  });
  const { output } = await bundle.generate(form);
  chunks = new Map(output.map(({ fileName, code }) => [`./${fileName}`, code]));
} catch (error) {
  const missing = /(?:Cannot find package|Could not resolve) '([^'.]+)'/.exec(error.message)?.[1];
  console.error(missing === undefined ? error.message : `${missing} is not installed: run npm ci first`);
  process.exit(1);
}
const { runProcess } = load("./start.js");
await runProcess(["pump", "demo", ...process.argv.slice(2)]);

/** What a chunk of the bundle exports, or a module of Node or of another package. */
function load(name) {
  const code = chunks.get(name);
  if (code === undefined) return require(name);
  const known = modules.get(name);
  if (known) return known.exports;
  const module = { exports: {} };
  modules.set(name, module);
  // Where it stands decides what a stack trace says, and where packages are looked for.
  const filename = fileURLToPath(new URL(name, import.meta.url));
  compileFunction(code, ["module", "exports", "require", "__filename"], { filename })(module, module.exports, load, filename);
  return module.exports;
}
