import type { SimulatedMcumgrDevice } from "../testing/mcumgr/device.ts";
import { type ServeOverLineOptions, serveOverLine } from "../testing/mcumgr/serve-line.ts";
import { serveMcumgrOverUdp, type UdpServerOptions } from "./mcumgr-udp.ts";
import type { UdpServer } from "./mcumgr-udp-links.ts";
import { openPseudoTerminal } from "./pseudo-terminal.ts";

/**
 * A simulated device that listens on a socket. A reset leaves the socket as it is: datagrams are lost meanwhile.
 *
 * @throws {ArgumentError} · {TransportError} the port is in use, or the address not there
 */
export async function serveOverUdp(device: SimulatedMcumgrDevice, options: Omit<UdpServerOptions, "onLink"> = {}): Promise<UdpServer> {
  return await serveMcumgrOverUdp({ ...options, onLink: (link) => void device.attach(link, { survivesReset: true }) });
}

/** A simulated device at a serial port. */
export interface ServedTerminal extends AsyncDisposable {
  /** What other programs open: "/dev/pts/7". */
  readonly path: string;
}

/**
 * A simulated device behind a pseudo-terminal, which other programs open as a serial port, in Linux.
 *
 * @throws {ArgumentError} · {TransportError} there is no pseudo-terminal to be had
 */
export function serveOverTerminal(device: SimulatedMcumgrDevice, options: ServeOverLineOptions = {}): ServedTerminal {
  const terminal = openPseudoTerminal();
  const served = serveOverLine(device, terminal, options);
  return { path: terminal.path, [Symbol.asyncDispose]: async () => await served[Symbol.asyncDispose]() };
}
