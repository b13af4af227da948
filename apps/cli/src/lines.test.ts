import { expect, test } from "vitest";
import { linesOf } from "./lines.ts";

async function linesIn(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  async function* bytes(): AsyncGenerator<Uint8Array, void> {
    for (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
  }
  const lines: string[] = [];
  for await (const line of linesOf(bytes())) lines.push(line);
  return lines;
}

test("lines come whole, however the text was cut", async () => {
  const text = "one\r\ntwo\n\nthrée 💉\nlast";
  const expected = ["one", "two", "", "thrée 💉", "last"];
  expect(await linesIn(text)).toEqual(expected);
  expect(await linesIn(...Array.from(new TextEncoder().encode(text), (octet) => Uint8Array.of(octet)))).toEqual(expected);
  expect(await linesIn("a\n")).toEqual(["a"]);
  expect(await linesIn("")).toEqual([]);
  expect(await linesIn()).toEqual([]);
});

test("a line that never ends takes no memory, and the next one is whole", async () => {
  const [long, next] = await linesIn(...Array.from({ length: 100 }, () => "x".repeat(1000)), "\nnext\n");
  expect(long).toHaveLength(4096);
  expect(next).toBe("next");
});

test("octets that are no text are taken for some", async () => {
  expect(await linesIn(Uint8Array.of(0xff, 0x0a, 0xc3), "\n")).toEqual(["\u{fffd}", "\u{fffd}"]);
});
