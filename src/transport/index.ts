export { type HciTransport, TransportClosed, TransportError } from "../hci/transport.ts";
export { createTransportPair } from "./memory-pipe.ts";
export { openTransport } from "./open.ts";
export { serveController } from "./serve.ts";
export type { AttachableController, ControllerServer, ServeOptions, TransportOptions } from "./types.ts";
