// Packs the library, installs the tarball into an empty folder without running any script, and uses it as a stranger would.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options });
const folder = mkdtempSync(join(tmpdir(), "jelling-package-"));
try {
  const [{ filename, files }] = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]));
  const tarball = join(folder, filename);
  const strays = files.map(({ path }) => path).filter((path) => /\.test\.|vectors/.test(path));
  if (strays.length > 0) throw new Error(`the package holds test files: ${strays.join(", ")}`);
  run("npx", ["--no-install", "publint", "--strict", tarball], { stdio: "inherit" });
  run("npx", ["--no-install", "attw", "--profile", "esm-only", tarball], { stdio: "inherit" });

  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], { cwd: folder });
  const { exports } = JSON.parse(readFileSync(join(folder, "node_modules/jelling/package.json"), "utf8"));
  const subpaths = Object.keys(exports).filter((subpath) => !subpath.endsWith(".json"));
  const names = subpaths.map((subpath) => `jelling${subpath.slice(1)}`);
  writeFileSync(
    join(folder, "import-all.js"),
    `for (const name of ${JSON.stringify(names)}) if (Object.keys(await import(name)).length === 0) throw new Error(name + " exports nothing");`,
  );
  run(process.execPath, ["import-all.js"], { cwd: folder });
  const version = run("npx", ["--no-install", "jelling", "--version"], { cwd: folder }).trim();
  const demo = run("npx", ["--no-install", "jelling", "pump", "demo"], { cwd: folder });
  if (!/mg\/dL/.test(demo)) throw new Error("`jelling pump demo` did not end with a glucose value");
  console.log(`jelling ${version}: ${names.length} subpaths import, the command runs (${files.length} files in the package)`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
