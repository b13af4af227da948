import { TransportError } from "../hci/transport.ts";
import type { TransportSource } from "./adapters/found.ts";
import type { FirmwareFiles } from "./firmware/start-up.ts";
import { openBlockingKernelSocket as openBlocking } from "./linux/blocking-socket.ts";
import type { OpenBlockingKernelSocket, OpenKernelSocket, OpenTransportKind, ServeController } from "./types.ts";

/** The transports that need Node, each loaded on first use. A browser bundle gets `kinds-browser.ts` instead (`imports` of package.json). */
export const platformKinds: Readonly<Record<string, OpenTransportKind>> = {
  tcp: async (rest, options) => (await import("./tcp.ts")).openTcp(rest, options),
  "tcp-server": async (rest, options) => (await import("./tcp-server.ts")).openTcpServer(rest, options),
  unix: async (rest, options) => (await import("./unix.ts")).openUnix(rest, options),
  serial: async (rest, options) => (await import("./lines/serial.ts")).openSerial(rest, options),
  pty: async (rest, options) => (await import("./lines/pty.ts")).openPty(rest, options),
  usb: async (rest, options) => (await import("./usb/node.ts")).openNodeUsb(rest, options),
  ws: async (rest, options) => (await import("./ws/node.ts")).openNodeWs("ws", rest, options),
  wss: async (rest, options) => (await import("./ws/node.ts")).openNodeWs("wss", rest, options),
  "ws-server": async (rest, options) => (await import("./ws/server.ts")).openWsServer(rest, options),
  hci: async (rest, { signal }) => {
    if (!/^\d{1,5}$/.test(rest)) throw new TransportError("unknown-spec", `transport "hci:${rest}": expected hci:N, for example hci:0`);
    return await (await import("./linux/hci-user-channel.ts")).openHciUserChannel(Number(rest), { signal });
  },
  vhci: async (rest) => {
    if (rest !== "") throw new TransportError("unknown-spec", `transport "vhci:${rest}": expected vhci: and nothing more`);
    return await (await import("./linux/vhci.ts")).openVhci();
  },
};

export const serve: ServeController = async (controller, spec, options) => (await import("./server.ts")).serve(controller, spec, options);

/** Loaded at once, for a call that blocks cannot wait for an import; the FFI package is loaded by the first call. */
export const openBlockingKernelSocket: OpenBlockingKernelSocket = (channel) => openBlocking(channel);

export const openKernelSocket: OpenKernelSocket = async (channel, options) =>
  (await import("./linux/kernel-socket.ts")).openKernelSocket(channel, options);

/** Where adapters come and go; a kind whose package is missing, or that this system has not, is left out. */
export async function transportSources(): Promise<TransportSource[]> {
  const { platformSources } = await import("./adapters/node-sources.ts");
  return platformSources(openKernelSocket);
}

/** What gives firmware by its name: a function as it is, a folder by reading it. */
export async function firmwareFiles(firmware: string | FirmwareFiles): Promise<FirmwareFiles> {
  return typeof firmware === "function" ? firmware : (await import("./firmware/folder.ts")).firmwareFolder(firmware);
}
