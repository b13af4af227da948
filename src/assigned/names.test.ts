import { expect, test } from "vitest";
import { Uuid } from "../core/uuid.ts";
import { appearanceName, characteristicName, companyName, descriptorName, serviceName, uuidName } from "./index.ts";

test("a UUID has the name of its place", () => {
  expect(serviceName(Uuid.from("180D"))).toBe("Heart Rate");
  expect(characteristicName(Uuid.from("2A37"))).toBe("Heart Rate Measurement");
  expect(descriptorName(Uuid.from("2902"))).toBe("Client Characteristic Configuration");
  expect(uuidName(Uuid.from("2803"))).toBe("Characteristic");
  expect(uuidName(Uuid.from("0000180f-0000-1000-8000-00805f9b34fb"))).toBe("Battery");
});

test("what has no name stays without one", () => {
  expect(serviceName(Uuid.from("2A37"))).toBeUndefined();
  expect(uuidName(Uuid.from("6e400001-b5a3-f393-e0a9-e50e24dcca9e"))).toBeUndefined();
  expect(companyName(0x7777)).toBeUndefined();
  expect(appearanceName(0xffff)).toBeUndefined();
});

test("companies and categories of appearance", () => {
  expect(companyName(0x0059)).toBe("Nordic Semiconductor ASA");
  expect(companyName(0x01f9)).toBe("Medtronic Inc.");
  expect([0x0341, 0x0300, 0x0d41, 0x0d00, 0x0000].map(appearanceName)).toEqual([
    "Heart Rate Sensor",
    "Thermometer",
    "Insulin Pump",
    "Continuous Glucose Monitor",
    "Unknown",
  ]);
});
