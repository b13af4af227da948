import { checkChoice, checkInteger, checkOptions, optionNames } from "../../core/arguments.ts";
import { ConsoleLink } from "../../mcumgr/links/console-link.ts";
import type { OctetPort } from "../../mcumgr/links/octet-port.ts";
import { RawLink } from "../../mcumgr/links/raw-link.ts";
import type { SimulatedMcumgrDevice } from "./device.ts";

export interface ServeOverLineOptions {
  /** Lines of a console (default), which shows what the device prints as well; or messages as they are. */
  readonly framing?: "console" | "raw";
  /** Octets; longer messages vanish, as where a server keeps few lines and they come faster than it takes them. */
  readonly longestMessage?: number;
}
const OPTIONS = optionNames<ServeOverLineOptions>({ framing: true, longestMessage: true });

/** Length and checksum of a frame, which the buffer holds too. */
const FRAME_OCTETS = 4;

/**
 * A simulated device at a line: a UART, a pseudo-terminal, a pair of streams. A reset leaves the line as it is.
 *
 * @returns disposing it closes the line
 * @throws {ArgumentError}
 */
export function serveOverLine(device: SimulatedMcumgrDevice, port: OctetPort, options: ServeOverLineOptions = {}): AsyncDisposable {
  checkOptions("serveOverLine", options, OPTIONS);
  const { framing = "console", longestMessage = 0xffff + 8 } = options;
  checkChoice("serveOverLine: framing", framing, ["console", "raw"]);
  checkInteger("serveOverLine: longestMessage", longestMessage, 8, 0xffff + 8);
  const { clock } = device;
  if (framing === "raw") {
    const link = new RawLink(port, { clock, silenceMs: 0, bufSize: Math.max(device.bufSize, 8192) });
    device.attach(link, { survivesReset: true, longestMessage });
    return link;
  }
  const link = new ConsoleLink(port, { clock, layout: "server" });
  device.attach(link, { survivesReset: true, longestMessage, frameOctets: FRAME_OCTETS });
  const utf8 = new TextEncoder();
  const listener = device.on("console", (text) => void link.writeConsole(utf8.encode(text)).catch(() => undefined));
  return {
    [Symbol.asyncDispose]: async () => {
      listener[Symbol.dispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}
