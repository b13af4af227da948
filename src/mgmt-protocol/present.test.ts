import { expect, test } from "vitest";
import { Uuid } from "../core/index.ts";
import { bitNames, hasBit, nameOf, present, statusName } from "./present.ts";
import { commands, events } from "./registry.ts";
import { Settings, Status } from "./values.ts";

test("numbers have names where they are known, and stay numbers where not", () => {
  expect(nameOf(Status, 0x0a)).toBe("Busy");
  expect(nameOf(Status, 0x99)).toBeUndefined();
  expect(bitNames(Settings, 0x8000_0201)).toEqual(["Powered", "LowEnergy", "0x80000000"]);
  expect(bitNames(Settings, 0)).toEqual([]);
  expect([statusName(0x0a), statusName(0x99)]).toEqual(["Busy", "0x99"]);
});

test("a bit is asked for by its name, the highest of 32 as well", () => {
  const names = { Lowest: 0, Highest: 31 };
  expect((["Lowest", "Highest"] as const).map((name) => hasBit(names, 0x8000_0000, name))).toEqual([false, true]);
  expect((["Lowest", "Highest"] as const).map((name) => hasBit(names, 1, name))).toEqual([true, false]);
});

test("a device that was found: names for the kind of address and flags, hexadecimal octets", () => {
  const values = { address: "C0:11:22:33:44:55", addressType: 2, rssi: -60, flags: 4, eirData: Uint8Array.of(2, 1, 6) };
  const shown = { ...values, addressType: "LERandom", flags: ["NotConnectable"], eirData: "020106" };
  expect(present(events.deviceFound.parameters.fields, values)).toEqual(shown);
});

test("what is not known of a measurement is null, whatever number says so", () => {
  expect(present(events.deviceFound.parameters.fields, { rssi: 127 })).toEqual({ rssi: null });
  expect(present(events.deviceFound.parameters.fields, { addressType: 9 })).toEqual({ addressType: 9 });
});

test("what JSON cannot carry: 64 bits, UUIDs, structures in lists, type and value", () => {
  const key = { address: "C0:11:22:33:44:55", addressType: 2, keyType: 0, central: 1, encryptionSize: 16, encryptionDiversifier: 3 };
  const keys = [{ ...key, randomNumber: 0x0102n, value: new Uint8Array(16) }];
  expect(present(commands.loadLongTermKeys.parameters.fields, { keys })).toEqual({
    keys: [{ ...key, addressType: "LERandom", keyType: "UnauthenticatedLegacy", randomNumber: "0x0000000000000102", value: "(redacted)" }],
  });
  expect(present(commands.addUuid.parameters.fields, { uuid: Uuid.from("180D"), svcHint: 0 })).toMatchObject({ uuid: "180d" });
  const parameters = [{ type: 1, value: Uint8Array.of(0, 8) }];
  expect(present(commands.readDefaultSystemConfiguration.returns.fields, { parameters })).toEqual({
    parameters: [{ type: 1, value: "0008" }],
  });
});

test("values that are not there are left out", () => {
  expect(present(events.deviceDisconnected.parameters.fields, { address: "C0:11:22:33:44:55", addressType: 1 })).toEqual({
    address: "C0:11:22:33:44:55",
    addressType: "LEPublic",
  });
});
