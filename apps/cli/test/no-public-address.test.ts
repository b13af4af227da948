import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Air } from "jelling/air";
import { SystemClock } from "jelling/async";
import { Controller } from "jelling/controller";
import { Address } from "jelling/core";
import { Device } from "jelling/device";
import { IoCapability } from "jelling/smp";
import { serveController } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jelling } from "./fake-io.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("what was paired with is connected to by the next run, on a controller without a public address as well", async () => {
  const clock = new SystemClock();
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
  const run = (...argv: string[]) => jelling([...argv, "-t", server.spec], { env: { XDG_STATE_HOME: folder } });
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
