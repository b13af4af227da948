import { describe, expect, test } from "vitest";
import { Blocked, type Blocklist, checkBlocklist, NO_BLOCKLIST, REGISTRY_BLOCKLIST } from "./blocklist.ts";
import { type Advertised, canonicalFilter, type Filter, matchesFilter } from "./filters.ts";
import { BluetoothUUID } from "./uuid.ts";

const BASE = "-0000-1000-8000-00805f9b34fb";
const blocked = new Blocked(REGISTRY_BLOCKLIST);
const canonical = (filter: unknown): Filter => canonicalFilter("filters[0]", filter, blocked);
const octets = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

describe("BluetoothUUID", () => {
  test.each([
    ["getService", "heart_rate", `0000180d${BASE}`],
    ["getService", "battery_service", `0000180f${BASE}`],
    ["getService", 0x1801, `00001801${BASE}`],
    ["getService", 0xdeadbeef, `deadbeef${BASE}`],
    ["getService", "6e400001-b5a3-f393-e0a9-e50e24dcca9e", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"],
    ["getCharacteristic", "ieee_11073-20601_regulatory_certification_data_list", `00002a2a${BASE}`],
    ["getCharacteristic", "gap.device_name", `00002a00${BASE}`],
    ["getCharacteristic", "date_utc", `00002aed${BASE}`],
    ["getDescriptor", "gatt.characteristic_presentation_format", `00002904${BASE}`],
    ["getDescriptor", "time_trigger_setting", `0000290e${BASE}`],
    ["canonicalUUID", 0xdeadbeef, `deadbeef${BASE}`],
    ["canonicalUUID", 0, `00000000${BASE}`],
  ] as const)("%s(%s)", (method, name, uuid) => {
    expect(BluetoothUUID[method](name as never)).toBe(uuid);
  });

  test.each([
    ["getService", "unknown-service"],
    ["getService", "Heart_Rate"],
    ["getService", "180d"],
    ["getService", "0x180d"],
    ["getService", `0000180D${BASE}`],
    ["getService", "heart_rate_measurement"], // of characteristics
    ["getService", "battery"],
    ["getService", ""],
    ["getService", undefined],
    ["getService", null],
    ["getCharacteristic", "heart_rate"],
    ["getCharacteristic", "device_name"],
    ["getDescriptor", "client_characteristic_configuration"],
    ["getDescriptor", "toString"],
    ["canonicalUUID", -1],
    ["canonicalUUID", 0x1_0000_0000],
    ["canonicalUUID", Number.NaN],
  ] as const)("%s(%s) is a TypeError", (method, name) => {
    expect(() => BluetoothUUID[method](name as never)).toThrow(TypeError);
  });
});

test("a filter's names become UUIDs, its octets copies, a missing mask all ones", () => {
  const prefix = octets(9, 1, 2, 9);
  const filter = canonical({
    name: "",
    namePrefix: "S",
    services: ["heart_rate", 0x180f],
    manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: prefix.subarray(1, 3) }, { companyIdentifier: 1 }],
    serviceData: [{ service: "battery_service", dataPrefix: prefix.buffer, mask: octets(0xf0, 0, 0, 1) }],
  });
  prefix.fill(0);
  expect(filter).toEqual({
    name: "",
    namePrefix: "S",
    services: [`0000180d${BASE}`, `0000180f${BASE}`],
    manufacturerData: [
      { companyIdentifier: 0x59, dataPrefix: octets(1, 2), mask: octets(0xff, 0xff) },
      { companyIdentifier: 1, dataPrefix: octets(), mask: octets() },
    ],
    serviceData: [{ service: `0000180f${BASE}`, dataPrefix: octets(9, 1, 2, 9), mask: octets(0xf0, 0, 0, 1) }],
  });
});

test.each<[string, unknown]>([
  ["no member", {}],
  ["a member of another name", { serviceUuids: ["heart_rate"] }],
  ["null", null],
  ["text", "heart_rate"],
  ["no services", { services: [] }],
  ["services that are no array", { services: 5 }],
  ["text in place of services", { services: "heart_rate" }],
  ["an unknown service", { services: ["heart-rate"] }],
  ["an empty prefix of a name", { namePrefix: "" }],
  ["a name of 249 octets", { name: "a".repeat(249) }],
  ["a name of 249 octets of UTF-8", { name: "☃".repeat(83) }],
  ["a prefix of 249 octets", { namePrefix: "a".repeat(249) }],
  ["no manufacturer data", { manufacturerData: [] }],
  ["manufacturer data without a company", { manufacturerData: [{}] }],
  ["a company below 0", { manufacturerData: [{ companyIdentifier: -1 }] }],
  ["a company above 0xffff", { manufacturerData: [{ companyIdentifier: 0x10000 }] }],
  ["a company that is no number", { manufacturerData: [{ companyIdentifier: "x" }] }],
  ["one company twice", { manufacturerData: [{ companyIdentifier: 1 }, { companyIdentifier: 1, dataPrefix: octets(1) }] }],
  ["an empty prefix of data", { manufacturerData: [{ companyIdentifier: 1, dataPrefix: octets() }] }],
  ["a prefix that is no BufferSource", { manufacturerData: [{ companyIdentifier: 1, dataPrefix: [1] }] }],
  ["a mask without a prefix", { manufacturerData: [{ companyIdentifier: 1, mask: octets(1) }] }],
  ["a shorter mask", { manufacturerData: [{ companyIdentifier: 1, dataPrefix: octets(1, 2), mask: octets(1) }] }],
  ["a longer mask", { manufacturerData: [{ companyIdentifier: 1, dataPrefix: octets(1), mask: octets(1, 2) }] }],
  ["no service data", { serviceData: [] }],
  ["service data without a service", { serviceData: [{ dataPrefix: octets(1) }] }],
  ["service data of an unknown service", { serviceData: [{ service: "nothing" }] }],
  ["service data with an empty prefix", { serviceData: [{ service: "heart_rate", dataPrefix: octets() }] }],
  ["service data with a longer mask", { serviceData: [{ service: "heart_rate", dataPrefix: octets(1), mask: octets(1, 2) }] }],
])("a filter with %s is a TypeError", (_what, filter) => {
  expect(() => canonical(filter)).toThrow(TypeError);
});

