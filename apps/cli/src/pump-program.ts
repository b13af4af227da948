import { type Command, Option } from "commander";
import { parseDuration, parseWhole } from "./duration.ts";
import { UsageError } from "./errors.ts";
import { collectKind, EVENT_KINDS } from "./pump/event-kinds.ts";
import { parseTimedFault, type TimedFault } from "./pump/fault-words.ts";
import { parseSpan } from "./pump/period.ts";
import { OPENS_NONE, servingOptions } from "./serving-options.ts";

type Useless = Partial<Record<"transport" | "capture", string>>;
type Run = (
  load: () => Promise<{ readonly [name: string]: unknown }>,
  name: string,
  useless?: Useless,
) => (...args: unknown[]) => Promise<void>;

const OFFLINE: Useless = { transport: "it opens no controller", capture: "it sees no packets" };
const KEYS = "key database file of the phone or reader application (default: $JELLING_PUMP_KEYS; a simulated pump needs none)";
const HOUR_MS = 3_600_000;
const FASTEST = 10_000;
/** A host in another process answers in real time, which must not be too late for the pump. */
const FASTEST_SERVED = 300;
const MOST_DAYS = 3650;

/** MiniMed pumps. */
export function pumpCommands(pump: Command, run: Run): void {
  connectionCommands(pump, run);
  followingCommands(pump, run);
  historyCommands(pump, run);
  serviceCommand(pump, run);
  simulationCommand(pump, run);
}

function connectionCommands(pump: Command, run: Run): void {
  const keys = "key database file of the phone or reader application";
  pump
    .command("demo")
    .description("pair with a simulated pump, read the glucose, disconnect, reconnect, read again")
    .option("--real-time", "in real time; otherwise as fast as the simulation runs")
    .option("--seed <N>", "seed of the simulation", parseWhole("seed", 0, 0xffff_ffff), 1)
    .action(run(() => import("./commands/pump/demo.ts"), "demo", { transport: "it has an air of its own" }));
  pump
    .command("keys")
    .description("check a key database file; no key is shown")
    .argument("FILE", keys)
    .action(run(() => import("./commands/pump/keys.ts"), "keys", OFFLINE));
  for (const [name, what] of [
    ["pair", "advertise to be found by the pump's pairing menu, pair, read the glucose"],
    ["read", "wait for a pump that is paired already, read the glucose"],
  ] as const) {
    const command = pump
      .command(name)
      .description(what)
      .requiredOption("-k, --keys <FILE>", keys)
      .option("-n, --name <TEXT>", 'name shown by the pump: "Mobile " and up to 7 characters')
      .option("--pump <ADDRESS>", "which pump, where several are paired")
      .option("--watch <TIME>", "keep the session and read again every TIME", (text) => parseDuration(text))
      .action(run(() => import("./commands/pump/connect.ts"), name));
    faulty(command);
    if (name === "pair")
      command
        .option("--anew", "pair although there is a bond with a pump: the new one replaces it")
        .addOption(
          new Option("--mode <MODE>", "what to be to the pump: an uploader needs its keys and --code").choices(["phone", "carelink"]),
        )
        .option("--code <DIGITS>", "the six digits that the pump shows to an uploader", parseCode);
  }
}

/** Commands that keep a connection to a pump that is paired. */
function followingCommands(pump: Command, run: Run): void {
  const following = (name: string, what: string): Command =>
    faulty(
      pump
        .command(name)
        .description(what)
        .option("-k, --keys <FILE>", KEYS)
        .option("--pump <ADDRESS>", "which pump, where several are paired")
        .option("--speed <N>", "how many times as fast a simulated pump lives", parseWhole("speed", 1, FASTEST)),
    );
  following("status", "everything the pump tells of itself, once").action(run(() => import("./commands/pump/status.ts"), "status"));
  following("watch", "glucose with its curve and the pump's state, kept up to date until Ctrl-C")
    .option("--hours <N>", "what the curve shows", (text) => parseWhole("hours", 1, 24)(text) * HOUR_MS)
    .addOption(new Option("--unit <UNIT>", "of the curve; as the pump shows it by default").choices(["mg/dL", "mmol/L"]))
    .action(run(() => import("./commands/pump/watch.ts"), "watch"));
  stored(following("sync", "read what the history database lacks"))
    .option("--watch", "stay, and read on whenever the pump records something")
    .addOption(new Option("--order <ORDER>", "which records to read first").choices(["oldest", "newest"]).default("oldest"))
    .action(run(() => import("./commands/pump/sync.ts"), "sync"));
  stored(following("web", "a page with the curve and the history, for this computer, until Ctrl-C"))
    .option("--port <N>", "0: any that is free (default: 8377)", parseWhole("port", 0, 65_535))
    .option("--host <ADDRESS>", "an address of this computer (default: 127.0.0.1)")
    .option("--page-folder <FOLDER>", "another page than the one that comes with the program")
    .action(run(() => import("./commands/pump/web.ts"), "web"));
}

