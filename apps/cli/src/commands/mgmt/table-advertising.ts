import { type ArgumentSpec, ON_OFF, type OptionSpec, type SimpleSpec } from "./spec.ts";

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

/** Subcommands about what is advertised, and what is listened to. */
export const ADVERTISING: readonly SimpleSpec[] = [
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
];
