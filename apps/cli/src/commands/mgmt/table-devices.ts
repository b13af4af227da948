import type { MgmtMethodName } from "jelling/mgmt";
import { DEVICE, type SimpleSpec } from "./spec.ts";

function toDevice(
  name: string,
  aliases: readonly string[],
  command: MgmtMethodName,
  summary: string,
  more: Partial<SimpleSpec> = {},
): SimpleSpec {
  return { name, aliases, group: "Devices and pairing:", summary, command, arguments: [DEVICE], ...more };
}

/** Subcommands about other devices. */
export const DEVICES: readonly SimpleSpec[] = [
  {
    name: "confirm-name",
    group: "Discovery:",
    summary: "say whether the name of a found BR/EDR device is known",
    command: "confirmName",
    arguments: [DEVICE, { field: "nameKnown", name: "VALUE", what: "yes or no" }],
  },
  toDevice("disconnect", [], "disconnect", "end a link"),
  toDevice("con", ["connections"], "getConnections", "list the links", { arguments: [] }),
  toDevice("conn-info", ["connection-info"], "getConnectionInformation", "signal and power of a link"),
  toDevice("get-clock", ["clock"], "getClockInformation", "BR/EDR clock, of this machine without ADDRESS", {
    arguments: [{ ...DEVICE, usualType: 0, optional: true }],
    fixed: { address: "00:00:00:00:00:00", addressType: "bredr" },
  }),
  toDevice("cancelpair", ["cancel-pair"], "cancelPairDevice", "give up a pairing"),
  toDevice("unpair", [], "unpairDevice", "forget the keys of a device, and disconnect it", {
    options: [{ flags: "--keep-link", what: "do not disconnect", field: "disconnect", value: "off" }],
  }),
  toDevice("block", [], "blockDevice", "refuse everything from a device"),
  toDevice("unblock", [], "unblockDevice", "accept a blocked device again"),
  toDevice("clr-blocked", ["unblock-all"], "unblockDevice", "accept every blocked device again", {
    arguments: [],
    fixed: { address: "00:00:00:00:00:00", addressType: "bredr" },
  }),
  toDevice("add-device", [], "addDevice", "connect a device by itself, or report it", {
    options: [
      {
        flags: "-a, --action <ACTION>",
        what: "BackgroundScan, AllowIncoming or AutoConnect, or 0 to 2",
        field: "action",
        usual: "BackgroundScan",
      },
    ],
  }),
  toDevice("del-device", ["remove-device"], "removeDevice", "take a device off that list"),
  toDevice("clr-devices", ["clear-devices"], "removeDevice", "take every device off that list", {
    arguments: [],
    fixed: { address: "00:00:00:00:00:00", addressType: "bredr" },
  }),
  toDevice("get-flags", ["device-flags"], "getDeviceFlags", "flags of a device on that list"),
  toDevice("set-flags", ["set-device-flags"], "setDeviceFlags", "set flags of a device on that list", {
    options: [
      { flags: "-f, --flags <FLAGS>", what: "RemoteWakeup, DevicePrivacy, …, none, or a number", field: "currentFlags", usual: "none" },
    ],
  }),
  toDevice("local-oob", [], "readLocalOutOfBandData", "this machine's out-of-band data", { arguments: [] }),
  toDevice("bredr-oob", [], "readLocalOutOfBandExtendedData", "this machine's out-of-band data for BR/EDR, as EIR", {
    arguments: [],
    fixed: { addressTypes: "bredr" },
  }),
  toDevice("le-oob", [], "readLocalOutOfBandExtendedData", "this machine's out-of-band data for LE, as AD", {
    arguments: [],
    fixed: { addressTypes: "le" },
  }),
  toDevice("remote-oob", [], "addRemoteOutOfBandData", "tell a device's out-of-band data", {
    fixed: {
      hash192: "00".repeat(16),
      randomizer192: "00".repeat(16),
    },
    options: [
      { flags: "-r, --rand192 <HEX>", what: "P-192 randomizer, 16 octets", field: "randomizer192" },
      { flags: "--hash192 <HEX>", what: "P-192 hash (btmgmt's -h is help here)", field: "hash192" },
      { flags: "-R, --rand256 <HEX>", what: "P-256 randomizer", field: "randomizer256" },
      { flags: "-H, --hash256 <HEX>", what: "P-256 hash", field: "hash256" },
    ],
  }),
  toDevice(
    "rm-remote-oob",
    ["remove-remote-oob"],
    "removeRemoteOutOfBandData",
    "forget a BR/EDR device's out-of-band data; all without ADDRESS",
    {
      arguments: [{ ...DEVICE, usualType: 0, optional: true }],
      fixed: { address: "00:00:00:00:00:00", addressType: "bredr" },
    },
  ),
  toDevice("load-conn-params", ["load-connection-parameters"], "loadConnectionParameters", "connection parameters of known LE devices", {
    arguments: [
      {
        field: "parameters",
        name: "ENTRIES",
        what: "JSON: [{address, addressType, minConnectionInterval, …}], @FILE, or none",
        split: (text) => ({ parameters: text === "none" ? "[]" : text }),
      },
    ],
  }),
  toDevice("conn-subrate", ["load-connection-subrate"], "loadConnectionSubrate", "subrating of known LE devices (newer kernels)", {
    arguments: [
      {
        field: "parameters",
        name: "ENTRIES",
        what: "JSON: [{address, addressType, subrateMin, …}], @FILE, or none",
        split: (text) => ({ parameters: text === "none" ? "[]" : text }),
      },
    ],
  }),
];
