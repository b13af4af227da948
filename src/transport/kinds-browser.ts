import { TransportError } from "../hci/transport.ts";
import type { TransportSource } from "./adapters/found.ts";
import type { FirmwareFiles } from "./firmware/start-up.ts";
import type { OpenBlockingKernelSocket, OpenKernelSocket, OpenTransportKind, ServeController } from "./types.ts";
import type { WebUsb } from "./usb/web-usb.ts";

/** A page has none of the transports that need Node. */
export const platformKinds: Readonly<Record<string, OpenTransportKind>> = {
  usb: async (rest, options) => (await import("./usb/page.ts")).openPageUsb(rest, options),
  ws: async (rest, options) => (await import("./ws/page.ts")).openPageWs("ws", rest, options),
  wss: async (rest, options) => (await import("./ws/page.ts")).openPageWs("wss", rest, options),
};

export const serve: ServeController = async (_controller, spec) => {
  throw new TransportError("unsupported", `"${spec}" cannot be served by a page: that needs Node`);
};

const noKernel = (channel: string): TransportError =>
  new TransportError("unsupported", `the Bluetooth ${channel} channel of a kernel cannot be opened by a page: that needs Node on Linux`);

export const openKernelSocket: OpenKernelSocket = async (channel) => {
  throw noKernel(channel);
};

export const openBlockingKernelSocket: OpenBlockingKernelSocket = (channel) => {
  throw noKernel(channel);
};

export async function transportSources(): Promise<TransportSource[]> {
  const { usb } = (globalThis as unknown as { navigator?: { usb?: WebUsb } }).navigator ?? {};
  if (!usb) return [];
  const { UsbSource } = await import("./adapters/usb-source.ts");
  return [new UsbSource(usb, () => usb.getDevices())];
}

export async function firmwareFiles(firmware: string | FirmwareFiles): Promise<FirmwareFiles> {
  if (typeof firmware === "function") return firmware;
  throw new TransportError("unsupported", "firmware: a page has no folders: expected a function that gives files by their names");
}
