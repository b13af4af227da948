import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Air } from "jelling/air";
import { Controller, type ControllerFeatures, featuresForDevice } from "jelling/controller";
import { serveController } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// Extended advertising from the terminal: what `advertise` says, `scan` shows.

let folder: string;
const clock = new FastClock();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => {
  clock[Symbol.dispose]();
  return rm(folder, { recursive: true });
});

type Json = Record<string, unknown>;
const objects = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);

/** `advertise` with these options, and `scan` with those beside it: what each prints as JSON, and the scan as text. */
async function between(advertise: string, scan: string, features: ControllerFeatures = featuresForDevice()) {
  const air = new Air({ clock, seed: 1, traceCapacity: 0 });
  const spec = async (name: string) => await serveController(new Controller({ air, name, features }), `unix:${join(folder, name)}`);
  await using peripheral = await spec("peripheral");
  await using central = await spec("central");
  const io = fakeIo({ clock, env: { XDG_STATE_HOME: join(folder, "other") } });
  const words = advertise.split(" ").filter(Boolean);
  const done = main(["advertise", ...words, "-t", peripheral.spec, "--json"], io);
  await Promise.race([io.saw("advertising"), done]);
  const env = { XDG_STATE_HOME: folder };
  const look = (...more: string[]) =>
    jelling(["scan", ...scan.split(" ").filter(Boolean), ...more, "--timeout", "1s", "-t", central.spec], { clock, env });
  const [json, text] = [await look("--json"), await look()];
  io.stop();
  const status = await done;
  air[Symbol.dispose]();
  return { status, err: io.err.text, told: objects(io.out.text || "{}")[0]!, heard: json.out ? objects(json.out) : [], text: text.out };
}

test("--extended, with a set identifier: data and name in one advertisement", async () => {
  const { status, told, heard, text } = await between("--extended --sid 5", "");
  expect([status, told.event, told.sid]).toEqual([130, "advertising", 5]);
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({
    address: told.address,
    name: told.name,
    connectable: true,
    sid: 5,
    primaryPhy: "1M",
    secondaryPhy: "1M",
  });
  expect(text).toContain("extended 1M set 5");
});

test("--secondary-phy: where the data is", async () => {
  const { heard, text } = await between("--secondary-phy 2M", "");
  expect(heard[0]).toMatchObject({ primaryPhy: "1M", secondaryPhy: "2M" });
  expect(text).toContain("extended 1M/2M set 0");
});

test("--phy coded is heard by who listens there, and by nobody else", async () => {
  const { heard, text } = await between("--phy coded", "--phy coded");
  expect(heard[0]).toMatchObject({ primaryPhy: "coded", secondaryPhy: "coded" });
  expect(text).toContain("extended coded");
  expect((await between("--phy coded", "")).heard).toEqual([]);
  expect((await between("--phy coded", "--phy 1M --phy coded")).heard).toHaveLength(1);
});

test("--without-address has no address, and takes no connections", async () => {
  const { heard, text } = await between("--without-address", "");
  expect(heard[0]).toMatchObject({ anonymous: true, connectable: false });
  expect(text).toContain("anonymous");
});

test("--max-events ends it by itself, --tx-power is what the controller chooses from", async () => {
  const { status, out } = await jelling("advertise --extended --max-events 3 --tx-power -8 --interval 20ms --json -t sim:empty", {
    clock,
    env: { XDG_STATE_HOME: folder },
  });
  expect([status, objects(out)[0]!.txPowerDbm]).toEqual([0, -8]);
});

test("a controller of version 4 says what it cannot do, and listens where it can", async () => {
  const air = new Air({ clock, seed: 2, traceCapacity: 0 });
  await using served = await serveController(new Controller({ air, name: "old" }), `unix:${join(folder, "old")}`);
  for (const [options, reason] of [
    ["--extended", 'type "extended"'],
    ["--phy coded", "LE Coded"],
    ["--secondary-phy 2M", "a secondary PHY"],
    ["--without-address", "anonymous advertising"],
    ["--sid 1", "an advertising set identifier"],
    ["--max-events 3", "a number of advertising events"],
    ["--tx-power 4", "a transmit power"],
  ] as const) {
    const { status, err } = await jelling(`advertise ${options} -t ${served.spec}`, { clock, env: { XDG_STATE_HOME: folder } });
    expect([options, status, err]).toEqual([options, 1, expect.stringContaining(`cannot do ${reason}`)]);
  }
  air[Symbol.dispose]();
  expect((await between("", "--phy 1M --phy coded", {})).heard).toHaveLength(1);
});

test("what is out of range is refused as wrong usage", async () => {
  for (const words of ["--sid 16", "--phy 2M", "--tx-power 21", "--max-events 0"])
    expect((await jelling(`advertise ${words} -t sim:`, { clock, env: { XDG_STATE_HOME: folder } })).status).toBe(2);
});

test("-t sim: has a controller of version 5", async () => {
  const { status, out } = await jelling("advertise --extended --sid 3 --timeout 200ms --json -t sim:empty", {
    clock,
    env: { XDG_STATE_HOME: folder },
  });
  expect([status, objects(out)[0]!.sid]).toEqual([0, 3]);
});

test("sim serves such ones with --extended, and others without", async () => {
  for (const [word, expected] of [
    ["--extended", 130],
    ["--seed=1", 1],
  ] as const) {
    const io = fakeIo({ clock, env: { XDG_STATE_HOME: folder } });
    const serving = main(["sim", "--unix", join(folder, "served"), word], io);
    await io.saw("controller");
    const user = fakeIo({ clock, env: { XDG_STATE_HOME: join(folder, "other") } });
    const done = main(["advertise", "--extended", "-t", `unix:${join(folder, "served")}`], user);
    await Promise.race([user.saw("advertising "), done]);
    user.stop();
    expect(await done).toBe(expected);
    io.stop();
    expect(await serving).toBe(130);
  }
});
