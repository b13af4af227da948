import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !/(^|[/\\])(node_modules|dist)[/\\]/.test(name))
    .map((name) => readFileSync(join(root, folder, name), "utf8"));
}

/** Codes of the system that are looked at, not raised. */
const FOREIGN = /^ERR_(INVALID|SOCKET|MODULE|PACKAGE|UNKNOWN|STREAM|WORKER|DLOPEN|LAB)_/;

test("docs/errors.md lists every error code of the sources, and no other", () => {
  const inSources = new Set(
    [...sources("src"), ...sources("apps")].flatMap((text) => [...text.matchAll(/"(ERR_[A-Z0-9_]+)"/g)].map((match) => match[1]!)),
  );
  const documented = [...readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(/^\| `(ERR_[A-Z0-9_]+)`/gm)].map((match) => match[1]!);
  expect(documented.toSorted()).toEqual([...inSources].filter((code) => !FOREIGN.test(code)).toSorted());
});
