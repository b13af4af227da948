import { type Command, Option } from "commander";
import type { Invocation, TargetOptions } from "./commands/mcumgr/session.ts";
import type { Context } from "./context.ts";
import { parseDuration, parseWhole } from "./duration.ts";
import { codeOf, explain, oneLine, UsageError } from "./errors.ts";

type Load = () => Promise<{ readonly [name: string]: unknown }>;
type Run = (load: Load, name: string) => (...args: unknown[]) => Promise<void>;
type Work = (invocation: Invocation, ...rest: unknown[]) => Promise<void>;

const slot = parseWhole("slot", 0, 255);
const image = parseWhole("image", 0, 255);
const IMAGE = ["-i, --image <N>", "which of the device's images (default: the first)", image] as const;
const VERSION = /^\d+\.\d+\.\d+(\.\d+)?$/;

/** The commands for devices that are managed over mcumgr. */
export function mcumgrCommands(mcumgr: Command, run: Run): void {
  const act = (load: Load, name: string): ((...args: unknown[]) => Promise<void>) =>
    run(async () => {
      const work = (await load())[name] as Work;
      const target = (): TargetOptions => mcumgr.opts<TargetOptions>();
      return { [name]: (context: Context, ...rest: unknown[]) => toldOnce(context, () => work({ context, target: target() }, ...rest)) };
    }, name);

  mcumgr
    .command("upgrade")
    .description("bring FILE to life: upload, mark, reset, check, confirm, as far as each is wanting; cut short, the same line goes on")
    .argument("FILE", "an MCUboot image (.bin, .hex), or a zip package with manifest.json")
    .option(...IMAGE)
    .option("-s, --slot <N>", "the slot to upload to, where images run in place (default: the one that does not run)", slot)
    .option("--confirm", "confirm the image once it runs and answers; this is the default")
    .option("--no-confirm", "leave it on trial: the start after the next goes back, unless somebody confirms it")
    .addOption(new Option("--permanent", "make it stay before it has run, with no way back").conflicts("confirm"))
    .option("--no-reset", "end before the reset")
    .option(
      "-f, --force",
      "although another image is in the way, the running version is newer, or the image is damaged; a file that is no image is refused",
    )
    .option("-n, --dry-run", "say what would be done and why, and do nothing")
    .option("--recovery", "the bootloader's serial recovery answers (default: found out)")
    .option("--start-timeout <TIME>", "how long the device may take to answer after its reset (default: 3m)", (text) => parseDuration(text))
    .action(act(() => import("./commands/mcumgr/upgrade.ts"), "upgrade"));

  imageCommands(mcumgr.command("image").description("the images in the slots of a device"), act);
  fileCommands(mcumgr.command("file").description("files on a device"), act);
  osCommands(mcumgr.command("os").description("the device itself"), act);
  groupCommands(mcumgr, act);

  mcumgr
    .command("scan")
    .description("list the devices that advertise mcumgr over BLE, for --timeout (10 s) or until Ctrl-C")
    .action(act(() => import("./commands/mcumgr/scan.ts"), "scan"));

  mcumgr
    .command("ports")
    .description("list the serial ports of this machine, for --serial")
    .action(act(() => import("./commands/mcumgr/ports.ts"), "ports"));

  mcumgr
    .command("renew")
    .description("make the simulated device of -t sim: new, which is kept from one command to the next")
    .action(act(() => import("./commands/mcumgr/renew.ts"), "renew"));

  mcumgr
    .command("serve")
    .description("a simulated device for any client, over --udp PORT, --serial pty or both, until Ctrl-C")
    .option("--host <ADDRESS>", "where to listen", "127.0.0.1")
    .option("--runs <VERSION>", "the version that runs at first", versionOf, "1.0.0")
    .addOption(
      new Option("--mode <MODE>", "how its bootloader works")
        .choices([
          "swap-move",
          "swap-scratch",
          "swap-offset",
          "overwrite-only",
          "direct-xip",
          "direct-xip-revert",
          "ram-load",
          "single-application",
        ])
        .default("swap-move"),
    )
    .option("--images <N>", "images that it has", parseWhole("images", 1, 8), 1)
    .option("--buffers <N>", "packet buffers", parseWhole("buffers", 1, 256), 4)
    .option("--buffer-size <N>", "octets of each", parseWhole("buffer size", 64, 65_535), 2475)
    .option("--fast", "its flash memory takes no time")
    .action(act(() => import("./commands/mcumgr/serve.ts"), "serve"));
}

