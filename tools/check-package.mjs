// Packs the library and the pump connector, installs both tarballs into an empty folder without running any script, and uses them as a
// stranger would: every subpath imports, the command runs, and the program of each README does what it says.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTypes } from "./check-types.mjs";

const PACKAGES = [
  { name: "jelling", root: "." },
  { name: "@jelling/minimed", root: "apps/minimed" },
];
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options });
const folder = mkdtempSync(join(tmpdir(), "jelling-package-"));
try {
  const tarballs = PACKAGES.map(({ name, root }) => {
    const [{ filename, files }] = JSON.parse(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root }),
    );
    const paths = files.map(({ path }) => path);
    const strays = paths.filter((path) => /\.test\.|vectors|node_modules|\.tsbuildinfo/.test(path));
    if (strays.length > 0) throw new Error(`${name} holds files that are not for users: ${strays.join(", ")}`);
    for (const wanted of ["README.md", "LICENSE", "dist/index.js", "dist/index.d.ts", "src/index.ts"])
      if (!paths.includes(wanted)) throw new Error(`${name} lacks ${wanted}: build first`);
    const page = name === "jelling" ? "dist/cli/page" : "dist/page"; // of the pump, for the command and for programs
    if (!paths.includes(`${page}/index.html`) || !paths.some((path) => path.startsWith(`${page}/assets/`)))
      throw new Error(`${name} lacks the pump's page: build first`);
    checkLinks(name, root, new Set(paths));
    const tarball = join(folder, filename);
    run("npx", ["--no-install", "publint", "--strict", tarball], { stdio: "inherit" });
    run("npx", ["--no-install", "attw", "--profile", "esm-only", tarball], { stdio: "inherit" });
    return tarball;
  });

  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...tarballs], { cwd: folder });
  const { problems, types } = checkTypes(join(folder, "node_modules/jelling"));
  if (problems.length > 0) throw new Error(`the published types are wrong:\n${problems.join("\n")}`);
  console.log(`${types} types can be reached from the root, which exports them all`);
  const subpaths = PACKAGES.flatMap(({ name }) => {
    const { exports } = JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"));
    return Object.keys(exports)
      .filter((subpath) => !subpath.endsWith(".json"))
      .map((subpath) => `${name}${subpath.slice(1)}`);
  });
  writeFileSync(
    join(folder, "import-all.js"),
    `for (const name of ${JSON.stringify(subpaths)}) if (Object.keys(await import(name)).length === 0) throw new Error(name + " exports nothing");`,
  );
  run(process.execPath, ["import-all.js"], { cwd: folder });
  const programs = PACKAGES.flatMap(({ name, root }) => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    return [...readme.matchAll(/```js\n((?:(?!```).)*)```\n\n```text\n(.*?)```/gs)].map(([, code, output]) => ({ name, code, output }));
  });
  if (programs.length < PACKAGES.length) throw new Error("a README has no program in JavaScript that is followed by what it prints");
  for (const { name, code, output } of programs) {
    writeFileSync(join(folder, "readme.js"), code);
    const printed = run(process.execPath, ["readme.js"], { cwd: folder });
    const withoutChance = (text) => text.replace(/\d+ bpm/g, "N bpm"); // a heart beats as it likes
    if (withoutChance(printed) !== withoutChance(output))
      throw new Error(`the program in the README of ${name} printed:\n${printed}instead of:\n${output}`);
  }
  const version = run("npx", ["--no-install", "jelling", "--version"], { cwd: folder }).trim();
  const demo = run("npx", ["--no-install", "jelling", "pump", "demo"], { cwd: folder });
  if (!/mg\/dL/.test(demo)) throw new Error("`jelling pump demo` did not end with a glucose value");
  console.log(`jelling ${version}: ${subpaths.length} subpaths import, ${programs.length} programs and the command run`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A link of the README must lead somewhere from the registry's page, which has no repository around it. */
function checkLinks(name, root, paths) {
  for (const [, target] of readFileSync(join(root, "README.md"), "utf8").matchAll(/\]\(([^)\s]+)\)/g)) {
    if (target.startsWith("#")) continue;
    const ours = /^https:\/\/github\.com\/jelling-ble\/jelling\/(?:blob|tree)\/main\/([^#]+)/.exec(target)?.[1];
    if (ours ? !existsSync(ours) : !/^https?:/.test(target) && !paths.has(target))
      throw new Error(`the README of ${name} links to ${target}, which does not exist there`);
  }
}
