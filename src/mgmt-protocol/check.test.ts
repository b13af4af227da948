import { expect, test } from "vitest";
import { ArgumentError } from "../core/index.ts";
import { checkLimits } from "./check.ts";
import type { AnyMgmtCommand } from "./declare.ts";
import { commands } from "./registry.ts";

const check = ({ name, parameters }: AnyMgmtCommand, values: Readonly<Record<string, unknown>>): void =>
  checkLimits(parameters.fields, values, `${name}.`);
const DEVICE = { address: "C0:11:22:33:44:55", addressType: 2 };
const PARAMETERS = { ...DEVICE, minConnectionInterval: 6, maxConnectionInterval: 3200, connectionLatency: 499, supervisionTimeout: 10 };

test("values at their limits are good, and what has none is not looked at", () => {
  check(commands.setScanParameters, { interval: 4, window: 16_384 });
  check(commands.loadConnectionParameters, { parameters: [PARAMETERS] });
  check(commands.setPowered, { powered: "On" });
  check(commands.userPasskeyReply, { ...DEVICE, passkey: 0 });
});

test.each<[string, AnyMgmtCommand, Record<string, unknown>, RegExp]>([
  ["a number below", commands.setScanParameters, { interval: 3, window: 4 }, /^SetScanParameters\.interval: 3: expected 4 to 16384$/],
  ["a number above", commands.setScanParameters, { interval: 4, window: 16_385 }, /^SetScanParameters\.window: 16385: expected/],
  [
    "a number in an entry of a list",
    commands.loadConnectionParameters,
    { parameters: [PARAMETERS, { ...PARAMETERS, connectionLatency: 500 }] },
    /parameters\[1\]\.connectionLatency: 500: expected 0 to 499/,
  ],
  ["too many octets", commands.transmitMeshPacket, { ...DEVICE, data: new Uint8Array(32) }, /data: 32 octets: expected 1 to 31/],
  ["too few octets", commands.transmitMeshPacket, { ...DEVICE, data: new Uint8Array(0) }, /data: 0 octets: expected 1 to 31/],
])("%s is named", (_, command, values, message) => {
  expect(() => check(command, values)).toThrow(ArgumentError);
  expect(() => check(command, values)).toThrow(message);
});

test("a field that counts with a flag only is looked at with it, however the flags are given", () => {
  const command = commands.addExtendedAdvertisingParameters;
  const odd = { instance: 1, minInterval: 0, maxInterval: 0, txPower: 100 };
  check(command, odd);
  check(command, { ...odd, flags: 0x3000 });
  for (const flags of [0x4000, ["ParamIntervals"]]) expect(() => check(command, { ...odd, flags })).toThrow(/minInterval: 0: expected 32/);
  expect(() => check(command, { ...odd, flags: ["ParamTxPower"] })).toThrow(/txPower: 100: expected -127 to 20/);
  check(command, { instance: 1, flags: ["ParamTxPower"], txPower: 127 }); // the controller chooses
});

test("a passkey out of its limits is not repeated", () => {
  expect(() => check(commands.userPasskeyReply, { ...DEVICE, passkey: 4_820_193 })).toThrow(
    /^UserPasskeyReply\.passkey: expected 0 to 999999$/,
  );
});