/** With `--json` a failure is an object too: who reads them learns what has failed, and by which code. */
async function toldOnce({ terminal, signal }: Context, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) terminal.object(failureObject(error));
    throw error;
  }
}

/** `code` is the library's, `rc` and the names are those of the device's answer. */
function failureObject(error: unknown): Record<string, unknown> {
  const { message, status } = explain(error);
  let coded: unknown = error;
  while (coded instanceof Error && !String(codeOf(coded)).startsWith("ERR_") && coded.cause instanceof Error) coded = coded.cause;
  const code = codeOf(coded);
  const { rc, rcName, groupName, reason } = coded as { rc?: unknown; rcName?: unknown; groupName?: unknown; reason?: unknown };
  const answer = code === "ERR_MCUMGR" ? { rc, rcName, group: groupName, reason } : {};
  return { type: "error", status, message: oneLine(message ?? ""), ...(typeof code === "string" && { code }), ...answer };
}

function imageCommands(command: Command, act: Run): void {
  const load: Load = () => import("./commands/mcumgr/image.ts");
  command.command("state").aliases(["list", "state-read"]).description("what is in the slots").action(act(load, "state"));
  command
    .command("test")
    .description("start the image once; it goes back unless it is confirmed")
    .argument("HASH", "digest of the image, from image state")
    .action(act(load, "test"));
  command
    .command("confirm")
    .description("make the image stay; without HASH the one that runs")
    .argument("[HASH]", "digest of the image, from image state")
    .action(act(load, "confirm"));
  command
    .command("state-write")
    .description("the same under another name: test HASH, or with --confirm make it stay")
    .argument("[HASH]", "digest of the image, from image state (default: the one that runs, which --confirm makes stay)")
    .option("--confirm", "make it stay")
    .action(act(load, "stateWrite"));
  command
    .command("erase")
    .description("erase a slot")
    .argument("[SLOT]", "counted over all images: image 1 has 2 and 3 (default: the one that does not run)", slot)
    .action(act(load, "erase"));
  command
    .command("upload")
    .description("put FILE into the slot that does not run, and nothing more")
    .argument("FILE")
    .option(...IMAGE)
    .option("--upgrade", "the device is to refuse a version that is not newer than the running one")
    .option("-f, --force", "do not look what the file is")
    .action(act(load, "upload"));
  command.command("slots").description("sizes of the slots").action(act(load, "slots"));
  command
    .command("info")
    .description("what FILE is, its digest computed anew; no device is needed")
    .argument("FILE")
    .action(act(load, "info"));
  command
    .command("create")
    .description("write an image for the simulated device to FILE; it is no program")
    .argument("FILE")
    .argument("[VERSION]", "1.2.3 or 1.2.3.4", versionOf, "2.0.0")
    .option("--size <N>", "octets of its body", parseWhole("size", 0, 1 << 24), 131_072)
    .action(act(load, "create"));
}

function versionOf(text: string): string {
  if (!VERSION.test(text)) throw new UsageError(`version "${text}": expected 1.2.3 or 1.2.3.4`);
  return text;
}

function fileCommands(command: Command, act: Run): void {
  const load: Load = () => import("./commands/mcumgr/file.ts");
  command
    .command("upload")
    .description("write a file; it goes on where an earlier upload stopped")
    .argument("FILE")
    .argument("DESTINATION", "path on the device: /lfs1/name")
    .action(act(load, "upload"));
  command
    .command("download")
    .description("read a file")
    .argument("FILE", "path on the device")
    .argument("[DESTINATION]", "where to (default: its name, here)")
    .action(act(load, "download"));
  command.command("size").aliases(["read-size"]).description("length of a file").argument("FILE").action(act(load, "size"));
  command
    .command("hash")
    .aliases(["get-hash"])
    .description("checksum or digest of a file, computed by the device")
    .argument("FILE")
    .option("--type <TYPE>", "crc32, sha256, … (default: the device's first)")
    .action(act(load, "hash"));
  command
    .command("hash-types")
    .aliases(["get-supported-hash-types"])
    .description("checksums and digests the device can compute")
    .action(act(load, "hashTypes"));
}

