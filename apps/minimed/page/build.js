// Builds the page into dist/page, or into the folder that it is given: hashed names, nothing inline, no source maps.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const page = fileURLToPath(new URL(".", import.meta.url));
const root = join(page, "../../..");

/** @param {string} outDir */
export async function buildPage(outDir) {
  await build({
    configFile: false,
    root: page,
    base: "./",
    logLevel: "warn",
    publicDir: "public",
    cacheDir: join(root, "node_modules/.cache/vite-page"),
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: { outDir, emptyOutDir: true, target: "es2022", sourcemap: false, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  });
}

/** The page of these sources, built when it is not there yet: a folder whose name changes with them. For tests. */
export async function builtPage() {
  const hash = createHash("sha256");
  for (const folder of [page, join(page, "../src/web"), join(page, "../src/data")])
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1)))
      if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  const outDir = join(root, "node_modules/.cache", `pump-page-${hash.digest("hex").slice(0, 12)}`);
  if (!existsSync(join(outDir, "index.html"))) await buildPage(outDir);
  return outDir;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage(join(page, "../dist/page"));
