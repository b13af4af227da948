import { execFileSync } from "node:child_process";
import { constants, existsSync } from "node:fs";
import { chmod, type FileHandle, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { CaptureReader, readCapture } from "../capture/capture-reader.ts";
import { isLiveCapture, openLiveCapture } from "./live-capture.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

const reset = Uint8Array.of(1, 3, 0x0c, 0);

/** A reader of the pipe that `tell` names. */
function reading(): { tell: (sentence: string) => void; sentences: string[]; reader: () => Promise<FileHandle> } {
  const sentences: string[] = [];
  let resolve: (file: Promise<FileHandle>) => void;
  const promise = new Promise<FileHandle>((settle) => {
    resolve = settle;
  });
  const tell = (sentence: string): void => {
    sentences.push(sentence);
    resolve(open(/-i (\S+) shows/.exec(sentence)![1]!, constants.O_RDONLY | constants.O_NONBLOCK));
  };
  return { tell, sentences, reader: () => promise };
}

test("what means somebody who looks on, and what a file", () => {
  expect(["wireshark", "pipe:", "pipe:/tmp/a", "wireshark.pcapng", "./wireshark", "a.pipe:"].map(isLiveCapture)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

describe.skipIf(process.platform === "win32")("a pipe", () => {
  test("is made, named, and gone once somebody reads it; each packet comes at once, with its comment", async () => {
    for (const where of ["pipe:", `pipe:${join(folder, "own")}`]) {
      const { tell, sentences, reader } = reading();
      const writer = await openLiveCapture(where, { clock: new VirtualClock(), tell });
      const file = await reader();
      expect(existsSync(/-i (\S+)/.exec(sentences[0]!)![1]!)).toBe(false);
      const buffer = Buffer.alloc(4096);
      const parser = new CaptureReader();
      for (let i = 1; i <= 3; i++) {
        writer.write("sent", reset, i, "device.scan()");
        const { bytesRead } = await file.read(buffer);
        const records = [...parser.push(buffer.subarray(0, bytesRead))];
        expect(records).toMatchObject([{ packet: reset, comment: "device.scan()" }]);
      }
      expect(parser.format).toBe("pcapng");
      await writer.close();
      expect(writer.isOver).toBe(false);
      expect((await file.read(buffer)).bytesRead).toBe(0);
      await file.close();
    }
  });

  test("that is there is used, and stays", async () => {
    const path = join(folder, "there");
    execFileSync("mkfifo", [path]);
    const { tell, reader } = reading();
    await using writer = await openLiveCapture(`pipe:${path}`, { clock: new VirtualClock(), tell });
    await (await reader()).close();
    expect(existsSync(path)).toBe(true);
    expect(writer.isOver).toBe(false);
  });

  test("whose reader goes ends the capture, and nothing else", async () => {
    const { tell, reader } = reading();
    const writer = await openLiveCapture("pipe:", { clock: new VirtualClock(), tell });
    await (await reader()).close();
    writer.write("sent", reset, 0);
    for (let turns = 0; !writer.isOver && turns < 1000; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(writer.isOver).toBe(true);
    const { records } = writer;
    writer.write("sent", reset, 1);
    expect([writer.records, writer.dropped]).toEqual([records, 0]);
    await writer.close();
  });

  test("whose reader does not read on costs packets, which are counted, and a second at the end", async () => {
    const { tell, reader } = reading();
    const clock = new VirtualClock();
    const writer = await openLiveCapture("pipe:", { clock, tell, queueBytes: 200_000 });
    const long = Uint8Array.from({ length: 60_000 }, () => 2);
    for (let i = 0; i < 20; i++) writer.write("sent", long, i);
    expect(writer.dropped).toBeGreaterThan(10);
    await writer.close();
    expect(clock.now()).toBeGreaterThanOrEqual(1000);
    await (await reader()).close();
  });

  test("that nobody reads is waited for until the signal aborts, and gone then", async () => {
    const stop = new AbortController();
    let pipe = "";
    const tell = (sentence: string): void => {
      pipe = /-i (\S+)/.exec(sentence)![1]!;
      expect(existsSync(pipe)).toBe(true);
      stop.abort(new Error("enough"));
    };
    await expect(openLiveCapture("pipe:", { signal: stop.signal, tell })).rejects.toThrow("enough");
    expect(existsSync(pipe)).toBe(false);
    await expect(openLiveCapture("pipe:", { signal: stop.signal })).rejects.toThrow("enough");
  });

  test("cannot be where something else is, nor nowhere", async () => {
    const path = join(folder, "file");
    await writeFile(path, "precious");
    await expect(openLiveCapture(`pipe:${path}`)).rejects.toMatchObject({
      code: "ERR_FILE",
      message: expect.stringContaining("it is no pipe"),
    });
    expect(await readFile(path, "utf8")).toBe("precious");
    await expect(openLiveCapture(`pipe:${join(folder, "no", "where")}`)).rejects.toMatchObject({
      code: "ERR_FILE",
      message: expect.stringContaining("no such file or directory"),
    });
  });
});

describe.skipIf(process.platform === "win32")("Wireshark", () => {
  test("is started, and reads from its standard input", async () => {
    const [program, seen] = [join(folder, "shark"), join(folder, "seen")];
    await writeFile(program, `#!/bin/sh\necho "$@" > ${seen}.arguments\ncat > ${seen}.part\nmv ${seen}.part ${seen}\n`);
    await chmod(program, 0o755);
    const writer = await openLiveCapture("wireshark", { program });
    writer.write("sent", reset, 0);
    await writer.close();
    while (!existsSync(seen)) await new Promise((resolve) => setImmediate(resolve));
    expect(readCapture(await readFile(seen))).toMatchObject([{ packet: reset }]);
    expect(await readFile(`${seen}.arguments`, "utf8")).toBe("-k -i -\n");
  });

  test("that is not there is replaced by a pipe", async () => {
    const { tell, sentences, reader } = reading();
    await using writer = await openLiveCapture("wireshark", { program: "no-such-shark", clock: new VirtualClock(), tell });
    expect(sentences[0]).toMatch(/^no-such-shark is not installed here; wireshark -k -i \S+ shows the capture/);
    await (await reader()).close();
    expect(writer.dropped).toBe(0);
  });
});
