import type { MgmtMethodName } from "jelling/mgmt";

/** Headings of the list that `--help` prints, in this order. */
export const GROUPS = [
  "Adapters:",
  "Settings:",
  "Identity:",
  "Discovery:",
  "Devices and pairing:",
  "Keys:",
  "Advertising:",
  "Advertisement monitors:",
  "Configuration:",
  "Mesh:",
  "What goes on, and anything else:",
] as const;
export type Group = (typeof GROUPS)[number];

/** A field of the command that stands on the command line by its place. */
export interface ArgumentSpec {
  /** A parameter's name; "device": an address with its type, two parameters. */
  readonly field: string;
  /** What help calls it. */
  readonly name: string;
  readonly what: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
  /** The address type taken where none is told. */
  readonly usualType?: number;
  /** Texts of several fields, or of a field in another form, out of one text. */
  readonly split?: (text: string) => Readonly<Record<string, string>>;
}

/** A field of the command, or a bit of one, that an option gives. */
export interface OptionSpec {
  readonly flags: string;
  readonly what: string;
  readonly field?: string;
  /** The text taken when the option is given without a value of its own. */
  readonly value?: string;
  /** The text taken when the option is not given. */
  readonly usual?: string;
  /** May be given several times; the texts become a list. */
  readonly repeatable?: boolean;
  /** A bit that is set when the option is given. */
  readonly bit?: readonly [field: string, name: string];
  readonly split?: ArgumentSpec["split"];
}

/** A subcommand that is one management command. */
export interface SimpleSpec {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: Group;
  readonly summary: string;
  readonly command: MgmtMethodName;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Texts of fields that neither an argument nor an option gives. */
  readonly fixed?: Readonly<Record<string, string>>;
}

/** What is meant by an address on the command line. */
export const DEVICE: ArgumentSpec = { field: "device", name: "ADDRESS", what: "C0:11:22:33:44:55/random, /public or /bredr" };
const ON_OFF = "on or off";

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

function toDevice(
  name: string,
  aliases: readonly string[],
  command: MgmtMethodName,
  summary: string,
  more: Partial<SimpleSpec> = {},
): SimpleSpec {
  return { name, aliases, group: "Devices and pairing:", summary, command, arguments: [DEVICE], ...more };
}

/** Flags of an advertising instance, with btmgmt's letters. */
const ADVERTISING_FLAGS: readonly OptionSpec[] = [
  { flags: "-c, --connectable", what: "connectable", bit: ["flags", "Connectable"] },
  { flags: "-g, --general-discov", what: "generally discoverable", bit: ["flags", "Discoverable"] },
  { flags: "-l, --limited-discov", what: "discoverable for a limited time", bit: ["flags", "LimitedDiscoverable"] },
  { flags: "-m, --managed-flags", what: "the kernel writes the Flags field", bit: ["flags", "ManagedFlags"] },
  { flags: "-p, --tx-power", what: "the kernel adds the TX power", bit: ["flags", "TxPower"] },
  { flags: "-a, --appearance", what: "the kernel adds the appearance", bit: ["flags", "Appearance"] },
  { flags: "-n, --local-name", what: "the kernel adds the name", bit: ["flags", "LocalName"] },
];
const INSTANCE: ArgumentSpec = { field: "instance", name: "INSTANCE", what: "number of the instance, from 1" };
const SECONDARY: OptionSpec = {
  flags: "-P, --phy <PHY>",
  what: "secondary channel: 1M, 2M or CODED",
  field: "flags",
  split: (text) => ({ flags: `Secondary${text}` }),
};

const uuidList = (text: string): Readonly<Record<string, string>> => ({ advData: serviceUuids(text) });

/** 16-bit UUIDs as an AD structure, a complete list. */
function serviceUuids(text: string): string {
  const octets = text.split(",").map((uuid) => {
    const digits = uuid.trim().replace(/^0x/i, "");
    // Not four digits: left as it is, so that it is refused with a sentence about octets.
    return /^[0-9a-f]{4}$/i.test(digits) ? digits.slice(2) + digits.slice(0, 2) : `"${uuid}" is no 16-bit UUID`;
  });
  return `${(1 + 2 * octets.length).toString(16).padStart(2, "0")}03${octets.join("")}`;
}

