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

/** A received frame in ACL packets of so many octets each. */
function inParts(pdu: string, size: number): ["received", Uint8Array][] {
  const frame = att(pdu).subarray(5);
  const parts: ["received", Uint8Array][] = [];
  for (let at = 0; at < frame.length; at += size) {
    const part = frame.subarray(at, at + size);
    parts.push(["received", Uint8Array.of(2, 0x40, at === 0 ? 0x20 : 0x10, part.length, 0, ...part)]);
  }
  return parts;
}
const joined = (packets: readonly string[]): string => packets.map((packet) => packet.slice(10)).join("");

test("declarations in several ACL packets are known whole: the fourth, the one that is cut, and the last", () => {
  const other = (handle: number): string => toHex(Uint8Array.of(handle, 0, 2, handle + 1, 0, 0x29, 0x2a));
  const declarations = `0907${other(1)}${other(3)}${other(5)}${other(7)}0b00020c00252a${other(15)}`;
  for (const size of [5, 6, 11, 27, 40]) {
    const parts = inParts(declarations, size);
    const shown = seen([[...askDeclarations], ...parts, ["sent", att("0a0c00")], ["received", att(`0b${text("AB12")}`)]]);
    expect(shown.at(-1), `${size} octets`).toBe(toHex(att(`0b${text("AB00")}`)));
    expect(joined(shown.slice(1, 1 + parts.length)), "the declarations stay").toBe(toHex(att(declarations).subarray(5)));
  }
});

test("a name that is cut anywhere between two or more ACL packets is hidden whole, and digits that are none of a name stay", () => {
  for (const name of ["Pump 1234567H", "NG1234567H"])
    for (let before = 0; before < 24; before++)
      for (const size of [4, 5, 9, 27]) {
        const shown = joined(seen(inParts(`1b3000${"2e".repeat(before)}${text(`${name} 12`)}`, size)));
        expect(shown.endsWith(text(`${name.replace(/\d/g, "0")} 12`)), `${name} after ${before}, by ${size}`).toBe(true);
      }
  expect(joined(seen(inParts(`1b3000${text("Pump 12 and NG x123456789")}`, 27)))).toContain(text("Pump 12 and NG x123456789"));
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
