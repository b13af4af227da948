import { type HciTransport, TransportError } from "../hci/transport.ts";
import { connectSocket } from "./socket.ts";
import type { TransportOptions } from "./types.ts";

/** `unix:/PATH`: H4 over a Unix socket. @throws {TransportError} with one sentence */
export async function openUnix(path: string, { signal }: TransportOptions = {}): Promise<HciTransport> {
  if (path === "") throw new TransportError("unknown-spec", `transport "unix:": expected unix:/PATH`);
  return await connectSocket(`unix:${path}`, { path }, signal);
}
