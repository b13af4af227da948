import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { PumpError } from "../error.ts";

export interface PageFile {
  readonly type: string;
  readonly content: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
  /** Its name changes with its content. */
  readonly isHashed: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};
/** Beside the package's own modules, beside the bundled command, and where the sources are built to. */
const FOLDERS = ["../page/", "./page/", "../../dist/page/"];

/**
 * The page's files, by their path. All are read at once: what is served is what was there at the start, and no path leads anywhere else.
 *
 * @throws {PumpError} "ERR_PUMP_PAGE_MISSING"
 */
export function loadPage(folder: string | undefined): ReadonlyMap<string, PageFile> {
  const candidates = folder === undefined ? FOLDERS.map((path) => fileURLToPath(new URL(path, import.meta.url))) : [folder];
  const found = candidates.find((path) => existsSync(join(path, "index.html")));
  if (found === undefined)
    throw new PumpError("ERR_PUMP_PAGE_MISSING", "The page is not built: `npm run build` makes it, and the published package has it.");
  const files = new Map<string, PageFile>();
  for (const entry of readdirSync(found, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(join(found, "/").length).replaceAll("\\", "/");
    const content = new Uint8Array(readFileSync(path));
    files.set(name, { type, content, zipped: new Uint8Array(gzipSync(content, { level: 9 })), isHashed: /-[\w-]{8}\.\w+$/.test(name) });
  }
  return files;
}
