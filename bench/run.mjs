// Bundles the benchmarks with the library they measure, and runs them: `npm run bench`, `npm run bench -- reports --json`.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const build = await rolldown({
  input: `${root}bench/main.ts`,
  cwd: root,
  platform: "node",
  external: [/^node:/, "koffi"],
  transform: { target: "es2023" },
  resolve: { conditionNames: ["@jelling/source", "node", "import", "default"] },
});
const directory = `${root}node_modules/.cache/bench`;
await build.write({ dir: directory, format: "esm", entryFileNames: "main.mjs", cleanDir: true });
await build.close();
const { status } = spawnSync(process.execPath, [`${directory}/main.mjs`, ...process.argv.slice(2)], { stdio: "inherit" });
process.exitCode = status ?? 1;
