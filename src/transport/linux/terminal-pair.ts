import { closeSync, constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import { TransportError } from "../../hci/transport.ts";
import { loadLinuxCalls } from "./socket-calls.ts";

/** Longer than any libc's struct termios, and than the name of a terminal. */
const STRUCT_OCTETS = 256;

type Call = (...values: unknown[]) => number;

/** Descriptors of both ends of a pseudo-terminal; whoever opens one closes them. */
export interface TerminalPair {
  readonly controller: number;
  /** Held open, so that reading goes on while nobody else has it. */
  readonly terminal: number;
  /** What others open: "/dev/pts/7". */
  readonly path: string;
}

/**
 * A pseudo-terminal that changes no octet, in Linux.
 *
 * @throws {TransportError} not Linux, or the package koffi is missing, or there is no terminal left
 */
export function openTerminalPair(): TerminalPair {
  const { package: koffi } = loadLinuxCalls("a pseudo-terminal");
  const library = (createRequire(import.meta.url)(koffi) as { load(path: null): { func(name: string, ...types: unknown[]): Call } }).load(
    null,
  );
  const call = (name: string, ...parameters: string[]): Call => library.func(name, "int", parameters);
  const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
  let controller: number;
  try {
    controller = openSync("/dev/ptmx", flags);
  } catch (cause) {
    throw new TransportError("io", `there is no pseudo-terminal to be had: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  try {
    const name = new Uint8Array(STRUCT_OCTETS);
    const failed =
      call("grantpt", "int")(controller) !== 0 ||
      call("unlockpt", "int")(controller) !== 0 ||
      call("ptsname_r", "int", "void *", "size_t")(controller, name, name.length) !== 0;
    if (failed) throw new TransportError("io", "the pseudo-terminal could not be unlocked");
    const path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    const terminal = openSync(path, flags);
    const settings = new Uint8Array(STRUCT_OCTETS);
    call("tcgetattr", "int", "void *")(terminal, settings);
    library.func("cfmakeraw", "void", ["void *"])(settings); // no echo, no lines, every octet as it is
    call("tcsetattr", "int", "int", "void *")(terminal, 0, settings);
    return { controller, terminal, path };
  } catch (error) {
    closeSync(controller);
    throw error;
  }
}
