import { command } from "../declare.ts";
import { bdaddr, bits, countOf, cstring, eir, enumerated, lengthOf, list, struct, u8, u16, u32 } from "../fields.ts";
import { classOfDevice, extendedIndexEntry } from "../structures.ts";
import { BluetoothVersion, ConfigurationOptions, ExternalConfiguration, Settings } from "../values.ts";

/** Read Management Version Information, 0x0001, since 1.0. */
export const ReadManagementVersionInformation = command("Read Management Version Information", {
  opcode: 0x0001,
  since: "1.0",
  index: "none",
  privileged: false,
  unconfigured: true,
  returns: struct({ version: u8, revision: u16 }),
});

/**
 * Read Management Supported Commands, 0x0002, since 1.0. Privileged socket: 88 commands and 44 events. Unprivileged socket: 10 commands
 * and 12 events (see untrustedCommands, untrustedEvents). Commands 1 and 2 and events 1 and 2 are never listed. Mesh events 0x31 and 0x32
 * are sent but not listed.
 */
export const ReadManagementSupportedCommands = command("Read Management Supported Commands", {
  opcode: 0x0002,
  since: "1.0",
  index: "none",
  privileged: false,
  unconfigured: true,
  returns: struct({
    numOfCommands: countOf(u16, "commands"),
    numOfEvents: countOf(u16, "events"),
    commands: list(u16, "numOfCommands"),
    events: list(u16, "numOfEvents"),
  }),
});

/**
 * Read Controller Index List, 0x0003, since 1.0. Leaves out controllers that are being set up, unconfigured, raw-only or taken by a user
 * channel.
 */
export const ReadControllerIndexList = command("Read Controller Index List", {
  opcode: 0x0003,
  since: "1.0",
  index: "none",
  privileged: false,
  unconfigured: true,
  returns: struct({ numControllers: countOf(u16, "controllerIndexes"), controllerIndexes: list(u16, "numControllers") }),
});

/** Read Controller Information, 0x0004, since 1.0. */
export const ReadControllerInformation = command("Read Controller Information", {
  opcode: 0x0004,
  since: "1.0",
  privileged: false,
  returns: struct({
    address: bdaddr,
    bluetoothVersion: enumerated(u8, BluetoothVersion),
    manufacturer: u16,
    supportedSettings: bits(u32, Settings),
    currentSettings: bits(u32, Settings),
    classOfDevice,
    name: cstring(249),
    shortName: cstring(11),
  }),
});

/** Read Unconfigured Controller Index List, 0x0036, since 1.7. */
export const ReadUnconfiguredControllerIndexList = command("Read Unconfigured Controller Index List", {
  opcode: 0x0036,
  since: "1.7",
  index: "none",
  privileged: false,
  unconfigured: true,
  returns: struct({ numControllers: countOf(u16, "controllerIndexes"), controllerIndexes: list(u16, "numControllers") }),
});

/** Read Controller Configuration Information, 0x0037, since 1.7. */
export const ReadControllerConfigurationInformation = command("Read Controller Configuration Information", {
  opcode: 0x0037,
  since: "1.7",
  privileged: false,
  unconfigured: true,
  returns: struct({
    manufacturer: u16,
    supportedOptions: bits(u32, ConfigurationOptions),
    missingOptions: bits(u32, ConfigurationOptions),
  }),
});

/** Set External Configuration, 0x0038, since 1.7. */
export const SetExternalConfiguration = command("Set External Configuration", {
  opcode: 0x0038,
  since: "1.7",
  power: "off",
  unconfigured: true,
  parameters: struct({ configuration: enumerated(u8, ExternalConfiguration) }),
  returns: struct({ missingOptions: bits(u32, ConfigurationOptions) }),
  causes: { Rejected: "powered", InvalidParameters: "value above 1", NotSupported: "controller without external configuration" },
});

/** Set Public Address, 0x0039, since 1.7. The controller leaves and comes back (Index Removed then Index Added, possibly another index). */
export const SetPublicAddress = command("Set Public Address", {
  opcode: 0x0039,
  since: "1.7",
  power: "off",
  unconfigured: true,
  parameters: struct({ address: bdaddr }),
  returns: struct({ missingOptions: bits(u32, ConfigurationOptions) }),
  causes: { Rejected: "powered", InvalidParameters: "all-zero address", NotSupported: "driver cannot set the address" },
});

/**
 * Read Extended Controller Index List, 0x003c, since 1.9. Using it once on a socket switches that socket from Index/Unconfigured Index
 * events to Extended Index events for good.
 */
export const ReadExtendedControllerIndexList = command("Read Extended Controller Index List", {
  opcode: 0x003c,
  since: "1.9",
  index: "none",
  privileged: false,
  unconfigured: true,
  returns: struct({ numControllers: countOf(u16, "controllers"), controllers: list(extendedIndexEntry, "numControllers") }),
});

/**
 * Read Extended Controller Information, 0x0042, since 1.14. EIR holds class of device (BR/EDR on), appearance (LE on), complete name and
 * short name (both present even when empty). Using it once on a socket switches that socket from Class Of Device Changed and Local Name
 * Changed to Extended Controller Information Changed.
 */
export const ReadExtendedControllerInformation = command("Read Extended Controller Information", {
  opcode: 0x0042,
  since: "1.14",
  privileged: false,
  returns: struct({
    address: bdaddr,
    bluetoothVersion: enumerated(u8, BluetoothVersion),
    manufacturer: u16,
    supportedSettings: bits(u32, Settings),
    currentSettings: bits(u32, Settings),
    eirDataLength: lengthOf(u16, "eirData"),
    eirData: eir("eirDataLength"),
  }),
});

/** Read Controller Capabilities, 0x0048, since 1.17. */
export const ReadControllerCapabilities = command("Read Controller Capabilities", {
  opcode: 0x0048,
  since: "1.17",
  aliases: ["ReadSecurityInformation"],
  privileged: false,
  returns: struct({ capabilitiesLength: lengthOf(u16, "capabilities"), capabilities: eir("capabilitiesLength") }),
});
