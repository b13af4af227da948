import type { HciTransport } from "../hci/transport.ts";
import { connectSocket, parseHostAndPort } from "./socket.ts";
import type { TransportOptions } from "./types.ts";

/** `tcp:HOST:PORT`: H4 over a TCP connection to a controller. @throws {TransportError} with one sentence */
export async function openTcp(address: string, { signal }: TransportOptions = {}): Promise<HciTransport> {
  const spec = `tcp:${address}`;
  const { host, port } = parseHostAndPort(spec, address, "tcp:HOST:PORT");
  return await connectSocket(spec, { host, port }, signal);
}
