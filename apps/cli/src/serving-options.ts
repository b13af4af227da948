import type { Command } from "commander";
import { parseWhole } from "./duration.ts";

/** Where the controllers of a simulated air are put, for hosts in other processes. */
export interface ServingOptions {
  readonly tcp?: number;
  readonly host: string;
  readonly unix?: string;
  readonly ws?: number;
  readonly origin?: readonly string[];
  readonly pty?: string | true;
  readonly serial?: string;
  readonly vhci?: boolean;
}

/** Of a command that serves controllers. */
export const OPENS_NONE = "it serves controllers and opens none; --tcp, --unix, --ws, --pty, --serial and --vhci say where";

/** The options of every command that serves controllers. */
export function servingOptions(command: Command): Command {
  return command
    .option("--tcp <PORT>", "serve on 127.0.0.1 from this port on, 0 for free ones", parseWhole("port", 0, 65_535))
    .option("--host <HOST>", "serve on another address", "127.0.0.1")
    .option("--unix <PATH>", "serve on a Unix socket; a number is appended from the second one on")
    .option("--ws <PORT>", "serve over WebSockets from this port on, 0 for free ones", parseWhole("port", 0, 65_535))
    .option("--origin <ORIGIN...>", 'pages that may use --ws, like "http://localhost:8080"; * for any')
    .option(
      "--pty [LINK]",
      "serve on a pseudo-terminal, with a link to it; a number is appended from the second one on (,h5 for three-wire)",
    )
    .option("--serial <PORT>", "serve at a serial port, as serial: has it: /dev/ttyUSB0@1000000,h5; one controller only")
    .option("--vhci", "put the controllers into the Linux kernel (needs /dev/vhci)");
}
