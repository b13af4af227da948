import { ArgumentError, SeededRandom } from "jelling/core";
import { createTransportPair } from "jelling/transport";
import { expect, test } from "vitest";
import { inventKeys } from "../simulator/keys.ts";
import type { PumpConnectorOptions } from "./options.ts";
import { PumpConnector } from "./pump-connector.ts";

const { phone } = inventKeys(new SeededRandom(1, "keys"));

test.each<[string, unknown, string]>([
  ["nothing", undefined, "expected an object of options, got null"],
  ["an unknown name", { keydatabase: phone }, 'unknown option "keydatabase", did you mean "keyDatabase"?'],
  ["another controller", { controller: 5 }, 'controller: expected a name such as "hci:0", or a transport, got 5'],
  ["no keys", { keyDatabase: "my-keys.bin" }, "keyDatabase: expected a SakeKeyDatabase, got a string"],
  ["a word for a switch", { anew: "yes" }, "anew"],
  ["a text for a function", { onEvent: "print" }, "onEvent: expected a function, got a string"],
  ["a number for a signal", { signal: 5 }, "signal: expected an AbortSignal, got 5"],
  ["a text for a time", { pairingWindowMs: "300000" }, "pairing window a string ms: expected 1 to 86400000 ms"],
  ["no time", { pairingWindowMs: Number.NaN }, "pairing window NaN ms: expected 1 to 86400000 ms"],
])("open with %s is refused", async (_name, given, message) => {
  const [transport] = createTransportPair();
  const options = given === undefined ? undefined : { controller: transport, keyDatabase: phone, ...(given as object) };
  const opened = PumpConnector.open(options as PumpConnectorOptions);
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.toBeInstanceOf(ArgumentError);
});
