import { fromHex as hex, toHex } from "../../src/bytes/hex.ts";
import { type CharacteristicDefinition, GattServer } from "../../src/gatt/index.ts";
import { createGattPair, type GattPair } from "./gatt-pair.ts";

/** 0, 1, 2 … */
export const range = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
/** The code of what is thrown, "done" where nothing is. */
export const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "done",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
/** PDUs of this opcode that the client sent. */
export const sent = ({ clientChannel }: GattPair, opcode: number): string[] =>
  clientChannel.sent.filter((pdu) => pdu[0] === opcode).map(toHex);

/** A server with one service, 0x180f. */
export function serverWith(...characteristics: CharacteristicDefinition[]): GattServer {
  const server = new GattServer();
  server.addService({ uuid: 0x180f, characteristics });
  return server;
}

/** A peer that answers each request as the test says, after so long; `undefined` leaves it unanswered. */
export function scripted(
  answer: (request: string) => string | undefined,
  options: Parameters<typeof createGattPair>[0] = {},
  afterMs = 0,
): GattPair {
  const pair = createGattPair(options);
  pair.serverBearer.server = undefined;
  pair.clientChannel.filter = (pdu) => {
    const response = pdu[0] === 0x1e ? undefined : answer(toHex(pdu));
    if (response !== undefined) pair.clock.setTimer(afterMs, "answer", () => pair.clientChannel.receive(hex(response)));
    return false;
  };
  return pair;
}

/** A service 0x180f at 1 to 0x10 with a characteristic 0x2a19 whose value is at 3 and whose CCCD at 4. */
export function battery(request: string): string | undefined {
  if (request.startsWith("060100")) return "0701001000";
  if (request.startsWith("061100")) return "010611000a";
  if (request.startsWith("080100")) return "0907 0200 3a 0300 192a";
  if (request.startsWith("0803") || request.startsWith("08")) return `0108${request.slice(2, 6)}0a`;
  if (request.startsWith("040400")) return "0501 0400 0229";
  if (request.startsWith("04")) return `0104${request.slice(2, 6)}0a`;
  return undefined;
}
