import { type HciTransport, TransportError } from "../../hci/transport.ts";
import type { TransportOptions } from "../types.ts";
import { type AnyWebSocket, openWs, urlOf } from "./ws-transport.ts";

type CreateWebSocket = new (url: string, protocols: string[]) => AnyWebSocket;

/** `ws:` and `wss:` in a page, by its own WebSocket. */
export async function openPageWs(kind: "ws" | "wss", rest: string, { signal }: TransportOptions): Promise<HciTransport> {
  const spec = `${kind}:${rest}`;
  const url = urlOf(kind, rest);
  const { WebSocket } = globalThis as unknown as { WebSocket?: CreateWebSocket };
  if (!WebSocket) throw new TransportError("unsupported", `transport "${spec}": there is no WebSocket here`);
  // A page is told nothing of why.
  const describe = (): TransportError =>
    new TransportError("io", `${spec} could not be opened: nothing listens there, or it does not take this page (its origin)`);
  return await openWs(spec, (protocols) => new WebSocket(url, protocols), describe, signal);
}
