import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FastClock } from "./fast-clock.ts";

/** So much simulated time may pass in a millisecond of the system's while others are busy, and at the edges of it in all. */
const PACE = 25;
const EDGE_MS = 500;

/** Simulated milliseconds that pass until `work` is done, and how many may. */
async function passing(work: () => Promise<unknown>): Promise<{ passedMs: number; mayMs: number }> {
  using clock = new FastClock();
  clock.setTimer(1e9, "somebody waits", () => undefined);
  const fromMs = performance.now();
  await work();
  return { passedMs: clock.now(), mayMs: PACE * (performance.now() - fromMs) + EDGE_MS };
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "jelling-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a minute that is only waited for passes, and none passes that nobody waits for", async () => {
  using clock = new FastClock();
  await new Promise<void>((resolve) => {
    clock.setTimer(60_000, "a minute", () => resolve());
  });
  expect(clock.now()).toBeGreaterThanOrEqual(60_000);
  expect(clock.now()).toBeLessThan(61_000);
});

test("files are not outrun", async () => {
  await inFolder(async (folder) => {
    const { passedMs, mayMs } = await passing(async () => {
      for (let i = 0; i < 20; i++) {
        await writeFile(join(folder, "file"), new Uint8Array(1_000_000));
        expect(await readFile(join(folder, "file"))).toHaveLength(1_000_000);
      }
    });
    expect(passedMs).toBeLessThanOrEqual(mayMs);
  });
});

test("modules that are loaded on use are not outrun", async () => {
  await inFolder(async (folder) => {
    const files = Array.from({ length: 5 }, (_, i) => join(folder, `module-${i}.mjs`));
    for (const file of files) await writeFile(file, "export const answer = 42;");
    const { passedMs, mayMs } = await passing(async () => {
      for (const file of files) expect(await import(file)).toMatchObject({ answer: 42 });
    });
    expect(passedMs).toBeLessThanOrEqual(mayMs);
  });
});

test("what is on the other side of a socket is not outrun", async () => {
  const server = createServer((socket) => void socket.pipe(socket));
  const { passedMs, mayMs } = await passing(async () => {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    for (let i = 0; i < 20; i++) {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", () => socket.end()).write("hello");
      await new Promise((resolve) => socket.once("close", resolve));
    }
    await new Promise((resolve) => server.close(resolve));
  });
  expect(passedMs).toBeLessThanOrEqual(mayMs);
});
