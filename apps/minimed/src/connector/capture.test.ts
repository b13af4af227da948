import { fromHex, toHex } from "jelling/bytes";
import { expect, test } from "vitest";
import { redactPumpCapture } from "./capture.ts";

const text = (value: string): string => toHex(Uint8Array.from(value, (character) => character.charCodeAt(0)));

/** An ACL packet on handle 0x40 with a whole ATT PDU, or the first part of a longer one. */
function att(pdu: string, length = pdu.length / 2, handle = "40"): Uint8Array {
  const octets = pdu.length / 2;
  const word = (value: number): string => toHex(Uint8Array.of(value & 0xff, value >> 8));
  return fromHex(`02${handle}00${word(octets + 4)}${word(length)}0400${pdu}`);
}

/** What a capture sees of these packets. */
function seen(packets: readonly ["sent" | "received", Uint8Array][]): string[] {
  const shown: string[] = [];
  const capture = redactPumpCapture((direction, packet, timeMs) => shown.push(`${direction} ${timeMs} ${toHex(packet)}`));
  packets.forEach(([direction, packet], i) => {
    capture(direction, packet, i);
  });
  return shown.map((line) => line.split(" ")[2]!);
}

const SERIAL_DECLARATION = "0907" + "0b00" + "02" + "0c00" + "252a";
const askDeclarations = ["sent", att("080100ffff0328")] as const;

test("a serial number of any form is hidden, in the response to a read of its handle", () => {
  const [, , , value, blob, other] = seen([
    [...askDeclarations],
    ["received", att(SERIAL_DECLARATION)],
    ["sent", att("0a0c00")],
    ["received", att(`0b${text("MMT-42A77")}`)],
    ["received", att(`0d${text("99Z")}`)],
    ["received", att("1b0c0031")],
  ]);
  expect(value).toBe(toHex(att(`0b${text("MMT-00A00")}`)));
  expect(blob).toBe(toHex(att(`0d${text("00Z")}`)));
  expect(other).toBe(toHex(att("1b0c0031"))); // a notification of that handle is no value of the read
});

test("what is no text is zeros; other values, other links and values before the declaration is known stay", () => {
  const systemId = "0907" + "0b00" + "02" + "0c00" + "232a";
  const stays = att(`0b${text("MMT-42")}`);
  expect(
    seen([
      ["sent", att("0a0c00")],
      ["received", stays],
      [...askDeclarations],
      ["received", att(systemId)],
      ["sent", att("0a0d00")],
      ["received", stays],
      ["sent", att("0a0c00")],
      ["received", att("0b0123f7fffe")],
      ["sent", att("0a0c00", 3, "41")],
      ["received", att(`0b${text("MMT-42")}`, 7, "41")],
    ]).filter((_, i) => [1, 5, 7, 9].includes(i)),
  ).toEqual([toHex(stays), toHex(stays), toHex(att("0b0000000000")), toHex(att(`0b${text("MMT-42")}`, 7, "41"))]);
});

test("a value in several ACL packets is hidden to its end, and what follows it is not", () => {
  const shown = seen([
    [...askDeclarations],
    ["received", att(SERIAL_DECLARATION)],
    ["sent", att("0a0c00")],
    ["received", att(`0b${text("12")}`, 6)],
    ["received", fromHex(`0240100300${text("345")}`)],
    ["received", fromHex(`0240100200${text("67")}`)],
  ]);
  expect(shown.slice(3)).toEqual([toHex(att(`0b${text("00")}`, 6)), `0240100300${text("000")}`, `0240100200${text("67")}`]);
});

test("a declaration of 128 bits is known as well, and the end of a link forgets its handles", () => {
  const long = "0915" + "0b00" + "02" + "0c00" + "fb349b5f80000080001000002" + "52a0000";
  const shown = seen([
    [...askDeclarations],
    ["received", att(long)],
    ["sent", att("0a0c00")],
    ["received", att(`0b${text("7")}`)],
    ["received", fromHex("0405040040" + "0013")],
    ["sent", att("0a0c00")],
    ["received", att(`0b${text("7")}`)],
  ]);
  expect(shown[3]).toBe(toHex(att(`0b${text("0")}`)));
  expect(shown[6]).toBe(toHex(att(`0b${text("7")}`)));
});

test("a pump's name is hidden wherever it stands, and nothing else that looks a little like it", () => {
  const named = (name: string): Uint8Array => fromHex(`043e20020100000a0b0c0d0e0f10${text(name)}c8`);
  for (const [name, expected] of [
    ["Pump 1234567H", "Pump 0000000H"],
    ["NG7654321H", "NG0000000H"],
    ["NNG7654321H", "NNG0000000H"],
    ["Pump 123456H", "Pump 123456H"],
    ["Pump1234567H", "Pump1234567H"],
    ["Mobile 700001", "Mobile 700001"],
  ] as const)
    expect(seen([["received", named(name)]])).toEqual([toHex(named(expected))]);
});

test("the packet itself stays as it is, and any octets pass", () => {
  const packet = fromHex(`043e20${text("NG7654321H")}`);
  const before = toHex(packet);
  seen([["received", packet]]);
  expect(toHex(packet)).toBe(before);
  for (let length = 0; length < 16; length++)
    for (const type of [1, 2, 4]) {
      const short = new Uint8Array(length).fill(0x40);
      if (length > 0) short[0] = type;
      expect(seen([["received", short]])).toEqual([toHex(short)]);
      expect(seen([["sent", short]])).toEqual([toHex(short)]);
    }
});
