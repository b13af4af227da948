import { Command, Option } from "commander";
import { type CommonOptions, Context, LOG_LEVELS } from "./context.ts";
import { parseDuration, parsePasskey, parseWhole } from "./duration.ts";
import { UsageError } from "./errors.ts";
import type { Io } from "./io.ts";
import { OPENS_NONE, servingOptions } from "./serving-options.ts";
import { version } from "./version.ts";

type Run = (context: Context, ...rest: never[]) => Promise<void>;

/** Common options that a command can make nothing of, with what to do in their place; said, they are refused. */
type Useless = Partial<Record<"transport" | "capture", string>>;
const NO_CONTROLLER = "it opens no controller";
const NO_PACKETS = "it sees no packets";

/**
 * Builds the parser. What a command does is loaded when it runs: asking for help must not load a Bluetooth stack.
 *
 * @param argv what it is to parse. A group of commands that is not named there is declared without them, which would take longer than to
 *   parse does: nothing leads to them. All are declared where this is not given.
 */
export async function createProgram(io: Io, argv?: readonly string[]): Promise<Command> {
  const program = new Command("jelling")
    .description("Bluetooth Low Energy from the terminal, with a real adapter or a simulated one")
    .usage("COMMAND [OPTIONS]")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: () => {}, // said once, by `main`
      getOutHelpWidth: () => io.stdout.columns || 80,
      getErrHelpWidth: () => io.stderr.columns || 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [COMMAND]", "print the help of a command")
    .option(
      "-t, --transport <SPEC>",
      "the controller: hci:N, usb:, sim:, serial:PORT, tcp:HOST:PORT, ... (default: $JELLING_TRANSPORT, else an adapter)",
    )
    .option("--firmware <FOLDER>", "firmware for a controller that wants some: /lib/firmware, or a folder of yours")
    .option("--json", "print one JSON object a line on standard output, everything else on standard error")
    .option("--timeout <TIME>", "how long the command may take: 10s, 500ms, 2m", parseDuration)
    .addOption(new Option("--log <LEVEL>", "what to log on standard error").choices(LOG_LEVELS).default("warn"))
    .option(
      "--capture <FILE>",
      "write every HCI packet to FILE, as its ending says (.pcapng, .pcap, else btsnoop), or live: wireshark, pipe:[PATH], - for standard output; keys are left out",
    )
    .option("--secrets", "keep keys in captures and show them in what is decoded")
    .addOption(
      new Option("--anonymous", "take names, addresses and values out of captures and of what is decoded, to give them away").conflicts(
        "secrets",
      ),
    )
    .addHelpText(
      "after",
      `
Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

Examples:
  jelling doctor                what this machine can do
  jelling scan -t sim:          look around in a simulated air
  jelling pump demo             a simulated insulin pump: pairing, glucose
  jelling mcumgr upgrade FILE   update the firmware of a device`,
    );

  /** Wraps a command's code: it is loaded, given its context, and cleaned up after. */
  const run =
    (load: () => Promise<{ [name: string]: unknown }>, name: string, useless: Useless = {}) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.at(-1) as Command;
      for (const [option, why] of Object.entries(useless))
        if (program.getOptionValueSource(option) === "cli")
          throw new UsageError(`--${option} is nothing for jelling ${commandPath(command)}: ${why}`);
      using context = new Context(io, program.opts<CommonOptions>());
      const work = (await load())[name] as Run;
      await work(context, ...([...args.slice(0, -2), command.opts()] as never[]));
      await context.terminal.flush();
    };

  const address = "a device address like C0:11:22:33:44:01, /public or /random after it where scanning for it shall be saved; or name:TEXT";
  const duration = (text: string): number => parseDuration(text);

  program
    .command("scan")
    .description("list the devices that advertise, for --timeout (10 s) or until Ctrl-C")
    .option("-s, --service <UUID>", "only devices that advertise this service (repeatable)", collect, [])
    .option("-n, --name <TEXT>", "only devices whose name holds TEXT")
    .option("-p, --passive", "do not ask for scan responses")
    .option("-a, --all", "print every advertisement, not each device once")
    .option("--interval <TIME>", "scan interval", duration)
    .option("--window <TIME>", "scan window, at most the interval", duration)
    .option("--phy <PHY>", "where to listen: 1M (default) or coded (repeatable)", collectPhy, [])
    .addOption(new Option("--discoverable <MODE>", "only devices in this mode; general finds both").choices(["limited", "general"]))
    .action(run(() => import("./commands/scan.ts"), "scan"));

  program
    .command("advertise")
    .description("be a peripheral with a few services, until --timeout or Ctrl-C")
    .option("-n, --name <TEXT>", "the advertised name (default: Jelling)")
    .option("-d, --device <KIND|FILE>", "what to be: heart-rate, thermometer, battery, echo, or a file of jelling gatt export", "echo")
    .option("--interval <TIME>", "advertising interval, 20 ms to 10.24 s", duration)
    .addOption(new Option("--own-address <TYPE>", "the address to use").choices(["public", "random", "resolvable"]))
    .option("--no-pairing", "refuse to pair")
    .addOption(new Option("--discoverable <MODE>", "limited (for 3 minutes), general or none").choices(["limited", "general", "none"]))
    .option("--extended", "with the PDUs of version 5, which older scanners do not hear")
    .addOption(new Option("--phy <PHY>", "extended: where the advertising events begin").choices(["1M", "coded"]))
    .addOption(new Option("--secondary-phy <PHY>", "extended: where the data is").choices(["1M", "2M", "coded"]))
    // Not "--anonymous", which is about captures whatever the command is.
    .option("--without-address", "extended: anonymous, no PDU has the address; takes no connections")
    .option("--sid <NUMBER>", "extended: advertising set identifier, 0 to 15", parseWhole("set identifier", 0, 15))
    .option("--tx-power <DBM>", "the most power to send with, -127 to 20 dBm", parseWhole("transmit power", -127, 20))
    .option("--max-events <NUMBER>", "end after so many advertising events, 1 to 255", parseWhole("number of events", 1, 255))
    .action(run(() => import("./commands/advertise.ts"), "advertise"));

  program
    .command("connect")
    .description("connect, show the link and keep it until --timeout, Ctrl-C or the peer ends it")
    .argument("ADDRESS", address)
    .option("--once", "disconnect again at once")
    .action(run(() => import("./commands/connect.ts"), "connect"));

  const gatt = program.command("gatt").description("read and write the attributes of a device");
  const attribute = "SERVICE/CHARACTERISTIC, a characteristic alone, or a handle like 0x0003";
  const pairFirst = ["--pair", "pair first if there is no bond"] as const;
  gatt
    .command("list")
    .description("services, characteristics and descriptors")
    .argument("ADDRESS", address)
    .option("-r, --read", "read what can be read")
    .option(...pairFirst)
    .action(run(() => import("./commands/gatt.ts"), "list"));
  gatt
    .command("export")
    .description("write the device as JSON, attributes and advertising data: jelling advertise --device makes a copy of it")
    .argument("ADDRESS", address)
    .option("--values", "with the values that can be read, which may be personal or secret")
    .option("--no-advertising", "do not listen to what it advertises")
    .option(...pairFirst)
    .action(run(() => import("./commands/gatt-export.ts"), "exportDevice"));
  gatt
    .command("read")
    .description("read a value")
    .argument("ADDRESS", address)
    .argument("ATTRIBUTE", attribute)
    .option(...pairFirst)
    .action(run(() => import("./commands/gatt.ts"), "read"));
  gatt
    .command("write")
    .description("write a value")
    .argument("ADDRESS", address)
    .argument("ATTRIBUTE", attribute)
    .option("-x, --hex <OCTETS>", 'the value as hexadecimal octets: 0100, "01 00", 01:00')
    .option("--text <TEXT>", "the value as UTF-8 text")
    .option("--no-response", "write without response")
    .option(...pairFirst)
    .action(run(() => import("./commands/gatt.ts"), "write"));
  gatt
    .command("subscribe")
    .description("print values as they are notified or indicated, until --timeout or Ctrl-C")
    .argument("ADDRESS", address)
    .argument("ATTRIBUTE", attribute)
    .option("-c, --count <N>", "stop after N values", parseWhole("count", 1, 1_000_000_000))
    .option(...pairFirst)
    .action(run(() => import("./commands/gatt.ts"), "subscribe"));

  program
    .command("pair")
    .description("connect and pair; the bond is kept")
    .argument("ADDRESS", address)
    .addOption(
      new Option("--io <CAPABILITY>", "what the user can do").choices(["none", "display", "yes-no", "keyboard", "keyboard-display"]),
    )
    .option("--passkey <DIGITS>", "the six digits the device shows", parsePasskey)
    .option("-y, --yes", "say yes to every question of the pairing")
    .addOption(new Option("--legacy", "no LE Secure Connections").conflicts("secureOnly"))
    .option("--secure-only", "only LE Secure Connections")
    .option("--oob <DATA>", "what the device gave out of band: hexadecimal digits, or @FILE")
    .option("--no-bond", "keep no keys")
    .action(run(() => import("./commands/pair.ts"), "pair"));

  const bonds = program.command("bonds").description("devices this user has paired with");
  bonds
    .command("list")
    .description("all bonds")
    .action(run(() => import("./commands/bonds.ts"), "list", { capture: NO_PACKETS }));
  bonds
    .command("show")
    .description("one bond; with --secrets its keys too")
    .argument("ADDRESS", "identity address")
    .action(run(() => import("./commands/bonds.ts"), "show", { capture: NO_PACKETS }));
  bonds
    .command("remove")
    .description("forget a bond")
    .argument("ADDRESS", "identity address")
    .action(run(() => import("./commands/bonds.ts"), "remove", { capture: NO_PACKETS }));

  // What a group takes itself is declared in any case: the list of all commands tells which have options.
  const group = async (command: Command, declare: (command: Command) => Promise<void>): Promise<void> => {
    if (argv === undefined || argv.includes(command.name())) await declare(command);
  };
  await group(
    program.command("pump").description("MiniMed 700-series pumps: pairing, reading, history, a page; it reads and changes nothing"),
    async (pump) => (await import("./pump-program.ts")).pumpCommands(pump, run),
  );
  await group(
    program.command("l2cap").description("carry octets over credit based channels: pipe them, send them back, measure"),
    async (l2cap) => (await import("./l2cap-program.ts")).l2capCommands(l2cap, run, address),
  );
  await group(
    program
      .command("mgmt")
      .description("the Linux kernel's Bluetooth management interface: all that btmgmt does, and more")
      .option("-i, --index <N>", "the controller, 1 or hci1 (default: 0, or all where several can be shown)"),
    async (mgmt) => (await import("./mgmt-program.ts")).mgmtCommands(mgmt, run),
  );
  await group(
    mcumgrOptions(program.command("mcumgr").description("update and manage devices that run Zephyr, MCUboot or Mynewt")),
    async (mcumgr) => (await import("./mcumgr-program.ts")).mcumgrCommands(mcumgr, run),
  );

  const sim = program
    .command("sim")
    .description("serve virtual controllers in one simulated air, with simulated devices in it, until Ctrl-C");
  sim
    .option("-c, --controllers <N>", "controllers to serve", parseWhole("controllers", 1, 64), 1)
    .option(
      "-d, --device <KIND>",
      "a device in the same air: heart-rate, thermometer, battery, echo, pump, mcumgr, mcumgr-paired (repeatable)",
      collect,
      [],
    )
    .option("--mcumgr", "a device whose firmware can be updated: the same as -d mcumgr");
  servingOptions(sim)
    .option("--seed <N>", "seed of the air's chance", parseWhole("seed", 0, 0xffff_ffff), 1)
    .option("--loss <SHARE>", "share of radio packets that are lost, 0 to 1", Number)
    .option("--extended", "controllers of version 5: extended and periodic advertising, private addresses in the controller")
    .action(run(() => import("./commands/sim.ts"), "sim", { transport: OPENS_NONE }));

  program
    .command("decode")
    .description("print a capture (btsnoop, pcapng, pcap, pklg), keys left out; with --capture also write it anew, as with --anonymous")
    .argument("FILE", "the capture; - for standard input")
    .option("-f, --filter <TEXT>", "only packets whose line holds TEXT (repeatable: any of them)", collect, [])
    .option("--malformed", "only malformed packets")
    .action(run(() => import("./commands/decode.ts"), "decode", { transport: NO_CONTROLLER }));

  program
    .command("adapters")
    .description("what --transport opens on this machine")
    .option("--watch", "tell adapters as they come and go, until Ctrl-C or --timeout")
    .action(run(() => import("./commands/adapters.ts"), "adapters", { transport: "it looks at the whole machine", capture: NO_PACKETS }));

  program
    .command("doctor")
    .description("what this machine can do, and the line that fixes what is missing")
    .action(run(() => import("./commands/doctor.ts"), "doctor", { transport: "it looks at the whole machine", capture: NO_PACKETS }));

  return program;
}

