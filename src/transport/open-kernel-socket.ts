import { openKernelSocket as open } from "#transport-kinds";
import type { KernelChannel, KernelSocket } from "./types.ts";

/**
 * Opens a socket of the Linux kernel's Bluetooth subsystem: `control` for the management API, `monitor` for the trace of everything.
 *
 * @throws {TransportError} with one sentence: no permission, no Bluetooth, not Linux, koffi missing, not in Node
 * @throws `signal.reason` once `signal` aborts
 */
export function openKernelSocket(channel: KernelChannel, options: { signal?: AbortSignal | undefined } = {}): Promise<KernelSocket> {
  return open(channel, options);
}