function osCommands(command: Command, act: Run): void {
  const load: Load = () => import("./commands/mcumgr/os.ts");
  command.command("echo").description("have the device send TEXT back").argument("TEXT").action(act(load, "echo"));
  command
    .command("reset")
    .description("start anew, and wait until the device answers")
    .option("-f, --force", "although its application refuses")
    .option("--bootloader", "stay in the bootloader's recovery, where the device can do that")
    .option("--no-wait", "end once it is told")
    .action(act(load, "reset"));
  command.command("params").aliases(["parameters"]).description("packet buffers, and what is made of them").action(act(load, "params"));
  command
    .command("info")
    .description("kernel, version, build, board, processor")
    .argument("[LETTERS]", "which of them: s n r v b m p i o (default: a, all)")
    .action(act(load, "info"));
  command
    .command("bootloader")
    .description("the bootloader, and how it brings images to life")
    .argument("[QUERY]", "another question, as vendors have them")
    .action(act(load, "bootloader"));
  command
    .command("datetime")
    .description("the device's clock, set before it is read where TIME is given")
    .argument("[TIME]", "2026-01-31T12:00:00, or now")
    .action(act(load, "datetime"));
  command.command("tasks").description("threads, and how much of their stacks they use").action(act(load, "tasks"));
  command.command("memory").description("memory pools").action(act(load, "memory"));
}

function groupCommands(mcumgr: Command, act: Run): void {
  const load: Load = () => import("./commands/mcumgr/groups.ts");
  const statistics = mcumgr.command("statistics").description("counters");
  statistics.command("list").description("names of the groups").action(act(load, "statisticsList"));
  statistics.command("get").description("the counters of a group").argument("GROUP").action(act(load, "statisticsGet"));
  statistics.command("fetch-all").description("the counters of all groups").action(act(load, "statisticsFetchAll"));

  const settings = mcumgr.command("settings").description("settings of the device");
  settings
    .command("get")
    .description("read one")
    .argument("NAME", "group/name")
    .option("--max-size <N>", "octets wanted at most", parseWhole("size", 1, 65_535))
    .action(act(load, "settingsGet"));
  settings
    .command("set")
    .description("write one")
    .argument("NAME")
    .argument("VALUE", "text")
    .option("-x, --hex", "VALUE is hexadecimal octets")
    .action(act(load, "settingsSet"));
  settings.command("delete").description("delete one").argument("NAME").action(act(load, "settingsDelete"));
  settings.command("commit").description("make what was written effective").action(act(load, "settingsCommit"));
  settings.command("load").description("read all from the store again").action(act(load, "settingsLoad"));
  settings.command("save").description("keep all in the store, or those below NAME").argument("[NAME]").action(act(load, "settingsSave"));

  mcumgr
    .command("shell")
    .description("run a command of the device's shell; without one, a prompt")
    .argument("[COMMAND...]")
    .action(act(load, "shell"));

  const groups = mcumgr.command("enum").description("what the device can do");
  groups.command("groups").aliases(["get-supported-groups"]).description("numbers of its groups").action(act(load, "enumGroups"));
  groups
    .command("details")
    .aliases(["get-group-details"])
    .description("names of groups, and how many commands each has")
    .argument("[GROUP...]", "numbers (default: all)")
    .action(act(load, "enumDetails"));

  mcumgr
    .command("zephyr")
    .description("Zephyr's own group")
    .command("erase-storage")
    .description("erase all settings")
    .action(act(load, "eraseStorage"));

  mcumgr
    .command("ic")
    .description("Intercreate's own group")
    .command("upload")
    .description("upload FILE for another chip behind the device")
    .argument("FILE")
    .option(...IMAGE)
    .action(act(load, "icUpload"));

  mcumgr
    .command("raw")
    .description("send a request of numbers, print the answer")
    .argument("GROUP", "number of the group", parseWhole("group", 0, 65_535))
    .argument("COMMAND", "number of the command", parseWhole("command", 0, 255))
    .argument("[JSON]", 'payload: \'{"d":"hello"}\', octets as {"hex":"0a0b"} (default: empty)')
    .option("-w, --write", "write in place of read")
    .option("-x, --hex <OCTETS>", "payload as it is, which need not be CBOR")
    .action(act(load, "raw"));
}
