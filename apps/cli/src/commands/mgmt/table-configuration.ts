import { ON_OFF, type SimpleSpec } from "./spec.ts";

function experiment(name: string, aliases: readonly string[], feature: string, what: string): SimpleSpec {
  return {
    name,
    aliases,
    group: "Configuration:",
    summary: `experimental feature: ${what}`,
    command: "setExperimentalFeature",
    fixed: { uuid: feature },
    arguments: [{ field: "action", name: "VALUE", what: ON_OFF }],
  };
}

/** Subcommands about defaults and experiments. */
export const CONFIGURATION: readonly SimpleSpec[] = [
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
      { field: "uuid", name: "FEATURE", what: "its UUID or name, as expinfo shows them" },
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
