import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Address } from "jelling/core";
import type { Advertisement } from "jelling/gap";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lister } from "../src/commands/scan.ts";
import { Context } from "../src/context.ts";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));
const env = () => ({ XDG_STATE_HOME: folder, JELLING_TRANSPORT: "sim:" });
const ECHO = "C0:4A:65:6C:6C:04/random";

describe("a person who presses Ctrl-C at a prompt", () => {
  test("ends the command with 130, and nothing is said", async () => {
    const argv = ["pair", ECHO, "--io", "keyboard"];
    using clock = new FastClock();
    const io = fakeIo({ clock, env: env(), isTTY: true, answers: [] });
    let asked = 0;
    // As the terminal does it: the key arrives at the prompt, the request to stop and the missing answer come together.
    const cancelled = (): Promise<undefined> => {
      asked++;
      io.stop("interrupted");
      return Promise.resolve(undefined);
    };
    const status = await main(argv, { ...io, ask: { yesNo: cancelled, text: cancelled } });
    expect([status, asked]).toEqual([130, 1]);
    expect(io.err.text).not.toContain("jelling: ");
    expect(io.listeners).toBe(0);
  });
});

describe("standard output that cannot be written", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });

  test("in the middle of a command ends it with one sentence and status 1", async () => {
    using clock = new FastClock();
    const io = fakeIo({ clock, env: env() });
    const done = main(["scan", "--json"], io);
    await io.saw("Heart Rate");
    io.stop("output-failed", full);
    expect(await done).toBe(1);
    expect(io.err.text).toBe("jelling: standard output cannot be written: no space left on the device\n");
    expect(io.listeners).toBe(0);
  });

  test("and tells so after the last word is status 1 as well; a reader that went away is none", async () => {
    for (const [reason, status, said] of [
      ["output-failed", 1, "jelling: standard output cannot be written: no space left on the device\n"],
      ["output-closed", 0, ""],
    ] as const) {
      const io = fakeIo({ env: env() });
      const finished = (): Promise<void> => {
        io.stop(reason, reason === "output-failed" ? full : undefined);
        return Promise.resolve();
      };
      const stdout = Object.assign(Object.create(io.stdout) as typeof io.stdout, { finished });
      expect(await main(["doctor", "--json"], { ...io, stdout })).toBe(status);
      expect(io.err.text).toBe(said);
    }
  });

  test("a capture on a full disk is one sentence and status 1", { skip: !existsSync("/dev/full") }, async () => {
    using clock = new FastClock();
    const { status, err } = await jelling(["scan", "--timeout", "700ms", "--json", "--capture", "/dev/full"], { clock, env: env() });
    expect(status).toBe(1);
    expect(err.trim().split("\n").at(-1)).toBe("jelling: the capture /dev/full cannot be written: no space is left on the device");
    expect(err).not.toContain("    at ");
  });
});

describe("a scan", () => {
  const advertisement = (name: string | undefined, more: Partial<Advertisement> = {}): Advertisement =>
    ({
      address: Address.from("C0:11:22:33:44:55/random"),
      identity: undefined,
      rssiDbm: -50,
      connectable: true,
      scannable: true,
      name,
      serviceUuids: [],
      manufacturerData: [],
      serviceData: [],
      advertisingData: { bytes: new Uint8Array() },
      scanResponseData: undefined,
      ...more,
    }) as unknown as Advertisement;
  const names = (reports: readonly Advertisement[], active: boolean): unknown[] => {
    const io = fakeIo();
    using context = new Context(io, { log: "warn", json: true });
    const lister = new Lister(context);
    for (const report of reports) lister.once(report, active);
    lister.end();
    return io.out.text
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { name?: string }).name);
  };
  const answered = { scanResponseData: { bytes: new Uint8Array() } } as unknown as Partial<Advertisement>;

  test("corrects a name that came late, or another one, and repeats nothing else", () => {
    expect(names([advertisement(undefined), advertisement("Late"), advertisement("Late"), advertisement(undefined)], false)).toEqual([
      undefined,
      "Late",
    ]);
    expect(names([advertisement("Short"), advertisement("Shorter no more"), advertisement(undefined)], false)).toEqual([
      "Short",
      "Shorter no more",
    ]);
  });
  test("waits for the scan response of a device first, and takes what it brings later", () => {
    expect(names([advertisement(undefined), advertisement("Answered", answered), advertisement("Renamed", answered)], true)).toEqual([
      "Answered",
      "Renamed",
    ]);
  });
});

test("a value is read before any part of it: a server that refuses Read Blob gives its short values all the same", async () => {
  const capture = join(folder, "read.btsnoop");
  using clock = new FastClock();
  const read = await jelling(["gatt", "read", ECHO, "7d1a0002-6563-4f68-8c05-6a656c6c7921", "--capture", capture], { clock, env: env() });
  expect([read.status, read.out]).toEqual([0, '68656c6c6f  "hello"\n']);
  const { out } = await jelling(["decode", capture, "-f", "Att"], { env: env() });
  expect(out).toContain("AttReadReq");
  expect(out).not.toContain("AttReadBlobReq");
});