const ADVERTISING_DATA: readonly OptionSpec[] = [
  {
    flags: "-u, --uuid <UUID>",
    what: "a 16-bit service UUID to advertise (repeatable)",
    field: "advData",
    repeatable: true,
    split: uuidList,
  },
  { flags: "-d, --adv-data <HEX>", what: "advertising data, AD structures in hexadecimal", field: "advData" },
  { flags: "-s, --scan-rsp <HEX>", what: "scan response data", field: "scanRsp" },
];

const PATTERNS: ArgumentSpec = {
  field: "patterns",
  name: "PATTERN",
  what: "AD type, offset and octets: 0x16:0:0f18, or ServiceDataUuid16:0:0f18",
  variadic: true,
};

/** Experimental features by the names they have here. */
export const EXPERIMENTS: Readonly<Record<string, string>> = {
  Debug: "d4992530-b9ec-469f-ab01-6c481c47da1c",
  LeSimultaneousRoles: "671b10b5-42c0-4696-9227-eb28d1b049d6",
  QualityReport: "330859bc-7506-492d-9370-9a6f0614037f",
  LLPrivacy: "15c0a148-c273-11ea-b3de-0242ac130004",
  OffloadCodecs: "a6695ace-ee7f-4fb9-881a-5fac66c629af",
  IsoSocket: "6fbaf188-05e0-496a-9885-d6ddfdb4e03e",
  MgmtMesh: "2ce463d7-7a03-4d8d-bf05-5f24e8f36e76",
};

function experiment(name: string, aliases: readonly string[], feature: string, what: string): SimpleSpec {
  return {
    name,
    aliases,
    group: "Configuration:",
    summary: `experimental feature: ${what}`,
    command: "setExperimentalFeature",
    fixed: { uuid: EXPERIMENTS[feature]! },
    arguments: [{ field: "action", name: "VALUE", what: ON_OFF }],
  };
}

/** "bluetooth:VENDOR:PRODUCT:VERSION" or "usb:…", in hexadecimal. */
function deviceId(text: string): Readonly<Record<string, string>> {
  const [source = "", ...numbers] = text.split(":");
  const named = { bluetooth: "BluetoothSIG", usb: "USBImplementersForum", off: "Disabled" }[source.toLowerCase()] ?? source;
  const [vendor = "0", product = "0", version = "0", ...surplus] = numbers.map((digits) => `0x${digits.replace(/^0x/i, "")}`);
  return { source: named, vendor, product, version: version + surplus.join(":") };
}

