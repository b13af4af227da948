import { describe, expect, test } from "vitest";
import { EXCHANGES, MESSAGES, payloadOf } from "../../../test/support/mcumgr-vectors.ts";
import { concat, DecodeError, equalBytes, fromHex, toHex } from "../../bytes/index.ts";
import { ArgumentError } from "../../core/error.ts";
import { CBOR_MAX_DEPTH } from "./cbor.ts";
import { describeMessage } from "./details.ts";
import { errorOf, MessageTooLongError } from "./error.ts";
import { decodeHeader, isResponseOp } from "./header.ts";
import { decodeMessage, decodeMessages, encodeMessage, splitMessage, splitMessages } from "./message.ts";
import { McumgrRegistry } from "./registry.ts";

const registry = new McumgrRegistry();
const ECHO = { op: 2, group: 0, command: 0, sequence: 7 };

/** Whether octets are a message; whatever else may happen than a DecodeError is a fault. */
function reads(octets: Uint8Array): boolean {
  try {
    decodeMessage(octets);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

describe("messages of the vectors", () => {
  test("there are as many as there should be", () => {
    expect(MESSAGES.length).toBeGreaterThanOrEqual(105 + 2 * 77);
  });

  test.each(MESSAGES.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const { header, canonical, hex, error } = vector;
    const message = decodeMessage(fromHex(hex));
    const payload = payloadOf(vector);
    expect(message).toEqual({ header, payload });
    const definite = encodeMessage(message.header, message.payload);
    if (canonical) expect(toHex(definite)).toBe(hex);
    else expect(decodeMessage(definite).payload).toEqual(payload);
    expect(decodeMessage(encodeMessage(message.header, message.payload, "indefinite")).payload).toEqual(payload);
    if (error === undefined) return;
    expect(errorOf(message.payload)).toEqual(
      error === null
        ? undefined
        : { kind: error.kind === "smp" ? "protocol" : "group", rc: error.rc, group: error.group, reason: error.reason },
    );
  });

  test("servers' answers are what is written with indefinite lengths, octet for octet", () => {
    const answers = MESSAGES.filter(({ hex, payload }) => payload !== null && hex.slice(16).startsWith("bf"));
    expect(answers.length).toBeGreaterThan(80);
    for (const vector of answers)
      expect(toHex(encodeMessage(vector.header, payloadOf(vector), "indefinite")), vector.name).toBe(vector.hex);
  });

  test("an answer is found by its request's declaration, and says something of each", () => {
    for (const { name, request, response } of EXCHANGES) {
      const asked = describeMessage(decodeMessage(fromHex(request.hex)), registry);
      const answer = describeMessage(decodeMessage(fromHex(response.hex)), registry);
      expect(answer.problem, name).toBeUndefined();
      expect(answer.kind, name).toBe(errorOf(payloadOf(response)) === undefined ? "response" : "error");
      if (asked.kind === "request") expect(asked.known, name).toBe(answer.known);
      if (answer.kind === "response") expect(answer.value, name).toBeDefined();
      if (answer.kind === "error") expect(answer.failure?.rcName, name).toMatch(/^[A-Z][A-Za-z]+$/);
    }
  });

  test("cut at every length, each is a DecodeError, and so with a header that agrees with what is left", () => {
    for (const { hex, name, header } of MESSAGES) {
      const whole = fromHex(hex);
      const read: number[] = [];
      for (let length = 0; length < whole.length; length++) {
        if (reads(whole.subarray(0, length))) read.push(length);
        if (length > 8 && reads(encodeMessage(header, whole.subarray(8, length)))) read.push(length);
      }
      expect(read, name).toEqual([]);
    }
  });

  test("with any octet changed, each is a DecodeError or reads, can be described and be written again", () => {
    let read = 0;
    for (const { hex } of MESSAGES) {
      const octets = fromHex(hex);
      // Content of long strings is all alike.
      for (let i = 0; i < Math.min(octets.length, 80); i++)
        for (const change of [1 << ((i + hex.length) % 8), 0xff]) {
          octets[i]! ^= change;
          if (reads(octets)) {
            const message = decodeMessage(octets);
            describeMessage(message, registry);
            const written = encodeMessage(message.header, message.payload);
            const again = decodeMessage(encodeMessage(message.header, message.payload, "indefinite"));
            if (!equalBytes(encodeMessage(again.header, again.payload), written)) expect(again.payload).toEqual(message.payload);
            read++;
          }
          octets[i]! ^= change;
        }
    }
    expect(read).toBeGreaterThan(1000);
  });
});

describe("a message", () => {
  test("has usual values where the header leaves them out: the second version, no flags", () => {
    expect(toHex(encodeMessage(ECHO, { d: "hi" }))).toBe("0a00000600000700a16164626869");
    expect(decodeHeader(encodeMessage({ ...ECHO, version: 0, flags: 3, reserved: 5, group: 0x1234 }, {}))).toEqual({
      op: 2,
      version: 0,
      reserved: 5,
      flags: 3,
      length: 1,
      group: 0x1234,
      sequence: 7,
      command: 0,
    });
  });

  test("has its header at any offset, where there are 8 octets", () => {
    const packet = concat(Uint8Array.of(1, 2, 3), encodeMessage(ECHO, {}));
    expect(decodeHeader(packet, 3)).toEqual(decodeHeader(encodeMessage(ECHO, {})));
    for (const [offset, has] of [
      [packet.length - 7, 7],
      [packet.length, 0],
      [packet.length + 1, 0],
    ] as const)
      expect(() => decodeHeader(packet, offset)).toThrow(
        expect.objectContaining({
          code: new DecodeError({ path: "", problem: "", offset: 0, length: 0, packet }).code,
          offset,
          problem: `needs 8 octets, has ${has}`,
        }),
      );
  });

  test("is refused where the header does not hold a value", () => {
    for (const [name, value] of [
      ["op", 8],
      ["version", 4],
      ["reserved", 8],
      ["flags", 256],
      ["group", 65_536],
      ["sequence", 256],
      ["command", -1],
      ["command", 1.5],
    ] as const)
      expect(() => encodeMessage({ ...ECHO, [name]: value }, {}), name).toThrow(ArgumentError);
  });

  test("has at most 65,535 octets of payload", () => {
    expect(encodeMessage(ECHO, new Uint8Array(65_535))).toHaveLength(65_543);
    expect(() => encodeMessage(ECHO, new Uint8Array(65_536))).toThrow(MessageTooLongError);
    expect(() => encodeMessage(ECHO, { d: "x".repeat(65_536) })).toThrow(expect.objectContaining({ length: 65_552, limit: 65_543 }));
  });

  test("without payload reads as an empty map, and its header tells the difference", () => {
    expect(decodeMessage(fromHex("0a00000000000600"))).toMatchObject({ header: { length: 0 }, payload: {} });
    expect(decodeMessage(fromHex("0a00000100000600a0"))).toMatchObject({ header: { length: 1 }, payload: {} });
  });

  test("may hold what is not CBOR: its octets stand in splitMessage", () => {
    const message = encodeMessage({ op: 0, group: 70, command: 1, sequence: 0 }, Uint8Array.of(1, 2, 3));
    expect(splitMessage(message)).toMatchObject({ header: { group: 70, length: 3 }, payload: Uint8Array.of(1, 2, 3) });
    expect(() => decodeMessage(message)).toThrow(DecodeError);
  });

  test("is exactly as long as its header says", () => {
    const message = encodeMessage(ECHO, { d: "hi" });
    expect(() => decodeMessage(concat(message, Uint8Array.of(0)))).toThrow(
      expect.objectContaining({ code: "ERR_DECODE", path: "header.length", offset: 2 }),
    );
    expect(() => decodeMessage(encodeMessage(ECHO, fromHex("a0a0")))).toThrow("1 octets after the map at offset 9 of 10");
    expect(() => decodeMessage("0a" as never)).toThrow(ArgumentError);
  });

  test("several follow each other in one packet", () => {
    const messages = [encodeMessage(ECHO, { d: "hi" }), encodeMessage(ECHO, {}), encodeMessage(ECHO, new Uint8Array(0))];
    expect(splitMessages(concat(...messages))).toEqual(messages);
    for (const rest of [new Uint8Array(7), messages[0]!.subarray(0, -1)])
      expect(splitMessages(concat(...messages, rest))).toEqual([...messages, rest]);
    expect(decodeMessages(concat(...messages)).map(({ header }) => header.length)).toEqual([6, 1, 0]);
    expect(decodeMessages(new Uint8Array(0))).toEqual([]);
    expect(() => decodeMessages(concat(...messages).subarray(0, -1))).toThrow(DecodeError);
    expect(() => decodeMessages(concat(messages[0]!, Uint8Array.of(1)))).toThrow("needs 8 octets, has 1");
  });

  test("of a Buffer reads like that of a Uint8Array, and keeps nothing of it", () => {
    const buffer = Buffer.from(encodeMessage(ECHO, { data: Uint8Array.of(1, 2, 3) }));
    const { payload } = decodeMessage(buffer);
    buffer.fill(0);
    expect(payload).toEqual({ data: Uint8Array.of(1, 2, 3) });
    expect(Buffer.isBuffer(payload.data)).toBe(false);
  });

  test("ops of answers", () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].filter(isResponseOp)).toEqual([1, 3]);
  });
});

