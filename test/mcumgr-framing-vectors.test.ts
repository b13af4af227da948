import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../src/async/virtual-clock.ts";
import { concat, fromHex, toHex } from "../src/bytes/hex.ts";
import { ConsoleDecoder, crc16, encodeConsoleFrame } from "../src/mcumgr/links/console-framing.ts";
import { ConsoleLink, type ConsoleSizing } from "../src/mcumgr/links/console-link.ts";
import { fragmentsOf, MessageAssembler } from "../src/mcumgr/links/fragments.ts";
import type { OctetPort } from "../src/mcumgr/links/octet-port.ts";

interface Encoded {
  name: string;
  message_hex: string;
  line_length: number;
  lines_hex: string[];
  total_bytes: number;
}
interface Decoded {
  name: string;
  chunks_hex: string[];
  messages_hex: string[];
  text_hex: string;
  events: string[];
  complete: boolean;
}
interface Limit {
  name: string;
  strategy: "auto" | "buffer-size" | "line-buffers";
  server_buf_size?: number | null;
  buf_size?: number;
  line_length?: number;
  line_buffers?: number;
  max_message: number;
  wire_bytes?: number;
  wire_lines?: number;
}
interface Packets {
  name: string;
  kind: "fragment" | "reassemble";
  message_hex?: string;
  max_write?: number;
  writes_hex?: string[];
  notifications_hex?: string[];
  messages_hex?: string[];
}

const vectors = JSON.parse(readFileSync(new URL("vectors/mcumgr.json", import.meta.url), "utf8")) as {
  crc16_xmodem: { data_hex: string; crc: string }[];
  serial_encode: Encoded[];
  serial_decode: Decoded[];
  serial_limits: Limit[];
  packet_transports: Packets[];
};

function decoded(chunks: Uint8Array[]): { messages: string[]; text: string; events: string[]; complete: boolean } {
  const messages: string[] = [];
  const text: string[] = [];
  const events: string[] = [];
  const decoder = new ConsoleDecoder({
    onMessage: (message) => messages.push(toHex(message)),
    onText: (octets) => text.push(toHex(octets)),
    onFault: (fault) => events.push(fault),
  });
  for (const chunk of chunks) decoder.push(chunk);
  return { messages, text: text.join(""), events, complete: !decoder.isPending };
}

const inPieces = (octets: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(octets.length / length) }, (_, i) => octets.slice(i * length, (i + 1) * length));

test.each(vectors.crc16_xmodem)("checksum of $data_hex", ({ data_hex, crc }) => {
  expect(crc16(fromHex(data_hex)).toString(16).padStart(4, "0")).toBe(crc);
});

test.each(vectors.serial_encode)("console lines: $name", ({ message_hex, line_length, lines_hex, total_bytes }) => {
  const lines = encodeConsoleFrame(fromHex(message_hex), { lineLength: line_length });
  expect(lines.map(toHex)).toEqual(lines_hex);
  expect(concat(...lines)).toHaveLength(total_bytes);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(line_length);
  expect(decoded(lines)).toEqual({ messages: [message_hex], text: "", events: [], complete: true });
});

describe.each(vectors.serial_decode)("from a console: $name", ({ chunks_hex, messages_hex, text_hex, events, complete }) => {
  const expected = { messages: messages_hex, text: text_hex, events, complete };

  test("as the reads were", () => {
    expect(decoded(chunks_hex.map(fromHex))).toEqual(expected);
  });

  test("at any read granularity", () => {
    const all = concat(...chunks_hex.map(fromHex));
    for (const length of [1, 2, 3, 5, 127, 128, all.length]) expect(decoded(inPieces(all, length))).toEqual(expected);
    for (let at = 1; at < all.length; at++) expect(decoded([all.slice(0, at), all.slice(at)])).toEqual(expected);
  });

  test("cut off anywhere and followed by a good frame, that one arrives", () => {
    const all = concat(...chunks_hex.map(fromHex));
    const good = fromHex("0b00000a00000000bf61726568656c6c6fff");
    for (let at = 0; at <= all.length; at++)
      expect(decoded([all.slice(0, at), ...encodeConsoleFrame(good)]).messages.at(-1)).toBe(toHex(good));
  });
});

const fromServers = vectors.serial_decode.filter(({ name }) => name.startsWith("lines as a Zephyr"));
test("there are lines of a server to compare with", () => expect(fromServers.length).toBeGreaterThan(5));
test.each(fromServers)("the layout of a server: $name", ({ chunks_hex, messages_hex }) => {
  expect(toHex(concat(...encodeConsoleFrame(fromHex(messages_hex[0]!), { layout: "server" })))).toBe(chunks_hex.join(""));
});

const noPort: OctetPort = {
  info: { kind: "test", target: "nowhere" },
  onOctets: undefined,
  onClose: undefined,
  write: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

test.each(vectors.serial_limits)("longest message: $name", (limit) => {
  const sizing: ConsoleSizing =
    limit.strategy === "auto"
      ? "auto"
      : limit.strategy === "buffer-size"
        ? { bufSize: limit.buf_size! }
        : { lineBuffers: limit.line_buffers! };
  const link = new ConsoleLink(noPort, { sizing, lineLength: limit.line_length });
  const buffers = limit.server_buf_size ? { bufSize: limit.server_buf_size, bufCount: 4 } : undefined;
  expect(link.messageLimit(buffers)).toBe(limit.max_message);
  const lines = encodeConsoleFrame(new Uint8Array(limit.max_message), { lineLength: limit.line_length });
  if (limit.wire_lines !== undefined) expect(lines).toHaveLength(limit.wire_lines);
  if (limit.wire_bytes !== undefined) expect(concat(...lines)).toHaveLength(limit.wire_bytes);
});

const fragmented = vectors.packet_transports.filter(({ kind }) => kind === "fragment");
test.each(fragmented)("in fragments: $name", ({ message_hex, max_write, writes_hex }) => {
  expect(fragmentsOf(fromHex(message_hex!), max_write!).map(toHex)).toEqual(writes_hex);
});

const joined = vectors.packet_transports.flatMap(({ name, notifications_hex, messages_hex, message_hex, writes_hex }) => [
  { name, pieces: notifications_hex ?? writes_hex!, messages: messages_hex ?? [message_hex!] },
]);
test.each(joined)("joined: $name", ({ pieces, messages }) => {
  const got: string[] = [];
  const assembler = new MessageAssembler({ clock: new VirtualClock(), onMessage: (message) => got.push(toHex(message)) });
  for (const piece of pieces) assembler.push(fromHex(piece));
  expect(got).toEqual(messages);
  const all = fromHex(pieces.join(""));
  for (const length of [1, 2, 7, 8, 9, all.length]) {
    got.length = 0;
    assembler.reset();
    for (const piece of inPieces(all, length)) assembler.push(piece);
    expect(got).toEqual(messages);
  }
});