/** A service of all that, by a configuration. */
function serviceCommand(pump: Command, run: Run): void {
  pump
    .command("serve")
    .description("connector, history, page and uploads in one process for months, as a configuration says")
    .requiredOption("-c, --config <FILE>", "the configuration, JSON")
    .action(
      run(() => import("./commands/pump/serve.ts"), "serve", {
        transport: "its configuration names the controller",
        capture: "it keeps no packets",
      }),
    );
}

/** A pump to try all that on. */
function simulationCommand(pump: Command, run: Run): void {
  const sim = pump
    .command("sim")
    .description("a simulated pump that other programs reach; lines on standard input say what goes wrong with it (help lists them)")
    .option("--seed <N>", "of its name, its keys, its life and the air's chance", parseWhole("seed", 0, 0xffff_ffff), 1)
    .option("--days <N>", "how far back its history goes", parseWhole("days", 0, MOST_DAYS), 30)
    .option("--speed <N>", "how many times as fast its time goes", parseWhole("speed", 1, FASTEST_SERVED), 1)
    .addOption(new Option("--carelink <OFFERS>", "it waits for an uploader, and offers it this").choices(["nothing", "all"]))
    .option("--write-keys <FILE>", "where its phone's keys go (default: jelling/sim/pump-keys.hex in the user's state folder)")
    .option("--loss <SHARE>", "share of radio packets that are lost, 0 to 1", parseShare);
  faulty(servingOptions(sim)).action(run(() => import("./commands/pump/sim.ts"), "sim", { transport: OPENS_NONE }));
}

function faulty(command: Command): Command {
  return command.option(
    "--fault <FAULT>",
    'what goes wrong with a simulated pump, by its clock: "at 10m: silent 5m" (repeatable; `pump sim` lists them)',
    (text, previous: readonly TimedFault[] | undefined) => [...(previous ?? []), parseTimedFault(text)],
  );
}

/** The six digits that a pump shows, zeros in front included. */
function parseCode(text: string): number {
  if (!/^\d{6}$/.test(text)) throw new UsageError(`code "${text}": expected the six digits that the pump shows, zeros in front included`);
  return Number(text);
}

function parseShare(text: string): number {
  const share = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(share >= 0 && share <= 1)) throw new UsageError(`loss "${text}": expected a share from 0 to 1`);
  return share;
}

/** Commands on what was read before. */
function historyCommands(pump: Command, run: Run): void {
  const period = (command: Command): Command =>
    command
      .option("--last <SPAN>", "up to now: 90min, 24h, 14d, 2w", parseSpan)
      .option("--from <TIME>", "a day or a time: 2031-03-01, 2031-03-01T09:00+01:00")
      .option("--to <TIME>", "until then, not included");
  const which = (command: Command): Command =>
    command.option("--pump <NAME>", "which pump, as `history --pumps` names it; the last one by default");
  const kinds = (command: Command): Command =>
    command.option("--kind <KIND>", `only these: ${EVENT_KINDS.join(", ")} (repeatable)`, collectKind, []);
  kinds(period(which(stored(pump.command("history").description("list what the history database holds, the last 24 h by default")))))
    .option("--gaps", "list what is missing instead")
    .option("--pumps", "list the pumps")
    .action(run(() => import("./commands/pump/history.ts"), "history", OFFLINE));
  const out = pump.command("export").description("write the history as CSV or JSON lines, or send it to a Nightscout site");
  for (const [name, what, action] of [
    ["csv", "a table on standard output", "csv"],
    ["jsonl", "a JSON object a line on standard output", "jsonLines"],
  ] as const)
    kinds(period(which(stored(out.command(name).description(what))))).action(
      run(() => import("./commands/pump/export.ts"), action, OFFLINE),
    );
  which(
    stored(
      out.command("nightscout").description("glucose, treatments and the pump's state to a Nightscout site; sending again changes nothing"),
    ),
  )
    .requiredOption("--url <URL>", "the site's address")
    .addOption(
      new Option("--token-file <FILE>", "holds an access token of the site (default: $JELLING_NIGHTSCOUT_TOKEN)").conflicts("secretFile"),
    )
    .option("--secret-file <FILE>", "holds the site's API secret (default: $JELLING_NIGHTSCOUT_SECRET)")
    .addOption(new Option("--api <VERSION>", "the site's interface").choices(["auto", "v1", "v3"]).default("auto"))
    .option("--last <SPAN>", "so far back: 48h by default at the first time, later what is new", parseSpan)
    .option("--from <TIME>", "from a day or time on")
    .option("--dry-run", "show what would be sent, and ask the site nothing")
    .option("--check", "look at the site and who may write there; nothing is stored")
    .action(run(() => import("./commands/pump/nightscout.ts"), "nightscout", OFFLINE));
}

function stored(command: Command): Command {
  return command.option("--store <FILE>", "the history database (default: jelling/pump.sqlite in the user's data folder)", (text) => {
    // As a shell makes it of a variable that is not set: below it would be the folder that one is in.
    if (text === "") throw new UsageError("--store is empty: expected the name of a file");
    return text;
  });
}
