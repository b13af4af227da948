import { expect, test } from "vitest";
import type { Connection } from "../src/device/index.ts";
import { createBleOpener, McumgrClient, readFirmware, type UpgradeOptions, upgradeFirmware } from "../src/mcumgr/index.ts";
import { createImage, SimulatedAir, SimulatedMcumgrDevice, serveOverGatt } from "../src/testing/index.ts";

const V2 = readFirmware(createImage({ version: "2.0.0", bodySize: 2000 }));

async function world() {
  const air = new SimulatedAir({ seed: 1 });
  const managed = new SimulatedMcumgrDevice({ clock: air.clock, bufSize: 400, sectorSize: 512, images: [{ slotSize: 8 << 10 }] });
  const server = await air.device({ name: "sensor" });
  await serveOverGatt(managed, server, { name: "sensor" });
  let connection: Connection | undefined;
  server.onConnection((made) => {
    connection = made;
  });
  const host = await air.device();
  const upgrade = async (options: UpgradeOptions = {}) => {
    await using client = await McumgrClient.open(createBleOpener(host, { name: "sensor" }), { clock: air.clock });
    return await upgradeFirmware(client, V2, { clock: air.clock, ...options });
  };
  return {
    air,
    managed,
    cut: () => void connection?.disconnect(),
    upgrade,
    [Symbol.asyncDispose]: async () => {
      await managed[Symbol.asyncDispose]();
      await air[Symbol.asyncDispose]();
    },
  };
}

test("over BLE a link that is lost at any request is made again, and the upgrade goes on", async () => {
  let requests: number;
  {
    await using one = await world();
    expect(await one.upgrade()).toMatchObject({ outcome: "complete" });
    requests = one.managed.counters.requests;
  }
  for (let n = 3; n <= requests; n += 3) {
    await using one = await world();
    const { managed, cut, upgrade } = one;
    let seen = 0;
    managed.on("request", () => {
      if (++seen === n) cut();
    });
    expect(await upgrade(), `cut at request ${n} of ${requests}`).toMatchObject({ outcome: "complete" });
    expect(managed.runningImage()?.version).toBe("2.0.0");
  }
});

test("over BLE a program that is killed leaves a device that starts, and the next one completes the upgrade", async () => {
  await using first = await world();
  await first.upgrade();
  const { requests } = first.managed.counters;
  for (let n = 2; n <= requests; n += 3) {
    await using one = await world();
    const { managed, upgrade } = one;
    const killed = new AbortController();
    let seen = 0;
    using _ = managed.on("request", () => {
      if (++seen === n) killed.abort(new Error("killed"));
    });
    await expect(upgrade({ signal: killed.signal })).rejects.toThrow("killed");
    expect(await upgrade(), `killed at request ${n} of ${requests}`).toMatchObject({ outcome: "complete" });
    expect(managed.runningImage()?.version).toBe("2.0.0");
  }
});
