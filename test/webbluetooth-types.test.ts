/// <reference types="web-bluetooth" />
import { expect, test } from "vitest";
import type { LocalService } from "../src/gatt/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import * as own from "../src/webbluetooth/index.ts";

/** A page's function, with the types that pages use. */
async function heartRate(bluetooth: Bluetooth): Promise<number> {
  const device: BluetoothDevice = await bluetooth.requestDevice({
    filters: [{ services: ["heart_rate"] }],
    optionalServices: ["battery_service"],
  });
  const server: BluetoothRemoteGATTServer = await device.gatt!.connect();
  const service: BluetoothRemoteGATTService = await server.getPrimaryService("heart_rate");
  const measurement: BluetoothRemoteGATTCharacteristic = await service.getCharacteristic("heart_rate_measurement");
  const rate = new Promise<number>((resolve) =>
    measurement.addEventListener("characteristicvaluechanged", function (event) {
      expect(event.target).toBe(this);
      resolve((event.target as BluetoothRemoteGATTCharacteristic).value!.getUint8(1));
    }),
  );
  await measurement.startNotifications();
  const heard = await rate;
  server.disconnect();
  return heard;
}

test("a page's code with the types of @types/web-bluetooth takes our objects, and runs in the air", async () => {
  await using air = new SimulatedAir({ seed: 1 });
  const strap = await air.device({ name: "Strap" });
  const beat = Uint8Array.of(0, 72);
  const measurement = { uuid: 0x2a37, properties: ["notify"] as const, onSubscription: () => void characteristics[0]!.notify(beat) };
  const { characteristics }: LocalService = strap.gattServer.addService({ uuid: 0x180d, characteristics: [measurement] });
  await strap.advertise({ intervalMs: 30, data: { serviceUuids: [0x180d] } });
  const bluetooth: Bluetooth = own.createBluetooth(await air.device(), { choose: own.chooseStrongest({ withinMs: 200 }) });
  const BluetoothUUID: {
    getService(name: BluetoothServiceUUID): string;
    getCharacteristic(name: BluetoothCharacteristicUUID): string;
    getDescriptor(name: BluetoothDescriptorUUID): string;
    canonicalUUID(alias: number): string;
  } = own.BluetoothUUID;
  expect(BluetoothUUID.getService("heart_rate")).toBe("0000180d-0000-1000-8000-00805f9b34fb");
  const scan: BluetoothLEScan = await bluetooth.requestLEScan({ acceptAllAdvertisements: true });
  scan.stop();
  expect(await heartRate(bluetooth)).toBe(72);
});
