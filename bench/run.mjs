// Bundles the benchmarks with the library they measure, and runs them: `npm run bench`, `npm run bench -- reports --json`. With
// `--before DIR`, another checkout whose packages are installed, its rows are measured beside these and each line shows the ratio.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const COLD = "hosts/cold.ts";

async function bundle(checkout, input) {
  const build = await rolldown({
    input: join(checkout, "bench", input),
    cwd: checkout,
    platform: "node",
    external: [/^node:/, "koffi", "node-sqlite3-wasm"],
    transform: { target: "es2023" },
    resolve: { conditionNames: ["@jelling/source", "node", "import", "default"] },
  });
  const dir = join(checkout, "node_modules/.cache/bench", input);
  await build.write({ dir, format: "esm", entryFileNames: "main.mjs", cleanDir: true });
  await build.close();
  return join(dir, "main.mjs");
}

/** The rows, and beside them what runs in a process that has loaded nothing yet. */
async function bundleAll(checkout) {
  if (existsSync(join(checkout, "bench", COLD))) await bundle(checkout, COLD);
  return await bundle(checkout, "main.ts");
}

function refuse(why) {
  console.error(`bench: ${why}`);
  process.exit(2);
}

const args = process.argv
  .slice(2)
  .flatMap((argument) => (argument.startsWith("--before=") ? ["--before", argument.slice("--before=".length)] : argument));
const at = args.indexOf("--before");
const [, before] = at < 0 ? [] : args.splice(at, 2);
if (at >= 0 && (!before || before.startsWith("--"))) refuse("--before needs the folder of another checkout");
if (before && !existsSync(join(before, "bench/main.ts"))) refuse(`--before: ${before} is no checkout: there is no bench/main.ts in it`);
const main = await bundleAll(fileURLToPath(new URL("..", import.meta.url)));
if (before) args.push(`--before=${await bundleAll(resolve(before))}`);
const { status } = spawnSync(process.execPath, [main, ...args], { stdio: "inherit" });
process.exitCode = status ?? 1;
