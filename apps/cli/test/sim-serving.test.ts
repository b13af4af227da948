import { existsSync } from "node:fs";
import { mkdtemp, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { leaveOut } from "../../../test/support/left-out.ts";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";

// Where `jelling sim` puts its controllers besides TCP and Unix sockets.

const hasTerminals = process.platform === "linux" && existsSync("/dev/ptmx");
if (!hasTerminals) leaveOut("jelling sim --pty");

async function served(words: string[], act: (specs: string[]) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "jelling-sim-"));
  const io = fakeIo({ env: { XDG_STATE_HOME: folder, XDG_DATA_HOME: folder } });
  const done = main(["sim", "--device", "echo", ...words.map((word) => word.replace("FOLDER", folder))], io);
  await io.saw("controller  ");
  const found = (): string[] => [...io.out.text.matchAll(/^controller {2}jelling scan --transport (\S+)$/gm)].map(([, spec]) => spec!);
  await act(found());
  io.stop();
  expect(await done).toBe(130);
  await rm(folder, { recursive: true });
}

test("sim --ws serves over WebSockets, and scan sees its devices there", async () => {
  await served(["--ws", "0"], async ([spec]) => {
    expect(spec).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/$/);
    const { out, status } = await jelling(["scan", "-t", spec!, "--timeout", "1s"]);
    expect([status, out]).toEqual([0, expect.stringContaining("Echo")]);
  });
});

test.runIf(hasTerminals).each([["--pty"], ["--pty", "FOLDER/hci,h5"]])("sim %s %s serves on a pseudo-terminal", async (...words) => {
  await served(words, async ([spec]) => {
    expect(spec).toMatch(words.length > 1 ? /^serial:\/.*\/hci,h5$/ : /^serial:\/dev\/pts\/\d+,flow=none$/);
    if (words.length > 1) expect(await readlink(spec!.slice("serial:".length, -",h5".length))).toMatch(/^\/dev\/pts\//);
    const { out, status } = await jelling(["scan", "-t", spec!, "--timeout", "1s"]);
    expect([status, out]).toEqual([0, expect.stringContaining("Echo")]);
  });
});

test.each([
  [["--origin", "http://localhost"], "--origin is about pages at --ws"],
  [["--ws", "0", "--origin", "localhost"], 'expected an origin like "https://example.org", got "localhost"'],
  [["--serial", "/nonexistent/tty"], "there is no /nonexistent/tty"],
  [["--serial", "/dev/x,h7"], '"h7" says nothing'],
])("sim %j is refused in one sentence", async (words, sentence) => {
  const { err, status } = await jelling(["sim", ...words]);
  expect(status).not.toBe(0);
  expect(err).toContain(sentence);
});
