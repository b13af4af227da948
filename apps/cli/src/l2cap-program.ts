import { type Command, Option } from "commander";
import { parseDuration, parseWhole } from "./duration.ts";

type Run = (load: () => Promise<{ readonly [name: string]: unknown }>, name: string) => (...args: unknown[]) => Promise<void>;

const DEFAULT_SPSM = 0x80;

/** Credit based channels of L2CAP. */
export function l2capCommands(l2cap: Command, run: Run, address: string): void {
  const listen = l2cap
    .command("listen")
    .description("advertise and take channels; standard input goes out, and what comes goes to standard output")
    .option("-n, --name <TEXT>", "the advertised name", "Jelling")
    .addOption(new Option("--own-address <TYPE>", "the address to use").choices(["public", "random", "resolvable"]))
    .addOption(new Option("--mode <MODE>", "which requests to answer").choices(["credit", "enhanced", "both"]).default("both"))
    .option("-1, --once", "end with the first channel; without --echo and --measure it is so anyhow");
  const connect = l2cap
    .command("connect")
    .description("open a channel to a device; standard input goes out, and what comes goes to standard output")
    .argument("ADDRESS", address)
    .addOption(new Option("--mode <MODE>", "how to ask").choices(["credit", "enhanced"]).default("credit"))
    .option("--pair", "pair first if there is no bond");
  for (const command of [listen, connect]) {
    command
      .option("-p, --spsm <N>", "the service: 0x01 to 0x7f of the SIG, 0x80 to 0xff one's own", parseWhole("SPSM", 1, 0xff), DEFAULT_SPSM)
      .option("--mtu <N>", "longest SDU that is taken (default: 2221)", parseWhole("MTU", 23, 0xffff))
      .option("--mps <N>", "longest K-frame that is taken, without its header (default: 247)", parseWhole("MPS", 23, 0xfffd))
      .option("--window <N>", "octets that the peer may have under way (default: 128 K-frames)", parseWhole("window", 1, 0x7fff_ffff))
      .addOption(
        new Option("--security <LEVEL>", "what the link must have").choices(["none", "encrypted", "authenticated"]).default("none"),
      )
      .option("--key-size <N>", "octets that its key must have", parseWhole("key size", 7, 16))
      .addOption(new Option("-e, --echo", "send back what comes").conflicts("measure"))
      .option("-m, --measure", `tell the rate every second and at the end${command === connect ? "; sends SDUs as fast as they go" : ""}`)
      .addOption(
        new Option("--at-end <ACT>", "what the end of standard input means")
          .choices(["close", "stay"])
          .default(command === connect ? "close" : "stay"),
      )
      .option("--linger <TIME>", "with --at-end close: close when nothing has come for so long (default: 1s)", (text) =>
        parseDuration(text),
      );
  }
  connect
    .option("-s, --size <N>", "octets of the SDUs of --measure (default: what the peer takes)", parseWhole("size", 1, 0xffff))
    .option("-c, --count <N>", "end after so many SDUs of --measure", parseWhole("count", 1, 1_000_000_000));
  listen.action(run(() => import("./commands/l2cap/listen.ts"), "listen"));
  connect.action(run(() => import("./commands/l2cap/connect.ts"), "connect"));
}
