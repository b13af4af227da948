// The scenarios of devices once more, on controllers whose events, data and commands take different times on their way, so that nothing may
// rely on an order between them (docs/architecture.md, "Events and data have no order").
import { expect, test, vi } from "vitest";
import type * as simulatedAir from "../src/testing/simulated-air.ts";
import { SimulatedAir } from "../src/testing/simulated-air.ts";
import { isFull } from "./support/left-out.ts";

const seen = vi.hoisted(() => ({ airs: 0 }));

vi.mock("../src/testing/simulated-air.ts", async (importOriginal) => {
  const { SimulatedAir, ...rest } = await importOriginal<typeof simulatedAir>();
  class SkewedAir extends SimulatedAir {
    constructor(options: simulatedAir.SimulatedAirOptions = {}) {
      super({ ...options, controller: { pathSkewMs: 10, ...options.controller } });
      seen.airs++;
    }
  }
  return { ...rest, SimulatedAir: SkewedAir };
});

await import("./device-air.test.ts");
await import("./gatt-air.test.ts");
await import("./gatt-trust.test.ts");
await import("./smp-device.test.ts");

test("all of them ran in a skewed air", () => {
  expect(seen.airs).toBeGreaterThan(100);
});

const SEEDS = Array.from({ length: isFull ? 20 : 6 }, (_, seed) => seed);
/** As far as the host's patience goes, on links as fast as they can be: what comes first comes soon. */
const fast = { seedAir: { controller: { pathSkewMs: 20 } }, connect: { intervalMs: 7.5 } };

test.each(SEEDS)("the first request of the peer is answered, whichever way is faster (seed %s)", async (seed) => {
  await using air = new SimulatedAir({ seed, ...fast.seedAir });
  const phone = await air.device({ name: "phone" });
  const sensor = await air.device({ name: "sensor" });
  const reads: Promise<Uint8Array>[] = [];
  for (const device of [phone, sensor]) device.onConnection(({ gatt }) => reads.push(gatt.read(3, { timeoutMs: 1000 })));
  await sensor.advertise({ intervalMs: 20 });
  await phone.connect(sensor.address, fast.connect);
  await air.advance(100);
  expect(reads).toHaveLength(2);
  for (const value of await Promise.all(reads)) expect(new TextDecoder().decode(value)).toMatch(/^(phone|sensor)$/);
});

test.each(SEEDS)("the first request on an encrypted link is judged by that encryption (seed %s)", async (seed) => {
  await using air = new SimulatedAir({ seed, ...fast.seedAir });
  const phone = await air.device({ name: "phone", policy: { elevate: "never" } });
  const sensor = await air.device({ name: "sensor", policy: { elevate: "never" } });
  const handles = [phone, sensor].map((device) => {
    const permissions = { read: "encrypted" } as const;
    const characteristics = [{ uuid: "2a00", properties: ["read"] as const, value: Uint8Array.of(0x2a), permissions }];
    return device.gattServer.addService({ uuid: "180a", characteristics }).characteristic("2a00")!.valueHandle;
  });
  expect(handles[0]).toBe(handles[1]);
  await sensor.advertise({ intervalMs: 20, restart: "disconnected" });
  const first = await phone.connect(sensor.address, fast.connect);
  await first.pair();
  await first.disconnect();
  await air.advance(100);
  const reads: Promise<Uint8Array>[] = [];
  for (const device of [phone, sensor])
    device.onConnection((connection) =>
      connection.on("security", () => reads.push(connection.gatt.read(handles[0]!, { timeoutMs: 1000 }))),
    );
  await phone.connect(sensor.address, fast.connect);
  await air.advance(200);
  expect(reads).toHaveLength(2);
  for (const value of await Promise.all(reads)) expect(value).toEqual(Uint8Array.of(0x2a));
});