test.each<[string, unknown]>([
  ["a service", { services: ["heart_rate", "human_interface_device"] }],
  ["service data", { serviceData: [{ service: 0xfffd }] }],
  ["manufacturer data", { manufacturerData: [{ companyIdentifier: 0x4c, dataPrefix: octets(0x02, 0x15) }] }],
])("a filter for %s of the blocklist is a SecurityError", (_what, filter) => {
  expect(() => canonical(filter)).toThrow(expect.objectContaining({ name: "SecurityError" }));
  expect(canonicalFilter("filter", filter, new Blocked(NO_BLOCKLIST))).toBeDefined();
});

test("248 octets of a name, data of Apple that are no beacon, and a mask that leaves the block open pass", () => {
  expect(canonical({ name: "a".repeat(248), namePrefix: "☃".repeat(82) }).name).toHaveLength(248);
  expect(canonical({ manufacturerData: [{ companyIdentifier: 0x4c, dataPrefix: octets(0x10) }] })).toBeDefined();
  expect(canonical({ manufacturerData: [{ companyIdentifier: 0x4c, dataPrefix: octets(0x02), mask: octets(0x0f) }] })).toBeDefined();
  expect(canonical({ manufacturerData: [{ companyIdentifier: 0x4c }] })).toBeDefined();
});

const device: Advertised = {
  completeName: "Sensor 12",
  name: "Sensor 12",
  services: [`0000180d${BASE}`, `0000180f${BASE}`],
  manufacturerData: [
    { companyIdentifier: 0x59, data: octets(1, 2, 3) },
    { companyIdentifier: 0x59, data: octets(7) },
  ],
  serviceData: [{ uuid: `0000180f${BASE}`, data: octets(0x64) }],
};

test.each<[boolean, string, object, Partial<Advertised>?]>([
  [true, "the name", { name: "Sensor 12" }],
  [false, "a part of the name", { name: "Sensor" }],
  [false, "a shortened name that is equal", { name: "Sens" }, { completeName: undefined, name: "Sens" }],
  [true, "a prefix of a shortened name", { namePrefix: "Se" }, { completeName: undefined, name: "Sens" }],
  [false, "a prefix without a name", { namePrefix: "S" }, { completeName: undefined, name: undefined }],
  [true, "all services", { services: ["heart_rate", "battery_service"] }],
  [false, "one service of two", { services: ["heart_rate", "glucose"] }],
  [true, "a company", { manufacturerData: [{ companyIdentifier: 0x59 }] }],
  [true, "the second data of a company", { manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: octets(7) }] }],
  [false, "data that are longer than advertised", { manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: octets(7, 0) }] }],
  [true, "masked data", { manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: octets(0xf1, 0), mask: octets(0x0f, 0) }] }],
  [false, "masked data that differ", { manufacturerData: [{ companyIdentifier: 0x59, dataPrefix: octets(0xf2), mask: octets(0x0f) }] }],
  [false, "another company", { manufacturerData: [{ companyIdentifier: 0x58 }] }],
  [true, "service data", { serviceData: [{ service: "battery_service", dataPrefix: octets(0x64) }] }],
  [false, "other service data", { serviceData: [{ service: "battery_service", dataPrefix: octets(0x63) }] }],
  [false, "all members but one", { name: "Sensor 12", namePrefix: "S", services: ["glucose"] }],
])("%s: a filter by %s", (matches, _what, filter, changes = {}) => {
  expect(matchesFilter({ ...device, ...changes }, canonical(filter))).toBe(matches);
});

test.each<[string, unknown]>([
  ["nothing", null],
  ["a short UUID", { gatt: { "180d": "exclude" }, manufacturerData: [] }],
  ["an unknown use", { gatt: { [`0000180d${BASE}`]: "excluded" }, manufacturerData: [] }],
  ["a mask of another length", { gatt: {}, manufacturerData: [{ companyIdentifier: 1, dataPrefix: octets(1), mask: octets() }] }],
])("a blocklist of %s is refused", (_what, list) => {
  expect(() => checkBlocklist(list as Blocklist)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT" }));
});
