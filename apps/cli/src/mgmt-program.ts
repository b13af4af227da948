import { type Command, Option } from "commander";
import type { Invocation } from "./commands/mgmt/session.ts";
import { GROUPS, type Group, type SimpleSpec } from "./commands/mgmt/spec.ts";
import { SIMPLE } from "./commands/mgmt/table.ts";
import type { Context } from "./context.ts";
import { parseDuration, parsePasskey, parseWhole } from "./duration.ts";
import { UsageError } from "./errors.ts";

type Load = () => Promise<{ readonly [name: string]: unknown }>;
type Run = (load: Load, name: string) => (...args: unknown[]) => Promise<void>;
type Work = (invocation: Invocation) => Promise<void> | void;

/** A subcommand that is more than one management command. */
interface Special {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: Group;
  readonly summary: string;
  readonly arguments?: readonly (readonly [name: string, what: string])[];
  readonly options?: (command: Command) => void;
  readonly load: Load;
  readonly work: string;
}

const KEY_FILE = [
  "FILE",
  'JSON, a list of keys or one a line, as "mgmt events --json --secrets" prints them; - for standard input; none to forget all',
] as const;
const COUNT = ["-c, --count <N>", "stop after N", parseWhole("count", 1, 1_000_000_000)] as const;

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

function discoveryOptions(command: Command): void {
  command
    .option("-l, --le", "LE only")
    .option("-b, --bredr", "BR/EDR only")
    .option("-a, --all", "print every report, not each device once");
}

function signed(what: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new UsageError(`${what} "${text}": expected a whole number from ${least} to ${most}`);
    return value;
  };
}

function advertiseOptions(command: Command): void {
  command
    .option("-n, --name [TEXT]", "the name; without TEXT the controller's own")
    .option("-u, --uuid <UUID>", "a service (repeatable)", collect)
    .option("--manufacturer <COMPANY:HEX>", "manufacturer data (repeatable)", collect)
    .option("--service-data <UUID:HEX>", "service data (repeatable)", collect)
    .option("-a, --appearance [NUMBER]", "the appearance; without NUMBER the controller's own", parseWhole("appearance", 0, 0xffff))
    .option("-d, --data <HEX>", "further AD structures of the advertisement")
    .option("-s, --scan-rsp <HEX>", "further AD structures of the scan response")
    .option("--no-connectable", "take no connections")
    .addOption(new Option("--discoverable <WORD>", "default: as connectable").choices(["yes", "no", "limited"]))
    .option("-p, --tell-tx-power", "tell the TX power")
    .option("--interval <TIME>", "advertising interval", (text) => parseDuration(text))
    .option("-w, --tx-power <DBM>", "TX power", signed("TX power", -127, 20))
    .addOption(new Option("-P, --phy <PHY>", "secondary channel").choices(["1M", "2M", "coded"]))
    .option("--lifetime <TIME>", "when the kernel removes it", (text) => parseDuration(text))
    .option("--instance <N>", "number of the instance (default: the first that is free)", parseWhole("instance", 1, 254))
    .option("--extended", "with the commands for extended advertising")
    .option("--keep", "leave it to the kernel and end");
}

function pairingOptions(command: Command): void {
  command
    .addOption(
      new Option("--io <CAPABILITY>", "what the user can do").choices(["none", "display", "yes-no", "keyboard", "keyboard-display"]),
    )
    .option("-c, --capability <N>", "the same, as btmgmt takes it: 0 to 4, or a name")
    .option("--passkey <DIGITS>", "the six digits the device shows", parsePasskey)
    .option("--pin <PIN>", "PIN of an old BR/EDR device")
    .option("-y, --yes", "say yes to every question of the pairing")
    .option("--no-bond", "do not switch on Bondable meanwhile");
}

