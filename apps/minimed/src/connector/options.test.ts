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
  ["a text for bonds", { bonds: "bonds.json" }, "bonds: expected an object with load, save, delete, all, got a string"],
  ["a map for bonds", { bonds: new Map() }, "bonds: expected an object with load, save, delete, all, got an object (Map)"],
  ["a clock that does not tell the time", { clock: {} }, "clock: expected an object with now, setTimer"],
  ["a generator of another kind", { random: Math.random }, "random: expected an object with fill, got a function"],
  ["the console for a logger", { logger: console }, "logger: expected an object with child, warn, info"],
  ["a number for a pump", { pump: 5 }, "device address"],
  ["another mode", { mode: "sleep" }, "mode"],
  ["another form", { form: "both" }, 'form: expected "name", "manufacturer"'],
  ["another address", { pairingAddress: "rpa" }, "pairingAddress"],
  ["a number for a name", { name: 5 }, "name: expected text, got 5"],
  ["a text for information", { information: "Google" }, "information: expected an object of options, got a string"],
  ["a number in information", { information: { model: 5 } }, "information: model: expected text, got 5"],
  ["too long a System ID", { information: { systemId: new Uint8Array(21) } }, "information: systemId"],
  ["unknown information", { information: { modle: "x" } }, 'did you mean "model"?'],
  ["one interval", { intervalsMs: { fast: [30, 50] } }, "intervalsMs: slow: expected two numbers of ms"],
  ["an interval that is no number", { intervalsMs: { fast: ["30", 50], slow: [100, 150] } }, "intervalsMs: fast"],
  ["intervals the wrong way round", { intervalsMs: { fast: [50, 30], slow: [100, 150] } }, "intervalsMs: fast"],
  ["no time", { pairingWindowMs: Number.NaN }, "pairing window NaN ms: expected 1 to 86400000 ms"],
])("open with %s is refused", async (_name, given, message) => {
  const [transport] = createTransportPair();
  const options = given === undefined ? undefined : { controller: transport, keyDatabase: phone, ...(given as object) };
  const opened = PumpConnector.open(options as PumpConnectorOptions);
  await expect(opened).rejects.toThrow(message);
  await expect(opened).rejects.toBeInstanceOf(ArgumentError);
});
