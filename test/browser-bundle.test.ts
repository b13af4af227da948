import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { bundle } from "./support/browser-bundle.ts";
import { isFull } from "./support/left-out.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { exports: Record<string, { "@jelling/source"?: string }> };
/** What a page can import: everything but the rooms whose purpose is Node. */
const subpaths = Object.entries(exports).flatMap(([subpath, { "@jelling/source": source }]) =>
  source && subpath !== "./node" ? [[subpath, source] as const] : [],
);

/** Names that every page has and the library may use; nothing of Node is among them. */
const PAGE = [
  "AbortController",
  "AbortSignal",
  "DOMException",
  "Event",
  "EventTarget",
  "MessageChannel",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "btoa",
  "clearTimeout",
  "console",
  "crypto",
  "performance",
  "queueMicrotask",
  "setTimeout",
] as const;

test.each(subpaths)("%s bundles for a page, without Node, and runs there", async (_subpath, source) => {
  const { code, problems } = await bundle(source);
  expect(problems).toEqual([]);
  const page = createContext(Object.fromEntries(PAGE.map((name) => [name, globalThis[name]])));
  const names = runInContext(`${code}; Object.keys(jelling)`, page) as string[];
  expect(names.length).toBeGreaterThan(0);
});

test.each([
  ["a device over a transport of the program", 'export { Device } from "jelling/device";'],
  ["a device over streams", 'export { Device } from "jelling/device"; export { createStreamTransport } from "jelling/transport";'],
])("%s brings no virtual controller, no air and no other transport along", async (_name, program) => {
  const { problems, modules } = await bundle("program.ts", program);
  expect(problems).toEqual([]);
  expect(modules.filter((id) => /\/src\/(controller|air|testing)\/|\/src\/transport\/(sim|open|tcp|unix|kinds|usb)/.test(id))).toEqual([]);
  expect(modules.some((id) => id.endsWith("/src/device/device.ts"))).toBe(true);
});

test("a transport that needs Node is refused in a page with one sentence", async () => {
  const { code } = await bundle(exports["./transport"]!["@jelling/source"]!);
  const page = createContext(Object.fromEntries(PAGE.map((name) => [name, globalThis[name]])));
  const open = (spec: string): Promise<string> =>
    runInContext(
      `${code}; jelling.openTransport(${JSON.stringify(spec)}).then(() => "opened", (error) => error.message)`,
      page,
    ) as Promise<string>;
  expect(await open("tcp:127.0.0.1:9000")).toBe('transport "tcp:127.0.0.1:9000" needs Node: a page has none of that kind');
  expect(await open("usb:0")).toContain("there is no WebUSB here");
  expect(await open("bus:0")).toContain('transport "bus:0" is not known');
});

// What a page loads, minified: a central alone, and the whole facade with server, advertising, channels and pairing.
const small = readFileSync(`${root}examples/small-central.ts`, "utf8")
  .split("// --- in an air")[0]!
  .replace(/^import .*"jelling\/testing";$/m, "export { SmallCentral };");
test.each([
  ["a central over a transport of the program (examples/small-central.ts)", small, 60_000],
  ["a Device with everything it can do", 'export { Device } from "jelling/device";', 170_000],
])("%s: compressed as a page loads it", async (what, program, limit) => {
  const { code, problems } = await bundle("program.ts", program, { minify: true });
  expect(problems).toEqual([]);
  // As small as brotli gets takes a second and a half.
  const params = { [constants.BROTLI_PARAM_QUALITY]: isFull ? 11 : 9 };
  const sizes = { gzip: gzipSync(code, { level: 9 }).length, brotli: brotliCompressSync(code, { params }).length };
  console.log(`${what}: ${sizes.gzip} octets by gzip, ${sizes.brotli} by brotli${isFull ? "" : " in haste"}`);
  expect(sizes.gzip).toBeLessThan(limit);
  expect(sizes.brotli).toBeLessThan(sizes.gzip);
});
