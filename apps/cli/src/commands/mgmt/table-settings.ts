import type { MgmtMethodName } from "jelling/mgmt";
import { ON_OFF, type SimpleSpec } from "./spec.ts";

function setting(
  name: string,
  aliases: readonly string[],
  command: MgmtMethodName,
  field: string,
  summary: string,
  what = ON_OFF,
  more: Partial<SimpleSpec> = {},
): SimpleSpec {
  return { name, aliases, group: "Settings:", summary, command, arguments: [{ field, name: "VALUE", what }], ...more };
}

/** "bluetooth:VENDOR:PRODUCT:VERSION" or "usb:…", in hexadecimal. */
function deviceId(text: string): Readonly<Record<string, string>> {
  const [source = "", ...numbers] = text.split(":");
  const named = { bluetooth: "BluetoothSIG", usb: "USBImplementersForum", off: "Disabled" }[source.toLowerCase()] ?? source;
  const [vendor = "0", product = "0", version = "0", ...surplus] = numbers.map((digits) => `0x${digits.replace(/^0x/i, "")}`);
  return { source: named, vendor, product, version: version + surplus.join(":") };
}

/** Subcommands about what an adapter is, does and is called. */
export const SETTINGS: readonly SimpleSpec[] = [
  {
    name: "revision",
    aliases: ["version"],
    group: "Adapters:",
    summary: "version of the management protocol",
    command: "readManagementVersionInformation",
  },
  {
    name: "ext-config",
    aliases: ["external-configuration"],
    group: "Adapters:",
    summary: "tell that the external configuration is done",
    command: "setExternalConfiguration",
    arguments: [{ field: "configuration", name: "VALUE", what: ON_OFF }],
  },
  {
    name: "public-addr",
    aliases: ["public-address"],
    group: "Adapters:",
    summary: "set the public address (off only; the adapter goes and comes back)",
    command: "setPublicAddress",
    arguments: [{ field: "address", name: "ADDRESS", what: "six octets like 00:11:22:33:44:55" }],
  },
  {
    name: "secinfo",
    aliases: ["capabilities"],
    group: "Adapters:",
    summary: "security capabilities of the controller",
    command: "readControllerCapabilities",
  },
  setting("discov", ["discoverable"], "setDiscoverable", "discoverable", "be found by others", "yes, no or limited", {
    arguments: [
      { field: "discoverable", name: "VALUE", what: "yes, no or limited" },
      { field: "timeout", name: "SECONDS", what: "for how long; limited needs it", optional: true },
    ],
  }),
  setting("connectable", [], "setConnectable", "connectable", "let others connect"),
  setting("fast-conn", ["fast-connectable"], "setFastConnectable", "enable", "answer BR/EDR pages faster"),
  setting("bondable", ["pairable"], "setBondable", "bondable", "keep keys when paired"),
  setting("linksec", ["link-security"], "setLinkSecurity", "linkSecurity", "BR/EDR authentication of every link"),
  setting("ssp", ["secure-simple-pairing"], "setSecureSimplePairing", "secureSimplePairing", "BR/EDR Secure Simple Pairing"),
  setting("sc", ["secure-connections"], "setSecureConnections", "secureConnections", "Secure Connections", "on, off or only"),
  setting("hs", ["high-speed"], "setHighSpeed", "highSpeed", "High Speed; gone from current kernels"),
  setting("le", ["low-energy"], "setLowEnergy", "lowEnergy", "Low Energy"),
  setting("advertising", [], "setAdvertising", "advertising", "the old switch of LE advertising", "on, off or EnabledConnectable"),
  setting("bredr", ["br-edr"], "setBredr", "bredr", "BR/EDR (off only)"),
  setting("debug-keys", [], "setDebugKeys", "debugKeys", "debug keys", "on, off or GenerateAndDiscardOnReboot"),
  setting("wbs", ["wideband-speech"], "setWidebandSpeech", "widebandSpeech", "wideband speech"),
  setting("io-cap", ["io-capability"], "setIoCapability", "ioCapability", "what the user can do, as others are told", "a capability", {
    arguments: [
      {
        field: "ioCapability",
        name: "CAPABILITY",
        what: "DisplayOnly, DisplayYesNo, KeyboardOnly, NoInputNoOutput or KeyboardDisplay, or its beginning",
      },
    ],
  }),
  setting("scan-params", ["scan-parameters"], "setScanParameters", "interval", "LE scan interval and window", "", {
    arguments: [
      { field: "interval", name: "INTERVAL", what: "in units of 0.625 ms, or a time like 60ms" },
      { field: "window", name: "WINDOW", what: "likewise, at most the interval" },
    ],
  }),
  {
    name: "name",
    aliases: ["local-name"],
    group: "Identity:",
    summary: "set the name, and the short one",
    command: "setLocalName",
    arguments: [
      { field: "name", name: "NAME", what: "up to 248 octets" },
      { field: "shortName", name: "SHORT", what: "up to 10 octets", optional: true },
    ],
  },
  {
    name: "class",
    aliases: ["device-class"],
    group: "Identity:",
    summary: "set the BR/EDR class of device",
    command: "setDeviceClass",
    arguments: [
      { field: "majorClass", name: "MAJOR", what: "major device class, 0 to 31" },
      { field: "minorClass", name: "MINOR", what: "minor device class with its two low zero bits: a multiple of 4" },
    ],
  },
  {
    name: "appearance",
    group: "Identity:",
    summary: "set the LE appearance",
    command: "setAppearance",
    arguments: [{ field: "appearance", name: "NUMBER", what: "value of the assigned numbers" }],
  },
  {
    name: "static-addr",
    aliases: ["static-address"],
    group: "Identity:",
    summary: "set the static random address (off only)",
    command: "setStaticAddress",
    arguments: [{ field: "address", name: "ADDRESS", what: "the two top bits set, like C0:11:22:33:44:55; all zero removes it" }],
  },
  {
    name: "did",
    aliases: ["device-id"],
    group: "Identity:",
    summary: "set the device ID",
    command: "setDeviceId",
    arguments: [{ field: "source", name: "ID", what: "usb:VENDOR:PRODUCT:VERSION or bluetooth:…, in hexadecimal; off", split: deviceId }],
  },
  {
    name: "add-uuid",
    group: "Identity:",
    summary: "add a BR/EDR service UUID",
    command: "addUuid",
    arguments: [
      { field: "uuid", name: "UUID", what: "4, 8 or 32 digits" },
      { field: "svcHint", name: "HINT", what: "service class bits of the class of device", optional: true },
    ],
  },
  {
    name: "rm-uuid",
    aliases: ["remove-uuid"],
    group: "Identity:",
    summary: "remove a service UUID",
    command: "removeUuid",
    arguments: [{ field: "uuid", name: "UUID", what: "4, 8 or 32 digits" }],
  },
  {
    name: "clr-uuids",
    aliases: ["clear-uuids"],
    group: "Identity:",
    summary: "remove every service UUID",
    command: "removeUuid",
    fixed: { uuid: "00000000-0000-0000-0000-000000000000" },
  },
];
