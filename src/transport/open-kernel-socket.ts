import { openKernelSocket as open, openBlockingKernelSocket as openBlocking } from "#transport-kinds";
import { checkChoice, checkOptions, optionNames } from "../core/arguments.ts";
import type { BlockingKernelSocket, KernelChannel, KernelSocket } from "./types.ts";

const OPTIONS = optionNames<{ signal: AbortSignal }>({ signal: true });

/**
 * Opens a socket of the Linux kernel's Bluetooth subsystem: `control` for the management API, `monitor` for the trace of everything.
 *
 * @throws {TransportError} with one sentence: no permission, no Bluetooth, not Linux, koffi missing, not in Node
 * @throws `signal.reason` once `signal` aborts
 */
export async function openKernelSocket(channel: KernelChannel, options: { signal?: AbortSignal | undefined } = {}): Promise<KernelSocket> {
  checkChoice("openKernelSocket", channel, ["control", "monitor"]);
  checkOptions("openKernelSocket", options, OPTIONS);
  return await open(channel, options);
}

/**
 * The same for programs that block, scripts and prompts: while such a socket reads, nothing else of the process runs.
 *
 * @throws {TransportError} as `openKernelSocket`
 */
export function openBlockingKernelSocket(channel: KernelChannel): BlockingKernelSocket {
  checkChoice("openBlockingKernelSocket", channel, ["control", "monitor"]);
  return openBlocking(channel);
}
