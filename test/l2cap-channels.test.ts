import { expect, test } from "vitest";
import type { Connection, Device } from "../src/device/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

interface Pair {
  air: SimulatedAir;
  phone: Device;
  sensor: Device;
  /** At the phone, which is the central, and at the sensor. */
  link: Connection;
  back: Connection;
}

async function pair(options: ConstructorParameters<typeof SimulatedAir>[0] = {}): Promise<Pair & AsyncDisposable> {
  const air = new SimulatedAir({ seed: 1, ...options });
  const sensor = await air.device({ name: "sensor" });
  const phone = await air.device({ name: "phone" });
  const advertising = await sensor.advertise({});
  const arrived = advertising.connection();
  const link = await phone.connect(sensor.address);
  const back = await arrived;
  return { air, phone, sensor, link, back, [Symbol.asyncDispose]: () => air[Symbol.asyncDispose]() };
}

const octets = (length: number, seed = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + seed + (i >> 8)) & 0xff);

test.each(["credit", "enhanced"] as const)("mode %s: SDUs of any length go both ways, whole and in order", async (mode) => {
  await using p = await pair();
  using listener = p.sensor.l2cap.listen(0x80);
  const accepted = listener[Symbol.asyncIterator]().next();
  const channel = await p.link.l2cap.connect(0x80, { mode });
  const { value: other } = await accepted;
  expect(other).toMatchObject({ spsm: 0x80, mode, role: "acceptor", mtu: 2221, peerMtu: 2221, mps: 247, peerMps: 247 });
  expect(other!.connection).toBe(p.back);
  expect(channel.connection).toBe(p.link);
  const lengths = [0, 1, 244, 245, 246, 247, 248, 491, 492, 2000, 2221];
  for (const [i, length] of lengths.entries()) void channel.send(octets(length, i));
  for (const [i, length] of lengths.entries()) void other!.send(octets(length, i + 1));
  for (const [i, length] of lengths.entries()) {
    expect(await other!.receive()).toEqual(octets(length, i));
    expect(await channel.receive()).toEqual(octets(length, i + 1));
  }
  await channel.close();
  expect(await other!.receive()).toBeUndefined();
  expect([p.link.l2cap.channels, p.back.l2cap.channels]).toEqual([[], []]);
});
