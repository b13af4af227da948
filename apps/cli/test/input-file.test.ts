import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readInput } from "../src/input-file.ts";
import { main } from "../src/run.ts";
import { fakeIo } from "./fake-io.ts";

const folder = mkdtempSync(join(tmpdir(), "jelling-input-"));
afterAll(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;
const path = (name: string): string => join(folder, name);

test("a file is read whole, and refused where it is longer than it may be", async () => {
  for (const length of [0, 1, 10]) {
    writeFileSync(path("file"), new Uint8Array(length).fill(7));
    expect(await readInput(path("file"), { signal: never, maxOctets: 10 })).toEqual(new Uint8Array(length).fill(7));
  }
  writeFileSync(path("file"), new Uint8Array(11));
  await expect(readInput(path("file"), { signal: never, maxOctets: 10 })).rejects.toThrow("longer than 10 octets");
  await expect(readInput(path("none"), { signal: never, maxOctets: 10 })).rejects.toMatchObject({ code: "ENOENT" });
  await expect(readInput(folder, { signal: never, maxOctets: 10 })).rejects.toMatchObject({ code: "EISDIR" });
});

describe.skipIf(process.platform === "win32")("a pipe", () => {
  const pipe = (name: string): string => {
    execFileSync("mkfifo", [path(name)]);
    return path(name);
  };

  test("is read to its end, whoever comes first", async () => {
    const name = pipe("written");
    const reading = readInput(name, { signal: never, maxOctets: 10 });
    const writer = await open(name, "w");
    await writer.write("abc");
    await writer.write("def");
    await writer.close();
    expect(new TextDecoder().decode(await reading)).toBe("abcdef");
  });

  test("that brings too much is refused", async () => {
    const name = pipe("long");
    const reading = expect(readInput(name, { signal: never, maxOctets: 10 })).rejects.toThrow("longer than 10 octets");
    const writer = await open(name, "w");
    await writer.write("more than ten octets");
    await reading;
    await writer.close();
  });

  test.each(["pump keys FIFO", "pump pair --keys FIFO -t sim:", "decode FIFO", "scan -t sim: --capture FIFO"])(
    "that has no other end: jelling %s ends when asked to",
    async (words) => {
      const name = pipe(words.replaceAll(/\W/g, ""));
      const io = fakeIo({ env: { XDG_STATE_HOME: folder } });
      const done = main(words.replace("FIFO", name).split(" "), io);
      await new Promise((resolve) => setImmediate(resolve));
      io.stop();
      expect(await done).toBe(130);
      expect([io.out.text, io.err.text]).toEqual(["", ""]);
    },
  );
});
