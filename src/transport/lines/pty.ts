import { closeSync } from "node:fs";
import { lstat, readlink, rm, symlink } from "node:fs/promises";
import { ReadStream } from "node:tty";
import { callOut } from "../../async/call-out.ts";
import { Logger } from "../../core/logger.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { openTerminalPair } from "../linux/terminal-pair.ts";
import type { TransportOptions } from "../types.ts";
import { DuplexLine } from "./duplex-line.ts";
import type { OctetLine } from "./octet-line.ts";
import { openOverLine } from "./open-over-line.ts";
import { parsePtySpec } from "./serial-spec.ts";

/** Octets that wait for a program to read them; more are lost. */
const LOST_PAST = 64 * 1024;

/**
 * `pty:[/LINK/PATH]`: makes a pseudo-terminal, at whose path a foreign program is the controller. Resolves for H4 at once, for H5 when that
 * program has answered.
 *
 * @param options.onPath called with the path that the program has to open
 * @throws {TransportError} with one sentence
 */
export async function openPty(rest: string, options: TransportOptions = {}): Promise<HciTransport> {
  const asked = `pty:${rest}`;
  const { path: link, framing } = parsePtySpec(asked, rest);
  options.signal?.throwIfAborted();
  const { line, path } = await openPtyLine(link);
  (options.logger ?? Logger.silent).info(`${asked} waits at ${path}`);
  callOut(options.onPath ?? (() => {}), path);
  return await openOverLine(line, `pty:${path}`, { framing }, options);
}

/** A new pseudo-terminal. @param link a symbolic link to make for it; one that was left behind is taken over @throws {TransportError} */
export async function openPtyLine(link: string | undefined): Promise<{ line: OctetLine; path: string }> {
  const { controller, terminal, path } = openTerminalPair();
  const stream = new ReadStream(controller);
  const line = new DuplexLine(
    stream,
    async () => {
      stream.destroy(); // and with it the descriptor
      closeSync(terminal);
      if (link !== undefined && (await readlink(link).catch(() => undefined)) === path) await rm(link, { force: true });
    },
    LOST_PAST,
  );
  try {
    if (link !== undefined) await makeLink(path, link);
    return { line, path: link ?? path };
  } catch (error) {
    await line.close();
    throw error;
  }
}

async function makeLink(path: string, link: string): Promise<void> {
  const status = await lstat(link).catch(() => undefined);
  const target = status?.isSymbolicLink() ? await readlink(link).catch(() => "") : undefined;
  // What a process that died has left; the terminal behind it may be somebody else's by now, the name is not.
  if (target?.startsWith("/dev/pts/")) await rm(link, { force: true });
  else if (status) throw new TransportError("busy", `pty: ${link} is there already, and no link to a pseudo-terminal`);
  try {
    await symlink(path, link);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "EACCES" || code === "EPERM" ? "permission" : code === "ENOENT" ? "not-found" : "io";
    throw new TransportError(reason, `pty: the link ${link} cannot be made: ${code ?? String(cause)}`, { cause });
  }
}
