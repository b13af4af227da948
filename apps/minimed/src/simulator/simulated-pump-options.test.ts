import { ArgumentError, SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { inventKeys } from "./keys.ts";
import { checkedPumpOptions, type SimulatedPumpOptions } from "./simulated-pump-options.ts";

const given = { seed: 1, keyDatabase: inventKeys(new SeededRandom(1, "keys")).pump };

test.each<[string, unknown, string]>([
  ["nothing", undefined, "expected an object of options, got null"],
  ["an unknown name", { ...given, historydays: 3 }, 'did you mean "historyDays"?'],
  ["no seed", { ...given, seed: undefined }, "seed: expected a whole number"],
  ["a text for a switch", { ...given, insulinDelivery: "no" }, "insulinDelivery: expected true or false"],
  ["a number for a sensor", { ...given, sensor: 120 }, "sensor: expected true or false, got 120"],
  ["a text for a function", { ...given, onEvent: "print" }, "onEvent: expected a function"],
  ["too small an MTU", { ...given, mtu: 22 }, "mtu: expected a whole number from 23 to 517"],
  ["no room", { ...given, historyCapacity: 0 }, "historyCapacity"],
])("a simulated pump of %s is refused", (_name, options, message) => {
  expect(() => checkedPumpOptions(options as SimulatedPumpOptions)).toThrow(ArgumentError);
  expect(() => checkedPumpOptions(options as SimulatedPumpOptions)).toThrow(message);
});
