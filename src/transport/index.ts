/// <reference lib="esnext.disposable" preserve="true" />
export { type HciTransport, TransportClosed, TransportError } from "../hci/transport.ts";
export type { FoundAdapter, FoundTransport, TransportChange, TransportSource } from "./adapters/found.ts";
export {
  listTransports,
  type WaitForTransportOptions,
  type WatchTransportsOptions,
  waitForTransport,
  watchTransports,
} from "./adapters/watch.ts";
export { type FirmwareFiles, type StartedUp, type StartUpOptions, startUpController } from "./firmware/start-up.ts";
export { H4Framer } from "./h4.ts";
export { createTransportPair } from "./memory-pipe.ts";
export { openTransport } from "./open.ts";
export { openBlockingKernelSocket, openKernelSocket } from "./open-kernel-socket.ts";
export { serveController } from "./serve.ts";
export { createStreamTransport, type StreamTransportOptions } from "./stream.ts";
export type {
  AttachableController,
  BlockingKernelSocket,
  ControllerServer,
  KernelChannel,
  KernelSocket,
  OpenBlockingKernelSocket,
  OpenKernelSocket,
  OpenTransportKind,
  ServeOptions,
  SystemFault,
  TransportOptions,
} from "./types.ts";
export { type OpenWebUsbOptions, openWebUsb, type RequestUsbOptions, requestUsbTransport } from "./usb/page.ts";
export type {
  WebUsb,
  WebUsbAlternate,
  WebUsbConfiguration,
  WebUsbConnectionEvent,
  WebUsbDevice,
  WebUsbDeviceFilter,
  WebUsbEndpoint,
  WebUsbInResult,
  WebUsbInterface,
  WebUsbOutResult,
  WebUsbSetup,
} from "./usb/web-usb.ts";
export { type OpenWebSerialOptions, openWebSerial, type RequestSerialOptions, requestSerialTransport } from "./web-serial/page.ts";
export type { WebSerial, WebSerialFilter, WebSerialOptions, WebSerialPort } from "./web-serial/web-serial.ts";