/** How the device is reached: of all commands of the group. */
function mcumgrOptions(mcumgr: Command): Command {
  return mcumgr
    .option("--ble [DEVICE]", "the device over BLE: its name (name:TEXT too) or address; any that serves mcumgr where none is given")
    .option("--serial <PORT>", "over a serial port: /dev/ttyACM0, COM3@1000000 (115200 baud where none is given)")
    .option("--udp <HOST>", "over UDP: HOST, HOST:PORT, [ADDRESS]:PORT (port 1337 where none is given)")
    .addOption(new Option("--framing <KIND>", "how messages stand on a serial line").choices(["console", "raw"]))
    .option(
      "--protocol <VERSION>",
      "version of the protocol, 1 or 2 (default: 2, and the other where it is refused)",
      parseWhole("version", 1, 2),
    )
    .option("--window <N>", "requests outstanding at most (default: one less than the device has buffers)", parseWhole("window", 1, 64))
    .option("--message-limit <N>", "octets of the longest message (default: found out)", parseWhole("message limit", 32, 65_535));
}

/** "pump keys". */
function commandPath(command: Command): string {
  return command.parent?.parent ? `${commandPath(command.parent)} ${command.name()}` : command.name();
}

function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

function collectPhy(value: string, previous: readonly string[]): string[] {
  if (value !== "1M" && value !== "coded") throw new UsageError(`phy "${value}": expected 1M or coded`);
  return [...previous, value];
}
