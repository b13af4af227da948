export { type HciTransport, TransportClosed, TransportError } from "../hci/transport.ts";
export { createTransportPair } from "./memory-pipe.ts";
export { openTransport } from "./open.ts";
export { openKernelSocket } from "./open-kernel-socket.ts";
export { serveController } from "./serve.ts";
export type {
  AttachableController,
  ControllerServer,
  KernelChannel,
  KernelSocket,
  OpenKernelSocket,
  ServeOptions,
  SystemFault,
  TransportOptions,
} from "./types.ts";