/** Every subcommand that is one management command, its arguments, and nothing more. */
export const SIMPLE: readonly SimpleSpec[] = [
  // Adapters
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

  // Settings
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
        split: (text) => ({ ioCapability: beginning(text, IO_CAPABILITIES) }),
      },
    ],
  }),
  setting("scan-params", ["scan-parameters"], "setScanParameters", "interval", "LE scan interval and window", "", {
    arguments: [
      { field: "interval", name: "INTERVAL", what: "in units of 0.625 ms, or a time like 60ms" },
      { field: "window", name: "WINDOW", what: "likewise, at most the interval" },
    ],
  }),

  // Identity
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

  // Discovery
  {
    name: "confirm-name",
    group: "Discovery:",
    summary: "say whether the name of a found BR/EDR device is known",
    command: "confirmName",
    arguments: [DEVICE, { field: "nameKnown", name: "VALUE", what: "yes or no" }],
  },

  // Devices and pairing
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

  // Advertising
  {
    name: "advinfo",
    aliases: ["advertising-features"],
    group: "Advertising:",
    summary: "flags, sizes and instances",
    command: "readAdvertisingFeatures",
  },
  {
    name: "advsize",
    aliases: ["advertising-size"],
    group: "Advertising:",
    summary: "how much room flags leave",
    command: "getAdvertisingSizeInformation",
    arguments: [INSTANCE],
    options: ADVERTISING_FLAGS,
  },
  {
    name: "add-adv",
    aliases: ["add-advertising"],
    group: "Advertising:",
    summary: "add an advertising instance, which stays",
    command: "addAdvertising",
    arguments: [INSTANCE],
    options: [
      ...ADVERTISING_DATA,
      { flags: "-D, --duration <SECONDS>", what: "how long it advertises before the next instance", field: "duration" },
      { flags: "--lifetime <SECONDS>", what: "when the kernel removes it (btmgmt's -t)", field: "timeout" },
      SECONDARY,
      ...ADVERTISING_FLAGS,
    ],
  },
  {
    name: "rm-adv",
    aliases: ["remove-advertising"],
    group: "Advertising:",
    summary: "remove an instance",
    command: "removeAdvertising",
    arguments: [INSTANCE],
  },
  {
    name: "clr-adv",
    aliases: ["clear-advertising"],
    group: "Advertising:",
    summary: "remove every instance",
    command: "removeAdvertising",
    fixed: { instance: "0" },
  },
  {
    name: "add-ext-adv-params",
    aliases: ["extended-advertising-parameters"],
    group: "Advertising:",
    summary: "first step of an instance with its own interval or power",
    command: "addExtendedAdvertisingParameters",
    arguments: [INSTANCE],
    options: [
      { flags: "-d, --duration <SECONDS>", what: "before the next instance", field: "duration", bit: ["flags", "ParamDuration"] },
      { flags: "--lifetime <SECONDS>", what: "when the kernel removes it (btmgmt's -t)", field: "timeout", bit: ["flags", "ParamTimeout"] },
      { flags: "-r, --min-interval <N>", what: "units of 0.625 ms, or a time", field: "minInterval", bit: ["flags", "ParamIntervals"] },
      { flags: "-x, --max-interval <N>", what: "units of 0.625 ms, or a time", field: "maxInterval", bit: ["flags", "ParamIntervals"] },
      { flags: "-w, --power <DBM>", what: "TX power in dBm", field: "txPower", bit: ["flags", "ParamTxPower"] },
      SECONDARY,
      { flags: "-s, --scan-rsp", what: "scan response data will follow", bit: ["flags", "ParamScanResponse"] },
      ...ADVERTISING_FLAGS,
    ],
  },
  {
    name: "add-ext-adv-data",
    aliases: ["extended-advertising-data"],
    group: "Advertising:",
    summary: "second step: its data",
    command: "addExtendedAdvertisingData",
    arguments: [INSTANCE],
    options: ADVERTISING_DATA,
  },

  // Advertisement monitors
  {
    name: "monitor.features",
    aliases: ["monitor-features"],
    group: "Advertisement monitors:",
    summary: "what the kernel can compare, and the monitors that are there",
    command: "readAdvertisementMonitorFeatures",
  },
  {
    name: "monitor.add-pattern",
    aliases: ["monitor-add-pattern"],
    group: "Advertisement monitors:",
    summary: "report advertisements that hold a pattern",
    command: "addAdvertisementPatternsMonitor",
    arguments: [PATTERNS],
  },
  {
    name: "monitor.add-pattern-rssi",
    aliases: ["monitor-add-pattern-rssi"],
    group: "Advertisement monitors:",
    summary: "likewise, with limits of the signal",
    command: "addAdvertisementPatternsMonitorWithRssiThreshold",
    arguments: [PATTERNS],
    options: [
      { flags: "-R, --high <DBM>", what: "found from this signal on", field: "highThreshold", usual: "-50" },
      { flags: "-T, --high-time <SECONDS>", what: "for this long", field: "highThresholdTimer", usual: "0" },
      { flags: "-r, --low <DBM>", what: "lost below this signal", field: "lowThreshold", usual: "-70" },
      { flags: "--low-time <SECONDS>", what: "for this long (btmgmt's -t)", field: "lowThresholdTimer", usual: "5" },
      { flags: "-s, --sampling <N>", what: "units of 100 ms; 0 every packet, 255 the first", field: "samplingPeriod", usual: "0" },
    ],
  },
  {
    name: "monitor.remove",
    aliases: ["monitor-remove"],
    group: "Advertisement monitors:",
    summary: "remove a monitor",
    command: "removeAdvertisementMonitor",
    arguments: [{ field: "monitorHandle", name: "HANDLE", what: "0 for all" }],
  },

  // Configuration
  {
    name: "read-sysconfig",
    aliases: ["read-system-configuration"],
    group: "Configuration:",
    summary: "defaults of scans, links and advertising",
    command: "readDefaultSystemConfiguration",
  },
  {
    name: "read-runconfig",
    aliases: ["read-runtime-configuration"],
    group: "Configuration:",
    summary: "the runtime configuration; empty in every kernel so far",
    command: "readDefaultRuntimeConfiguration",
  },
  {
    name: "set-sysconfig",
    aliases: ["set-system-configuration"],
    group: "Configuration:",
    summary: "set such defaults",
    command: "setDefaultSystemConfiguration",
    arguments: [
      { field: "parameters", name: "ENTRY", what: "NAME=NUMBER, or TYPE:LENGTH:VALUE in hexadecimal", variadic: true, optional: true },
    ],
    options: [{ flags: "-v, --value <ENTRY>", what: "the same, in btmgmt's way (repeatable)", field: "parameters", repeatable: true }],
  },
  {
    name: "set-runconfig",
    aliases: ["set-runtime-configuration"],
    group: "Configuration:",
    summary: "set the runtime configuration; refused by every kernel so far",
    command: "setDefaultRuntimeConfiguration",
    arguments: [{ field: "parameters", name: "ENTRY", what: "TYPE:LENGTH:VALUE in hexadecimal", variadic: true }],
  },
  {
    name: "exp",
    aliases: ["set-experimental-feature"],
    group: "Configuration:",
    summary: "any experimental feature by its UUID",
    command: "setExperimentalFeature",
    arguments: [
      {
        field: "uuid",
        name: "FEATURE",
        what: "its UUID or name, as expinfo shows them",
        split: (text) => ({ uuid: Object.entries(EXPERIMENTS).find(([name]) => name.toLowerCase() === text.toLowerCase())?.[1] ?? text }),
      },
      { field: "action", name: "VALUE", what: ON_OFF },
    ],
  },
  experiment("exp-debug", [], "Debug", "debug messages of the kernel"),
  experiment("exp-privacy", ["exp-ll-privacy"], "LLPrivacy", "link layer privacy (off only)"),
  experiment("exp-quality", [], "QualityReport", "quality reports"),
  experiment("exp-offload", [], "OffloadCodecs", "offloaded codecs"),
  experiment("exp-iso", [], "IsoSocket", "sockets for isochronous channels"),
  experiment("exp-roles", [], "LeSimultaneousRoles", "central and peripheral at once"),
  experiment("exp-mesh", [], "MgmtMesh", "mesh commands"),

  // Mesh
  { name: "mesh-features", group: "Mesh:", summary: "room for packets, and those that wait", command: "readMeshFeatures" },
  {
    name: "mesh-receiver",
    group: "Mesh:",
    summary: "report mesh packets as Mesh Device Found",
    command: "setMeshReceiver",
    arguments: [{ field: "enable", name: "VALUE", what: ON_OFF }],
    options: [
      { flags: "--window <N>", what: "scan window, units of 0.625 ms or a time", field: "window", usual: "48" },
      { flags: "--period <N>", what: "scan period, likewise", field: "period", usual: "48" },
      { flags: "--ad-type <TYPE>", what: "AD type to report (repeatable)", field: "adTypes", repeatable: true },
    ],
  },
  {
    name: "mesh-send",
    group: "Mesh:",
    summary: "transmit a mesh packet",
    command: "transmitMeshPacket",
    arguments: [{ field: "data", name: "HEX", what: "1 to 31 octets, with length and AD type" }],
    fixed: { address: "00:00:00:00:00:00", addressType: "random" },
    options: [
      { flags: "--address <ADDRESS>", what: "sender's address", field: "device" },
      { flags: "--instant <N>", what: "instant", field: "instant" },
      { flags: "--delay <N>", what: "delay in ms", field: "delay" },
      { flags: "--count <N>", what: "how often it is sent", field: "count" },
    ],
  },
  {
    name: "mesh-cancel",
    group: "Mesh:",
    summary: "cancel a waiting mesh packet",
    command: "cancelTransmitMeshPacket",
    arguments: [{ field: "handle", name: "HANDLE", what: "0 for all of this program's" }],
  },

  // Anything else
  {
    name: "hci-cmd",
    group: "What goes on, and anything else:",
    summary: "an HCI command through the kernel (newer kernels)",
    command: "sendHciCommandAndWaitForEvent",
    arguments: [
      { field: "opcode", name: "OPCODE", what: "of the HCI command" },
      { field: "event", name: "EVENT", what: "event code to wait for; 0 for Command Complete or Status", optional: true },
      { field: "timeout", name: "SECONDS", what: "how long; 0 for the usual time", optional: true },
      { field: "parameters", name: "HEX", what: "its parameters", optional: true },
    ],
  },
];

const IO_CAPABILITIES = ["DisplayOnly", "DisplayYesNo", "KeyboardOnly", "NoInputNoOutput", "KeyboardDisplay"] as const;

/** The only name that begins so; the text itself where there is none, or several. */
export function beginning(text: string, names: readonly string[]): string {
  const found = names.filter((name) => name.toLowerCase().startsWith(text.toLowerCase()));
  return found.length === 1 ? found[0]! : text;
}
