import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Air } from "jelling/air";
import { Controller } from "jelling/controller";
import { Address } from "jelling/core";
import { Device } from "jelling/device";
import { IoCapability } from "jelling/smp";
import { serveController } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("what was paired with is connected to by the next run, on a controller without a public address as well", async () => {
  using clock = new FastClock();
  const air = new Air({ clock, seed: 1, traceCapacity: 0 });
  const address = Address.from("C0:11:22:33:44:01/random");
  await using peripheral = await Device.open(new Controller({ air, name: "peripheral" }).transport, {
    clock,
    address,
    pairing: { ioCapability: IoCapability.NoInputNoOutput, mitm: false },
  });
  await using _ = await peripheral.advertise({ data: { flags: 6 }, intervalMs: 30, restart: "disconnected" });
  const path = join(folder, "controller");
  await using server = await serveController(new Controller({ air, name: "dongle", address: "00:00:00:00:00:00" }), `unix:${path}`);
  const run = (...argv: string[]) => jelling([...argv, "-t", server.spec], { clock, env: { XDG_STATE_HOME: folder } });
  const paired = await run("pair", address.toString(), "--json");
  expect([paired.status, paired.err]).toEqual([0, ""]);
  const connected = await run("connect", address.toString(), "--once", "--json");
  expect([connected.status, connected.err]).toEqual([0, ""]);
  expect(connected.out).toContain('"encrypted":true');
  const identities: string[] = [];
  for await (const bond of peripheral.bonds.all()) identities.push(bond.identity.toString());
  expect(identities).toHaveLength(1);
  air[Symbol.dispose]();
});

test("a bond whose key the device has lost, or that knows another identity of ours: connect names the command, pair asks", async () => {
  using clock = new FastClock();
  const air = new Air({ clock, seed: 2, traceCapacity: 0 });
  const address = Address.from("C0:11:22:33:44:02/random");
  await using peripheral = await Device.open(new Controller({ air, name: "peripheral" }).transport, {
    clock,
    address,
    agent: { confirm: async () => true, replaceBond: async () => true },
    pairing: { allowEqualReplacement: true },
  });
  await using _ = await peripheral.advertise({ data: { flags: 6 }, intervalMs: 30, restart: "disconnected" });
  const path = join(folder, "controller2");
  await using server = await serveController(new Controller({ air, name: "dongle", address: "00:00:00:00:00:00" }), `unix:${path}`);
  const state = join(folder, "state2");
  const run = (words: string, answers?: boolean[]) =>
    jelling([...words.split(" "), address.toString(), "-t", server.spec], {
      clock,
      env: { XDG_STATE_HOME: state },
      ...(answers && { answers, isTTY: true }),
    });
  expect((await run("pair")).status).toBe(0);
  const lose = async (): Promise<void> => {
    for await (const bond of peripheral.bonds.all()) await peripheral.bonds.delete(bond.identity);
  };
  await lose();
  const failed = await run("connect --once");
  expect([failed.status, failed.out]).toEqual([1, ""]);
  expect(failed.err).toContain(`jelling pair ${address}`);
  // Nobody is there to say that the device has lost the key.
  const unasked = await run("pair");
  expect([unasked.status, unasked.err.includes("--yes")]).toEqual([1, true]);
  const refused = await run("pair --io none", [false]);
  expect(refused).toMatchObject({ status: 1, err: expect.stringContaining("shall the bond be replaced?") });
  expect((await run("pair --yes")).status).toBe(0);
  expect(await run("connect --once --json")).toMatchObject({ status: 0, err: "" });
  // The device has the key: nobody is asked.
  expect(await run("pair --json")).toMatchObject({ status: 0, err: "" });

  await rm(join(state, "jelling", "identity.json"));
  const stranger = await run("connect --once");
  expect(stranger.status).toBe(1);
  expect(stranger.err).toContain("another identity of ours");
  expect(stranger.err).toContain(`jelling pair ${address}`);
  const paired = await run("pair --yes --json");
  expect(paired.status).toBe(0);
  expect(paired.err).toContain("another identity of this side");
  expect(await run("connect --once --json")).toMatchObject({ status: 0, err: "" });
  air[Symbol.dispose]();
});
