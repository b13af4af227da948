// Makes package-lock.json hold the binary packages of every platform. npm leaves those out that the registry in use does not have at the
// time, and `npm ci` then refuses the lock, on every platform. Run it after `npm install`; with --check it only tells.
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const { "": root, ...packages } = lock.packages;

/** Where `name` resolves from the package at `path`, as Node looks it up. */
function resolve(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const candidate = `${at && `${at}/`}node_modules/${name}`;
    if (packages[candidate]) return candidate;
    if (!at) return undefined;
  }
}

/** The platform in a package's name, as napi-rs and others write it: binding-linux-x64-musl. */
function platform(name) {
  const words = name.split("/").at(-1).split("-");
  const pick = (known) => known.filter((word) => words.includes(word)).slice(0, 1);
  const os = words.includes("windows")
    ? ["win32"]
    : pick(["darwin", "win32", "linux", "freebsd", "android", "openharmony", "netbsd", "openbsd", "aix", "sunos"]);
  const libc = words.some((word) => word.startsWith("musl")) ? ["musl"] : words.some((word) => word.startsWith("gnu")) ? ["glibc"] : [];
  return { cpu: pick(["arm64", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "wasm32", "arm"]), os, libc };
}

const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {}, dev, license }]) =>
  Object.entries(optionalDependencies)
    .filter(([name, range]) => /^[~^]?\d[^ ]*$/.test(range) && !resolve(path, name))
    .map(([name, range]) => {
      const version = range.replace(/^[~^]/, "");
      const { cpu, os, libc } = platform(name);
      const only = Object.fromEntries(Object.entries({ cpu, os, libc }).filter(([, words]) => words.length > 0));
      return [`node_modules/${name}`, { version, ...(dev && { dev }), license, optional: true, ...only }];
    }),
);

if (process.argv.includes("--check")) {
  if (missing.length > 0) {
    process.stderr.write(`package-lock.json lacks ${missing.map(([path]) => path).join(", ")}: run node tools/complete-lock.mjs\n`);
    process.exitCode = 1;
  }
} else {
  const sorted = Object.entries({ ...packages, ...Object.fromEntries(missing) }).sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = { "": root, ...Object.fromEntries(sorted) };
  writeFileSync("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`);
  process.stdout.write(`${missing.length} packages added\n`);
}