const SPECIAL: readonly Special[] = [
  {
    name: "list",
    group: "Adapters:",
    summary: "controllers with address, power and name",
    load: () => import("./commands/mgmt/info.ts"),
    work: "list",
  },
  {
    name: "info",
    group: "Adapters:",
    summary: "what a controller is and does; of all without -i",
    load: () => import("./commands/mgmt/info.ts"),
    work: "info",
  },
  {
    name: "extinfo",
    aliases: ["extended-info"],
    group: "Adapters:",
    summary: "likewise, with kind and bus, and its EIR data",
    load: () => import("./commands/mgmt/info.ts"),
    work: "extinfo",
  },
  {
    name: "config",
    aliases: ["configuration"],
    group: "Adapters:",
    summary: "what a controller still has to be told",
    load: () => import("./commands/mgmt/info.ts"),
    work: "config",
  },
  {
    name: "commands",
    group: "Adapters:",
    summary: "commands and events of this kernel, for this process",
    load: () => import("./commands/mgmt/info.ts"),
    work: "supported",
  },
  {
    name: "power",
    aliases: ["powered"],
    group: "Settings:",
    summary: "switch on or off, or off and on again",
    arguments: [["VALUE", "on, off or cycle"]],
    load: () => import("./commands/mgmt/power.ts"),
    work: "power",
  },
  {
    name: "auto-power",
    group: "Settings:",
    summary: "switch on all that a controller can do, waiting for it if need be",
    load: () => import("./commands/mgmt/power.ts"),
    work: "autoPower",
  },
  {
    name: "privacy",
    group: "Settings:",
    summary: "private addresses (off only)",
    arguments: [
      ["VALUE", "on, off or limited"],
      ["[IRK]", "identity resolving key, 16 octets in hexadecimal, or @FILE; a random one where none is given"],
    ],
    load: () => import("./commands/mgmt/privacy.ts"),
    work: "privacy",
  },
  {
    name: "find",
    group: "Discovery:",
    summary: "list the devices that are there, for --timeout (10 s) or until Ctrl-C",
    options: (command) => {
      discoveryOptions(command);
      command.option("-L, --limited", "only those discoverable for a limited time");
    },
    load: () => import("./commands/mgmt/find.ts"),
    work: "find",
  },
  {
    name: "find-service",
    group: "Discovery:",
    summary: "likewise, those with a service or a signal",
    options: (command) => {
      discoveryOptions(command);
      command
        .option("-u, --uuid <UUID>", "a service it names (repeatable: any of them)", collect)
        .option("-r, --rssi <DBM>", "only reports at least this strong", signed("signal", -127, 20));
    },
    load: () => import("./commands/mgmt/find.ts"),
    work: "findService",
  },
  {
    name: "stop-find",
    aliases: ["stop-discovery"],
    group: "Discovery:",
    summary: "stop a discovery, whoever started it",
    options: (command) => void command.option("-l, --le", "one for LE only").option("-b, --bredr", "one for BR/EDR only"),
    load: () => import("./commands/mgmt/find.ts"),
    work: "stopFind",
  },
  {
    name: "pair",
    group: "Devices and pairing:",
    summary: "pair with a device",
    arguments: [["ADDRESS", "C0:11:22:33:44:55/random, /public or /bredr"]],
    options: (command) => {
      pairingOptions(command);
      command.option("--type <TYPE>", "kind of address: random, public or bredr (btmgmt's -t)");
    },
    load: () => import("./commands/mgmt/pair.ts"),
    work: "pair",
  },
  {
    name: "accept",
    aliases: ["accept-pairings"],
    group: "Devices and pairing:",
    summary: "let others pair with this machine, until --timeout or Ctrl-C",
    options: (command) => {
      pairingOptions(command);
      command.option("--count <N>", "stop after N pairings", parseWhole("count", 1, 1_000_000));
    },
    load: () => import("./commands/mgmt/pair.ts"),
    work: "accept",
  },
  {
    name: "watch-links",
    aliases: ["watch-connections"],
    group: "Devices and pairing:",
    summary: "print links as they come and go",
    options: (command) => void command.option(...COUNT),
    load: () => import("./commands/mgmt/watch.ts"),
    work: "links",
  },
  {
    name: "keys",
    aliases: ["load-link-keys"],
    group: "Keys:",
    summary: "load BR/EDR link keys in place of those that are loaded",
    arguments: [KEY_FILE],
    load: () => import("./commands/mgmt/keys.ts"),
    work: "linkKeys",
  },
  {
    name: "ltks",
    aliases: ["load-long-term-keys"],
    group: "Keys:",
    summary: "load LE long term keys, likewise",
    arguments: [KEY_FILE],
    load: () => import("./commands/mgmt/keys.ts"),
    work: "longTermKeys",
  },
  {
    name: "irks",
    aliases: ["load-irks"],
    group: "Keys:",
    summary: "load identity resolving keys, likewise",
    arguments: [["[FILE]", `${KEY_FILE[1]}; or a file of bluetoothd`]],
    options: (command) =>
      void command
        .option("-l, --local <N>", "the key that bluetoothd made for controller N", parseWhole("controller", 0, 65_534))
        .option("-f, --file <FILE>", "one more file (repeatable)", collect),
    load: () => import("./commands/mgmt/keys.ts"),
    work: "identityResolvingKeys",
  },
  {
    name: "blocked-keys",
    aliases: ["load-blocked-keys"],
    group: "Keys:",
    summary: "load keys that are never used, likewise",
    arguments: [["FILE", "JSON: [{keyType, value}], or none"]],
    load: () => import("./commands/mgmt/keys.ts"),
    work: "blockedKeys",
  },
  {
    name: "advertise",
    group: "Advertising:",
    summary: "advertise until --timeout or Ctrl-C, or for good",
    options: advertiseOptions,
    load: () => import("./commands/mgmt/advertise.ts"),
    work: "advertise",
  },
  {
    name: "phy",
    group: "Configuration:",
    summary: "PHYs: shown, or with names selected",
    arguments: [["[PHY...]", "LE1MTx, LE1MRx, LE2MTx, BR1M1Slot, …"]],
    load: () => import("./commands/mgmt/info.ts"),
    work: "phy",
  },
  {
    name: "expinfo",
    aliases: ["experimental-features"],
    group: "Configuration:",
    summary: "experimental features of kernel and controllers",
    load: () => import("./commands/mgmt/info.ts"),
    work: "expinfo",
  },
  {
    name: "events",
    group: "What goes on, and anything else:",
    summary: "print events as they come, until --timeout or Ctrl-C",
    arguments: [["[NAME...]", "only these: DeviceFound, NewSettings, …"]],
    options: (command) =>
      void command
        .option(...COUNT)
        .option("--extended", "the events of extended information and of experimental features in place of the plain ones"),
    load: () => import("./commands/mgmt/events.ts"),
    work: "events",
  },
  {
    name: "watch",
    aliases: ["watch-adapters"],
    group: "What goes on, and anything else:",
    summary: "print adapters as they come, change and go",
    options: (command) => void command.option(...COUNT),
    load: () => import("./commands/mgmt/watch.ts"),
    work: "watch",
  },
  {
    name: "monitor",
    aliases: ["trace"],
    group: "What goes on, and anything else:",
    summary: "print what passes between kernel, controllers and programs; --capture FILE keeps it",
    options: (command) =>
      void command
        .option("--no-hci", "only what programs and the management interface say to each other")
        .option("-f, --filter <TEXT>", "only lines that hold TEXT (repeatable: any of them)", collect, []),
    load: async () => {
      const { monitor } = await import("./commands/mgmt/monitor.ts");
      return { go: ({ context, index, options }: Invocation) => monitor(context, { ...options, index }) };
    },
    work: "go",
  },
  {
    name: "who",
    aliases: ["watch-settings"],
    group: "What goes on, and anything else:",
    summary: "print which program changes what, from the kernel's monitor",
    options: (command) => void command.option(...COUNT).option("-a, --all", "commands that only ask, too"),
    load: () => import("./commands/mgmt/who.ts"),
    work: "who",
  },
  {
    name: "send",
    group: "What goes on, and anything else:",
    summary: "send any command by the name it has in the protocol description",
    arguments: [
      ["[NAME]", "SetPowered, …"],
      ["[PARAMETER=VALUE...]", "numbers in any base, names, lists with commas or as JSON; @FILE is a file's content"],
    ],
    options: (command) =>
      void command
        .helpOption(false)
        .option("-l, --list", "list the commands and their parameters")
        .option("--unchecked", "send values that are out of their limits, too")
        .option("-h, --help", "print this help, or with NAME what the command takes"),
    load: () => import("./commands/mgmt/send.ts"),
    work: "send",
  },
  {
    name: "describe",
    group: "What goes on, and anything else:",
    summary: "what a command takes, with units and limits, and what it returns",
    arguments: [["[NAME]", "SetPowered, …; all without"]],
    load: () => import("./commands/mgmt/send.ts"),
    work: "describe",
  },
];

