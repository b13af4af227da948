/// <reference types="w3c-web-usb" preserve="true" />
import { expect, test } from "vitest";
import { Device } from "../src/device/index.ts";
import { SimulatedAir, SimulatedUsbAdapter, type SimulatedUsbAdapterOptions } from "../src/testing/index.ts";
import { openWebUsb, type WebUsb, type WebUsbDevice } from "../src/transport/index.ts";

// What a page has fits: the type check is the test.
export const fits = (device: USBDevice, usb: USB): [WebUsbDevice, WebUsb] => [device, usb];

const KINDS: readonly [string, SimulatedUsbAdapterOptions][] = [
  ["plain", {}],
  ["cut, late", { isCut: true, maxDelayMs: 2 }],
  ["composite, of high speed", { isComposite: true, eventPacketSize: 64, dataPacketSize: 512, maxDelayMs: 1 }],
];

test.each(KINDS)("a device over USB (%s): advertises, connects, pairs, reads, writes, is notified, and closes", async (_, options) => {
  await using air = new SimulatedAir({ seed: 3 });
  const adapter = new SimulatedUsbAdapter(air.addController({ name: "dongle" }), { ...options, clock: air.clock, seed: 3 });
  const device = await Device.open(await openWebUsb(adapter, { clock: air.clock }), {
    clock: air.clock,
    random: air.random("usb"),
    name: "Dongle",
  });
  const peer = await air.device({ name: "peer" });
  const value = Uint8Array.from({ length: 400 }, (_each, i) => i & 0xff);
  let written = new Uint8Array();
  const service = device.gattServer.addService({
    uuid: "FFF0",
    characteristics: [
      { uuid: "FFF1", properties: ["read", "notify"], value },
      {
        uuid: "FFF2",
        properties: ["write"],
        write: (octets) => {
          written = octets.slice();
        },
      },
    ],
  });
  await device.advertise({ data: { name: "Dongle" } });
  const link = await peer.connect(device.address, { timeoutMs: 10_000 });
  await link.pair();
  const read = await link.gatt.characteristic("FFF0", "FFF1");
  expect(await read.read()).toEqual(value);
  await (await link.gatt.characteristic("FFF0", "FFF2")).write(value.subarray(0, 300));
  expect(written).toEqual(value.subarray(0, 300));
  const told: Uint8Array[] = [];
  await read.subscribe((octets) => void told.push(octets));
  await service.characteristic("FFF1")!.notify(value.subarray(0, 20));
  await air.advance(100);
  expect(told).toEqual([value.subarray(0, 20)]);
  await device[Symbol.asyncDispose]();
  await link.closed.catch(() => undefined);
  expect(adapter.opened).toBe(false);
});

test("an adapter that is pulled out ends the device with TransportClosed", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const adapter = new SimulatedUsbAdapter(air.addController({ name: "dongle" }), { clock: air.clock });
  const device = await Device.open(await openWebUsb(adapter, { clock: air.clock }), { clock: air.clock });
  const closed = new Promise((resolve) => device.on("closed", resolve));
  adapter.unplug();
  expect(await closed).toMatchObject({ code: "ERR_TRANSPORT_CLOSED", cause: { name: "NotFoundError" } });
});
