import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makePrivateFolder } from "./private-folder.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "jelling-folder-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("folders are made for their owner alone, with those above them, and are left where they are there", () => {
  const path = join(root, "a", "b", "c");
  makePrivateFolder(path);
  makePrivateFolder(path);
  for (const made of [path, join(root, "a", "b"), join(root, "a")]) expect(statSync(made).mode & 0o777).toBe(0o700);
});

test("a file in the way is an error, as the folder and above it", () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  expect(() => makePrivateFolder(file)).toThrow(expect.objectContaining({ code: "EEXIST" }));
  expect(() => makePrivateFolder(join(file, "a"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
});

test.runIf(existsSync("/proc/self"))("a file system that takes no folders refuses, and does not keep the caller for ever", () => {
  expect(() => makePrivateFolder("/proc/jelling/state")).toThrow(expect.objectContaining({ code: "ENOENT" }));
});
