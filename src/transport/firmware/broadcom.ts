import { type Clock, delay } from "../../async/clock.ts";
import { TransportError } from "../../hci/transport.ts";
import { type RawCommands, RESET } from "./raw-commands.ts";

/** Vendor commands: the download begins, and the firmware is started; the file holds the others, Write RAM (0xFC4C) above all. */
const DOWNLOAD_MINIDRIVER = 0xfc2e;
const LAUNCH_RAM = 0xfc4e;
/** Time that the controller needs after them, in milliseconds. */
const MINIDRIVER_MS = 50;
const LAUNCH_MS = 250;
const VENDOR_OGF = 0x3f;

interface HcdCommand {
  readonly opcode: number;
  readonly parameters: Uint8Array;
}

/** The commands of a `.hcd` file: opcode, length, parameters, one after the other, to the last of which it starts. @throws {TransportError} it is none */
export function parseHcd(name: string, file: Uint8Array): HcdCommand[] {
  const commands: HcdCommand[] = [];
  for (let at = 0; at < file.length; ) {
    const length = file[at + 2];
    const end = at + 3 + (length ?? 0);
    const opcode = file[at]! | (file[at + 1]! << 8);
    if (length === undefined || end > file.length || opcode >> 10 !== VENDOR_OGF)
      throw new TransportError("io", `firmware ${name}: at octet ${at} is no vendor command, so it is no .hcd file`);
    commands.push({ opcode, parameters: file.slice(at + 3, end) });
    at = end;
  }
  if (commands.at(-1)?.opcode !== LAUNCH_RAM)
    throw new TransportError("io", `firmware ${name}: it does not end with Launch RAM, so it is no .hcd file or a part of one`);
  return commands;
}

/** Firmware of Broadcom, Cypress and Infineon. The controller begins anew with it, a serial one at 115,200 baud. */
export async function loadBroadcom(raw: RawCommands, name: string, file: Uint8Array, clock: Clock, signal?: AbortSignal): Promise<void> {
  const commands = parseHcd(name, file);
  await raw.command(DOWNLOAD_MINIDRIVER);
  await delay(clock, MINIDRIVER_MS, { signal, name: "firmware" });
  for (const { opcode, parameters } of commands) await raw.command(opcode, parameters);
  await delay(clock, LAUNCH_MS, { signal, name: "firmware" });
  await raw.command(RESET);
}
