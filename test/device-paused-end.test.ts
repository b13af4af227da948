// Links that end while they are paused: what had arrived comes before the end, and the controller may have given the handle to another link.
import { expect, test } from "vitest";
import type { Connection, Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

/** A sensor whose program takes one value at a time, and is busy with the first. */
async function busy() {
  const air = new SimulatedAir({ seed: 5, controller: { connectionHandles: "lowest" } });
  const sensor = await air.device({ name: "sensor" });
  const phone = await air.device({ name: "phone" });
  const told: string[] = [];
  sensor.onConnection((connection) => {
    told.push(`connection ${connection.handle}`);
    connection.on("disconnected", () => told.push(`disconnected ${connection.handle}`));
  });
  const write = (value: Uint8Array): void => void told.push(`write ${value[0]}`);
  const { valueHandle } = sensor.gattServer
    .addService({ uuid: "180a", characteristics: [{ uuid: "2a00", properties: ["write-without-response"], write }] })
    .characteristic("2a00")!;
  const connect = async (): Promise<Connection> => {
    await sensor.advertise({ intervalMs: 20 });
    return phone.connect(sensor.address, { intervalMs: 7.5 });
  };
  const link = await connect();
  const [atSensor] = sensor.links as [Connection];
  const pause = atSensor.pause();
  for (let i = 0; i < 5; i++) await link.gatt.writeWithoutResponse(valueHandle, Uint8Array.of(i));
  await link.disconnect();
  await air.advance(50);
  return { air, sensor, phone, told, atSensor, pause, connect };
}

const VALUES = Array.from({ length: 5 }, (_, i) => `write ${i}`);

test("all of it is looked at before the end", async () => {
  const { air, told, atSensor, pause, sensor } = await busy();
  await using _air = air;
  expect(told).toEqual(["connection 1"]);
  expect([atSensor.ended, sensor.links]).toEqual([undefined, []]);
  pause[Symbol.dispose]();
  expect(told).toEqual(["connection 1", ...VALUES, "disconnected 1"]);
  expect(atSensor.ended?.reason).toBe(0x13);
});

test("the peer may come back meanwhile, with the same handle, and commands of the old link do not reach the new one", async () => {
  const { air, told, atSensor, pause, connect, sensor } = await busy();
  await using _air = air;
  await connect();
  const [again] = sensor.links as [Connection];
  expect([again.handle, again === atSensor]).toEqual([atSensor.handle, false]);
  await expect(atSensor.rssi()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(atSensor.updateParameters({ intervalMs: 30 })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  await expect(atSensor.setPhy({ tx: "2M" })).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  expect(again.ended).toBeUndefined();
  pause[Symbol.dispose]();
  expect(told).toEqual(["connection 1", "connection 1", ...VALUES, "disconnected 1"]);
  expect([again.ended, sensor.links]).toEqual([undefined, [again]]);
});

test.each<[string, (parts: { atSensor: Connection; sensor: Device }) => Promise<void>]>([
  ["who disconnects", ({ atSensor }) => atSensor.disconnect()],
  ["who closes the device", ({ sensor }) => sensor.close()],
])("%s does not wait, and the rest is dropped", async (_name, act) => {
  const parts = await busy();
  await using _air = parts.air;
  await act(parts);
  expect(parts.told).toEqual(["connection 1", "disconnected 1"]);
  parts.pause[Symbol.dispose]();
  expect(parts.told).toEqual(["connection 1", "disconnected 1"]);
});

test("a link that stays paused ends after 30 s", async () => {
  const { air, told } = await busy();
  await using _air = air;
  await air.advance(30_000);
  expect(told).toEqual(["connection 1", "disconnected 1"]);
});

test("a request that is made on the link meanwhile fails with its end", async () => {
  const { air, atSensor, pause } = await busy();
  await using _air = air;
  const read = atSensor.gatt.read(3);
  const outcome = expect(read).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
  pause[Symbol.dispose]();
  await outcome;
});
