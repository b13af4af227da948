import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildKeyDatabase, inventKeys } from "@jelling/minimed";
import { SeededRandom } from "jelling/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { fakeIo } from "./fake-io.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
  await writeFile(join(folder, "keys.bin"), buildKeyDatabase(inventKeys(new SeededRandom(4)).phone), { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true }));

/** The command with a service whose controller is not there. */
async function serving(settings: object): Promise<{ io: ReturnType<typeof fakeIo>; status: Promise<number> }> {
  const config = join(folder, "service.json");
  const fixed = { transport: "unix:/nonexistent/controller", keyFile: join(folder, "keys.bin"), storeFile: join(folder, "pump.sqlite") };
  await writeFile(
    config,
    JSON.stringify({ ...fixed, stateFolder: join(folder, "state"), page: false, health: { port: 0 }, log: "error", ...settings }),
  );
  const io = fakeIo({ env: { XDG_STATE_HOME: folder, XDG_DATA_HOME: folder } });
  return { io, status: main(["pump", "serve", "--config", config], io) };
}

test.each([0, 1, 200])("a service that is told to end after %s turns ends in order, with status 0 and without a word", async (turns) => {
  const { io, status } = await serving({});
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
  io.stop();
  expect([await status, io.out.text, io.err.text, io.listeners]).toEqual([0, "", "", 0]);
});

test("a service that cannot begin fails", async () => {
  const { io, status } = await serving({ keyFile: join(folder, "none.bin") });
  expect([await status, io.out.text]).toEqual([1, ""]);
  expect(io.err.text).toContain("none.bin");
});
