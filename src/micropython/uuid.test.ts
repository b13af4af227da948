import { expect, test } from "vitest";
import { fromHex, toHex } from "../bytes/hex.ts";
import { ArgumentError } from "../core/error.ts";
import { type Bytes, toOctets } from "./bytes.ts";
import { UUID } from "./uuid.ts";

const UART = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const UART_OCTETS = "9ecadc240ee5a9e093f3a3b50100406e";

test.each<[string, number | Bytes, string, string]>([
  ["a number", 0x180d, "UUID(0x180d)", "0d18"],
  ["zero", 0, "UUID(0x0000)", "0000"],
  ["the largest number", 0xffff, "UUID(0xffff)", "ffff"],
  ["two octets", fromHex("0d18"), "UUID(0x180d)", "0d18"],
  ["four octets", fromHex("78563412"), "UUID(0x12345678)", "78563412"],
  ["sixteen octets", fromHex(UART_OCTETS), `UUID('${UART}')`, UART_OCTETS],
  ["a view of octets", new DataView(fromHex("ff0d18ff").buffer, 1, 2), "UUID(0x180d)", "0d18"],
  ["a buffer", fromHex("0d18").buffer, "UUID(0x180d)", "0d18"],
  ["two characters, which are octets", "AB", "UUID(0x4241)", "4142"],
  ["four characters, which are octets", "AB12", "UUID(0x32314241)", "41423132"],
  [
    "sixteen characters, which are octets",
    "0123456789abcdef",
    "UUID('66656463-6261-3938-3736-353433323130')",
    "30313233343536373839616263646566",
  ],
  ["two octets in UTF-8", "é", "UUID(0xa9c3)", "c3a9"],
  ["text", UART, `UUID('${UART}')`, UART_OCTETS],
  ["text in capitals", UART.toUpperCase(), `UUID('${UART}')`, UART_OCTETS],
  ["text with its hyphens anywhere", "-6e-400001b5a3f393e0a9e50e24dcca-9e-", `UUID('${UART}')`, UART_OCTETS],
  ["octets that are text", new TextEncoder().encode(UART), `UUID('${UART}')`, UART_OCTETS],
  ["another UUID", new UUID(0x2a00), "UUID(0x2a00)", "002a"],
])("of %s", (_kind, value, text, octets) => {
  const uuid = new UUID(value);
  expect([String(uuid), JSON.stringify(uuid), toHex(uuid.toLittleEndian()), uuid.size]).toEqual([
    text,
    JSON.stringify(text),
    octets,
    octets.length / 2,
  ]);
  expect(UUID.fromLittleEndian(uuid.toLittleEndian()).equals(uuid)).toBe(true);
});

test.each<[unknown, string, string]>([
  [-1, "ValueError", "UUID -1: expected a 16-bit number"],
  [0x10000, "ValueError", "UUID 65536: expected a 16-bit number"],
  [0.5, "TypeError", "UUID: expected a whole number, got 0.5"],
  [Number.NaN, "TypeError", "UUID: expected a whole number, got NaN"],
  ["g", "ValueError", "invalid char in UUID"],
  [`${UART.slice(0, -1)}x`, "ValueError", "invalid char in UUID"],
  [UART.slice(0, -1), "ValueError", "UUID too short"],
  ["", "ValueError", "UUID too short"],
  ["---", "ValueError", "UUID too short"],
  [`${UART}0`, "ValueError", "UUID too long"],
  [fromHex("010203"), "ValueError", "invalid char in UUID"],
  [null, "TypeError", "UUID: expected octets, text or a UUID, got null"],
  [undefined, "TypeError", "UUID: expected octets, text or a UUID, got undefined"],
  [{}, "TypeError", "UUID: expected octets, text or a UUID, got an object (Object)"],
])("%j is none", (value, pythonName, message) => {
  const making = (): UUID => new UUID(value as number);
  expect(making).toThrow(ArgumentError);
  expect(making).toThrow(expect.objectContaining({ pythonName, message, code: "ERR_ARGUMENT" }));
});

test("equal are those of the same size and octets, and nothing else", () => {
  const short = new UUID(0x180d);
  const long = new UUID("0000180d-0000-1000-8000-00805f9b34fb");
  expect(short.equals(new UUID(0x180d))).toBe(true);
  expect(short.equals(new UUID(0x180e))).toBe(false);
  expect([short.equals(long), short.equals(0x180d), short.equals("UUID(0x180d)"), short.equals(null)]).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect([short.matches(long), long.matches(short), short.matches(new UUID(0x180e))]).toEqual([true, true, false]);
  expect(new UUID(fromHex("0d180000")).matches(short)).toBe(true);
  expect(new UUID(UART).matches(new UUID(UART.toUpperCase()))).toBe(true);
  expect([short.toUuid().text, new UUID(UART).toUuid().text]).toEqual(["180d", UART]);
});

test("the order is that of sizes, then of the octets as they are stored", () => {
  const sorted = [new UUID(UART), new UUID(0x0100), new UUID("AB12"), new UUID(0x0001), new UUID(0x0200)].toSorted((a, b) => a.compare(b));
  expect(sorted.map(String)).toEqual(["UUID(0x0100)", "UUID(0x0200)", "UUID(0x0001)", "UUID(0x32314241)", `UUID('${UART}')`]);
  expect(new UUID(1).compare(new UUID(1))).toBe(0);
});

test("the named ways take their own kind only", () => {
  expect(String(UUID.from16(0x180d))).toBe("UUID(0x180d)");
  expect(() => UUID.from16("AB" as never)).toThrow("expected a number, got a string");
  expect(String(UUID.parse(UART))).toBe(`UUID('${UART}')`);
  expect(() => UUID.parse("AB12")).toThrow("UUID too short");
  expect(() => UUID.parse(5 as never)).toThrow("expected text, got 5");
  expect(() => UUID.fromLittleEndian(fromHex("010203"))).toThrow("UUID of 3 octets: expected 2, 4 or 16");
  expect(() => UUID.fromLittleEndian("AB" as never)).toThrow("expected a Uint8Array, got a string");
});

test("what it is made of, and what it gives, can be changed without changing it", () => {
  const octets = fromHex("0d18");
  const uuid = new UUID(octets);
  octets[0] = 0;
  uuid.toLittleEndian()[1] = 0;
  expect(String(uuid)).toBe("UUID(0x180d)");
});

test("a buffer is octets of any kind, text or a UUID, and what comes of it belongs to nobody else", () => {
  const given = fromHex("0102");
  const taken = toOctets("data", given);
  given[0] = 9;
  expect(toHex(taken)).toBe("0102");
  expect(toHex(toOctets("data", new Uint16Array([0x0201])))).toBe("0102");
  expect(toHex(toOctets("data", new SharedArrayBuffer(2)))).toBe("0000");
  expect(toHex(toOctets("data", "grün"))).toBe("6772c3bc6e");
  expect(toHex(toOctets("data", new UUID(0x180d)))).toBe("0d18");
  const buffer = Buffer.from("abc");
  expect(Object.getPrototypeOf(toOctets("data", buffer))).toBe(Uint8Array.prototype);
  for (const value of [5, null, [1, 2], {}, true])
    expect(() => toOctets("data", value as never)).toThrow(expect.objectContaining({ pythonName: "TypeError" }));
});
