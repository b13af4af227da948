// Bundles every example from the sources, so that none is forgotten when the library changes, and runs it. With names, only those.
// With --bundle it only bundles, and prints the files: for where they are run with a real kernel and there is no bundler.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

const TIMEOUT_MS = 60_000;
const folder = join("node_modules", ".cache", "examples");
mkdirSync(folder, { recursive: true });

const given = process.argv.slice(2);
const wanted = given.filter((name) => name !== "--bundle");
const isRun = wanted.length === given.length;
const names = readdirSync("examples")
  .filter((file) => file.endsWith(".ts"))
  .map((file) => basename(file, ".ts"))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (names.length === 0) throw new Error("no example to run");

const failed = [];
for (const name of names) {
  const file = join(folder, `${name}.mjs`);
  const bundle = await rolldown({
    input: join("examples", `${name}.ts`),
    platform: "node",
    external: [/^node:/, "koffi"],
    resolve: { conditionNames: ["@jelling/source", "node", "import", "default"] },
    transform: { target: "es2023" },
    logLevel: "warn",
  });
  await bundle.write({ file, format: "esm", sourcemap: true, codeSplitting: false });
  await bundle.close();
  if (!isRun) {
    console.log(file);
    continue;
  }
  console.log(`--- ${name}`);
  const { status, signal } = spawnSync(process.execPath, ["--enable-source-maps", file], { stdio: "inherit", timeout: TIMEOUT_MS });
  if (status !== 0) failed.push(`${name} (${signal ?? `exit status ${status}`})`);
}
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