describe("a hostile message", () => {
  const decode = (...payload: Uint8Array[]) => decodeMessage(encodeMessage({ ...ECHO, op: 3 }, concat(...payload)));
  const repeat = (hex: string, count: number) => fromHex(hex.repeat(count));

  test.each([
    ["maps in maps", concat(repeat("a16161", 20_000), fromHex("a0"))],
    ["lists in lists", concat(fromHex("a16161"), repeat("81", 60_000), fromHex("80"))],
    ["endless lists in each other", concat(fromHex("a16161"), repeat("9f", 60_000))],
    ["endless maps in each other", repeat("bf6161", 20_000)],
    ["tags on tags", concat(fromHex("a16161"), repeat("c1", 60_000), fromHex("00"))],
    ["lists as keys", repeat("a181", 30_000)],
  ])("%s are refused before they are deep", (_, payload) => {
    expect(() => decode(payload)).toThrow(expect.objectContaining({ code: "ERR_DECODE", offset: expect.any(Number) }));
    try {
      decode(payload);
    } catch (error) {
      expect((error as DecodeError).offset).toBeLessThan(8 + 3 * (CBOR_MAX_DEPTH + 3));
      expect((error as DecodeError).message.length).toBeLessThan(300);
    }
  });

  test.each([
    ["a map of 2^64 − 1 entries", "bbffffffffffffffff"],
    ["a map of 2^53 entries", "bb0020000000000000"],
    ["a map of 2^32 − 1 entries", "baffffffff616100"],
    ["a list of 2^64 − 1 items", "a161619bffffffffffffffff"],
    ["a list of 2^32 − 1 items", "a161619affffffff00"],
    ["a list of one more than there is", "a16161820000".slice(0, -2)],
    ["text of 2^64 − 1 octets", "a161617bffffffffffffffff61"],
    ["octets of 2^53 − 1", "a161615b001fffffffffffff61"],
    ["octets of 2^32 − 1", "a161615affffffff61"],
    ["a key of 2^32 − 1 octets", "a17affffffff61"],
    ["text in parts without end", "a161617f61616161"],
    ["octets in parts of text", "a161615f6161ff"],
    ["parts in parts", "a161615f5f4161ffff"],
    ["a list without end", "a161619f010203"],
    ["a map without end", "bf616101"],
    ["a key without its value", "bf6161ff"],
    ["a break in a definite map", "a1ff"],
    ["a break as a value", "a16161ff"],
    ["a reserved length", "a161611c"],
    ["a simple value", "a16161f0"],
    ["a key that is octets", "a1416100"],
    ["a key that is true", "a1f500"],
    ["no map but a list", "80"],
    ["no map but a number", "05"],
    ["no map but null", "f6"],
  ])("%s: a DecodeError", (_, hex) => {
    expect(() => decode(fromHex(hex))).toThrow(DecodeError);
  });

  test("as many items as its octets hold, and no more memory than they ask for", () => {
    const many = decode(fromHex("a161619f"), new Uint8Array(65_000), fromHex("ff"));
    expect(many.payload.a).toHaveLength(65_000);
    const parts = decode(fromHex("a161617f"), repeat("60", 65_000), fromHex("ff"));
    expect(parts.payload).toEqual({ a: "" });
    const octets = decode(fromHex("a161615f"), repeat("40", 65_000), fromHex("ff"));
    expect(octets.payload).toEqual({ a: new Uint8Array(0) });
  });

  test("of a long key or a long text, an error repeats no more than a little", () => {
    const key = "k".repeat(60_000);
    try {
      decode(encodeMessage(ECHO, { [key]: [1] }).subarray(8, -1));
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(200);
    }
  });
});
