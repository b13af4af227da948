import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

test("docs/transports.md names every member of HciTransport, and counts them right", () => {
  const declaration = /export interface HciTransport extends AsyncDisposable \{\n([\s\S]*?)\n\}/.exec(read("src/hci/transport.ts"))![1]!;
  const members = [...declaration.matchAll(/^ {2}(?:readonly )?(\w+)[?:(]/gm)].map(([, name]) => name!);
  const all = [...members, "[Symbol.asyncDispose]"];
  expect(members).toContain("send");
  const section = read("docs/transports.md").split("## Your own")[1]!;
  const documented = [...section.matchAll(/^\| `(.+?)`/gm)].map(([, name]) => name!);
  expect(documented.sort()).toEqual([...all].sort());
  expect(section).toContain(`It has ${WORDS[all.length]} members`);
});