/** Builds `mgmt` and its subcommands. */
export function mgmtCommands(mgmt: Command, run: Run): void {
  mgmt.usage("[-i N] COMMAND [OPTIONS]").addHelpText(
    "after",
    `
Examples:
  jelling mgmt info                          every controller
  jelling mgmt power on -i 1                 switch hci1 on
  jelling mgmt pair C0:11:22:33:44:55/random
  jelling mgmt send SetPowered powered=on    any command, by its parameters
  jelling mgmt -t sim: find                  in a simulated kernel`,
  );
  const action = (load: Load, work: string): ((...args: unknown[]) => Promise<void>) =>
    run(
      async () => ({
        go: async (context: Context, ...rest: unknown[]) => {
          const [{ managementSpec, parseIndex }, loaded] = await Promise.all([import("./commands/mgmt/session.ts"), load()]);
          const { index } = mgmt.opts<{ index?: string }>();
          const named = index === undefined ? managementSpec(context).index : parseIndex(index);
          const options = rest.at(-1) as Invocation["options"];
          await (loaded[work] as Work)({ context, index: named, args: rest.slice(0, -1) as Invocation["args"], options });
        },
      }),
      "go",
    );
  for (const group of GROUPS) {
    for (const special of SPECIAL) if (special.group === group) addSpecial(mgmt, special, action);
    for (const spec of SIMPLE) if (spec.group === group) addSimple(mgmt, spec, action);
  }
  // Last, since subcommands take over what is configured before them: the list has names, and what they take is in their own help.
  mgmt.configureHelp({
    showGlobalOptions: true,
    subcommandTerm: (command) => command.name(),
    subcommandDescription: (command) => {
      const aliases = command.aliases();
      return aliases.length > 0 ? `${command.description()} [${aliases.join(", ")}]` : command.description();
    },
  });
}

