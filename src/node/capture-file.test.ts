import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { readBtsnoop } from "../capture/btsnoop.ts";
import { CaptureReader } from "../capture/capture-reader.ts";
import { openCaptureFile } from "./capture-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

const reset = Uint8Array.of(1, 3, 0x0c, 0);

test("every packet is in the file once it is closed, and only its owner reads it", async () => {
  const path = join(folder, "a.btsnoop");
  const writer = await openCaptureFile(path, { epochMs: 1_700_000_000_000 });
  for (let i = 0; i < 1000; i++) writer.write(i % 2 ? "controller-to-host" : "host-to-controller", reset, i);
  await writer.close();
  writer.write("host-to-controller", reset, 2000); // after the end: ignored
  const records = readBtsnoop(new Uint8Array(await readFile(path)));
  expect(records).toHaveLength(1000);
  expect(records[999]).toMatchObject({ direction: "controller-to-host", timeMs: 1_700_000_000_999 });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("what does not fit into the queue is dropped and counted", async () => {
  const path = join(folder, "b.btsnoop");
  await using writer = await openCaptureFile(path, { queueBytes: 100 });
  for (let i = 0; i < 10; i++) writer.write("host-to-controller", reset, i);
  expect([writer.records, writer.dropped]).toEqual([3, 7]);
});

test("a path that cannot be written is one sentence", async () => {
  await expect(openCaptureFile(join(folder, "no", "such", "folder"))).rejects.toMatchObject({
    code: "ERR_FILE",
    message: `the capture ${join(folder, "no", "such", "folder")} cannot be written: there is no such folder`,
  });
});

test("a full disk is told at the end", { skip: process.platform !== "linux" }, async () => {
  const writer = await openCaptureFile("/dev/full");
  writer.write("host-to-controller", reset, 0);
  await expect(writer.close()).rejects.toMatchObject({
    code: "ERR_FILE",
    message: "the capture /dev/full cannot be written: no space is left on the device",
  });
});

test("the ending chooses the format, unless it is said", async () => {
  for (const [name, options, begin] of [
    ["a.pcapng", {}, 0x0a],
    ["a.PCAPNG", {}, 0x0a],
    ["a.snoop", {}, 0x62],
    ["b.pcapng", { format: "btsnoop" }, 0x62],
  ] as const) {
    const path = join(folder, name);
    await (await openCaptureFile(path, options)).close();
    expect((await readFile(path))[0]).toBe(begin);
  }
});

test("a pcapng file says at its end what did not fit into the queue", async () => {
  const path = join(folder, "c.pcapng");
  const writer = await openCaptureFile(path, { queueBytes: 150 });
  for (let i = 0; i < 10; i++) writer.write("host-to-controller", reset, i);
  await writer.close();
  const reader = new CaptureReader();
  const records = [...reader.push(await readFile(path))];
  reader.end();
  expect([records.length, reader.drops]).toEqual([writer.records, writer.dropped]);
  expect(writer.dropped).toBeGreaterThan(5);
});

describe.skipIf(process.platform === "win32")("a named pipe", () => {
  const pipe = (name: string): string => {
    execFileSync("mkfifo", [join(folder, name)]);
    return join(folder, name);
  };

  test("is waited for until somebody reads it, who gets the whole capture", async () => {
    const path = pipe("read");
    const opening = openCaptureFile(path, { format: "btsnoop" });
    const reading = readFile(path);
    const writer = await opening;
    for (let i = 0; i < 10_000; i++) writer.write("host-to-controller", reset, i); // more than a pipe holds
    await writer.close();
    expect(readBtsnoop(new Uint8Array(await reading))).toHaveLength(10_000);
  });

  test("that nobody reads is waited for until the signal aborts", async () => {
    const control = new AbortController();
    const opening = expect(openCaptureFile(pipe("unread"), { signal: control.signal })).rejects.toThrow("enough");
    await new Promise((resolve) => setImmediate(resolve));
    control.abort(new Error("enough"));
    await opening;
    await expect(openCaptureFile(join(folder, "unread"), { signal: control.signal })).rejects.toThrow("enough");
  });

  test("whose reader does not read on, or leaves, is told at the end", async () => {
    const path = pipe("stuck");
    using clock = new VirtualClock();
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const control = new AbortController();
    const writers = [await openCaptureFile(path, { signal: control.signal, clock }), await openCaptureFile(path)];
    for (const writer of writers) for (let i = 0; i < 10_000; i++) writer.write("host-to-controller", reset, i);
    const closing = expect(writers[0]!.close()).rejects.toMatchObject({
      message: `the capture ${path} cannot be written: nobody reads on`,
    });
    control.abort();
    await closing;
    await reader.close();
    await expect(writers[1]!.close()).rejects.toMatchObject({
      message: `the capture ${path} cannot be written: nobody reads the pipe any more`,
    });
  });
});
