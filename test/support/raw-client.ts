import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { type CharacteristicDefinition, GattServer } from "../../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./gatt-pair.ts";

/** Sends raw PDUs to the server and gives what it answered at once. */
export function ask({ serverChannel }: GattPair, ...requests: string[]): string[] {
  const before = serverChannel.sent.length;
  for (const request of requests) serverChannel.receive(fromHex(request));
  return serverChannel.sent.slice(before).map(toHex);
}

/** A Battery service with these characteristics: declared at handle 1, the first value at 3. */
export function serverWith(...characteristics: CharacteristicDefinition[]): GattServer {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, characteristics });
  return server;
}

/** A client made of nothing: what the server sends stays unanswered. */
export function raw(server: GattServer, options: Parameters<typeof createGattPair>[0] = {}): GattPair {
  const pair = createGattPair({ server, ...options });
  pair.serverChannel.peer = undefined;
  return pair;
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