function addSpecial(mgmt: Command, { name, aliases = [], group, summary, ...special }: Special, action: Run): void {
  const command = mgmt
    .command(name)
    .aliases([...aliases])
    .description(summary)
    .helpGroup(group);
  for (const [argument, what] of special.arguments ?? []) command.argument(bracketed(argument), what);
  special.options?.(command);
  const go = action(special.load, special.work);
  command.action(async (...args: unknown[]) => {
    // `send` explains the command that is named; without a name there is only its own help.
    if (name === "send" && command.opts<{ help?: boolean }>().help && args[0] === undefined) return command.outputHelp();
    await go(...args);
  });
}

const bracketed = (argument: string): string => (argument.startsWith("[") ? argument : `<${argument}>`);

function addSimple(mgmt: Command, spec: SimpleSpec, action: Run): void {
  const command = mgmt
    .command(spec.name)
    .aliases([...(spec.aliases ?? [])])
    .description(spec.summary)
    .helpGroup(spec.group);
  for (const { name, what, optional, variadic } of spec.arguments ?? []) {
    const text = variadic ? `${name}...` : name;
    command.argument(optional ? `[${text}]` : `<${text}>`, what);
  }
  const ofDevice = (spec.arguments ?? []).some(({ field }) => field === "device");
  if (ofDevice) command.option("--type <TYPE>", "kind of address: random, public or bredr (btmgmt's -t)");
  for (const { flags, what, usual, repeatable } of spec.options ?? []) {
    const option = new Option(flags, usual === undefined ? what : `${what} (default: ${usual})`);
    if (repeatable) option.argParser(collect);
    command.addOption(option);
  }
  const load: Load = async () => {
    const { simple } = await import("./commands/mgmt/simple.ts");
    return { run: (invocation: Invocation) => simple(invocation, spec) };
  };
  command.action(action(load, "run"));
}
